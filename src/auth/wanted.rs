//! Something that is looked for in the background because somebody has missed it, and not too often.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// See the module's documentation.
#[derive(Default)]
pub struct Wanted(Notify);

impl Wanted {
    /// Says that something is missing. Never waits.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Waits until something is missing, but no less than `pause` after `last`, and no longer than `at_most` after it.
    pub async fn due(&self, last: Instant, pause: Duration, at_most: Duration) {
        let asked = async {
            sleep_until(last + pause).await;
            self.0.notified().await;
        };
        tokio::select! {
            () = asked => {}
            () = sleep_until(last + at_most) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_for_when_it_is_asked_for_and_not_too_often() {
        let (pause, most) = (Duration::from_secs(30), Duration::from_mins(10));
        let (wanted, began) = (Wanted::default(), Instant::now());
        wanted.due(began, pause, most).await;
        assert_eq!(began.elapsed(), most);
        let last = Instant::now();
        wanted.ask();
        wanted.ask();
        wanted.due(last, pause, most).await;
        assert_eq!(last.elapsed(), pause);
    }
}
