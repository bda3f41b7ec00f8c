//! What the servers of a database prove to each other with, also while it is exchanged. No I/O, no clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::storage::cluster::SharedSecret;

/// For so long after an exchange servers go on proving themselves with the secret from before: others may not have read the new one.
/// Each reads it whenever it says that it is there, and one that has said nothing for ten seconds does not count as there.
const PROVES_FOR: Duration = Duration::from_secs(15);

/// For so long it is believed. Whoever has copied it can do so long what it is good for.
const BELIEVED_FOR: Duration = Duration::from_mins(1);

/// The secrets as they were read once.
pub struct Secrets {
    current: Vec<u8>,
    previous: Option<Vec<u8>>,
    /// How long ago it was exchanged when this was read.
    exchanged_for: Duration,
    read_at: Instant,
}

impl Secrets {
    /// As they are at a time `now`.
    pub fn read(SharedSecret { current, previous, exchanged_for }: SharedSecret, now: Instant) -> Self {
        let exchanged_for = Duration::from_millis(exchanged_for.unsigned_abs());
        Self { current, previous, exchanged_for, read_at: now }
    }

    /// Returns the one that a server proves itself with.
    pub fn proving(&self, now: Instant) -> &[u8] {
        self.previous_within(PROVES_FOR, now).unwrap_or(&self.current)
    }

    /// Returns those that are believed.
    pub fn believed(&self, now: Instant) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.current[..]).chain(self.previous_within(BELIEVED_FOR, now))
    }

    fn previous_within(&self, time: Duration, now: Instant) -> Option<&[u8]> {
        let ago = self.exchanged_for + now.saturating_duration_since(self.read_at);
        self.previous.as_deref().filter(|_| ago < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(exchanged_for: i64, now: Instant) -> Secrets {
        let shared =
            SharedSecret { current: b"new".to_vec(), previous: Some(b"old".to_vec()), exchanged_for };
        Secrets::read(shared, now)
    }

    #[test]
    fn whoever_reads_late_and_whoever_reads_early_understand_each_other() {
        let exchanged = Instant::now();
        let after = |seconds| exchanged + Duration::from_secs(seconds);
        let before = SharedSecret { current: b"old".to_vec(), previous: None, exchanged_for: 0 };
        let before = Secrets::read(before, exchanged);
        let (early, late) = (secrets(0, exchanged), secrets(12_000, after(12)));
        // Who has not read it, until it does not count as there any more.
        for now in [0, 5, 11].map(after) {
            assert!(early.believed(now).any(|secret| secret == before.proving(now)));
            assert!(before.believed(now).any(|secret| secret == early.proving(now)));
        }
        for now in [12, 14, 15, 16, 59, 60, 1_000].map(after) {
            assert!(early.believed(now).any(|secret| secret == late.proving(now)));
            assert!(late.believed(now).any(|secret| secret == early.proving(now)));
        }
    }

    #[test]
    fn the_one_before_is_good_for_a_minute() {
        let now = Instant::now();
        let all = |for_seconds: i64| -> Vec<Vec<u8>> {
            let secrets = secrets(for_seconds * 1_000, now);
            secrets.believed(now).map(<[u8]>::to_vec).collect()
        };
        assert_eq!(all(59), [b"new", b"old"]);
        assert_eq!(all(60), [b"new"]);
        assert_eq!(secrets(14_000, now).proving(now), b"old");
        assert_eq!(secrets(14_000, now).proving(now + Duration::from_secs(1)), b"new");
    }
}
