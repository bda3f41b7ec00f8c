//! How far the readers of the whole log have come.

use async_trait::async_trait;
use serde_json::json;

use super::error::store_error;
use super::{SqliteStore, rows};
use crate::ids::{SHARDS, Shard};
use crate::storage::{StoreError, Watermarks};

const ADVANCE_WATERMARKS: &str = include_str!("sql/advance_watermarks.sql");

#[async_trait]
impl Watermarks for SqliteStore {
    async fn watermarks(&self, reader: &str) -> Result<Box<[u64; SHARDS]>, StoreError> {
        let found = sqlx::query("SELECT shard, pos FROM watermarks WHERE reader = ?1")
            .bind(reader)
            .fetch_all(&self.inner.readers)
            .await
            .map_err(store_error)?;
        let mut marks = Box::new([0; SHARDS]);
        for row in &found {
            let shard = rows::number(row, "shard").map_err(store_error)?;
            // The table admits none but these.
            marks[shard as usize % SHARDS] = rows::number(row, "pos").map_err(store_error)?;
        }
        Ok(marks)
    }

    async fn advance_watermarks(&self, reader: &str, to: &[(Shard, u64)]) -> Result<(), StoreError> {
        let (reader, to) = (reader.to_owned(), json!(to).to_string());
        let advance = async move |_, mut writer: super::WriterGuard| {
            let advanced =
                sqlx::query(ADVANCE_WATERMARKS).bind(reader).bind(to).execute(writer.begin().await?).await;
            writer.end(advanced.map_err(store_error)).await.map(|_| ())
        };
        self.inner.detached(advance).await
    }
}
