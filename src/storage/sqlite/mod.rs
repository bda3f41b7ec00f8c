//! The embedded default: SQLite through sqlx, in write-ahead mode.
//!
//! All writes go through one connection, each in a task of its own ([`Inner::detached`]). Operations are appended to `recent_batches` and held in memory too ([`Recent`]);
//! a task moves them to `ops` and `clients` in bulk (`settle`), which an operation by itself would pay for with a page in
//! each of four trees. Reads look into memory first, then into the database over a few connections of their own.
//! `docs/storage.md` has the reasons and the figures.

mod accounts;
mod annotations;
mod append;
mod audit;
mod bulk;
mod check;
mod checkpoint;
mod connect;
mod documents;
mod error;
mod forks;
mod groups;
mod log;
mod migrate;
mod ownership;
mod permissions;
mod projections;
mod recent;
mod recover;
mod rows;
mod segments;
mod settle;
mod shard_log;
mod snapshots;
mod touches;
mod unsettled;
mod watermarks;
mod writer;

#[cfg(test)]
pub(super) mod tests;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::task::JoinHandle;

use self::connect::Database;
use self::error::store_error;

use self::recent::Recent;
use self::settle::Signals;
use self::touches::Touches;
use self::writer::{Writer, WriterGuard};
use super::{DataDir, Migrated, OpenError, StoreError};

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// For the disk: a committed operation outlives a power cut. `PRAGMA synchronous=FULL`.
    #[default]
    Full,
    /// For nothing: a power cut may lose or damage what was committed. Only to show that a test would notice.
    Off,
}

/// How a [`SqliteStore`] works; the defaults suit a server.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub durability: Durability,
    /// Connections that read, each a thread and up to 256 KiB of cache while it is in use.
    pub readers: u32,
    pub settle: SettleLimits,
}

/// When operations are moved from `recent_batches` to `ops`.
#[derive(Clone, Copy, Debug)]
pub struct SettleLimits {
    /// As soon as so many operations are waiting. More of them make the move cheaper for each (its cost is by document)
    /// and hold more memory, some 200 bytes and the delta for each.
    pub ops: usize,
    /// As soon as their deltas have so many bytes.
    pub bytes: usize,
    /// At the latest so long after the first.
    pub after: std::time::Duration,
}

impl Default for SettleLimits {
    fn default() -> Self {
        Self { ops: 65_536, bytes: 16 << 20, after: std::time::Duration::from_secs(5) }
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { durability: Durability::Full, readers: 4, settle: SettleLimits::default() }
    }
}

/// A [`Store`](super::Store) in a data folder, which it keeps locked.
#[derive(Debug)]
pub struct SqliteStore {
    inner: Arc<Inner>,
    settler: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    settle: SettleLimits,
    writer: Arc<tokio::sync::Mutex<Writer>>,
    readers: SqlitePool,
    recent: Mutex<Recent>,
    touches: Mutex<Touches>,
    signals: Arc<Signals>,
    checkpointer: tokio::sync::Mutex<Option<SqliteConnection>>,
    /// Declared last: the folder is unlocked after the connections are gone.
    _dir: DataDir,
}

impl SqliteStore {
    /// Copies the database in a folder, which a server may be using, into an empty one, as it is at one moment.
    pub(super) async fn copy(dir: &Path, to: &Path) -> Result<(), OpenError> {
        connect::copy(dir, to).await
    }

    /// Tells whether there is a database in a folder.
    pub(super) fn is_in(dir: &Path) -> bool {
        dir.join(connect::FILE).is_file()
    }

    /// Opens the database in a data folder, made if there is none: applies the migrations and settles what an earlier
    /// run has left.
    ///
    /// # Errors
    /// When the file is no database, is damaged, or is of a newer version of the program.
    pub async fn open(dir: DataDir, options: &SqliteOptions) -> Result<Self, OpenError> {
        let database = Database::new(&dir, options.durability);
        let mut conn = database.writer().await.map_err(|error| database.failed(error))?;
        for migrated in migrate::migrate(&mut conn).await.map_err(|error| database.failed(error))? {
            tracing::info!(number = migrated.number, name = migrated.name, "applied a migration");
        }
        let shards = recover::recover(&mut conn).await.map_err(|error| database.failed(error))?;
        dir.sync().map_err(|error| database.failed(error))?;

        let readers = database.readers(options.readers);
        let signals = Arc::new(Signals::default());
        let inner = Arc::new(Inner {
            settle: options.settle,
            writer: Arc::new(tokio::sync::Mutex::new(Writer::new(conn))),
            readers,
            recent: Mutex::new(Recent::new(shards, 1)),
            touches: Mutex::default(),
            signals: Arc::clone(&signals),
            checkpointer: tokio::sync::Mutex::new(None),
            database,
            _dir: dir,
        });
        let settler = tokio::spawn(settle::run(Arc::downgrade(&inner), signals));
        let store = Self { inner, settler };
        store.finish_purges().await.map_err(|error| store.inner.database.failed(error))?;
        Ok(store)
    }

    /// Applies the migrations that are missing and returns them; nothing else is changed.
    ///
    /// # Errors
    /// As for [`SqliteStore::open`].
    pub async fn migrate(dir: &DataDir) -> Result<Vec<Migrated>, OpenError> {
        let database = Database::new(dir, Durability::Full);
        let mut conn = database.writer().await.map_err(|error| database.failed(error))?;
        let migrated = migrate::migrate(&mut conn).await.map_err(|error| database.failed(error));
        connect::close(conn).await;
        migrated
    }

    /// Settles all that waits, checkpoints and closes the connections. Without it nothing is lost, but the next start
    /// has that to do.
    ///
    /// # Errors
    /// `Unavailable` when the disk is; the store is closed all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        let settled = self.settle_now().await;
        self.inner.readers.close().await;
        if let Some(conn) = self.inner.checkpointer.lock().await.take() {
            connect::close(conn).await;
        }
        let mut writer = self.inner.writer.lock().await;
        writer.close().await;
        settled
    }

    /// Moves all that waits from `recent_batches` to where it stays, and checkpoints.
    #[doc(hidden)]
    pub async fn settle_now(&self) -> Result<(), StoreError> {
        self.inner.settle_all().await
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.settler.abort();
    }
}

impl Inner {
    /// Waits for the writer, in order of asking. One that was left in the middle of something is first brought to a
    /// known state.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be reached or read.
    async fn writer(&self) -> Result<WriterGuard, StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        self.bring_to_known_state(&mut writer).await?;
        Ok(writer)
    }

    async fn bring_to_known_state(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if writer.is_trusted() { Ok(()) } else { self.recover(writer).await.map_err(store_error) }
    }

    /// Runs `write` to its end in a task of its own, whatever becomes of the caller: the future of a request is dropped
    /// when its client hangs up, and a write that was cut off in the middle would leave it to the next one to read the
    /// whole state anew. Every write on behalf of a caller goes through here.
    ///
    /// The writer is waited for before the task begins: who gives up in the queue leaves nothing behind.
    ///
    /// # Errors
    /// Those of `write`, and `Unavailable`, with nothing written, when the database cannot be reached or read.
    async fn detached<T, W>(
        self: &Arc<Self>,
        write: impl FnOnce(Arc<Self>, WriterGuard) -> W + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let inner = Arc::clone(self);
        // Boxed, as all that is spawned for many kinds of work: what tokio compiles for each is much.
        let work: BoxFuture<'static, Result<T, StoreError>> = Box::pin(async move {
            inner.bring_to_known_state(&mut writer).await?;
            write(inner, writer).await
        });
        match tokio::spawn(work).await {
            Ok(written) => written,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime has ended, and so does whoever waits on it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
