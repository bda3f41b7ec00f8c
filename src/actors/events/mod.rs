//! What has happened to documents, told to whoever wants to know: streams of events, and webhooks.
//!
//! A [`Herald`] looks every half a second at what the database has noted ([`crate::storage::events`]), numbers it, tells the streams of
//! this server ([`Feed`]), and has deliveries made ([`webhooks`]). Every server of a database does so; a note is numbered by the one that
//! comes first, and each delivery is made by whoever has claimed it. No edit waits for any of this.

mod feed;
mod numbering;
mod rights;
mod stream;
pub mod webhooks;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::feed::Feed;
pub use self::rights::{Listener, Rights};
pub use self::stream::{End, Reader};
use self::webhooks::{Dispatcher, Sender, Tries};
pub use self::webhooks::{Hooks, Targets};
use crate::actors::clock::Clock;
use crate::ids::Millis;
use crate::metrics::METRICS;
use crate::storage::StoreError;
use crate::storage::events::{Secrets, SharedEvents, SharedWebhooks};

/// How often it is looked what has happened. Streams of other servers know it so much later at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Notes that are taken in one transaction, for which an edit may have to wait in an embedded database, …
const NOTES: usize = 64;

/// … and the rest after it, as a multiple of the time that it took, at most as long as [`LOOK_EVERY`].
const REST: u32 = 9;

/// How often what is old is removed, and what waits is counted.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Events that are kept, however young they are.
const MOST_EVENTS: u64 = 100_000;

/// How long deliveries are kept that were made, and that were given up, in ms.
const DELIVERED_KEPT: Millis = 24 * 3_600_000;
const DEAD_KEPT: Millis = 30 * 24 * 3_600_000;

/// Where events, webhooks and their secrets are.
#[derive(Clone)]
pub struct Stores {
    pub events: SharedEvents,
    pub webhooks: SharedWebhooks,
    pub secrets: Secrets,
}

/// How events are told.
#[derive(Clone, Debug)]
pub struct EventPolicy {
    /// A document that is written to is told of so often at most.
    pub debounce: Duration,
    /// How long events are kept for those who come back.
    pub keep: Duration,
    pub tries: Tries,
    pub targets: Targets,
}

/// What `http` may ask of events.
#[derive(Clone)]
pub struct EventRoom {
    pub feed: Arc<Feed>,
    pub hooks: Hooks,
}

/// What runs until it is dropped.
pub struct Herald {
    task: JoinHandle<()>,
}

impl Drop for Herald {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the herald works with.
struct Work {
    stores: Stores,
    policy: EventPolicy,
    feed: Arc<Feed>,
    dispatcher: Dispatcher,
    clock: Clock,
    draining: Arc<AtomicBool>,
}

impl EventPolicy {
    /// Makes what sends to webhooks.
    ///
    /// # Errors
    /// The authorities cannot be read that receivers' certificates are checked by.
    pub fn sender(&self) -> anyhow::Result<Sender> {
        Sender::new(&self.targets, self.tries.timeout)
    }
}

/// Starts it on this thread's runtime.
pub fn start(
    stores: Stores,
    policy: EventPolicy,
    sender: Sender,
    rights: Rights,
    clock: Clock,
    draining: Arc<AtomicBool>,
) -> (EventRoom, Herald) {
    let feed = Arc::new(Feed::new(stores.events.clone(), rights));
    let dispatcher = Dispatcher::new(&stores, sender, policy.tries, clock.clone());
    let hooks = Hooks::new(&stores, policy.targets.clone(), clock.clone(), dispatcher.bell());
    let work = Work { stores, policy, feed: feed.clone(), dispatcher, clock, draining };
    (EventRoom { feed, hooks }, Herald { task: tokio::spawn(work.run()) })
}

impl Work {
    async fn run(self) {
        let mut swept: Option<Instant> = None;
        while !self.draining.load(Ordering::Relaxed) {
            let began = Instant::now();
            if let Err(error) = self.round().await {
                METRICS.events.failures.inc();
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "events wait: they cannot be numbered or delivered now");
            }
            if swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
                swept = Some(Instant::now());
                if let Err(error) = self.sweep().await {
                    tracing::debug!(%error, "old events stay");
                }
            }
            // A delivery that has ended has made room for another.
            let _ = tokio::time::timeout_at(began + LOOK_EVERY, self.dispatcher.rung()).await;
        }
        self.feed.close();
    }

    async fn round(&self) -> Result<(), StoreError> {
        loop {
            let began = Instant::now();
            match self.number().await {
                Ok(taken) => {
                    self.feed.refresh().await?;
                    if taken < NOTES {
                        break;
                    }
                }
                // Another server was faster.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep((began.elapsed() * REST).min(LOOK_EVERY)).await;
        }
        self.dispatcher.dispatch().await
    }

    /// Numbers what was noted; returns how many notes it was.
    async fn number(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let due = now - self.policy.debounce.as_millis() as Millis;
        // In this order: what is numbered in between is a conflict, and never numbered twice.
        let last = self.stores.events.last_event().await?;
        let notes = self.stores.events.noted(due, NOTES).await?;
        if notes.is_empty() {
            return Ok(0);
        }
        let ids: Vec<_> = notes.iter().map(|note| note.id).collect();
        let events = numbering::events(notes, last);
        let hooks = self.stores.webhooks.enabled_hooks(now).await?;
        let deliveries = numbering::deliveries(&events, &hooks, now);
        self.stores.events.number(&events, &ids, &deliveries).await?;
        METRICS.events.numbered.inc_by(events.len() as u64);
        Ok(ids.len())
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Stores { events, webhooks, .. } = &self.stores;
        let upto = events.last_event().await?.saturating_sub(MOST_EVENTS);
        events.forget(now - self.policy.keep.as_millis() as Millis, upto).await?;
        webhooks.sweep_deliveries(now - DELIVERED_KEPT, now - DEAD_KEPT).await?;
        for hook in webhooks.overfull_hooks().await? {
            tracing::warn!(hook, "a webhook is disabled: too much could not be delivered");
            webhooks.disable_hook(&hook, "more than 10,000 deliveries could not be made").await?;
        }
        let undelivered = webhooks.undelivered().await?;
        METRICS.events.pending.set(undelivered.pending as i64);
        METRICS.events.dead_letters.set(undelivered.dead as i64);
        Ok(())
    }
}
