//! Who may speak to this server at all: the settings behind [`auth`](super::auth) and [`origin`](super::origin).

use std::net::SocketAddr;
use std::sync::Arc;

use crate::actors::error::Refusal;
use crate::auth::bans::banned;
use crate::auth::{Auth, Bearer};
use crate::config::ServeOptions;
use crate::http::address::TrustedProxies;
use crate::http::auth::Caller;
use crate::http::origin::{InvalidSetting, Origins};

/// What is checked before anything else of a request.
pub struct Security {
    pub origins: Origins,
    pub auth: Arc<Auth>,
    /// Whether people without a token may read and write.
    pub guests: bool,
    pub proxies: TrustedProxies,
    /// What browsers are told of TLS, if anything.
    pub hsts: Option<String>,
    /// Whether they may make documents, too.
    pub guests_create: bool,
    /// How many documents somebody may own, unless a quota says otherwise; `None`: as many as they like.
    pub documents_per_user: Option<u32>,
    /// Whether browsers may send cookies back over TLS alone.
    pub secure_cookies: bool,
}

impl Security {
    /// Reads a token, for a session that renews its own.
    ///
    /// # Errors
    /// `unauthorized`; `forbidden` for somebody who is banned.
    pub fn check_token(&self, token: &str) -> Result<Caller, Refusal> {
        self.admit(self.auth.tokens.verify(token)?)
    }

    /// Lets in whoever has a good token, unless he is banned.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn admit(&self, bearer: Bearer) -> Result<Caller, Refusal> {
        if self.auth.is_banned(Some(&bearer.user), None) {
            return Err(banned());
        }
        Ok(bearer.into())
    }
}

/// Reads the settings of a server that listens on `address`, with TLS of its own or without.
///
/// # Errors
/// A host or an origin in the settings is none.
pub fn security(
    options: &ServeOptions,
    address: SocketAddr,
    auth: Arc<Auth>,
    tls: bool,
) -> Result<Arc<Security>, InvalidSetting> {
    let public = options.accounts.public_url();
    if options.guests.is_on() && address.ip().is_loopback() {
        tracing::info!("nobody needs an account here: --guests off asks everybody for one");
    } else if options.guests.is_on() {
        tracing::warn!(%address, "guests may read and write, and speak for each other, and this address can be reached from other machines: --guests off asks everybody for an account");
    }
    Ok(Arc::new(Security {
        origins: Origins::new(address.ip(), &options.allowed_hosts, &options.allowed_origins)?,
        auth,
        guests: options.guests.is_on(),
        proxies: TrustedProxies::new(options.limits.trusted_proxies.iter().copied().flatten()),
        hsts: options.tls.hsts(),
        guests_create: options.accounts.guests_create.is_on(),
        documents_per_user: options.limits.documents_per_user,
        // TLS may end at a gateway, which the public address tells.
        secure_cookies: tls || public.is_some_and(|url| url.starts_with("https://")),
    }))
}
