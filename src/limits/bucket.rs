//! A token bucket, and what it has to tell the bucket that all servers share.
//!
//! The bucket decides, at once. What has passed it is charged to the shared one in portions and beside the work: who comes by
//! several servers is held to the rate a moment later, and nobody waits for Redis.

use std::time::Instant;

use crate::redis::buckets::Rate;

/// The part of a full bucket that is charged at once.
const PORTIONS: f64 = 4.0;

/// Holds at most a rate's `burst` of tokens; they come back evenly.
#[derive(Debug)]
pub struct Bucket {
    /// Below 0 when the shared bucket has had too few.
    tokens: f32,
    /// Tokens that the shared bucket has not been told of.
    uncharged: u32,
    filled: Instant,
}

impl Bucket {
    /// Makes a full one.
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst as f32, uncharged: 0, filled: now }
    }

    fn at(&self, now: Instant, rate: Rate) -> f32 {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f32();
        (self.tokens + elapsed * rate.per_second as f32).min(rate.burst as f32)
    }

    /// Tells how much is missing in it: what it says of its owner.
    pub fn missing(&self, now: Instant, rate: Rate) -> f32 {
        rate.burst as f32 - self.at(now, rate)
    }

    /// Tells in how many milliseconds there is a token; 0 when there is one.
    pub fn wait(&self, now: Instant, rate: Rate) -> u64 {
        let tokens = self.at(now, rate);
        if tokens >= 1.0 {
            return 0;
        }
        (f64::from(1.0 - tokens) / rate.per_second * 1_000.0).ceil().max(1.0) as u64
    }

    /// Takes a token.
    ///
    /// # Errors
    /// The milliseconds until there is one.
    pub fn take(&mut self, now: Instant, rate: Rate) -> Result<(), u64> {
        self.tokens = self.at(now, rate);
        self.filled = now;
        match self.wait(now, rate) {
            0 => {
                self.tokens -= 1.0;
                self.uncharged = self.uncharged.saturating_add(1);
                Ok(())
            }
            ms => Err(ms),
        }
    }

    /// Puts a token back.
    pub fn give_back(&mut self, now: Instant, rate: Rate) {
        self.tokens = (self.at(now, rate) + 1.0).min(rate.burst as f32);
        self.filled = now;
    }

    /// Returns how many tokens are to be charged to the shared bucket now, 0 for none yet; they count as charged.
    pub fn due(&mut self, rate: Rate) -> u32 {
        let portion = (rate.burst / PORTIONS).max(1.0) as u32;
        if self.uncharged >= portion { std::mem::take(&mut self.uncharged) } else { 0 }
    }

    /// Takes note that the shared bucket has not had so many, and will have them in `ms`: nothing passes until then.
    pub fn owe(&mut self, count: u32, ms: u64, now: Instant, rate: Rate) {
        self.uncharged = self.uncharged.saturating_add(count);
        let owed = 1.0 - ms as f32 / 1_000.0 * rate.per_second as f32;
        self.tokens = self.at(now, rate).min(owed);
        self.filled = now;
    }
}

/// Returns the rate of the shared bucket. It holds a portion more than a server's own: who keeps to the rate at one server is
/// never told off by it.
pub fn shared(rate: Rate) -> Rate {
    Rate { per_second: rate.per_second, burst: rate.burst + (rate.burst / PORTIONS).floor() + 1.0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: Rate = Rate { per_second: 100.0, burst: 100.0 };

    #[test]
    fn a_second_s_worth_at_once_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        assert!((0..100).all(|_| bucket.take(start, RATE).is_ok()));
        assert_eq!(bucket.take(start, RATE), Err(10));
        assert!(bucket.take(start + Duration::from_millis(11), RATE).is_ok());
    }

    #[test]
    fn a_slow_rate_tells_the_time_until_its_next_token() {
        let rate = Rate { per_second: 10.0 / 60.0, burst: 10.0 };
        let start = Instant::now();
        let mut bucket = Bucket::full(rate, start);
        assert!((0..10).all(|_| bucket.take(start, rate).is_ok()));
        let wait = bucket.take(start, rate).unwrap_err();
        assert!((5_990..=6_010).contains(&wait), "{wait} ms");
        bucket.give_back(start, rate);
        assert!(bucket.take(start, rate).is_ok());
        assert!(bucket.take(start, rate).is_err());
    }

    #[test]
    fn no_more_is_given_back_than_was_taken() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        bucket.give_back(start, RATE);
        assert!((0..100).all(|_| bucket.take(start, RATE).is_ok()));
        assert!(bucket.take(start, RATE).is_err());
    }

    #[test]
    fn what_has_passed_is_charged_in_portions_and_what_is_owed_is_waited_for() {
        let start = Instant::now();
        let mut bucket = Bucket::full(RATE, start);
        let due: Vec<u32> = (0..50)
            .map(|_| {
                assert!(bucket.take(start, RATE).is_ok());
                bucket.due(RATE)
            })
            .collect();
        assert_eq!((due.iter().sum::<u32>(), due[24], due[49]), (50, 25, 25));
        bucket.owe(25, 200, start, RATE);
        assert_eq!(bucket.take(start, RATE), Err(200));
        assert!(bucket.take(start + Duration::from_millis(201), RATE).is_ok());
        assert_eq!(bucket.due(RATE), 26, "they are charged again");
    }
}
