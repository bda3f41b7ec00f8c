//! Group commit over all documents: durable before acknowledged.
//!
//! A batch is whatever arrived while the commit before it ran, so a single edit on an idle server is not delayed. Batch
//! n + 1 is never sent before n is settled, and a commit has three outcomes: durable, refused, and unknown, which
//! [`settle`] turns into one of the other two before anything else is written.

mod bare;
mod batch;
mod settle;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

#[doc(hidden)]
pub use self::bare::BareJournal;
use self::batch::{Batch, Outcome};
use crate::actors::document::state::IN_DOUBT;
use crate::actors::document::{AppendRefused, Report, Reported};
use crate::actors::error::Refusal;
use crate::actors::projector::Ends;
use crate::actors::publisher::{Committed, Window};
use crate::actors::watch::{Watch, while_alive};
use crate::ids::{DocumentId, Epoch, HistoryId, SHARDS, Shard};
use crate::metrics::METRICS;
use crate::storage::cluster::Taken;
use crate::storage::{AppendEntry, LoggedOp, NewDocument, ShardOp, SharedStore, StoreError};

/// Appends that may wait; beyond it documents are told `unavailable`.
const QUEUE: usize = 50_000;

/// Operations that one commit takes at most.
const BATCH_OPS: usize = 4_096;

/// Bytes of deltas that one commit takes at most, beyond its first append.
const BATCH_BYTES: usize = 8 << 20;

/// When batches have had so many operations of late, the next one waits [`GATHER`] for more: a commit costs nearly the
/// same for one as for many, and most of what it costs is not the disk's time but the server's.
const LARGE_BATCH: f64 = 4.0;
const GATHER: Duration = Duration::from_millis(2);

/// When nothing has arrived for so long after a commit, what batches were like is forgotten: a single edit on a server
/// that has become idle is committed at once.
const LULL: Duration = Duration::from_millis(10);

/// A commit that takes so long hangs, for those who ask whether the server is well.
const HANGS_AFTER: Duration = Duration::from_secs(2);

/// Operations of one document, to be made durable.
///
/// Sent by its `DocumentActor`, at most one at a time. Answered by [`Reported`], always; a full mailbox refuses it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Append {
    pub doc: DocumentId,
    pub history: HistoryId,
    pub incarnation: u64,
    pub ops: Vec<LoggedOp>,
    pub touch: bool,
    /// See [`AppendEntry::preview`].
    pub preview: Option<String>,
    pub reply: Recipient<Reported>,
}

/// A document to be made, with its first operation if it has content. Sent by the service.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct Create {
    pub doc: DocumentId,
    pub new: NewDocument,
    pub first: Option<LoggedOp>,
}

/// A document is about to be rehydrated: answered when every append of its older incarnations is settled; later ones
/// are refused. Sent by the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Barrier {
    pub doc: DocumentId,
    pub incarnation: u64,
}

/// A document has left memory. Sent by the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forget {
    pub doc: DocumentId,
    pub incarnation: u64,
}

/// Answered when everything that is queued or being committed by now is settled; what comes after it does not hold it
/// up. Sent by the service before a purge, and by the application when it stops.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Flush;

/// Somebody wants to know whether edits get through: refused while they do not. Sent by the service, for `/readyz`.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct CheckHealth;

/// From now on this node has other shards. Sent by the rounds of the cluster; answered when it holds, which is after the commit that is
/// under way.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Assign {
    pub taken: Vec<Taken>,
    pub lost: Vec<Shard>,
}

/// The outcome of a commit is not known, and storage does not tell. Sent by the journal's own commit.
#[derive(Message)]
#[rtype(result = "()")]
struct InDoubt {
    /// See [`JournalActor::commits`].
    commit: u64,
}

/// Who waits for one part of a batch.
enum ReplyTo {
    Document {
        incarnation: u64,
        recipient: Recipient<Reported>,
    },
    /// `None` when it waits no longer.
    Creator(Option<oneshot::Sender<Result<(), Refusal>>>),
}

/// One document's part of a batch, waiting.
struct Queued {
    doc: DocumentId,
    history: HistoryId,
    create: Option<NewDocument>,
    ops: Vec<LoggedOp>,
    touch: bool,
    preview: Option<String>,
    reply: ReplyTo,
}

/// See the module's documentation.
pub struct JournalActor {
    store: SharedStore,
    node: String,
    /// 0 for a shard that this node does not have.
    epochs: Box<[Epoch; SHARDS]>,
    /// The last position given in each shard's log.
    positions: Box<[u64; SHARDS]>,
    queue: VecDeque<Queued>,
    /// How many appends have ever been queued.
    queued: u64,
    /// The documents of the batch that is being committed.
    committing: Option<Vec<DocumentId>>,
    /// When the last commit began, and when it was settled.
    began: Instant,
    settled: Instant,
    /// Counts the commits, so that one which is over is not taken for the current one.
    commits: u64,
    /// Nobody knows what became of the current commit: until that is known, nothing is taken.
    in_doubt: bool,
    gathering: bool,
    /// Operations in a batch, on an average in which the newest counts an eighth.
    usual_batch: f64,
    /// The newest incarnation of each live document.
    incarnations: HashMap<DocumentId, u64>,
    /// Who waits for the current commit to settle.
    barriers: Vec<oneshot::Sender<()>>,
    /// Who waits for so many of the appends that were queued to be settled, in order.
    flushes: VecDeque<(u64, oneshot::Sender<()>)>,
    /// What is to hold after the current commit, in order, and who waits for that.
    assigned: Vec<(Assign, oneshot::Sender<()>)>,
    /// Who is told what was committed.
    window: Option<Arc<Window>>,
    /// Where it is told how far the logs have come.
    ends: Option<Arc<Ends>>,
}

impl JournalActor {
    /// Makes the journal of the node that owns every shard at `epochs`.
    ///
    /// # Errors
    /// When storage cannot tell where the shards' logs end.
    pub async fn new(
        store: SharedStore,
        node: String,
        epochs: Box<[Epoch; SHARDS]>,
    ) -> Result<Self, StoreError> {
        let positions = store.last_positions().await?;
        Ok(Self::beginning(store, node, epochs, positions))
    }

    /// Makes the journal of a node that has no shard yet, see [`Assign`].
    pub fn of_nothing(store: SharedStore, node: String) -> Self {
        Self::beginning(store, node, Box::new([0; SHARDS]), Box::new([0; SHARDS]))
    }

    fn beginning(
        store: SharedStore,
        node: String,
        epochs: Box<[Epoch; SHARDS]>,
        positions: Box<[u64; SHARDS]>,
    ) -> Self {
        Self {
            store,
            node,
            epochs,
            positions,
            queue: VecDeque::new(),
            queued: 0,
            committing: None,
            began: Instant::now(),
            settled: Instant::now(),
            commits: 0,
            in_doubt: false,
            gathering: false,
            usual_batch: 0.0,
            incarnations: HashMap::new(),
            barriers: Vec::new(),
            flushes: VecDeque::new(),
            assigned: Vec::new(),
            window: None,
            ends: None,
        }
    }

    /// Tells from now on where the logs end.
    pub fn tell(mut self, ends: Arc<Ends>) -> Self {
        ends.tell(&self.positions);
        self.ends = Some(ends);
        self
    }

    /// Hands on what is committed from now on, and where the logs end.
    pub fn hand_on_to(mut self, window: Arc<Window>) -> Self {
        window.hand_on([], &self.positions);
        self.window = Some(window);
        self
    }

    fn push(&mut self, queued: Queued, ctx: &mut Context<Self>) {
        if self.in_doubt {
            queued.reply.refuse(AppendRefused::Unavailable(IN_DOUBT.into()));
            return;
        }
        if self.queue.len() >= QUEUE {
            queued.reply.refuse(AppendRefused::Unavailable("storage is behind".into()));
            return;
        }
        self.queue.push_back(queued);
        self.queued += 1;
        METRICS.journal_queue.set(self.queue.len() as i64);
        self.begin_soon(ctx);
    }

    fn begin_soon(&mut self, ctx: &mut Context<Self>) {
        if self.committing.is_some() || self.gathering || self.queue.is_empty() {
            return;
        }
        if self.settled.elapsed() >= LULL {
            self.usual_batch = 0.0;
        }
        if self.usual_batch >= LARGE_BATCH && self.queue.len() < BATCH_OPS {
            self.gathering = true;
            ctx.run_later(GATHER, |journal, ctx| {
                journal.gathering = false;
                journal.begin(ctx);
            });
        } else {
            self.begin(ctx);
        }
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        let Some(batch) = self.take_batch() else {
            self.release_flushes();
            return;
        };
        self.committing = Some(batch.entries.iter().map(|entry| entry.doc.clone()).collect());
        self.began = Instant::now();
        self.commits += 1;
        let operations = batch.operations() as f64;
        self.usual_batch += (operations - self.usual_batch) / 8.0;
        METRICS.batch.observe(operations);
        METRICS.journal_queue.set(self.queue.len() as i64);
        let (journal, commit) = (ctx.address(), self.commits);
        let doubt = move || journal.do_send(InDoubt { commit });
        let commit = settle::commit(self.store.clone(), self.node.clone(), batch, doubt);
        ctx.spawn(
            fut::wrap_future(commit).map(|outcome, journal: &mut Self, ctx| journal.settle(outcome, ctx)),
        );
    }

    /// Takes from the front of the queue what one commit may hold. An append of an incarnation that is gone is refused:
    /// its successor has read the log already.
    fn take_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::new(&self.epochs, &self.positions);
        while let Some(next) = self.queue.front() {
            let full =
                batch.operations() + next.ops.len() > BATCH_OPS || batch.bytes() + next.bytes() > BATCH_BYTES;
            if full && !batch.is_empty() {
                break;
            }
            let Some(queued) = self.queue.pop_front() else { break };
            if self.epochs[usize::from(queued.doc.shard())] == 0 {
                queued.reply.refuse(AppendRefused::Fenced);
            } else if self.is_current(&queued) {
                batch.push(queued);
            } else {
                queued.reply.refuse(AppendRefused::Conflict("a newer actor owns the document".into()));
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    fn is_current(&self, queued: &Queued) -> bool {
        match &queued.reply {
            ReplyTo::Document { incarnation, .. } => {
                self.incarnations.get(&queued.doc).is_none_or(|newest| newest == incarnation)
            }
            ReplyTo::Creator(_) => true,
        }
    }

    fn settle(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        self.committing = None;
        self.settled = Instant::now();
        self.in_doubt = false;
        self.epochs = outcome.epochs;
        self.positions = outcome.positions;
        if let Some(window) = &self.window {
            let committed = outcome.committed.into_iter().flat_map(|(entry, history)| placed(entry, history));
            window.hand_on(committed, &self.positions);
        }
        if let Some(ends) = &self.ends {
            ends.tell(&self.positions);
        }
        for (assign, holds) in std::mem::take(&mut self.assigned) {
            self.assign(assign);
            // It may have given up.
            let _ = holds.send(());
        }
        for (reply, durable, refused) in outcome.answers {
            reply.settle(durable, refused);
        }
        for waiter in self.barriers.drain(..) {
            // It may have given up.
            let _ = waiter.send(());
        }
        self.release_flushes();
        self.begin_soon(ctx);
    }

    /// What is lost is appended to no more, and nobody is told of its end: others know it.
    fn assign(&mut self, Assign { taken, lost }: Assign) {
        for shard in lost.into_iter().map(usize::from) {
            (self.epochs[shard], self.positions[shard]) = (0, 0);
        }
        for one in &taken {
            let shard = usize::from(one.shard);
            (self.epochs[shard], self.positions[shard]) = (one.epoch, one.position);
        }
        if let Some(window) = &self.window {
            window.begin_again(taken.iter().map(|one| one.shard), &self.positions);
        }
        if let Some(ends) = &self.ends {
            ends.tell(&self.positions);
        }
    }

    /// Answers those flushes before which everything is settled. Called while nothing is being committed: whatever has
    /// left the queue is settled then.
    fn release_flushes(&mut self) {
        let settled = self.queued - self.queue.len() as u64;
        while let Some((_, waiter)) = self.flushes.pop_front_if(|(upto, _)| *upto <= settled) {
            let _ = waiter.send(());
        }
    }
}

/// The operations of an entry as others are to have them.
fn placed(entry: AppendEntry, history: HistoryId) -> impl Iterator<Item = Committed> {
    let AppendEntry { doc, epoch, first_pos, ops, .. } = entry;
    let shard = doc.shard();
    ops.into_iter().zip(first_pos..).map(move |(op, pos)| {
        let placed = ShardOp { pos, doc: doc.clone(), history, op };
        Committed { shard, epoch, placed }
    })
}

impl Queued {
    fn bytes(&self) -> usize {
        self.ops.iter().map(|op| op.delta.len()).sum()
    }
}

impl ReplyTo {
    fn refuse(self, why: AppendRefused) {
        self.settle(0, Some(why));
    }

    /// Says that the answer may be long in coming. Who waits for a new document is not kept waiting.
    fn doubt(&mut self) {
        match self {
            Self::Document { incarnation, recipient } => {
                recipient.do_send(Reported { incarnation: *incarnation, report: Report::InDoubt });
            }
            Self::Creator(waiting) => {
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(Err(Refusal::unavailable(IN_DOUBT)));
                }
            }
        }
    }

    /// Answers, once. The answer to a document ignores the bound of its mailbox: there is one per append, and losing it
    /// would leave the document waiting for ever.
    fn settle(self, durable: usize, refused: Option<AppendRefused>) {
        match self {
            Self::Document { incarnation, recipient } => {
                recipient.do_send(Reported { incarnation, report: Report::Settled { durable, refused } });
            }
            Self::Creator(None) => {}
            Self::Creator(Some(waiting)) => {
                // The caller may have gone away; the document is there or not all the same.
                let _ = waiting.send(refused.map_or(Ok(()), |why| Err(why.into())));
            }
        }
    }
}

impl From<AppendRefused> for Refusal {
    fn from(why: AppendRefused) -> Self {
        match why {
            AppendRefused::Unavailable(why) => Self::unavailable(why),
            AppendRefused::Conflict(why) => Self::new(crate::actors::error::ErrorCode::Conflict, why),
            AppendRefused::Fenced => Self::unavailable("another node owns the document's shard"),
        }
    }
}

impl Actor for JournalActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(QUEUE);
    }
}

impl Handler<Append> for JournalActor {
    type Result = ();

    fn handle(&mut self, append: Append, ctx: &mut Self::Context) {
        let reply = ReplyTo::Document { incarnation: append.incarnation, recipient: append.reply };
        let Append { doc, history, ops, touch, preview, .. } = append;
        self.push(Queued { doc, history, create: None, ops, touch, preview, reply }, ctx);
    }
}

impl Handler<Create> for JournalActor {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, create: Create, ctx: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        let ops = create.first.into_iter().collect();
        let reply = ReplyTo::Creator(Some(answer));
        self.push(
            Queued {
                doc: create.doc,
                history: create.new.history,
                create: Some(create.new),
                ops,
                touch: false,
                preview: None,
                reply,
            },
            ctx,
        );
        Box::pin(async move {
            answered.await.unwrap_or_else(|_| Err(Refusal::unavailable("the journal has stopped")))
        })
    }
}

impl Handler<InDoubt> for JournalActor {
    type Result = ();

    fn handle(&mut self, doubt: InDoubt, _: &mut Self::Context) {
        if self.committing.is_none() || self.commits != doubt.commit {
            return;
        }
        self.in_doubt = true;
        for queued in self.queue.drain(..) {
            queued.reply.refuse(AppendRefused::Unavailable(IN_DOUBT.into()));
        }
        METRICS.journal_queue.set(0);
    }
}

impl Handler<Barrier> for JournalActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, barrier: Barrier, _: &mut Self::Context) -> Self::Result {
        let under_way = self.committing.as_ref().is_some_and(|docs| docs.contains(&barrier.doc));
        self.incarnations.insert(barrier.doc, barrier.incarnation);
        if !under_way {
            return Box::pin(std::future::ready(()));
        }
        let (settled, waiting) = oneshot::channel();
        self.barriers.push(settled);
        Box::pin(async move {
            let _ = waiting.await;
        })
    }
}

impl Handler<Forget> for JournalActor {
    type Result = ();

    fn handle(&mut self, forget: Forget, _: &mut Self::Context) {
        if self.incarnations.get(&forget.doc) == Some(&forget.incarnation) {
            self.incarnations.remove(&forget.doc);
        }
    }
}

impl Handler<Assign> for JournalActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, assign: Assign, _: &mut Self::Context) -> Self::Result {
        if self.committing.is_none() {
            self.assign(assign);
            return Box::pin(std::future::ready(()));
        }
        let (holds, waiting) = oneshot::channel();
        self.assigned.push((assign, holds));
        Box::pin(async move {
            let _ = waiting.await;
        })
    }
}

impl Handler<Flush> for JournalActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        if self.committing.is_none() && self.queue.is_empty() {
            return Box::pin(std::future::ready(()));
        }
        let (flushed, waiting) = oneshot::channel();
        self.flushes.push_back((self.queued, flushed));
        Box::pin(async move {
            let _ = waiting.await;
        })
    }
}

impl Handler<CheckHealth> for JournalActor {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, _: CheckHealth, _: &mut Self::Context) -> Self::Result {
        if self.in_doubt {
            return Err(Refusal::unavailable(IN_DOUBT));
        }
        if self.committing.is_some() && self.began.elapsed() > HANGS_AFTER {
            return Err(Refusal::unavailable("a commit does not come to its end"));
        }
        Ok(())
    }
}

impl Handler<Watch> for JournalActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Watch, _: &mut Self::Context) -> Self::Result {
        while_alive()
    }
}
