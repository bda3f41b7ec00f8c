//! Cold segments: operations that have left the database for the object store.
//!
//! A segment is a part of the log: it has operations of one document, one after the other without a gap, all made under one
//! history, and its row names it. What it has may be in the database as well, never anything else. [`Tiered`] reads both as
//! one log; `actors::archiver` makes segments; [`SegmentIndex`] has the contract between them.

mod format;
mod held;
mod tiered;

#[cfg(test)]
pub(super) mod fixture;

use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use self::format::{Block, Damage, Index};
use self::held::Held;
pub use self::tiered::{Tiered, Tiers};
use super::object_store::blocking;
use super::objects::{Objects, Stored, Unread};
use super::page::Page;
use super::sealing::{HEADER_BYTES, KeyId, Kind, Place, Unsealer, key_of};
use super::{LoggedOp, StoreError};
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, Version};

/// Indexes and blocks that are kept unpacked: readers come for one page after the other. A block is 256 KiB as a rule.
const INDEXES: usize = 64;
const BLOCKS: usize = 16;

/// Bytes from which a segment is packed where that may take its time: always.
const BLOCKING: usize = usize::MAX;

/// A segment's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentMeta {
    pub doc: DocumentId,
    /// The history that the operations were made under, which may be one that the document has left since.
    pub history: HistoryId,
    /// The versions that it has, all of them.
    pub first: Version,
    pub last: Version,
    /// When the first and the last of them were made.
    pub first_at: Millis,
    pub last_at: Millis,
    /// Of the object.
    pub bytes: u64,
    /// Of the index, at the end of it.
    pub index_bytes: u64,
    /// xxh3-64 of the index, which has those of the blocks.
    pub checksum: u64,
    /// Where the object is.
    pub key: String,
}

impl SegmentMeta {
    /// It is not the one that was to be replaced, or not of the same versions.
    pub(super) fn replaced(&self) -> StoreError {
        let Self { doc, first, last, .. } = self;
        let what = format!("versions {first} to {last} of document {doc} are in another segment");
        StoreError::Conflict { what }
    }

    /// Tells whether both have the same operations in them, wherever they lie.
    pub(super) fn is_same_part(&self, other: &Self) -> bool {
        let part = |meta: &Self| (meta.doc.clone(), meta.history, meta.first, meta.last);
        part(self) == part(other)
    }

    /// It does not follow on what is archived, or would take the last operation along.
    pub(super) fn misplaced(&self) -> StoreError {
        let Self { doc, first, last, .. } = self;
        let what =
            format!("versions {first} to {last} of document {doc} are not the next ones to be archived");
        StoreError::Conflict { what }
    }
}

/// How much of a document's log is where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    pub doc: DocumentId,
    pub history: HistoryId,
    /// The version of the newest snapshot, 0 without one.
    pub snapshot: Version,
    /// The first and the last version in the database's log, 0 without any.
    pub first: Version,
    pub last: Version,
    /// When the first of them was made.
    pub first_at: Millis,
    /// The last version in a segment, 0 without any.
    pub archived: Version,
}

/// What may be archived of a document.
#[derive(Clone, Copy, Debug)]
pub struct Ripe {
    /// Beyond this version …
    pub after: Version,
    /// … up to this one, at most.
    pub upto: Version,
    /// Made before this time.
    pub before: Millis,
    /// With a position up to this one: what the readers of the whole log have read.
    pub pos: u64,
}

/// What there is of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the log in the database, or of all of an embedded database.
    pub log: u64,
    /// Bytes of snapshots' bodies.
    pub snapshots: u64,
    pub segments: u64,
    pub segment_bytes: u64,
    /// Operations in segments.
    pub archived: u64,
}

/// The rows of segments, and the rows of the log that they take the place of.
///
/// The last operation of a document never leaves the database: where logs end, and where their shards do, is read there.
#[async_trait]
pub trait SegmentIndex: Send + Sync {
    /// Reads the segments with a version above `after`, in order, at most `limit`.
    async fn segments(
        &self,
        doc: &DocumentId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<SegmentMeta>, StoreError>;

    /// Returns the last version in a segment of a document, 0 without any.
    async fn archived_upto(&self, doc: &DocumentId) -> Result<Version, StoreError>;

    /// Tells of documents after `after`, in order of id, at most `limit`, what is where.
    async fn log_states(&self, after: Option<&DocumentId>, limit: usize)
    -> Result<Vec<LogState>, StoreError>;

    /// Returns the last version up to which everything is ripe, `ripe.after` if nothing is.
    async fn ripe_upto(&self, doc: &DocumentId, ripe: &Ripe) -> Result<Version, StoreError>;

    /// Records a segment whose object is durable and was read back.
    ///
    /// # Errors
    /// `Fenced` at another epoch of the document's shard; `NotFound` when the document is not there; `Conflict` when the
    /// segment does not follow on the last one, or has the last operation of the document in it. Nothing is recorded then.
    async fn record_segment(&self, epoch: Epoch, segment: &SegmentMeta) -> Result<(), StoreError>;

    /// Puts a segment's row in the place of another one, which has the same versions of the same history: its object was
    /// written anew and read back.
    ///
    /// # Errors
    /// `Conflict` when the other one is not there any more. Nothing is changed then.
    async fn replace_segment(&self, before: &SegmentMeta, after: &SegmentMeta) -> Result<(), StoreError>;

    /// Removes the lowest operations of a document from the database's log, at most `limit`, of those up to `upto` that are in
    /// a segment; returns how many.
    ///
    /// # Errors
    /// `Fenced` at another epoch of the document's shard.
    async fn remove_archived(
        &self,
        doc: &DocumentId,
        epoch: Epoch,
        upto: Version,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Measures what there is. Looks through whole tables.
    async fn sizes(&self) -> Result<Sizes, StoreError>;
}

/// The objects of segments; clones share what was read of late.
#[derive(Clone, Debug)]
pub struct Segments {
    objects: Objects,
    indexes: Arc<Held<String, Index>>,
    blocks: Arc<Held<(String, Version), Vec<LoggedOp>>>,
}

impl Segments {
    /// Keeps segments among these objects.
    pub fn over(objects: Objects) -> Self {
        Self { objects, indexes: Arc::new(Held::new(INDEXES)), blocks: Arc::new(Held::new(BLOCKS)) }
    }

    /// Packs operations, which follow each other without a gap, and makes them durable. What is returned is to be recorded
    /// after [`Segments::compare`].
    ///
    /// # Errors
    /// `Unavailable` when the object store is; `Corrupt` when an operation cannot be read.
    pub async fn write(
        &self,
        doc: &DocumentId,
        history: HistoryId,
        ops: Arc<[LoggedOp]>,
    ) -> Result<SegmentMeta, StoreError> {
        let (Some(first), Some(last)) = (ops.first(), ops.last()) else {
            return Err(StoreError::Conflict {
                what: format!("a segment of document {doc} without operations"),
            });
        };
        let ends = [first, last].map(|op| (op.version, op.at));
        let place = Place { kind: Kind::Segment, doc, history, versions: (ends[0].0, ends[1].0) };
        let sealer = self.objects.vault().sealer(&place).await?;
        let id = doc.clone();
        let encoded = blocking(BLOCKING, move || format::encode(&id, history, &ops, sealer.as_ref())).await?;
        let encoded = encoded.map_err(|damage| corrupt(doc, ends[0].0, "packed", &damage))?;
        let [(first, first_at), (last, last_at)] = ends;
        let key = key(doc, history, first, last);
        let meta = SegmentMeta {
            doc: doc.clone(),
            history,
            first,
            last,
            first_at,
            last_at,
            bytes: encoded.body.len() as u64,
            index_bytes: encoded.index_bytes,
            checksum: encoded.checksum,
            key: key.as_ref().to_owned(),
        };
        self.objects.put(&key, encoded.body).await?;
        Ok(meta)
    }

    /// Reads a segment back from where it is, all of it, and compares it with the operations that it is to have.
    ///
    /// # Errors
    /// `Corrupt` when it is another, `Unavailable` when the object store is.
    pub async fn compare(&self, meta: &SegmentMeta, ops: Arc<[LoggedOp]>) -> Result<(), StoreError> {
        let body = self.objects.get(&path(meta), meta.bytes).await;
        let body = body.map_err(|error| unread(meta, meta.first, error))?;
        let segment = meta.clone();
        let begin = body.len().saturating_sub(segment.index_bytes as usize);
        let unsealer = self.unsealer(meta, meta.first, &body[begin..]).await?;
        let same = move || -> Result<bool, Damage> {
            let (rest, index) = body.split_at(begin);
            format::check_header(&rest[..rest.len().min(format::HEADER as usize)])?;
            let versions = (segment.first, segment.last);
            let index = format::decode_index(index, unsealer, &segment.doc, versions)?;
            let unsealer = index.unsealer();
            let mut wanted = &ops[..];
            for block in &index.blocks {
                let range = block.range();
                let packed = body.get(range.start as usize..range.end as usize).ok_or(Damage::Format)?;
                let found = format::decode_block(packed, block, unsealer.as_deref())?;
                let Some(behind) = wanted.strip_prefix(&found[..]) else { return Ok(false) };
                wanted = behind;
            }
            Ok(wanted.is_empty())
        };
        match blocking(BLOCKING, same).await? {
            Ok(true) => Ok(()),
            Ok(false) => Err(corrupt(&meta.doc, meta.first, "read", &"it has other operations")),
            Err(damage) => Err(corrupt(&meta.doc, meta.first, "read", &damage)),
        }
    }

    /// Adds to a page what a segment has in `after < version <= upto`.
    ///
    /// # Errors
    /// `Corrupt`, with the first version that was wanted, when it is damaged or missing; `Unavailable` when the object store
    /// is.
    pub(super) async fn read(
        &self,
        meta: &SegmentMeta,
        after: Version,
        upto: Version,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let index = self.index(meta, after + 1).await?;
        let wanted = index.blocks.iter().filter(|block| after < block.last && block.first <= upto);
        for block in wanted {
            let ops = self.block(meta, &index, block, block.first.max(after + 1)).await?;
            let wanted = ops.iter().filter(|op| after < op.version && op.version <= upto);
            for op in wanted {
                page.push(op.clone());
                if page.is_full() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns the version that `(client, seq)` made, if it is in the segment.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn find(
        &self,
        meta: &SegmentMeta,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError> {
        let index = self.index(meta, meta.first).await?;
        for block in index.blocks.iter().filter(|block| block.may_have(client, seq)) {
            let ops = self.block(meta, &index, block, block.first).await?;
            if let Some(op) = ops.iter().find(|op| op.client == client && op.seq == seq) {
                return Ok(Some(op.version));
            }
        }
        Ok(None)
    }

    /// Removes the object of a segment that was not recorded.
    ///
    /// # Errors
    /// `Unavailable` when the object store is.
    pub async fn discard(&self, meta: &SegmentMeta) -> Result<(), StoreError> {
        self.objects.delete(vec![path(meta)]).await
    }

    /// Removes all objects of a document, of whichever history, also those that no row names.
    ///
    /// # Errors
    /// `Unavailable` when the object store is; some of them may be left.
    pub async fn purge(&self, doc: &DocumentId) -> Result<(), StoreError> {
        self.objects.delete_below(&prefix(doc)).await
    }

    /// Lists the objects that are there of a document.
    pub(super) async fn stored(&self, doc: &DocumentId) -> Result<Vec<Stored>, StoreError> {
        self.objects.list_below(&prefix(doc)).await
    }

    /// Removes objects that were listed.
    pub(super) async fn remove(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.objects.remove_listed(keys).await
    }

    /// Reads the index of a segment; what fails is told of `version`.
    async fn index(&self, meta: &SegmentMeta, version: Version) -> Result<Arc<Index>, StoreError> {
        if let Some(index) = self.indexes.get(&meta.key) {
            return Ok(index);
        }
        let range = meta.bytes.saturating_sub(meta.index_bytes)..meta.bytes;
        let stored = self.objects.get_range(&path(meta), range, meta.bytes).await;
        let stored = stored.map_err(|error| unread(meta, version, error))?;
        let unsealer = self.unsealer(meta, version, &stored).await?;
        let index = format::decode_index(&stored, unsealer, &meta.doc, (meta.first, meta.last));
        let index = Arc::new(index.map_err(|damage| corrupt(&meta.doc, version, "read", &damage))?);
        self.indexes.keep(meta.key.clone(), index.clone());
        Ok(index)
    }

    /// Finds the key of a segment after the checksum of its index was found right: what is damaged is told as that.
    async fn unsealer(
        &self,
        meta: &SegmentMeta,
        version: Version,
        index: &[u8],
    ) -> Result<Option<Unsealer>, StoreError> {
        let checked = format::check_index(index, meta.checksum);
        checked.map_err(|damage| corrupt(&meta.doc, version, "read", &damage))?;
        let versions = (meta.first, meta.last);
        let place = Place { kind: Kind::Segment, doc: &meta.doc, history: meta.history, versions };
        let unsealer = self.objects.vault().unsealer(&place, index).await;
        unsealer.map_err(|error| error.into_error(&meta.doc, version, "segment"))
    }

    /// Tells with which key a segment is encrypted; `None` when it is plain.
    ///
    /// # Errors
    /// `Corrupt` when it is missing or cannot be told, `Unavailable` when the object store is.
    pub(super) async fn key_of(&self, meta: &SegmentMeta) -> Result<Option<KeyId>, StoreError> {
        let begin = meta.bytes.saturating_sub(meta.index_bytes);
        let range = begin..meta.bytes.min(begin + HEADER_BYTES);
        let head = self.objects.get_range(&path(meta), range, meta.bytes).await;
        let head = head.map_err(|error| unread(meta, meta.first, error))?;
        key_of(&head).map_err(|error| error.into_error(&meta.doc, meta.first, "segment"))
    }

    async fn block(
        &self,
        meta: &SegmentMeta,
        index: &Index,
        block: &Block,
        version: Version,
    ) -> Result<Arc<Vec<LoggedOp>>, StoreError> {
        let place = (meta.key.clone(), block.first);
        if let Some(ops) = self.blocks.get(&place) {
            return Ok(ops);
        }
        let packed = self.objects.get_range(&path(meta), block.range(), meta.bytes).await;
        let packed = packed.map_err(|error| unread(meta, version, error))?;
        let (known, unsealer) = (block.clone(), index.unsealer());
        let decode = move || format::decode_block(&packed, &known, unsealer.as_deref());
        let ops = blocking(BLOCKING, decode).await?;
        let ops = Arc::new(ops.map_err(|damage| corrupt(&meta.doc, version, "read", &damage))?);
        self.blocks.keep(place, ops.clone());
        Ok(ops)
    }
}

/// Returns where all segments of a document are. The id is hashed, since ids differ in case alone and folders may not.
fn prefix(doc: &DocumentId) -> Path {
    Path::from(format!("segments/{:032x}", xxh3_128(doc.as_str().as_bytes())))
}

/// Returns where a new segment is to be. The draw keeps two owners who take the same operations, one of them fenced by then,
/// from having one object, which the loser would remove.
fn key(doc: &DocumentId, history: HistoryId, first: Version, last: Version) -> Path {
    let mut hash = Xxh3::new();
    hash.update(doc.as_str().as_bytes());
    hash.update(history.0.as_bytes());
    let draw = fastrand::u64(..);
    let history = format!("{:032x}", hash.digest128());
    prefix(doc).join(history).join(format!("{first:020}-{last:020}-{draw:016x}"))
}

fn path(meta: &SegmentMeta) -> Path {
    Path::from(meta.key.as_str())
}

fn unread(meta: &SegmentMeta, version: Version, error: Unread) -> StoreError {
    match error {
        Unread::Away(error) => StoreError::unavailable(error),
        error => corrupt(&meta.doc, version, "read", &error),
    }
}

fn corrupt(doc: &DocumentId, version: Version, what: &str, why: &dyn std::fmt::Display) -> StoreError {
    let why = format!("its segment cannot be {what}: {why}");
    StoreError::Corrupt { doc: doc.clone(), version, why }
}

#[cfg(test)]
mod tests;
