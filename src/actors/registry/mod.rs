//! The supervisor: opens every document once, replaces actors that failed, forgets those that are idle.
//!
//! Opening is single-flight: whoever asks while a document is being read waits for the same answer. A failed actor is
//! never restarted in place (actix would keep its old value); a new one is made from storage, with a pause that grows.
//! A document that fails while it is being read is quarantined: it answers `unavailable` instead of failing in a loop.

mod failures;
mod listing;
mod messages;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix::{Arbiter, ArbiterHandle};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use self::failures::Failures;
pub use self::listing::{ListSlots, Listed, Whereabouts};
pub use self::messages::*;
use crate::actors::cluster::Holdings;
use crate::actors::document::{Birth, DocumentActor, Drain, LeaveShard, Shared, Stop, rehydrate};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::journal::{Barrier, Forget};
use crate::actors::service::stopping;
use crate::actors::watch::{Watch, while_alive};
use crate::ids::{ClientId, DocumentId, SHARDS};
use crate::metrics::METRICS;
use crate::storage::{SnapshotBodies, StoreError};

/// Pause before a failed document is read again: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A document that has not failed for so long begins again with the shortest pause.
const FORGIVE_AFTER: Duration = Duration::from_mins(1);

/// Documents whose failures are remembered, those that failed last: an operation that makes its document fail may come
/// again after hours, and should not need two more failures then.
const MAX_FAILED: usize = 4_096;

/// How long a quarantined document is left alone before somebody's opening tries it again.
const QUARANTINE: Duration = Duration::from_mins(1);

/// Operations remembered per document as having made it fail …
const MAX_SUSPECTS: usize = 16;

/// … and how often one has to have done so to be refused.
const POISON: u32 = 2;

/// Documents that are read at a time: twice as many as storage has connections for. What more reads at once (everybody comes
/// back after a restart) would take for a moment lies scattered between what stays, and cannot be given back afterwards.
const LOADS: usize = 8;

/// Documents that are asked to drain at a time: more than snapshots can wait, so that their writer never runs out of them.
const DRAINS: usize = 8_192;

/// How long documents have to stop whose shards others have.
const RELEASES_WITHIN: Duration = Duration::from_secs(3);

/// Requests that may wait for the registry.
const MAILBOX: usize = 65_536;

type Answer = Result<SharedAddress, Refusal>;

/// Where a document is.
enum Slot {
    Opening { incarnation: u64, waiting: Vec<oneshot::Sender<Answer>> },
    Live { incarnation: u64, address: SharedAddress },
    Quarantined { since: Instant, _counted: Counted },
}

/// One document in the metric of those that are quarantined, for as long as it is.
struct Counted;

impl Counted {
    fn new() -> Self {
        METRICS.quarantined.inc();
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METRICS.quarantined.dec();
    }
}

/// See the module's documentation.
pub struct RegistryActor {
    shared: Option<Arc<Shared>>,
    bodies: Arc<SnapshotBodies>,
    threads: Vec<ArbiterHandle>,
    slots: HashMap<DocumentId, Slot>,
    /// Documents that are being purged, and by how many: to be opened by nobody.
    purging: HashMap<DocumentId, usize>,
    failures: HashMap<DocumentId, Failures>,
    /// Starts an actor with what was read.
    begin: fn(Birth, Arc<Shared>) -> Addr<DocumentActor>,
    last_incarnation: u64,
    /// The shards whose documents may be opened.
    holdings: Arc<Holdings>,
    /// Documents that are being read, at most [`LOADS`], and those that are next: each is in `slots`, too.
    loading: usize,
    next: VecDeque<(DocumentId, u64)>,
    draining: bool,
}

/// Gives the registry what its documents share; sent once, before it is used.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Equip(pub Arc<Shared>);

/// A document has been read, or not. Sent by the document's thread.
#[derive(Message)]
#[rtype(result = "()")]
struct Opened {
    doc: DocumentId,
    incarnation: u64,
    result: Result<Addr<DocumentActor>, OpenError>,
}

/// Why a document did not come into memory.
enum OpenError {
    Store(StoreError),
    /// Reading it, or making an actor of it, made us fail.
    Panicked,
}

impl RegistryActor {
    /// Makes a registry that spreads documents over `threads` by hash.
    pub fn new(bodies: Arc<SnapshotBodies>, threads: &[Arbiter]) -> Self {
        Self {
            shared: None,
            bodies,
            threads: threads.iter().map(Arbiter::handle).collect(),
            slots: HashMap::new(),
            purging: HashMap::new(),
            failures: HashMap::new(),
            begin: DocumentActor::begin,
            last_incarnation: 0,
            holdings: Arc::new(Holdings::everything()),
            loading: 0,
            next: VecDeque::new(),
            draining: false,
        }
    }

    /// Has it open documents of these shards alone.
    pub fn holding(self, holdings: Arc<Holdings>) -> Self {
        Self { holdings, ..self }
    }

    fn open(&mut self, doc: DocumentId, ctx: &mut Context<Self>) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        if self.draining {
            // Also one that is in memory: whoever wrote into it would hold up the end.
            let _ = answer.send(Err(stopping()));
            return answered;
        }
        if !self.holdings.has(doc.shard()) {
            let _ = answer.send(Err(elsewhere(&doc)));
            return answered;
        }
        if self.purging.contains_key(&doc) {
            let _ = answer.send(Err(purged(&doc)));
            return answered;
        }
        match self.slots.get_mut(&doc) {
            Some(Slot::Live { address, .. }) if address.connected() => {
                let _ = answer.send(Ok(address.clone()));
                return answered;
            }
            Some(Slot::Opening { waiting, .. }) => {
                waiting.push(answer);
                return answered;
            }
            Some(Slot::Quarantined { since, .. }) if since.elapsed() < QUARANTINE => {
                let _ =
                    answer.send(Err(Refusal::unavailable("the document is quarantined: reading it failed")));
                return answered;
            }
            _ => {}
        }
        let pause = self.pause_before(&doc);
        self.last_incarnation += 1;
        let incarnation = self.last_incarnation;
        self.slots.insert(doc.clone(), Slot::Opening { incarnation, waiting: vec![answer] });
        if pause.is_zero() {
            self.load(doc, incarnation, ctx);
        } else {
            ctx.run_later(pause, move |registry, ctx| registry.load(doc, incarnation, ctx));
        }
        answered
    }

    /// Returns how long to wait before a document that has failed lately is read again.
    fn pause_before(&mut self, doc: &DocumentId) -> Duration {
        let Some(failures) = self.failures.get_mut(doc) else { return Duration::ZERO };
        failures.forgive();
        failures.pause.saturating_sub(failures.last.elapsed())
    }

    /// Reads a document when it is its turn.
    fn load(&mut self, doc: DocumentId, incarnation: u64, ctx: &mut Context<Self>) {
        self.next.push_back((doc, incarnation));
        self.load_next(ctx);
    }

    fn load_next(&mut self, ctx: &mut Context<Self>) {
        while self.loading < LOADS
            && let Some((doc, incarnation)) = self.next.pop_front()
        {
            self.loading += 1;
            self.begin_load(doc, incarnation, ctx);
        }
    }

    /// Reads a document on its own thread and starts its actor there.
    fn begin_load(&mut self, doc: DocumentId, incarnation: u64, ctx: &mut Context<Self>) {
        let Some(shared) = self.shared.clone() else { return };
        let (bodies, registry) = (self.bodies.clone(), ctx.address());
        let (poison, begin) = (self.poison(&doc), self.begin);
        let thread = usize::from(doc.shard()) % self.threads.len();
        let spawned = self.threads[thread].spawn_fn(move || {
            actix_rt::spawn(async move {
                let timer = METRICS.load.start_timer();
                // Appends of the actor before are settled first: what is read afterwards is all there is.
                let barrier = shared.journal.send(Barrier { doc: doc.clone(), incarnation }).await;
                let (store, settings) = (shared.store.clone(), *shared.settings);
                let read = tokio::spawn(rehydrate::read(store, bodies, doc.clone(), poison, settings));
                let result = match (barrier, read.await) {
                    (Ok(()), Ok(Ok(state))) => {
                        // Whoever waits for the document is answered, whatever is wrong with it.
                        let birth = Birth { incarnation, state };
                        catch_unwind(AssertUnwindSafe(|| begin(birth, shared)))
                            .map_err(|_| OpenError::Panicked)
                    }
                    (Ok(()), Ok(Err(error))) => Err(OpenError::Store(error)),
                    (Ok(()), Err(_)) => Err(OpenError::Panicked),
                    (Err(error), _) => Err(OpenError::Store(StoreError::unavailable(error))),
                };
                timer.observe_duration();
                registry.do_send(Opened { doc, incarnation, result });
            });
        });
        if !spawned {
            tracing::error!(thread, "a document thread has ended");
        }
    }

    /// Operations that made a document fail twice.
    fn poison(&self, doc: &DocumentId) -> Vec<(ClientId, u64)> {
        let suspects = self.failures.get(doc).map_or(&[][..], |failures| &failures.suspects);
        suspects.iter().filter(|(_, count)| *count >= POISON).map(|(key, _)| *key).collect()
    }

    fn note_failure(&mut self, doc: &DocumentId, culprit: Option<(ClientId, u64)>) {
        let fresh = || Failures { pause: Duration::ZERO, last: Instant::now(), suspects: Vec::new() };
        let failures = self.failures.entry(doc.clone()).or_insert_with(fresh);
        failures.forgive();
        failures.pause = (failures.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        failures.last = Instant::now();
        if let Some(key) = culprit {
            failures.suspect(key);
        }
        if self.failures.len() > MAX_FAILED {
            self.forget_failures();
        }
    }

    /// Forgets the failures that teach nothing any more, and then those of the document that has not failed for the
    /// longest time, until they are as many as may be.
    fn forget_failures(&mut self) {
        self.failures.retain(|_, failures| !failures.suspects.is_empty() || !failures.are_old());
        while self.failures.len() > MAX_FAILED {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
            let Some(oldest) = oldest.map(|(doc, _)| doc.clone()) else { return };
            self.failures.remove(&oldest);
        }
    }

    /// Tells the journal that an incarnation has ended.
    fn forget(&self, doc: DocumentId, incarnation: u64) {
        if let Some(shared) = &self.shared {
            shared.journal.do_send(Forget { doc, incarnation });
        }
    }

    /// Removes a document's slot, whatever it is; returns the actor that has to stop.
    fn evict(&mut self, doc: DocumentId) -> Option<SharedAddress> {
        match self.slots.remove(&doc)? {
            Slot::Live { address, incarnation } => {
                self.forget(doc, incarnation);
                Some(address)
            }
            // What is read for them is stopped when it is there.
            Slot::Opening { waiting, .. } => {
                for waiter in waiting {
                    let _ = waiter.send(Err(purged(&doc)));
                }
                None
            }
            Slot::Quarantined { .. } => None,
        }
    }

    /// Removes a document's slot if it still belongs to this incarnation.
    fn vacate(&mut self, doc: &DocumentId, incarnation: u64) -> bool {
        let current =
            matches!(self.slots.get(doc), Some(Slot::Live { incarnation: live, .. }) if *live == incarnation);
        if current {
            self.slots.remove(doc);
        }
        current
    }
}

fn elsewhere(doc: &DocumentId) -> Refusal {
    Refusal {
        retry_after_ms: Some(500),
        ..Refusal::unavailable(format!("document {doc} is on another server"))
    }
}

fn purged(doc: &DocumentId) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("document {doc} is being purged"))
}

impl Actor for RegistryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(FORGIVE_AFTER, |registry, _| registry.forget_failures());
    }
}

impl Handler<Equip> for RegistryActor {
    type Result = ();

    fn handle(&mut self, Equip(shared): Equip, _: &mut Self::Context) {
        self.shared = Some(shared);
    }
}

impl Handler<Open> for RegistryActor {
    type Result = ResponseFuture<Answer>;

    fn handle(&mut self, open: Open, ctx: &mut Self::Context) -> Self::Result {
        let answered = self.open(open.doc, ctx);
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(stopping())) })
    }
}

impl Handler<Peek> for RegistryActor {
    type Result = MessageResult<Peek>;

    fn handle(&mut self, peek: Peek, _: &mut Self::Context) -> Self::Result {
        let live = |doc: &DocumentId| match self.slots.get(doc) {
            Some(Slot::Live { address, .. }) => Some(address.clone()),
            _ => None,
        };
        MessageResult(peek.docs.iter().map(live).collect())
    }
}

impl Handler<ListLive> for RegistryActor {
    type Result = MessageResult<ListLive>;

    fn handle(&mut self, _: ListLive, _: &mut Self::Context) -> Self::Result {
        let live = |(doc, slot): (&DocumentId, &Slot)| match slot {
            Slot::Live { address, .. } => Some((doc.clone(), address.clone())),
            _ => None,
        };
        MessageResult(self.slots.iter().filter_map(live).collect())
    }
}

impl Handler<Find> for RegistryActor {
    type Result = ResponseFuture<Option<SharedAddress>>;

    fn handle(&mut self, find: Find, _: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        match self.slots.get_mut(&find.doc) {
            Some(Slot::Live { address, .. }) => {
                let _ = answer.send(Ok(address.clone()));
            }
            Some(Slot::Opening { waiting, .. }) => waiting.push(answer),
            Some(Slot::Quarantined { .. }) | None => {}
        }
        Box::pin(async move { answered.await.ok()?.ok() })
    }
}

impl Handler<Opened> for RegistryActor {
    type Result = ();

    fn handle(&mut self, opened: Opened, ctx: &mut Self::Context) {
        self.loading -= 1;
        self.load_next(ctx);
        let slot = self.slots.entry(opened.doc.clone());
        let waiting = match slot {
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Slot::Opening { incarnation, waiting } if *incarnation == opened.incarnation => {
                    let waiting = std::mem::take(waiting);
                    slot.remove();
                    Some(waiting)
                }
                _ => None,
            },
            Entry::Vacant(_) => None,
        };
        let incarnation = opened.incarnation;
        let Some(waiting) = waiting else {
            // It was purged while it was being read.
            if let Ok(address) = opened.result {
                address.do_send(Stop);
            }
            return self.forget(opened.doc, incarnation);
        };
        if opened.result.is_err() {
            self.forget(opened.doc.clone(), incarnation);
        }
        let answer = match opened.result {
            Ok(address) => {
                let address = Arc::new(address);
                self.slots.insert(opened.doc, Slot::Live { incarnation, address: address.clone() });
                Ok(address)
            }
            Err(OpenError::Store(error)) => {
                if !matches!(error, StoreError::NotFound { .. }) {
                    let cause = &error as &dyn std::error::Error;
                    tracing::error!(document_id = %opened.doc, error = cause, "a document could not be read");
                }
                Err(Refusal::from(&error))
            }
            Err(OpenError::Panicked) => {
                tracing::error!(document_id = %opened.doc, "reading a document failed: it is quarantined");
                let slot = Slot::Quarantined { since: Instant::now(), _counted: Counted::new() };
                self.slots.insert(opened.doc, slot);
                Err(Refusal::unavailable("the document is quarantined: reading it failed"))
            }
        };
        for waiter in waiting {
            let _ = waiter.send(answer.clone());
        }
    }
}

impl Handler<Crashed> for RegistryActor {
    type Result = ();

    fn handle(&mut self, crashed: Crashed, _: &mut Self::Context) {
        self.vacate(&crashed.doc, crashed.incarnation);
        // Also when somebody has found the actor gone before it could be told, and it is being read again already.
        self.note_failure(&crashed.doc, crashed.culprit);
    }
}

impl Handler<Passivate> for RegistryActor {
    type Result = bool;

    fn handle(&mut self, passivate: Passivate, _: &mut Self::Context) -> bool {
        let gone = self.vacate(&passivate.doc, passivate.incarnation);
        if gone {
            self.forget(passivate.doc, passivate.incarnation);
        }
        gone
    }
}

impl Handler<Fenced> for RegistryActor {
    type Result = ();

    fn handle(&mut self, fenced: Fenced, _: &mut Self::Context) {
        if self.vacate(&fenced.doc, fenced.incarnation) {
            self.holdings.fenced(fenced.doc.shard());
            self.forget(fenced.doc, fenced.incarnation);
        }
    }
}

impl Handler<Release> for RegistryActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Release { shards }: Release, _: &mut Self::Context) -> Self::Result {
        let mut released = [false; SHARDS];
        shards.into_iter().for_each(|shard| released[usize::from(shard)] = true);
        let is_released = |doc: &DocumentId| released[usize::from(doc.shard())];
        let mut live = Vec::new();
        let slots: Vec<_> = self.slots.extract_if(|doc, _| is_released(doc)).collect();
        for (doc, slot) in slots {
            match slot {
                Slot::Live { address, incarnation } => {
                    self.forget(doc, incarnation);
                    live.push(address);
                }
                // What is read for them is stopped when it is there.
                Slot::Opening { waiting, .. } => waiting.into_iter().for_each(|waiter| {
                    let _ = waiter.send(Err(elsewhere(&doc)));
                }),
                Slot::Quarantined { .. } => {}
            }
        }
        self.failures.retain(|doc, _| !is_released(doc));
        Box::pin(async move {
            let told = stream::iter(live).map(|document| document.send(LeaveShard)).buffer_unordered(DRAINS);
            // A closed mailbox means that it has stopped already.
            let told = told.for_each(|_| ready(()));
            if tokio::time::timeout(RELEASES_WITHIN, told).await.is_err() {
                tracing::warn!("documents that other servers have do not stop: what they append is refused");
            }
        })
    }
}

impl Handler<Evict> for RegistryActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Evict { doc }: Evict, _: &mut Self::Context) -> Self::Result {
        *self.purging.entry(doc.clone()).or_default() += 1;
        let stopped = self.evict(doc).map(|address| address.send(Stop));
        Box::pin(async move {
            if let Some(stopped) = stopped {
                // A closed mailbox means that it has stopped already.
                let _ = stopped.await;
            }
        })
    }
}

impl Handler<PurgeEnded> for RegistryActor {
    type Result = ();

    fn handle(&mut self, PurgeEnded { doc }: PurgeEnded, _: &mut Self::Context) {
        if let Entry::Occupied(mut purging) = self.purging.entry(doc.clone()) {
            *purging.get_mut() -= 1;
            if *purging.get() > 0 {
                return;
            }
            purging.remove();
        }
        self.failures.remove(&doc);
        // Nobody can have opened it meanwhile. If somebody has all the same, it holds what the log may not hold any more.
        if let Some(address) = self.evict(doc) {
            address.do_send(Stop);
        }
    }
}

impl Handler<DrainAll> for RegistryActor {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, drain: DrainAll, _: &mut Self::Context) -> Self::Result {
        self.draining = true;
        let mut live = Vec::new();
        self.slots.retain(|_, slot| {
            match slot {
                Slot::Live { address, .. } => live.push(address.clone()),
                // What is being read is stopped when it is there; nothing has been done with it.
                Slot::Opening { waiting, .. } => waiting.drain(..).for_each(|waiter| {
                    let _ = waiter.send(Err(stopping()));
                }),
                Slot::Quarantined { .. } => {}
            }
            matches!(slot, Slot::Live { .. })
        });
        let mut missing = live.len();
        Box::pin(async move {
            let asked = stream::iter(live).map(|document| document.send(Drain)).buffer_unordered(DRAINS);
            let counted = asked.for_each(|complete| {
                missing -= usize::from(complete.unwrap_or(false));
                ready(())
            });
            // Whether the time was enough is told by what is missing.
            let _ = tokio::time::timeout(drain.within, counted).await;
            missing
        })
    }
}

impl Handler<Watch> for RegistryActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Watch, _: &mut Self::Context) -> Self::Result {
        while_alive()
    }
}

#[cfg(test)]
mod tests;
