//! What HTTP may ask of the actors: the one door between `http` and `actors`.

mod blame;
mod comments;
mod compare;
mod repeats;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use futures_util::future::{BoxFuture, join, join_all};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use self::blame::Blame;
pub use self::comments::{About, NewComment};
pub use self::compare::Placing;
pub use self::repeats::RepeatError;
pub use self::versions::{KeptVersion, Named};
use crate::actors::clock::Clock;
use crate::actors::cluster::Holdings;
use crate::actors::document::operation::{SequencedOp, Submission};
use crate::actors::document::{DocumentActor, Inspect, Read, RecallAndWait, RowChanged, SubmitAndWait, Who};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::flights::Flights;
use crate::actors::journal::{CheckHealth, Create, Flush, JournalActor};
use crate::actors::registry::{Evict, Find, Open, Peek, PurgeEnded, RegistryActor, SharedAddress};
use crate::actors::remote::Remote;
use crate::actors::session::frames::refuse_delta;
use crate::actors::turnstile::Turnstile;
use crate::config::Limits;
use crate::ids::{ClientId, DocumentId, HistoryId, Millis, Shard, UserId, Version};
use crate::metrics::METRICS;
use crate::ot::{Delta, Document};
use crate::protocol::{Peer, Role};
use crate::storage::annotations::{Repeat, SharedAnnotations};
use crate::storage::cache::{Content, OPERATIONS, Place, Range};
use crate::storage::first_line;
use crate::storage::permissions::Asker;
use crate::storage::{
    DocumentPatch, DocumentRow, ListQuery, LoggedOp, NewDocument, SharedStore, SnapshotBodies, history,
};

/// A document to be made.
pub struct CreateDocument {
    /// Without one the server makes it.
    pub id: Option<DocumentId>,
    pub title: String,
    /// Initial content: becomes version 1, an operation by the creator.
    pub content: Option<Delta>,
    pub owner: UserId,
    /// What whoever has its address may do.
    pub link: Option<Role>,
}

/// A document's content at a version.
#[derive(Clone)]
pub struct Reading {
    pub history: HistoryId,
    pub version: Version,
    /// When the version was made; 0 at version 0.
    pub at: Millis,
    pub content: Document,
}

/// An operation that came by REST.
pub struct RestOperation {
    pub doc: DocumentId,
    pub client: ClientId,
    pub seq: u64,
    pub user: UserId,
    pub base: Version,
    pub delta: Delta,
}

/// Somebody who has a document open.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: UserId,
    pub name: String,
    pub color: String,
}

/// What a live document adds to its row.
#[derive(Clone, Debug)]
pub struct Live {
    pub version: Version,
    /// `at` of the last operation, 0 without one.
    pub at: Millis,
    /// First line of text, at most 120 characters.
    pub preview: String,
    pub sessions: usize,
    /// Who has it open, each user once, at most 20.
    pub people: Vec<Person>,
}

/// The documents, live or not. Cheap to clone; safe from any thread.
#[derive(Clone)]
pub struct Documents {
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    registry: Addr<RegistryActor>,
    journal: Addr<JournalActor>,
    clock: Clock,
    limits: Limits,
    /// Set when the server stops: nothing is changed through this door any more.
    draining: Arc<AtomicBool>,
    /// For those who read the past.
    past: Arc<Turnstile>,
    /// For those who look a document up to open it.
    lookups: Arc<Turnstile>,
    /// Redis, if there is one, and who waits for the same version of the past to be put there.
    remote: Option<Remote>,
    flights: Arc<PastFlights>,
    /// Names of versions, and comments.
    annotations: Option<SharedAnnotations>,
    /// The shards of this server: new documents are made in these.
    holdings: Arc<Holdings>,
}

/// Readings of the past that are under way.
type PastFlights = Flights<(DocumentId, HistoryId, Version), Result<Reading, Refusal>>;

/// Versions of the past that are read at once: each holds a page of the log (4 MiB) and what it is read into.
const PAST_AT_ONCE: usize = 2;

/// How many others may wait for their turn, and how long.
const PAST_QUEUE: usize = 64;
const PAST_PATIENCE: Duration = Duration::from_secs(10);

/// How often a turn is asked for by who cannot be told to try again, and the pause in between.
const TURNS_TRIED: u32 = 30;
const TURN_PAUSE: Duration = Duration::from_secs(1);

/// Documents that are looked up at once, twice as many as storage has connections for: what a question takes while it waits
/// for one is, after thousands of people have come at once, hardly given back.
const LOOKUPS: usize = 8;

/// Makes an id whose shard fits, or any: one in 256 does as a rule.
fn id_such_that(fits: impl Fn(Shard) -> bool) -> DocumentId {
    let mut ids = std::iter::repeat_with(DocumentId::generate).take(FRESH_IDS);
    ids.find(|id| fits(id.shard())).unwrap_or_else(DocumentId::generate)
}

/// Ids that are made until one fits.
const FRESH_IDS: usize = 4_096;

/// Any number may wait for it, as long as a question waits for a connection.
const LOOKUP_QUEUE: usize = Semaphore::MAX_PERMITS;
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);

impl Documents {
    /// Joins what the application has started.
    pub fn new(
        store: SharedStore,
        bodies: Arc<SnapshotBodies>,
        registry: Addr<RegistryActor>,
        journal: Addr<JournalActor>,
        clock: Clock,
        limits: Limits,
        draining: Arc<AtomicBool>,
    ) -> Self {
        let past = Arc::new(Turnstile::new(PAST_AT_ONCE, PAST_QUEUE, PAST_PATIENCE));
        let lookups = Arc::new(Turnstile::new(LOOKUPS, LOOKUP_QUEUE, LOOKUP_PATIENCE));
        let flights = Arc::new(Flights::new());
        let (remote, annotations, holdings) = (None, None, Arc::new(Holdings::everything()));
        Self {
            store,
            bodies,
            registry,
            journal,
            clock,
            limits,
            draining,
            past,
            lookups,
            remote,
            flights,
            annotations,
            holdings,
        }
    }

    /// Has it read through Redis.
    pub fn through(self, remote: Option<Remote>) -> Self {
        Self { remote, ..self }
    }

    /// Has it keep names of versions, and comments.
    pub fn annotated(self, annotations: Option<SharedAnnotations>) -> Self {
        Self { annotations, ..self }
    }

    /// Has it make documents in these shards alone.
    pub fn holding(self, holdings: Arc<Holdings>) -> Self {
        Self { holdings, ..self }
    }

    /// Makes an id: one in a shard of this server, if it has any.
    pub fn fresh_id(&self) -> DocumentId {
        id_such_that(|shard| self.holdings.has(shard))
    }

    /// Makes an id for what has a key: one in the key's shard, so that the same request sent again to any of several servers comes to
    /// the one that has the document.
    fn fresh_id_for(&self, repeat: &Repeat) -> DocumentId {
        id_such_that(|shard| shard == repeat.shard())
    }

    /// What one operation and one document may hold.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Refuses writes while the server stops: each that is taken holds up the end of it.
    fn may_write(&self) -> Result<(), Refusal> {
        if self.draining.load(Ordering::Relaxed) { Err(stopping()) } else { Ok(()) }
    }

    /// Makes a document, durable with its content when this returns. `Conflict` if the id exists or is a tombstone.
    pub async fn create(&self, new: CreateDocument) -> Result<DocumentRow, Refusal> {
        self.may_write()?;
        let doc = new.id.unwrap_or_else(|| self.fresh_id());
        let now = self.clock.now();
        let text = new.content.as_ref().and_then(|delta| Document::from_delta(delta).ok());
        let preview = text.map(|text| first_line(&text)).unwrap_or_default();
        let first = new.content.map(|delta| self.first_operation(&delta, &new.owner, now)).transpose()?;
        let row = NewDocument {
            history: HistoryId::generate(),
            title: new.title,
            owner: new.owner,
            created_at: now,
            preview,
            link: new.link,
        };
        let create = Create { doc: doc.clone(), new: row, first };
        let operations = u64::from(create.first.is_some());
        self.journal.send(create).await.map_err(stopped)??;
        METRICS.operations.inc_by(operations);
        Ok(self.store.document(&doc).await?)
    }

    /// Initial content is an operation like any other, by a fresh client of the creator.
    fn first_operation(&self, content: &Delta, owner: &UserId, at: Millis) -> Result<LoggedOp, Refusal> {
        let document = Document::from_delta(content).map_err(|error| refuse_delta(&error))?;
        if document.size() > self.limits.document_bytes {
            let message = format!("the content has {} bytes, more than a document may", document.size());
            return Err(Refusal::new(ErrorCode::TooLarge, message));
        }
        let op = SequencedOp::new(1, ClientId::generate(), 1, owner.clone(), at, content.clone());
        op.check_bytes()?;
        Ok(op.to_log())
    }

    /// Reads a row, also of one in the trash, and what a live actor knows beyond it.
    pub async fn row(&self, doc: &DocumentId) -> Result<(DocumentRow, Option<Live>), Refusal> {
        let row = self.store.document(doc).await?;
        let live = self.live(vec![doc.clone()]).await.pop().flatten();
        Ok((row, live))
    }

    /// Lists rows with what live actors know beyond them.
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<(DocumentRow, Option<Live>)>, Refusal> {
        let rows = self.store.list_documents(query).await?;
        let live = self.live(rows.iter().map(|row| row.id.clone()).collect()).await;
        Ok(rows.into_iter().zip(live).collect())
    }

    /// Asks those documents that are in memory how they fare.
    async fn live(&self, docs: Vec<DocumentId>) -> Vec<Option<Live>> {
        let count = docs.len();
        let addresses = self.registry.send(Peek { docs }).await.unwrap_or_else(|_| vec![None; count]);
        let asked = addresses.into_iter().map(|address| async move { address?.send(Inspect).await.ok() });
        join_all(asked).await
    }

    /// Changes a row. Putting a document into the trash closes its sessions with 4404.
    pub async fn patch(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        patch: DocumentPatch,
    ) -> Result<DocumentRow, Refusal> {
        self.may_write()?;
        let (documents, asker, doc) = (self.clone(), asker.clone(), doc.clone());
        to_its_end(async move { documents.patch_row(&asker, &doc, patch).await }).await
    }

    async fn patch_row(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        patch: DocumentPatch,
    ) -> Result<DocumentRow, Refusal> {
        let row = self.store.patch_document(asker, doc, &patch).await?;
        if let Some(address) = self.registry.send(Find { doc: doc.clone() }).await.map_err(stopped)? {
            let changed = RowChanged { archived: row.archived, deleted: row.deleted_at.is_some() };
            // One that has just left memory will read the row when it comes back.
            let _ = address.send(changed).await;
        }
        Ok(row)
    }

    /// Removes a document for good. Goes on to its end although the caller may give up meanwhile.
    pub async fn purge(&self, doc: &DocumentId) -> Result<(), Refusal> {
        self.may_write()?;
        self.store.document(doc).await?;
        let (documents, doc) = (self.clone(), doc.clone());
        to_its_end(async move { documents.purge_evicted(&doc).await }).await
    }

    async fn purge_evicted(&self, doc: &DocumentId) -> Result<(), Refusal> {
        // Before it is evicted, so that the document can be opened again whatever ends this.
        let _ended = EndPurge { registry: self.registry.clone(), doc: doc.clone() };
        self.registry.send(Evict { doc: doc.clone() }).await.map_err(stopped)?;
        self.journal.send(Flush).await.map_err(stopped)?;
        let history = self.store.purge_document(doc, self.clock.now()).await?;
        if let Some(remote) = &self.remote {
            remote.cache.forget(doc);
        }
        // A snapshot that is still on its way is removed by whoever writes it.
        Ok(self.bodies.purge(doc, history).await?)
    }

    /// Reads the row of a document that somebody wants to open, when it is their turn.
    pub async fn look_up(&self, doc: &DocumentId) -> Result<DocumentRow, Refusal> {
        let _turn = self.lookups.enter().await?;
        Ok(self.store.document(doc).await?)
    }

    /// Opens a document, to be asked. One in the trash is `NotFound`.
    pub async fn open(&self, doc: &DocumentId) -> Result<SharedAddress, Refusal> {
        self.open_row(&self.look_up(doc).await?).await
    }

    /// As [`Self::open`], for whoever has just read the row.
    pub async fn open_row(&self, row: &DocumentRow) -> Result<SharedAddress, Refusal> {
        let doc = &row.id;
        if row.deleted_at.is_some() {
            return Err(Refusal::new(ErrorCode::NotFound, format!("document {doc} is in the trash")));
        }
        self.registry.send(Open { doc: doc.clone() }).await.map_err(stopped)?
    }

    /// Reads the content at the durable head, or at a version. Of those who read the past only a few do so at once: the
    /// others wait, and are `unavailable` if that is of no use.
    pub async fn read(&self, doc: &DocumentId, version: Option<Version>) -> Result<Reading, Refusal> {
        let head = self.ask(doc, || Read).await?;
        let Some(version) = version.filter(|version| *version != head.version) else { return Ok(head) };
        if version > head.version {
            return Err(no_version(doc, version, head.version));
        }
        self.read_past(Place { doc, history: head.history }, version).await
    }

    /// Waits for a turn among those who read the past, for who has begun to answer and cannot be told to try again: for
    /// [`TURNS_TRIED`] times as long as the others.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn turn_of_the_past(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        for _ in 1..TURNS_TRIED {
            if let Ok(turn) = self.past.enter().await {
                return Ok(turn);
            }
            // A queue that is full says so at once.
            tokio::time::sleep(TURN_PAUSE).await;
        }
        self.past.enter().await
    }

    async fn read_past(&self, place: Place<'_>, version: Version) -> Result<Reading, Refusal> {
        let _turn = self.past.enter().await?;
        let loaded = history::at(&*self.store, &self.bodies, place.doc, version).await?;
        Ok(Reading { history: place.history, version, at: loaded.at, content: loaded.content })
    }

    /// As [`Self::read`], through Redis where there is one and the document is not in memory here. `row` and `live` were just
    /// read: they say what is current.
    pub async fn content(
        &self,
        row: &DocumentRow,
        live: Option<&Live>,
        version: Option<Version>,
    ) -> Result<Reading, Refusal> {
        let head = live.map_or(row.version, |live| live.version.max(row.version));
        let asked = version.unwrap_or(head);
        let in_memory = live.is_some() && asked == head;
        // A log that ends below its snapshot has lost its end: reading it says so.
        let sound = row.version >= row.snapshot_version;
        let remote = self.remote.as_ref().filter(|_| asked <= head && !in_memory && sound);
        let Some(remote) = remote else { return self.read(&row.id, version).await };
        let place = Place { doc: &row.id, history: row.history };
        let (cached, reached) =
            join(remote.cache.content(place, asked, head), self.reached(row, asked)).await;
        if let Some(Content { version, at, content }) = cached.filter(|_| reached <= row.version) {
            return Ok(Reading { history: row.history, version, at, content });
        }
        if asked == head {
            let read = self.read(&row.id, version).await?;
            self.keep(remote, &row.id, &read, true);
            return Ok(read);
        }
        let key = (row.id.clone(), row.history, asked);
        let read = self.flights.share(key, async {
            let read = self.read_past(place, asked).await?;
            self.keep(remote, place.doc, &read, false);
            Ok(read)
        });
        read.await
    }

    /// Returns what the log is known to have come to, which the row's head must not be below to be believed as current; asked
    /// beside Redis, and only where the head is what is asked for.
    async fn reached(&self, row: &DocumentRow, asked: Version) -> Version {
        if asked < row.version {
            return 0;
        }
        // What cannot be told is told by reading.
        self.store.least_head(&row.id).await.unwrap_or(Version::MAX)
    }

    /// Puts what was read into Redis, while its reader goes on.
    fn keep(&self, remote: &Remote, doc: &DocumentId, read: &Reading, newest: bool) {
        let (cache, doc, history) = (remote.cache.clone(), doc.clone(), read.history);
        let content = Content { version: read.version, at: read.at, content: read.content.clone() };
        tokio::spawn(async move {
            let place = Place { doc: &doc, history };
            if newest {
                cache.keep_newest(place, content).await;
            } else {
                cache.keep_past(place, content).await;
            }
        });
    }

    /// Reads operations with `from < version <= to`, at most `limit`, of a document whose durable head is `head`; those at
    /// its end through Redis where there is one.
    pub async fn ops(
        &self,
        place: Place<'_>,
        head: Version,
        (from, to): (Version, Version),
        limit: usize,
    ) -> Result<Vec<LoggedOp>, Refusal> {
        let range = Range { after: from, upto: to, limit, max_bytes: PAGE_BYTES };
        let cached = match &self.remote {
            Some(remote) => remote.cache.ops(place, range, head).await,
            None => None,
        };
        if let Some(ops) = cached {
            return Ok(ops);
        }
        let ops = self.store.read_ops(place.doc, from, to, limit, PAGE_BYTES).await?;
        let is_end = ops.last().is_some_and(|op| op.version == head) && head - from <= OPERATIONS;
        if let Some(remote) = self.remote.as_ref().filter(|_| is_end) {
            remote.cache.keep_ops(place, ops.clone());
        }
        Ok(ops)
    }

    /// Tells who is in a document: by its actor if it is in memory here, else by what the server that has it has told Redis.
    pub async fn presence(&self, row: &DocumentRow) -> Result<Vec<Peer>, Refusal> {
        let asked = self.registry.send(Peek { docs: vec![row.id.clone()] }).await.map_err(stopped)?;
        if let Some(Some(address)) = asked.into_iter().next()
            && let Ok(peers) = address.send(Who).await
        {
            return Ok(peers);
        }
        match &self.remote {
            Some(remote) => Ok(remote.presence.read(&row.id, row.history).await),
            None => Ok(Vec::new()),
        }
    }

    /// Submits an operation and returns its version once it is durable.
    pub async fn submit(&self, operation: RestOperation) -> Result<Version, Refusal> {
        self.may_write()?;
        let doc = operation.doc;
        let submission = Submission {
            session: None,
            client: operation.client,
            seq: operation.seq,
            user: operation.user,
            base: operation.base,
            delta: operation.delta,
            received: Instant::now(),
            rebased: None,
        };
        self.ask(&doc, || SubmitAndWait(submission.clone())).await?
    }

    /// Returns the version of an operation whose delta cannot be read, if its number is known; else it is refused for `why`.
    pub async fn recall(
        &self,
        doc: &DocumentId,
        (client, seq): (ClientId, u64),
        user: UserId,
        why: Refusal,
    ) -> Result<Version, Refusal> {
        let ask = || RecallAndWait { client, seq, user: user.clone(), why: why.clone() };
        self.ask(doc, ask).await?
    }

    /// Asks a document's actor, once more if it has just left memory.
    async fn ask<M>(&self, doc: &DocumentId, message: impl Fn() -> M) -> Result<M::Result, Refusal>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        DocumentActor: Handler<M>,
    {
        for _ in 0..3 {
            match self.open(doc).await?.send(message()).await {
                Ok(answer) => return Ok(answer),
                Err(MailboxError::Closed) => {}
                Err(MailboxError::Timeout) => break,
            }
        }
        Err(Refusal::unavailable("the document does not answer"))
    }

    /// Tells whether documents can be opened, read and written: for `/readyz`. The caller sets the bound, since what hangs
    /// does not answer at all.
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.registry.send(Peek { docs: Vec::new() }).await.map_err(|_| dead("registry"))?;
        self.journal.send(CheckHealth).await.map_err(|_| dead("journal"))??;
        if self.holdings.is_displaced() {
            let why = "another server has taken the database over: this one is to be stopped, or both are told of each other (--node-url)";
            return Err(Refusal::unavailable(why));
        }
        Ok(self.store.document_ids(None, 1).await.map(|_| ())?)
    }
}

fn dead(actor: &str) -> Refusal {
    Refusal::unavailable(format!("the {actor} has ended"))
}

/// Tells the registry that a purge has ended when it is dropped.
struct EndPurge {
    registry: Addr<RegistryActor>,
    doc: DocumentId,
}

impl Drop for EndPurge {
    fn drop(&mut self) {
        self.registry.do_send(PurgeEnded { doc: self.doc.clone() });
    }
}

/// Bytes of deltas in one page of operations.
const PAGE_BYTES: usize = 4 << 20;

/// Does something in several steps whatever becomes of the caller: a request is dropped when its client hangs up, and a
/// row would be changed without its document being told.
pub(crate) async fn to_its_end<T: Send + 'static>(
    steps: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let steps: BoxFuture<'static, _> = Box::pin(steps);
    match tokio::spawn(steps).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Refusal::unavailable("the server is stopping")),
        },
    }
}

/// There is no such version.
fn no_version(doc: &DocumentId, version: Version, head: Version) -> Refusal {
    let message = format!("version {version} of document {doc} not found: the head is {head}");
    Refusal::new(ErrorCode::NotFound, message)
}

/// Does what takes long on a thread that may be kept busy.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let work: Box<dyn FnOnce() -> T + Send> = Box::new(work);
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(stopping()),
        },
    }
}

fn stopped(_: MailboxError) -> Refusal {
    stopping()
}

/// Everything is refused so while the server stops.
pub fn stopping() -> Refusal {
    Refusal::unavailable("the server is stopping")
}
