//! Walks the parts of a delta in slices of a given length.

use super::attributes::Attributes;
use super::op::Op;

/// A place between the units of a delta. After the last part come plain retains without end.
pub(crate) struct Cursor<'a> {
    ops: &'a [Op],
    /// Units of the first of `ops` that have been passed; less than its length.
    passed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Insert,
    Retain,
    Delete,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(ops: &'a [Op]) -> Cursor<'a> {
        Cursor { ops, passed: 0 }
    }

    pub(crate) fn has_next(&self) -> bool {
        !self.ops.is_empty()
    }

    /// The part the cursor is in.
    pub(crate) fn peek(&self) -> Option<&'a Op> {
        self.ops.first()
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.peek() {
            Some(Op::Insert { .. }) => Kind::Insert,
            Some(Op::Retain { .. }) | None => Kind::Retain,
            Some(Op::Delete(_)) => Kind::Delete,
        }
    }

    /// Units left of the part; no end after the last one.
    pub(crate) fn left(&self) -> u64 {
        self.peek().map_or(u64::MAX, |op| op.units() - self.passed)
    }

    /// Passes up to `len` units of the part, and returns them as a part of their own.
    pub(crate) fn next(&mut self, len: u64) -> Op {
        let start = self.passed;
        let Some((op, len)) = self.pass(len) else { return Op::Retain { len, attributes: Attributes::NONE } };
        match op {
            Op::Insert { insert, attributes } => {
                Op::Insert { insert: insert.slice(start, start + len), attributes: attributes.clone() }
            }
            Op::Retain { attributes, .. } => Op::Retain { len, attributes: attributes.clone() },
            Op::Delete(_) => Op::Delete(len),
        }
    }

    /// Passes up to `len` units of the part; returns it and how many were passed.
    pub(crate) fn pass(&mut self, len: u64) -> Option<(&'a Op, u64)> {
        let (op, rest) = self.ops.split_first()?;
        let left = op.units() - self.passed;
        if len < left {
            self.passed += len;
            return Some((op, len));
        }
        self.ops = rest;
        self.passed = 0;
        Some((op, left))
    }

    /// Passes `len` units, over several parts if need be, and not beyond the last one.
    pub(crate) fn skip_units(&mut self, mut len: u64) {
        while len > 0
            && let Some((_, passed)) = self.pass(len)
        {
            len -= passed;
        }
    }

    /// What is left, the first part cut where the cursor is.
    pub(crate) fn rest(mut self) -> impl Iterator<Item = Op> + 'a {
        let first = (self.passed > 0).then(|| self.next(u64::MAX));
        first.into_iter().chain(self.ops.iter().cloned())
    }
}
