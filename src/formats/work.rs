//! How much work reading something may be.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What one import may take: some of what is no HTML takes time by the square of its length.
const MOST: Duration = Duration::from_secs(3);

/// Work of this thread since it was begun, by the thread's own clock: a busy machine takes nothing from it.
pub struct Work {
    begun: Duration,
}

impl Work {
    pub fn begin() -> Self {
        Self { begun: spent() }
    }

    /// Tells whether it has become too much.
    pub fn is_too_much(&self) -> bool {
        spent().saturating_sub(self.begun) > MOST
    }
}

fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
