//! The edit that undoes another.

use super::cursor::Cursor;
use super::delta::Delta;
use super::op::Op;

impl Delta {
    /// The edit that undoes this one, which was made on the document `base`.
    ///
    /// One walk over both, unlike quill-delta, which walks `base` anew for each part.
    #[must_use]
    pub fn invert(&self, base: &Delta) -> Delta {
        let mut base = Cursor::new(base.ops());
        let mut inverted = Delta::new();
        for op in self.ops() {
            match op {
                Op::Insert { insert, .. } => {
                    inverted.push_as_is(Op::Delete(insert.units()));
                }
                Op::Retain { len, attributes } if attributes.is_empty() => {
                    inverted.push_as_is(op.clone());
                    base.skip_units(*len);
                }
                Op::Retain { len, .. } | Op::Delete(len) => {
                    for_each_slice(&mut base, *len, |old| {
                        inverted.push_as_is(undo(op, old));
                    });
                }
            }
        }
        inverted.chop();
        inverted
    }
}

/// What restores `old`, a slice of the document, after `op`, a formatting or a deletion.
pub(crate) fn undo(op: &Op, old: Op) -> Op {
    match op {
        Op::Retain { attributes, .. } => {
            Op::Retain { len: old.units(), attributes: attributes.invert(old.attributes()) }
        }
        _ => old,
    }
}

fn for_each_slice(base: &mut Cursor<'_>, mut len: u64, mut f: impl FnMut(Op)) {
    while len > 0 && base.has_next() {
        let slice = base.next(len);
        len -= slice.units();
        f(slice);
    }
}
