//! Deliveries: claimed in the database, so that one server makes each, and tried again until they are taken or given up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::Sender;
use crate::actors::clock::Clock;
use crate::actors::events::Stores;
use crate::ids::Millis;
use crate::metrics::METRICS;
use crate::storage::StoreError;
use crate::storage::events::{Claimed, Next, Outcome, Secrets, SharedWebhooks, Webhook};

/// Deliveries that one server makes at once, …
const AT_ONCE: usize = 8;

/// … and of one webhook: a receiver that hangs holds up itself alone.
const OF_ONE: usize = 2;

/// Webhooks that are looked at in one round.
const HOOKS: usize = 64;

/// Tries of a delivery.
const TRIES: u64 = 8;

/// Each wait is so many times the one before.
const FACTOR: i64 = 4;

/// A webhook of which nothing was taken for so long is disabled when the next delivery is given up, in ms.
const DISABLED_AFTER: Millis = 3 * 24 * 3_600_000;

/// A receiver that answers so wants nothing any more (RFC 9110 section 15.5.11).
const GONE: u16 = 410;

/// How often and how long a delivery is tried.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    /// The wait after the first try that fails: the eighth comes some 5,500 times as much later, 23 hours of 15 s.
    pub base: Duration,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
}

impl Tries {
    /// Returns how long nobody else makes a delivery that was claimed, in ms: as long as it can take, with some room.
    fn lease(self) -> Millis {
        (self.timeout * 2 + Duration::from_secs(5)).as_millis() as Millis
    }

    /// Returns when to try again after so many tries; `None` for never. Chance keeps those apart that have failed together.
    fn next(self, tries: u64, now: Millis, chance: f64) -> Option<Millis> {
        let before = u32::try_from(tries).ok().filter(|_| tries < TRIES)?.saturating_sub(1);
        let wait = self.base.as_millis() as Millis * FACTOR.pow(before);
        Some(now + (wait as f64 * (0.8 + 0.4 * chance)) as Millis)
    }
}

/// See the module's documentation.
pub struct Dispatcher {
    worker: Arc<Worker>,
    slots: Arc<Semaphore>,
}

struct Worker {
    webhooks: SharedWebhooks,
    secrets: Secrets,
    sender: Sender,
    tries: Tries,
    clock: Clock,
    /// Deliveries that are being made, by webhook: at most [`AT_ONCE`] in all.
    busy: Mutex<HashMap<String, usize>>,
    bell: Arc<Notify>,
}

impl Dispatcher {
    /// Makes deliveries of what is in `stores`.
    pub fn new(stores: &Stores, sender: Sender, tries: Tries, clock: Clock) -> Self {
        let worker = Worker {
            webhooks: stores.webhooks.clone(),
            secrets: stores.secrets.clone(),
            sender,
            tries,
            clock,
            busy: Mutex::default(),
            bell: Arc::default(),
        };
        Self { worker: Arc::new(worker), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Returns what is rung when it is worth looking at once.
    pub fn bell(&self) -> Arc<Notify> {
        self.worker.bell.clone()
    }

    /// Waits until it is.
    pub async fn rung(&self) {
        self.worker.bell.notified().await;
    }

    /// Begins what is due, as far as there is room.
    ///
    /// # Errors
    /// `Unavailable`: what was claimed so far is made all the same.
    pub async fn dispatch(&self) -> Result<(), StoreError> {
        if self.slots.available_permits() == 0 {
            return Ok(());
        }
        let now = self.worker.clock.now();
        for hook in self.worker.webhooks.due_hooks(now, HOOKS).await? {
            let busy = self.worker.busy.lock().get(&hook).copied().unwrap_or(0);
            let mut slots = Vec::new();
            while slots.len() + busy < OF_ONE
                && let Ok(slot) = self.slots.clone().try_acquire_owned()
            {
                slots.push(slot);
            }
            if slots.is_empty() {
                continue;
            }
            let until = now + self.worker.tries.lease();
            let claimed = self.worker.webhooks.claim(&hook, now, until, slots.len()).await?;
            for (claimed, slot) in claimed.into_iter().zip(slots) {
                *self.worker.busy.lock().entry(hook.clone()).or_default() += 1;
                tokio::spawn(self.worker.clone().deliver(claimed, slot));
            }
        }
        Ok(())
    }
}

impl Worker {
    async fn deliver(self: Arc<Self>, claimed: Claimed, slot: OwnedSemaphorePermit) {
        let hook = claimed.delivery.hook.clone();
        if let Err(error) = self.attempt(claimed).await {
            // Its claim ends, and it is tried again.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(hook, error, "what has become of a delivery could not be written");
        }
        {
            let mut busy = self.busy.lock();
            if let Some(count) = busy.get_mut(&hook) {
                *count -= 1;
                if *count == 0 {
                    busy.remove(&hook);
                }
            }
        }
        drop(slot);
        self.bell.notify_one();
    }

    async fn attempt(&self, claimed: Claimed) -> Result<(), StoreError> {
        let Claimed { delivery, url, secret } = claimed;
        let answer = match self.secrets.open(&delivery.hook, &secret).await {
            Ok(secret) => self.sender.send(&delivery, url, &secret, self.clock.now()).await,
            Err(_) => Err("its secret cannot be opened with the keys of this server".to_owned()),
        };
        let now = self.clock.now();
        let (status, error) = match answer {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error)),
        };
        let next = match (status, self.tries.next(delivery.tries, now, fastrand::f64())) {
            (Some(200..=299), _) => Next::Delivered,
            (Some(GONE), _) | (_, None) => Next::Dead,
            (_, Some(due)) => Next::Again(due),
        };
        let outcome = Outcome { at: now, status, error, next };
        let hook = self.webhooks.tried(&delivery, &outcome).await?;
        let label = match next {
            Next::Delivered => "delivered",
            Next::Again(_) => "failed",
            Next::Dead => "dead",
        };
        METRICS.events.deliveries.with_label_values(&[label]).inc();
        if let Some(reason) = hook.as_ref().and_then(|hook| over(hook, &outcome)) {
            tracing::warn!(hook = delivery.hook, reason, "a webhook is disabled");
            self.webhooks.disable_hook(&delivery.hook, reason).await?;
        }
        Ok(())
    }
}

/// Tells why a webhook is to be disabled, if it is.
fn over(hook: &Webhook, outcome: &Outcome) -> Option<&'static str> {
    if outcome.status == Some(GONE) {
        return Some("the receiver has answered 410 Gone");
    }
    let failing = hook.failing_since.is_some_and(|since| outcome.at - since >= DISABLED_AFTER);
    (outcome.next == Next::Dead && failing).then_some("nothing was taken for three days")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let tries = Tries { base: Duration::from_secs(15), timeout: Duration::from_secs(10) };
        let waits: Vec<_> = (1..=8).map(|n| tries.next(n, 0, 0.5).map(|due| due / 1_000)).collect();
        assert_eq!(
            waits,
            [Some(15), Some(60), Some(240), Some(960), Some(3_840), Some(15_360), Some(61_440), None]
        );
        assert_eq!((tries.next(1, 0, 0.0), tries.next(1, 0, 1.0)), (Some(12_000), Some(18_000)));
        assert_eq!(tries.lease(), 25_000);
    }

    #[test]
    fn a_webhook_ends_that_is_gone_or_fails_for_days() {
        let hook = |failing_since| Webhook {
            id: "wh_1".to_owned(),
            owner: None,
            made_by: crate::ids::UserId("ada".into()),
            url: String::new(),
            kinds: Vec::new(),
            enabled: true,
            reason: None,
            failing_since,
            made_at: 0,
        };
        let outcome = |status, next| Outcome { at: DISABLED_AFTER, status, error: None, next };
        assert!(over(&hook(Some(0)), &outcome(Some(500), Next::Dead)).is_some());
        assert!(over(&hook(Some(1)), &outcome(Some(500), Next::Dead)).is_none());
        assert!(over(&hook(Some(0)), &outcome(Some(500), Next::Again(0))).is_none());
        assert!(over(&hook(None), &outcome(Some(GONE), Next::Dead)).is_some());
    }
}
