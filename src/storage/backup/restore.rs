//! Putting documents from a backup into a store.

use std::io::Read;

use super::read::{BackupError, Reader};
use super::{Counts, DocumentRecord, OpRecord, Record};
use crate::ids::{DocumentId, Epoch, HistoryId, Millis, SHARDS, UserId, Version};
use crate::ot::{Delta, Document};
use crate::storage::{
    AppendEntry, AppendError, DocumentPatch, Fork, LoggedOp, NewDocument, NewSnapshot, SnapshotBodies, Store,
    StoreError, first_line,
};

/// Operations of one append at most, and bytes of their deltas.
const AT_ONCE: usize = 2_000;
const BYTES_AT_ONCE: usize = 4 << 20;

/// Operations from which on a document gets a snapshot, as it would have while it was written.
const SNAPSHOT_FROM: Version = 100;

/// Up to where one document is restored.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Version(Version),
    /// The last version that was made by then.
    Time(Millis),
}

impl Until {
    fn includes(self, op: &OpRecord) -> bool {
        match self {
            Self::Version(version) => op.version <= version,
            Self::Time(time) => op.at <= time,
        }
    }
}

/// What is restored, and how.
#[derive(Clone, Debug, Default)]
pub struct Restore {
    /// One document instead of all.
    pub only: Option<DocumentId>,
    /// Under which id; it is a new document then.
    pub renamed: Option<DocumentId>,
    pub until: Option<Until>,
    /// Whether documents keep their histories: nobody has gone on with them elsewhere since the backup.
    pub keep_history: bool,
    /// When it is done.
    pub at: Millis,
}

/// Why documents could not be restored. What was restored before is there.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the operations of document {doc} cannot be written")]
    Append {
        doc: DocumentId,
        #[source]
        source: AppendError,
    },
    #[error("there are documents here already: a backup is restored into an empty database")]
    NotEmpty,
    #[error("document {0} is here already, or was purged")]
    Exists(DocumentId),
    #[error("document {0} is not in the backup")]
    NotThere(DocumentId),
}

impl Restore {
    /// Restores what there is in `reader`, and tells `progress` after each append what there is so far. Every operation is
    /// read and applied, so that none that cannot be is restored. Holds one document's content and a few thousand
    /// operations.
    ///
    /// # Errors
    /// With what was restored before left behind.
    pub async fn run<R: Read>(
        &self,
        store: &dyn Store,
        bodies: &SnapshotBodies,
        mut reader: Reader<R>,
        mut progress: impl FnMut(&Counts),
    ) -> Result<Counts, RestoreError> {
        self.expect_room(store).await?;
        let mut restorer = Restorer::new(self, store, bodies).await?;
        while let Some(record) = reader.record()? {
            match record {
                Record::Document(document) => {
                    restorer.finish(&reader).await?;
                    restorer.begin(document);
                }
                Record::Op(op) => restorer.op(op, &reader).await?,
                Record::Purged(doc) => {
                    // One that was purged while it was written ends with that.
                    if restorer.current.as_ref().is_some_and(|current| current.record.id != doc) {
                        restorer.finish(&reader).await?;
                    }
                    restorer.purge(&doc).await?;
                }
                Record::End(_) => restorer.finish(&reader).await?,
            }
            progress(&restorer.counts);
        }
        match &self.only {
            Some(doc) if restorer.counts.documents == 0 => Err(RestoreError::NotThere(doc.clone())),
            _ => Ok(restorer.counts),
        }
    }

    async fn expect_room(&self, store: &dyn Store) -> Result<(), RestoreError> {
        // A single document is refused when it comes to that.
        let there = match self.only {
            Some(_) => Vec::new(),
            None => [store.document_ids(None, 1).await?, store.purged_ids(None, 1).await?].concat(),
        };
        if there.is_empty() { Ok(()) } else { Err(RestoreError::NotEmpty) }
    }
}

/// A restore that is under way.
struct Restorer<'a> {
    how: &'a Restore,
    store: &'a dyn Store,
    bodies: &'a SnapshotBodies,
    epochs: Box<[Epoch; SHARDS]>,
    positions: Box<[u64; SHARDS]>,
    current: Option<Current>,
    counts: Counts,
}

/// The document whose operations are being read.
struct Current {
    record: DocumentRecord,
    /// Under which it is restored.
    id: DocumentId,
    content: Document,
    /// The last version that was read.
    read: Version,
    /// The last one that is restored, and when it was made.
    version: Version,
    at: Millis,
    /// What is not written yet.
    ops: Vec<LoggedOp>,
    bytes: usize,
    created: bool,
}

impl<'a> Restorer<'a> {
    async fn new(
        how: &'a Restore,
        store: &'a dyn Store,
        bodies: &'a SnapshotBodies,
    ) -> Result<Self, StoreError> {
        let epochs = store.claim_all(&format!("restore-{}", std::process::id())).await?;
        let positions = store.last_positions().await?;
        Ok(Self { how, store, bodies, epochs, positions, current: None, counts: Counts::default() })
    }

    fn begin(&mut self, record: DocumentRecord) {
        if self.how.only.as_ref().is_some_and(|only| *only != record.id) {
            return;
        }
        let id = self.how.renamed.clone().unwrap_or_else(|| record.id.clone());
        self.current = Some(Current::new(record, id));
    }

    async fn op<R: Read>(&mut self, op: OpRecord, reader: &Reader<R>) -> Result<(), RestoreError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.take(op, self.how.until).map_err(|why| reader.damaged(why))?;
        if current.ops.len() >= AT_ONCE || current.bytes >= BYTES_AT_ONCE {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what was read of the current document.
    async fn flush(&mut self) -> Result<(), RestoreError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let shard = usize::from(current.id.shard());
        let ops = std::mem::take(&mut current.ops);
        let count = ops.len() as u64;
        let entry = AppendEntry {
            doc: current.id.clone(),
            epoch: self.epochs[shard],
            first_pos: self.positions[shard] + 1,
            create: (!current.created).then(|| current.new_document(self.how)),
            touch: true,
            preview: Some(first_line(&current.content)),
            ops,
        };
        if entry.create.is_some() || count > 0 {
            self.store.append(&[entry]).await.map_err(|source| current.refused(source))?;
        }
        self.positions[shard] += count;
        self.counts.operations += count;
        current.bytes = 0;
        current.created = true;
        Ok(())
    }

    /// Ends the current document, all of whose operations have been read.
    async fn finish<R: Read>(&mut self, reader: &Reader<R>) -> Result<(), RestoreError> {
        let Some(current) = &self.current else { return Ok(()) };
        if current.read != current.record.version {
            let (doc, read, head) = (&current.record.id, current.read, current.record.version);
            return Err(reader
                .damaged(format!("comes after version {read} of {head} of document {doc}"))
                .into());
        }
        self.flush().await?;
        let Some(current) = self.current.take() else { return Ok(()) };
        self.set_row(&current).await?;
        let history = self.fork(&current).await?;
        if current.version >= SNAPSHOT_FROM {
            self.snapshot(&current, history).await?;
        }
        self.counts.documents += 1;
        Ok(())
    }

    async fn set_row(&self, current: &Current) -> Result<(), StoreError> {
        let record = &current.record;
        let changed_after = self.how.until.is_none() && record.updated_at != current.at;
        if !record.archived && record.deleted_at.is_none() && !changed_after {
            return Ok(());
        }
        let patch = DocumentPatch {
            archived: Some(record.archived),
            deleted_at: Some(record.deleted_at),
            updated_at: changed_after.then_some(record.updated_at),
            ..DocumentPatch::default()
        };
        self.store.patch_document(&current.id, &patch).await.map(|_| ())
    }

    /// Brings the document to the history that it had, by way of those before, and to one of its own if others may have gone
    /// on with that one.
    async fn fork(&self, current: &Current) -> Result<HistoryId, StoreError> {
        let record = &current.record;
        let mut history = record.first_history();
        if self.how.renamed.is_some() {
            return Ok(self.store.document(&current.id).await?.history);
        }
        let fresh = Fork {
            history: HistoryId::generate(),
            parent: record.history,
            version: current.version,
            at: self.how.at,
        };
        let fresh = (!self.how.keep_history).then_some(&fresh);
        for fork in record.forks.iter().rev().chain(fresh) {
            self.store.fork_document(&current.id, fork).await?;
            history = fork.history;
        }
        Ok(history)
    }

    async fn snapshot(&self, current: &Current, history: HistoryId) -> Result<(), StoreError> {
        let snapshot =
            NewSnapshot::of(current.id.clone(), history, current.version, current.at, &current.content);
        let row = self.bodies.write(snapshot).await?;
        self.store.record_snapshots(&[row]).await.map(|_| ())
    }

    /// Leaves a tombstone, whatever there is of the document: it may have been purged while it was written.
    async fn purge(&mut self, doc: &DocumentId) -> Result<(), RestoreError> {
        if self.how.only.is_some() {
            return Ok(());
        }
        if self.current.as_ref().is_some_and(|current| current.id == *doc && !current.created) {
            self.flush().await?;
        }
        let there = self.store.document(doc).await;
        if matches!(there, Err(StoreError::NotFound { .. })) {
            self.current = Some(Current::nothing(doc));
            match self.flush().await {
                // The tombstone is there already.
                Err(RestoreError::Exists(_)) => {
                    self.current = None;
                    return Ok(());
                }
                made => made?,
            }
        }
        self.current = None;
        self.store.purge_document(doc, self.how.at).await?;
        self.counts.purged += 1;
        Ok(())
    }
}

impl Current {
    fn new(record: DocumentRecord, id: DocumentId) -> Self {
        Self {
            record,
            id,
            content: Document::new(),
            read: 0,
            version: 0,
            at: 0,
            ops: Vec::new(),
            bytes: 0,
            created: false,
        }
    }

    /// Takes the next operation; says what is wrong with it if something is.
    fn take(&mut self, op: OpRecord, until: Option<Until>) -> Result<(), String> {
        let named = |why: &dyn std::fmt::Display| {
            format!("has version {} of document {}, which {why}", op.version, self.record.id)
        };
        if op.version != self.read + 1 {
            return Err(named(&format!("does not follow version {}", self.read)));
        }
        let json = op.delta.get();
        let delta = Delta::parse_stored(json).map_err(|error| named(&format!("cannot be read: {error}")))?;
        if until.is_none_or(|until| until.includes(&op)) {
            self.content.apply(&delta).map_err(|error| named(&format!("cannot be applied: {error}")))?;
            self.bytes += json.len();
            (self.version, self.at) = (op.version, op.at);
            let delta = json.as_bytes().to_vec().into();
            let (version, client, seq, user, at) = (op.version, op.client, op.seq, op.user, op.at);
            self.ops.push(LoggedOp { version, client, seq, user, at, delta });
        }
        self.read = op.version;
        Ok(())
    }

    /// A document of which only the id is known.
    fn nothing(doc: &DocumentId) -> Self {
        let record = DocumentRecord {
            id: doc.clone(),
            history: HistoryId::generate(),
            title: String::new(),
            owner: UserId::guest_rest(),
            created_at: 0,
            updated_at: 0,
            version: 0,
            preview: String::new(),
            deleted_at: None,
            archived: false,
            link: None,
            forks: Vec::new(),
        };
        Self::new(record, doc.clone())
    }

    fn new_document(&self, how: &Restore) -> NewDocument {
        let is_same = how.renamed.is_none();
        NewDocument {
            history: if is_same { self.record.first_history() } else { HistoryId::generate() },
            title: self.record.title.clone(),
            owner: self.record.owner.clone(),
            created_at: self.record.created_at,
            preview: first_line(&self.content),
            link: self.record.link,
        }
    }

    fn refused(&self, source: AppendError) -> RestoreError {
        let doc = self.id.clone();
        match &source {
            AppendError::Entries(entries)
                if !self.created
                    && entries.iter().any(|(_, why)| matches!(why, StoreError::Conflict { .. })) =>
            {
                RestoreError::Exists(doc)
            }
            _ => RestoreError::Append { doc, source },
        }
    }
}

impl DocumentRecord {
    /// The history that the document was made with.
    fn first_history(&self) -> HistoryId {
        self.forks.last().map_or(self.history, |fork| fork.parent)
    }
}
