//! The one connection that writes, and what is known of it.

use sqlx::sqlite::SqliteConnection;

use super::connect;
use super::error::store_error;
use crate::storage::StoreError;

pub(super) type WriterGuard = tokio::sync::OwnedMutexGuard<Writer>;

/// The writing connection.
///
/// A commit may fail in ways that do not tell its outcome, and a task may end in the middle, with its runtime or in a
/// panic. So the writer is not trusted from the first statement until the outcome of the last is known and memory agrees
/// with it; whoever finds it so replaces the connection and reads the state anew
/// ([`Inner::recover`](super::Inner::recover)). A caller who goes away is no such case: writes run in tasks of their own
/// ([`Inner::detached`](super::Inner::detached)).
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once closed.
    conn: Option<SqliteConnection>,
    trusted: bool,
}

impl Writer {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self { conn: Some(conn), trusted: true }
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.trusted && self.conn.is_some()
    }

    /// Returns the connection for reading, which leaves nothing behind.
    pub(super) fn reading(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.conn.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Returns the connection for writing: from now on, and until [`Writer::trust`], it is not trusted.
    pub(super) fn writing(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.trusted = false;
        self.reading()
    }

    /// Says that the outcome of all writing is known, and memory agrees with it.
    pub(super) fn trust(&mut self) {
        self.trusted = true;
    }

    /// Begins a transaction; [`Writer::end`] must follow.
    pub(super) async fn begin(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let conn = self.writing().map_err(store_error)?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(store_error)?;
        Ok(conn)
    }

    /// Ends a transaction: commits after `Ok`, rolls back after `Err`. Memory must be brought in line before the next
    /// await.
    ///
    /// # Errors
    /// That of `result`, or `Unavailable` when the commit failed; the writer is then not trusted.
    pub(super) async fn end<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let conn = self.reading().map_err(store_error)?;
        match result {
            Ok(value) => {
                sqlx::query("COMMIT").execute(conn).await.map_err(store_error)?;
                self.trusted = true;
                Ok(value)
            }
            Err(error) => {
                self.trusted = sqlx::query("ROLLBACK").execute(conn).await.is_ok();
                Err(error)
            }
        }
    }

    /// Takes a fresh connection in the place of the old one, after all that was sent to the old one has been done.
    pub(super) async fn replace(&mut self, fresh: SqliteConnection) {
        if let Some(old) = self.conn.replace(fresh) {
            connect::close(old).await;
        }
    }

    /// Closes the connection; whatever is asked of the writer later fails.
    pub(super) async fn close(&mut self) {
        self.trusted = false;
        if let Some(conn) = self.conn.take() {
            connect::close(conn).await;
        }
    }
}
