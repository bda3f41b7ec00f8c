//! Lets a few in at once, where each costs much memory; the others wait, a bounded number of them and a bounded time.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::actors::error::Refusal;

/// See the module's documentation.
pub struct Turnstile {
    inside: Semaphore,
    queue: Semaphore,
    patience: Duration,
}

impl Turnstile {
    /// Lets `inside` in at once, and `queue` others wait for `patience` at most.
    pub fn new(inside: usize, queue: usize, patience: Duration) -> Self {
        Self { inside: Semaphore::new(inside), queue: Semaphore::new(queue), patience }
    }

    /// Waits for a turn, in order of asking; it lasts until what this returns is dropped.
    ///
    /// # Errors
    /// `unavailable` when too many wait already, or it has taken too long.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        if let Ok(turn) = self.inside.try_acquire() {
            return Ok(turn);
        }
        let busy = |_| Refusal::unavailable("too many want the same; try again");
        let _place = self.queue.try_acquire().map_err(busy)?;
        match tokio::time::timeout(self.patience, self.inside.acquire()).await {
            // It is never closed.
            Ok(turn) => turn.map_err(|_| Refusal::unavailable("the server is stopping")),
            Err(_) => Err(Refusal::unavailable("it takes too long; try again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;
    use crate::actors::error::ErrorCode;

    #[tokio::test]
    async fn those_who_find_no_place_and_those_who_have_waited_too_long_are_put_off() {
        let turnstile = Turnstile::new(1, 1, Duration::from_hours(1));
        let inside = turnstile.enter().await.unwrap();
        let mut waits = std::pin::pin!(turnstile.enter());
        assert!(poll!(&mut waits).is_pending());
        let refused = turnstile.enter().now_or_never().expect("it is told at once").unwrap_err();
        assert_eq!(refused.code, ErrorCode::Unavailable);
        drop(inside);
        drop(waits.await.unwrap());

        let hurried = Turnstile::new(1, 1, Duration::ZERO);
        let _inside = hurried.enter().await.unwrap();
        assert_eq!(hurried.enter().await.unwrap_err().code, ErrorCode::Unavailable);
        // Who has given up keeps no place.
        assert_eq!(hurried.enter().await.unwrap_err().message, "it takes too long; try again");
    }
}
