//! Where documents' histories have parted.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteExecutor};

use super::bulk::integer;
use super::rows;
use crate::ids::DocumentId;
use crate::storage::Fork;

const LEAVE_HISTORY: &str = "UPDATE documents SET history = ?3, snapshot_version = 0
    WHERE id = ?1 AND history = ?2 AND purged_at IS NULL";
const CREATE_FORK: &str =
    "INSERT INTO forks (doc_id, history, parent, version, at) VALUES (?1, ?2, ?3, ?4, ?5)";
const READ_FORKS: &str = include_str!("sql/read_forks.sql");

/// Changes the history; returns false when there is no such document, or it has another one.
pub(super) async fn fork(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    fork: &Fork,
) -> Result<bool, sqlx::Error> {
    let (history, parent) = (fork.history.to_string(), fork.parent.to_string());
    let left = sqlx::query(LEAVE_HISTORY).bind(doc.as_str()).bind(&parent).bind(&history);
    if left.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM snapshots WHERE doc_id = ?1").bind(doc.as_str()).execute(&mut *conn).await?;
    let create = sqlx::query(CREATE_FORK).bind(doc.as_str()).bind(history).bind(parent);
    create.bind(integer(fork.version)).bind(fork.at).execute(conn).await?;
    Ok(true)
}

/// Reads the forks of a document, the newest first.
pub(super) async fn read(conn: impl SqliteExecutor<'_>, doc: &DocumentId) -> Result<Vec<Fork>, sqlx::Error> {
    let found = sqlx::query(READ_FORKS).bind(doc.as_str()).fetch_all(conn).await?;
    let forks = found.iter().map(|row| {
        Ok(Fork {
            history: rows::history_id(row, "history")?,
            parent: rows::history_id(row, "parent")?,
            version: rows::number(row, "version")?,
            at: row.try_get("at")?,
        })
    });
    forks.collect()
}
