//! Reading the log of a shard.

use super::PostgresStore;
use super::error::{read_error, store_error};
use super::rows::{self, integer};
use super::sessions::statement;
use crate::ids::Shard;
use crate::storage::{ShardPage, StoreError};

const READ_END: &str = include_str!("sql/read_end.sql");
const READ_SHARD: &str = include_str!("sql/read_shard.sql");

impl PostgresStore {
    /// See [`OpLog::read_shard`](crate::storage::OpLog::read_shard).
    ///
    /// The end first, and nothing beyond it: what a page does not have of what is before it was purged. Batches of a shard
    /// are committed one after the other, under its lock, so that no position appears before a lower one.
    pub(super) async fn read_page_of(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        let limit = limit.max(1);
        let end = self.sessions.row(statement(READ_END).bind(i16::from(shard))).await.map_err(store_error)?;
        let end = end.map_or(Ok(0), |row| rows::number(&row, "last_pos")).map_err(store_error)?;
        if end <= after {
            return Ok(ShardPage { ops: Vec::new(), upto: after });
        }
        let read = statement(READ_SHARD)
            .bind(i16::from(shard))
            .bind(integer(after))
            .bind(integer(end))
            .bind(integer(limit as u64))
            .bind(integer(max_bytes as u64));
        let found = self.sessions.rows(read).await.map_err(store_error)?;
        let ops = found.iter().map(|row| {
            let doc = rows::document_id(row, "doc_id").map_err(store_error)?;
            rows::placed(row, &doc).map_err(|error| read_error(&doc, 0, error))
        });
        Ok(ShardPage::of(ops.collect::<Result<Vec<_>, _>>()?, limit, max_bytes, end))
    }
}
