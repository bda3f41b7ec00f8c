//! Where the logs of the shards end, as the journal tells it and others wait for.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::ids::SHARDS;

/// Shared by the journal and whoever follows the log. To tell and to look costs next to nothing.
#[derive(Debug)]
pub struct Ends {
    ends: Box<[AtomicU64; SHARDS]>,
    news: Notify,
}

impl Default for Ends {
    fn default() -> Self {
        Self { ends: Box::new([const { AtomicU64::new(0) }; SHARDS]), news: Notify::new() }
    }
}

impl Ends {
    /// Says where they end now.
    pub fn tell(&self, ends: &[u64; SHARDS]) {
        for (end, now) in self.ends.iter().zip(ends) {
            end.store(*now, Ordering::Relaxed);
        }
        // After the ends: whoever is woken sees them.
        self.news.notify_one();
    }

    /// Returns where they end.
    pub fn now(&self) -> Box<[u64; SHARDS]> {
        Box::new(std::array::from_fn(|shard| self.ends[shard].load(Ordering::Relaxed)))
    }

    /// Resolves when something was told since the last time. One waits at a time.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}
