//! Durable state: the operation log, the documents, their clients, snapshots and shard ownership.
//!
//! The log is the truth; everything else can be rebuilt from it. The traits are small and their contracts are what
//! `conformance` checks over every backend. Nothing here knows of actors or HTTP.

pub mod accounts;
pub mod annotations;
pub mod audit;
pub mod backup;
mod batch;
pub mod bus;
pub mod cache;
pub mod cluster;
#[cfg(test)]
mod conformance;
mod data_dir;
pub mod erasure;
mod error;
pub mod events;
pub mod history;
mod memory;
mod object_store;
mod objects;
mod opened;
mod page;
pub mod people;
pub mod permissions;
pub mod portability;
mod postgres;
mod preview;
pub mod projections;
pub mod rotation;
mod schema;
pub mod sealing;
mod search;
mod segments;
mod shard_log;
mod sqlite;
pub mod strays;
pub mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::data_dir::DataDir;
pub use self::error::{AppendError, OpenError, Source, StoreError};
pub use self::memory::MemoryStore;
pub use self::object_store::{NewSnapshot, SnapshotBodies};
pub use self::objects::{ObjectOptions, Objects, Places, S3Keys, S3Options};
pub use self::opened::{Alone, Asked, DatabaseOptions, Opened, Reading, StorageOptions};
use self::permissions::Asker;
pub use self::postgres::{PostgresOptions, PostgresStore};
pub use self::preview::first_line;
pub use self::schema::Migrated;
pub use self::segments::{LogState, Ripe, SegmentIndex, SegmentMeta, Segments, Sizes, Tiered, Tiers};
pub use self::shard_log::{ShardOp, ShardPage};
pub use self::sqlite::{Durability, SettleLimits, SqliteOptions, SqliteStore};
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, SHARDS, Shard, UserId, Version};
use crate::protocol::Role;

/// The format of the `delta` column: canonical JSON.
pub const DELTA_FORMAT_JSON: u8 = 1;

/// Bytes of the largest delta that is taken. A line of a backup, a block of a segment and a record of the stream are 64 MiB at most,
/// with what belongs to an operation beside its delta. A new document of 10 MB whose characters all have to be escaped fits.
pub const MOST_DELTA_BYTES: usize = 64_000_000;

/// An operation to be committed, and equally one read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOp {
    /// The version that the operation makes: it takes the document from `version - 1` to `version`.
    pub version: Version,
    pub client: ClientId,
    /// The client's own number: unique per document and client.
    pub seq: u64,
    pub user: UserId,
    /// When the owner took it; never below that of the operation before.
    pub at: Millis,
    /// Canonical JSON of the delta.
    pub delta: Bytes,
}

/// One document's part of a batch.
#[derive(Clone, Debug)]
pub struct AppendEntry {
    pub doc: DocumentId,
    /// The epoch at which the caller owns the document's shard; another one in the database refuses the entry.
    pub epoch: Epoch,
    /// The position in the shard's log of the first operation; the others follow without a gap.
    pub first_pos: u64,
    /// Makes the document in the same transaction; its operations then begin at version 1.
    pub create: Option<NewDocument>,
    /// Contiguous versions, the first being the document's head + 1. May be empty with `create`.
    pub ops: Vec<LoggedOp>,
    /// Also sets the document's `updated_at` (to the last operation's `at`): the owner asks for it now and then, so
    /// that lists stay in order without a write per operation.
    pub touch: bool,
    /// The first line of text, when it has changed since the row was written last: lists show and search it.
    pub preview: Option<String>,
}

/// A document that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDocument {
    pub history: HistoryId,
    pub title: String,
    pub owner: UserId,
    pub created_at: Millis,
    /// The first line of its text.
    pub preview: String,
    /// What whoever has its address may do.
    pub link: Option<Role>,
}

/// A row of `documents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    pub id: DocumentId,
    pub history: HistoryId,
    pub title: String,
    pub owner: UserId,
    pub created_at: Millis,
    /// At or shortly before the last operation, see [`AppendEntry::touch`]; also set by snapshots and title changes.
    pub updated_at: Millis,
    /// The head of the log at the time of the read.
    pub version: Version,
    /// The version of the newest snapshot, 0 without one.
    pub snapshot_version: Version,
    /// The first line of text, at most 120 characters; behind the text by some seconds.
    pub preview: String,
    /// When it was put into the trash.
    pub deleted_at: Option<Millis>,
    pub archived: bool,
    /// What whoever has its address may do; `None` for nothing.
    pub link: Option<Role>,
    /// Counts changes of what anybody may do with it, see [`permissions`].
    pub access_changes: u64,
}

/// Where a document's history has parted from the one that it had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    pub history: HistoryId,
    pub parent: HistoryId,
    /// The last version that both have.
    pub version: Version,
    /// When it was done.
    pub at: Millis,
}

/// Returns the last version that `ancestor` has in common with the newest history of a document; `None` when it is none of
/// its histories. `forks` are all of the document's, the newest first.
pub fn common_version(forks: &[Fork], ancestor: HistoryId) -> Option<Version> {
    let mut common = Version::MAX;
    forks.iter().find_map(|fork| {
        common = common.min(fork.version);
        (fork.parent == ancestor).then_some(common)
    })
}

/// A change of a document's row; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct DocumentPatch {
    pub title: Option<String>,
    pub archived: Option<bool>,
    /// `Some(Some(t))` puts it into the trash, `Some(None)` takes it out.
    pub deleted_at: Option<Option<Millis>>,
    pub updated_at: Option<Millis>,
    pub preview: Option<String>,
    /// What has to be there, or nothing is changed.
    pub only: Option<Settings>,
}

/// What somebody has set of a document, and not what has come of its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub title: String,
    pub archived: bool,
    pub deleted_at: Option<Millis>,
}

impl DocumentRow {
    /// Returns what somebody has set.
    pub fn settings(&self) -> Settings {
        Settings { title: self.title.clone(), archived: self.archived, deleted_at: self.deleted_at }
    }
}

impl DocumentPatch {
    /// Changes a row in memory.
    ///
    /// # Errors
    /// `Conflict` when it is not what has to be there.
    fn apply(&self, row: &mut DocumentRow) -> Result<(), StoreError> {
        if self.only.as_ref().is_some_and(|only| *only != row.settings()) {
            return Err(StoreError::Conflict { what: format!("document {} was changed", row.id) });
        }
        if let Some(title) = &self.title {
            row.title.clone_from(title);
        }
        if let Some(preview) = &self.preview {
            row.preview.clone_from(preview);
        }
        row.archived = self.archived.unwrap_or(row.archived);
        row.deleted_at = self.deleted_at.unwrap_or(row.deleted_at);
        row.updated_at = self.updated_at.unwrap_or(row.updated_at);
        Ok(())
    }
}

/// Which documents to list: recent first, by (`updated_at`, `id`).
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Part of the title or of the preview, in any case. `%` and `_` are letters like others.
    pub text: Option<String>,
    /// Only those in the trash, or only those not in it.
    pub trashed: bool,
    pub scope: Scope,
    /// Continues after this document of the page before.
    pub after: Option<(Millis, DocumentId)>,
    /// At most so many.
    pub limit: usize,
}

/// Whose documents are listed.
#[derive(Clone, Debug, Default)]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// Those which a user owns, or has been given, by name or by a group.
    Of(Viewer),
    /// These, and those whose address is good for anything.
    OfAndLinked(Viewer),
}

/// Whose documents are listed, and when: what was given until before then is not.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub user: UserId,
    pub now: Millis,
}

/// What `clients` holds of one client of a document: the binding to its user, and exactly-once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Whoever made its first operation, also when other guests go on with it; a guest's client passes to the first
    /// signed-in user who makes one with it.
    pub user: UserId,
    /// The highest committed `seq`.
    pub last_seq: u64,
    /// The version which that operation made.
    pub last_version: Version,
}

impl ClientRow {
    /// What the client's first operation makes known.
    fn first(op: &LoggedOp) -> Self {
        Self { user: op.user.clone(), last_seq: op.seq, last_version: op.version }
    }

    /// Takes note of a further operation; tells whether that changes anything.
    fn advance(&mut self, op: &LoggedOp) -> bool {
        let passes_on = self.user.is_guest() && !op.user.is_guest();
        if passes_on {
            self.user.clone_from(&op.user);
        }
        let goes_on = op.seq >= self.last_seq;
        if goes_on {
            (self.last_seq, self.last_version) = (op.seq, op.version);
        }
        passes_on || goes_on
    }
}

/// A snapshot's row; its body is in the object store, or inline in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMeta {
    pub doc: DocumentId,
    pub history: HistoryId,
    pub version: Version,
    /// `at` of the operation that made the version; 0 at version 0.
    pub at: Millis,
    /// xxh3-64 of the stored body.
    pub checksum: u64,
    /// Bytes of the stored (compressed) body.
    pub bytes: u64,
    /// The body itself when it is small, else `None`: then it is in the object store.
    pub inline: Option<Bytes>,
    /// First line of text, for `documents.preview`.
    pub preview: String,
}

/// The append-only log of operations.
#[async_trait]
pub trait OpLog: Send + Sync {
    /// Writes the batch in one transaction that is durable when this returns `Ok`: operations, the client rows that
    /// follow from them ([`ClientRow`]), new documents.
    ///
    /// Locks and checks the epochs of the shards written. A taken version, position or `(client, seq)`, an existing id
    /// (or tombstone), a missing document or a foreign epoch refuses the entries concerned by name
    /// ([`AppendError::Entries`]) and writes nothing.
    async fn append(&self, batch: &[AppendEntry]) -> Result<(), AppendError>;

    /// Reads operations with `after < version <= upto`, in order, at most `limit` of them and, past the first one,
    /// at most `max_bytes` of deltas. An empty answer means that there are none in the range.
    ///
    /// # Errors
    /// `Corrupt` names the first missing version when the range has a gap in it or begins late; `NotFound` when the
    /// document does not exist.
    async fn read_ops(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<LoggedOp>, StoreError>;

    /// Returns the version that `(client, seq)` made, if it is in the log.
    async fn find_op(
        &self,
        doc: &DocumentId,
        client: ClientId,
        seq: u64,
    ) -> Result<Option<Version>, StoreError>;

    /// Returns what is known of one client of a document.
    async fn client(&self, doc: &DocumentId, client: ClientId) -> Result<Option<ClientRow>, StoreError>;

    /// Returns a version that the document's log has come to, by the rows of its clients, of which at most 1,024 are
    /// looked at; 0 when nothing is known. A log whose head is below has lost its end.
    async fn least_head(&self, doc: &DocumentId) -> Result<Version, StoreError>;

    /// Returns the last position of every shard's log, 0 for an empty one.
    async fn last_positions(&self) -> Result<Box<[u64; SHARDS]>, StoreError>;

    /// Reads one shard's log after the position `after`, in order of position, at most `limit` operations (at least one) and,
    /// past the first of them, at most `max_bytes` of deltas. Positions that purged documents have taken along are left out.
    /// What is committed during the read is in it from its beginning or not at all, so that a reader who goes on at
    /// [`ShardPage::upto`] misses nothing.
    ///
    /// Only what is in the database: what leaves it for somewhere else has to wait for the readers ([`Watermarks`]).
    ///
    /// # Errors
    /// `Corrupt` names an operation that cannot be read.
    async fn read_shard(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ShardPage, StoreError>;
}

/// How far the readers of the whole log have come, each by its name.
#[async_trait]
pub trait Watermarks: Send + Sync {
    /// Returns the last position of each shard that `reader` is done with; 0 where it has not begun.
    async fn watermarks(&self, reader: &str) -> Result<Box<[u64; SHARDS]>, StoreError>;

    /// Moves watermarks forward, all in one transaction; each shard is named once. One that is further already stays where it
    /// is: of two processes that take themselves for the reader, neither takes the other one back.
    async fn advance_watermarks(&self, reader: &str, to: &[(Shard, u64)]) -> Result<(), StoreError>;
}

/// The documents themselves, without their content.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Reads one document, also one in the trash. Purged ones are `NotFound`.
    async fn document(&self, doc: &DocumentId) -> Result<DocumentRow, StoreError>;

    /// Lists documents, see [`ListQuery`].
    async fn list_documents(&self, query: &ListQuery) -> Result<Vec<DocumentRow>, StoreError>;

    /// Changes a document's row and returns it as it is afterwards.
    ///
    /// # Errors
    /// `Conflict` when it has not what [`DocumentPatch::only`] says.
    async fn patch_document(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        patch: &DocumentPatch,
    ) -> Result<DocumentRow, StoreError>;

    /// Removes a document with its log, clients and snapshot rows, leaves a tombstone so that the id is never given
    /// again, and returns its history, whose bodies are to be removed ([`SnapshotBodies::purge`]). The tombstone is marked,
    /// and a purge that is cut short, or a body written late, is seen to at the next start.
    async fn purge_document(&self, doc: &DocumentId, at: Millis) -> Result<HistoryId, StoreError>;

    /// Reads the ids of all documents after `after`, in order of id, at most `limit`: for `verify` and `backup`.
    async fn document_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError>;

    /// The same of the documents that were purged.
    async fn purged_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError>;

    /// Gives a document a history of its own from here on, and forgets its snapshots, which are of the one before: their
    /// bodies are to be removed ([`SnapshotBodies::purge`]). To be called by the owner of its shard.
    ///
    /// # Errors
    /// `NotFound` for a document that does not exist, or has not the history that is to be left.
    async fn fork_document(&self, doc: &DocumentId, fork: &Fork) -> Result<(), StoreError>;

    /// Reads where a document's histories have parted, the newest first.
    async fn forks(&self, doc: &DocumentId) -> Result<Vec<Fork>, StoreError>;
}

/// The rows of snapshots; their bodies are in the object store, or inline.
#[async_trait]
pub trait SnapshotIndex: Send + Sync {
    /// Records snapshots whose bodies are durable already, in one transaction; sets `snapshot_version`, `preview` and
    /// `updated_at` (at least the snapshot's `at`) of the documents. Those of a document or a history that is gone are
    /// skipped, and returned: the caller removes their bodies. Recording a version again replaces its row.
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError>;

    /// Reads the snapshots at or below `upto`, newest first, at most `limit`.
    ///
    /// # Errors
    /// `Corrupt` with the version of the first row that cannot be read.
    async fn snapshots(
        &self,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<SnapshotMeta>, StoreError>;

    /// Forgets snapshots, after which their bodies may be removed.
    async fn forget_snapshots(&self, doc: &DocumentId, versions: &[Version]) -> Result<(), StoreError>;
}

/// Who owns which shard, at which epoch.
#[async_trait]
pub trait OwnershipStore: Send + Sync {
    /// Takes all shards for `node`, raising every epoch, and returns the new ones. Waits for appends of older epochs.
    async fn claim_all(&self, node: &str) -> Result<Box<[Epoch; SHARDS]>, StoreError>;

    /// Raises the epochs of shards that `node` owns at the epochs it believes in, and returns the new ones in the same
    /// order. Returns after every older append to them has ended, one way or the other. A shard of the node's own that is
    /// at a higher epoch already was raised by a call whose answer was lost; it is raised again.
    ///
    /// # Errors
    /// `Fenced` if one of them belongs to another owner by now; then none is raised.
    async fn raise(&self, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<Epoch>, StoreError>;

    /// Lists the shards that `node` owns, with their epochs.
    async fn owned(&self, node: &str) -> Result<Vec<(Shard, Epoch)>, StoreError>;
}

/// All of a database backend.
pub trait Store: OpLog + Watermarks + DocumentStore + SnapshotIndex + SegmentIndex + OwnershipStore {}

impl<T: OpLog + Watermarks + DocumentStore + SnapshotIndex + SegmentIndex + OwnershipStore> Store for T {}

/// A store as the actors share it.
pub type SharedStore = Arc<dyn Store>;
