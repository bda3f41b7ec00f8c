//! `quire worker` over a real broker and a real database: whatever ends and begins anew, rows are what the log says, and every
//! operation is counted once.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Client, cmd};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::json;
use tempfile::TempDir;

use crate::broker::{self, Broker};
use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::ledger;
use crate::load::Load;
use crate::postgres::Postgres;
use crate::rest::Rest;
use crate::scene::{Scene, documents, edit};
use crate::topic::{metric, wait_for_metric};

const WRITERS: usize = 20;

/// A running worker, killed when this is dropped.
struct Worker {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Worker {
    fn start(postgres: &Postgres, scene: &Scene) -> Self {
        Self::start_with(postgres, scene, &[])
    }

    fn start_with(postgres: &Postgres, scene: &Scene, variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = File::create(folder.path().join("log")).expect("it can be written");
        let mut child = quire(postgres)
            .args(["worker", "--worker-listen", "127.0.0.1:0", "--kafka-brokers", &scene.brokers])
            .args(["--kafka-topic", &scene.topic, "--worker-group", &scene.topic])
            .env("QUIRE_LOG", "info")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary can be started");
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line);
        let messages = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(said.is_ok_and(|bytes| bytes > 0), "it has not begun: {}", messages());
        let address = line.trim().strip_prefix("listening on http://").expect("its address").to_owned();
        Self { child, address, folder }
    }

    fn metric(&self, name: &str) -> f64 {
        let text = Rest::at(&self.address).get("/metrics").expect(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {text}"))
    }

    fn wait_for(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let value = self.metric(name);
            if wanted(value) {
                return;
            }
            assert!(Instant::now() < deadline, "{name} stays at {value}: {}", self.messages());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn messages(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it in order.
    fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: the child has not been waited for, so the pid is still its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        let status = self.child.wait().expect("the child is ours");
        assert!(status.success(), "{status}: {}", self.messages());
    }
}

impl Drop for Worker {
    /// As a crash would.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the worker at {} said:\n{}", self.address, self.messages());
        }
    }
}

fn quire(postgres: &Postgres) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quire"));
    let set = std::env::vars_os().map(|(name, _)| name);
    for variable in set.filter(|name| name.to_string_lossy().starts_with("QUIRE_")) {
        command.env_remove(variable);
    }
    command.env("QUIRE_DATABASE_URL", postgres.url());
    command
}

/// What `quire verify --projections` says, which must have no complaint. It may run beside servers and workers.
fn verify(postgres: &Postgres) -> String {
    let done = quire(postgres).args(["verify", "--projections"]).output().expect("the binary can be started");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

/// Waits until the rows of all documents are those of the ends of their logs, and sound on the way there.
fn verify_until_complete(postgres: &Postgres) {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let said = verify(postgres);
        if said.contains(" 0 behind") {
            return;
        }
        assert!(Instant::now() < deadline, "projections do not come to the end: {said}");
    }
}

fn launch(postgres: &Postgres, scene: &Scene, data: DataFolder) -> Launch {
    scene.launch(data).with("QUIRE_DATABASE_URL", postgres.url())
}

#[test]
fn workers_servers_and_databases_that_crash_leave_rows_that_are_the_log() {
    let (postgres, broker) = (Postgres::start(), Broker::start());
    let scene = Scene::at(&broker.address);
    let mut server = launch(&postgres, &scene, DataFolder::new()).start();
    let docs = documents(&server, 6);
    let load = Load::start(&server, &docs, WRITERS);
    wait_for_metric(&server, "quire_published_total", |published| published >= 50.0);
    assert_eq!(metric(&server, "quire_projected_operations_total"), 0.0, "that is the worker's");
    let mut worker = Worker::start(&postgres, &scene);
    for round in 0..5 {
        worker.wait_for("quire_projected_operations_total", |projected| projected >= 50.0);
        load.wait_for(30 + 50 * round);
        match round {
            // Alone; with the server, which then publishes again what it has no report of; with the broker; with the database.
            1 => {
                let data = server.kill();
                drop(worker);
                server = launch(&postgres, &scene, data).start();
                load.move_to(&server);
            }
            2 => {
                broker.kill();
                load.wait_for(200);
                drop(worker);
                broker.resume();
            }
            3 => {
                postgres.kill();
                load.wait_for_refusals(WRITERS);
                postgres.resume();
                load.wait_for(WRITERS);
                drop(worker);
            }
            _ => drop(worker),
        }
        worker = Worker::start(&postgres, &scene);
    }
    // The database alone: the worker stays.
    postgres.kill();
    load.wait_for_refusals(WRITERS);
    postgres.resume();
    load.wait_for(100);
    let writers = load.finish();
    scene.check(&server, &docs, Vec::new());
    verify_until_complete(&postgres);
    ledger::check(&server, writers);
    worker.wait_for("quire_projections_lag_operations", |lag| lag == 0.0);
    worker.stop();
}

#[test]
fn two_workers_share_the_partitions_and_take_over_from_each_other() {
    let postgres = Postgres::start();
    let scene = Scene::at(&broker::shared());
    let server = launch(&postgres, &scene, DataFolder::new()).start();
    let docs = documents(&server, 12);
    let load = Load::start(&server, &docs, WRITERS);
    let mut first = Worker::start(&postgres, &scene);
    first.wait_for("quire_worker_partitions", |partitions| partitions == 256.0);
    for round in 0..3 {
        first.wait_for("quire_projected_operations_total", |projected| projected >= 50.0);
        let second = Worker::start(&postgres, &scene);
        second.wait_for("quire_worker_partitions", |partitions| partitions == 128.0);
        first.wait_for("quire_worker_partitions", |partitions| partitions == 128.0);
        load.wait_for(200);
        // In order, or not.
        if round % 2 == 0 {
            first.stop();
        } else {
            drop(first);
        }
        second.wait_for("quire_worker_partitions", |partitions| partitions == 256.0);
        first = second;
    }
    load.wait_for(100);
    let writers = load.finish();
    scene.check(&server, &docs, writers);
    verify_until_complete(&postgres);
}

#[test]
fn what_is_in_the_topic_twice_is_in_the_rows_once() {
    let postgres = Postgres::start();
    let scene = Scene::at(&broker::shared());
    let server = launch(&postgres, &scene, DataFolder::new()).start();
    let docs = documents(&server, 3);
    let load = Load::start(&server, &docs, 6);
    load.wait_for(200);
    let writers = load.finish();
    scene.check(&server, &docs, writers);
    publish_again(&scene);
    // Both copies are new to this one.
    let worker = Worker::start(&postgres, &scene);
    verify_until_complete(&postgres);
    // And another copy is behind what it has stored, with something new after it.
    publish_again(&scene);
    docs.iter().for_each(|doc| edit(&server, doc));
    verify_until_complete(&postgres);
    let all: u64 = docs.iter().map(|doc| Rest::of(&server).content(doc).0).sum();
    assert_eq!(worker.metric("quire_projected_operations_total"), all as f64);
    assert_eq!(worker.metric("quire_projection_failures_total"), 0.0);
    worker.stop();
}

/// Nobody publishes: as after the topic has forgotten, or lost, what it had.
#[test]
fn what_the_topic_does_not_bring_is_read_from_the_log() {
    let postgres = Postgres::start();
    let scene = Scene::at(&broker::shared());
    let server =
        Launch::new().with("QUIRE_DATABASE_URL", postgres.url()).with("QUIRE_PROJECTIONS", "off").start();
    let docs = documents(&server, 3);
    docs.iter().for_each(|doc| edit(&server, doc));
    assert!(verify(&postgres).contains(" 6 behind"));
    let worker = Worker::start(&postgres, &scene);
    verify_until_complete(&postgres);
    docs.iter().for_each(|doc| edit(&server, doc));
    verify_until_complete(&postgres);
    worker.stop();
}

#[test]
fn the_current_content_is_in_redis_and_never_older_than_what_was_there() {
    let redis = std::env::var("QUIRE_TEST_REDIS")
        .expect("QUIRE_TEST_REDIS names a Redis: run `scripts/services/redis with …`");
    let postgres = Postgres::start();
    let scene = Scene::at(&broker::shared());
    let server = launch(&postgres, &scene, DataFolder::new()).start();
    let docs = documents(&server, 2);
    let worker = Worker::start_with(&postgres, &scene, &[("QUIRE_REDIS_URL", &redis)]);
    for _ in 0..3 {
        docs.iter().for_each(|doc| edit(&server, doc));
        let heads: Vec<_> = docs.iter().map(|doc| Rest::of(&server).content(doc).0).collect();
        let deadline = Instant::now() + PATIENCE;
        while docs.iter().zip(&heads).any(|(doc, head)| version_in(&redis, doc) != *head) {
            assert!(Instant::now() < deadline, "it is not in Redis: {}", worker.messages());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
    worker.stop();
}

/// The version of the content that Redis has of a document; 0 without one.
fn version_in(redis: &str, doc: &str) -> u64 {
    let mut connection = Client::open(redis).expect("an address").get_connection().expect("Redis runs");
    let value: Option<Vec<u8>> =
        cmd("GET").arg(format!("doc:{doc}:snapshot")).query(&mut connection).expect("it answers");
    let Some(value) = value else { return 0 };
    assert!(value.starts_with(b"QRED\x01"));
    u64::from_be_bytes(value[29..37].try_into().expect("eight bytes"))
}

/// Sends everything in the topic once more, each partition's in order.
fn publish_again(scene: &Scene) {
    let client = |name: &str, value: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &scene.brokers).set(name, value).set("enable.auto.commit", "false");
        config
    };
    let consumer: BaseConsumer = client("group.id", "nobody").create().expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..256 {
        let (low, high) = consumer.fetch_watermarks(&scene.topic, partition, PATIENCE).expect("its ends");
        if high > low {
            assignment.add_partition_offset(&scene.topic, partition, Offset::Beginning).expect("a partition");
            left += high - low;
        }
    }
    consumer.assign(&assignment).expect("it reads");
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &scene.brokers).create().expect("a producer");
    for _ in 0..left {
        let message = consumer.poll(PATIENCE).expect("the next record comes").expect("it can be read");
        let again = BaseRecord::to(&scene.topic)
            .partition(message.partition())
            .key(message.key().expect("a key"))
            .payload(message.payload().expect("a value"));
        producer.send(again).map_err(|(error, _)| error).expect("there is room");
    }
    producer.flush(PATIENCE).expect("it is taken");
}

/// Servers that make projections by themselves leave the same rows as a worker.
#[test]
fn a_server_without_a_stream_projects_by_itself() {
    let postgres = Postgres::start();
    let server = Launch::new().with("QUIRE_DATABASE_URL", postgres.url()).start();
    let docs = documents(&server, 6);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(300);
    let data = server.kill();
    let server: TestServer = Launch::on(data).with("QUIRE_DATABASE_URL", postgres.url()).start();
    load.move_to(&server);
    load.wait_for(300);
    let writers = load.finish();
    ledger::check(&server, writers);
    verify_until_complete(&postgres);
    let rest = Rest::of(&server);
    rest.delete(&format!("/v1/docs/{}", docs[0])).expect(204);
    rest.create(&json!([{ "insert": "more" }]));
    verify_until_complete(&postgres);
}
