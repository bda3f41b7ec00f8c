//! The documents themselves.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::writer::WriterGuard;
use super::{Inner, SqliteStore, forks, rows};
use crate::ids::{DocumentId, HistoryId, Millis};
use crate::storage::permissions::Asker;
use crate::storage::{DocumentPatch, DocumentRow, DocumentStore, Fork, ListQuery, Scope, StoreError, search};

const READ_DOCUMENT: &str = "SELECT * FROM documents WHERE id = ?1 AND purged_at IS NULL";
const LIST_DOCUMENTS: &str = include_str!("sql/list_documents.sql");
const LIST_OWN: &str = include_str!("sql/list_own.sql");
const LIST_LINKED: &str = include_str!("sql/list_linked.sql");
const READ_HEADS: &str = include_str!("sql/look_up_documents.sql");
const PATCH_DOCUMENT: &str = include_str!("sql/patch_document.sql");
const BURY_DOCUMENT: &str = include_str!("sql/bury_document.sql");
const PURGE_OPS: &str = include_str!("sql/purge_ops.sql");
const LIST_PURGED: &str =
    "SELECT id FROM documents WHERE purged_at IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2";
const PURGE_CLIENTS: &str = include_str!("sql/purge_clients.sql");
const PURGE_ACTIVITY: &str = include_str!("sql/purge_activity.sql");
const PURGE_CONTENT: &str = "DELETE FROM contents WHERE shard = ?1 AND doc_id = ?2";

const PURGE_AT_ONCE: [&str; 7] = [
    "DELETE FROM segments WHERE doc_id = ?1",
    "DELETE FROM snapshots WHERE doc_id = ?1",
    "DELETE FROM forks WHERE doc_id = ?1",
    "DELETE FROM permissions WHERE doc_id = ?1",
    "DELETE FROM share_links WHERE doc_id = ?1",
    "DELETE FROM named_versions WHERE doc_id = ?1",
    "DELETE FROM comments WHERE doc_id = ?1",
];

/// Rows of a purged document removed in one transaction, for which an append may have to wait.
const PURGED_AT_ONCE: i64 = 1024;

impl Inner {
    /// Sets the heads of documents that were read. Memory is asked before the database, never after: an operation that
    /// settles between the two questions would be missed by both.
    async fn set_heads(&self, documents: &mut [DocumentRow]) -> Result<(), StoreError> {
        let mut settled = Vec::new();
        {
            let recent = self.recent.lock();
            for document in documents.iter_mut() {
                match recent.head(&document.id) {
                    Some(head) => document.version = head,
                    None => settled.push(document.id.clone()),
                }
            }
        }
        if settled.is_empty() {
            return Ok(());
        }
        let heads = sqlx::query(READ_HEADS)
            .bind(json!(settled).to_string())
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        for row in heads {
            let id = rows::document_id(&row, "id").map_err(store_error)?;
            if let Some(document) = documents.iter_mut().find(|document| document.id == id) {
                document.version = rows::number(&row, "head").map_err(|error| read_error(&id, 0, error))?;
            }
        }
        Ok(())
    }

    async fn purge(
        self: Arc<Self>,
        mut writer: WriterGuard,
        doc: DocumentId,
        at: Millis,
    ) -> Result<HistoryId, StoreError> {
        let last_pos = self.recent.lock().shard(doc.shard()).last_pos;
        let conn = writer.begin().await?;
        let buried = bury(conn, &doc, at, last_pos).await.map_err(|error| read_error(&doc, 0, error));
        let buried = buried.and_then(|history| history.ok_or_else(|| not_found(&doc)));
        let history = writer.end(buried).await?;
        self.recent.lock().forget(&doc);
        self.touches.lock().forget(&doc);
        drop(writer);
        self.purge_rest(&doc).await?;
        Ok(history)
    }

    /// Removes the rows that are left of a document whose own is a tombstone already, a part at a time.
    async fn purge_rest(&self, doc: &DocumentId) -> Result<(), StoreError> {
        loop {
            let mut writer = self.writer().await?;
            let conn = writer.begin().await?;
            let removed = purge_some(conn, doc).await.map_err(store_error);
            if writer.end(removed).await? == 0 {
                return Ok(());
            }
        }
    }
}

impl SqliteStore {
    /// Removes the rows that are left of documents whose purge a crash has interrupted.
    pub(super) async fn finish_purges(&self) -> Result<(), StoreError> {
        for (doc, _) in self.purges().await? {
            self.inner.purge_rest(&doc).await?;
        }
        Ok(())
    }

    /// Lists the documents that were purged since the marks were last cleared, with their histories.
    pub(in crate::storage) async fn purges(&self) -> Result<Vec<(DocumentId, HistoryId)>, StoreError> {
        let pending = sqlx::query("SELECT id, history FROM documents WHERE purge_pending")
            .fetch_all(&self.inner.readers)
            .await
            .map_err(store_error)?;
        let pending =
            pending.iter().map(|row| Ok((rows::document_id(row, "id")?, rows::history_id(row, "history")?)));
        pending.collect::<Result<_, _>>().map_err(store_error)
    }

    /// Clears the marks of all purges. To be called at the start, when nothing is left of them.
    pub(in crate::storage) async fn end_purges(&self) -> Result<(), StoreError> {
        let clear = async |_, mut writer: WriterGuard| {
            let cleared = sqlx::query("UPDATE documents SET purge_pending = FALSE WHERE purge_pending")
                .execute(writer.begin().await?)
                .await
                .map_err(store_error);
            writer.end(cleared).await.map(|_| ())
        };
        self.inner.detached(clear).await
    }
}

#[async_trait]
impl DocumentStore for SqliteStore {
    async fn document(&self, doc: &DocumentId) -> Result<DocumentRow, StoreError> {
        let row = sqlx::query(READ_DOCUMENT).bind(doc.as_str()).fetch_optional(&self.inner.readers).await;
        let row = row.map_err(|error| read_error(doc, 0, error))?.ok_or_else(|| not_found(doc))?;
        let mut documents = [rows::document(&row).map_err(|error| read_error(doc, 0, error))?];
        self.inner.set_heads(&mut documents).await?;
        let [mut document] = documents;
        self.inner.touches.lock().show(&mut document);
        Ok(document)
    }

    async fn list_documents(&self, query: &ListQuery) -> Result<Vec<DocumentRow>, StoreError> {
        // The order and the search are the database's.
        if let Err(error) = self.inner.write_all_touches().await {
            tracing::warn!(%error, "the list is behind what was written");
        }
        let (after_time, after_id) = query.after.as_ref().map(|(time, id)| (*time, id.as_str())).unzip();
        let (list, viewer) = match &query.scope {
            Scope::All => (LIST_DOCUMENTS, None),
            Scope::Of(viewer) => (LIST_OWN, Some(viewer)),
            Scope::OfAndLinked(viewer) => (LIST_LINKED, Some(viewer)),
        };
        let list = sqlx::query(list)
            .bind(query.trashed)
            .bind(query.text.as_deref().map(search::needle))
            .bind(after_time)
            .bind(after_id)
            .bind(integer(query.limit as u64));
        let list = match viewer {
            Some(viewer) => list.bind(viewer.user.as_str()).bind(viewer.now),
            None => list,
        };
        let found = list.fetch_all(&self.inner.readers).await.map_err(store_error)?;
        let documents: Result<Vec<_>, _> = found.iter().map(rows::document).collect();
        let mut documents = documents.map_err(store_error)?;
        self.inner.set_heads(&mut documents).await?;
        Ok(documents)
    }

    async fn patch_document(
        &self,
        _: &Asker,
        doc: &DocumentId,
        patch: &DocumentPatch,
    ) -> Result<DocumentRow, StoreError> {
        let (doc, patch) = (doc.clone(), patch.clone());
        let patch = async move |inner: Arc<Inner>, mut writer: WriterGuard| {
            let noted = vec![doc.clone()];
            inner.write_touches(&mut writer, noted).await?;
            let patched = patch_row(writer.begin().await?, &doc, &patch).await;
            writer.end(patched).await
        };
        let mut documents = [self.inner.detached(patch).await?];
        self.inner.set_heads(&mut documents).await?;
        let [document] = documents;
        Ok(document)
    }

    async fn purge_document(&self, doc: &DocumentId, at: Millis) -> Result<HistoryId, StoreError> {
        let doc = doc.clone();
        self.inner.detached(move |inner, writer| inner.purge(writer, doc, at)).await
    }

    async fn document_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let found =
            sqlx::query("SELECT id FROM documents WHERE purged_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2")
                .bind(after.map_or("", DocumentId::as_str))
                .bind(integer(limit as u64))
                .fetch_all(&self.inner.readers)
                .await
                .map_err(store_error)?;
        found.iter().map(|row| rows::document_id(row, "id")).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn purged_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let found = sqlx::query(LIST_PURGED)
            .bind(after.map_or("", DocumentId::as_str))
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await
            .map_err(store_error)?;
        found.iter().map(|row| rows::document_id(row, "id")).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn fork_document(&self, doc: &DocumentId, fork: &Fork) -> Result<(), StoreError> {
        let (doc, fork) = (doc.clone(), *fork);
        let change = async move |_, mut writer: WriterGuard| {
            let forked = forks::fork(writer.begin().await?, &doc, &fork).await;
            let forked = forked.map_err(|error| read_error(&doc, 0, error));
            let forked = forked.and_then(|there| if there { Ok(()) } else { Err(not_found(&doc)) });
            writer.end(forked).await
        };
        self.inner.detached(change).await
    }

    async fn forks(&self, doc: &DocumentId) -> Result<Vec<Fork>, StoreError> {
        forks::read(&self.inner.readers, doc).await.map_err(|error| read_error(doc, 0, error))
    }
}

async fn patch_row(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    patch: &DocumentPatch,
) -> Result<DocumentRow, StoreError> {
    let failed = |error| read_error(doc, 0, error);
    let row =
        sqlx::query(READ_DOCUMENT).bind(doc.as_str()).fetch_optional(&mut *conn).await.map_err(failed)?;
    let mut document = rows::document(&row.ok_or_else(|| not_found(doc))?).map_err(failed)?;
    patch.apply(&mut document)?;
    sqlx::query(PATCH_DOCUMENT)
        .bind(doc.as_str())
        .bind(&document.title)
        .bind(document.archived)
        .bind(document.deleted_at)
        .bind(document.updated_at)
        .bind(search::haystack(&document.title, &document.preview))
        .bind(&document.preview)
        .execute(conn)
        .await
        .map_err(failed)?;
    Ok(document)
}

/// Makes the tombstone, removes the rows of snapshots and content, and keeps operations of the document from settling (the next round
/// removes them with their batches) and their positions, up to `last_pos`, from being given again. Returns the history; `None` when there is no such document.
async fn bury(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    at: Millis,
    last_pos: u64,
) -> Result<Option<HistoryId>, sqlx::Error> {
    let buried = sqlx::query(BURY_DOCUMENT).bind(doc.as_str()).bind(at).fetch_optional(&mut *conn).await?;
    let Some(buried) = buried else { return Ok(None) };
    sqlx::query("UPDATE shards SET pos_floor = MAX(pos_floor, ?2) WHERE shard = ?1")
        .bind(i64::from(doc.shard()))
        .bind(integer(last_pos))
        .execute(&mut *conn)
        .await?;
    for part in PURGE_AT_ONCE {
        sqlx::query(part).bind(doc.as_str()).execute(&mut *conn).await?;
    }
    let content = sqlx::query(PURGE_CONTENT).bind(i64::from(doc.shard())).bind(doc.as_str());
    content.execute(&mut *conn).await?;
    rows::history_id(&buried, "history").map(Some)
}

/// Removes a part of a buried document's log, or after the last part one of its clients; returns how many rows. The mark
/// stays: it is cleared at a start, see [`Opened::at`](crate::storage::Opened::at).
async fn purge_some(conn: &mut SqliteConnection, doc: &DocumentId) -> Result<u64, sqlx::Error> {
    for part in [PURGE_OPS, PURGE_CLIENTS, PURGE_ACTIVITY] {
        let removed = sqlx::query(part)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .bind(PURGED_AT_ONCE)
            .execute(&mut *conn)
            .await?;
        if removed.rows_affected() > 0 {
            return Ok(removed.rows_affected());
        }
    }
    Ok(0)
}
