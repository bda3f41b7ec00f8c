//! The last durable operations of a document, kept for late bases and for sessions that come back.

use std::collections::VecDeque;
use std::sync::Arc;

use super::operation::SequencedOp;
use crate::ids::Version;

/// A run of operations up to the durable head, bounded by count and bytes; older ones are in the log.
#[derive(Default)]
pub struct Tail {
    /// The version before the first operation.
    base: Version,
    ops: VecDeque<Arc<SequencedOp>>,
    bytes: usize,
}

impl Tail {
    /// Begins an empty tail at a version.
    pub fn starting_at(base: Version) -> Self {
        Self { base, ..Self::default() }
    }

    /// Returns the version from which on the tail can answer.
    pub fn base(&self) -> Version {
        self.base
    }

    /// Returns the version after the last operation.
    pub fn head(&self) -> Version {
        self.base + self.ops.len() as Version
    }

    /// Appends the operation that makes `head() + 1`.
    pub fn push(&mut self, op: Arc<SequencedOp>) {
        debug_assert_eq!(op.version, self.head() + 1);
        self.bytes += op.member().len();
        self.ops.push_back(op);
    }

    /// Forgets the oldest operations until the bounds hold.
    pub fn trim(&mut self, max_ops: usize, max_bytes: usize) {
        while self.ops.len() > max_ops || self.bytes > max_bytes {
            let Some(op) = self.ops.pop_front() else { return };
            self.bytes -= op.member().len();
            self.base += 1;
        }
        if self.ops.is_empty() {
            self.ops.shrink_to_fit();
        }
    }

    /// Returns the operations after `version`, or `None` when some of them are only in the log.
    pub fn since(&self, version: Version) -> Option<impl Iterator<Item = &Arc<SequencedOp>>> {
        let skip = version.checked_sub(self.base)?;
        Some(self.ops.iter().skip(skip as usize))
    }
}
