//! Writing a backup.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

use super::{Counts, DocumentRecord, FORMAT, MAGIC, OpRecord, Record};
use crate::ids::{DocumentId, Version};
use crate::storage::history::corrupt;
use crate::storage::{LoggedOp, Store, StoreError};

/// How fast, and how small: a log of single characters shrinks to a tenth at any level.
const LEVEL: i32 = 3;

/// Documents looked up at a time.
const PAGE: usize = 1_000;
/// Operations read at a time.
const PAGE_OPS: usize = 5_000;
/// Bytes of deltas read at a time.
const PAGE_BYTES: usize = 4 << 20;

/// Writes all documents to `out`, and tells `progress` after each page what there is so far. Holds a page of
/// operations.
///
/// # Errors
/// Storage or `out` do not oblige, or a log cannot be read. What was written is then of no use, and says so by its end.
pub async fn write<W: Write>(
    store: &dyn Store,
    mut out: W,
    mut progress: impl FnMut(&Counts),
) -> Result<(Counts, W), WriteError> {
    out.write_all(&MAGIC)?;
    out.write_all(&[FORMAT])?;
    let mut lines = Encoder::new(out, LEVEL)?;
    lines.include_checksum(true)?;
    let mut writer = Writer { lines, counts: Counts::default() };
    let mut after = None;
    loop {
        let page = store.document_ids(after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { break };
        for doc in page {
            writer.document(store, &doc, &mut progress).await?;
        }
        after = Some(last);
    }
    // After the documents: one that was purged meanwhile is in both, and its purge counts.
    writer.purged(store).await?;
    writer.line(&Record::End(writer.counts))?;
    let mut out = writer.lines.finish()?;
    out.flush()?;
    Ok((writer.counts, out))
}

/// Why a backup could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the backup cannot be written")]
    Io(#[from] io::Error),
}

struct Writer<W: Write> {
    lines: Encoder<'static, W>,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    async fn document(
        &mut self,
        store: &dyn Store,
        doc: &DocumentId,
        progress: &mut impl FnMut(&Counts),
    ) -> Result<(), WriteError> {
        let row = match store.document(doc).await {
            // It was purged after it was listed.
            Err(StoreError::NotFound { .. }) => return Ok(()),
            row => row?,
        };
        let (head, mut come_to) = (row.version, 0);
        let mut page = match store.read_ops(doc, 0, head, PAGE_OPS, PAGE_BYTES).await {
            Err(StoreError::NotFound { .. }) => return Ok(()),
            page => page?,
        };
        self.line(&Record::Document(DocumentRecord::new(row, store.forks(doc).await?)))?;
        self.counts.documents += 1;
        loop {
            for op in &page {
                self.op(doc, op)?;
                come_to = op.version;
            }
            progress(&self.counts);
            if come_to == head {
                return Ok(());
            }
            page = match read_on(store, doc, come_to, head).await {
                // It is being purged, and will be among those that were.
                Err(StoreError::NotFound { .. }) => return self.purge(doc),
                page => page?,
            };
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

    async fn purged(&mut self, store: &dyn Store) -> Result<(), WriteError> {
        let mut after = None;
        loop {
            let page = store.purged_ids(after.as_ref(), PAGE).await?;
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
