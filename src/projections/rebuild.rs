//! Makes projections again from the log, across its tiers.

use super::{Projected, Projector};
use crate::ids::{DocumentId, Version};
use crate::storage::StoreError;
use crate::storage::projections::Move;

/// How often a document is tried that somebody else projects at the same time.
const TRIES: usize = 10;

/// Makes one document's row and activity again from the beginning of its log, whatever is stored. Others may project meanwhile.
/// Returns how many versions were applied; 0 for a document that was purged.
///
/// # Errors
/// `Corrupt` when the log cannot be read; `Unavailable`; `Conflict` when somebody else was faster each time.
pub async fn rebuild(projector: &Projector, doc: &DocumentId) -> Result<Version, StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match rebuild_once(projector, doc).await {
            Err(StoreError::Conflict { .. }) if tries < TRIES => tokio::task::yield_now().await,
            Err(StoreError::NotFound { .. }) => return Ok(0),
            done => return done,
        }
    }
}

async fn rebuild_once(projector: &Projector, doc: &DocumentId) -> Result<Version, StoreError> {
    let standing = projector.rows.standings(std::slice::from_ref(doc)).await?.pop();
    let Some(standing) = standing.filter(|standing| !standing.purged) else { return Ok(0) };
    let mut projected = Projected::begin(doc.clone(), standing.history, standing.row);
    projector.catch_up(&mut projected, Version::MAX).await?;
    let versions = projected.version();
    let Some(change) = projected.into_change()? else { return Ok(versions) };
    let marks = projector.store.watermarks(crate::storage::projections::READER).await?;
    let pos = marks[usize::from(doc.shard())];
    // Where the shard has come to stays: what is beyond is in the row already, and is passed over.
    let stay = Move { shard: doc.shard(), from: pos, to: pos };
    projector.rows.project(&[stay], &[change]).await?;
    Ok(versions)
}
