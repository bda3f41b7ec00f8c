//! A store that has not answered is left alone for a moment: those behind would each wait as long for nothing.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long. What is refused meanwhile is tried again by whoever wanted it.
const PAUSE: Duration = Duration::from_secs(2);

/// When a request last failed, if none has succeeded since.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<Instant>>);

/// Nobody was asked.
#[derive(Debug, thiserror::Error)]
#[error("it has not answered a moment ago")]
struct Resting;

impl Pause {
    /// Takes note of how a request has ended.
    pub(super) fn note(&self, failed: bool) {
        *self.0.lock() = failed.then(Instant::now);
    }

    /// Looks whether a request may be made.
    ///
    /// # Errors
    /// When one has failed a moment ago.
    pub(super) fn look(&self) -> object_store::Result<()> {
        let rests = self.0.lock().is_some_and(|failed| failed.elapsed() < PAUSE);
        if rests { Err(object_store::Error::Generic { store: "S3", source: Resting.into() }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_followed_by_a_pause_and_a_success_is_not() {
        let pause = Pause::default();
        assert!(pause.look().is_ok());
        pause.note(true);
        assert!(pause.look().is_err());
        pause.note(false);
        assert!(pause.look().is_ok());
        *pause.0.lock() = Instant::now().checked_sub(PAUSE);
        assert!(pause.look().is_ok());
    }
}
