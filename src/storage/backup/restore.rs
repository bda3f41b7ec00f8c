//! Putting documents from a backup into a store.

use std::io::Read;

use super::current::Current;
use super::read::{BackupError, Reader};
use super::rows::{Belongings, OF_THE_SERVER, Row, Table, is_of_a_document, table};
use super::{Counts, DocumentRecord, OpRecord, Record, RowRecord};
use crate::ids::{DocumentId, Epoch, HistoryId, Millis, SHARDS, Version};
use crate::storage::permissions::Asker;
use crate::storage::{
    AppendEntry, AppendError, DocumentPatch, Fork, NewSnapshot, SnapshotBodies, Store, StoreError, first_line,
};

/// Operations of one append at most, and bytes of their deltas.
const AT_ONCE: usize = 2_000;
const BYTES_AT_ONCE: usize = 4 << 20;

/// Rows of one transaction at most.
const ROWS_AT_ONCE: usize = 200;

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
    /// Tells whether a version is restored that was made at `at`.
    pub(super) fn has(self, version: Version, at: Millis) -> bool {
        match self {
            Self::Version(last) => version <= last,
            Self::Time(last) => at <= last,
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

/// Where it is restored to.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub store: &'a dyn Store,
    pub belongings: &'a dyn Belongings,
    pub bodies: &'a SnapshotBodies,
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
    #[error(
        "there are accounts, groups, bans or quotas here already: a backup is restored into an empty database"
    )]
    Inhabited,
    #[error("document {0} is here already, or was purged")]
    Exists(DocumentId),
    #[error("document {0} is not in the backup")]
    NotThere(DocumentId),
}

impl Restore {
    /// Restores what there is in `reader`, and tells `progress` after each append what there is so far. Every operation is
    /// read and applied, so that none that cannot be is restored. Holds one document's content, a few thousand operations and
    /// some hundred rows. A backup that was not [checked](Reader::check) may turn out to be damaged half way.
    ///
    /// # Errors
    /// With what was restored before left behind.
    pub async fn run<R: Read>(
        &self,
        target: Target<'_>,
        mut reader: Reader<R>,
        mut progress: impl FnMut(&Counts),
    ) -> Result<Counts, RestoreError> {
        self.expect_room(target, reader.has_rows()).await?;
        let mut restorer = Restorer::new(self, target).await?;
        while let Some(record) = reader.record()? {
            match record {
                Record::Document(document) => {
                    restorer.finish(&reader).await?;
                    restorer.flush_rows().await?;
                    restorer.begin(document);
                }
                Record::Row(row) => restorer.row(row, &reader).await?,
                Record::Head(head) => restorer.expect(head),
                Record::Op(op) => restorer.op(op, &reader).await?,
                Record::Purged(doc) => {
                    // One that was purged while it was written ends with that.
                    if restorer.current.as_ref().is_some_and(|current| current.record.id != doc) {
                        restorer.finish(&reader).await?;
                    }
                    restorer.purge(&doc).await?;
                }
                Record::End(_) => {
                    restorer.finish(&reader).await?;
                    restorer.flush_rows().await?;
                }
            }
            progress(&restorer.counts);
        }
        match &self.only {
            Some(doc) if restorer.counts.documents == 0 => Err(RestoreError::NotThere(doc.clone())),
            _ => Ok(restorer.counts),
        }
    }

    async fn expect_room(&self, target: Target<'_>, for_people: bool) -> Result<(), RestoreError> {
        if self.only.is_some() {
            // It is refused when it comes to that.
            return Ok(());
        }
        let Target { store, belongings, .. } = target;
        let there = [store.document_ids(None, 1).await?, store.purged_ids(None, 1).await?].concat();
        if !there.is_empty() {
            return Err(RestoreError::NotEmpty);
        }
        for table in OF_THE_SERVER.iter().filter(|_| for_people) {
            if !belongings.rows(table, None, None, 1).await?.is_empty() {
                return Err(RestoreError::Inhabited);
            }
        }
        Ok(())
    }
}

/// A restore that is under way.
struct Restorer<'a> {
    how: &'a Restore,
    store: &'a dyn Store,
    belongings: &'a dyn Belongings,
    bodies: &'a SnapshotBodies,
    epochs: Box<[Epoch; SHARDS]>,
    positions: Box<[u64; SHARDS]>,
    current: Option<Current>,
    /// Rows of no document that are not written yet.
    rows: Vec<(&'static Table, Row)>,
    counts: Counts,
}

impl<'a> Restorer<'a> {
    async fn new(how: &'a Restore, target: Target<'a>) -> Result<Self, StoreError> {
        let Target { store, belongings, bodies } = target;
        let epochs = store.claim_all(&format!("restore-{}", std::process::id())).await?;
        let positions = store.last_positions().await?;
        let (rows, counts) = (Vec::new(), Counts::default());
        Ok(Self { how, store, belongings, bodies, epochs, positions, current: None, rows, counts })
    }

    fn begin(&mut self, record: DocumentRecord) {
        if self.how.only.as_ref().is_some_and(|only| *only != record.id) {
            return;
        }
        let id = self.how.renamed.clone().unwrap_or_else(|| record.id.clone());
        self.current = Some(Current::new(record, id));
    }

    fn expect(&mut self, head: Version) {
        if let Some(current) = &mut self.current {
            current.record.version = head;
        }
    }

    async fn row<R: Read>(&mut self, record: RowRecord, reader: &Reader<R>) -> Result<(), RestoreError> {
        let RowRecord { table: name, row } = record;
        let table = table(&name).ok_or_else(|| reader.damaged("is of a table that is not known"))?;
        if is_of_a_document(table) {
            let Some(current) = &mut self.current else { return Ok(()) };
            current.take_row(table, row, self.how);
            if current.rows.len() >= ROWS_AT_ONCE {
                self.flush_rows_of_document().await?;
            }
            return Ok(());
        }
        self.finish(reader).await?;
        if self.how.only.is_none() {
            self.rows.push((table, row));
            if self.rows.len() >= ROWS_AT_ONCE {
                self.flush_rows().await?;
            }
        }
        Ok(())
    }

    /// Writes rows of no document.
    async fn flush_rows(&mut self) -> Result<(), StoreError> {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            self.belongings.put_rows(None, &rows).await?;
            self.counts.rows += rows.len() as u64;
        }
        Ok(())
    }

    /// Writes rows of the current document, which is made for them if need be.
    async fn flush_rows_of_document(&mut self) -> Result<(), RestoreError> {
        if self.current.as_ref().is_some_and(|current| !current.created) {
            self.flush().await?;
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        let rows = std::mem::take(&mut current.rows);
        if !rows.is_empty() {
            self.belongings.put_rows(Some(&current.id), &rows).await?;
            self.counts.rows += rows.len() as u64;
        }
        Ok(())
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
        self.flush_rows_of_document().await?;
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
        self.store.patch_document(&Asker::Server, &current.id, &patch).await.map(|_| ())
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
