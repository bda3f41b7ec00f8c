//! A topic as its readers see it, and what must hold of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use quire::ids::DocumentId;
use quire::storage::bus::decode;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::Value;

use crate::harness::{PATIENCE, TestServer};
use crate::rest::Rest;

/// How long to wait for the next record; it is there.
const NEXT_WITHIN: Duration = Duration::from_secs(10);

/// A record.
pub struct Published {
    pub partition: i32,
    pub offset: i64,
    pub doc: DocumentId,
    pub version: u64,
    pub pos: u64,
    /// As JSON, with the fields that REST shows of an operation.
    pub op: Value,
    pub headers: HashMap<String, String>,
}

/// Reads all that is in a topic, partition by partition.
pub fn read(brokers: &str, topic: &str) -> Vec<Published> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..256 {
        let (low, high) = ends(&consumer, topic, partition);
        if high > low {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
            left += high - low;
        }
    }
    consumer.assign(&assignment).expect("it reads");
    let mut read = Vec::new();
    while left > 0 {
        let message = consumer.poll(NEXT_WITHIN).expect("the next record comes").expect("it can be read");
        read.push(published(&message));
        left -= 1;
    }
    read
}

/// Where a partition begins and ends. A broker that has just begun, or has just made the topic, sends whoever asks away at first.
fn ends(consumer: &BaseConsumer, topic: &str, partition: i32) -> (i64, i64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match consumer.fetch_watermarks(topic, partition, PATIENCE) {
            Ok(ends) => return ends,
            Err(error) => assert!(Instant::now() < deadline, "partition {partition}: {error}"),
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn published(message: &impl Message) -> Published {
    let event = decode(message.payload().expect("a value")).expect("the format that is documented");
    assert_eq!(message.key(), Some(event.doc.as_str().as_bytes()), "the key is the document");
    assert_eq!(message.partition(), i32::from(event.doc.shard()), "the partition is the shard");
    let headers = message.headers().expect("headers").iter();
    let headers = headers.map(|header| {
        let value = String::from_utf8(header.value.expect("a value").to_vec()).expect("UTF-8");
        (header.key.to_owned(), value)
    });
    let op = serde_json::json!({
        "version": event.version,
        "client": event.client,
        "seq": event.seq,
        "delta": serde_json::from_str::<Value>(event.delta.get()).expect("a delta"),
    });
    Published {
        partition: message.partition(),
        offset: message.offset(),
        version: event.version,
        pos: event.pos,
        op,
        headers: headers.collect(),
        doc: event.doc,
    }
}

/// Every version of these documents is there, none before the one below it, as the log has it; twice is allowed, two different
/// ones are not. Returns how many records are doubles.
pub fn check(server: &TestServer, published: &[Published], docs: &[String]) -> usize {
    let rest = Rest::of(server);
    let mut doubles = published.len();
    for doc in docs {
        let log = rest.ops(doc);
        let mut versions = 0;
        for record in published.iter().filter(|record| record.doc.as_str() == doc) {
            assert!(
                record.version <= versions + 1,
                "{doc}: {} after {versions}: (offset, pos, version) {:?}",
                record.version,
                of_partition(published, record.partition)
            );
            versions = versions.max(record.version);
            let logged = &log[record.version as usize - 1];
            for field in ["version", "client", "seq", "delta"] {
                assert_eq!(record.op[field], logged[field], "{doc}: {field} of version {}", record.version);
            }
            assert_eq!(record.headers["doc"], *doc);
            assert_eq!(record.headers["version"], record.version.to_string());
            assert!(record.headers["epoch"].parse::<u64>().is_ok_and(|epoch| epoch > 0));
        }
        assert_eq!(versions, log.len() as u64, "{doc}: all of the log is in the topic");
        doubles -= log.len();
    }
    check_positions(published);
    doubles
}

/// For messages: what is in a partition.
fn of_partition(published: &[Published], partition: i32) -> Vec<(i64, u64, u64)> {
    let records = published.iter().filter(|record| record.partition == partition);
    records.map(|record| (record.offset, record.pos, record.version)).collect()
}

/// None before a lower one that was not there yet.
fn check_positions(published: &[Published]) {
    let mut ends: HashMap<i32, u64> = HashMap::new();
    for record in published {
        let end = ends.entry(record.partition).or_default();
        assert!(record.pos <= *end + 1, "partition {}: {} after {end}", record.partition, record.pos);
        *end = record.pos.max(*end);
    }
}

/// Reads a metric of a server.
pub fn metric(server: &TestServer, name: &str) -> f64 {
    let text = Rest::of(server).get("/metrics").expect(200).text();
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let value = line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("{name} is not in {text}"))
}

/// Waits until a metric is as it is wanted.
pub fn wait_for_metric(server: &TestServer, name: &str, wanted: impl Fn(f64) -> bool) -> f64 {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let value = metric(server, name);
        if wanted(value) {
            return value;
        }
        assert!(Instant::now() < deadline, "{name} stays at {value}\n{}", server.messages());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until everything is published, as long as that gets on.
pub fn wait_until_published(server: &TestServer) {
    let mut lag = f64::MAX;
    while lag > 0.0 {
        lag = wait_for_metric(server, "quire_publisher_lag_operations", |now| now < lag);
    }
}

/// Reads a topic once it has the last version of each of these documents. Nobody writes into them meanwhile.
pub fn read_complete(server: &TestServer, brokers: &str, topic: &str, docs: &[String]) -> Vec<Published> {
    let rest = Rest::of(server);
    let heads: HashMap<&str, u64> = docs.iter().map(|doc| (doc.as_str(), rest.content(doc).0)).collect();
    let deadline = Instant::now() + 2 * PATIENCE;
    wait_for_metric(server, "quire_publisher_connected", |connected| connected == 1.0);
    loop {
        wait_until_published(server);
        // The metric may be as old as the publisher's last look.
        let published = read(brokers, topic);
        let has = |(doc, head): (&&str, &u64)| {
            published.iter().any(|record| record.doc.as_str() == *doc && record.version == *head)
        };
        if heads.iter().all(has) {
            return published;
        }
        assert!(Instant::now() < deadline, "the topic lacks the end of a document: {}", server.messages());
    }
}
