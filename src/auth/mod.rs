//! Who somebody is, and how that is proved: accounts of this server's own, service tokens, and tokens from elsewhere.
//!
//! | module | what is in it |
//! |---|---|
//! | [`bearer`] | who a token is for, and what it may be used for |
//! | [`tokens`] | which tokens are taken; checks them without waiting |
//! | `claims` | what is in a signed token |
//! | [`keys`], [`foreign`] | keys that sign and verify: own ones, and those of another issuer |
//! | [`service`], [`secrets`] | keys of scripts, and how secrets are made |
//! | [`oidc`], `fetch` | signing in with an account elsewhere, and how others are asked |
//! | [`accounts`], [`second`] | signing in and out, passwords, second factors |
//! | `passwords`, `totp`, [`throttle`], [`mail`] | what accounts are made of |
//! | [`bans`] | whom this server does not serve at all |
//! | [`erasures`] | people erased: who may ask for it, and what it takes |
//! | [`revoked`] | what is not accepted any more although its token has not ended |
//! | `seen` | rows of users, made when they first come |
//! | [`upkeep`] | what is read and removed in the background |
//!
//! It is above storage and below HTTP; actors know of it only what they are handed.

pub mod accounts;
pub mod bans;
pub mod bearer;
mod claims;
pub mod erasures;
mod fetch;
pub mod foreign;
pub mod keys;
pub mod mail;
pub mod oidc;
pub mod passwords;
pub mod revoked;
pub mod second;
pub mod secrets;
mod seen;
pub mod service;
pub mod throttle;
pub mod tokens;
mod totp;
pub mod upkeep;
mod wanted;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use self::accounts::Accounts;
use self::bans::Bans;
pub use self::bearer::{Bearer, Scopes};
pub use self::claims::Expected;
pub use self::erasures::Erasures;
use self::foreign::ForeignKeys;
use self::keys::KeyRing;
use self::mail::Mailer;
use self::oidc::Oidc;
use self::revoked::Revocations;
use self::seen::{Seen, SeenWriter};
use self::service::ServiceTokens;
use self::tokens::Own;
pub use self::tokens::Tokens;
use crate::actors::clock::Clock;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::UserId;
use crate::storage::accounts::SharedAccounts;

/// How everything here is to be.
pub struct Settings {
    /// HS256, shared with another application.
    pub secret: Option<String>,
    /// What tokens from elsewhere have to say.
    pub expected: Expected,
    pub foreign: Option<Arc<ForeignKeys>>,
    pub mailer: Arc<dyn Mailer>,
    /// How long a key signs.
    pub key_period: Duration,
    /// Whether people may make accounts for themselves.
    pub registration: bool,
    pub public_url: Option<String>,
    /// Providers whose accounts are taken.
    pub oidc: Option<Oidc>,
}

/// All of it, as one server has it.
pub struct Auth {
    pub tokens: Tokens,
    /// `None` where nothing is kept of accounts.
    pub accounts: Option<Arc<Accounts>>,
    /// Providers whose accounts are taken, where accounts are kept.
    pub oidc: Option<Oidc>,
    pub revoked: Arc<Revocations>,
    pub bans: Arc<Bans>,
    keys: Option<Arc<KeyRing>>,
    store: Option<SharedAccounts>,
    seen: Seen,
    clock: Clock,
}

impl Auth {
    /// Opens it on storage; without any, only tokens from elsewhere are taken.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn open(
        settings: Settings,
        store: Option<SharedAccounts>,
        clock: Clock,
    ) -> anyhow::Result<(Arc<Self>, SeenWriter)> {
        if let Some(foreign) = settings.foreign.clone() {
            let read = tokio::task::spawn_blocking(move || foreign.first()).await?;
            read?;
        }
        let (revoked, bans) = (Arc::new(Revocations::default()), Arc::new(Bans::default()));
        let secret = settings.secret.as_deref();
        let tokens =
            Tokens::new(secret, settings.expected, clock.clone()).with_foreign(settings.foreign.clone());
        let (seen, writer) = Seen::new();
        let Some(store) = store else {
            let (accounts, keys) = (None, None);
            let (oidc, store) = (None, None);
            let auth = Self { tokens, accounts, oidc, revoked, bans, keys, store, seen, clock };
            return Ok((Arc::new(auth), writer));
        };
        let keys = KeyRing::open(store.clone(), clock.clone(), settings.key_period).await?;
        let keys = Arc::new(keys);
        revoked.refresh(&*store, clock.now()).await?;
        bans.refresh(&*store, clock.now()).await?;
        let own =
            Own { keys: keys.clone(), service: ServiceTokens::new(store.clone()), revoked: revoked.clone() };
        let accounts = Accounts::new(accounts::Parts {
            store: store.clone(),
            keys: keys.clone(),
            revoked: revoked.clone(),
            mailer: settings.mailer,
            clock: clock.clone(),
            registration: settings.registration,
            public_url: settings.public_url,
        })?;
        let (accounts, keys) = (Some(Arc::new(accounts)), Some(keys));
        let tokens = tokens.with_own(Some(own));
        let (oidc, store) = (settings.oidc, Some(store));
        Ok((Arc::new(Self { tokens, accounts, oidc, revoked, bans, keys, store, seen, clock }), writer))
    }

    /// Returns the public keys of this server (RFC 7517).
    pub fn jwks(&self) -> serde_json::Value {
        self.keys.as_ref().map_or_else(|| serde_json::json!({ "keys": [] }), |keys| keys.jwks())
    }

    /// Returns where accounts, bans and quotas are kept.
    ///
    /// # Errors
    /// `not_found`: nowhere.
    pub fn store(&self) -> Result<&SharedAccounts, Refusal> {
        self.store.as_ref().ok_or_else(|| Refusal::new(ErrorCode::NotFound, "this server keeps no accounts"))
    }

    /// Reads the bans that hold, after one was made or lifted.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn refresh_bans(&self) -> Result<(), Refusal> {
        Ok(self.bans.refresh(&**self.store()?, self.clock.now()).await?)
    }

    /// Tells whether somebody, or everybody who comes from an address, is banned.
    pub fn is_banned(&self, user: Option<&UserId>, address: Option<IpAddr>) -> bool {
        let now = self.clock.now();
        user.is_some_and(|user| self.bans.holds_user(user, now))
            || address.is_some_and(|address| self.bans.holds_address(address, now))
    }

    /// Takes note of who has come, so that there is a row.
    pub fn note(&self, bearer: &Bearer) {
        if self.store.is_some() {
            self.seen.note(bearer, self.clock.now());
        }
    }
}
