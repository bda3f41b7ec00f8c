//! The log of one shard as its readers see it: publisher, projections, event stream, backup.

use super::LoggedOp;
use crate::ids::{DocumentId, HistoryId};

/// An operation with its place in the log of its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardOp {
    pub pos: u64,
    pub doc: DocumentId,
    pub history: HistoryId,
    pub op: LoggedOp,
}

/// A part of a shard's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardPage {
    /// In order of position. Versions of a document are in order, and follow on each other.
    pub ops: Vec<ShardOp>,
    /// How far the reader has come with this page: the position of the last operation, or the end of the log at the time of
    /// the read, which is beyond that when a purge has taken the last operations away.
    pub upto: u64,
}

impl ShardPage {
    /// Takes of the operations of a log that ends at `end` those that fit. They come in order, without a gap other than
    /// those of purges, and either all that there are, or `limit` of them, or more than `max_bytes`.
    pub(super) fn of(
        ops: impl IntoIterator<Item = ShardOp>,
        limit: usize,
        max_bytes: usize,
        end: u64,
    ) -> Self {
        let mut page = Self { ops: Vec::new(), upto: end };
        let mut bytes = 0;
        for op in ops {
            bytes += op.op.delta.len();
            let fits = page.ops.len() < limit.max(1) && bytes <= max_bytes;
            if !page.ops.is_empty() && !fits {
                break;
            }
            page.ops.push(op);
        }
        if (page.ops.len() >= limit || bytes > max_bytes)
            && let Some(last) = page.ops.last()
        {
            page.upto = last.pos;
        }
        page
    }
}
