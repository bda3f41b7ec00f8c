//! Snapshot + operation tail -> [`Rehydrated`].

use std::sync::Arc;

use super::operation::SequencedOp;
use super::state::Rehydrated;
use crate::ids::{ClientId, DocumentId};
use crate::storage::{SharedStore, SnapshotBodies, StoreError, history};

/// Reads a document. `poison` are operations that made the server panic twice: they will be refused.
///
/// # Errors
/// `NotFound` when there is no such document; what cannot be read is named, and is never an empty document.
pub async fn read(
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    doc: DocumentId,
    poison: Vec<(ClientId, u64)>,
) -> Result<Rehydrated, StoreError> {
    let loaded = history::load(&*store, &bodies, &doc, None).await?;
    let tail = loaded.tail.into_iter().map(|(op, delta)| SequencedOp::from_log(op, delta)).collect();
    Ok(Rehydrated {
        id: doc,
        history: loaded.row.history,
        owner: loaded.row.owner,
        version: loaded.version,
        at: loaded.at,
        content: loaded.content,
        tail,
        snapshot_version: loaded.snapshot_version,
        snapshot_bytes: loaded.snapshot_bytes,
        archived: loaded.row.archived,
        deleted: loaded.row.deleted_at.is_some(),
        poison,
    })
}
