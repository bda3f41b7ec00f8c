//! Who has written what: the length of a document, split by something that is said of each piece of it.

use super::delta::Delta;
use super::op::Op;

/// Runs in a chunk before it is split. An edit walks the chunks, and then the runs of one of them.
const CHUNK: usize = 512;

/// Runs of a document's units, each with what its author's operation is known by. Neighbours that say the same are one run.
///
/// An edit costs about the square root of the number of runs, so that histories of 100,000 operations are walked in seconds.
#[derive(Clone, Debug, Default)]
pub struct Attribution<T> {
    /// None is empty.
    chunks: Vec<Chunk<T>>,
}

#[derive(Clone, Debug)]
struct Chunk<T> {
    units: u64,
    runs: Vec<(u64, T)>,
}

impl<T: Copy + Eq> Attribution<T> {
    /// A document of this length, all of it by one author.
    pub fn of(length: u64, by: T) -> Self {
        let mut all = Self { chunks: Vec::new() };
        all.insert(0, length, by);
        all
    }

    /// Follows an edit by this author: what it inserts is theirs, what it formats stays whose it is.
    ///
    /// What is beyond the end is left out.
    pub fn apply(&mut self, edit: &Delta, by: T) {
        let mut at = 0;
        for op in edit.ops() {
            match op {
                Op::Insert { insert, .. } => {
                    self.insert(at, insert.units(), by);
                    at += insert.units();
                }
                Op::Retain { len, .. } => at = at.saturating_add(*len),
                Op::Delete(len) => self.delete(at, *len),
            }
        }
    }

    /// Returns how many runs there are, of which neighbours in different chunks may say the same.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.runs.len()).sum()
    }

    /// Tells whether the document is empty.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns the runs in order: their lengths, and what is said of them.
    pub fn runs(&self) -> Vec<(u64, T)> {
        let mut runs: Vec<(u64, T)> = Vec::with_capacity(self.len());
        for &(units, by) in self.chunks.iter().flat_map(|chunk| &chunk.runs) {
            match runs.last_mut() {
                Some(last) if last.1 == by => last.0 += units,
                _ => runs.push((units, by)),
            }
        }
        runs
    }

    fn insert(&mut self, mut at: u64, len: u64, by: T) {
        if len == 0 {
            return;
        }
        let mut found = self.chunks.len().saturating_sub(1);
        for (i, chunk) in self.chunks.iter().enumerate() {
            if at <= chunk.units {
                found = i;
                break;
            }
            if i < self.chunks.len() - 1 {
                at -= chunk.units;
            }
        }
        let Some(chunk) = self.chunks.get_mut(found) else {
            self.chunks.push(Chunk { units: len, runs: vec![(len, by)] });
            return;
        };
        chunk.insert(at, len, by);
        if chunk.runs.len() > CHUNK {
            let second = chunk.split();
            self.chunks.insert(found + 1, second);
        }
    }

    fn delete(&mut self, mut at: u64, mut len: u64) {
        let mut i = 0;
        while len > 0
            && let Some(chunk) = self.chunks.get_mut(i)
        {
            if at < chunk.units {
                let part = len.min(chunk.units - at);
                chunk.delete(at, part);
                len -= part;
            }
            // What is left of the deletion begins where the next chunk does.
            at -= at.min(chunk.units);
            if chunk.units == 0 {
                self.chunks.remove(i);
            } else {
                i += 1;
            }
        }
    }
}

impl<T: Copy + Eq> Chunk<T> {
    /// `at` is at most the length, or what is inserted goes to the end.
    fn insert(&mut self, mut at: u64, len: u64, by: T) {
        self.units += len;
        for i in 0..self.runs.len() {
            let (units, whose) = self.runs[i];
            if at > units {
                at -= units;
                continue;
            }
            if whose == by {
                self.runs[i].0 += len;
            } else if at == units && self.runs.get(i + 1).is_some_and(|next| next.1 == by) {
                self.runs[i + 1].0 += len;
            } else if at == units {
                self.runs.insert(i + 1, (len, by));
            } else if at == 0 {
                self.runs.insert(i, (len, by));
            } else {
                self.runs[i].0 = at;
                self.runs.insert(i + 1, (units - at, whose));
                self.runs.insert(i + 1, (len, by));
            }
            return;
        }
        self.runs.push((len, by));
    }

    /// The deletion ends within the chunk.
    fn delete(&mut self, mut at: u64, mut len: u64) {
        self.units -= len;
        let mut emptied = 0..0;
        for (i, run) in self.runs.iter_mut().enumerate() {
            if at >= run.0 {
                at -= run.0;
                continue;
            }
            let part = len.min(run.0 - at);
            run.0 -= part;
            len -= part;
            at = 0;
            if run.0 == 0 {
                emptied = if emptied.is_empty() { i..i + 1 } else { emptied.start..i + 1 };
            }
            if len == 0 {
                break;
            }
        }
        self.runs.drain(emptied);
    }

    /// Takes the second half away.
    fn split(&mut self) -> Self {
        let runs = self.runs.split_off(self.runs.len() / 2);
        let units = runs.iter().map(|run| run.0).sum();
        self.units -= units;
        Self { units, runs }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ot::Attributes;

    fn edit(at: u64, delete: u64, insert: usize) -> Delta {
        Delta::new().retain(at, Attributes::NONE).insert("x".repeat(insert), Attributes::NONE).delete(delete)
    }

    /// The same with an entry for each unit.
    fn follow(units: &mut Vec<usize>, at: usize, delete: usize, insert: usize, by: usize) {
        units.splice(at..at + delete, std::iter::repeat_n(by, insert));
    }

    fn spread(runs: &[(u64, usize)]) -> Vec<usize> {
        runs.iter().flat_map(|&(units, by)| std::iter::repeat_n(by, units as usize)).collect()
    }

    proptest! {
        #[test]
        fn each_unit_is_by_whom_has_inserted_it(
            start in 0usize..20,
            edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..30, 0usize..5), 0..1_500),
        ) {
            let mut all = Attribution::of(start as u64, 0);
            let mut units = vec![0; start];
            for (by, (place, delete, insert)) in edits.into_iter().enumerate() {
                let at = place.index(units.len() + 1);
                // Much more is inserted than deleted, so that there are many chunks.
                let delete = if by % 7 == 0 { delete.min(units.len() - at) } else { 0 };
                all.apply(&edit(at as u64, delete as u64, insert), by + 1);
                follow(&mut units, at, delete, insert, by + 1);
            }
            let runs = all.runs();
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 != pair[1].1));
            prop_assert_eq!(spread(&runs), units);
            all.apply(&Delta::new().delete(u64::MAX), 1);
            prop_assert!(all.is_empty());
        }
    }

    #[test]
    fn formatting_changes_no_author() {
        let mut all = Attribution::of(4, 1);
        all.apply(&edit(2, 0, 1), 2);
        all.apply(&Delta::new().retain(5, Attributes::NONE.with("bold", true)), 3);
        assert_eq!(all.runs(), [(2, 1), (1, 2), (2, 1)]);
    }
}
