//! One edit after another, as one.

use super::attributes::Attributes;
use super::cursor::{Cursor, Kind};
use super::delta::Delta;
use super::op::Op;

impl Delta {
    /// The one edit that does what this and then `after` do; if this is a document, the document after the edit.
    ///
    /// Parts past the end of a document stay in the result, as in quill-delta: see that `after` fits first
    /// ([`Document::check`](super::Document::check)). Linear in the parts of both.
    #[must_use]
    pub fn compose(&self, after: &Delta) -> Delta {
        let mut this = Cursor::new(self.ops());
        let mut other = Cursor::new(after.ops());
        let mut composed = copy_retained_inserts(&mut this, &mut other);
        while this.has_next() || other.has_next() {
            if other.kind() == Kind::Insert {
                composed.push_as_is(other.next(u64::MAX));
                continue;
            }
            if this.kind() == Kind::Delete {
                composed.push_as_is(this.next(u64::MAX));
                continue;
            }
            let len = this.left().min(other.left());
            match (this.next(len), other.next(len)) {
                // What was inserted is deleted again.
                (Op::Insert { .. }, Op::Delete(_)) => {}
                (_, deletion @ Op::Delete(_)) => {
                    composed.push_as_is(deletion);
                }
                (op, second) => {
                    let op = reformat(op, second.attributes());
                    let is_whole = composed.push_as_is(op);
                    // The second edit is over and its last part stands for itself: the rest of the first follows.
                    if !other.has_next() && is_whole {
                        let mut composed = composed.concat_as_is(this.rest());
                        composed.chop();
                        return composed;
                    }
                }
            }
        }
        composed.chop();
        composed
    }
}

/// Copies the inserts that the first part of `other` retains whole; they stay as they are.
fn copy_retained_inserts(this: &mut Cursor<'_>, other: &mut Cursor<'_>) -> Delta {
    let mut copied = Delta::new();
    let Some(Op::Retain { len, attributes }) = other.peek() else { return copied };
    if !attributes.is_empty() {
        return copied;
    }
    let mut left = *len;
    while this.kind() == Kind::Insert && this.left() <= left {
        left -= this.left();
        copied.append(this.next(u64::MAX));
    }
    other.skip_units(len - left);
    copied
}

/// `op`, an insert or a retain, with `attributes` on top of its own.
fn reformat(op: Op, attributes: &Attributes) -> Op {
    match op {
        Op::Insert { insert, attributes: old } => {
            Op::Insert { insert, attributes: old.compose(attributes, false) }
        }
        Op::Retain { len, attributes: old } => Op::Retain { len, attributes: old.compose(attributes, true) },
        Op::Delete(len) => Op::Delete(len),
    }
}
