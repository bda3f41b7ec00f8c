//! The edit that turns one document into another.
//!
//! The answers are meant to be those of `fast-diff` 1.3.0, which quill-delta uses and which goes back to Neil Fraser's
//! diff-match-patch (2006): Myers' O(ND) algorithm with shortcuts before it, and a clean-up after it that prefers edits
//! which a person would make. Three things differ: surrogate pairs are never cut, the work is bounded, and long texts are
//! first aligned by lines that are unique in both.

mod cleanup;
mod lines;
mod myers;
mod search;

use super::cursor::Cursor;
use super::delta::Delta;
use super::error::DeltaError;
use super::op::{Insert, Op};

/// Steps that a difference may take altogether: about a tenth of a second. After that, what has not been aligned yet is
/// replaced as a whole.
const BUDGET: usize = 50_000_000;

/// Stands for an embed in the texts that are compared. As a character it is refused in documents.
const EMBED: u16 = 0;

/// A stretch of an alignment of two texts: units that are deleted, then units that are inserted, then equal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hunk {
    delete: usize,
    insert: usize,
    equal: usize,
}

impl Delta {
    /// The edit that turns this document into `other`. It takes bounded time, and cuts no surrogate pair.
    ///
    /// # Errors
    /// [`DeltaError::NotADocument`] if one of them is none.
    pub fn diff(&self, other: &Delta) -> Result<Delta, DeltaError> {
        let (old, new) = (units(self)?, units(other)?);
        let hunks = align(&old, &new, BUDGET);
        let (mut this, mut other) = (Cursor::new(self.ops()), Cursor::new(other.ops()));
        let mut difference = Delta::new();
        for hunk in hunks {
            this.skip_units(hunk.delete as u64);
            difference.push(Op::Delete(hunk.delete as u64));
            copy(&mut other, hunk.insert as u64, &mut difference);
            reformat(&mut this, &mut other, hunk.equal as u64, &mut difference);
        }
        difference.chop();
        Ok(difference)
    }
}

/// The content as UTF-16, with [`EMBED`] for each embed.
fn units(document: &Delta) -> Result<Vec<u16>, DeltaError> {
    let mut units = Vec::new();
    for op in document.ops() {
        match op {
            Op::Insert { insert: Insert::Text(text), .. } => units.extend(text.as_str().encode_utf16()),
            Op::Insert { insert: Insert::Embed(_), .. } => units.push(EMBED),
            _ => return Err(DeltaError::NotADocument),
        }
    }
    Ok(units)
}

/// Aligns two texts.
fn align(old: &[u16], new: &[u16], mut budget: usize) -> Vec<Hunk> {
    let mut hunks = lines::align(old, new, &mut budget);
    cleanup::keep_pairs(old, new, &mut hunks);
    cleanup::merge(old, new, &mut hunks);
    cleanup::simplify(old, new, &mut hunks);
    // Simplifying moves edits by single units, so it may have cut pairs again.
    cleanup::keep_pairs(old, new, &mut hunks);
    cleanup::factor(old, new, &mut hunks);
    hunks
}

/// Inserts the next `len` units of `other`.
fn copy(other: &mut Cursor<'_>, mut len: u64, difference: &mut Delta) {
    while len > 0 {
        let op = other.next(len);
        len -= op.units();
        difference.push(op);
    }
}

/// Keeps the next `len` units, which are the same text in both, giving them the attributes that they have in `other`.
fn reformat(this: &mut Cursor<'_>, other: &mut Cursor<'_>, mut len: u64, difference: &mut Delta) {
    while len > 0 {
        let units = len.min(this.left()).min(other.left());
        let (old, new) = (this.next(units), other.next(units));
        len -= units;
        match (&old, &new) {
            (Op::Insert { insert: a, attributes: before }, Op::Insert { insert: b, attributes: after })
                if a == b =>
            {
                difference.push(Op::Retain { len: units, attributes: before.diff(after) });
            }
            // Both are embeds, but not the same one.
            _ => {
                difference.push(new);
                difference.push(Op::Delete(units));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ot::{Attributes, Document};

    fn document(text: &str) -> Delta {
        Delta::new().insert(text, Attributes::NONE)
    }

    /// The difference, after it has been seen to lead to `new` without cutting a pair.
    fn checked_diff(old: &str, new: &str) -> Delta {
        let (old, new) = (document(old), document(new));
        let difference = old.diff(&new).unwrap();
        let mut edited = Document::from_delta(&old).unwrap();
        edited.apply(&difference).unwrap();
        assert_eq!(edited.to_delta(), new);
        difference
    }

    #[test]
    fn pairs_that_share_a_half_stay_whole() {
        assert_eq!(checked_diff("a😁😀", "a😀").to_json(), r#"[{"retain":1},{"delete":2}]"#);
        checked_diff("b😀", "b😁😀");
        checked_diff("😀😁😂", "😂😁");
        checked_diff("\u{10400}\u{10000}", "\u{10000}\u{10401}");
    }

    #[test]
    fn documents_only_are_compared() {
        assert_eq!(document("a").diff(&Delta::new().delete(1)), Err(DeltaError::NotADocument));
        assert_eq!(Delta::new().delete(1).diff(&document("a")), Err(DeltaError::NotADocument));
    }

    #[test]
    fn scattered_edits_of_a_long_text_are_found() {
        let line = |i: usize| format!("{i}: the quick brown fox jumps over the lazy dog\n");
        let old: String = (0..20_000).map(line).collect();
        let new: String = (0..20_000)
            .map(|i| if i % 100 == 7 { line(i).replace("quick", "slow") } else { line(i) })
            .collect();
        let difference = checked_diff(&old, &new);
        let typed: u64 =
            difference.ops().iter().filter(|op| matches!(op, Op::Insert { .. })).map(Op::units).sum();
        assert!(typed <= 200 * 5, "{typed} units are typed anew");
    }

    #[test]
    fn texts_that_have_nothing_in_common_are_replaced_in_bounded_work() {
        let noise = |mut seed: u32, letters: [char; 4]| -> String {
            let next = |_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                letters[seed as usize >> 30]
            };
            (0..300_000).map(next).collect()
        };
        checked_diff(&noise(1, ['a', 'b', 'c', 'd']), &noise(2, ['a', 'b', 'c', 'd']));
        checked_diff(&"a".repeat(200_000), &"ab".repeat(150_000));
        checked_diff(&"ab\n".repeat(60_000), &"a\nb".repeat(70_000));
    }

    proptest! {
        #[test]
        fn any_difference_leads_to_its_target(old in "[ab😀😁\u{10400}\n ]{0,30}", new in "[ab😀😁\u{10400}\n ]{0,30}") {
            checked_diff(&old, &new);
        }
    }
}
