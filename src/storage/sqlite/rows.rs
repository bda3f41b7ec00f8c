//! Rows of the database as the values of the crate. A value that is not what its column promises is a decoding error,
//! which reads of a document report as damage.

use bytes::Bytes;
use sqlx::Row;
use sqlx::sqlite::{SqliteExecutor, SqliteRow};
use uuid::Uuid;

use super::bulk::integer;
use crate::ids::{ClientId, DocumentId, HistoryId, UserId, Version};
use crate::storage::{ClientRow, DELTA_FORMAT_JSON, DocumentRow, LoggedOp, ShardOp, SnapshotMeta};

/// Looks for an operation in `ops`.
pub(super) async fn find_op<'e>(
    conn: impl SqliteExecutor<'e>,
    doc: &DocumentId,
    client: ClientId,
    seq: u64,
) -> Result<Option<Version>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT version FROM ops WHERE shard = ?1 AND doc_id = ?2 AND client_id = ?3 AND seq = ?4",
    )
    .bind(i64::from(doc.shard()))
    .bind(doc.as_str())
    .bind(client.0.as_bytes().as_slice())
    .bind(integer(seq))
    .fetch_optional(conn)
    .await?;
    row.map(|row| number(&row, "version")).transpose()
}

/// Decodes a row of `ops`.
pub(super) fn op(row: &SqliteRow) -> Result<LoggedOp, sqlx::Error> {
    let format: u8 = row.try_get("format")?;
    if format != DELTA_FORMAT_JSON {
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
pub(super) fn placed(row: &SqliteRow, doc: &DocumentId) -> Result<ShardOp, sqlx::Error> {
    Ok(ShardOp {
        pos: number(row, "pos")?,
        doc: doc.clone(),
        history: history_id(row, "history")?,
        op: op(row)?,
    })
}

/// Decodes a row of `clients`.
pub(super) fn client_row(row: &SqliteRow) -> Result<ClientRow, sqlx::Error> {
    Ok(ClientRow {
        user: user_id(row, "user_id")?,
        last_seq: number(row, "last_seq")?,
        last_version: number(row, "last_version")?,
    })
}

/// Decodes a row of `documents`; the head of the log is not in it, so that `version` is 0.
pub(super) fn document(row: &SqliteRow) -> Result<DocumentRow, sqlx::Error> {
    Ok(DocumentRow {
        id: document_id(row, "id")?,
        history: history_id(row, "history")?,
        title: row.try_get("title")?,
        owner: user_id(row, "owner")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: 0,
        snapshot_version: number(row, "snapshot_version")?,
        preview: row.try_get("preview")?,
        deleted_at: row.try_get("deleted_at")?,
        archived: row.try_get("archived")?,
    })
}

/// Decodes a row of `snapshots`.
pub(super) fn snapshot(row: &SqliteRow) -> Result<SnapshotMeta, sqlx::Error> {
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

pub(super) fn document_id(row: &SqliteRow, column: &str) -> Result<DocumentId, sqlx::Error> {
    text(row, column)?.parse().map_err(|error| undecodable(column, error))
}

pub(super) fn client_id(row: &SqliteRow, column: &str) -> Result<ClientId, sqlx::Error> {
    let bytes: &[u8] = row.try_get(column)?;
    Uuid::from_slice(bytes).map(ClientId).map_err(|error| undecodable(column, error))
}

pub(super) fn history_id(row: &SqliteRow, column: &str) -> Result<HistoryId, sqlx::Error> {
    uuid(row, column).map(HistoryId)
}

pub(super) fn uuid(row: &SqliteRow, column: &str) -> Result<Uuid, sqlx::Error> {
    text(row, column)?.parse().map_err(|error| undecodable(column, error))
}

pub(super) fn user_id(row: &SqliteRow, column: &str) -> Result<UserId, sqlx::Error> {
    Ok(UserId(text(row, column)?.into()))
}

fn text<'r>(row: &'r SqliteRow, column: &str) -> Result<&'r str, sqlx::Error> {
    row.try_get(column)
}

/// Reads a number that is never negative.
pub(super) fn number(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|error| undecodable(column, error))
}

fn undecodable(column: &str, source: impl Into<sqlx::error::BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}
