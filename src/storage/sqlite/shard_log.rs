//! Reading the log of a shard. Settling sorts by document: of two neighbours the later one may be in the database while the
//! earlier one is still in memory.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::Row;

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::recent::PlacedOp;
use super::{Inner, rows};
use crate::ids::{DocumentId, HistoryId, Shard};
use crate::storage::{ShardOp, ShardPage, StoreError};

const READ_SHARD: &str = include_str!("sql/read_shard.sql");
const READ_HISTORIES: &str = "SELECT d.id, d.history, d.purged_at IS NOT NULL AS purged
    FROM json_each(?1) AS wanted INNER JOIN documents AS d ON d.id = wanted.value";

impl Inner {
    /// See [`OpLog::read_shard`](crate::storage::OpLog::read_shard).
    ///
    /// Memory first: what leaves it is in the database by then. The end of the log is taken with it, and nothing beyond is
    /// read: of what was committed since, the database might have a part.
    pub(super) async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        let limit = limit.max(1);
        let (end, unsettled) = self.recent.lock().unsettled_of(shard, after, limit);
        if end <= after {
            return Ok(ShardPage { ops: Vec::new(), upto: after });
        }
        let mut ops = self.read_settled_of(shard, after, end, limit, max_bytes).await?;
        // A part of what memory has says nothing of what is behind that part.
        let end = unsettled.get(limit - 1).map_or(end, |(_, last)| last.pos);
        ops.retain(|op| op.pos <= end);
        // What was settled between the two looks is in both.
        ops.extend(self.with_histories(unsettled).await?);
        ops.sort_by_key(|op| op.pos);
        ops.dedup_by_key(|op| op.pos);
        Ok(ShardPage::of(ops, limit, max_bytes, end))
    }

    /// Reads what the database has in `after < pos <= end`: `limit` operations, or as many as are more than `max_bytes`.
    async fn read_settled_of(
        &self,
        shard: Shard,
        after: u64,
        end: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<ShardOp>, StoreError> {
        let mut found = sqlx::query(READ_SHARD)
            .bind(i64::from(shard))
            .bind(integer(after))
            .bind(integer(end))
            .bind(integer(limit as u64))
            .fetch(&self.readers);
        let (mut ops, mut bytes) = (Vec::new(), 0);
        while bytes <= max_bytes
            && let Some(row) = found.try_next().await.map_err(store_error)?
        {
            let doc = rows::document_id(&row, "doc_id").map_err(store_error)?;
            let op = rows::placed(&row, &doc).map_err(|error| read_error(&doc, 0, error))?;
            bytes += op.op.delta.len();
            ops.push(op);
        }
        Ok(ops)
    }

    /// Adds the histories of their documents to operations; those of purged documents fall out.
    async fn with_histories(&self, ops: Vec<(DocumentId, PlacedOp)>) -> Result<Vec<ShardOp>, StoreError> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let mut docs: Vec<_> = ops.iter().map(|(doc, _)| doc).collect();
        docs.sort_unstable();
        docs.dedup();
        let found = sqlx::query(READ_HISTORIES).bind(json!(docs).to_string()).fetch_all(&self.readers).await;
        let histories = found.map_err(store_error)?;
        let histories = histories.iter().map(|row| {
            let purged: bool = row.try_get("purged")?;
            let history = rows::history_id(row, "history")?;
            Ok((rows::document_id(row, "id")?, (!purged).then_some(history)))
        });
        let histories: HashMap<DocumentId, Option<HistoryId>> =
            histories.collect::<Result<_, _>>().map_err(store_error)?;
        let placed = ops.into_iter().map(|(doc, PlacedOp { pos, op })| match histories.get(&doc) {
            Some(history) => Ok(history.map(|history| ShardOp { pos, doc, history, op })),
            // Its row was there before its operations. To leave out what is not seen would be to lose it for good.
            None => Err(StoreError::unavailable(format!("the row of document {doc} is not seen"))),
        });
        placed.filter_map(Result::transpose).collect()
    }
}
