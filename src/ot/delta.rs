//! An edit in normal form, and how it is built.

use std::fmt;

use smallvec::SmallVec;

use super::attributes::Attributes;
use super::cursor::Cursor;
use super::op::{Embed, Insert, Op};
use super::text::Text;
use super::write;

/// An edit of a document, or a document as an edit of nothing.
///
/// It is always in normal form, so that equal edits are mostly equal deltas: no part is empty, neighbours that say the same
/// are one part, an insert stands before a delete at the same place, and inserts have no `null` attributes. A document
/// holds inserts only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// Most edits are a retain and one more part: they need no allocation.
    ops: SmallVec<[Op; 2]>,
}

impl Delta {
    pub fn new() -> Delta {
        Delta::default()
    }

    /// Adds an insert of `text`.
    #[must_use]
    pub fn insert(mut self, text: impl Into<Text>, attributes: Attributes) -> Delta {
        self.push(Op::Insert { insert: Insert::Text(text.into()), attributes });
        self
    }

    /// Adds an insert of `embed`.
    #[must_use]
    pub fn insert_embed(mut self, embed: Embed, attributes: Attributes) -> Delta {
        self.push(Op::Insert { insert: Insert::Embed(embed), attributes });
        self
    }

    /// Adds a retain of `len` units; without attributes it only moves on.
    #[must_use]
    pub fn retain(mut self, len: u64, attributes: Attributes) -> Delta {
        self.push(Op::Retain { len, attributes });
        self
    }

    /// Adds a deletion of `len` units.
    #[must_use]
    pub fn delete(mut self, len: u64) -> Delta {
        self.push(Op::Delete(len));
        self
    }

    /// Adds a part at the end, keeping the normal form: an empty one is left out, one that continues the last is merged
    /// into it, an insert goes before a delete.
    pub fn push(&mut self, mut op: Op) {
        if let Op::Insert { attributes, .. } = &mut op {
            *attributes = attributes.without_null();
        }
        if op.units() > 0 {
            self.push_as_is(op);
        }
    }

    /// `push` of quill-delta: as [`Delta::push`] for a part that is not empty, but an insert keeps its `null` attributes.
    /// Whether the part is now the last one, by itself.
    pub(crate) fn push_as_is(&mut self, op: Op) -> bool {
        // It does not matter which comes first at one place, so the insert always does.
        if let (Some(Op::Delete(_)), Op::Insert { .. }) = (self.ops.last(), &op) {
            self.insert_before_last(op);
            return false;
        }
        if self.ops.last_mut().is_some_and(|last| merge(last, &op)) {
            return false;
        }
        self.ops.push(op);
        true
    }

    fn insert_before_last(&mut self, op: Op) {
        let Some(last) = self.ops.pop() else { return self.ops.push(op) };
        if !self.ops.last_mut().is_some_and(|previous| merge(previous, &op)) {
            self.ops.push(op);
        }
        self.ops.push(last);
    }

    /// Removes a plain retain at the end, which says nothing.
    pub fn chop(&mut self) {
        if let Some(Op::Retain { attributes, .. }) = self.ops.last()
            && attributes.is_empty()
        {
            self.ops.pop();
        }
    }

    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether it holds inserts only.
    pub fn is_document(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Insert { .. }))
    }

    /// Sum of the lengths of all parts.
    pub fn length(&self) -> u64 {
        self.ops.iter().map(Op::units).fold(0, u64::saturating_add)
    }

    /// By how much it makes a document longer.
    pub fn change_length(&self) -> i64 {
        self.ops.iter().fold(0, |sum: i64, op| match op {
            Op::Insert { insert, .. } => sum.saturating_add_unsigned(insert.units()),
            Op::Retain { .. } => sum,
            Op::Delete(len) => sum.saturating_sub_unsigned(*len),
        })
    }

    /// How much of a document it spans: the sum of what it retains and deletes.
    pub fn base_length(&self) -> u64 {
        let spans = self.ops.iter().filter(|op| !matches!(op, Op::Insert { .. }));
        spans.map(Op::units).fold(0, u64::saturating_add)
    }

    /// The units from `start` to `end`, of a document usually.
    #[must_use]
    pub fn slice(&self, start: u64, end: u64) -> Delta {
        let mut cursor = Cursor::new(&self.ops);
        cursor.skip_units(start);
        let mut slice = Delta::new();
        let mut left = end.saturating_sub(start);
        while left > 0 && cursor.has_next() {
            let op = cursor.next(left);
            left -= op.units();
            slice.ops.push(op);
        }
        slice
    }

    /// This delta, then the parts of `other`; not one edit after the other, which is [`Delta::compose`].
    #[must_use]
    pub fn concat(mut self, other: &Delta) -> Delta {
        for op in &other.ops {
            self.push_as_is(op.clone());
        }
        self
    }

    /// `concat` of quill-delta: only the first of the `parts` is merged. Behind a delete the result may be untidy.
    pub(crate) fn concat_as_is(mut self, mut parts: impl Iterator<Item = Op>) -> Delta {
        if let Some(first) = parts.next() {
            self.push_as_is(first);
        }
        self.ops.extend(parts);
        self
    }

    /// Appends the delta as JSON, an array of parts without white space. Equal deltas give the same bytes.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write::list(out, b'[', b']', self.ops.iter(), |out, op| op.write_json(out));
    }

    /// The delta as JSON.
    pub fn to_json(&self) -> String {
        let mut json = Vec::new();
        self.write_json(&mut json);
        // Made of the keys above and of strings.
        String::from_utf8(json).unwrap_or_default()
    }

    /// Adds `op` as it is, out of normal form if need be.
    pub(crate) fn append(&mut self, op: Op) {
        self.ops.push(op);
    }
}

/// Merges `op` into the part before it, if they say the same.
fn merge(previous: &mut Op, op: &Op) -> bool {
    match (previous, op) {
        (Op::Delete(len), Op::Delete(more)) => *len = len.saturating_add(*more),
        (
            Op::Insert { insert: Insert::Text(text), attributes },
            Op::Insert { insert: Insert::Text(more), attributes: other },
        ) if attributes == other => text.push(more),
        (Op::Retain { len, attributes }, Op::Retain { len: more, attributes: other })
            if attributes == other =>
        {
            *len = len.saturating_add(*more);
        }
        _ => return false,
    }
    true
}

impl fmt::Debug for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}
