//! What is not accepted any more although its token has not ended: disabled users, ended sign-ins and service tokens, and tokens from
//! elsewhere of people who were erased after these were made.
//!
//! Read from the database now and then; what this server has ended itself is known here at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::keys::ACCESS_LIFETIME;
use crate::ids::{Millis, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::Accounts;
use crate::storage::people::{is_tombstone, tombstone_of};

/// What this server has ended stays here so long, in ms, whatever the database has said meanwhile: it may have been asked before.
const OWN: Millis = 60_000;

/// See the module's documentation.
#[derive(Default)]
pub struct Revocations {
    denied: RwLock<Denied>,
    /// Rises with every change, so that open sessions are looked at only then.
    generation: Arc<AtomicU64>,
}

#[derive(Default)]
struct Denied {
    /// With when they were disabled; people who were erased, too, under what is left of their ids.
    users: HashMap<UserId, Millis>,
    /// With when this server has ended it; 0 for what it has read.
    credentials: HashMap<String, Millis>,
}

impl Revocations {
    /// Tells whether somebody is not accepted any more: with a sign-in or a service token, or with a token from elsewhere, that was made
    /// at `issued_at` if it says so. One that does not say so cannot be told from those that its user had before being erased.
    pub fn denies(&self, user: &UserId, credential: Option<&str>, issued_at: Option<Millis>) -> bool {
        let denied = self.denied.read();
        if denied.users.contains_key(user) {
            return true;
        }
        match credential {
            Some(id) => denied.credentials.contains_key(id),
            None => denied
                .users
                .get(&tombstone_of(user))
                .is_some_and(|erased_at| issued_at.is_none_or(|issued_at| issued_at <= *erased_at)),
        }
    }

    /// Returns what rises with every change.
    pub fn generation(&self) -> Arc<AtomicU64> {
        self.generation.clone()
    }

    /// Takes note of sign-ins and service tokens that this server has just ended.
    pub fn end<T: Into<String>>(&self, ids: impl IntoIterator<Item = T>, now: Millis) {
        let mut denied = self.denied.write();
        let before = denied.credentials.len();
        denied.credentials.extend(ids.into_iter().map(|id| (id.into(), now)));
        if denied.credentials.len() != before {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Takes note of somebody whom this server has just erased.
    pub fn erase(&self, user: &UserId, at: Millis) {
        self.denied.write().users.insert(tombstone_of(user), at);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Reads what has ended. What ended longer ago than an access token lasts has none that is good.
    ///
    /// # Errors
    /// Storage does not oblige; what is known stays.
    pub async fn refresh(&self, store: &dyn Accounts, now: Millis) -> Result<(), StoreError> {
        let read = store.revoked(now - ACCESS_LIFETIME - OWN).await?;
        let mut users: HashMap<_, _> = read.users.into_iter().collect();
        let mut credentials: HashMap<_, _> = read.credentials.into_iter().map(|id| (id, 0)).collect();
        let mut denied = self.denied.write();
        let own = denied.credentials.iter().filter(|(_, at)| now - **at < OWN);
        credentials.extend(own.map(|(id, at)| (id.clone(), *at)));
        let erased = denied.users.iter().filter(|(user, at)| is_tombstone(user) && now - **at < OWN);
        for (user, at) in erased {
            let known = users.entry(user.clone()).or_insert(*at);
            *known = (*known).max(*at);
        }
        let news = users.iter().any(|(user, at)| denied.users.get(user) != Some(at))
            || credentials.keys().any(|id| !denied.credentials.contains_key(id));
        *denied = Denied { users, credentials };
        if news {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}
