//! A page of the log: how much of it is read at once, and the check that nothing is missing from it.

use super::{LoggedOp, StoreError};
use crate::ids::{DocumentId, Version};

/// Collects operations up to a number of them and, past the first, up to a sum of bytes.
#[derive(Debug)]
pub(super) struct Page {
    ops: Vec<LoggedOp>,
    limit: usize,
    bytes_left: usize,
    full: bool,
}

impl Page {
    pub(super) fn new(limit: usize, max_bytes: usize) -> Self {
        Self { ops: Vec::new(), limit, bytes_left: max_bytes, full: limit == 0 }
    }

    /// Takes an operation if it fits; once one did not, or the page is full, nothing more is taken.
    pub(super) fn push(&mut self, op: LoggedOp) {
        if self.full || (!self.ops.is_empty() && op.delta.len() > self.bytes_left) {
            self.full = true;
            return;
        }
        self.bytes_left = self.bytes_left.saturating_sub(op.delta.len());
        self.ops.push(op);
        self.full = self.ops.len() >= self.limit;
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn room(&self) -> usize {
        self.limit - self.ops.len()
    }

    pub(super) fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    /// Returns the version of the last operation in it.
    pub(super) fn last(&self) -> Option<Version> {
        self.ops.last().map(|op| op.version)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Returns the operations, which must follow on `after` without a gap.
    ///
    /// # Errors
    /// `Corrupt` names the first version that is missing.
    pub(super) fn finish(self, doc: &DocumentId, after: Version) -> Result<Vec<LoggedOp>, StoreError> {
        for (op, expected) in self.ops.iter().zip(after + 1..) {
            if op.version != expected {
                let why = format!("the log goes on at version {}", op.version);
                return Err(StoreError::Corrupt { doc: doc.clone(), version: expected, why });
            }
        }
        Ok(self.ops)
    }
}

/// What a range of the log says that has no operations in it although the document's head is above `after`.
pub(super) fn missing(doc: &DocumentId, after: Version, head: Version) -> StoreError {
    let why = format!("it is missing from the log, whose head is {head}");
    StoreError::Corrupt { doc: doc.clone(), version: after + 1, why }
}
