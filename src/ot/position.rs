//! Carets and selections through a delta.

use super::delta::Delta;
use super::op::Op;

impl Delta {
    /// Where the place `index` is after this edit. With `priority` a place stays left of an insert that is exactly there,
    /// without it moves behind it.
    ///
    /// The flag is quill-delta's, and the other way round than in [`Delta::transform`]: the result is where an insert at
    /// `index` goes under `transform` with `!priority`.
    pub fn transform_position(&self, mut index: u64, priority: bool) -> u64 {
        let mut offset: u64 = 0;
        for op in self.ops() {
            if offset > index {
                break;
            }
            match op {
                Op::Delete(len) => {
                    index -= (*len).min(index - offset);
                    continue;
                }
                Op::Insert { insert, .. } if offset < index || !priority => {
                    index = index.saturating_add(insert.units());
                }
                _ => {}
            }
            offset = offset.saturating_add(op.units());
        }
        index
    }
}

/// A selection of `length` units from `index` on; a caret if `length` is 0. In UTF-16 code units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub index: u64,
    pub length: u64,
}

impl Selection {
    /// The selection after `edit`. An insert exactly at an end of it moves that end only if `own`: if the edit is by whom
    /// the selection belongs to.
    #[must_use]
    pub fn transform(self, edit: &Delta, own: bool) -> Selection {
        let start = edit.transform_position(self.index, !own);
        let end = edit.transform_position(self.index.saturating_add(self.length), !own);
        Selection { index: start, length: end - start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Attributes;

    fn typed_at(place: u64) -> Delta {
        Delta::new().retain(place, Attributes::NONE).insert("ab", Attributes::NONE)
    }

    #[test]
    fn an_insert_at_a_caret_moves_only_its_owners() {
        let caret = Selection { index: 3, length: 0 };
        assert_eq!(caret.transform(&typed_at(3), false).index, 3);
        assert_eq!(caret.transform(&typed_at(3), true).index, 5);
        assert_eq!(caret.transform(&typed_at(2), false).index, 5);
        assert_eq!(caret.transform(&typed_at(4), true).index, 3);
    }

    #[test]
    fn a_selection_shrinks_with_what_is_deleted_in_it() {
        let selection = Selection { index: 2, length: 4 };
        let deletion = Delta::new().retain(1, Attributes::NONE).delete(3);
        assert_eq!(selection.transform(&deletion, false), Selection { index: 1, length: 2 });
    }

    #[test]
    fn a_selection_grows_with_what_is_typed_into_it() {
        let selection = Selection { index: 2, length: 4 };
        assert_eq!(selection.transform(&typed_at(3), false), Selection { index: 2, length: 6 });
    }
}
