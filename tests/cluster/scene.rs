//! Servers of one database.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::harness::{DataFolder, Launch, TestServer};
use crate::rest::{Answer, Rest};
use crate::schema::Schema;
use crate::signed_in::{SECRET, admin_token, call};

/// Longer than anything takes that a test waits for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A database that several servers share.
pub struct Scene {
    schema: Schema,
    /// Where larger snapshots and archived operations of all servers are.
    objects: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self { schema: Schema::new(), objects: TempDir::new().expect("a temporary folder") }
    }

    /// The database's address, for commands that are run beside the servers.
    pub fn database(&self) -> &str {
        &self.schema.url
    }

    /// Another server.
    pub fn server(&self) -> TestServer {
        self.launch("http").start()
    }

    /// How another server is started, which the others reach by this scheme.
    pub fn launch(&self, scheme: &str) -> Launch {
        let address = free_address();
        Launch::on(DataFolder::new())
            .listening_on(&address)
            .with("QUIRE_DATABASE_URL", &self.schema.url)
            .with("QUIRE_OBJECT_STORE_URL", format!("file://{}", self.objects.path().display()))
            .with("QUIRE_NODE_URL", format!("{scheme}://{address}"))
            .with("QUIRE_JWT_SECRET", SECRET)
    }

    /// Servers of which each has its share.
    pub fn servers<const N: usize>(&self) -> [TestServer; N] {
        self.servers_with(|launch| launch)
    }

    /// The same, told something more.
    pub fn servers_with<const N: usize>(&self, told: impl Fn(Launch) -> Launch) -> [TestServer; N] {
        let servers = std::array::from_fn(|_| told(self.launch("http")).start());
        until_shared_out(&servers);
        servers
    }
}

/// Waits until each of these servers has its share, and nothing is moving any more.
#[track_caller]
pub fn until_shared_out<'a>(servers: impl IntoIterator<Item = &'a TestServer> + Clone) {
    let all: Vec<_> = servers.into_iter().collect();
    let urls: Vec<_> = all.iter().map(|server| format!("http://{}", server.address())).collect();
    let shares = shares(&urls);
    until("each has its share", || all.iter().zip(&shares).all(|(server, share)| shards(server) == *share));
}

/// How many shards each of these addresses should have.
pub fn shares(urls: &[String]) -> Vec<u64> {
    let owner = |shard: u64| urls.iter().max_by_key(|url| xxh3_64_with_seed(url.as_bytes(), shard));
    let share = |url| (0..256).filter(|shard| owner(*shard) == Some(url)).count() as u64;
    urls.iter().map(share).collect()
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

/// How many shards a server has, as far as it knows.
pub fn shards(server: &TestServer) -> u64 {
    metric(server, "quire_shards") as u64
}

/// Asks a server that a document be moved to another one.
pub fn move_to(server: &TestServer, doc: &str, node: &str) -> Answer {
    let path = format!("/v1/admin/docs/{doc}/move");
    call(&Rest::of(server), &admin_token("root"), "POST", &path, Some(&json!({ "node": node })))
}

/// The value of a metric of a server, all its labels together.
pub fn metric(server: &TestServer, name: &str) -> f64 {
    metric_at(&Rest::of(server), name)
}

/// The same, of a server that is reached in another way.
pub fn metric_at(server: &Rest, name: &str) -> f64 {
    let text = server.get("/metrics").expect(200).text();
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
