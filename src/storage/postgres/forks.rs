//! Where documents' histories have parted.

use sqlx::Row;

use super::rows::{self, integer};
use super::sessions::{Sessions, statement};
use crate::ids::DocumentId;
use crate::storage::Fork;

const LEAVE_HISTORY: &str = include_str!("sql/leave_history.sql");
const CREATE_FORK: &str =
    "INSERT INTO forks (doc_id, history, parent, version, at) VALUES ($1, $2, $3, $4, $5)";
const READ_FORKS: &str = include_str!("sql/read_forks.sql");

/// Changes the history; returns false when there is no such document, or it has another one.
pub(super) async fn fork(sessions: &Sessions, doc: &DocumentId, fork: &Fork) -> Result<bool, sqlx::Error> {
    let mut session = sessions.begin().await?;
    let leave = statement(LEAVE_HISTORY).bind(doc.as_str()).bind(fork.parent.0).bind(fork.history.0);
    if session.run(leave).await? == 0 {
        return Ok(false);
    }
    session.run(statement("DELETE FROM snapshots WHERE doc_id = $1").bind(doc.as_str())).await?;
    let create = statement(CREATE_FORK).bind(doc.as_str()).bind(fork.history.0).bind(fork.parent.0);
    session.run(create.bind(integer(fork.version)).bind(fork.at)).await?;
    session.commit().await?;
    Ok(true)
}

/// Reads the forks of a document, the newest first.
pub(super) async fn read(sessions: &Sessions, doc: &DocumentId) -> Result<Vec<Fork>, sqlx::Error> {
    let found = sessions.rows(statement(READ_FORKS).bind(doc.as_str())).await?;
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
