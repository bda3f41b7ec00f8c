//! Writing a backup.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

use super::rows::{Belongings, COMMENTS, NAMES, OF_THE_ERASED, OF_THE_SERVER, RIGHTS, Row, Table};
use super::sealed::{BeginError, Sealed};
use super::{Counts, DocumentRecord, FORMAT, MAGIC, OpRecord, Record, RowRecord};
use crate::ids::{DocumentId, Version};
use crate::storage::history::corrupt;
use crate::storage::sealing::Vault;
use crate::storage::{LoggedOp, Store, StoreError};

/// How fast, and how small: a log of single characters shrinks to a tenth at any level.
const LEVEL: i32 = 3;

/// Documents looked up at a time.
const PAGE: usize = 1_000;
/// Rows read at a time: a comment has some ten thousand characters at most.
const PAGE_ROWS: usize = 200;
/// Operations read at a time.
const PAGE_OPS: usize = 5_000;
/// Bytes of deltas read at a time.
const PAGE_BYTES: usize = 4 << 20;

/// What a backup is made of, and what it is encrypted with.
pub struct Backup<'a> {
    pub store: &'a dyn Store,
    pub belongings: &'a dyn Belongings,
    pub vault: &'a Vault,
}

impl Backup<'_> {
    /// Writes everything to `out`, and tells `progress` after each page what there is so far. Holds a page of operations or of
    /// rows.
    ///
    /// # Errors
    /// Storage or `out` do not oblige, or a log cannot be read. What was written is then of no use, and says so by its end.
    pub async fn write<W: Write>(
        &self,
        mut out: W,
        progress: impl FnMut(&Counts),
    ) -> Result<(Counts, W), WriteError> {
        out.write_all(&MAGIC)?;
        out.write_all(&[FORMAT])?;
        let mut lines = Encoder::new(Sealed::begin(out, self.vault).await?, LEVEL)?;
        lines.include_checksum(true)?;
        let (store, belongings) = (self.store, self.belongings);
        let mut writer = Writer { store, belongings, lines, counts: Counts::default(), progress };
        for table in OF_THE_SERVER {
            writer.rows(table, None).await?;
        }
        writer.documents().await?;
        // After the documents: one that was purged meanwhile is in both, and its purge counts.
        writer.purged().await?;
        for table in OF_THE_ERASED {
            writer.rows(table, None).await?;
        }
        writer.line(&Record::End(writer.counts))?;
        let mut out = writer.lines.finish()?.finish()?;
        out.flush()?;
        Ok((writer.counts, out))
    }
}

/// Why a backup could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the backup cannot be written")]
    Io(#[from] io::Error),
}

impl From<BeginError> for WriteError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Store(error) => Self::Store(error),
            BeginError::Io(error) => Self::Io(error),
        }
    }
}

struct Writer<'a, W: Write, P> {
    store: &'a dyn Store,
    belongings: &'a dyn Belongings,
    lines: Encoder<'static, Sealed<W>>,
    counts: Counts,
    progress: P,
}

impl<W: Write, P: FnMut(&Counts)> Writer<'_, W, P> {
    async fn documents(&mut self) -> Result<(), WriteError> {
        let mut after = None;
        loop {
            let page = self.store.document_ids(after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            for doc in page {
                self.document(&doc).await?;
            }
            after = Some(last);
        }
    }

    async fn document(&mut self, doc: &DocumentId) -> Result<(), WriteError> {
        let row = match self.store.document(doc).await {
            // It was purged after it was listed.
            Err(StoreError::NotFound { .. }) => return Ok(()),
            row => row?,
        };
        let forks = self.store.forks(doc).await?;
        self.line(&Record::Document(DocumentRecord::new(row, forks)))?;
        self.counts.documents += 1;
        for table in RIGHTS.iter().chain([NAMES, COMMENTS]) {
            self.rows(table, Some(doc)).await?;
        }
        // Read after the comments, so that no anchor is at a version that is not in the backup.
        let head = match self.store.document(doc).await {
            // It is being purged, and will be among those that were.
            Err(StoreError::NotFound { .. }) => return self.purge(doc),
            row => row?.version,
        };
        self.line(&Record::Head(head))?;
        let mut come_to = 0;
        while come_to < head {
            let page = match read_on(self.store, doc, come_to, head).await {
                Err(StoreError::NotFound { .. }) => return self.purge(doc),
                page => page?,
            };
            for op in &page {
                self.op(doc, op)?;
                come_to = op.version;
            }
            (self.progress)(&self.counts);
        }
        Ok(())
    }

    /// Writes a table, or what it has of one document.
    async fn rows(&mut self, table: &'static Table, doc: Option<&DocumentId>) -> Result<(), WriteError> {
        let mut after: Option<Row> = None;
        loop {
            let page = self.belongings.rows(table, doc, after.as_ref(), PAGE_ROWS).await?;
            let is_last = page.len() < PAGE_ROWS;
            after = page.last().cloned();
            for row in page {
                self.line(&Record::Row(RowRecord { table: table.name().to_owned(), row }))?;
                self.counts.rows += 1;
            }
            (self.progress)(&self.counts);
            if is_last {
                return Ok(());
            }
        }
    }

    fn op(&mut self, doc: &DocumentId, op: &LoggedOp) -> Result<(), WriteError> {
        let record = OpRecord::of(op).map_err(|error| corrupt(doc, op.version, &error))?;
        self.line(&Record::Op(record))?;
        self.counts.operations += 1;
        Ok(())
    }

    fn purge(&mut self, doc: &DocumentId) -> Result<(), WriteError> {
        self.line(&Record::Purged(doc.clone()))?;
        self.counts.purged += 1;
        Ok(())
    }

    async fn purged(&mut self) -> Result<(), WriteError> {
        let mut after = None;
        loop {
            let page = self.store.purged_ids(after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            for doc in page {
                self.purge(&doc)?;
            }
            after = Some(last);
        }
    }

    fn line(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, record)?;
        self.lines.write_all(b"\n")
    }
}

/// Reads the next operations of a log that goes on.
async fn read_on(
    store: &dyn Store,
    doc: &DocumentId,
    after: Version,
    head: Version,
) -> Result<Vec<LoggedOp>, StoreError> {
    let page = store.read_ops(doc, after, head, PAGE_OPS, PAGE_BYTES).await?;
    if page.is_empty() {
        let why = format!("the log ends at version {after}, but had come to {head}");
        return Err(StoreError::Corrupt { doc: doc.clone(), version: after + 1, why });
    }
    Ok(page)
}
