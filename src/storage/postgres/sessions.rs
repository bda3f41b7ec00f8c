//! The pool of connections for everything but appends.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{Executor, Postgres, Row};

use crate::storage::Viewer;

/// For this transaction, another role than that of the connection, and whom it is for.
const BEGIN_REQUEST: &str = "SELECT set_config('quire.user', $1, true), set_config('quire.linked', $2, true),
    set_config('role', 'quire_request', true)";

/// A statement with its values.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Makes a statement, to which its values are bound in order.
pub(super) fn statement<'q>(sql: &'static str) -> Statement<'q> {
    sqlx::query(sql)
}

/// Waits so long, and no longer, for an answer over the network.
///
/// # Errors
/// That of `answer`, or an I/O error of the kind `TimedOut`.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| {
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer");
        Err(sqlx::Error::Io(late))
    })
}

/// The pool; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    pool: PgPool,
    patience: Duration,
}

impl Sessions {
    pub(super) fn new(pool: PgPool, patience: Duration) -> Self {
        Self { pool, patience }
    }

    /// Runs one statement and returns its rows; writes of it are committed then.
    pub(super) async fn rows(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut session = self.lend().await?;
        let rows = session.rows(statement).await?;
        session.give_back();
        Ok(rows)
    }

    /// The same of a statement with one row at most.
    pub(super) async fn row(&self, statement: Statement<'_>) -> Result<Option<PgRow>, sqlx::Error> {
        Ok(self.rows(statement).await?.pop())
    }

    /// Runs one statement and returns how many rows it has changed.
    pub(super) async fn run(&self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let mut session = self.lend().await?;
        let changed = session.run(statement).await?;
        session.give_back();
        Ok(changed)
    }

    /// Begins a transaction; [`Session::commit`] ends it, and anything else rolls it back.
    pub(super) async fn begin(&self) -> Result<Session, sqlx::Error> {
        let mut session = self.lend().await?;
        session.command("BEGIN").await?;
        Ok(session)
    }

    /// Begins a transaction that sees what somebody's request may see (migration 0016), and no more.
    pub(super) async fn begin_request(&self, viewer: &Viewer, linked: bool) -> Result<Session, sqlx::Error> {
        let mut session = self.begin().await?;
        let linked = if linked { "on" } else { "off" };
        session.run(statement(BEGIN_REQUEST).bind(viewer.user.as_str()).bind(linked)).await?;
        Ok(session)
    }

    /// Waits for the connections that are in use, and closes all.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn lend(&self) -> Result<Session, sqlx::Error> {
        Ok(Session { conn: Some(self.pool.acquire().await?), patience: self.patience })
    }
}

/// A connection that is in use.
///
/// One that is dropped before its work is done, because that has failed or nobody waits for it any more, is closed: the
/// server rolls back what was not committed, and the pool is not kept waiting for an answer that may never come.
pub(super) struct Session {
    /// `None` once given back.
    conn: Option<PoolConnection<Postgres>>,
    patience: Duration,
}

impl Session {
    pub(super) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, sqlx::Error> {
        let patience = self.patience;
        // All of them, and not `fetch_one`, which returns with the first row: that comes before the commit.
        within(patience, statement.fetch_all(self.conn()?)).await
    }

    pub(super) async fn row(&mut self, statement: Statement<'_>) -> Result<Option<PgRow>, sqlx::Error> {
        Ok(self.rows(statement).await?.pop())
    }

    pub(super) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let patience = self.patience;
        Ok(within(patience, statement.execute(self.conn()?)).await?.rows_affected())
    }

    /// Runs a statement that counts.
    pub(super) async fn count(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let row = self.row(statement).await?.ok_or(sqlx::Error::RowNotFound)?;
        Ok(row.try_get::<i64, _>(0)?.cast_unsigned())
    }

    /// Commits and gives the connection back.
    ///
    /// # Errors
    /// What was to be committed may be there or not.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.command("COMMIT").await?;
        self.give_back();
        Ok(())
    }

    fn give_back(mut self) {
        drop(self.conn.take());
    }

    async fn command(&mut self, command: &'static str) -> Result<(), sqlx::Error> {
        let patience = self.patience;
        within(patience, self.conn()?.execute(command)).await?;
        Ok(())
    }

    fn conn(&mut self) -> Result<&mut <Postgres as sqlx::Database>::Connection, sqlx::Error> {
        self.conn.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // Dropping the bare connection closes its socket.
            drop(conn.detach());
        }
    }
}
