//! Who may speak to this server at all: the settings behind [`auth`](super::auth) and [`origin`](super::origin).

use std::net::SocketAddr;
use std::sync::Arc;

use crate::actors::error::Refusal;
use crate::config::ServeOptions;
use crate::http::address::TrustedProxies;
use crate::http::auth::{Caller, Tokens};
use crate::http::origin::{InvalidSetting, Origins};

/// What is checked before anything else of a request.
pub struct Security {
    pub origins: Origins,
    pub tokens: Tokens,
    /// Whether people without a token may read and write.
    pub guests: bool,
    pub proxies: TrustedProxies,
    /// What browsers are told of TLS, if anything.
    pub hsts: Option<String>,
}

impl Security {
    /// Reads a token, for a session that renews its own.
    ///
    /// # Errors
    /// `unauthorized`.
    pub fn check_token(&self, token: &str) -> Result<Caller, Refusal> {
        self.tokens.verify(token)
    }
}

/// Reads the settings of a server that listens on `address`.
///
/// # Errors
/// A host or an origin in the settings is none.
pub fn security(options: &ServeOptions, address: SocketAddr) -> Result<Arc<Security>, InvalidSetting> {
    let secret = options.jwt_secret.as_ref().map(super::super::config::Secret::expose);
    if options.guests.is_on() && !address.ip().is_loopback() {
        tracing::warn!(%address, "guests may read and write, and this address can be reached from other machines");
    }
    Ok(Arc::new(Security {
        origins: Origins::new(address.ip(), &options.allowed_hosts, &options.allowed_origins)?,
        tokens: Tokens::new(secret),
        guests: options.guests.is_on(),
        proxies: TrustedProxies::new(options.limits.trusted_proxies.iter().copied().flatten()),
        hsts: options.tls.hsts(),
    }))
}
