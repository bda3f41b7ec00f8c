//! Purging a document: a tombstone at once, and then what it has left, a part at a time.

use super::PostgresStore;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::projections::LOCK_WATERMARKS;
use super::rows;
use super::sessions::{Sessions, statement};
use crate::ids::{DocumentId, HistoryId, Millis};
use crate::storage::StoreError;
use crate::storage::projections::READER;

const LOCK_SHARD: &str = include_str!("sql/lock_shard.sql");
const BURY_DOCUMENT: &str = include_str!("sql/bury_document.sql");
const RAISE_FLOOR: &str = include_str!("sql/raise_floor.sql");
const PURGE_SNAPSHOTS: &str = include_str!("sql/purge_snapshots.sql");
const PURGE_PERMISSIONS: &str = include_str!("sql/purge_permissions.sql");
const PURGE_FORKS: &str = "DELETE FROM forks WHERE doc_id = $1";
const PURGE_NAMES: &str = "DELETE FROM named_versions WHERE doc_id = $1";
const PURGE_COMMENTS: &str = "DELETE FROM comments WHERE doc_id = $1";
const PURGE_SEGMENTS: &str = "DELETE FROM segments WHERE doc_id = $1";
const PURGE_CONTENT: &str = "DELETE FROM contents WHERE shard = $1 AND doc_id = $2";
const PURGE_ACTIVITY: &str = include_str!("sql/purge_activity.sql");
const PURGE_OPS: &str = include_str!("sql/purge_ops.sql");
const PURGE_CLIENTS: &str = include_str!("sql/purge_clients.sql");
const LIST_PURGES: &str = include_str!("sql/list_purges.sql");
const END_PURGES: &str = include_str!("sql/end_purges.sql");

/// Rows removed in one statement, so that each is far from its time-out.
const AT_ONCE: i64 = 10_000;

/// Purges a document, to the end, whatever becomes of the caller.
pub(super) async fn purge(sessions: Sessions, doc: DocumentId, at: Millis) -> Result<HistoryId, StoreError> {
    let purge = tokio::spawn(async move {
        let buried = bury(&sessions, &doc, at).await.map_err(|error| read_error(&doc, 0, error))?;
        let history = buried.ok_or_else(|| not_found(&doc))?;
        purge_rest(&sessions, &doc).await.map_err(store_error)?;
        Ok(history)
    });
    match purge.await {
        Ok(purged) => purged,
        Err(ended) => Err(StoreError::unavailable(ended)),
    }
}

/// Makes the tombstone and removes the snapshots' rows; keeps the document's positions from being given again. Returns the
/// history; `None` when there is no such document.
///
/// Its shard is locked, so that an append to it has ended before or finds the tombstone.
async fn bury(sessions: &Sessions, doc: &DocumentId, at: Millis) -> Result<Option<HistoryId>, sqlx::Error> {
    let shard = i16::from(doc.shard());
    let mut session = sessions.begin().await?;
    session.row(statement(LOCK_SHARD).bind(shard)).await?;
    let buried = session.row(statement(BURY_DOCUMENT).bind(doc.as_str()).bind(at)).await?;
    let Some(buried) = buried else { return Ok(None) };
    session.run(statement(RAISE_FLOOR).bind(shard)).await?;
    session.run(statement(PURGE_SNAPSHOTS).bind(doc.as_str())).await?;
    session.run(statement(PURGE_PERMISSIONS).bind(doc.as_str())).await?;
    session.run(statement(PURGE_FORKS).bind(doc.as_str())).await?;
    session.run(statement(PURGE_NAMES).bind(doc.as_str())).await?;
    session.run(statement(PURGE_COMMENTS).bind(doc.as_str())).await?;
    session.run(statement(PURGE_SEGMENTS).bind(doc.as_str())).await?;
    session.commit().await?;
    rows::history_id(&buried, "history").map(Some)
}

/// Removes what is left of a document whose own row is a tombstone already.
async fn purge_rest(sessions: &Sessions, doc: &DocumentId) -> Result<(), sqlx::Error> {
    purge_content(sessions, doc).await?;
    for part in [PURGE_OPS, PURGE_CLIENTS, PURGE_ACTIVITY] {
        let some = || statement(part).bind(i16::from(doc.shard())).bind(doc.as_str()).bind(AT_ONCE);
        while sessions.run(some()).await? > 0 {}
    }
    Ok(())
}

/// Whoever projects locks the shard's watermark, and looks for the tombstone after that: what was on its way is here by the time
/// that this has the lock, and nothing comes later.
async fn purge_content(sessions: &Sessions, doc: &DocumentId) -> Result<(), sqlx::Error> {
    let shard = i16::from(doc.shard());
    let mut session = sessions.begin().await?;
    session.rows(statement(LOCK_WATERMARKS).bind(READER).bind(vec![shard])).await?;
    session.run(statement(PURGE_CONTENT).bind(shard).bind(doc.as_str())).await?;
    session.commit().await
}

impl PostgresStore {
    /// Lists the documents that were purged since the marks were last cleared, with their histories, after what a crash
    /// has left of them is removed.
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub(in crate::storage) async fn purges(&self) -> Result<Vec<(DocumentId, HistoryId)>, StoreError> {
        let pending = self.sessions.rows(statement(LIST_PURGES)).await.map_err(store_error)?;
        let pending =
            pending.iter().map(|row| Ok((rows::document_id(row, "id")?, rows::history_id(row, "history")?)));
        let pending = pending.collect::<Result<Vec<_>, _>>().map_err(store_error)?;
        for (doc, _) in &pending {
            purge_rest(&self.sessions, doc).await.map_err(store_error)?;
        }
        Ok(pending)
    }

    /// Clears the marks of these purges.
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub(in crate::storage) async fn end_purges(
        &self,
        purges: &[(DocumentId, HistoryId)],
    ) -> Result<(), StoreError> {
        let ids: Vec<_> = purges.iter().map(|(doc, _)| doc.as_str()).collect();
        self.sessions.run(statement(END_PURGES).bind(ids)).await.map(|_| ()).map_err(store_error)
    }
}
