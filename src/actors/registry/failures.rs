//! What is remembered of a document that has failed.

use std::time::{Duration, Instant};

use super::{FORGIVE_AFTER, MAX_SUSPECTS, POISON};
use crate::ids::ClientId;

/// How a document has failed.
pub(super) struct Failures {
    pub pause: Duration,
    /// The pause is forgiven some time after this, the suspects are not.
    pub last: Instant,
    /// Operations that it was working on when it failed, and how often.
    pub suspects: Vec<((ClientId, u64), u32)>,
}

impl Failures {
    pub fn are_old(&self) -> bool {
        self.last.elapsed() > FORGIVE_AFTER
    }

    pub fn forgive(&mut self) {
        if self.are_old() {
            self.pause = Duration::ZERO;
        }
    }

    /// Takes note of an operation that was worked on. When there are too many, the first one that is no poison gives way.
    pub fn suspect(&mut self, key: (ClientId, u64)) {
        if let Some((_, count)) = self.suspects.iter_mut().find(|(suspect, _)| *suspect == key) {
            *count += 1;
            return;
        }
        if self.suspects.len() >= MAX_SUSPECTS {
            let least = self.suspects.iter().position(|(_, count)| *count < POISON).unwrap_or(0);
            self.suspects.remove(least);
        }
        self.suspects.push((key, 1));
    }
}
