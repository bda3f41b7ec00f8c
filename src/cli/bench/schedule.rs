//! When who is due to type: an open loop, which does not wait for the server.

/// Nanoseconds since the generator started.
pub type Nanos = u64;

/// Every writer types once a period, each at its own phase: the operations spread evenly over time, and how slowly the
/// server answers changes nothing about when the next is due.
///
/// Latency is counted from these times and not from when an operation got out: an answer that keeps a writer waiting is
/// charged to every operation that waited ("coordinated omission", Gil Tene).
#[derive(Debug)]
pub struct Schedule {
    /// Phase and writer, by phase; each phase is below `period`.
    phases: Vec<(Nanos, u32)>,
    period: Nanos,
    cycle_start: Nanos,
    next: usize,
}

impl Schedule {
    /// Plans `per_second` operations a second of each of the `writers`, beginning at `start`.
    ///
    /// # Panics
    /// Without a positive rate or without writers there is nothing to plan: the caller's arguments forbid both.
    pub fn new(
        writers: std::ops::Range<u32>,
        per_second: f64,
        start: Nanos,
        random: &mut fastrand::Rng,
    ) -> Self {
        assert!(per_second > 0.0 && !writers.is_empty(), "a load has writers and a rate");
        let period = (1e9 / per_second) as Nanos;
        let mut phases: Vec<_> = writers.map(|writer| (random.u64(0..period), writer)).collect();
        phases.sort_unstable();
        Self { phases, period, cycle_start: start, next: 0 }
    }

    /// Returns when the next operation is due.
    pub fn next_due(&self) -> Nanos {
        self.cycle_start + self.phases[self.next].0
    }

    /// Takes the next operation if it is due at `now`: the time it was due and its writer.
    pub fn take_due(&mut self, now: Nanos) -> Option<(Nanos, u32)> {
        let due = self.next_due();
        if due > now {
            return None;
        }
        let (_, writer) = self.phases[self.next];
        self.next += 1;
        if self.next == self.phases.len() {
            self.next = 0;
            self.cycle_start += self.period;
        }
        Some((due, writer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writer_is_due_once_a_period_however_late_it_is_asked_for() {
        let mut schedule = Schedule::new(3..8, 2.0, 1_000, &mut fastrand::Rng::with_seed(7));
        let mut due = Vec::new();
        let end = 1_000 + 4 * 500_000_000 - 1;
        while let Some(one) = schedule.take_due(end) {
            due.push(one);
        }
        assert_eq!(due.len(), 4 * 5);
        assert!(due.is_sorted());
        for writer in 3..8 {
            let times: Vec<_> = due.iter().filter(|(_, w)| *w == writer).map(|(t, _)| *t).collect();
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 500_000_000), "writer {writer}");
        }
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut schedule = Schedule::new(0..1, 1.0, 50, &mut fastrand::Rng::with_seed(1));
        let due = schedule.next_due();
        assert_eq!(schedule.take_due(due - 1), None);
        assert_eq!(schedule.take_due(due), Some((due, 0)));
        assert_eq!(schedule.next_due(), due + 1_000_000_000);
    }
}
