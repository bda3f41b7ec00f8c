//! One log for whoever reads it: the database first, and what is missing there from segments.

use std::sync::Arc;

use async_trait::async_trait;

use super::{LogState, Ripe, SegmentIndex, SegmentMeta, Segments, Sizes};
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, SHARDS, Shard, Version};
use crate::storage::page::Page;
use crate::storage::permissions::Asker;
use crate::storage::{
    AppendEntry, AppendError, ClientRow, DocumentPatch, DocumentRow, DocumentStore, Fork, ListQuery,
    LoggedOp, OpLog, OwnershipStore, ShardPage, SharedStore, SnapshotIndex, SnapshotMeta, Store, StoreError,
    Watermarks,
};

/// Segments looked up at a time.
const PAGE: usize = 256;

/// Bytes of deltas read from segments at a time, for whoever compares them.
const PAGE_BYTES: usize = 1 << 20;

/// A [`Store`](crate::storage::Store) whose log begins in segments.
///
/// The database is asked first, so that what is read often costs nothing more. It is never behind the segments: an operation
/// leaves it after its segment is recorded.
pub struct Tiered {
    tiers: Tiers,
}

impl Tiered {
    /// Puts the segments before the log of the database.
    pub fn new(tiers: Tiers) -> Self {
        Self { tiers }
    }

    fn warm(&self) -> &dyn Store {
        &*self.tiers.warm
    }
}

/// Both tiers of a storage, for whoever moves operations from one to the other.
#[derive(Clone)]
pub struct Tiers {
    /// The database alone.
    pub warm: SharedStore,
    pub segments: Segments,
}

impl Tiers {
    /// Returns the two as one store.
    pub fn joined(&self) -> SharedStore {
        Arc::new(Tiered::new(self.clone()))
    }

    /// Reads operations from segments alone, in `after < version <= upto`: some of them, or none if no segment has the first.
    ///
    /// # Errors
    /// `Corrupt`, with document and version, when a segment is damaged or missing; `Unavailable` when the object store is.
    pub async fn read_cold(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
    ) -> Result<Vec<LoggedOp>, StoreError> {
        let mut page = Page::new(usize::MAX, PAGE_BYTES);
        self.fill(doc, after, upto, &mut page).await?;
        page.finish(doc, after)
    }

    /// Tells whether another object has taken the place of a segment that could not be read.
    async fn was_replaced(&self, meta: &SegmentMeta) -> Result<bool, StoreError> {
        let now = self.warm.segments(&meta.doc, meta.last - 1, 1).await?.pop();
        Ok(now.is_some_and(|now| now.key != meta.key && now.is_same_part(meta)))
    }

    /// Tells whether a segment has an operation that is as wanted.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be read, `Unavailable` when the object store is away.
    pub(in crate::storage) async fn have(
        &self,
        meta: &SegmentMeta,
        wanted: impl Fn(&LoggedOp) -> bool,
    ) -> Result<bool, StoreError> {
        let mut page = Page::new(usize::MAX, usize::MAX);
        self.segments.read(meta, meta.first - 1, meta.last, &mut page).await?;
        Ok(page.finish(&meta.doc, meta.first - 1)?.iter().any(wanted))
    }

    /// Writes a segment anew, with `change` made to each of its operations, and puts it in the place of the old one, whose
    /// object is removed then. Nothing else of an operation than its user may be changed.
    ///
    /// # Errors
    /// `Corrupt` when the old or the new one cannot be read, `Conflict` when somebody else has replaced it, `Unavailable` when
    /// storage is away; the old one stays then. An object may be left that no row names.
    pub async fn rewrite(
        &self,
        meta: &SegmentMeta,
        change: impl Fn(&mut LoggedOp),
    ) -> Result<SegmentMeta, StoreError> {
        let mut page = Page::new(usize::MAX, usize::MAX);
        self.segments.read(meta, meta.first - 1, meta.last, &mut page).await?;
        let mut ops = page.finish(&meta.doc, meta.first - 1)?;
        ops.iter_mut().for_each(change);
        let ops: Arc<[LoggedOp]> = ops.into();
        let anew = self.segments.write(&meta.doc, meta.history, ops.clone()).await?;
        let placed = match self.segments.compare(&anew, ops).await {
            Ok(()) => self.warm.replace_segment(meta, &anew).await,
            Err(error) => Err(error),
        };
        match placed {
            Ok(()) => {
                self.segments.discard(meta).await?;
                Ok(anew)
            }
            // Whether its row names it is not known.
            Err(error @ StoreError::Unavailable(_)) => Err(error),
            Err(error) => {
                self.segments.discard(&anew).await?;
                Err(error)
            }
        }
    }

    /// Adds to a page what segments have that follows on `after`, up to `upto`.
    async fn fill(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let mut come_to = after;
        while come_to < upto && !page.is_full() {
            let next = self.warm.segments(doc, come_to, 1).await?.pop();
            let Some(meta) = next.filter(|meta| meta.first <= come_to + 1) else { break };
            if let Err(error) = self.segments.read(&meta, come_to, upto, page).await {
                if self.was_replaced(&meta).await? {
                    come_to = page.last().unwrap_or(come_to).max(come_to);
                    continue;
                }
                // A document that was purged meanwhile is not damaged, but gone.
                self.warm.document(doc).await?;
                return Err(error);
            }
            come_to = page.last().unwrap_or(come_to).max(come_to + 1);
        }
        Ok(())
    }
}

#[async_trait]
impl OpLog for Tiered {
    async fn append(&self, batch: &[AppendEntry]) -> Result<(), AppendError> {
        self.warm().append(batch).await
    }

    async fn read_ops(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<LoggedOp>, StoreError> {
        let warm = self.warm().read_ops(doc, after, upto, limit, max_bytes).await;
        let Err(StoreError::Corrupt { .. }) = warm else { return warm };
        // It is not there, or in part: a crash may have left some of what is archived.
        let mut page = Page::new(limit, max_bytes);
        self.tiers.fill(doc, after, upto, &mut page).await?;
        let Some(come_to) = page.last() else { return warm };
        if come_to < upto && !page.is_full() {
            match self.warm().read_ops(doc, come_to, upto, page.room(), page.bytes_left()).await {
                // Whoever goes on from here is told.
                Err(StoreError::Corrupt { .. }) => {}
                rest => rest?.into_iter().for_each(|op| page.push(op)),
            }
        }
        page.finish(doc, after)
    }

    async fn find_op(
        &self,
        doc: &DocumentId,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError> {
        // In this order: what leaves the database in between is in a segment before.
        if let Some(version) = self.warm().find_op(doc, client, seq).await? {
            return Ok(Some(version));
        }
        let mut after = 0;
        loop {
            let page = self.warm().segments(doc, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(None) };
            after = last.last;
            for meta in page {
                let found = match self.tiers.segments.find(&meta, client, seq).await {
                    Err(_) if self.tiers.was_replaced(&meta).await? => {
                        let now = self.warm().segments(doc, meta.last - 1, 1).await?.pop();
                        self.tiers.segments.find(&now.unwrap_or(meta), client, seq).await?
                    }
                    found => found?,
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
    }

    async fn client(&self, doc: &DocumentId, client: ClientId) -> Result<Option<ClientRow>, StoreError> {
        self.warm().client(doc, client).await
    }

    async fn least_head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let archived = self.warm().archived_upto(doc).await?;
        Ok(self.warm().least_head(doc).await?.max(archived))
    }

    async fn last_positions(&self) -> Result<Box<[u64; SHARDS]>, StoreError> {
        self.warm().last_positions().await
    }

    async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        self.warm().read_shard(shard, after, limit, max_bytes).await
    }
}

#[async_trait]
impl Watermarks for Tiered {
    async fn watermarks(&self, reader: &str) -> Result<Box<[u64; SHARDS]>, StoreError> {
        self.warm().watermarks(reader).await
    }

    async fn advance_watermarks(&self, reader: &str, to: &[(Shard, u64)]) -> Result<(), StoreError> {
        self.warm().advance_watermarks(reader, to).await
    }
}

#[async_trait]
impl DocumentStore for Tiered {
    async fn document(&self, doc: &DocumentId) -> Result<DocumentRow, StoreError> {
        self.warm().document(doc).await
    }

    async fn list_documents(&self, query: &ListQuery) -> Result<Vec<DocumentRow>, StoreError> {
        self.warm().list_documents(query).await
    }

    async fn patch_document(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        patch: &DocumentPatch,
    ) -> Result<DocumentRow, StoreError> {
        self.warm().patch_document(asker, doc, patch).await
    }

    /// Removes the segments as well. If their store is away the purge has not failed: it is marked, and the next start removes
    /// them.
    async fn purge_document(&self, doc: &DocumentId, at: Millis) -> Result<HistoryId, StoreError> {
        let history = self.warm().purge_document(doc, at).await?;
        if let Err(error) = self.tiers.segments.purge(doc).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(document_id = %doc, error, "segments of a purged document are left, until the next start");
        }
        Ok(history)
    }

    async fn document_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.warm().document_ids(after, limit).await
    }

    async fn purged_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        self.warm().purged_ids(after, limit).await
    }

    async fn fork_document(&self, doc: &DocumentId, fork: &Fork) -> Result<(), StoreError> {
        self.warm().fork_document(doc, fork).await
    }

    async fn forks(&self, doc: &DocumentId) -> Result<Vec<Fork>, StoreError> {
        self.warm().forks(doc).await
    }
}

#[async_trait]
impl SnapshotIndex for Tiered {
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError> {
        self.warm().record_snapshots(snapshots).await
    }

    async fn snapshots(
        &self,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<SnapshotMeta>, StoreError> {
        self.warm().snapshots(doc, upto, limit).await
    }

    async fn forget_snapshots(&self, doc: &DocumentId, versions: &[Version]) -> Result<(), StoreError> {
        self.warm().forget_snapshots(doc, versions).await
    }
}

#[async_trait]
impl OwnershipStore for Tiered {
    async fn claim_all(&self, node: &str) -> Result<Box<[Epoch; SHARDS]>, StoreError> {
        self.warm().claim_all(node).await
    }

    async fn raise(&self, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<Epoch>, StoreError> {
        self.warm().raise(node, shards).await
    }

    async fn owned(&self, node: &str) -> Result<Vec<(Shard, Epoch)>, StoreError> {
        self.warm().owned(node).await
    }
}

#[async_trait]
impl SegmentIndex for Tiered {
    async fn segments(
        &self,
        doc: &DocumentId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<SegmentMeta>, StoreError> {
        self.warm().segments(doc, after, limit).await
    }

    async fn archived_upto(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        self.warm().archived_upto(doc).await
    }

    async fn log_states(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<LogState>, StoreError> {
        self.warm().log_states(after, limit).await
    }

    async fn ripe_upto(&self, doc: &DocumentId, ripe: &Ripe) -> Result<Version, StoreError> {
        self.warm().ripe_upto(doc, ripe).await
    }

    async fn record_segment(&self, epoch: Epoch, segment: &SegmentMeta) -> Result<(), StoreError> {
        self.warm().record_segment(epoch, segment).await
    }

    async fn replace_segment(&self, before: &SegmentMeta, after: &SegmentMeta) -> Result<(), StoreError> {
        self.warm().replace_segment(before, after).await
    }

    async fn remove_archived(
        &self,
        doc: &DocumentId,
        epoch: Epoch,
        upto: Version,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.warm().remove_archived(doc, epoch, upto, limit).await
    }

    async fn sizes(&self) -> Result<Sizes, StoreError> {
        self.warm().sizes().await
    }
}
