//! How many connections somebody has: a place each, given back when it is dropped.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::IntCounter;

/// Counts no more than there are connections.
pub struct Places {
    most: u32,
    taken: Mutex<HashMap<u64, u32>>,
    hasher: RandomState,
    refused: IntCounter,
}

/// A place that is taken until this is dropped.
pub struct Place {
    places: Arc<Places>,
    key: u64,
}

impl Places {
    /// Lets everybody have so many. Who is refused is counted.
    pub fn new(most: u32, refused: IntCounter) -> Self {
        Self { most, taken: Mutex::default(), hasher: RandomState::new(), refused }
    }

    /// Takes a place; `None` when all are taken.
    pub fn enter(self: &Arc<Self>, caller: &impl Hash) -> Option<Place> {
        let key = self.hasher.hash_one(caller);
        let mut taken = self.taken.lock();
        let count = taken.entry(key).or_default();
        if *count >= self.most {
            if *count == 0 {
                taken.remove(&key);
            }
            self.refused.inc();
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), key })
    }

    /// Returns how many places each caller has.
    pub fn most(&self) -> u32 {
        self.most
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
        // Thousands who have gone leave nothing behind.
        if taken.capacity() > 1_024 && taken.len() * 4 < taken.capacity() {
            taken.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let places = Arc::new(Places::new(2, IntCounter::new("refused", "for a test").unwrap()));
        let (first, _second) = (places.enter(&"a").unwrap(), places.enter(&"a").unwrap());
        assert!(places.enter(&"a").is_none());
        let other = places.enter(&"b");
        assert!(other.is_some());
        drop(first);
        assert!(places.enter(&"a").is_some());
        drop(other);
        assert_eq!((places.taken.lock().len(), places.refused.get()), (1, 1), "b is forgotten");
    }
}
