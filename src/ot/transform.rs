//! One edit as it must be after another that was made at the same time.

use super::attributes::Attributes;
use super::cursor::{Cursor, Kind};
use super::delta::Delta;
use super::op::Op;

impl Delta {
    /// `other`, made on the same document as this, as it must be to follow this. With `priority` this was first: its
    /// insert stays left of one at the same place, and its value of an attribute stays.
    ///
    /// `a.transform(&b, true)` and `b.transform(&a, false)` close the diamond. Linear in the parts of both.
    #[must_use]
    pub fn transform(&self, other: &Delta, priority: bool) -> Delta {
        let mut this = Cursor::new(self.ops());
        let mut other = Cursor::new(other.ops());
        let mut transformed = Delta::new();
        // Beyond the end of `other` there would only be plain retains.
        while other.has_next() {
            if this.kind() == Kind::Insert && (priority || other.kind() != Kind::Insert) {
                let len = this.left();
                this.pass(len);
                transformed.push_as_is(Op::Retain { len, attributes: Attributes::NONE });
                continue;
            }
            if other.kind() == Kind::Insert {
                transformed.push_as_is(other.next(u64::MAX));
                continue;
            }
            let len = this.left().min(other.left());
            let first = this.pass(len).map(|(op, _)| op);
            match (first, other.next(len)) {
                // What is gone can be neither deleted nor formatted.
                (Some(Op::Delete(_)), _) => {}
                (_, deletion @ Op::Delete(_)) => {
                    transformed.push_as_is(deletion);
                }
                (first, Op::Retain { len, mut attributes }) => {
                    if let Some(first) = first {
                        attributes = first.attributes().transform(&attributes, priority);
                    }
                    transformed.push_as_is(Op::Retain { len, attributes });
                }
                // Inserts were taken above.
                (_, Op::Insert { .. }) => {}
            }
        }
        transformed.chop();
        transformed
    }
}
