//! What PostgreSQL adds to the conformance list: several servers, and connections that end at any moment.

mod cluster;
mod connections;
mod fencing;
mod groups;
mod projections;
mod relay;
mod row_security;
mod schema;

use std::ops::{Deref, RangeInclusive};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{PostgresOptions, PostgresStore};
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, SHARDS, UserId, Version};
use crate::storage::{
    AppendEntry, AppendError, DocumentStore, LoggedOp, NewDocument, OpLog, OwnershipStore, StoreError,
};

/// Nothing here takes long; what does is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says which server the tests may use, and fails the test when there is none: what was not looked at is not right.
fn server() -> String {
    std::env::var("QUIRE_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "QUIRE_TEST_POSTGRES names no server: run `scripts/services/postgres with cargo test`, or `make test`"
        )
    })
}

/// A database for one test: a schema of its own in that of the server.
pub(in crate::storage) struct TestDatabase {
    server: String,
    schema: String,
}

impl TestDatabase {
    pub(in crate::storage) async fn new() -> Self {
        let server = server();
        let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut conn =
            PgConnection::connect(&server).await.expect("the server of QUIRE_TEST_POSTGRES answers");
        conn.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
        conn.close().await.unwrap();
        Self { server, schema }
    }

    /// The address, by way of another port if the network is to be interfered with.
    fn url(&self, port: Option<u16>) -> String {
        let (before, after) = self.server.rsplit_once(':').unwrap();
        let (own, name) = after.split_once('/').unwrap();
        let port = port.map_or(own.to_owned(), |port| port.to_string());
        format!("{before}:{port}/{name}?options[search_path]={}", self.schema)
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url(None)).unwrap()
    }

    /// A server's store, beside others that there may be.
    pub(in crate::storage) async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap()
    }

    /// A server's store that others see.
    async fn serve(&self) -> PostgresStore {
        let mut options = self.options();
        options.serves = true;
        PostgresStore::open(options).await.unwrap()
    }

    /// A connection to look and change things behind the stores' backs.
    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url(None)).await.unwrap()
    }

    /// Changes something behind the stores' backs.
    async fn change(&self, sql: &'static str) {
        self.connect().await.execute(sql).await.unwrap();
    }

    /// Waits until so many statements on this database wait for a lock that somebody else holds.
    async fn wait_for_waiting(&self, count: i64) {
        let mut conn = self.connect().await;
        let waiting = "SELECT count(DISTINCT l.pid) FROM pg_locks AS l
            WHERE NOT l.granted AND EXISTS (
                SELECT FROM pg_locks AS o
                INNER JOIN pg_class AS c ON c.oid = o.relation
                WHERE o.pid = l.pid AND c.relnamespace = current_schema()::regnamespace
            )";
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut conn).await.unwrap() < count {
            assert!(tokio::time::Instant::now() < deadline, "nobody waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the connection that is in the middle of an append.
    async fn end_append(&self) {
        let mut conn = self.connect().await;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE state = 'active' AND query LIKE '%append_ops(%' AND pid IN (
                SELECT l.pid FROM pg_locks AS l
                INNER JOIN pg_class AS c ON c.oid = l.relation
                WHERE c.relnamespace = current_schema()::regnamespace
            )";
        let ended: i64 = sqlx::query_scalar(end).fetch_one(&mut conn).await.unwrap();
        assert_eq!(ended, 1);
    }
}

/// Something locked behind the stores' backs, until this is released.
struct Held(PgConnection);

impl Held {
    async fn by(database: &TestDatabase, statements: &str) -> Self {
        let mut conn = database.connect().await;
        conn.execute("BEGIN").await.unwrap();
        conn.execute(AssertSqlSafe(statements.to_owned())).await.unwrap();
        Self(conn)
    }

    /// The end of every append waits.
    async fn clients(database: &TestDatabase) -> Self {
        Self::by(database, "LOCK TABLE clients IN EXCLUSIVE MODE").await
    }

    async fn release(mut self) {
        self.0.execute("COMMIT").await.unwrap();
    }
}

/// A store on a database of its own.
pub(in crate::storage) struct TestStore {
    store: PostgresStore,
}

impl TestStore {
    pub(in crate::storage) async fn new() -> Self {
        Self { store: TestDatabase::new().await.open().await }
    }
}

impl Deref for TestStore {
    type Target = PostgresStore;

    fn deref(&self) -> &PostgresStore {
        &self.store
    }
}

/// A server with a document, as far as the log goes.
struct Owner {
    store: PostgresStore,
    node: &'static str,
    epochs: Box<[Epoch; SHARDS]>,
}

impl Owner {
    /// Takes all shards.
    async fn new(store: PostgresStore, node: &'static str) -> Self {
        let epochs = store.claim_all(node).await.unwrap();
        Self { store, node, epochs }
    }

    /// Takes all shards of a fresh database.
    async fn alone() -> (TestDatabase, Self) {
        let database = TestDatabase::new().await;
        let owner = Self::new(database.open().await, "node-1").await;
        (database, owner)
    }

    fn epoch(&self) -> Epoch {
        self.epochs[usize::from(doc().shard())]
    }

    fn entry(&self, versions: RangeInclusive<Version>) -> AppendEntry {
        AppendEntry { epoch: self.epoch(), ..entry(versions) }
    }

    async fn append(&self, versions: RangeInclusive<Version>) -> Result<(), AppendError> {
        self.store.append(&[self.entry(versions)]).await
    }

    /// As the journal does after an append of unknown outcome; returns the head.
    async fn raise_and_look(&mut self) -> Result<Version, StoreError> {
        let shard = doc().shard();
        let raised = self.store.raise(self.node, &[(shard, self.epoch())]).await?;
        self.epochs[usize::from(shard)] = raised[0];
        self.head().await
    }

    /// What the log says of itself in every way there is, as its head.
    async fn head(&self) -> Result<Version, StoreError> {
        let position = self.store.last_positions().await?[usize::from(doc().shard())];
        let ops = self.store.read_ops(&doc(), 0, Version::MAX, usize::MAX, usize::MAX).await?;
        assert_eq!(ops.len() as u64, position);
        assert_eq!(self.store.document(&doc()).await?.version, position);
        let last = self.store.client(&doc(), author()).await?;
        assert_eq!(last.map_or((0, 0), |row| (row.last_seq, row.last_version)), (position, position));
        Ok(position)
    }
}

fn doc() -> DocumentId {
    "doc".parse().unwrap()
}

fn author() -> ClientId {
    ClientId(uuid::Uuid::from_u128(7))
}

/// Operations of the one author; they make the document if they begin at 1. The epoch is wrong.
fn entry(versions: RangeInclusive<Version>) -> AppendEntry {
    let new = NewDocument {
        history: HistoryId(uuid::Uuid::from_u128(1)),
        title: "Title".to_owned(),
        owner: UserId("owner".into()),
        created_at: 1,
        preview: String::new(),
        link: Some(crate::protocol::Role::Editor),
    };
    AppendEntry {
        doc: doc(),
        epoch: 0,
        first_pos: *versions.start(),
        create: (*versions.start() == 1).then_some(new),
        ops: versions.map(op).collect(),
        touch: false,
        preview: None,
    }
}

fn op(version: Version) -> LoggedOp {
    LoggedOp {
        version,
        client: author(),
        seq: version,
        user: UserId::guest(author()),
        at: i64::try_from(version).unwrap(),
        delta: r#"[{"insert":"x"}]"#.into(),
    }
}

fn is_unknown(appended: &Result<(), AppendError>) -> bool {
    matches!(appended, Err(AppendError::Unknown(StoreError::Unavailable(_))))
}

fn is_fenced(appended: &Result<(), AppendError>) -> bool {
    let Err(AppendError::Entries(refused)) = appended else { return false };
    matches!(refused[..], [(0, StoreError::Fenced { .. })])
}
