//! A token bucket for the operations of one session, and what it tells the bucket that all servers share.
//!
//! The session's own bucket decides, at once. What has passed it is charged to the shared one in portions and beside the
//! edits: a client that comes by several servers, or again and again, is held to its rate a moment later, and nobody's edit
//! waits for Redis.

use std::time::Instant;

use crate::redis::buckets::Rate;

/// The part of a second's operations that is charged at once.
const PORTIONS: u32 = 4;

/// Holds up to one second's operations; they come back evenly.
pub struct Bucket {
    /// Below 0 when the shared bucket has had too few.
    tokens: f32,
    /// Operations that the shared bucket has not been told of.
    uncharged: u32,
    filled: Instant,
}

impl Bucket {
    /// Makes a full bucket for so many operations a second; `None`: there is no limit.
    pub fn new(rate: Option<u32>) -> Self {
        Self { tokens: rate.unwrap_or_default() as f32, uncharged: 0, filled: Instant::now() }
    }

    /// Takes one operation's token.
    ///
    /// # Errors
    /// The milliseconds until there is one again.
    pub fn take(&mut self, now: Instant, rate: Option<u32>) -> Result<(), u64> {
        let Some(rate) = rate.map(|rate| rate as f32) else { return Ok(()) };
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f32();
        self.tokens = (self.tokens + elapsed * rate).min(rate);
        self.filled = now;
        if self.tokens < 1.0 {
            return Err(((1.0 - self.tokens) / rate * 1_000.0).ceil().max(1.0) as u64);
        }
        self.tokens -= 1.0;
        self.uncharged = self.uncharged.saturating_add(1);
        Ok(())
    }

    /// Returns how many operations are to be charged to the shared bucket now, 0 for none yet; they count as charged.
    pub fn due(&mut self, rate: Option<u32>) -> u32 {
        match rate {
            Some(rate) if self.uncharged >= (rate / PORTIONS).max(1) => std::mem::take(&mut self.uncharged),
            _ => 0,
        }
    }

    /// Takes note that the shared bucket has not had so many, and will have them in `ms`: nothing passes until then.
    pub fn owe(&mut self, count: u32, ms: u64, rate: u32) {
        self.uncharged = self.uncharged.saturating_add(count);
        self.tokens = self.tokens.min(1.0 - ms as f32 / 1_000.0 * rate as f32);
    }
}

/// Returns the rate of the shared bucket. It holds a portion more than the session's own: who keeps to the rate in one
/// session is never told off by it.
pub fn shared(rate: u32) -> Rate {
    Rate { per_second: rate.into(), burst: f64::from(rate) + f64::from(rate / PORTIONS) + 1.0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Option<u32> = Some(100);

    #[test]
    fn a_second_s_worth_at_once_and_then_the_rate() {
        let mut bucket = Bucket::new(RATE);
        let start = Instant::now();
        assert!((0..100).all(|_| bucket.take(start, RATE).is_ok()));
        assert_eq!(bucket.take(start, RATE), Err(10));
        assert!(bucket.take(start + Duration::from_millis(11), RATE).is_ok());
        let mut unlimited = Bucket::new(None);
        assert!((0..10_000).all(|_| unlimited.take(start, None).is_ok() && unlimited.due(None) == 0));
    }

    #[test]
    fn what_has_passed_is_charged_in_portions_and_what_is_owed_is_waited_for() {
        let mut bucket = Bucket::new(RATE);
        let start = Instant::now();
        let due: Vec<u32> = (0..50)
            .map(|_| {
                assert!(bucket.take(start, RATE).is_ok());
                bucket.due(RATE)
            })
            .collect();
        assert_eq!((due.iter().sum::<u32>(), due[24], due[49]), (50, 25, 25));
        bucket.owe(25, 200, 100);
        assert_eq!(bucket.take(start, RATE), Err(200));
        assert!(bucket.take(start + Duration::from_millis(201), RATE).is_ok());
        assert_eq!(bucket.due(RATE), 26, "they are charged again");
    }
}
