//! For many servers and much load: PostgreSQL through sqlx.
//!
//! A batch of operations is one statement over a connection of its own: a function of the schema that locks the shards,
//! looks whether the batch fits, and writes it (`append`, `migrations/postgres/0006_create_append.sql`). What does not fit
//! is looked at once more, to say why (`ledger`). Everything else goes over a pool (`sessions`). Other servers write to
//! the same database, so that nothing is remembered of it but where the logs end that this one owns (`memory`).
//! `docs/storage.md` has the reasons and the figures.

mod accounts;
mod alone;
mod annotations;
mod append;
mod audit;
mod check;
mod cluster;
mod connect;
mod documents;
mod error;
mod forks;
mod groups;
mod ledger;
mod log;
mod memory;
mod migrate;
mod ownership;
mod parcel;
mod permissions;
mod projections;
mod purge;
mod rows;
mod segments;
mod sessions;
mod shard_log;
mod snapshots;
mod watermarks;

#[cfg(test)]
pub(super) mod tests;

pub(super) use self::alone::{Alone, Asked};
use self::append::Appender;
pub use self::connect::PostgresOptions;
use self::connect::Server;
use self::sessions::Sessions;
use super::{Migrated, OpenError, StoreError};
use sqlx::Row as _;

/// A [`Store`](super::Store) in a PostgreSQL database, which other servers may use as well.
#[derive(Debug)]
pub struct PostgresStore {
    server: Server,
    sessions: Sessions,
    appender: tokio::sync::Mutex<Appender>,
}

impl PostgresStore {
    /// Connects, and applies the migrations that are missing.
    ///
    /// # Errors
    /// When the server cannot be reached, or the database is not one that can be used, or is of a newer version of the
    /// program.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        for migrated in Self::migrate(&options).await? {
            tracing::info!(number = migrated.number, name = migrated.name, "applied a migration");
        }
        let server = Server::new(options);
        let sessions = Sessions::new(server.pool(), server.patience());
        Ok(Self { server, sessions, appender: tokio::sync::Mutex::default() })
    }

    /// Applies the migrations that are missing and returns them; nothing else is changed.
    ///
    /// # Errors
    /// As for [`PostgresStore::open`].
    pub async fn migrate(options: &PostgresOptions) -> Result<Vec<Migrated>, OpenError> {
        let server = Server::new(options.clone());
        let mut conn = server.migrator().await.map_err(|error| server.failed(error))?;
        connect::inspect(&mut conn).await.map_err(|error| server.failed(error))?;
        let migrated = migrate::migrate(&mut conn).await.map_err(|error| server.failed(error));
        connect::close(conn).await;
        migrated
    }

    /// Looks whether there is a schema to be migrated at all.
    ///
    /// # Errors
    /// `Empty` when there is none, and as for [`PostgresStore::open`].
    pub async fn expect(options: &PostgresOptions) -> Result<(), OpenError> {
        let server = Server::new(options.clone());
        let mut conn = server.migrator().await.map_err(|error| server.failed(error))?;
        let there = sqlx::query_scalar("SELECT to_regclass('ops') IS NOT NULL").fetch_one(&mut conn).await;
        connect::close(conn).await;
        let there: bool = there.map_err(|error| server.failed(error))?;
        if there { Ok(()) } else { Err(OpenError::Empty { place: options.place() }) }
    }

    /// Tells whether another server has documents of this database in memory, see [`PostgresOptions::serves`].
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub(in crate::storage) async fn has_company(&self) -> Result<bool, StoreError> {
        let look = sessions::statement(connect::LOOK_FOR_MARKS).bind(self.server.mark());
        let row = self.sessions.row(look).await.map_err(error::store_error)?;
        row.map_or(Ok(false), |row| row.try_get("there")).map_err(error::store_error)
    }

    /// Closes the connections, those in use when they are given back.
    pub async fn close(&self) {
        self.appender.lock().await.close().await;
        self.sessions.close().await;
    }
}
