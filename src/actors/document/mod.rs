//! The actor of one live document: it owns the canonical operation sequence and the set of sessions.
//!
//! The actor is a thin shell. [`DocumentState`] decides; the shell receives, calls it inside `catch_unwind`, and sends.
//! A panic ends this actor alone: its sessions are told, the registry makes a new one from what is durable.

pub mod broadcast;
mod catch_up;
mod checkpoints;
pub mod clients;
mod commits;
mod contents;
mod cursors;
mod examine;
mod gate;
mod joins;
pub mod messages;
pub mod operation;
pub mod presence;
pub mod rehydrate;
mod shared_presence;
pub mod state;
mod submits;
pub mod tail;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix::{WeakAddr, fut};
use tokio::sync::oneshot;

use self::commits::TOUCH_EVERY;
pub use self::commits::lost;
use self::contents::Contents;
use self::cursors::Walk;
pub use self::examine::{Dismiss, Examine, Examined, ExaminedSession, Retire};
use self::gate::Gate;
pub use self::messages::*;
use self::operation::{Key, SequencedOp};
use self::presence::Board;
use self::shared_presence::Telling;
use self::state::DocumentState;
use crate::actors::clock::Clock;
use crate::actors::error::Refusal;
use crate::actors::journal::JournalActor;
use crate::actors::rebase::Rebaser;
use crate::actors::registry::{Crashed, Passivate, RegistryActor};
use crate::actors::remote::Remote;
use crate::actors::service::{Live, Person, Reading};
use crate::actors::session::link::Link;
use crate::actors::session::{Detached, Ended, SessionActor, wire};
use crate::actors::snapshot::{SnapshotActor, SnapshotDue};
use crate::config::DocumentSettings;
use crate::ids::{ClientId, Millis, SessionId, UserId, Version};
use crate::metrics::METRICS;
use crate::protocol::{Peer, PeersMessage, ServerMessage, UserInfo, close};
use crate::storage::permissions::{Asker, SharedPermissions};
use crate::storage::{DocumentPatch, SharedStore};

/// How often presence is told to the others, at most (protocol section 4).
const PRESENCE_INTERVAL: Duration = Duration::from_millis(100);

/// How often an actor looks whether it is still needed.
const IDLE_CHECK: Duration = Duration::from_secs(5);

/// Messages that may wait for one document; beyond it sessions answer `unavailable` themselves.
const MAILBOX: usize = 4_096;

/// How long a document waits after a snapshot that failed: the next one would be packed for nothing with each edit.
const SNAPSHOT_REST: Duration = Duration::from_secs(5);

/// How long a document that drains waits before it asks again for a snapshot that found the queue full.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

/// Old snapshots are thinned after so many new ones.
const THIN_EVERY: u8 = 8;

/// Departures that are kept for a session that is behind; after more it is cut, and is told everything when it is back.
const MOST_GONE: usize = 256;

/// What every document actor of this server shares.
pub struct Shared {
    pub store: SharedStore,
    pub journal: Addr<JournalActor>,
    pub snapshots: Addr<SnapshotActor>,
    pub registry: Addr<RegistryActor>,
    pub rebaser: Rebaser,
    pub settings: Arc<DocumentSettings>,
    pub clock: Clock,
    /// Redis, if there is one.
    pub remote: Option<Remote>,
    /// What is said of people; without it there are owners and addresses alone.
    pub permissions: Option<SharedPermissions>,
    /// Called with every submission before the state machine: lets tests inject a panic.
    pub probe: Option<Probe>,
}

/// See [`Shared::probe`].
pub type Probe = Arc<dyn Fn(&operation::Submission) + Send + Sync>;

/// Tells a REST caller what became of its operation.
type Waiter = oneshot::Sender<Result<Version, Refusal>>;

/// A session that takes part.
struct Attached {
    address: WeakAddr<SessionActor>,
    link: Arc<Link>,
    client: ClientId,
    user: UserId,
    person: Arc<UserInfo>,
    receipts: bool,
    pass: Pass,
    /// The `seq` of its operation that is being transformed off the actor.
    rebasing: Option<u64>,
    /// Its cursor is on its way through the log.
    walk: Option<Box<Walk>>,
    /// Sessions that ended while this one was behind, which it has not been told.
    gone: Vec<Peer>,
}

/// See the module's documentation.
pub struct DocumentActor {
    shared: Arc<Shared>,
    incarnation: u64,
    state: DocumentState,
    gate: Gate,
    /// Boxed, since the map keeps room for more of them than most documents have.
    sessions: HashMap<SessionId, Box<Attached>>,
    board: Board,
    telling: Telling,
    /// REST callers who wait for their operation to become durable: several when it came more than once.
    waiting: HashMap<Key, Vec<Waiter>>,
    /// Operations that are being transformed off this actor.
    rebasing: usize,
    /// Durable operations that have not been broadcast, because the last broadcast was just now, and when their frames had
    /// arrived.
    unsent: Vec<(Arc<SequencedOp>, Instant)>,
    /// Before this time no further broadcast begins, see [`DocumentSettings::delivery_cost`].
    rest_until: Instant,
    broadcast_due: bool,
    presence_due: bool,
    /// When presence was last told: the first after a pause goes out at once.
    presence_told: Instant,
    /// When the append that the journal has was handed over.
    append_since: Option<Instant>,
    contents: Contents,
    snapshot: Snapshotting,
    /// When the last snapshot failed.
    snapshot_failed: Option<Instant>,
    last_used: Instant,
    /// Answered when everything is durable and in a snapshot.
    draining: Vec<oneshot::Sender<bool>>,
    /// Who waits for a snapshot.
    checkpoints: Vec<checkpoints::Waiting>,
    /// When `updated_at` was last written.
    touched: Millis,
    /// The first line that lists show, if it is known.
    shown: Option<String>,
    /// The version of the last snapshot that was written.
    snapshotted: Version,
    /// Snapshots since the old ones were last thinned, below [`THIN_EVERY`].
    unthinned: u8,
    /// What this document has added to the metric of operations in no snapshot.
    reported_lag: i64,
    /// Its end has been asked for, or whoever has to know of it does.
    ending: bool,
}

/// Where the document is with its snapshots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Snapshotting {
    Idle,
    /// One is being written; if it fails, this was the version of the one before.
    Writing {
        previous: Version,
    },
}

impl DocumentActor {
    /// Starts the actor on the current thread.
    pub fn begin(birth: Birth, shared: Arc<Shared>) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(MAILBOX);
            Self {
                incarnation: birth.incarnation,
                touched: birth.state.at,
                shown: Some(birth.state.preview.clone()),
                snapshotted: birth.state.snapshot_version,
                // Nobody knows how many there are: the first new one tells.
                unthinned: if birth.state.snapshot_version > 0 { THIN_EVERY - 1 } else { 0 },
                reported_lag: 0,
                ending: false,
                gate: Gate::new(birth.state.link, birth.state.access_changes),
                state: DocumentState::new(birth.state, shared.settings.clone()),
                shared,
                sessions: HashMap::new(),
                board: Board::default(),
                telling: Telling::default(),
                waiting: HashMap::new(),
                rebasing: 0,
                unsent: Vec::new(),
                rest_until: Instant::now(),
                broadcast_due: false,
                presence_due: false,
                presence_told: Instant::now(),
                append_since: None,
                contents: Contents::default(),
                snapshot: Snapshotting::Idle,
                snapshot_failed: None,
                last_used: Instant::now(),
                draining: Vec::new(),
                checkpoints: Vec::new(),
            }
        })
    }

    /// Calls the state machine. A panic in it ends this actor: `culprit` is the operation that it was working on.
    fn guarded<R>(
        &mut self,
        ctx: &mut Context<Self>,
        culprit: Option<(ClientId, u64)>,
        work: impl FnOnce(&mut Self) -> R,
    ) -> Option<R> {
        // What a panic leaves half done is thrown away with the actor: only storage survives it.
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(result) => Some(result),
            Err(_) => {
                self.crash(ctx, culprit);
                None
            }
        }
    }

    /// Ends this actor; a new one is made from what is durable, and the sessions attach to it.
    fn crash(&mut self, ctx: &mut Context<Self>, culprit: Option<(ClientId, u64)>) {
        self.let_go(culprit);
        ctx.stop();
    }

    /// Tells the registry that this actor has failed, and every session, each of which will ask for the document again.
    fn let_go(&mut self, culprit: Option<(ClientId, u64)>) {
        self.ending = true;
        METRICS.crashes.inc();
        tracing::error!(document_id = %self.state.id, ?culprit, "a document actor failed and is replaced");
        self.shared.registry.do_send(Crashed {
            doc: self.state.id.clone(),
            incarnation: self.incarnation,
            culprit,
        });
        for attached in self.sessions.values() {
            attached.notify(Detached { incarnation: self.incarnation });
        }
        self.sessions.clear();
        self.waiting.clear();
    }

    fn schedule_presence(&mut self, ctx: &mut Context<Self>) {
        if self.presence_due || !self.board.has_changes() {
            return;
        }
        self.presence_due = true;
        let wait = PRESENCE_INTERVAL.saturating_sub(self.presence_told.elapsed());
        ctx.run_later(wait, |actor, ctx| {
            actor.presence_due = false;
            actor.presence_told = Instant::now();
            // Cursors are in the coordinates of the durable head, so nobody may be behind it by a broadcast.
            actor.broadcast_now();
            let peers = actor.board.take_changes(actor.state.version());
            actor.tell_presence(peers);
            actor.share_presence(ctx);
        });
    }

    /// Tells everybody what has changed. For those who are behind, who is gone is kept: who is there they are told when
    /// they have caught up.
    fn tell_presence(&mut self, peers: Vec<Peer>) {
        if peers.is_empty() {
            return;
        }
        let frame = PeersMessage { peers };
        let bytes = wire::message(&ServerMessage::Presence(frame.clone()));
        if let Some(remote) = &self.shared.remote {
            remote.channel.publish(&self.state.id, &bytes);
        }
        for attached in self.sessions.values_mut() {
            if attached.link.outbox.push_presence(&bytes) {
                continue;
            }
            attached.gone.extend(frame.peers.iter().filter(|peer| peer.state.is_none()).cloned());
            if attached.gone.len() > MOST_GONE {
                METRICS.dropped.with_label_values(&["overflow"]).inc();
                attached.link.cut();
            }
        }
    }

    /// Writes a first line that has changed after the last touch, when the writing has stopped: as long as it goes on, the
    /// next touch takes it along for nothing.
    fn show_first_line(&mut self, ctx: &mut Context<Self>) {
        let quiet = self.shared.clock.now() - self.state.at() >= TOUCH_EVERY;
        if !quiet || !self.state.is_settled() || self.state.deleted {
            return;
        }
        let Some(preview) = self.new_preview() else { return };
        let (store, doc) = (self.shared.store.clone(), self.state.id.clone());
        let patch = DocumentPatch { preview: Some(preview), ..DocumentPatch::default() };
        let written = async move { store.patch_document(&Asker::Server, &doc, &patch).await };
        ctx.spawn(fut::wrap_future(written).map(|outcome, actor: &mut Self, _| {
            if let Err(error) = outcome {
                tracing::warn!(document_id = %actor.state.id, %error, "the first line was not written");
                actor.shown = None;
            }
        }));
    }

    /// Passivates the document when nobody has used it for a while, after a last snapshot.
    fn check_idle(&mut self, ctx: &mut Context<Self>) {
        self.show_first_line(ctx);
        self.share_presence(ctx);
        let idle_for = self.last_used.elapsed();
        if !self.sessions.is_empty() {
            if idle_for > self.shared.settings.passivate_after {
                self.state.shrink();
                self.contents.forget_taken();
            }
            return;
        }
        let busy = !self.state.is_settled() || self.rebasing > 0 || self.snapshot != Snapshotting::Idle;
        if busy || idle_for < self.shared.settings.passivate_after {
            return;
        }
        // One that has just failed may go on failing for hours: the log has everything.
        if self.state.snapshot_version() < self.state.version() && !self.snapshot_rests() {
            self.begin_snapshot(ctx);
            return;
        }
        // The registry forgets the document first, so that no new session finds an actor that is about to stop.
        let passivate = Passivate { doc: self.state.id.clone(), incarnation: self.incarnation };
        let asked = self.shared.registry.send(passivate).into_actor(self);
        ctx.wait(asked.map(|answer, actor, ctx| {
            // `false`: the registry does not know this actor any more, and nobody will find it either.
            if answer.is_ok() && actor.sessions.is_empty() {
                actor.ending = true;
                ctx.stop();
            }
        }));
    }

    /// Tells whether a snapshot failed a moment ago, and none is asked for by itself.
    fn snapshot_rests(&self) -> bool {
        self.snapshot_failed.is_some_and(|failed| failed.elapsed() < SNAPSHOT_REST)
    }

    fn begin_snapshot(&mut self, ctx: &mut Context<Self>) {
        if self.snapshot != Snapshotting::Idle {
            return;
        }
        let previous = self.state.snapshot_version();
        let due = SnapshotDue {
            doc: self.state.id.clone(),
            history: self.state.history,
            version: self.state.version(),
            at: self.state.at(),
            content: self.state.content().clone(),
            thin: self.unthinned + 1 >= THIN_EVERY,
            reply: ctx.address(),
        };
        // A full queue means that snapshots are behind: the log has everything, and the next commit asks again.
        if self.shared.snapshots.try_send(due).is_ok() {
            self.state.snapshot_begun();
            self.snapshot = Snapshotting::Writing { previous };
        }
    }

    fn finish_drain(&mut self, ctx: &mut Context<Self>) {
        if self.draining.is_empty() || !self.state.is_settled() || self.snapshot != Snapshotting::Idle {
            return;
        }
        if self.state.snapshot_version() < self.state.version() {
            self.begin_snapshot(ctx);
            if self.snapshot == Snapshotting::Idle {
                self.drain_again(ctx);
            }
            return;
        }
        self.answer_drain(true);
    }

    /// Asks for the last snapshot once more after a pause: thousands of documents do so at once when the server stops.
    fn drain_again(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(DRAIN_PAUSE, Self::finish_drain);
    }

    fn answer_drain(&mut self, complete: bool) {
        for waiter in self.draining.drain(..) {
            // Whoever asked may have given up by now.
            let _ = waiter.send(complete);
        }
    }

    /// Keeps the metric of operations in no snapshot.
    fn report_lag(&mut self) {
        let lag = (self.state.version() - self.snapshotted) as i64;
        METRICS.snapshot_lag.add(lag - self.reported_lag);
        self.reported_lag = lag;
    }

    /// Ends all sessions of a document that was deleted.
    fn end_sessions(&mut self) {
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            if let Some(attached) = self.sessions.get(&session) {
                attached.link.outbox.close([wire::close(close::DELETED, "document deleted")]);
                attached.notify(Ended);
                METRICS.dropped.with_label_values(&["deleted"]).inc();
            }
            self.remove_session(session);
        }
    }

    /// The first line of the durable text, at most 120 characters.
    fn live(&self) -> Live {
        let mut people: Vec<Person> = Vec::new();
        for attached in self.sessions.values() {
            if people.len() < 20 && people.iter().all(|p| p.id != attached.person.id) {
                people.push(Person::from(&*attached.person));
            }
        }
        people.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
        Live {
            version: self.state.version(),
            at: self.state.at(),
            preview: crate::storage::first_line(self.state.content()),
            sessions: self.sessions.len(),
            people,
        }
    }
}

impl Actor for DocumentActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        METRICS.documents.inc();
        ctx.run_interval(IDLE_CHECK.min(self.shared.settings.passivate_after), Self::check_idle);
    }
}

impl Drop for DocumentActor {
    fn drop(&mut self) {
        METRICS.documents.dec();
        METRICS.snapshot_lag.sub(self.reported_lag);
        tracing::debug!(document_id = %self.state.id, incarnation = self.incarnation, "document left memory");
        // A panic outside of the state machine has ended the actor without a word. The registry has to know of it also when
        // there are no sessions: the next one to ask would be given a new actor at once, again and again.
        if !self.ending {
            self.let_go(None);
        }
    }
}

impl Handler<Leave> for DocumentActor {
    type Result = ();

    fn handle(&mut self, leave: Leave, ctx: &mut Self::Context) {
        self.remove_session(leave.session);
        self.schedule_presence(ctx);
    }
}

impl Handler<Read> for DocumentActor {
    type Result = MessageResult<Read>;

    fn handle(&mut self, _: Read, _: &mut Self::Context) -> Self::Result {
        self.last_used = Instant::now();
        MessageResult(Reading {
            history: self.state.history,
            version: self.state.version(),
            at: self.state.at(),
            content: self.state.content().clone(),
        })
    }
}

impl Handler<Inspect> for DocumentActor {
    type Result = MessageResult<Inspect>;

    fn handle(&mut self, _: Inspect, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.live())
    }
}

impl Handler<Who> for DocumentActor {
    type Result = MessageResult<Who>;

    fn handle(&mut self, _: Who, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.board.peers(self.state.version()))
    }
}

impl Handler<RowChanged> for DocumentActor {
    type Result = ();

    fn handle(&mut self, changed: RowChanged, ctx: &mut Self::Context) {
        if self.state.archived != changed.archived {
            self.state.archived = changed.archived;
            self.tell_roles(ctx);
        }
        self.state.deleted = changed.deleted;
        if changed.deleted {
            self.end_sessions();
            self.schedule_presence(ctx);
        }
    }
}

impl Handler<Stop> for DocumentActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.ending = true;
        self.end_sessions();
        ctx.stop();
    }
}

impl Handler<SnapshotDone> for DocumentActor {
    type Result = ();

    fn handle(&mut self, done: SnapshotDone, ctx: &mut Self::Context) {
        if let Snapshotting::Writing { previous } = self.snapshot {
            if let SnapshotOutcome::Written { bytes } = done.outcome {
                self.state.snapshot_written(bytes);
                self.unthinned = (self.unthinned + 1) % THIN_EVERY;
                // It wrote its own first line, which may be older than what was shown.
                self.shown = None;
                self.snapshotted = done.version;
                self.report_lag();
            } else {
                self.state.snapshot_failed(previous);
            }
        }
        self.snapshot = Snapshotting::Idle;
        self.snapshot_failed = (done.outcome == SnapshotOutcome::Failed).then(Instant::now);
        match done.outcome {
            SnapshotOutcome::Written { .. } => self.finish_drain(ctx),
            // Whoever waits for the drain waits no longer, the log has everything.
            SnapshotOutcome::Failed => self.answer_drain(false),
            SnapshotOutcome::Refused if self.draining.is_empty() => {}
            SnapshotOutcome::Refused => self.drain_again(ctx),
        }
        match done.outcome {
            SnapshotOutcome::Written { .. } => self.advance_checkpoints(ctx),
            SnapshotOutcome::Failed | SnapshotOutcome::Refused => self.refuse_checkpoints(),
        }
    }
}

impl Handler<Drain> for DocumentActor {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        // Nobody needs to hear of what comes after this: the server stops.
        self.ending = true;
        let (done, waited) = oneshot::channel();
        self.draining.push(done);
        self.finish_drain(ctx);
        // An answer that was dropped: the actor has failed.
        Box::pin(async move { waited.await.unwrap_or(false) })
    }
}

impl Handler<Reported> for DocumentActor {
    type Result = ();

    fn handle(&mut self, reported: Reported, ctx: &mut Self::Context) {
        if reported.incarnation != self.incarnation {
            return;
        }
        match reported.report {
            Report::InDoubt => self.doubt(),
            Report::Settled { durable, refused } => self.settle(durable, refused, ctx),
        }
    }
}
