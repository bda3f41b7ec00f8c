//! How fast a peer takes its welcome, which may be large: slower than this it does not stay.

/// So many bytes of it, or the rest, have to be taken …
pub const STEP: usize = 192 << 10;

/// … in so many ms each time: 64 KiB in 5 s on average.
pub const WITHIN: u64 = 15_000;

/// What one peer has left to take, as it is looked at from time to time.
#[derive(Default)]
pub struct Progress {
    left: usize,
    /// When the last step was seen.
    since: u64,
}

/// What a look has shown.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// There is nothing to take.
    Idle,
    /// A step was taken since the last one: a sign of life.
    Step,
    /// It is on its way.
    Waits,
    TooSlow,
}

impl Progress {
    /// Looks at how many bytes are `left` of a welcome at a time `now`.
    pub fn look(&mut self, left: usize, now: u64) -> Look {
        let had = std::mem::replace(&mut self.left, left);
        if left == 0 {
            return if had > 0 { Look::Step } else { Look::Idle };
        }
        // The welcome has come since the last look, or there was a step.
        if left > had || had - left >= STEP {
            self.since = now;
            return Look::Step;
        }
        self.left = had;
        if now.saturating_sub(self.since) > WITHIN { Look::TooSlow } else { Look::Waits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 10 << 20;

    /// Looks once a second at a peer that takes `bytes` every `seconds`; returns how it ends, and after how many seconds.
    fn taking(bytes: usize, seconds: u64) -> (Look, u64) {
        let mut progress = Progress::default();
        for second in 0.. {
            let left = SIZE.saturating_sub(bytes * (second / seconds) as usize);
            match progress.look(left, second * 1_000) {
                Look::TooSlow => return (Look::TooSlow, second),
                _ if left == 0 => return (progress.look(0, second * 1_000 + 1_000), second),
                _ => {}
            }
        }
        unreachable!()
    }

    #[test]
    fn one_that_trickles_is_too_slow_and_one_that_is_slow_stays_to_the_end() {
        assert_eq!(taking(0, 1), (Look::TooSlow, 16));
        assert_eq!(taking(16 << 10, 14), (Look::TooSlow, 16));
        assert_eq!(taking(11 << 10, 1), (Look::TooSlow, 16));
        assert_eq!(taking(64 << 10, 5), (Look::Idle, 800));
        assert_eq!(taking(16 << 10, 1), (Look::Idle, 640));
    }

    #[test]
    fn the_last_step_may_be_small() {
        let mut progress = Progress::default();
        assert_eq!(progress.look(0, 0), Look::Idle);
        assert_eq!(progress.look(1_000, 20_000), Look::Step);
        assert_eq!(progress.look(500, 34_000), Look::Waits);
        assert_eq!(progress.look(0, 35_000), Look::Step);
        assert_eq!(progress.look(0, 99_000), Look::Idle);
    }
}
