//! The rows of snapshots.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::writer::WriterGuard;
use super::{Inner, SqliteStore, rows};
use crate::ids::{DocumentId, Version};
use crate::storage::{SnapshotIndex, SnapshotMeta, StoreError, search};

const RECORD_SNAPSHOTS: &str = include_str!("sql/record_snapshots.sql");
const SHOW_SNAPSHOTS: &str = include_str!("sql/show_snapshots.sql");
const FORGET_SNAPSHOTS: &str =
    "DELETE FROM snapshots WHERE doc_id = ?1 AND version IN (SELECT value FROM json_each(?2))";
const READ_SNAPSHOTS: &str =
    "SELECT * FROM snapshots WHERE doc_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT ?3";
const SET_NEWEST: &str = "UPDATE documents
    SET snapshot_version = COALESCE((SELECT MAX(s.version) FROM snapshots AS s WHERE s.doc_id = ?1), 0)
    WHERE id = ?1";

/// Snapshots in one statement; with their bodies in it, of at most 16 KiB, it has at most 2 MB.
const AT_ONCE: usize = 64;

#[async_trait]
impl SnapshotIndex for SqliteStore {
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError> {
        let snapshots = snapshots.to_vec();
        let record = async move |inner: Arc<Inner>, mut writer: WriterGuard| {
            let recorded = record_all(writer.begin().await?, &snapshots).await.map_err(store_error);
            let recorded = writer.end(recorded).await?;
            let (recorded, skipped): (Vec<_>, Vec<_>) =
                snapshots.into_iter().partition(|meta| recorded.contains(&(meta.doc.clone(), meta.version)));
            let mut touches = inner.touches.lock();
            recorded.iter().for_each(|meta| touches.recorded(meta));
            Ok(skipped)
        };
        self.inner.detached(record).await
    }

    async fn snapshots(
        &self,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<SnapshotMeta>, StoreError> {
        let found = sqlx::query(READ_SNAPSHOTS)
            .bind(doc.as_str())
            .bind(integer(upto))
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await;
        let found = match found {
            Ok(found) => found,
            // The page that holds the rows is damaged; `upto` may be anything above them.
            Err(error) => return Err(read_error(doc, upto.min(self.inner.head(doc).await?), error)),
        };
        let decode = |row| {
            // The rest of the row may be damaged, and the key whole.
            let failed = |error| read_error(doc, rows::number(row, "version").unwrap_or(0), error);
            rows::snapshot(row).map_err(failed)
        };
        found.iter().map(decode).collect()
    }

    async fn forget_snapshots(&self, doc: &DocumentId, versions: &[Version]) -> Result<(), StoreError> {
        let (doc, versions) = (doc.clone(), versions.to_vec());
        let forget = async move |_, mut writer: WriterGuard| {
            let forgotten = forget(writer.begin().await?, &doc, &versions).await.map_err(store_error);
            writer.end(forgotten).await
        };
        self.inner.detached(forget).await
    }
}

/// Returns which were recorded: not those of a document, or of a history, that is gone.
async fn record_all(
    conn: &mut SqliteConnection,
    snapshots: &[SnapshotMeta],
) -> Result<HashSet<(DocumentId, Version)>, sqlx::Error> {
    let mut recorded = HashSet::new();
    for some in snapshots.chunks(AT_ONCE) {
        let rows = serde_json::Value::from_iter(some.iter().map(row_of)).to_string();
        for row in sqlx::query(RECORD_SNAPSHOTS).bind(rows).fetch_all(&mut *conn).await? {
            recorded.insert((rows::document_id(&row, "doc_id")?, rows::number(&row, "version")?));
        }
        // Of several of one document the newest is shown.
        let mut newest: HashMap<&DocumentId, &SnapshotMeta> = HashMap::new();
        for meta in some.iter().filter(|meta| recorded.contains(&(meta.doc.clone(), meta.version))) {
            let shown = newest.entry(&meta.doc).or_insert(meta);
            if meta.version >= shown.version {
                *shown = meta;
            }
        }
        let shown = newest.into_values().map(|meta| {
            json!({
                "doc": meta.doc,
                "version": meta.version,
                "at": meta.at,
                "preview": meta.preview,
                "folded": search::folded(&meta.preview),
            })
        });
        let shown = serde_json::Value::from_iter(shown).to_string();
        sqlx::query(SHOW_SNAPSHOTS).bind(shown).execute(&mut *conn).await?;
    }
    Ok(recorded)
}

fn row_of(meta: &SnapshotMeta) -> serde_json::Value {
    json!({
        "doc": meta.doc,
        "version": meta.version,
        "history": meta.history.to_string(),
        "at": meta.at,
        "checksum": meta.checksum.cast_signed(),
        "bytes": meta.bytes,
        "body": meta.inline.as_deref().map(hex::encode),
        "preview": meta.preview,
    })
}

async fn forget(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    versions: &[Version],
) -> Result<(), sqlx::Error> {
    let versions = json!(versions).to_string();
    sqlx::query(FORGET_SNAPSHOTS).bind(doc.as_str()).bind(versions).execute(&mut *conn).await?;
    sqlx::query(SET_NEWEST).bind(doc.as_str()).execute(conn).await?;
    Ok(())
}
