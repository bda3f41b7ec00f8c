//! All of a store in memory: for tests and simulation. Deterministic, and done at once.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::batch::{self, Known, Ledger};
use super::page::{self, Page};
use super::permissions::Asker;
use super::{
    AppendEntry, AppendError, ClientRow, DocumentPatch, DocumentRow, DocumentStore, Fork, ListQuery,
    LogState, LoggedOp, NewDocument, OpLog, OwnershipStore, Ripe, SegmentIndex, SegmentMeta, ShardOp,
    ShardPage, Sizes, SnapshotIndex, SnapshotMeta, StoreError, Watermarks, search,
};
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, SHARDS, Shard, Version};

/// A [`Store`](super::Store) that forgets with the process. Clones of its `Arc` are the way to "restart" over it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shards: Vec<ShardState>,
    /// `None` is a tombstone.
    documents: BTreeMap<DocumentId, Option<Document>>,
    watermarks: HashMap<String, Box<[u64; SHARDS]>>,
}

#[derive(Clone, Debug, Default)]
struct ShardState {
    epoch: Epoch,
    node: String,
    last_pos: u64,
}

#[derive(Debug)]
struct Document {
    row: DocumentRow,
    ops: Vec<LoggedOp>,
    /// The position of each version.
    positions: BTreeMap<Version, u64>,
    versions: HashMap<(ClientId, u64), Version>,
    clients: HashMap<ClientId, ClientRow>,
    snapshots: BTreeMap<Version, SnapshotMeta>,
    /// By their last versions.
    segments: BTreeMap<Version, SegmentMeta>,
    /// The newest last.
    forks: Vec<Fork>,
}

impl MemoryStore {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an operation out of the log, as no one ever should: for tests of what a reader makes of the gap.
    #[doc(hidden)]
    pub fn lose_op(&self, doc: &DocumentId, version: Version) {
        if let Ok(document) = self.state.lock().live_mut(doc) {
            document.ops.retain(|op| op.version != version);
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            shards: vec![ShardState::default(); SHARDS],
            documents: BTreeMap::new(),
            watermarks: HashMap::new(),
        }
    }
}

impl State {
    fn live(&self, doc: &DocumentId) -> Result<&Document, StoreError> {
        self.documents.get(doc).and_then(Option::as_ref).ok_or_else(|| not_found(doc))
    }

    fn live_mut(&mut self, doc: &DocumentId) -> Result<&mut Document, StoreError> {
        self.documents.get_mut(doc).and_then(Option::as_mut).ok_or_else(|| not_found(doc))
    }

    fn check_epoch(&self, doc: &DocumentId, epoch: Epoch) -> Result<(), StoreError> {
        let shard = doc.shard();
        let current = self.shards[usize::from(shard)].epoch;
        if epoch == current { Ok(()) } else { Err(StoreError::Fenced { shard, current }) }
    }

    fn write(&mut self, entry: &AppendEntry) {
        if let Some(new) = &entry.create {
            self.documents.insert(entry.doc.clone(), Some(Document::new(entry.doc.clone(), new)));
        }
        if let Ok(document) = self.live_mut(&entry.doc) {
            document.write(entry);
        }
        if !entry.ops.is_empty() {
            self.shards[usize::from(entry.doc.shard())].last_pos =
                entry.first_pos + entry.ops.len() as u64 - 1;
        }
    }
}

impl Document {
    fn new(id: DocumentId, new: &NewDocument) -> Self {
        let row = DocumentRow {
            id,
            history: new.history,
            title: new.title.clone(),
            owner: new.owner.clone(),
            created_at: new.created_at,
            updated_at: new.created_at,
            version: 0,
            snapshot_version: 0,
            preview: new.preview.clone(),
            deleted_at: None,
            archived: false,
            link: new.link,
            access_changes: 0,
        };
        Self {
            row,
            ops: Vec::new(),
            positions: BTreeMap::new(),
            versions: HashMap::new(),
            clients: HashMap::new(),
            snapshots: BTreeMap::new(),
            segments: BTreeMap::new(),
            forks: Vec::new(),
        }
    }

    fn write(&mut self, entry: &AppendEntry) {
        for (op, pos) in entry.ops.iter().zip(entry.first_pos..) {
            self.positions.insert(op.version, pos);
            self.versions.insert((op.client, op.seq), op.version);
            self.clients.entry(op.client).or_insert_with(|| ClientRow::first(op)).advance(op);
            self.row.version = op.version;
            self.ops.push(op.clone());
        }
        if let (true, Some(last)) = (entry.touch, entry.ops.last()) {
            self.row.updated_at = self.row.updated_at.max(last.at);
            self.row.preview = entry.preview.clone().unwrap_or_else(|| std::mem::take(&mut self.row.preview));
        }
    }

    /// Its log with the position of each operation.
    fn placed(&self) -> impl Iterator<Item = (u64, &DocumentRow, &LoggedOp)> {
        self.ops.iter().filter_map(|op| Some((*self.positions.get(&op.version)?, &self.row, op)))
    }

    fn archived(&self) -> Version {
        self.segments.last_key_value().map_or(0, |(version, _)| *version)
    }

    fn newest_snapshot(&self) -> Version {
        self.snapshots.last_key_value().map_or(0, |(version, _)| *version)
    }
}

impl Ledger for State {
    fn epoch(&self, shard: Shard) -> Epoch {
        self.shards[usize::from(shard)].epoch
    }

    fn last_pos(&self, shard: Shard) -> u64 {
        self.shards[usize::from(shard)].last_pos
    }

    fn document(&self, doc: &DocumentId) -> Known {
        match self.documents.get(doc) {
            None => Known::Absent,
            Some(None) => Known::Purged,
            Some(Some(document)) => Known::Live(document.row.version),
        }
    }

    fn has_op(&self, doc: &DocumentId, client: ClientId, seq: u64) -> bool {
        self.live(doc).is_ok_and(|document| document.versions.contains_key(&(client, seq)))
    }
}

#[async_trait]
impl OpLog for MemoryStore {
    async fn append(&self, batch: &[AppendEntry]) -> Result<(), AppendError> {
        let mut state = self.state.lock();
        batch::check(batch, &*state)?;
        for entry in batch {
            state.write(entry);
        }
        Ok(())
    }

    async fn read_ops(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<LoggedOp>, StoreError> {
        let state = self.state.lock();
        let document = state.live(doc)?;
        let mut page = Page::new(limit, max_bytes);
        let begin = document.ops.partition_point(|op| op.version <= after);
        for op in &document.ops[begin..] {
            if op.version > upto || page.is_full() {
                break;
            }
            page.push(op.clone());
        }
        if page.is_empty() && limit > 0 && after < upto.min(document.row.version) {
            return Err(page::missing(doc, after, document.row.version));
        }
        page.finish(doc, after)
    }

    async fn find_op(
        &self,
        doc: &DocumentId,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError> {
        let state = self.state.lock();
        Ok(state.live(doc).ok().and_then(|document| document.versions.get(&(client, seq)).copied()))
    }

    async fn client(&self, doc: &DocumentId, client: ClientId) -> Result<Option<ClientRow>, StoreError> {
        let state = self.state.lock();
        Ok(state.live(doc).ok().and_then(|document| document.clients.get(&client).cloned()))
    }

    async fn least_head(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let state = self.state.lock();
        let clients = state.live(doc).ok().into_iter().flat_map(|document| document.clients.values());
        Ok(clients.map(|client| client.last_version).max().unwrap_or(0))
    }

    async fn last_positions(&self) -> Result<Box<[u64; SHARDS]>, StoreError> {
        let state = self.state.lock();
        Ok(Box::new(std::array::from_fn(|shard| state.shards[shard].last_pos)))
    }

    async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError> {
        let state = self.state.lock();
        let documents =
            state.documents.values().flatten().filter(|document| document.row.id.shard() == shard);
        let mut ops: Vec<_> = documents.flat_map(Document::placed).filter(|(pos, ..)| *pos > after).collect();
        ops.sort_unstable_by_key(|(pos, ..)| *pos);
        let ops = ops.into_iter().map(|(pos, row, op)| ShardOp {
            pos,
            doc: row.id.clone(),
            history: row.history,
            op: op.clone(),
        });
        Ok(ShardPage::of(ops, limit, max_bytes, state.last_pos(shard)))
    }
}

#[async_trait]
impl Watermarks for MemoryStore {
    async fn watermarks(&self, reader: &str) -> Result<Box<[u64; SHARDS]>, StoreError> {
        let state = self.state.lock();
        Ok(state.watermarks.get(reader).cloned().unwrap_or_else(|| Box::new([0; SHARDS])))
    }

    async fn advance_watermarks(&self, reader: &str, to: &[(Shard, u64)]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let marks = state.watermarks.entry(reader.to_owned()).or_insert_with(|| Box::new([0; SHARDS]));
        for &(shard, pos) in to {
            let mark = &mut marks[usize::from(shard)];
            *mark = pos.max(*mark);
        }
        Ok(())
    }
}

#[async_trait]
impl DocumentStore for MemoryStore {
    async fn document(&self, doc: &DocumentId) -> Result<DocumentRow, StoreError> {
        Ok(self.state.lock().live(doc)?.row.clone())
    }

    async fn list_documents(&self, query: &ListQuery) -> Result<Vec<DocumentRow>, StoreError> {
        let needle = query.text.as_deref().map(search::needle);
        let wanted = |row: &&DocumentRow| {
            row.deleted_at.is_some() == query.trashed
                && query.after.as_ref().is_none_or(|(at, id)| (row.updated_at, &row.id) < (*at, id))
                && needle
                    .as_ref()
                    .is_none_or(|part| search::haystack(&row.title, &row.preview).contains(part))
        };
        let state = self.state.lock();
        let mut rows: Vec<_> = state
            .documents
            .values()
            .flatten()
            .map(|document| &document.row)
            .filter(wanted)
            .cloned()
            .collect();
        rows.sort_by(|a, b| (b.updated_at, &b.id).cmp(&(a.updated_at, &a.id)));
        rows.truncate(query.limit);
        Ok(rows)
    }

    async fn patch_document(
        &self,
        _: &Asker,
        doc: &DocumentId,
        patch: &DocumentPatch,
    ) -> Result<DocumentRow, StoreError> {
        let mut state = self.state.lock();
        let row = &mut state.live_mut(doc)?.row;
        patch.apply(row)?;
        Ok(row.clone())
    }

    async fn purge_document(&self, doc: &DocumentId, _at: Millis) -> Result<HistoryId, StoreError> {
        let mut state = self.state.lock();
        let purged = state.documents.get_mut(doc).and_then(Option::take).ok_or_else(|| not_found(doc))?;
        Ok(purged.row.history)
    }

    async fn document_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let state = self.state.lock();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let documents = state.documents.range::<DocumentId, _>((begin, Bound::Unbounded));
        let live = documents.filter(|(_, document)| document.is_some());
        Ok(live.map(|(id, _)| id.clone()).take(limit).collect())
    }

    async fn purged_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let state = self.state.lock();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let documents = state.documents.range::<DocumentId, _>((begin, Bound::Unbounded));
        let purged = documents.filter(|(_, document)| document.is_none());
        Ok(purged.map(|(id, _)| id.clone()).take(limit).collect())
    }

    async fn fork_document(&self, doc: &DocumentId, fork: &Fork) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let document = state.live_mut(doc)?;
        if document.row.history != fork.parent {
            return Err(not_found(doc));
        }
        document.row.history = fork.history;
        document.row.snapshot_version = 0;
        document.snapshots.clear();
        document.forks.push(*fork);
        Ok(())
    }

    async fn forks(&self, doc: &DocumentId) -> Result<Vec<Fork>, StoreError> {
        let state = self.state.lock();
        Ok(state
            .live(doc)
            .map_or_else(|_| Vec::new(), |document| document.forks.iter().rev().copied().collect()))
    }
}

#[async_trait]
impl SnapshotIndex for MemoryStore {
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError> {
        let mut state = self.state.lock();
        let mut skipped = Vec::new();
        for meta in snapshots {
            let document = state.live_mut(&meta.doc).ok();
            let Some(document) = document.filter(|document| document.row.history == meta.history) else {
                skipped.push(meta.clone());
                continue;
            };
            document.snapshots.insert(meta.version, meta.clone());
            document.row.snapshot_version = document.newest_snapshot();
            document.row.updated_at = document.row.updated_at.max(meta.at);
            if document.row.snapshot_version == meta.version {
                document.row.preview.clone_from(&meta.preview);
            }
        }
        Ok(skipped)
    }

    async fn snapshots(
        &self,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<SnapshotMeta>, StoreError> {
        let state = self.state.lock();
        let Ok(document) = state.live(doc) else { return Ok(Vec::new()) };
        Ok(document.snapshots.range(..=upto).rev().take(limit).map(|(_, meta)| meta.clone()).collect())
    }

    async fn forget_snapshots(&self, doc: &DocumentId, versions: &[Version]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if let Ok(document) = state.live_mut(doc) {
            document.snapshots.retain(|version, _| !versions.contains(version));
            document.row.snapshot_version = document.newest_snapshot();
        }
        Ok(())
    }
}

#[async_trait]
impl OwnershipStore for MemoryStore {
    async fn claim_all(&self, node: &str) -> Result<Box<[Epoch; SHARDS]>, StoreError> {
        let mut state = self.state.lock();
        for shard in &mut state.shards {
            shard.epoch += 1;
            node.clone_into(&mut shard.node);
        }
        Ok(Box::new(std::array::from_fn(|shard| state.shards[shard].epoch)))
    }

    async fn raise(&self, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<Epoch>, StoreError> {
        let mut state = self.state.lock();
        for &(shard, believed) in shards {
            let owned = &state.shards[usize::from(shard)];
            if owned.node != node || owned.epoch < believed {
                return Err(StoreError::Fenced { shard, current: owned.epoch });
            }
        }
        let raised = shards.iter().map(|&(shard, _)| {
            let owned = &mut state.shards[usize::from(shard)];
            owned.epoch += 1;
            owned.epoch
        });
        Ok(raised.collect())
    }

    async fn owned(&self, node: &str) -> Result<Vec<(Shard, Epoch)>, StoreError> {
        let state = self.state.lock();
        let owned = (0..=Shard::MAX).zip(&state.shards).filter(|(_, shard)| shard.node == node);
        Ok(owned.map(|(shard, state)| (shard, state.epoch)).collect())
    }
}

#[async_trait]
impl SegmentIndex for MemoryStore {
    async fn segments(
        &self,
        doc: &DocumentId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<SegmentMeta>, StoreError> {
        let state = self.state.lock();
        let Ok(document) = state.live(doc) else { return Ok(Vec::new()) };
        let behind = document.segments.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(behind.take(limit).map(|(_, segment)| segment.clone()).collect())
    }

    async fn archived_upto(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        Ok(self.state.lock().live(doc).map_or(0, Document::archived))
    }

    async fn log_states(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<LogState>, StoreError> {
        let state = self.state.lock();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let documents = state.documents.range::<DocumentId, _>((begin, Bound::Unbounded));
        let states = documents.filter_map(|(id, document)| {
            let document = document.as_ref()?;
            let (first, last) = (document.ops.first(), document.ops.last());
            Some(LogState {
                doc: id.clone(),
                history: document.row.history,
                snapshot: document.row.snapshot_version,
                first: first.map_or(0, |op| op.version),
                last: last.map_or(0, |op| op.version),
                first_at: first.map_or(0, |op| op.at),
                archived: document.archived(),
            })
        });
        Ok(states.take(limit).collect())
    }

    async fn ripe_upto(&self, doc: &DocumentId, ripe: &Ripe) -> Result<Version, StoreError> {
        let state = self.state.lock();
        let Ok(document) = state.live(doc) else { return Ok(ripe.after) };
        let range = document.placed().filter(|(_, _, op)| ripe.after < op.version && op.version <= ripe.upto);
        let ripe_ones = range.take_while(|(pos, _, op)| op.at < ripe.before && *pos <= ripe.pos);
        Ok(ripe_ones.last().map_or(ripe.after, |(_, _, op)| op.version))
    }

    async fn record_segment(&self, epoch: Epoch, segment: &SegmentMeta) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.check_epoch(&segment.doc, epoch)?;
        let document = state.live_mut(&segment.doc)?;
        if segment.first != document.archived() + 1 || segment.last >= document.row.version {
            return Err(segment.misplaced());
        }
        document.segments.insert(segment.last, segment.clone());
        Ok(())
    }

    async fn replace_segment(&self, before: &SegmentMeta, after: &SegmentMeta) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let document = state.live_mut(&before.doc)?;
        let there = document.segments.get_mut(&before.last).filter(|there| there.key == before.key);
        let there = there.filter(|there| there.is_same_part(after)).ok_or_else(|| before.replaced())?;
        *there = after.clone();
        Ok(())
    }

    async fn remove_archived(
        &self,
        doc: &DocumentId,
        epoch: Epoch,
        upto: Version,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut state = self.state.lock();
        state.check_epoch(doc, epoch)?;
        let Ok(document) = state.live_mut(doc) else { return Ok(0) };
        let upto = upto.min(document.archived());
        let some = document.ops.partition_point(|op| op.version <= upto).min(limit as usize);
        document.ops.drain(..some);
        Ok(some as u64)
    }

    async fn sizes(&self) -> Result<Sizes, StoreError> {
        let state = self.state.lock();
        let mut sizes = Sizes::default();
        for document in state.documents.values().flatten() {
            sizes.log += document.ops.iter().map(|op| op.delta.len() as u64).sum::<u64>();
            sizes.snapshots += document.snapshots.values().map(|meta| meta.bytes).sum::<u64>();
            sizes.segments += document.segments.len() as u64;
            sizes.segment_bytes += document.segments.values().map(|segment| segment.bytes).sum::<u64>();
            sizes.archived += document.archived();
        }
        Ok(sizes)
    }
}

fn not_found(doc: &DocumentId) -> StoreError {
    StoreError::NotFound { what: format!("document {doc}") }
}
