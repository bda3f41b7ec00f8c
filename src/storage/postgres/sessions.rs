//! The pool of connections for everything but appends.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, Postgres, Row, SqlSafeStr};

use crate::ids::{DocumentId, UserId};
use crate::storage::permissions::{Asker, GroupId, LinkKey, Requester};

/// A statement with its values.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Makes a statement, to which its values are bound in order.
pub(super) fn statement<'q>(sql: impl SqlSafeStr) -> Statement<'q> {
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

/// What a transaction sees that is for somebody.
pub(super) struct Sight<'a> {
    user: &'a UserId,
    /// By which share link.
    link: Option<&'a LinkKey>,
    /// Of which document; `None` for all.
    doc: Option<&'a DocumentId>,
    group: Option<GroupId>,
    /// Whether documents are seen by their address.
    linked: bool,
}

impl<'a> Sight<'a> {
    /// Sees what a list may show.
    pub(super) fn of_list(user: &'a UserId, linked: bool) -> Self {
        Self { user, link: None, doc: None, group: None, linked }
    }

    /// Sees one document, by whatever way there is.
    pub(super) fn of_one(requester: &'a Requester, doc: &'a DocumentId) -> Self {
        let (user, link) = (&requester.user, requester.link.as_ref());
        Self { user, link, doc: Some(doc), group: None, linked: true }
    }

    /// Sees one group, and who is in it, by being in it.
    fn of_group(requester: &'a Requester, group: GroupId) -> Self {
        Self { user: &requester.user, link: None, doc: None, group: Some(group), linked: false }
    }

    /// Begins the transaction, in one exchange. Values come in hexadecimal digits, since a command of several statements takes none
    /// beside it.
    fn beginning(&self) -> String {
        let text = |text: &str| format!("convert_from('\\x{}', 'UTF8')", hex::encode(text));
        let (user, doc) = (text(self.user.as_str()), text(self.doc.map_or("", DocumentId::as_str)));
        let link = self.link.map(|link| hex::encode(link.bytes())).unwrap_or_default();
        let group = self.group.map(|group| group.to_string()).unwrap_or_default();
        let linked = if self.linked { "on" } else { "off" };
        format!(
            "BEGIN; SELECT set_config('quire.user', {user}, true), set_config('quire.doc', {doc}, true),
                set_config('quire.link', '{link}', true), set_config('quire.group', '{group}', true),
                set_config('quire.linked', '{linked}', true),
                set_config('role', 'quire_request', true)"
        )
    }
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

    /// Begins a transaction of the role `quire_request`, which sees and changes what somebody may, and no more (migrations 0016 and
    /// 0032 to 0034).
    async fn begin_as_seen(&self, sight: Sight<'_>) -> Result<Session, sqlx::Error> {
        let mut session = self.lend().await?;
        session.command(AssertSqlSafe(sight.beginning())).await?;
        Ok(session)
    }

    /// Reads in such a transaction.
    pub(super) async fn rows_as_seen(
        &self,
        sight: Sight<'_>,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut session = self.begin_as_seen(sight).await?;
        let rows = session.rows(statement).await?;
        session.commit().await?;
        Ok(rows)
    }

    /// Begins a transaction about one document for `asker`.
    pub(super) async fn begin_for(&self, asker: &Asker, doc: &DocumentId) -> Result<Session, sqlx::Error> {
        match asker {
            Asker::Server => self.begin().await,
            Asker::Request(requester) => self.begin_as_seen(Sight::of_one(requester, doc)).await,
        }
    }

    /// Begins a transaction about one group for `asker`.
    pub(super) async fn begin_in(&self, asker: &Asker, group: GroupId) -> Result<Session, sqlx::Error> {
        match asker {
            Asker::Server => self.begin().await,
            Asker::Request(requester) => self.begin_as_seen(Sight::of_group(requester, group)).await,
        }
    }

    /// As [`Sessions::rows`], of one document for `asker`.
    pub(super) async fn rows_for(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        statement: Statement<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        match asker {
            Asker::Server => self.rows(statement).await,
            Asker::Request(requester) => self.rows_as_seen(Sight::of_one(requester, doc), statement).await,
        }
    }

    /// As [`Sessions::run`], about one document for `asker`.
    pub(super) async fn run_for(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        statement: Statement<'_>,
    ) -> Result<u64, sqlx::Error> {
        let mut session = match asker {
            Asker::Server => return self.run(statement).await,
            Asker::Request(requester) => self.begin_as_seen(Sight::of_one(requester, doc)).await?,
        };
        let changed = session.run(statement).await?;
        session.commit().await?;
        Ok(changed)
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

    async fn command(&mut self, command: impl SqlSafeStr) -> Result<(), sqlx::Error> {
        let patience = self.patience;
        within(patience, self.conn()?.execute(sqlx::raw_sql(command))).await?;
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
