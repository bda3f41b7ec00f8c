//! How the server is found, and what every connection is told.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Row};

use super::sessions::within;
use crate::storage::{OpenError, Source};

/// The role that the server works as: row-level security shows it everything (migration 0016).
const SERVICE: &str = "quire_service";

const DESCRIBE_SERVER: &str = include_str!("sql/describe_server.sql");

/// A lock that is shared and held by nobody alone: it only shows who is there, until the connection ends. The first half of its name is
/// the schema's.
const MARK: &str = "SELECT pg_advisory_lock_shared(hashtext('quire serves ' || current_schema()), $1)";

/// Tells whether anybody has such a lock with another mark.
pub(super) const LOOK_FOR_MARKS: &str = "SELECT EXISTS (
        SELECT 1 FROM pg_locks AS l
        WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND l.classid = CAST(hashtext('quire serves ' || current_schema()) AS oid)
            AND l.objid <> CAST($1 AS oid)
    ) AS there";

/// A connection of the pool that nobody needs is closed.
const IDLE: Duration = Duration::from_mins(2);

/// How long a connection may take to say that it is still there, or to close.
pub(super) const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// The oldest server whose features are used: `starts_with`, pruning of partitions by `MergeAppend`.
const OLDEST: i32 = 130_000;

/// Parameters that a URL may have after its `?`, beside `options[…]`. Others are refused by name, since the library would
/// log them with their values, and a mistyped `password` is one of them.
const PARAMETERS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];
/// Where the database is and how it is used. Does not print what it is signed in with.
#[derive(Clone)]
pub struct PostgresOptions {
    server: Box<PgConnectOptions>,
    /// Connections for everything but appends, which have one of their own.
    pub connections: u32,
    /// How long to wait for a connection before storage counts as unavailable.
    pub connect_within: Duration,
    /// How long the server may work on one statement. The journal takes a commit for lost after 10 s.
    pub statement_within: Duration,
    /// Whether this is a server with documents in memory, and no command: others are told as long as it is connected.
    pub serves: bool,
}

impl PostgresOptions {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. What is not said in it comes from `PGHOST`, `PGUSER`,
    /// `PGPASSWORD`, `PGPASSFILE` and their like.
    ///
    /// # Errors
    /// `Address`, without the text: it may hold a password.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        let refused = |why: String| OpenError::Address { why };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(refused("it does not begin with postgres://".to_owned()));
        }
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        let mut names = parameters.split('&').map(|part| part.split('=').next().unwrap_or(part));
        if let Some(name) = names.find(|name| !is_known(name)) {
            return Err(refused(format!("it has a parameter {name:?} that is not known")));
        }
        let server = PgConnectOptions::from_str(url).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            server: Box::new(server),
            connections: 8,
            connect_within: Duration::from_secs(3),
            statement_within: Duration::from_secs(5),
            serves: false,
        })
    }

    /// Names the database, without whom it is opened as.
    pub fn place(&self) -> String {
        let database = self.server.get_database().unwrap_or_else(|| self.server.get_username());
        match self.server.get_socket() {
            Some(socket) => format!("{database} at {}:{}", socket.display(), self.server.get_port()),
            None => format!("{database} at {}:{}", self.server.get_host(), self.server.get_port()),
        }
    }
}

fn is_known(name: &str) -> bool {
    name.is_empty()
        || PARAMETERS.contains(&name)
        || name == "options"
        || ["options[", "options%5B"].iter().any(|one| name.starts_with(one))
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("place", &self.place())
            .field("connections", &self.connections)
            .field("connect_within", &self.connect_within)
            .field("statement_within", &self.statement_within)
            .finish_non_exhaustive()
    }
}

/// The server, and how connections to it are made.
#[derive(Debug)]
pub(super) struct Server {
    options: PostgresOptions,
    /// Tells the process from others that serve.
    mark: i32,
}

impl Server {
    pub(super) fn new(options: PostgresOptions) -> Self {
        Self { options, mark: fastrand::i32(..) }
    }

    pub(super) fn failed(&self, source: impl Into<Source>) -> OpenError {
        OpenError::Server { place: self.options.place(), source: source.into() }
    }

    /// How long to wait for the answer to one statement: the server gives up before.
    pub(super) fn patience(&self) -> Duration {
        self.options.statement_within + Duration::from_secs(2)
    }

    /// What a connection is told that works for the server, of one role once and for all.
    fn service(&self) -> PgConnectOptions {
        self.session(self.options.statement_within).options([("role", SERVICE)])
    }

    fn session(&self, statement_within: Duration) -> PgConnectOptions {
        let server = (*self.options.server).clone().disable_statement_logging();
        let named = server.get_application_name().is_some();
        let server = if named { server } else { server.application_name("quire") };
        server.options([
            // What the contract promises, whatever is set for the database: a commit is on the disk, and on that of a
            // synchronous standby, before it is answered.
            ("synchronous_commit", "on".to_owned()),
            // Each statement sees what was committed when it began: appends rely on it after they have locked.
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", statement_within.as_millis().to_string()),
            // Whoever went away in the middle of a transaction does not hold its locks for ever.
            ("idle_in_transaction_session_timeout", "10s".to_owned()),
            ("tcp_keepalives_idle", "30".to_owned()),
            ("tcp_keepalives_interval", "10".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
            ("jit", "off".to_owned()),
        ])
    }

    /// Connects for appends.
    ///
    /// Their statements are planned once for a connection, perhaps while the tables are empty, and each of them is to
    /// look things up by their keys, however few there are today.
    pub(super) async fn appender(&self) -> Result<PgConnection, sqlx::Error> {
        let session = self.service().options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
        ]);
        let mut conn = within(self.options.connect_within, session.connect()).await?;
        within(self.patience(), refuse_standby(&mut conn)).await?;
        Ok(conn)
    }

    /// Connects for a migration, which may take its time.
    pub(super) async fn migrator(&self) -> Result<PgConnection, sqlx::Error> {
        within(self.options.connect_within, self.session(Duration::ZERO).connect()).await
    }

    /// Returns what this process is marked with.
    pub(super) fn mark(&self) -> i32 {
        self.mark
    }

    /// Makes the pool, which connects when first needed. A server that serves marks each connection of it, so that others see it: it always
    /// has one, since it looks for changes of permissions all the time.
    pub(super) fn pool(&self) -> PgPool {
        let mark = self.options.serves.then_some(self.mark);
        PgPoolOptions::new()
            .max_connections(self.options.connections)
            .acquire_timeout(self.options.connect_within)
            .idle_timeout(IDLE)
            .after_connect(move |conn, _| Box::pin(begin(conn, mark)))
            .connect_lazy_with(self.service())
    }
}

async fn begin(conn: &mut PgConnection, mark: Option<i32>) -> Result<(), sqlx::Error> {
    refuse_standby(conn).await?;
    if let Some(mark) = mark {
        sqlx::query(MARK).bind(mark).execute(conn).await?;
    }
    Ok(())
}

/// A standby is behind: what is read there may have been written over at the primary.
async fn refuse_standby(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let is_standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(conn).await?;
    if is_standby {
        return Err(sqlx::Error::Configuration("it is a standby, which takes no writes".into()));
    }
    Ok(())
}

/// Looks whether this is a server that keeps what it is given.
pub(super) async fn inspect(conn: &mut PgConnection) -> Result<(), Source> {
    let server = sqlx::query(DESCRIBE_SERVER).fetch_one(conn).await?;
    let version: i32 = server.try_get("version")?;
    if version < OLDEST {
        return Err(
            format!("it is PostgreSQL {}, and 13 is the oldest that is supported", version / 10_000).into()
        );
    }
    let encoding: &str = server.try_get("encoding")?;
    if encoding != "UTF8" {
        return Err(format!("its encoding is {encoding}, and only UTF8 takes any text").into());
    }
    for setting in ["fsync", "full_page_writes"] {
        if server.try_get::<&str, _>(setting)? != "on" {
            tracing::error!(
                setting,
                "is off in PostgreSQL: a power cut may lose or damage what was acknowledged"
            );
        }
    }
    Ok(())
}

/// Closes a connection. What fails here has no one to wait for it.
pub(super) async fn close(conn: PgConnection) {
    if let Err(error) = within(CLOSES_WITHIN, conn.close()).await {
        tracing::debug!(%error, "closing a connection to the database failed");
    }
}
