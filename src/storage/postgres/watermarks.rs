//! How far the readers of the whole log have come.

use async_trait::async_trait;

use super::PostgresStore;
use super::error::store_error;
use super::rows::{self, integer};
use super::sessions::statement;
use crate::ids::{SHARDS, Shard};
use crate::storage::{StoreError, Watermarks};

const READ_WATERMARKS: &str = "SELECT shard, pos FROM watermarks WHERE reader = $1";
const ADVANCE_WATERMARKS: &str = include_str!("sql/advance_watermarks.sql");

#[async_trait]
impl Watermarks for PostgresStore {
    async fn watermarks(&self, reader: &str) -> Result<Box<[u64; SHARDS]>, StoreError> {
        let found = self.sessions.rows(statement(READ_WATERMARKS).bind(reader)).await.map_err(store_error)?;
        let mut marks = Box::new([0; SHARDS]);
        for row in &found {
            let shard = rows::shard(row).map_err(store_error)?;
            marks[usize::from(shard)] = rows::number(row, "pos").map_err(store_error)?;
        }
        Ok(marks)
    }

    async fn advance_watermarks(&self, reader: &str, to: &[(Shard, u64)]) -> Result<(), StoreError> {
        let advance = statement(ADVANCE_WATERMARKS)
            .bind(reader)
            .bind(to.iter().map(|(shard, _)| i16::from(*shard)).collect::<Vec<_>>())
            .bind(to.iter().map(|(_, pos)| integer(*pos)).collect::<Vec<_>>());
        self.sessions.run(advance).await.map(|_| ()).map_err(store_error)
    }
}
