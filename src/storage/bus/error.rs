//! What can go wrong with a bus, named by what can be done about it.

use crate::storage::Source;

/// A failure of a bus. None of them is felt by editors.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nobody answers, or the answer was a failure: the same may succeed later.
    #[error("the stream is unavailable")]
    Unavailable(#[source] Source),
    /// It will fail until somebody has done something.
    #[error("{why}")]
    Misconfigured { why: String },
}

impl BusError {
    /// Wraps a cause after which a retry may help.
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable(source.into())
    }
}
