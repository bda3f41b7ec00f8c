//! When each edit of a trace is due.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::seconds;
use super::trace::Trace;

/// How fast a trace is replayed.
#[derive(Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the server takes it.
    Full,
    /// Each edit so long after the start.
    Recorded(Vec<Duration>),
}

impl Pace {
    /// Takes the pauses of the recording, none longer than `max_pause` seconds, `speed` times faster.
    ///
    /// # Errors
    /// The trace was not recorded in time.
    pub fn recorded(trace: &Trace, speed: f64, max_pause: f64) -> anyhow::Result<Self> {
        let times = trace.times().context("this trace has no recorded times; replay it with --pace full")?;
        Ok(Self::Recorded(compressed(&times, speed, seconds(max_pause)?)))
    }

    /// Returns when an edit is due, of a replay that was started at `started`; `None` means at once.
    pub fn due(&self, index: usize, started: Instant) -> Option<Instant> {
        match self {
            Self::Full => None,
            Self::Recorded(times) => times.get(index).map(|time| started + *time),
        }
    }
}

/// Pauses are cut first and made faster then, so that a pause of the largest length lasts `max_pause / speed`.
fn compressed(times: &[Duration], speed: f64, max_pause: Duration) -> Vec<Duration> {
    let mut last = Duration::ZERO;
    let mut now = Duration::ZERO;
    let due = times.iter().map(|time| {
        now += time.saturating_sub(last).min(max_pause);
        last = *time;
        now.div_f64(speed)
    });
    due.collect()
}

/// Parses a factor, such as `10` or `10x`.
///
/// # Errors
/// In words, for clap.
pub fn factor(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('x').parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1e6 => Ok(value),
        _ => Err("a factor above 0 is wanted, such as 10 or 10x".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_pauses_are_cut_and_all_are_shortened() {
        let times = [0, 500, 90_000, 91_000].map(Duration::from_millis);
        let due = compressed(&times, 2.0, Duration::from_secs(2));
        assert_eq!(due, [0, 250, 1_250, 1_750].map(Duration::from_millis));
    }

    #[test]
    fn factors_are_numbers_above_zero_with_or_without_an_x() {
        assert_eq!(factor("10x"), Ok(10.0));
        assert_eq!(factor("0.5"), Ok(0.5));
        assert!(factor("0").is_err() && factor("x").is_err() && factor("-1").is_err());
    }
}
