//! Connections: one writer, a few readers, one that checkpoints.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteSynchronous;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
};
use sqlx::{ConnectOptions, Connection};

use super::Durability;
use crate::storage::{DataDir, OpenError};

/// The database's file in the data folder; SQLite puts its log and its index of the log beside it.
pub(super) const FILE: &str = "quire.db";

/// How long a statement waits for a lock. Only checkpoints and a connection that is just being replaced hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a read waits for a connection before storage counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A reader that nobody needs gives its memory back.
const READER_IDLE: Duration = Duration::from_mins(1);

/// Pages of 4 KiB in the write-ahead log at which a commit itself makes the checkpoint: only if the one in the
/// background has come to a stand, since whoever waits for that commit waits for it.
const CHECKPOINT_IN_COMMIT: &str = "16384";

/// Bytes that the write-ahead log is cut to when it begins anew.
const LOG_KEPT: &str = "67108864";

/// Where the database is, and how connections to it are made.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    durability: Durability,
}

impl Database {
    pub(super) fn new(dir: &DataDir, durability: Durability) -> Self {
        Self { path: dir.path().join(FILE), durability }
    }

    fn options(&self) -> SqliteConnectOptions {
        let synchronous = match self.durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Off => SqliteSynchronous::Off,
        };
        SqliteConnectOptions::new()
            .filename(&self.path)
            .synchronous(synchronous)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("temp_store", "memory")
            .disable_statement_logging()
    }

    /// Connects for writing; makes the file if there is none.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options = self.options().create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        options
            .pragma("wal_autocheckpoint", CHECKPOINT_IN_COMMIT)
            .pragma("journal_size_limit", LOG_KEPT)
            .pragma("cache_size", "-8192")
            .connect()
            .await
    }

    /// Connects for checkpoints, which need next to no cache: pages go from file to file.
    pub(super) async fn checkpointer(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.options().pragma("cache_size", "-64").connect().await
    }

    /// Makes the pool of readers, which connect when first needed.
    pub(super) fn readers(&self, most: u32) -> SqlitePool {
        let options = self.options().read_only(true).pragma("cache_size", "-256");
        SqlitePoolOptions::new()
            .max_connections(most)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(READER_IDLE)
            .test_before_acquire(false)
            .connect_lazy_with(options)
    }

    pub(super) fn failed(&self, source: impl Into<crate::storage::Source>) -> OpenError {
        OpenError::Database { path: self.path.clone(), source: source.into() }
    }
}

/// Copies the database in `dir`, which a server may be using, into the empty folder `to`, as it is at one moment.
///
/// # Errors
/// It is no database, or there is no room.
pub(super) async fn copy(dir: &Path, to: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    let failed = |error| OpenError::Database { path: path.clone(), source: Box::new(error) };
    let options = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY_TIMEOUT);
    let mut conn = options.disable_statement_logging().connect().await.map_err(failed)?;
    let copied = sqlx::query("VACUUM INTO ?1").bind(to.join(FILE).to_string_lossy()).execute(&mut conn).await;
    close(conn).await;
    copied.map(|_| ()).map_err(failed)
}

/// Closes a connection after all that was sent to it has been done. What fails here has no one to wait for it.
pub(super) async fn close(conn: SqliteConnection) {
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "closing a connection to the database failed");
    }
}
