//! The time of day, so that tests can hold it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ids::Millis;

/// Tells the time in Unix ms.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// A clock that asks the operating system.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_millis() as Millis)
        }))
    }

    /// A clock that asks `now`.
    pub fn from_fn(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the time in Unix ms.
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}
