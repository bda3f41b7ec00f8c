//! A Redis of a test's own, since it is going to be broken, and what the tests ask of the server beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Client, Cmd, FromRedisValue, cmd};
use serde_json::json;

use crate::harness::{Launch, PATIENCE, TestServer};
use crate::rest::Rest;
use crate::services::Service;

/// See the module's documentation. It ends with the test.
pub struct Redis {
    pub service: Service,
}

impl Redis {
    pub fn start() -> Self {
        Self { service: Service::start("redis") }
    }

    pub fn url(&self) -> &str {
        &self.service.address
    }

    /// Runs a command over a connection of its own.
    pub fn run<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let mut connection =
            Client::open(self.url()).expect("an address").get_connection().expect("Redis runs");
        command.query(&mut connection).unwrap_or_else(|error| panic!("Redis declines: {error}"))
    }

    /// Has it take no writes any more, as when its memory is full.
    pub fn fill(&self) {
        self.run::<()>(cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg("noeviction"));
        self.run::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(1));
    }
}

/// A server beside this Redis, whose documents leave memory soon. It waits for answers as long as it takes, so that a busy
/// machine is not taken for a Redis that hangs.
pub fn launch(redis: &Redis) -> Launch {
    configure(Launch::new(), redis).with("QUIRE_REDIS_TIMEOUT_MS", "10000")
}

/// The same, and as impatient as servers are.
pub fn launch_impatient(redis: &Redis) -> Launch {
    configure(Launch::new(), redis)
}

pub fn configure(launch: Launch, redis: &Redis) -> Launch {
    launch.with("QUIRE_REDIS_URL", redis.url()).with("QUIRE_PASSIVATE_AFTER", "1")
}

/// The value of a metric, with its labels if it has any.
pub fn metric(rest: &Rest, name: &str) -> u64 {
    let text = rest.get("/metrics").expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the server speaks to Redis.
#[track_caller]
pub fn until_up(rest: &Rest) {
    until("Redis is spoken to", || metric(rest, "quire_redis_breaker_state") == 0);
}

/// Waits until no document is in memory.
#[track_caller]
pub fn until_passive(rest: &Rest) {
    until("documents leave memory", || metric(rest, "quire_documents") == 0);
}

pub fn letter(version: u64) -> String {
    char::from(b'a' + (version % 26) as u8).to_string()
}

/// The text of a version: a letter for each, the newest first.
pub fn text(version: u64) -> String {
    (1..=version).rev().map(letter).collect()
}

/// Reads a document at its head and before it, and its log, and compares all of it with what was written.
pub fn read_all(rest: &Rest, doc: &str, head: u64) {
    assert_eq!(rest.text(doc), text(head));
    for version in [head, head - 1, head - 3, head / 2] {
        let path = format!("/v1/docs/{doc}/content?version={version}&format=text");
        assert_eq!(rest.get(&path).expect(200).text(), text(version), "version {version} of {head}");
    }
    for from in [0, head / 2, head - 2] {
        read_ops(rest, doc, from, head);
    }
}

fn read_ops(rest: &Rest, doc: &str, from: u64, least: u64) {
    let page = rest.get(&format!("/v1/docs/{doc}/ops?from={from}")).expect(200).json();
    let ops = page["ops"].as_array().expect("a list");
    for (op, version) in ops.iter().zip(from + 1..) {
        assert_eq!(
            (&op["version"], &op["delta"]),
            (&json!(version), &json!([{ "insert": letter(version) }]))
        );
    }
    assert!(from + ops.len() as u64 >= least, "{} operations from {from} on", ops.len());
}

/// Threads that read a document all the time, and fail when it is not what was written, or behind what was acknowledged.
pub struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    acknowledged: AtomicU64,
    reads: AtomicU64,
    over: AtomicBool,
}

impl Readers {
    pub fn start(server: &TestServer, doc: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = |_| {
            let (shared, rest, doc) = (shared.clone(), Rest::of(server), doc.to_owned());
            thread::spawn(move || {
                while !shared.over.load(Ordering::Relaxed) {
                    shared.read(&rest, &doc);
                    // The document shall be out of memory now and then: reading what Redis does not have brings it back.
                    thread::sleep(Duration::from_millis(30));
                }
            })
        };
        Self { threads: (0..2).map(thread).collect(), shared: shared.clone() }
    }

    /// What is read from now on is at this version at least.
    pub fn acknowledged(&self, version: u64) {
        self.shared.acknowledged.store(version, Ordering::SeqCst);
    }

    /// Waits for so many reads.
    pub fn wait_for(&self, reads: u64) {
        let before = self.shared.reads.load(Ordering::SeqCst);
        until("others read", || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a reader has failed");
            self.shared.reads.load(Ordering::SeqCst) >= before + reads
        });
    }

    /// Ends them, and tells how often they have read.
    pub fn finish(self) -> u64 {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a reader");
        }
        self.shared.reads.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn read(&self, rest: &Rest, doc: &str) {
        let least = self.acknowledged.load(Ordering::SeqCst);
        // Every other one reads what is in memory only while somebody edits.
        if self.reads.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            return read_ops(rest, doc, least.saturating_sub(7), least);
        }
        if least > 4 {
            let version = least - 3;
            let path = format!("/v1/docs/{doc}/content?version={version}&format=text");
            assert_eq!(rest.get(&path).expect(200).text(), text(version));
        }
    }
}
