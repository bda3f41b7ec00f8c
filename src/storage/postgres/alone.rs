//! Being alone with a database: no server has documents of it in memory, and none begins to.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::error::store_error;
use super::sessions::within;
use super::{PostgresStore, connect};
use crate::storage::StoreError;

/// One at a time has this lock, until its connection ends.
const TRY: &str = "SELECT pg_try_advisory_lock(hashtext('quire is alone with ' || current_schema()), 0)";

/// The connection rests as long as the work takes. (Before version 14 there is no such limit.)
const REST: &str = "SELECT set_config('idle_session_timeout', '0', false)
    WHERE current_setting('server_version_num')::integer >= 140000";

/// Whoever has it is alone until it is dropped.
#[derive(Debug)]
pub struct Alone {
    conn: PgConnection,
}

/// What came of asking to be alone.
#[derive(Debug)]
pub enum Asked {
    Alone(Alone),
    /// A server is running.
    Company,
    /// Somebody else is alone, or looks just now whether he is.
    Busy,
}

impl Alone {
    /// Ends it, and tells whether it has held until now.
    ///
    /// # Errors
    /// The connection was lost: somebody may have come meanwhile.
    pub async fn end(mut self) -> Result<(), sqlx::Error> {
        within(connect::CLOSES_WITHIN, self.conn.ping()).await?;
        connect::close(self.conn).await;
        Ok(())
    }
}

impl PostgresStore {
    /// Asks to be alone with the database. Every server does so before it has a document in memory, and is seen from then on, so that none
    /// begins unseen.
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub(in crate::storage) async fn alone(&self) -> Result<Asked, StoreError> {
        let mut conn = self.server.migrator().await.map_err(store_error)?;
        let free = async {
            sqlx::query(REST).execute(&mut conn).await?;
            sqlx::query_scalar::<_, bool>(TRY).fetch_one(&mut conn).await
        };
        let free = within(self.server.patience(), free).await.map_err(store_error)?;
        // Whoever serves marks itself by looking.
        if free && !self.has_company().await? {
            return Ok(Asked::Alone(Alone { conn }));
        }
        connect::close(conn).await;
        Ok(if free { Asked::Company } else { Asked::Busy })
    }
}
