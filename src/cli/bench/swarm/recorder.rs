//! What a measurement counts while it runs.

use std::ops::Range;

use hdrhistogram::Histogram;

use super::super::schedule::Nanos;

/// The longest latency that is told apart: anything beyond is this.
const MAX_MICROS: u64 = 60_000_000;

/// Counts and latencies of the operations that were due in a window of time.
#[derive(Debug)]
pub struct Recorder {
    window: Range<Nanos>,
    /// From when an operation was due until a sampled receiver had it, in microseconds.
    propagation: Histogram<u64>,
    /// From when it was due until it was written to the socket, in microseconds, of operations that did not have to
    /// wait for the one before: the generator's own delay.
    lateness: Histogram<u64>,
    pub due: u64,
    pub acknowledged: u64,
    pub frames: u64,
    pub deliveries: u64,
    pub bytes: u64,
    /// Samples whose time was forgotten before they arrived.
    pub untimed: u64,
    /// Operations that could not even be queued.
    pub overrun: u64,
}

impl Recorder {
    /// Records operations that are due in `window`.
    pub fn new(window: Range<Nanos>) -> Self {
        // Bounds that are constants and right: 1 µs to 60 s at two digits.
        let histogram = || Histogram::new_with_bounds(1, MAX_MICROS, 2).unwrap_or_else(|_| unreachable!());
        Self {
            window,
            propagation: histogram(),
            lateness: histogram(),
            due: 0,
            acknowledged: 0,
            frames: 0,
            deliveries: 0,
            bytes: 0,
            untimed: 0,
            overrun: 0,
        }
    }

    /// Counts nothing: for warming up and waiting.
    pub fn off() -> Self {
        Self::new(0..0)
    }

    /// Tells whether what happens at `time` counts.
    pub fn counts(&self, time: Nanos) -> bool {
        self.window.contains(&time)
    }

    /// Records that an operation due at `due` reached a sampled receiver at `now`.
    pub fn propagated(&mut self, due: Nanos, now: Nanos) {
        if self.counts(due) {
            self.propagation.saturating_record(micros(now.saturating_sub(due)));
        }
    }

    /// Records that an operation due at `due` left at `now` with nothing to wait for.
    pub fn left(&mut self, due: Nanos, now: Nanos) {
        if self.counts(due) {
            self.lateness.saturating_record(micros(now.saturating_sub(due)));
        }
    }

    /// Returns a quantile of the propagation, in milliseconds.
    pub fn propagation_ms(&self, quantile: f64) -> f64 {
        self.propagation.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// Returns how many samples of propagation there are.
    pub fn samples(&self) -> u64 {
        self.propagation.len()
    }

    /// Returns a quantile of the generator's own delay, in milliseconds.
    pub fn lateness_ms(&self, quantile: f64) -> f64 {
        self.lateness.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

fn micros(nanos: Nanos) -> u64 {
    (nanos / 1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_due_in_the_window_counts_whenever_it_arrives() {
        let mut recorder = Recorder::new(1_000_000..2_000_000);
        recorder.propagated(999_999, 5_000_000);
        recorder.propagated(1_000_000, 11_000_000);
        recorder.propagated(2_000_000, 5_000_000);
        assert_eq!(recorder.samples(), 1);
        assert!((recorder.propagation_ms(0.99) - 10.0).abs() < 0.2);
    }

    #[test]
    fn a_delay_beyond_all_bounds_is_the_largest() {
        let mut recorder = Recorder::new(0..1);
        recorder.propagated(0, u64::MAX);
        assert!(recorder.propagation_ms(1.0) >= 59_000.0);
    }
}
