//! Being alone with a database: no server has documents of it in memory, and none begins to.

use sqlx::postgres::PgConnection;

use super::error::store_error;
use super::{PostgresStore, connect};
use crate::storage::StoreError;

/// One at a time has this lock, until its connection ends.
const TRY: &str = "SELECT pg_try_advisory_lock(hashtext('quire is alone with ' || current_schema()), 0)";
const WAIT: &str = "SELECT pg_advisory_lock(hashtext('quire is alone with ' || current_schema()), 0)";

/// Whoever has it is alone until it is dropped.
#[derive(Debug)]
pub struct Alone {
    _conn: PgConnection,
}

impl PostgresStore {
    /// Waits for whoever is alone with the database, and returns `None` when a server is running. Every server comes by here before it has
    /// a document in memory, and is seen from then on, so that none begins unseen.
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub(in crate::storage) async fn alone(&self) -> Result<Option<Alone>, StoreError> {
        let mut conn = self.server.migrator().await.map_err(store_error)?;
        let free: bool = sqlx::query_scalar(TRY).fetch_one(&mut conn).await.map_err(store_error)?;
        if !free {
            tracing::info!("somebody is at work on the database who has to be alone with it: waiting");
            sqlx::query(WAIT).execute(&mut conn).await.map_err(store_error)?;
        }
        if self.has_company().await? {
            connect::close(conn).await;
            return Ok(None);
        }
        Ok(Some(Alone { _conn: conn }))
    }
}
