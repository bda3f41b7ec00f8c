//! Rows of the database as the values of the crate. A value that is not what its column promises is a decoding error,
//! which reads of a document report as damage.

use std::borrow::Cow;

use bytes::Bytes;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::ids::{ClientId, DocumentId, HistoryId, Shard, UserId};
use crate::storage::{ClientRow, DELTA_FORMAT_JSON, DocumentRow, LoggedOp, ShardOp, SnapshotMeta};

/// Decodes a row of `ops`.
pub(super) fn op(row: &PgRow) -> Result<LoggedOp, sqlx::Error> {
    let format: i16 = row.try_get("format")?;
    if format != i16::from(DELTA_FORMAT_JSON) {
        return Err(undecodable("format", format!("{format} is not a format that this version reads")));
    }
    Ok(LoggedOp {
        version: number(row, "version")?,
        client: client_id(row, "client_id")?,
        seq: number(row, "seq")?,
        user: user_id(row, "user_id")?,
        at: row.try_get("at")?,
        delta: Bytes::from(row.try_get::<Vec<u8>, _>("delta")?),
    })
}

/// Decodes a row of `ops`, with its place and the history of its document `doc` beside it.
pub(super) fn placed(row: &PgRow, doc: &DocumentId) -> Result<ShardOp, sqlx::Error> {
    Ok(ShardOp {
        pos: number(row, "pos")?,
        doc: doc.clone(),
        history: history_id(row, "history")?,
        op: op(row)?,
    })
}

/// Decodes a row of `clients`.
pub(super) fn client_row(row: &PgRow) -> Result<ClientRow, sqlx::Error> {
    Ok(ClientRow {
        user: user_id(row, "user_id")?,
        last_seq: number(row, "last_seq")?,
        last_version: number(row, "last_version")?,
    })
}

/// Decodes a row of `documents` with the head of the log beside it.
pub(super) fn document(row: &PgRow) -> Result<DocumentRow, sqlx::Error> {
    Ok(DocumentRow {
        id: document_id(row, "id")?,
        history: history_id(row, "history")?,
        title: row.try_get("title")?,
        owner: user_id(row, "owner")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: number(row, "head")?,
        snapshot_version: number(row, "snapshot_version")?,
        preview: row.try_get("preview")?,
        deleted_at: row.try_get("deleted_at")?,
        archived: row.try_get("archived")?,
    })
}

/// Decodes a row of `snapshots`.
pub(super) fn snapshot(row: &PgRow) -> Result<SnapshotMeta, sqlx::Error> {
    Ok(SnapshotMeta {
        doc: document_id(row, "doc_id")?,
        history: history_id(row, "history")?,
        version: number(row, "version")?,
        at: row.try_get("at")?,
        checksum: row.try_get::<i64, _>("checksum")?.cast_unsigned(),
        bytes: number(row, "bytes")?,
        inline: row.try_get::<Option<Vec<u8>>, _>("body")?.map(Bytes::from),
        preview: row.try_get("preview")?,
    })
}

pub(super) fn document_id(row: &PgRow, column: &str) -> Result<DocumentId, sqlx::Error> {
    text(row, column)?.parse().map_err(|error| undecodable(column, error))
}

pub(super) fn client_id(row: &PgRow, column: &str) -> Result<ClientId, sqlx::Error> {
    row.try_get::<Uuid, _>(column).map(ClientId)
}

pub(super) fn history_id(row: &PgRow, column: &str) -> Result<HistoryId, sqlx::Error> {
    row.try_get::<Uuid, _>(column).map(HistoryId)
}

pub(super) fn shard(row: &PgRow) -> Result<Shard, sqlx::Error> {
    row.try_get::<i16, _>("shard")?.try_into().map_err(|error| undecodable("shard", error))
}

pub(super) fn user_id(row: &PgRow, column: &str) -> Result<UserId, sqlx::Error> {
    Ok(UserId(text(row, column)?.into()))
}

fn text<'r>(row: &'r PgRow, column: &str) -> Result<&'r str, sqlx::Error> {
    row.try_get(column)
}

/// Reads a number that is never negative.
pub(super) fn number(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|error| undecodable(column, error))
}

fn undecodable(column: &str, source: impl Into<sqlx::error::BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}

/// Returns a number as PostgreSQL holds it. Versions, positions and sequence numbers are below 2^53; one that a caller made
/// up for "all" is cut to the largest.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a text as PostgreSQL holds it: any but U+0000, which no text that is shown has in it.
pub(super) fn text_of(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
