//! What is remembered of many callers: a map that never grows beyond its bound.
//!
//! When it is full, a few entries are drawn by lot and the one goes that is least worth remembering. Who fills it with
//! thousands of callers drives out these, of whom little is known, and not the one that is being held back.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Instant;

use indexmap::IndexMap;
use parking_lot::Mutex;

/// Parts with a lock each.
const PARTS: usize = 16;

/// Entries of which one goes.
const DRAWN: usize = 8;

/// How much an entry is worth remembering: the higher, the longer it stays.
type Worth<V> = Box<dyn Fn(&V, Instant) -> f32 + Send + Sync>;

type Part<V> = Mutex<IndexMap<u64, V>>;

/// See the module's documentation. Keys are hashed under a secret of the process, so that nobody can choose whose entry to
/// share; among 65,536 of them two are the same once in four billion tables.
pub struct Table<V> {
    parts: Box<[Part<V>]>,
    most: usize,
    hasher: RandomState,
    worth: Worth<V>,
}

impl<V> Table<V> {
    /// Remembers about so many at most.
    pub fn new(most: usize, worth: impl Fn(&V, Instant) -> f32 + Send + Sync + 'static) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            most: (most / PARTS).max(1),
            hasher: RandomState::new(),
            worth: Box::new(worth),
        }
    }

    /// Returns the name under which this table knows a caller.
    pub fn key(&self, caller: &(impl Hash + ?Sized)) -> u64 {
        self.hasher.hash_one(caller)
    }

    fn part(&self, key: u64) -> &Part<V> {
        &self.parts[key as usize % PARTS]
    }

    /// Works on an entry, which is made if there is none.
    pub fn with<T>(
        &self,
        key: u64,
        now: Instant,
        make: impl FnOnce() -> V,
        work: impl FnOnce(&mut V) -> T,
    ) -> T {
        let mut part = self.part(key).lock();
        if let Some(value) = part.get_mut(&key) {
            return work(value);
        }
        if part.len() >= self.most {
            let drawn = (0..DRAWN).map(|_| fastrand::usize(..part.len()));
            let worth = |at: &usize| part.get_index(*at).map_or(0.0, |(_, value)| (self.worth)(value, now));
            if let Some(least) = drawn.min_by(|a, b| worth(a).total_cmp(&worth(b))) {
                part.swap_remove_index(least);
            }
        }
        work(part.entry(key).or_insert_with(make))
    }

    /// Looks at an entry, if there is one.
    pub fn look<T>(&self, key: u64, look: impl FnOnce(&V) -> T) -> Option<T> {
        self.part(key).lock().get(&key).map(look)
    }

    /// Returns how many are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_remembers_whom_it_holds_back() {
        let table: Table<f32> = Table::new(1_024, |value, _| *value);
        let now = Instant::now();
        let heavy = table.key("heavy");
        table.with(heavy, now, || 100.0, |_| ());
        for caller in 0..100_000 {
            table.with(table.key(&caller), now, || 1.0, |_| ());
        }
        assert!(table.len() <= 1_024, "{}", table.len());
        assert_eq!(table.look(heavy, |value| *value), Some(100.0));
    }

    #[test]
    fn an_entry_is_kept_between_two_looks() {
        let table: Table<u32> = Table::new(16, |_, _| 0.0);
        let (key, now) = (table.key("a"), Instant::now());
        assert_eq!(table.look(key, |value| *value), None);
        for expected in 1..4 {
            assert_eq!(
                table.with(
                    key,
                    now,
                    || 0,
                    |value| {
                        *value += 1;
                        *value
                    }
                ),
                expected
            );
        }
    }
}
