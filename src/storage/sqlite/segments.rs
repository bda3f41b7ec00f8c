//! The rows of segments. What changes the log waits for the writer, as appends do, and looks at the epoch that they look at.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::writer::WriterGuard;
use super::{Inner, SqliteStore, rows};
use crate::ids::{DocumentId, Epoch, Version};
use crate::storage::{LogState, Ripe, SegmentIndex, SegmentMeta, Sizes, StoreError};

const READ_SEGMENTS: &str =
    "SELECT * FROM segments WHERE doc_id = ?1 AND last_version > ?2 ORDER BY last_version LIMIT ?3";
const READ_ARCHIVED: &str =
    "SELECT COALESCE(MAX(last_version), 0) AS archived FROM segments WHERE doc_id = ?1";
const LOG_STATES: &str = include_str!("sql/log_states.sql");
const RIPE_UPTO: &str = include_str!("sql/ripe_upto.sql");
const RECORD_SEGMENT: &str = include_str!("sql/record_segment.sql");
const REPLACE_SEGMENT: &str =
    "UPDATE segments SET bytes = ?4, index_bytes = ?5, checksum = ?6, object_key = ?7
    WHERE doc_id = ?1 AND last_version = ?2 AND object_key = ?3";
const REMOVE_ARCHIVED: &str = include_str!("sql/remove_archived.sql");
const MEASURE: &str = include_str!("sql/measure.sql");

#[async_trait]
impl SegmentIndex for SqliteStore {
    async fn segments(
        &self,
        doc: &DocumentId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<SegmentMeta>, StoreError> {
        let read = sqlx::query(READ_SEGMENTS)
            .bind(doc.as_str())
            .bind(integer(after))
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers);
        let found = read.await.map_err(|error| read_error(doc, after + 1, error))?;
        let segments = found.iter().map(segment).collect::<Result<_, _>>();
        segments.map_err(|error| read_error(doc, after + 1, error))
    }

    async fn archived_upto(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let row = sqlx::query(READ_ARCHIVED).bind(doc.as_str()).fetch_one(&self.inner.readers).await;
        row.and_then(|row| rows::number(&row, "archived")).map_err(|error| read_error(doc, 0, error))
    }

    async fn log_states(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<LogState>, StoreError> {
        let read = sqlx::query(LOG_STATES)
            .bind(after.map_or("", DocumentId::as_str))
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers);
        let found = read.await.map_err(store_error)?;
        found.iter().map(log_state).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn ripe_upto(&self, doc: &DocumentId, ripe: &Ripe) -> Result<Version, StoreError> {
        let row = sqlx::query(RIPE_UPTO)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .bind(integer(ripe.after))
            .bind(integer(ripe.upto))
            .bind(ripe.before)
            .bind(integer(ripe.pos))
            .fetch_one(&self.inner.readers)
            .await;
        row.and_then(|row| rows::number(&row, "upto")).map_err(|error| read_error(doc, 0, error))
    }

    async fn record_segment(&self, epoch: Epoch, segment: &SegmentMeta) -> Result<(), StoreError> {
        let segment = segment.clone();
        let record = async move |inner: std::sync::Arc<Inner>, mut writer: WriterGuard| {
            inner.check_epoch(&segment.doc, epoch)?;
            let recorded = record(writer.begin().await?, &segment).await;
            writer.end(recorded).await
        };
        self.inner.detached(record).await
    }

    async fn replace_segment(&self, before: &SegmentMeta, after: &SegmentMeta) -> Result<(), StoreError> {
        if !before.is_same_part(after) {
            return Err(before.replaced());
        }
        let (before, after) = (before.clone(), after.clone());
        let replace = async move |_, mut writer: WriterGuard| {
            let replaced = sqlx::query(REPLACE_SEGMENT)
                .bind(before.doc.as_str())
                .bind(integer(before.last))
                .bind(&before.key)
                .bind(integer(after.bytes))
                .bind(integer(after.index_bytes))
                .bind(after.checksum.cast_signed())
                .bind(&after.key)
                .execute(writer.begin().await?)
                .await;
            let replaced = replaced.map_err(store_error).and_then(|done| match done.rows_affected() {
                1 => Ok(()),
                _ => Err(before.replaced()),
            });
            writer.end(replaced).await
        };
        self.inner.detached(replace).await
    }

    async fn remove_archived(
        &self,
        doc: &DocumentId,
        epoch: Epoch,
        upto: Version,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let doc = doc.clone();
        let remove = async move |inner: std::sync::Arc<Inner>, mut writer: WriterGuard| {
            inner.check_epoch(&doc, epoch)?;
            let removed = sqlx::query(REMOVE_ARCHIVED)
                .bind(i64::from(doc.shard()))
                .bind(doc.as_str())
                .bind(integer(upto))
                .bind(i64::from(limit))
                .execute(writer.begin().await?)
                .await;
            writer.end(removed.map(|done| done.rows_affected()).map_err(store_error)).await
        };
        self.inner.detached(remove).await
    }

    async fn sizes(&self) -> Result<Sizes, StoreError> {
        let row = sqlx::query(MEASURE).fetch_one(&self.inner.readers).await;
        row.and_then(|row| sizes(&row)).map_err(store_error)
    }
}

impl Inner {
    /// Compares an epoch with that of the document's shard; to be called by whoever holds the writer.
    fn check_epoch(&self, doc: &DocumentId, epoch: Epoch) -> Result<(), StoreError> {
        let shard = doc.shard();
        let current = self.recent.lock().shard(shard).epoch;
        if epoch == current { Ok(()) } else { Err(StoreError::Fenced { shard, current }) }
    }
}

async fn record(conn: &mut SqliteConnection, segment: &SegmentMeta) -> Result<(), StoreError> {
    let failed = |error| read_error(&segment.doc, segment.first, error);
    let there = sqlx::query("SELECT 1 FROM documents WHERE id = ?1 AND purged_at IS NULL")
        .bind(segment.doc.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(failed)?;
    if there.is_none() {
        return Err(not_found(&segment.doc));
    }
    let recorded = sqlx::query(RECORD_SEGMENT)
        .bind(segment.doc.as_str())
        .bind(integer(segment.first))
        .bind(integer(segment.last))
        .bind(segment.history.to_string())
        .bind(segment.first_at)
        .bind(segment.last_at)
        .bind(integer(segment.bytes))
        .bind(integer(segment.index_bytes))
        .bind(segment.checksum.cast_signed())
        .bind(&segment.key)
        .bind(i64::from(segment.doc.shard()))
        .execute(conn)
        .await
        .map_err(failed)?;
    if recorded.rows_affected() == 1 { Ok(()) } else { Err(segment.misplaced()) }
}

fn segment(row: &SqliteRow) -> Result<SegmentMeta, sqlx::Error> {
    Ok(SegmentMeta {
        doc: rows::document_id(row, "doc_id")?,
        history: rows::history_id(row, "history")?,
        first: rows::number(row, "first_version")?,
        last: rows::number(row, "last_version")?,
        first_at: row.try_get("first_at")?,
        last_at: row.try_get("last_at")?,
        bytes: rows::number(row, "bytes")?,
        index_bytes: rows::number(row, "index_bytes")?,
        checksum: row.try_get::<i64, _>("checksum")?.cast_unsigned(),
        key: row.try_get("object_key")?,
    })
}

fn log_state(row: &SqliteRow) -> Result<LogState, sqlx::Error> {
    Ok(LogState {
        doc: rows::document_id(row, "id")?,
        history: rows::history_id(row, "history")?,
        snapshot: rows::number(row, "snapshot_version")?,
        first: rows::number(row, "first_version")?,
        last: rows::number(row, "last_version")?,
        first_at: row.try_get("first_at")?,
        archived: rows::number(row, "archived")?,
    })
}

fn sizes(row: &SqliteRow) -> Result<Sizes, sqlx::Error> {
    Ok(Sizes {
        log: rows::number(row, "log")?,
        snapshots: rows::number(row, "snapshots")?,
        segments: rows::number(row, "segments")?,
        segment_bytes: rows::number(row, "segment_bytes")?,
        archived: rows::number(row, "archived")?,
    })
}
