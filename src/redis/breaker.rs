//! A circuit breaker: after a few failures in a row nothing is asked any more, until a probe beside the callers has had an
//! answer.
//!
//! A caller never probes. With breakers that let callers through when they are half open, each of them waits for a server
//! that hangs, again and again; here an open breaker costs its callers one load of an atomic.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::metrics::METRICS;

/// Failures in a row that open it: fewer would make one lost connection a pause, and each costs a caller its time-out.
const FAILURES: u32 = 5;

/// The pause before the first probe, doubled after each that fails, up to the longest. What is drawn is between half of it
/// and all: servers that lost Redis together do not come back together.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Whether calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// They are.
    Closed = 0,
    /// A probe is on its way; they are not.
    HalfOpen = 1,
    /// They are not.
    Open = 2,
}

/// See the module's documentation.
pub struct Breaker {
    state: AtomicU8,
    failures: AtomicU32,
    opened: Notify,
}

impl Breaker {
    /// Makes an open one: the first probe closes it, so that a server whose Redis is down starts like any other.
    pub fn new() -> Self {
        METRICS.redis_breaker.set(State::Open as i64);
        Self { state: AtomicU8::new(State::Open as u8), failures: AtomicU32::new(0), opened: Notify::new() }
    }

    /// Tells whether calls may be made.
    pub fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == State::Closed as u8
    }

    /// Takes note of an answer.
    pub fn succeed(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Takes note that there was none; returns true if that has opened it. One that is open stays as it is: calls that were
    /// under way say nothing new.
    pub fn fail(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let opens = failures >= FAILURES && self.moves(State::Closed, State::Open);
        if opens {
            self.opened.notify_one();
        }
        opens
    }

    /// Takes note that a probe begins.
    pub fn try_again(&self) {
        self.moves(State::Open, State::HalfOpen);
    }

    /// Takes note that a probe was answered, or not.
    pub fn probed(&self, answered: bool) {
        self.failures.store(0, Ordering::Relaxed);
        self.moves(State::HalfOpen, if answered { State::Closed } else { State::Open });
    }

    /// Waits until it is open. One task waits, the one that probes.
    pub async fn open(&self) {
        while self.is_closed() {
            self.opened.notified().await;
        }
    }

    fn moves(&self, from: State, to: State) -> bool {
        let moved =
            self.state.compare_exchange(from as u8, to as u8, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if moved {
            METRICS.redis_breaker.set(to as i64);
        }
        moved
    }
}

/// Returns how long to wait before the probe after `failed` others.
pub fn pause(failed: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failed.min(16)).min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn it_opens_after_some_failures_in_a_row_and_closes_when_a_probe_is_answered() {
        let breaker = Breaker::new();
        assert!(!breaker.is_closed(), "nothing is known of Redis yet");
        breaker.try_again();
        breaker.probed(true);
        assert!(breaker.is_closed());

        assert!((1..FAILURES).all(|_| !breaker.fail()));
        breaker.succeed();
        assert!((1..FAILURES).all(|_| !breaker.fail()), "an answer in between begins the row anew");
        assert!(breaker.open().now_or_never().is_none());
        assert!(breaker.fail(), "it is told once");
        assert!(!breaker.fail() && !breaker.is_closed());
        assert!(breaker.open().now_or_never().is_some());

        breaker.try_again();
        assert!(!breaker.is_closed(), "callers do not probe");
        breaker.probed(false);
        breaker.succeed();
        assert!(!breaker.is_closed(), "a late answer does not close it");
        breaker.try_again();
        breaker.probed(true);
        assert!(breaker.is_closed() && !breaker.fail());
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_drawn() {
        let drawn: Vec<Duration> = (0..100).map(|_| pause(0)).collect();
        assert!(drawn.iter().all(|pause| (FIRST_PAUSE / 2..=FIRST_PAUSE).contains(pause)));
        assert!(drawn.iter().any(|pause| *pause != drawn[0]));
        assert!(pause(3) >= FIRST_PAUSE * 4);
        assert!((LONGEST_PAUSE / 2..=LONGEST_PAUSE).contains(&pause(u32::MAX)));
    }
}
