//! Aligns two texts: shortcuts first, then the shortest way by the O(ND) algorithm (Myers 1986), from both ends.

use super::search::{Pattern, common_prefix, common_suffix};
use super::{Hunk, cleanup};

/// Most edits on the way to the middle; beyond it texts have so little in common that they are replaced.
const MAX_EDITS: usize = 4096;

/// Aligns two texts. Every comparison is taken off the `budget`; when it is used up, what is left is replaced.
pub(super) fn align(old: &[u16], new: &[u16], budget: &mut usize) -> Vec<Hunk> {
    let prefix = common_prefix(old, new);
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = common_suffix(old_rest, new_rest);
    let old_middle = &old_rest[..old_rest.len() - suffix];
    let new_middle = &new_rest[..new_rest.len() - suffix];
    let mut hunks = vec![Hunk { equal: prefix, ..Hunk::default() }];
    hunks.extend(align_middle(old_middle, new_middle, budget));
    hunks.push(Hunk { equal: suffix, ..Hunk::default() });
    cleanup::merge(old, new, &mut hunks);
    hunks
}

/// Aligns two texts that neither begin nor end alike.
fn align_middle(old: &[u16], new: &[u16], budget: &mut usize) -> Vec<Hunk> {
    let replaced = Hunk { delete: old.len(), insert: new.len(), equal: 0 };
    if old.is_empty() || new.is_empty() {
        return vec![replaced];
    }
    let (long, short) = if old.len() > new.len() { (old, new) } else { (new, old) };
    if let Some(before) = Pattern::new(short).places(long).next() {
        let after = long.len() - before - short.len();
        return if old.len() > new.len() {
            vec![
                Hunk { delete: before, insert: 0, equal: short.len() },
                Hunk { delete: after, insert: 0, equal: 0 },
            ]
        } else {
            vec![
                Hunk { delete: 0, insert: before, equal: short.len() },
                Hunk { delete: 0, insert: after, equal: 0 },
            ]
        };
    }
    if short.len() == 1 {
        return vec![replaced];
    }
    if let Some(half) = half_match(long, short, budget) {
        let (i, j) = if old.len() > new.len() { (half.long, half.short) } else { (half.short, half.long) };
        let mut hunks = align(&old[..i], &new[..j], budget);
        hunks.push(Hunk { equal: half.len, ..Hunk::default() });
        hunks.extend(align(&old[i + half.len..], &new[j + half.len..], budget));
        return hunks;
    }
    match middle(old, new, budget) {
        Some((i, j)) => {
            let mut hunks = align(&old[..i], &new[..j], budget);
            hunks.extend(align(&old[i..], &new[j..], budget));
            hunks
        }
        None => vec![replaced],
    }
}

/// A stretch that two texts share.
struct Match {
    long: usize,
    short: usize,
    len: usize,
}

/// A stretch that the texts share and that is at least half of the longer one. Not always the shortest way, but a quick
/// one: it halves the problem.
fn half_match(long: &[u16], short: &[u16], budget: &mut usize) -> Option<Match> {
    if long.len() < 4 || short.len() * 2 < long.len() {
        return None;
    }
    // Such a stretch covers the second or the third quarter.
    let second = match_around(long, short, long.len().div_ceil(4), budget);
    let third = match_around(long, short, long.len().div_ceil(2), budget);
    match (second, third) {
        (Some(second), Some(third)) => Some(if second.len > third.len { second } else { third }),
        (second, third) => second.or(third),
    }
}

/// The longest stretch that the texts share and that has the quarter of `long` from `seed` on in it, if it is long enough.
fn match_around(long: &[u16], short: &[u16], seed: usize, budget: &mut usize) -> Option<Match> {
    let pattern = Pattern::new(&long[seed..seed + long.len() / 4]);
    let mut best = Match { long: 0, short: 0, len: 0 };
    for place in pattern.places(short) {
        let after = common_prefix(&long[seed..], &short[place..]);
        let before = common_suffix(&long[..seed], &short[..place]);
        if best.len < before + after {
            best = Match { long: seed - before, short: place - before, len: before + after };
        }
        *budget = budget.saturating_sub(before + after);
        if *budget == 0 {
            break;
        }
    }
    (best.len * 2 >= long.len()).then_some(best)
}

/// A place on the shortest way from the beginning of both texts to their end, halfway. `None` if that takes too long, or if
/// they have nothing in common.
fn middle(old: &[u16], new: &[u16], budget: &mut usize) -> Option<(usize, usize)> {
    let most = (old.len() + new.len()).div_ceil(2).min(MAX_EDITS) as isize;
    let (old_len, new_len) = (old.len() as isize, new.len() as isize);
    let mut forward = Front::new(most, (old_len, new_len));
    let mut backward = Front::new(most, (old_len, new_len));
    // Of the diagonals on which both fronts are at the same place, counted from either end.
    let sum = old_len - new_len;
    let is_odd = sum % 2 != 0;
    for edits in 0..most {
        if *budget == 0 {
            return None;
        }
        let met = forward.advance(
            edits,
            budget,
            |i, j| old[i] == new[j],
            |diagonal, i| is_odd && backward.reached(sum - diagonal).is_some_and(|back| i + back >= old_len),
        );
        let met = met.or_else(|| {
            let met = backward.advance(
                edits,
                budget,
                |i, j| old[old.len() - 1 - i] == new[new.len() - 1 - j],
                |diagonal, i| {
                    !is_odd && forward.reached(sum - diagonal).is_some_and(|front| i + front >= old_len)
                },
            );
            met.map(|diagonal| sum - diagonal)
        });
        if let Some(diagonal) = met {
            let i = forward.reached(diagonal)?;
            return Some((usize::try_from(i).ok()?, usize::try_from(i - diagonal).ok()?));
        }
    }
    None
}

/// How far a number of edits leads from one end of the texts, on each diagonal: a diagonal is how much further it is in the
/// old text than in the new one.
struct Front {
    /// Place in the old text by diagonal, the middle one being 0; -1 where none has been reached.
    places: Vec<isize>,
    most: isize,
    lengths: (isize, isize),
    /// Diagonals at either side that have left the texts.
    left_below: isize,
    left_above: isize,
}

impl Front {
    fn new(most: isize, lengths: (isize, isize)) -> Front {
        let mut places = vec![-1; 2 * most as usize + 2];
        places[most as usize + 1] = 0;
        Front { places, most, lengths, left_below: 0, left_above: 0 }
    }

    fn place(&self, diagonal: isize) -> isize {
        let index = usize::try_from(self.most + diagonal).ok();
        index.and_then(|index| self.places.get(index)).copied().unwrap_or(-1)
    }

    /// The place that has been reached on `diagonal`.
    fn reached(&self, diagonal: isize) -> Option<isize> {
        Some(self.place(diagonal)).filter(|&place| place >= 0)
    }

    /// Goes one edit further on every diagonal, and on along what is the `same`. Returns the diagonal on which the other
    /// front is met.
    fn advance(
        &mut self,
        edits: isize,
        budget: &mut usize,
        same: impl Fn(usize, usize) -> bool,
        meets: impl Fn(isize, isize) -> bool,
    ) -> Option<isize> {
        let (old_len, new_len) = self.lengths;
        let mut diagonal = -edits + self.left_below;
        while diagonal <= edits - self.left_above {
            let (before, after) = (self.place(diagonal - 1), self.place(diagonal + 1));
            let inserts = diagonal == -edits || diagonal != edits && before < after;
            let start = if inserts { after } else { before + 1 };
            let mut i = start;
            while i < old_len && i - diagonal < new_len && same(i as usize, (i - diagonal) as usize) {
                i += 1;
            }
            *budget = budget.saturating_sub(1 + (i - start) as usize);
            self.places[(self.most + diagonal) as usize] = i;
            if i > old_len {
                self.left_above += 2;
            } else if i - diagonal > new_len {
                self.left_below += 2;
            } else if meets(diagonal, i) {
                return Some(diagonal);
            }
            diagonal += 2;
        }
        None
    }
}
