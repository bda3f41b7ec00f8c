//! Reading a document's past: newest readable snapshot + the operations after it.

use super::{DocumentRow, LoggedOp, SnapshotBodies, SnapshotMeta, Store, StoreError};
use crate::ids::{DocumentId, Millis, Version};
use crate::ot::{Delta, Document};

/// Snapshots that are tried before the log is replayed from its beginning.
const SNAPSHOTS_TRIED: usize = 4;

/// Operations read at a time.
const PAGE: usize = 2_000;
/// Bytes of deltas read at a time.
const PAGE_BYTES: usize = 4 << 20;

/// A document at a version: its content, and none of the operations that have led there.
pub struct Loaded {
    pub row: DocumentRow,
    pub version: Version,
    /// When the version was made; 0 at version 0.
    pub at: Millis,
    pub content: Document,
    /// The snapshot that was used, 0 for none.
    pub snapshot_version: Version,
    pub snapshot_bytes: u64,
}

/// Reads a document at its head. Each operation since the snapshot is handed to `each`, in order, once it is applied: how
/// many are kept is the caller's affair, since there may be any number of them, and of any size.
///
/// # Errors
/// `NotFound` for a document that does not exist; `Corrupt`, naming document and version, when the log has a gap, has lost
/// its end, or cannot be applied. A snapshot that cannot be read is passed over for the one before it, with a warning.
pub async fn head(
    store: &dyn Store,
    bodies: &SnapshotBodies,
    doc: &DocumentId,
    each: impl FnMut(LoggedOp, Delta),
) -> Result<Loaded, StoreError> {
    let row = sound_row(store, doc, true).await?;
    let head = row.version;
    let loaded = start(store, bodies, row, head).await?;
    replay(store, loaded, head, Version::MAX, each).await
}

/// Reads a document at a version. Holds the content and a page of operations, however many of them there are.
///
/// # Errors
/// As [`head`], and `NotFound` for a version that does not exist.
pub async fn at(
    store: &dyn Store,
    bodies: &SnapshotBodies,
    doc: &DocumentId,
    version: Version,
) -> Result<Loaded, StoreError> {
    let row = sound_row(store, doc, false).await?;
    if version > row.version {
        return Err(StoreError::NotFound { what: format!("version {version} of document {doc}") });
    }
    let loaded = start(store, bodies, row, version).await?;
    replay(store, loaded, version, version, |_, _| {}).await
}

/// Applies what the log has up to `end`, which is `target` at least.
async fn replay(
    store: &dyn Store,
    mut loaded: Loaded,
    target: Version,
    end: Version,
    mut each: impl FnMut(LoggedOp, Delta),
) -> Result<Loaded, StoreError> {
    let doc = loaded.row.id.clone();
    let doc = &doc;
    while loaded.version < end {
        let page = store.read_ops(doc, loaded.version, end, PAGE, PAGE_BYTES).await?;
        if page.is_empty() {
            break;
        }
        for op in page {
            let delta = read_delta(doc, &op)?;
            loaded.content.apply(&delta).map_err(|error| corrupt(doc, op.version, &error))?;
            loaded.version = op.version;
            loaded.at = op.at;
            each(op, delta);
        }
        // Long tails give way to the other documents of this thread.
        tokio::task::yield_now().await;
    }
    if loaded.version < target {
        let why = format!("the log ends at version {}", loaded.version);
        return Err(StoreError::Corrupt { doc: doc.clone(), version: loaded.version + 1, why });
    }
    Ok(loaded)
}

/// Reads a document's row and makes sure that its log has not lost its end: what is left would pass for a shorter document,
/// or an empty one, and new operations would take the versions of the lost ones. A snapshot was made of what the log had
/// come to, and so were the rows of clients, which only a whole reading (`with_clients`) looks at.
async fn sound_row(
    store: &dyn Store,
    doc: &DocumentId,
    with_clients: bool,
) -> Result<DocumentRow, StoreError> {
    // Before the row: the head that is read with it is not below this, whatever is appended meanwhile.
    let least_head = if with_clients { store.least_head(doc).await? } else { 0 };
    let mut row = store.document(doc).await?;
    let reached = row.snapshot_version.max(least_head);
    if row.version < reached {
        // A document that was purged between these reads is not damaged, but gone.
        row = store.document(doc).await?;
    }
    if row.version < reached {
        let why = format!("the log ends at version {}, but had come to {reached}", row.version);
        return Err(StoreError::Corrupt { doc: doc.clone(), version: row.version + 1, why });
    }
    Ok(row)
}

/// Begins with the newest snapshot at or below `target` that can be read, or with nothing.
async fn start(
    store: &dyn Store,
    bodies: &SnapshotBodies,
    row: DocumentRow,
    target: Version,
) -> Result<Loaded, StoreError> {
    let (mut upto, mut objects_away) = (target, false);
    for _ in 0..SNAPSHOTS_TRIED {
        let version = match newest_snapshot(store, &row, upto).await {
            Ok(None) => break,
            // To ask once more would only be to wait once more.
            Ok(Some(meta)) if objects_away && meta.inline.is_none() => meta.version,
            Ok(Some(meta)) => match read_snapshot(bodies, &meta).await {
                Ok(content) => {
                    return Ok(Loaded {
                        row,
                        version: meta.version,
                        at: meta.at,
                        content,
                        snapshot_version: meta.version,
                        snapshot_bytes: meta.bytes,
                    });
                }
                Err(error) => {
                    objects_away = error.is_transient();
                    pass_over(&row.id, meta.version, &error)
                }
            },
            Err(error @ StoreError::Corrupt { version, .. }) => pass_over(&row.id, version, &error),
            Err(error) => return Err(error),
        };
        match version.min(upto).checked_sub(1) {
            Some(older) => upto = older,
            None => break,
        }
    }
    let content = Document::new();
    Ok(Loaded { row, version: 0, at: 0, content, snapshot_version: 0, snapshot_bytes: 0 })
}

/// Tells that an older snapshot has to do.
fn pass_over(doc: &DocumentId, version: Version, error: &StoreError) -> Version {
    let error = error as &dyn std::error::Error;
    tracing::warn!(document_id = %doc, version, error, "an older snapshot is used");
    version
}

/// Reads the row of the newest snapshot at or below `upto`.
///
/// # Errors
/// `Corrupt`, with the snapshot's version, when it is there and cannot be used.
async fn newest_snapshot(
    store: &dyn Store,
    row: &DocumentRow,
    upto: Version,
) -> Result<Option<SnapshotMeta>, StoreError> {
    let Some(meta) = store.snapshots(&row.id, upto, 1).await?.pop() else { return Ok(None) };
    if meta.history != row.history {
        return Err(corrupt(&row.id, meta.version, &"the snapshot is of another history"));
    }
    Ok(Some(meta))
}

/// Reads a snapshot's content.
pub async fn read_snapshot(bodies: &SnapshotBodies, meta: &SnapshotMeta) -> Result<Document, StoreError> {
    let json = bodies.read(meta).await?;
    let text = std::str::from_utf8(&json).map_err(|error| corrupt(&meta.doc, meta.version, &error))?;
    Document::from_json(text).map_err(|error| corrupt(&meta.doc, meta.version, &error))
}

/// Reads a logged delta. What cannot be read is reported with its version.
pub fn read_delta(doc: &DocumentId, op: &LoggedOp) -> Result<Delta, StoreError> {
    let text = std::str::from_utf8(&op.delta).map_err(|error| corrupt(doc, op.version, &error))?;
    Delta::parse_stored(text).map_err(|error| corrupt(doc, op.version, &error))
}

pub(crate) fn corrupt(doc: &DocumentId, version: Version, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { doc: doc.clone(), version, why: why.to_string() }
}
