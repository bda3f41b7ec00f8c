//! Why Redis cannot be used at all.

use crate::tls::TlsError;

/// An address that is none, or nobody to trust about it. It is not shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisAddressError {
    #[error("the address of Redis cannot be used: {why}")]
    Unusable { why: String },
    #[error("the address of Redis asks for TLS")]
    Authorities(#[from] TlsError),
}

impl RedisAddressError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self::Unusable { why: why.into() }
    }
}
