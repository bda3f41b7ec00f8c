//! A token bucket for the operations of one session.

use std::time::Instant;

/// Holds up to one second's operations; they come back evenly.
pub struct Bucket {
    /// Operations a second, infinite without a limit.
    rate: f32,
    tokens: f32,
    filled: Instant,
}

impl Bucket {
    /// Makes a full bucket.
    pub fn new(rate: Option<u32>) -> Self {
        let rate = rate.map_or(f32::INFINITY, |rate| rate as f32);
        Self { rate, tokens: rate, filled: Instant::now() }
    }

    /// Takes one operation's token.
    ///
    /// # Errors
    /// The milliseconds until there is one again.
    pub fn take(&mut self, now: Instant) -> Result<(), u64> {
        let rate = self.rate;
        if rate.is_infinite() {
            return Ok(());
        }
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f32();
        self.tokens = (self.tokens + elapsed * rate).min(rate);
        self.filled = now;
        if self.tokens < 1.0 {
            return Err(((1.0 - self.tokens) / rate * 1_000.0).ceil().max(1.0) as u64);
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_s_worth_at_once_and_then_the_rate() {
        let mut bucket = Bucket::new(Some(100));
        let start = Instant::now();
        assert!((0..100).all(|_| bucket.take(start).is_ok()));
        assert_eq!(bucket.take(start), Err(10));
        assert!(bucket.take(start + Duration::from_millis(11)).is_ok());
        assert!((0..10_000).all(|_| Bucket::new(None).take(start).is_ok()));
    }
}
