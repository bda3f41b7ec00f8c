//! Why Redis cannot be used at all.

/// An address that is none. It is not shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be used: {why}")]
pub struct RedisAddressError {
    why: String,
}

impl RedisAddressError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}
