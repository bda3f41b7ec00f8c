//! What was read of late, and how much of it is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

/// The last few values that were used, by key. Few, so that looking through all of them is the fastest way.
#[derive(Debug)]
pub(super) struct Held<K, V> {
    room: usize,
    /// The one used last is at the end.
    values: Mutex<VecDeque<(K, Arc<V>)>>,
}

impl<K: PartialEq, V> Held<K, V> {
    pub(super) fn new(room: usize) -> Self {
        Self { room, values: Mutex::default() }
    }

    pub(super) fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut values = self.values.lock();
        let place = values.iter().position(|(known, _)| known == key)?;
        let used = values.remove(place)?;
        let value = used.1.clone();
        values.push_back(used);
        Some(value)
    }

    pub(super) fn keep(&self, key: K, value: Arc<V>) {
        let mut values = self.values.lock();
        values.retain(|(known, _)| *known != key);
        if values.len() >= self.room {
            values.pop_front();
        }
        values.push_back((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let held = Held::new(2);
        for key in [1, 2] {
            held.keep(key, Arc::new(key));
        }
        assert!(held.get(&1).is_some());
        held.keep(3, Arc::new(3));
        assert!(held.get(&1).is_some() && held.get(&2).is_none() && held.get(&3).is_some());
    }
}
