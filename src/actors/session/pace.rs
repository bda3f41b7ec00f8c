//! Keeps a client's presence to its rate before it reaches the document (protocol section 4).

use std::time::{Duration, Instant};

/// More often than this a client's presence is not handed on: of what comes in between the last is kept.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// When presence was last handed on, and whether more of it waits.
#[derive(Default)]
pub struct Pace {
    last: Option<Instant>,
    waits: bool,
}

/// What is to be done with a presence that has come in.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    Now,
    /// After so long, with what is the latest by then: [`Pace::go`].
    After(Duration),
    /// Something is to be done already.
    Waits,
}

impl Pace {
    /// Takes note of presence that has come in.
    pub fn take(&mut self, now: Instant) -> Turn {
        if self.waits {
            return Turn::Waits;
        }
        let since = self.last.map_or(INTERVAL, |last| now.saturating_duration_since(last));
        if since >= INTERVAL {
            self.last = Some(now);
            return Turn::Now;
        }
        self.waits = true;
        Turn::After(INTERVAL.checked_sub(since).unwrap())
    }

    /// Takes note that what has waited goes now.
    pub fn go(&mut self, now: Instant) {
        self.waits = false;
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_at_once_and_a_flood_ten_times_a_second() {
        let mut pace = Pace::default();
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(pace.take(at(0)), Turn::Now);
        assert_eq!(pace.take(at(30)), Turn::After(Duration::from_millis(70)));
        assert_eq!(pace.take(at(60)), Turn::Waits);
        pace.go(at(100));
        assert_eq!(pace.take(at(150)), Turn::After(Duration::from_millis(50)));
        pace.go(at(200));
        assert_eq!(pace.take(at(300)), Turn::Now);
    }
}
