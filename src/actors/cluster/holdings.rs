//! Which shards this server has at this moment: what a document is opened under, and a request served.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::ids::{SHARDS, Shard};

/// Shared by the rounds, which say what holds, and by whoever has to ask. Asking costs next to nothing.
#[derive(Debug)]
pub struct Holdings {
    held: Box<[AtomicBool; SHARDS]>,
    /// Whether there are rounds that say what holds.
    varies: bool,
    /// Without rounds: whether another server has turned out to have taken something.
    displaced: AtomicBool,
    fenced: Notify,
}

impl Holdings {
    /// Of a server that has its database for itself.
    pub fn everything() -> Self {
        Self::all(true)
    }

    /// Of one of several servers, before its first round.
    pub fn nothing() -> Self {
        Self::all(false)
    }

    fn all(held: bool) -> Self {
        let all = std::array::from_fn(|_| AtomicBool::new(held));
        Self { held: Box::new(all), varies: !held, displaced: AtomicBool::new(false), fenced: Notify::new() }
    }

    /// Tells whether this server has a shard.
    pub fn has(&self, shard: Shard) -> bool {
        self.held[usize::from(shard)].load(Ordering::Acquire)
    }

    /// How many it has.
    pub fn count(&self) -> usize {
        self.held.iter().filter(|held| held.load(Ordering::Relaxed)).count()
    }

    pub(super) fn gain(&self, shard: Shard) {
        self.held[usize::from(shard)].store(true, Ordering::Release);
    }

    pub(super) fn lose(&self, shard: Shard) {
        self.held[usize::from(shard)].store(false, Ordering::Release);
    }

    /// An append has shown that another server has the shard: the next round is now. Told by the registry. Where there are no rounds,
    /// this server is [displaced](Self::is_displaced).
    pub fn fenced(&self, shard: Shard) {
        if self.varies {
            self.lose(shard);
            self.fenced.notify_one();
        } else {
            self.displaced.store(true, Ordering::Relaxed);
        }
    }

    /// Tells whether this server took the database to be its own, and another one has taken it over: it gets nothing back.
    pub fn is_displaced(&self) -> bool {
        self.displaced.load(Ordering::Relaxed)
    }

    /// Resolves when an append was fenced since the last time. One waits at a time.
    pub(super) async fn news(&self) {
        self.fenced.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_not_there_until_it_is_gained_again() {
        let holdings = Holdings::nothing();
        assert!(!holdings.has(7) && holdings.count() == 0);
        holdings.gain(7);
        assert!(holdings.has(7) && !holdings.has(8));
        holdings.lose(7);
        assert!(!holdings.has(7));
        let alone = Holdings::everything();
        assert!(!alone.is_displaced());
        alone.fenced(7);
        assert_eq!(alone.count(), SHARDS);
        assert!(alone.is_displaced());
        holdings.fenced(7);
        assert!(!holdings.is_displaced());
    }
}
