//! The rows of snapshots.

use async_trait::async_trait;
use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::writer::WriterGuard;
use super::{SqliteStore, rows};
use crate::ids::{DocumentId, Version};
use crate::storage::{SnapshotIndex, SnapshotMeta, StoreError, search};

const RECORD_SNAPSHOT: &str = include_str!("sql/record_snapshot.sql");
const SHOW_SNAPSHOT: &str = include_str!("sql/show_snapshot.sql");
const FORGET_SNAPSHOTS: &str =
    "DELETE FROM snapshots WHERE doc_id = ?1 AND version IN (SELECT value FROM json_each(?2))";
const READ_SNAPSHOTS: &str =
    "SELECT * FROM snapshots WHERE doc_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT ?3";
const SET_NEWEST: &str = "UPDATE documents
    SET snapshot_version = COALESCE((SELECT MAX(s.version) FROM snapshots AS s WHERE s.doc_id = ?1), 0)
    WHERE id = ?1";

#[async_trait]
impl SnapshotIndex for SqliteStore {
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError> {
        let snapshots = snapshots.to_vec();
        let record = async move |_, mut writer: WriterGuard| {
            let skipped = record_all(writer.begin().await?, &snapshots).await.map_err(store_error);
            writer.end(skipped).await
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

/// Returns those that were skipped.
async fn record_all(
    conn: &mut SqliteConnection,
    snapshots: &[SnapshotMeta],
) -> Result<Vec<SnapshotMeta>, sqlx::Error> {
    let mut skipped = Vec::new();
    for meta in snapshots {
        if !record(conn, meta).await? {
            skipped.push(meta.clone());
        }
    }
    Ok(skipped)
}

/// Returns false if there is no such document, or its history is another one by now.
async fn record(conn: &mut SqliteConnection, meta: &SnapshotMeta) -> Result<bool, sqlx::Error> {
    let recorded = sqlx::query(RECORD_SNAPSHOT)
        .bind(meta.doc.as_str())
        .bind(integer(meta.version))
        .bind(meta.history.to_string())
        .bind(meta.at)
        .bind(meta.checksum.cast_signed())
        .bind(integer(meta.bytes))
        .bind(meta.inline.as_deref())
        .bind(&meta.preview)
        .execute(&mut *conn)
        .await?;
    if recorded.rows_affected() == 0 {
        return Ok(false);
    }
    let title: String = sqlx::query_scalar("SELECT title FROM documents WHERE id = ?1")
        .bind(meta.doc.as_str())
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query(SHOW_SNAPSHOT)
        .bind(meta.doc.as_str())
        .bind(integer(meta.version))
        .bind(meta.at)
        .bind(&meta.preview)
        .bind(search::haystack(&title, &meta.preview))
        .execute(conn)
        .await?;
    Ok(true)
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
