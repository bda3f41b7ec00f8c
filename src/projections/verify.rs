//! Compares projections with the log.

use super::Projected;
use crate::ids::{DocumentId, Version};
use crate::storage::projections::{Activity, ContentRow, READER, SharedProjections};
use crate::storage::{Store, StoreError, common_version};

/// Operations read at a time, and bytes of their deltas.
const PAGE: usize = 2_000;
const PAGE_BYTES: usize = 4 << 20;

/// What was found of one document.
#[derive(Debug, Default)]
pub struct Verified {
    /// The version that its row holds; 0 without one.
    pub version: Version,
    /// Versions of the log that are not in it.
    pub behind: Version,
    /// A sentence each, with the document and the version; none is good news.
    pub complaints: Vec<String>,
}

/// Replays the log of a document up to the version that its row holds, and compares content, words and activity. Others may write
/// and project meanwhile.
///
/// # Errors
/// When storage does not answer. What cannot be read is a complaint.
pub async fn verify(
    store: &dyn Store,
    rows: &SharedProjections,
    doc: &DocumentId,
) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    let compared = match rows.projection(doc).await {
        Ok(None) => Ok(()),
        Ok(Some((row, activity))) => {
            verified.version = row.point.version;
            verified.compare(store, &row, &activity).await
        }
        Err(error) => Err(error),
    };
    match compared {
        Err(StoreError::NotFound { .. }) => return Ok(Verified::default()),
        Err(error @ StoreError::Corrupt { .. }) => verified.complaints.push(error.to_string()),
        compared => compared?,
    }
    match store.document(doc).await {
        Ok(row) => verified.behind = row.version.saturating_sub(verified.version),
        Err(StoreError::NotFound { .. }) => return Ok(Verified::default()),
        Err(error @ StoreError::Corrupt { .. }) => verified.complaints.push(error.to_string()),
        Err(error) => return Err(error),
    }
    if verified.behind > 0 && verified.complaints.is_empty() {
        verified.complaints.extend(passed_over(store, rows, doc).await?);
    }
    Ok(verified)
}

/// Tells what is wrong with a row that is behind although its shard has been projected to the end: nobody will see to it.
/// What is read first is the least that has to be true of what is read after it, since others may write meanwhile.
async fn passed_over(
    store: &dyn Store,
    rows: &SharedProjections,
    doc: &DocumentId,
) -> Result<Option<String>, StoreError> {
    let head = match store.document(doc).await {
        Err(StoreError::NotFound { .. }) => return Ok(None),
        row => row?.version,
    };
    let shard = usize::from(doc.shard());
    let end = store.last_positions().await?[shard];
    if store.watermarks(READER).await?[shard] < end {
        return Ok(None);
    }
    let held = rows.projection(doc).await?.map_or(0, |(row, _)| row.point.version);
    Ok((held < head).then(|| {
        format!("document {doc} at version {held}: projections have passed over its versions up to {head}")
    }))
}

impl Verified {
    async fn compare(
        &mut self,
        store: &dyn Store,
        row: &ContentRow,
        activity: &[Activity],
    ) -> Result<(), StoreError> {
        let (doc, version) = (&row.doc, row.point.version);
        let history = store.document(doc).await?.history;
        if history != row.point.history {
            let common = common_version(&store.forks(doc).await?, row.point.history);
            if common.is_none_or(|common| common < version) {
                // The next operation has it made anew.
                self.complain(row, "its projected content is of a history that it has left");
                return Ok(());
            }
        }
        let mut replay = Projected::begin(doc.clone(), row.point.history, None);
        while replay.version() < version {
            let page = store.read_ops(doc, replay.version(), version, PAGE, PAGE_BYTES).await?;
            if page.is_empty() {
                let end = replay.version();
                self.complain(
                    row,
                    &format!("its projected content is ahead of the log, which ends at version {end}"),
                );
                return Ok(());
            }
            for op in &page {
                replay.apply(op)?;
            }
        }
        if replay.activity() != activity {
            self.complain(row, "its activity is not what the log adds up to");
        }
        let stored = Projected::resume(row, row.point.history)?;
        let same = stored.content().length() == replay.content().length()
            && stored.content().to_delta() == replay.content().to_delta();
        if !same {
            self.complain(row, "its projected content is not what the log leads to");
        }
        let change = replay.into_change()?.map(|change| change.row);
        if same && change.is_some_and(|made| (made.plain, made.at) != (row.plain.clone(), row.at)) {
            self.complain(row, "its projected words are not those of its content");
        }
        Ok(())
    }

    fn complain(&mut self, row: &ContentRow, what: &str) {
        let ContentRow { doc, point, .. } = row;
        self.complaints.push(format!("document {doc} at version {}: {what}", point.version));
    }
}
