//! What is read and removed in the background: revocations, bans and keys every some seconds, keys of others every some minutes, and what
//! has ended now and then.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Auth;
use super::foreign::ForeignKeys;
use super::keys::{ACCESS_LIFETIME, KeyRing};
use super::seen::SeenWriter;
use crate::storage::accounts::SharedAccounts;

/// How often revocations, bans and own keys are read: within a minute an ended sign-in is one everywhere.
const EVERY: Duration = Duration::from_secs(15);

/// The pause between two readings of own keys that tokens have asked for.
const OWN_PAUSE: Duration = Duration::from_secs(5);

/// How often the keys of others are read, and the pause between two readings that tokens have asked for.
const FOREIGN_EVERY: Duration = Duration::from_mins(10);
const FOREIGN_PAUSE: Duration = Duration::from_secs(30);

/// Between how many readings what has ended is removed: an hour.
const SWEEP_EVERY: u32 = 240;

/// How long what has ended is kept, in ms: longer than anything that was made with it.
const KEPT: i64 = 24 * ACCESS_LIFETIME;

/// What runs until it is dropped.
pub struct Upkeep(Vec<JoinHandle<()>>);

impl Upkeep {
    /// Starts it on this thread's runtime.
    pub fn start(auth: &Arc<Auth>, seen: SeenWriter) -> Self {
        let mut tasks = Vec::new();
        if let Some((store, keys)) = auth.store.clone().zip(auth.keys.clone()) {
            tasks.push(tokio::spawn(seen.run(store.clone())));
            tasks.push(tokio::spawn(keep_own(auth.clone(), store, keys)));
        }
        if let Some(foreign) = auth.tokens.foreign.clone() {
            tasks.push(tokio::spawn(keep_foreign(foreign)));
        }
        Self(tasks)
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn keep_own(auth: Arc<Auth>, store: SharedAccounts, keys: Arc<KeyRing>) {
    let (mut last, mut round) = (Instant::now(), 0_u32);
    loop {
        keys.wanted.due(last, OWN_PAUSE, EVERY).await;
        (last, round) = (Instant::now(), round.wrapping_add(1));
        let now = auth.clock.now();
        if let Err(error) = auth.revoked.refresh(&*store, now).await {
            tracing::warn!(error = &error as &dyn Error, "what was revoked could not be read");
        }
        if let Err(error) = auth.bans.refresh(&*store, now).await {
            tracing::warn!(error = &error as &dyn Error, "bans could not be read");
        }
        if let Err(error) = keys.refresh().await {
            tracing::warn!(error = &error as &dyn Error, "signing keys could not be read");
        }
        if round.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = store.sweep(now - KEPT).await
        {
            tracing::warn!(error = &error as &dyn Error, "ended sign-ins could not be removed");
        }
    }
}

async fn keep_foreign(keys: Arc<ForeignKeys>) {
    loop {
        // What could not be read at the start is looked for without anybody asking.
        let at_most = if keys.is_empty() { FOREIGN_PAUSE } else { FOREIGN_EVERY };
        keys.wanted.due(Instant::now(), FOREIGN_PAUSE, at_most).await;
        let reading = keys.clone();
        match tokio::task::spawn_blocking(move || reading.refresh()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "the keys of another issuer could not be read");
            }
            // The process ends.
            Err(_) => return,
        }
    }
}
