//! Servers of one database.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

use crate::harness::{DataFolder, Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::{SECRET, admin_token, call};

/// Longer than anything takes that a test waits for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A database without anything in it: a schema of its own.
pub struct Scene {
    url: String,
    /// Where larger snapshots and archived operations of all servers are.
    objects: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let server = std::env::var("QUIRE_TEST_POSTGRES")
            .expect("QUIRE_TEST_POSTGRES names a server: run `scripts/services/postgres with cargo test`");
        let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&server).await.expect("the server answers");
            let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
            connection.execute(create).await.expect("a sound statement");
            connection.close().await.expect("it closes");
        });
        let objects = TempDir::new().expect("a temporary folder");
        Self { url: format!("{server}?options[search_path]={schema}"), objects }
    }

    /// Another server.
    pub fn server(&self) -> TestServer {
        let address = free_address();
        Launch::on(DataFolder::new())
            .listening_on(&address)
            .with("QUIRE_DATABASE_URL", &self.url)
            .with("QUIRE_OBJECT_STORE_URL", format!("file://{}", self.objects.path().display()))
            .with("QUIRE_NODE_URL", format!("http://{address}"))
            .with("QUIRE_JWT_SECRET", SECRET)
            .start()
    }

    /// Two servers, each with a good part of the shards.
    pub fn two(&self) -> [TestServer; 2] {
        let servers = [self.server(), self.server()];
        until("both have their share", || servers.iter().all(|server| shards(server) >= 64));
        servers
    }
}

/// One that was free a moment ago. Others have to be told of it before the server listens there.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").to_string()
}

/// All servers, that one first.
pub fn nodes(server: &TestServer) -> Vec<Value> {
    let answer = call(&Rest::of(server), &admin_token("root"), "GET", "/v1/admin/nodes", None);
    answer.expect(200).json()["nodes"].as_array().expect("a list").clone()
}

/// How a server is called.
pub fn name(server: &TestServer) -> String {
    nodes(server)[0]["name"].as_str().expect("a name").to_owned()
}

/// How many shards a server has.
pub fn shards(server: &TestServer) -> u64 {
    nodes(server)[0]["shards"].as_u64().expect("a number")
}

/// The value of a metric of a server, all its labels together.
pub fn metric(server: &TestServer, name: &str) -> f64 {
    let text = Rest::of(server).get("/metrics").expect(200).text();
    let values = text.lines().filter_map(|line| {
        let (labelled, value) = line.rsplit_once(' ')?;
        (labelled.split('{').next()? == name).then(|| value.parse::<f64>().expect("a number"))
    });
    values.sum()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come to it that {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}
