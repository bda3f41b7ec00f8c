//! The rows of segments. What changes the log locks its shard and looks at the epoch there, as a purge does.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::rows::{self, integer};
use super::sessions::{Session, Sessions, statement};
use crate::ids::{DocumentId, Epoch, Version};
use crate::storage::{LogState, Ripe, SegmentIndex, SegmentMeta, Sizes, StoreError};

const READ_SEGMENTS: &str =
    "SELECT * FROM segments WHERE doc_id = $1 AND last_version > $2 ORDER BY last_version LIMIT $3";
const READ_ARCHIVED: &str =
    "SELECT coalesce(max(last_version), 0) AS archived FROM segments WHERE doc_id = $1";
const LOG_STATES: &str = include_str!("sql/log_states.sql");
const RIPE_UPTO: &str = include_str!("sql/ripe_upto.sql");
const LOCK_SHARDS: &str = include_str!("sql/lock_shards.sql");
const LOCK_LIVE: &str = include_str!("sql/lock_live.sql");
const RECORD_SEGMENT: &str = include_str!("sql/record_segment.sql");
const REPLACE_SEGMENT: &str =
    "UPDATE segments SET bytes = $4, index_bytes = $5, checksum = $6, object_key = $7
    WHERE doc_id = $1 AND last_version = $2 AND object_key = $3";
const REMOVE_ARCHIVED: &str = include_str!("sql/remove_archived.sql");
const NOTE_CHANGE: &str = "UPDATE shards SET changes = changes + 1 WHERE shard = $1";
const MEASURE: &str = include_str!("sql/measure.sql");

#[async_trait]
impl SegmentIndex for PostgresStore {
    async fn segments(
        &self,
        doc: &DocumentId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<SegmentMeta>, StoreError> {
        let read =
            statement(READ_SEGMENTS).bind(doc.as_str()).bind(integer(after)).bind(integer(limit as u64));
        let found = self.sessions.rows(read).await.map_err(|error| read_error(doc, after + 1, error))?;
        let segments = found.iter().map(segment).collect::<Result<_, _>>();
        segments.map_err(|error| read_error(doc, after + 1, error))
    }

    async fn archived_upto(&self, doc: &DocumentId) -> Result<Version, StoreError> {
        let row = self.sessions.row(statement(READ_ARCHIVED).bind(doc.as_str())).await;
        row.and_then(|row| row.map_or(Ok(0), |row| rows::number(&row, "archived")))
            .map_err(|error| read_error(doc, 0, error))
    }

    async fn log_states(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<LogState>, StoreError> {
        let read =
            statement(LOG_STATES).bind(after.map_or("", DocumentId::as_str)).bind(integer(limit as u64));
        let found = self.sessions.rows(read).await.map_err(store_error)?;
        found.iter().map(log_state).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn ripe_upto(&self, doc: &DocumentId, ripe: &Ripe) -> Result<Version, StoreError> {
        let read = statement(RIPE_UPTO)
            .bind(i16::from(doc.shard()))
            .bind(doc.as_str())
            .bind(integer(ripe.after))
            .bind(integer(ripe.upto))
            .bind(ripe.before)
            .bind(integer(ripe.pos));
        let row = self.sessions.row(read).await;
        row.and_then(|row| row.map_or(Ok(ripe.after), |row| rows::number(&row, "upto")))
            .map_err(|error| read_error(doc, 0, error))
    }

    async fn record_segment(&self, epoch: Epoch, segment: &SegmentMeta) -> Result<(), StoreError> {
        let (mut session, failed) = (owned(&self.sessions, &segment.doc, epoch).await?, store_error);
        // A purge that comes after waits for this one.
        let live =
            session.row(statement(LOCK_LIVE).bind(vec![segment.doc.as_str()])).await.map_err(failed)?;
        if live.is_none() {
            return Err(not_found(&segment.doc));
        }
        let record = statement(RECORD_SEGMENT)
            .bind(segment.doc.as_str())
            .bind(integer(segment.first))
            .bind(integer(segment.last))
            .bind(segment.history.0)
            .bind(segment.first_at)
            .bind(segment.last_at)
            .bind(integer(segment.bytes))
            .bind(integer(segment.index_bytes))
            .bind(segment.checksum.cast_signed())
            .bind(&segment.key)
            .bind(i16::from(segment.doc.shard()));
        if session.run(record).await.map_err(failed)? == 0 {
            return Err(segment.misplaced());
        }
        session.commit().await.map_err(failed)
    }

    async fn replace_segment(&self, before: &SegmentMeta, after: &SegmentMeta) -> Result<(), StoreError> {
        if !before.is_same_part(after) {
            return Err(before.replaced());
        }
        let replace = statement(REPLACE_SEGMENT)
            .bind(before.doc.as_str())
            .bind(integer(before.last))
            .bind(&before.key)
            .bind(integer(after.bytes))
            .bind(integer(after.index_bytes))
            .bind(after.checksum.cast_signed())
            .bind(&after.key);
        match self.sessions.run(replace).await.map_err(store_error)? {
            1 => Ok(()),
            _ => Err(before.replaced()),
        }
    }

    async fn remove_archived(
        &self,
        doc: &DocumentId,
        epoch: Epoch,
        upto: Version,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut session = owned(&self.sessions, doc, epoch).await?;
        let remove = async {
            let remove = statement(REMOVE_ARCHIVED)
                .bind(i16::from(doc.shard()))
                .bind(doc.as_str())
                .bind(integer(upto))
                .bind(i64::from(limit));
            let removed = session.run(remove).await?;
            session.run(statement(NOTE_CHANGE).bind(i16::from(doc.shard()))).await?;
            session.commit().await?;
            Ok(removed)
        };
        remove.await.map_err(store_error)
    }

    async fn sizes(&self) -> Result<Sizes, StoreError> {
        let row = self.sessions.row(statement(MEASURE)).await;
        row.and_then(|row| row.map_or(Ok(Sizes::default()), |row| sizes(&row))).map_err(store_error)
    }
}

/// Begins a transaction that has the document's shard for itself, at this epoch.
async fn owned(sessions: &Sessions, doc: &DocumentId, epoch: Epoch) -> Result<Session, StoreError> {
    let shard = doc.shard();
    let mut session = sessions.begin().await.map_err(store_error)?;
    let row = session.row(statement(LOCK_SHARDS).bind(vec![i16::from(shard)])).await;
    let current = row.and_then(|row| row.map_or(Ok(0), |row| rows::number(&row, "epoch")));
    let current = current.map_err(store_error)?;
    if epoch == current { Ok(session) } else { Err(StoreError::Fenced { shard, current }) }
}

fn segment(row: &PgRow) -> Result<SegmentMeta, sqlx::Error> {
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

fn log_state(row: &PgRow) -> Result<LogState, sqlx::Error> {
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

fn sizes(row: &PgRow) -> Result<Sizes, sqlx::Error> {
    Ok(Sizes {
        log: rows::number(row, "log")?,
        snapshots: rows::number(row, "snapshots")?,
        segments: rows::number(row, "segments")?,
        segment_bytes: rows::number(row, "segment_bytes")?,
        archived: rows::number(row, "archived")?,
    })
}
