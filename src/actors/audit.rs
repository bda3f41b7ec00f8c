//! Who writes the audit log: one task of the process, a queue in front of it, and what happens when it is full.
//!
//! **Acts** (changes that somebody answers for) are not taken while they cannot be recorded, and are answered only after their
//! record is durable. **Access** (who has looked at what) is never waited for: what does not fit into the queue is counted, and
//! the gap is a record itself. A process that is killed may lose the access of the last moment, and the record of an act that
//! it has not answered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::clock::Clock;
use super::error::Refusal;
use crate::ids::Millis;
use crate::metrics::METRICS;
use crate::storage::audit::{Entry, Head, Outcome, SharedAuditLog};

/// Entries that wait at most; some 300 bytes each.
const QUEUE: usize = 8_192;

/// Entries in one transaction, at most.
const BATCH: usize = 512;

/// How long access waits for more of it, so that it costs storage few transactions.
const GATHER: Duration = Duration::from_millis(200);

/// How long an act waits for its record …
const RECORDED_WITHIN: Duration = Duration::from_secs(3);

/// … and the end of the process for all of them.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// The rest after a failure, doubled from one up to the other.
const RESTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The same access by the same person from the same place is one record within this time, in ms …
const SAME_WITHIN: Millis = 60_000;

/// … as long as no more than so many others come between.
const REMEMBERED: usize = 10_000;

/// How often old records are looked for, and how many go in one transaction.
const TRIM_EVERY: Duration = Duration::from_hours(1);
const TRIM: u32 = 5_000;

const DAY: Millis = 86_400_000;

/// What is recorded, and for how long.
#[derive(Clone, Debug)]
pub struct AuditPolicy {
    /// The chain that this process adds to.
    pub chain: String,
    /// Whether access is recorded.
    pub access: bool,
    /// Days that records stay; 0 for ever.
    pub days: u32,
}

/// The door to the audit log; clones share it.
#[derive(Clone)]
pub struct Audit(Option<Arc<Shared>>);

struct Shared {
    queue: mpsc::Sender<Job>,
    access: bool,
    clock: Clock,
    /// Entries that did not fit, since the last record of a gap.
    lost: AtomicU64,
    /// Whether storage has taken the last batch.
    well: AtomicBool,
    /// When which access was recorded last.
    recent: Mutex<HashMap<u64, Millis>>,
}

enum Job {
    Record(Entry, Option<oneshot::Sender<()>>),
    Close(oneshot::Sender<()>),
}

/// A place in the queue for the record of an act that is about to be done.
pub struct Permit(Option<mpsc::OwnedPermit<Job>>);

impl Permit {
    /// Records the act, and waits until that is durable.
    ///
    /// # Errors
    /// `unavailable`: it was done, and whether it is recorded is not known. It will be when storage is back, unless the process
    /// ends before.
    pub async fn record(self, entry: Entry) -> Result<(), Refusal> {
        let Some(permit) = self.0 else { return Ok(()) };
        let (done, recorded) = oneshot::channel();
        permit.send(Job::Record(entry, Some(done)));
        match tokio::time::timeout(RECORDED_WITHIN, recorded).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refusal::unavailable("it was done, and could not be recorded yet")),
        }
    }
}

impl Audit {
    /// Records nothing: for tests.
    pub fn none() -> Self {
        Self(None)
    }

    /// Starts the task that writes, on this thread.
    pub fn start(log: SharedAuditLog, policy: AuditPolicy, clock: Clock) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            queue,
            access: policy.access,
            clock: clock.clone(),
            lost: AtomicU64::new(0),
            well: AtomicBool::new(true),
            recent: Mutex::default(),
        });
        let writer = Writer { log, policy, clock, shared: Arc::downgrade(&shared) };
        actix_rt::spawn(writer.run(jobs));
        Self(Some(shared))
    }

    /// Returns the time that entries are made at.
    pub fn now(&self) -> Millis {
        self.0.as_ref().map_or(0, |shared| shared.clock.now())
    }

    /// Records something without waiting for it. If there is no room it is counted as lost.
    pub fn record(&self, entry: Entry) {
        let Some(shared) = &self.0 else { return };
        if shared.queue.try_send(Job::Record(entry, None)).is_err() {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            METRICS.audit.lost.inc();
        }
    }

    /// Records that somebody has looked at something, if access is recorded and this one was not a moment ago.
    pub fn access(&self, entry: Entry) {
        if let Some(shared) = &self.0
            && shared.access
            && shared.is_news(&entry)
        {
            self.record(entry);
        }
    }

    /// Asks before an act whether it can be recorded.
    ///
    /// # Errors
    /// `unavailable`: it must not be done now.
    pub fn permit(&self) -> Result<Permit, Refusal> {
        let Some(shared) = &self.0 else { return Ok(Permit(None)) };
        let refused = || Refusal::unavailable("nothing is changed while the audit log cannot be written");
        if !shared.well.load(Ordering::Relaxed) {
            METRICS.audit.refused.inc();
            return Err(refused());
        }
        shared.queue.clone().try_reserve_owned().map(|permit| Permit(Some(permit))).map_err(|_| {
            METRICS.audit.refused.inc();
            refused()
        })
    }

    /// Writes what waits, if storage takes it at once.
    pub async fn close(&self) {
        let Some(shared) = &self.0 else { return };
        let (done, closed) = oneshot::channel();
        let end = async {
            if shared.queue.send(Job::Close(done)).await.is_ok() {
                let _ = closed.await;
            }
        };
        if tokio::time::timeout(CLOSE_WITHIN, end).await.is_err() {
            tracing::warn!("the last records of the audit log were not written in time");
        }
    }
}

impl Shared {
    fn is_news(&self, entry: &Entry) -> bool {
        let mut hasher = DefaultHasher::new();
        (&entry.actor, &entry.address, &entry.action, &entry.subject, entry.outcome.as_str())
            .hash(&mut hasher);
        let mut recent = self.recent.lock();
        let before = recent.insert(hasher.finish(), entry.at);
        if before.is_some_and(|before| entry.at - before < SAME_WITHIN) {
            // It is one record from the first of them on.
            recent.insert(hasher.finish(), before.unwrap_or(entry.at));
            return false;
        }
        if recent.len() > REMEMBERED {
            recent.clear();
        }
        true
    }
}

/// The task that writes.
struct Writer {
    log: SharedAuditLog,
    policy: AuditPolicy,
    clock: Clock,
    shared: std::sync::Weak<Shared>,
}

/// What is written together.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    waiting: Vec<oneshot::Sender<()>>,
    closing: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn take(&mut self, job: Job) {
        match job {
            Job::Record(entry, waiting) => {
                self.entries.push(entry);
                self.waiting.extend(waiting);
            }
            Job::Close(done) => self.closing.push(done),
        }
    }

    fn is_urgent(&self) -> bool {
        !self.waiting.is_empty() || !self.closing.is_empty() || self.entries.len() >= BATCH
    }
}

impl Writer {
    /// Writes until the last door is gone or the end is asked for.
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut trims = tokio::time::interval_at(Instant::now() + Duration::from_mins(1), TRIM_EVERY);
        loop {
            tokio::select! {
                job = jobs.recv() => {
                    let Some(job) = job else { return };
                    let batch = gather(job, &mut jobs).await;
                    if !self.write(batch).await {
                        return;
                    }
                }
                _ = trims.tick() => self.trim().await,
            }
        }
    }

    /// Writes a batch, however long that takes. Returns whether to go on.
    async fn write(&self, mut batch: Batch) -> bool {
        let closing = !batch.closing.is_empty();
        let mut rest = RESTS.0;
        let shared = self.shared.upgrade();
        let lost = shared.as_ref().map_or(0, |shared| shared.lost.swap(0, Ordering::Relaxed));
        if lost > 0 {
            batch.entries.insert(0, self.gap(lost));
        }
        while !batch.entries.is_empty() {
            match self.log.append_audit(&self.policy.chain, &batch.entries).await {
                Ok(_) => break,
                Err(error) => {
                    METRICS.audit.failures.inc();
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the audit log cannot be written: acts are refused until it can");
                }
            }
            if let Some(shared) = &shared {
                shared.well.store(false, Ordering::Relaxed);
            }
            if closing {
                break;
            }
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(RESTS.1);
        }
        if let Some(shared) = &shared {
            shared.well.store(true, Ordering::Relaxed);
        }
        METRICS.audit.records.inc_by(batch.entries.len() as u64);
        for done in batch.waiting.into_iter().chain(batch.closing) {
            // Who has not waited so long has gone.
            let _ = done.send(());
        }
        !closing
    }

    fn gap(&self, lost: u64) -> Entry {
        Entry {
            at: self.clock.now(),
            actor: "server".to_owned(),
            address: None,
            action: "audit.gap".to_owned(),
            subject: format!("audit:{}", self.policy.chain),
            outcome: Outcome::Failed,
            details: json!({ "lost": lost }),
        }
    }

    /// Removes old records, and tells where the chain ends: in the log of messages, which is kept somewhere else.
    async fn trim(&self) {
        let chain = &self.policy.chain;
        let now = self.clock.now();
        let days = self.policy.days;
        let before = now - Millis::from(days) * DAY;
        // A full transaction may have left some.
        let mut more = days > 0;
        while more {
            match self.log.trim_audit(chain, before, now, TRIM).await {
                Ok(removed) => more = removed == u64::from(TRIM),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old records of the audit log stay"
                    );
                    more = false;
                }
            }
        }
        let heads = self.log.audit_heads().await.unwrap_or_default();
        for Head { chain, n, hash } in heads.into_iter().filter(|head| head.chain == *chain) {
            tracing::info!(chain, n, hash = hex::encode(hash), "the audit log ends here");
        }
    }
}

/// Takes along what waits already, and for a moment what is still to come, unless somebody waits for it.
async fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Batch {
    let mut batch = Batch::default();
    batch.take(first);
    let until = Instant::now() + GATHER;
    loop {
        while let Ok(job) = jobs.try_recv() {
            batch.take(job);
            if batch.entries.len() >= BATCH || !batch.closing.is_empty() {
                return batch;
            }
        }
        if batch.is_urgent() {
            return batch;
        }
        match tokio::time::timeout_at(until, jobs.recv()).await {
            Ok(Some(job)) => batch.take(job),
            _ => return batch,
        }
    }
}

#[cfg(test)]
mod tests;
