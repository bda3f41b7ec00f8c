//! Service tokens: keys of scripts, looked up by their hash. What was looked up is good for a minute, so that an ended one is.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::bearer::{Bearer, Origin, Scopes, shown_name};
use super::secrets::{SERVICE_PREFIX, hash};
use crate::ids::Millis;
use crate::storage::StoreError;
use crate::storage::accounts::{Hash, ServiceToken, SharedAccounts, User};

/// How long a token is taken without being looked up, in ms.
const FRESH: Millis = 60_000;

/// Tokens that are remembered; beyond that all are forgotten, and looked up again.
const REMEMBERED: usize = 10_000;

/// The service tokens that were seen last.
pub struct ServiceTokens {
    store: SharedAccounts,
    known: Mutex<HashMap<Hash, Known>>,
}

struct Known {
    bearer: Bearer,
    looked_up: Millis,
}

impl ServiceTokens {
    pub fn new(store: SharedAccounts) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Tells whether this looks like a service token.
    pub fn is_one(token: &str) -> bool {
        token.starts_with(SERVICE_PREFIX)
    }

    /// Looks a token up, unless that was done within a minute. To be called before [`Self::find`].
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn look_up(&self, token: &str, now: Millis) -> Result<(), StoreError> {
        let hash = hash(token.as_bytes());
        if self.known.lock().get(&hash).is_some_and(|known| now - known.looked_up < FRESH) {
            return Ok(());
        }
        let found = self.store.service_token(&hash).await?;
        let bearer = found.and_then(|(token, owner)| {
            self.note(&token, now);
            bearer(token, &owner, now)
        });
        let mut known = self.known.lock();
        match bearer {
            None => drop(known.remove(&hash)),
            Some(bearer) => {
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(hash, Known { bearer, looked_up: now });
            }
        }
        Ok(())
    }

    /// Finds a token that was looked up within a minute, and has not ended.
    pub fn find(&self, token: &str, now: Millis) -> Option<Bearer> {
        let known = self.known.lock();
        let known = known.get(&hash(token.as_bytes())).filter(|known| now - known.looked_up < FRESH)?;
        let ended = known.bearer.expires_at.is_some_and(|at| at <= now);
        (!ended).then(|| known.bearer.clone())
    }

    /// Takes note, in the background, of when a token was used; at most once a minute, and nobody waits for it.
    fn note(&self, token: &ServiceToken, now: Millis) {
        if token.used_at.is_some_and(|at| now - at < FRESH) {
            return;
        }
        let (store, id) = (self.store.clone(), token.id.clone());
        tokio::spawn(async move {
            if let Err(error) = store.see_service_token(&id, now).await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the use of a service token was not noted");
            }
        });
    }
}

/// What the token of a row may be used for; `None` for nothing any more.
fn bearer(token: ServiceToken, owner: &User, now: Millis) -> Option<Bearer> {
    let ended = token.ended_at.is_some() || token.expires_at.is_some_and(|at| at <= now);
    if ended || owner.disabled_at.is_some() {
        return None;
    }
    let scopes = Scopes::parse(&token.scopes).ok()?;
    Some(Bearer {
        user: owner.id.clone(),
        name: shown_name(&owner.name),
        admin: owner.admin && scopes.admin,
        expires_at: token.expires_at,
        issued_at: None,
        origin: Origin::Service(Arc::from(token.id), scopes),
    })
}
