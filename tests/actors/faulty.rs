//! A store that fails on command, and counts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quire::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, SHARDS, Shard, Version};
use quire::storage::permissions::Asker;
use quire::storage::{
    AppendEntry, AppendError, ClientRow, DocumentPatch, DocumentRow, DocumentStore, Fork, ListQuery,
    LogState, LoggedOp, OpLog, OwnershipStore, Ripe, SegmentIndex, SegmentMeta, ShardPage, SharedStore,
    Sizes, SnapshotIndex, SnapshotMeta, StoreError, Watermarks,
};
use tokio::sync::Semaphore;

/// Nothing in these tests takes long; what does is stuck.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the next append does instead of succeeding.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing is written, and that is certain.
    Refused,
    /// It panics.
    Panic,
    /// Written, and reported as unknown.
    UnknownCommitted,
    /// The first half of each entry is written, and that is reported as unknown.
    UnknownPartly,
    /// Not written, and reported as unknown.
    UnknownLost,
}

pub struct FaultyStore {
    inner: SharedStore,
    pub faults: Mutex<VecDeque<Fault>>,
    /// Appends wait for a permit while it is closed to them.
    gate: Mutex<Option<Arc<Semaphore>>>,
    /// Questions about a client wait for a permit while it is closed to them.
    client_gate: Mutex<Option<Arc<Semaphore>>>,
    /// Reads of the log wait for a permit while it is closed to them.
    read_gate: Mutex<Option<Arc<Semaphore>>>,
    /// Reads of the log since it was closed to them.
    pub reads: AtomicUsize,
    pub appends: AtomicUsize,
    /// Questions about a client.
    pub asks: AtomicUsize,
    /// How many entries each append had.
    pub batches: Mutex<Vec<usize>>,
    pub raises: AtomicUsize,
    pub patches: AtomicUsize,
    pub loads: AtomicUsize,
    /// Raises wait for a permit while it is closed to them.
    raise_gate: Mutex<Option<Arc<Semaphore>>>,
    /// Purges wait for a permit while it is closed to them, and fail when it is closed for good.
    purge_gate: Mutex<Option<Arc<Semaphore>>>,
    pub purges: AtomicUsize,
    /// Rows of snapshots wait for a permit while it is closed to them, and fail when it is closed for good.
    snapshot_gate: Mutex<Option<Arc<Semaphore>>>,
    pub recordings: AtomicUsize,
    /// Whoever reads a document waits for a permit while it is closed to them.
    load_gate: Mutex<Option<Arc<Semaphore>>>,
    /// Patches wait for a permit, when they are done, while it is closed to them.
    patch_gate: Mutex<Option<Arc<Semaphore>>>,
    /// No epoch can be raised, and so the outcome of a commit not be found out.
    pub stuck: AtomicBool,
    /// The log and its clients cannot be read.
    pub damaged: AtomicBool,
    /// The same of one document.
    pub damaged_document: Mutex<Option<DocumentId>>,
    /// So many of the next documents to be read cannot be.
    pub unreadable: AtomicUsize,
    /// A document whose snapshots make the reader panic.
    pub cursed: Mutex<Option<DocumentId>>,
    /// A document whose snapshots make the writer panic.
    pub cursed_row: Mutex<Option<DocumentId>>,
}

impl FaultyStore {
    pub fn over(inner: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults: Mutex::default(),
            gate: Mutex::default(),
            raise_gate: Mutex::default(),
            purge_gate: Mutex::default(),
            purges: AtomicUsize::new(0),
            snapshot_gate: Mutex::default(),
            recordings: AtomicUsize::new(0),
            load_gate: Mutex::default(),
            patch_gate: Mutex::default(),
            patches: AtomicUsize::new(0),
            stuck: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            damaged_document: Mutex::default(),
            client_gate: Mutex::default(),
            read_gate: Mutex::default(),
            reads: AtomicUsize::new(0),
            appends: AtomicUsize::new(0),
            asks: AtomicUsize::new(0),
            batches: Mutex::default(),
            raises: AtomicUsize::new(0),
            loads: AtomicUsize::new(0),
            unreadable: AtomicUsize::new(0),
            cursed: Mutex::default(),
            cursed_row: Mutex::default(),
        })
    }

    /// The next append fails so.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.lock().push_back(fault);
    }

    /// Appends wait until the returned semaphore has permits.
    pub fn hold_appends(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock() = Some(gate.clone());
        gate
    }

    /// Reads of the log wait until the returned semaphore has permits.
    pub fn hold_reads(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.read_gate.lock() = Some(gate.clone());
        self.reads.store(0, Ordering::SeqCst);
        gate
    }

    /// Questions about a client wait until the returned semaphore has permits.
    pub fn hold_clients(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.client_gate.lock() = Some(gate.clone());
        gate
    }

    /// Waits until somebody wants to find out what became of a commit.
    pub async fn until_raising(&self) {
        self.until(|store| store.raises.load(Ordering::SeqCst) > 0).await;
    }

    /// Waits until this is so.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let seen = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("what is waited for comes in time");
    }

    /// Purges wait until the returned semaphore has permits, and fail once it is closed.
    pub fn hold_purges(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.purge_gate.lock() = Some(gate.clone());
        gate
    }

    /// Snapshots wait until the returned semaphore has permits, and fail once it is closed.
    pub fn hold_snapshots(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.snapshot_gate.lock() = Some(gate.clone());
        gate
    }

    /// Whoever raises an epoch waits until the returned semaphore has permits.
    pub fn hold_raises(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.raise_gate.lock() = Some(gate.clone());
        gate
    }

    /// Whoever reads a document waits until the returned semaphore has permits.
    pub fn hold_loads(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.load_gate.lock() = Some(gate.clone());
        gate
    }

    /// Whoever changes a row waits, with the change made, until the returned semaphore has permits.
    pub fn hold_patches(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.patch_gate.lock() = Some(gate.clone());
        gate
    }
}

fn broken() -> StoreError {
    StoreError::unavailable("broken by the test")
}

impl FaultyStore {
    fn check_damage(&self, doc: &DocumentId) -> Result<(), StoreError> {
        if self.damaged.load(Ordering::SeqCst) || self.damaged_document.lock().as_ref() == Some(doc) {
            return Err(StoreError::Corrupt {
                doc: doc.clone(),
                version: 1,
                why: "damaged by the test".into(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl OpLog for FaultyStore {
    async fn append(&self, batch: &[AppendEntry]) -> Result<(), AppendError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.batches.lock().push(batch.len());
        let gate = self.gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        let fault = self.faults.lock().pop_front();
        match fault {
            None => self.inner.append(batch).await,
            Some(Fault::Panic) => panic!("the commit fails, as the test asked"),
            Some(Fault::Refused) => Err(AppendError::Refused(broken())),
            Some(Fault::UnknownLost) => Err(AppendError::Unknown(broken())),
            Some(Fault::UnknownPartly) => {
                let mut halves = batch.to_vec();
                halves.iter_mut().for_each(|entry| entry.ops.truncate(entry.ops.len().div_ceil(2)));
                self.inner.append(&halves).await?;
                Err(AppendError::Unknown(broken()))
            }
            Some(Fault::UnknownCommitted) => {
                self.inner.append(batch).await?;
                Err(AppendError::Unknown(broken()))
            }
        }
    }

    async fn read_ops(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<LoggedOp>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let gate = self.read_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        self.check_damage(doc)?;
        self.inner.read_ops(doc, after, upto, limit, max_bytes).await
    }

    async fn find_op(
        &self,
        doc: &DocumentId,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError> {
        self.inner.find_op(doc, client, seq).await
    }

    async fn client(&self, doc: &DocumentId, client: ClientId) -> Result<Option<ClientRow>, StoreError> {
        self.asks.fetch_add(1, Ordering::SeqCst);
        let gate = self.client_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        self.check_damage(doc)?;
        self.inner.client(doc, client).await
    }

    async fn least_head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        self.inner.least_head(doc).await
    }

    async fn last_positions(&self) -> Result<Box<[u64; SHARDS]>, StoreError> {
        self.inner.last_positions().await
    }

    async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        self.inner.read_shard(shard, after, limit, max_bytes).await
    }
}

#[async_trait]
impl Watermarks for FaultyStore {
    async fn watermarks(&self, reader: &str) -> Result<Box<[u64; SHARDS]>, StoreError> {
        self.inner.watermarks(reader).await
    }

    async fn advance_watermarks(&self, reader: &str, to: &[(Shard, u64)]) -> Result<(), StoreError> {
        self.inner.advance_watermarks(reader, to).await
    }
}

#[async_trait]
impl DocumentStore for FaultyStore {
    async fn document(&self, doc: &DocumentId) -> Result<DocumentRow, StoreError> {
        self.inner.document(doc).await
    }

    async fn list_documents(&self, query: &ListQuery) -> Result<Vec<DocumentRow>, StoreError> {
        self.inner.list_documents(query).await
    }

    async fn patch_document(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        patch: &DocumentPatch,
    ) -> Result<DocumentRow, StoreError> {
        let row = self.inner.patch_document(asker, doc, patch).await?;
        self.patches.fetch_add(1, Ordering::SeqCst);
        let gate = self.patch_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        Ok(row)
    }

    async fn purge_document(&self, doc: &DocumentId, at: Millis) -> Result<HistoryId, StoreError> {
        self.purges.fetch_add(1, Ordering::SeqCst);
        let gate = self.purge_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.map_err(|_| broken())?.forget();
        }
        self.inner.purge_document(doc, at).await
    }

    async fn document_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.inner.document_ids(after, limit).await
    }

    async fn purged_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.inner.purged_ids(after, limit).await
    }

    async fn fork_document(&self, doc: &DocumentId, fork: &Fork) -> Result<(), StoreError> {
        self.inner.fork_document(doc, fork).await
    }

    async fn forks(&self, doc: &DocumentId) -> Result<Vec<Fork>, StoreError> {
        self.inner.forks(doc).await
    }
}

#[async_trait]
impl SnapshotIndex for FaultyStore {
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError> {
        self.recordings.fetch_add(1, Ordering::SeqCst);
        let gate = self.snapshot_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.map_err(|_| broken())?.forget();
        }
        let cursed = self.cursed_row.lock().clone();
        assert!(!snapshots.iter().any(|row| Some(&row.doc) == cursed.as_ref()), "as the test asked");
        self.inner.record_snapshots(snapshots).await
    }

    async fn snapshots(
        &self,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<SnapshotMeta>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let one_less = |left: usize| left.checked_sub(1);
        if self.unreadable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(broken());
        }
        assert!(self.cursed.lock().as_ref() != Some(doc), "reading this document fails, as the test asked");
        let gate = self.load_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        self.inner.snapshots(doc, upto, limit).await
    }

    async fn forget_snapshots(&self, doc: &DocumentId, versions: &[Version]) -> Result<(), StoreError> {
        self.inner.forget_snapshots(doc, versions).await
    }
}

#[async_trait]
impl SegmentIndex for FaultyStore {
    async fn segments(
        &self,
        doc: &DocumentId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<SegmentMeta>, StoreError> {
        self.inner.segments(doc, after, limit).await
    }

    async fn archived_upto(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        self.inner.archived_upto(doc).await
    }

    async fn log_states(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<LogState>, StoreError> {
        self.inner.log_states(after, limit).await
    }

    async fn ripe_upto(&self, doc: &DocumentId, ripe: &Ripe) -> Result<Version, StoreError> {
        self.inner.ripe_upto(doc, ripe).await
    }

    async fn record_segment(&self, epoch: Epoch, segment: &SegmentMeta) -> Result<(), StoreError> {
        self.inner.record_segment(epoch, segment).await
    }

    async fn replace_segment(&self, before: &SegmentMeta, after: &SegmentMeta) -> Result<(), StoreError> {
        self.inner.replace_segment(before, after).await
    }

    async fn remove_archived(
        &self,
        doc: &DocumentId,
        epoch: Epoch,
        upto: Version,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.inner.remove_archived(doc, epoch, upto, limit).await
    }

    async fn sizes(&self) -> Result<Sizes, StoreError> {
        self.inner.sizes().await
    }
}

#[async_trait]
impl OwnershipStore for FaultyStore {
    async fn claim_all(&self, node: &str) -> Result<Box<[Epoch; SHARDS]>, StoreError> {
        self.inner.claim_all(node).await
    }

    async fn raise(&self, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<Epoch>, StoreError> {
        self.raises.fetch_add(1, Ordering::SeqCst);
        let gate = self.raise_gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        if self.stuck.load(Ordering::SeqCst) {
            return Err(broken());
        }
        self.inner.raise(node, shards).await
    }

    async fn owned(&self, node: &str) -> Result<Vec<(Shard, Epoch)>, StoreError> {
        self.inner.owned(node).await
    }
}
