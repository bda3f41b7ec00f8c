//! Writes snapshots off the documents' threads, gathers the small ones into one transaction, and thins the old ones.

use std::sync::Arc;
use std::time::Duration;

use actix::fut;
use actix::prelude::*;

use crate::actors::document::{DocumentActor, SnapshotDone, SnapshotOutcome};
use crate::actors::watch::{Watch, while_alive};
use crate::ids::{DocumentId, HistoryId, Millis, Version};
use crate::metrics::METRICS;
use crate::ot::Document;
use crate::storage::cache::{Cache, Content, Place};
use crate::storage::{NewSnapshot, SharedStore, SnapshotBodies, SnapshotMeta, StoreError};

/// Snapshots that may wait; beyond it documents ask again later.
const QUEUE: usize = 4_096;

/// Snapshots are written this often: hundreds of small documents then share one transaction.
const GATHER: Duration = Duration::from_millis(50);

/// Snapshots in one transaction.
const BATCH: usize = 256;

/// Snapshots of a document that are looked at when old ones are thinned.
const LOOK_BACK: usize = 64;

/// The newest snapshots are all kept: if one cannot be read, the one before it is the way back.
const KEEP_NEWEST: usize = 3;

/// A document has changed enough since its last snapshot. Sent by its actor, one at a time; answered by
/// [`SnapshotDone`], always.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SnapshotDue {
    pub doc: DocumentId,
    pub history: HistoryId,
    pub version: Version,
    pub at: Millis,
    /// A copy that shares its parts with the live one.
    pub content: Document,
    /// Whether those before it are to be thinned afterwards: it takes a look at many, so it is not done each time.
    pub thin: bool,
    pub reply: Addr<DocumentActor>,
}

impl SnapshotDue {
    fn contents(&self) -> Content {
        Content { version: self.version, at: self.at, content: self.content.clone() }
    }
}

/// See the module's documentation.
pub struct SnapshotActor {
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    /// What is written here is put into Redis as well.
    cache: Option<Cache>,
    queue: Vec<SnapshotDue>,
    gathering: bool,
    writing: bool,
}

impl SnapshotActor {
    /// Makes the writer.
    pub fn new(store: SharedStore, bodies: Arc<SnapshotBodies>) -> Self {
        Self { store, bodies, cache: None, queue: Vec::new(), gathering: false, writing: false }
    }

    /// Has it write through this cache.
    pub fn through(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        if self.writing || self.queue.is_empty() {
            return;
        }
        self.writing = true;
        let batch: Vec<_> = self.queue.drain(..self.queue.len().min(BATCH)).collect();
        METRICS.snapshot_queue.set(self.queue.len() as i64);
        let cache = self.cache.clone();
        let written = write(self.store.clone(), self.bodies.clone(), cache, batch);
        ctx.spawn(fut::wrap_future(written).map(|(), actor: &mut Self, ctx| {
            actor.writing = false;
            actor.begin(ctx);
        }));
    }
}

impl Actor for SnapshotActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(QUEUE);
    }
}

impl Handler<SnapshotDue> for SnapshotActor {
    type Result = ();

    fn handle(&mut self, due: SnapshotDue, ctx: &mut Self::Context) {
        if self.queue.len() >= QUEUE {
            due.reply.do_send(SnapshotDone { version: due.version, outcome: SnapshotOutcome::Refused });
            return;
        }
        self.queue.push(due);
        METRICS.snapshot_queue.set(self.queue.len() as i64);
        if !self.gathering {
            self.gathering = true;
            ctx.run_later(GATHER, |actor, ctx| {
                actor.gathering = false;
                actor.begin(ctx);
            });
        }
    }
}

impl Handler<Watch> for SnapshotActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Watch, _: &mut Self::Context) -> Self::Result {
        while_alive()
    }
}

/// Writes the bodies, then the rows in one transaction, removes the bodies of documents that went meanwhile, thins, and
/// then answers: a server that stops waits for the answers, and storage is closed after them.
///
/// Each part is a task of its own: one that panics has failed, and the others go on.
async fn write(
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    cache: Option<Cache>,
    batch: Vec<SnapshotDue>,
) {
    let mut rows = Vec::with_capacity(batch.len());
    let mut replies = Vec::with_capacity(batch.len());
    let mut to_thin = Vec::new();
    for due in batch {
        let reply = due.reply.clone();
        let (doc, version, thin) = (due.doc.clone(), due.version, due.thin);
        if let Some(cache) = &cache {
            // It is durable in the log, whatever becomes of its snapshot.
            tokio::spawn(keep(cache.clone(), doc.clone(), due.history, due.contents()));
        }
        match apart(write_body(bodies.clone(), due)).await {
            Ok(meta) => {
                replies.push((reply, meta.version, meta.bytes));
                to_thin.push(thin);
                rows.push(meta);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(document_id = %doc, version, error, "a snapshot could not be written");
                METRICS.snapshot_failures.inc();
                reply.do_send(SnapshotDone { version, outcome: SnapshotOutcome::Failed });
            }
        }
    }
    let recorded = record_all(&store, &bodies, &rows).await;
    let to_thin = to_thin.into_iter().zip(&recorded).map(|(thin, recorded)| thin && *recorded);
    for (row, _) in rows.iter().zip(to_thin).filter(|(_, thin)| *thin) {
        if let Err(error) = apart(thin(store.clone(), bodies.clone(), row.clone())).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(document_id = %row.doc, error, "old snapshots could not be removed");
        }
    }
    for ((reply, version, bytes), recorded) in replies.into_iter().zip(recorded) {
        if recorded {
            METRICS.snapshots.inc();
            METRICS.snapshot_bytes.inc_by(bytes);
        } else {
            METRICS.snapshot_failures.inc();
        }
        let outcome = if recorded { SnapshotOutcome::Written { bytes } } else { SnapshotOutcome::Failed };
        reply.do_send(SnapshotDone { version, outcome });
    }
}

/// Runs a part of the work as a task of its own: a panic in it is a failure like any other.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or_else(|panic| Err(StoreError::unavailable(panic)))
}

/// Records what was written, and tells of each whether storage has it.
async fn record_all(store: &SharedStore, bodies: &Arc<SnapshotBodies>, rows: &[SnapshotMeta]) -> Vec<bool> {
    match tokio::spawn(record(store.clone(), bodies.clone(), rows.to_vec())).await {
        Ok(recorded) => return vec![recorded; rows.len()],
        Err(error) => tracing::error!(%error, "recording snapshots failed: each is tried by itself"),
    }
    let mut recorded = Vec::with_capacity(rows.len());
    for row in rows {
        let alone = tokio::spawn(record(store.clone(), bodies.clone(), vec![row.clone()])).await;
        if let Err(error) = &alone {
            tracing::error!(document_id = %row.doc, version = row.version, %error, "a snapshot was not recorded");
        }
        recorded.push(alone.unwrap_or(false));
    }
    recorded
}

/// Records what was written; false if storage does not. A document may be purged between its body and its row: nobody
/// would ever find that body again.
async fn record(store: SharedStore, bodies: Arc<SnapshotBodies>, rows: Vec<SnapshotMeta>) -> bool {
    let skipped = match store.record_snapshots(&rows).await {
        Ok(skipped) => skipped,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "snapshots could not be recorded");
            return false;
        }
    };
    if let Err(error) = bodies.delete(&skipped).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "snapshots of purged documents are left, until the next start");
    }
    true
}

/// Puts content into Redis, beside the writing of its snapshot and whether or not that succeeds.
async fn keep(cache: Cache, doc: DocumentId, history: HistoryId, content: Content) {
    cache.keep_newest(Place { doc: &doc, history }, content).await;
}

async fn write_body(bodies: Arc<SnapshotBodies>, due: SnapshotDue) -> Result<SnapshotMeta, StoreError> {
    let SnapshotDue { doc, history, version, at, content, .. } = due;
    bodies.write(NewSnapshot::of(doc, history, version, at, &content)).await
}

/// Removes snapshots that lie close together in the past, and the row of one that cannot be read.
async fn thin(
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    newest: SnapshotMeta,
) -> Result<(), StoreError> {
    let kept = match store.snapshots(&newest.doc, newest.version, LOOK_BACK).await {
        Err(StoreError::Corrupt { version, .. }) => {
            // It would be in the way for ever: no reader can use it, and a newer one is there.
            return store.forget_snapshots(&newest.doc, &[version]).await;
        }
        kept => kept?,
    };
    let versions: Vec<Version> = kept.iter().map(|meta| meta.version).collect();
    let superfluous = to_forget(&versions);
    if superfluous.is_empty() {
        return Ok(());
    }
    store.forget_snapshots(&newest.doc, &superfluous).await?;
    let metas: Vec<_> = kept.into_iter().filter(|meta| superfluous.contains(&meta.version)).collect();
    bodies.delete(&metas).await
}

/// Chooses which of a document's snapshots (newest first) to forget: beyond the newest ones, of two neighbours that are
/// closer to each other than a quarter of their age, the younger. What remains grows with the logarithm of the history,
/// and any version is reached by replaying a part of its own age.
pub fn to_forget(versions: &[Version]) -> Vec<Version> {
    let Some(&head) = versions.first() else { return Vec::new() };
    let mut forget = Vec::new();
    let mut younger = versions.get(KEEP_NEWEST.saturating_sub(1)).copied().unwrap_or(head);
    for pair in versions.windows(2).skip(KEEP_NEWEST) {
        let (this, older) = (pair[0], pair[1]);
        if (younger - older) * 4 < head - older {
            forget.push(this);
        } else {
            younger = this;
        }
    }
    forget
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_snapshots_are_thinned_to_the_logarithm_of_the_history() {
        let mut kept: Vec<Version> = Vec::new();
        for version in (100..200_000).step_by(100) {
            kept.insert(0, version);
            let forget = to_forget(&kept);
            kept.retain(|v| !forget.contains(v));
        }
        assert!(kept.len() < 64, "{} snapshots", kept.len());
        assert_eq!(kept[..3], [199_900, 199_800, 199_700]);
        let head = kept[0];
        for pair in kept.windows(2).skip(KEEP_NEWEST) {
            assert!((pair[0] - pair[1]) <= (head - pair[1]) / 2 + 200, "a gap at {}", pair[1]);
        }
    }

    #[tokio::test]
    async fn a_body_whose_document_was_purged_meanwhile_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let bodies = Arc::new(SnapshotBodies::local(folder.path()).unwrap());
        let noise: Vec<u8> =
            (0..40_000_u64).map(|n| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) as u8).collect();
        let snapshot = NewSnapshot {
            doc: "purged".parse().unwrap(),
            history: HistoryId::generate(),
            version: 100,
            at: 1,
            preview: String::new(),
            content: noise,
        };
        let written = bodies.write(snapshot).await.unwrap();
        assert!(written.inline.is_none() && bodies.read(&written).await.is_ok());

        let store: SharedStore = Arc::new(crate::storage::MemoryStore::new());
        assert!(record(store, bodies.clone(), vec![written.clone()]).await);
        assert!(bodies.read(&written).await.is_err());
    }
}
