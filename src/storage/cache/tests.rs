//! Over a real Redis: what is found, and above all what is not taken for what it is not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Client, Cmd, Connection, FromRedisValue, cmd};

use super::*;
use crate::ids::{ClientId, UserId};
use crate::ot::Document;
use crate::redis::RedisOptions;
use crate::storage::projections::{self, ContentRow, Point};

/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cache of its own server's, and a second way to the same keys.
struct Fixture {
    cache: Cache,
    redis: Connection,
    doc: DocumentId,
    history: HistoryId,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Fixture {
    async fn new() -> Self {
        let url = std::env::var("QUIRE_TEST_REDIS")
            .expect("QUIRE_TEST_REDIS names a Redis: scripts/services/redis with cargo test");
        // A busy machine is not what is tested.
        let options = RedisOptions::new(&url).unwrap().waiting(PATIENCE);
        let redis = Redis::start(&options).unwrap();
        until(|| redis.is_up()).await;
        let doc = format!("cache-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self {
            cache: Cache::new(redis),
            redis: Client::open(url).unwrap().get_connection().unwrap(),
            doc: doc.parse().unwrap(),
            history: HistoryId::generate(),
        }
    }

    fn place(&self) -> Place<'_> {
        Place { doc: &self.doc, history: self.history }
    }

    fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> T {
        command.query(&mut self.redis).unwrap()
    }

    fn get(&mut self, what: &str) -> Vec<u8> {
        let key = key(&self.doc, what);
        self.run(cmd("GET").arg(key))
    }

    fn set(&mut self, what: &str, value: &[u8]) {
        let key = key(&self.doc, what);
        self.run::<()>(cmd("SET").arg(key).arg(value));
    }

    /// Keeps the content at a version and waits until Redis has it.
    async fn keep(&mut self, version: Version) {
        let before: Option<Vec<u8>> = Some(self.get("snapshot"));
        self.cache.keep_newest(self.place(), content(version)).await;
        let mut now = before.clone();
        wait(|| {
            now = Some(self.get("snapshot"));
            now != before
        })
        .await;
    }

    async fn commit(&mut self, versions: std::ops::RangeInclusive<Version>) {
        let last = *versions.end();
        self.cache.committed(self.place(), versions.map(op).collect());
        let key = key(&self.doc, "operations");
        wait(|| {
            let value: Option<Vec<u8>> = self.run(cmd("LINDEX").arg(&key).arg(-1));
            let ends = value.and_then(|value| operation::decode(&self.doc, &value)).map(|(_, op)| op.version);
            ends == Some(last)
        })
        .await;
    }

    async fn text(&self, version: Version, head: Version) -> Option<String> {
        let content = self.cache.content(self.place(), version, head).await?;
        assert_eq!((content.version, content.at), (version, at(version)));
        Some(content.content.leading_text(1_000_000))
    }

    async fn ops(&self, after: Version, upto: Version, head: Version) -> Option<Vec<Version>> {
        let range = Range { after, upto, limit: 1_000, max_bytes: 1 << 20 };
        let ops = self.cache.ops(self.place(), range, head).await?;
        for found in &ops {
            assert_eq!(*found, op(found.version));
        }
        Some(ops.iter().map(|op| op.version).collect())
    }
}

async fn until(is: impl Fn() -> bool) {
    wait(is).await;
}

async fn wait(mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "it has not come to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Version n is n letters, the newest first.
fn text(version: Version) -> String {
    (1..=version).rev().map(letter).collect()
}

fn letter(version: Version) -> char {
    char::from(b'a' + (version % 26) as u8)
}

fn at(version: Version) -> i64 {
    1_000 + version as i64
}

fn content(version: Version) -> Content {
    let json = format!(r#"[{{"insert":"{}"}}]"#, text(version));
    Content { version, at: at(version), content: Document::from_json(&json).unwrap() }
}

fn op(version: Version) -> LoggedOp {
    let client = ClientId(uuid::Uuid::from_u128(version.into()));
    let delta = format!(r#"[{{"insert":"{}"}}]"#, letter(version)).into();
    LoggedOp { version, client, seq: 2 * version, user: UserId("zoë".into()), at: at(version), delta }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_found_as_it_was_and_brought_up_to_date_by_the_operations_since() {
    let mut redis = Fixture::new().await;
    assert_eq!(redis.text(10, 10).await, None, "nothing is there yet");
    redis.keep(10).await;
    assert_eq!(redis.text(10, 10).await, Some(text(10)));
    assert_eq!(redis.text(12, 12).await, None, "it is not current any more");
    redis.commit(8..=12).await;
    assert_eq!(redis.text(12, 12).await, Some(text(12)));
    assert_eq!(redis.text(11, 12).await, Some(text(11)), "any version from there on");
    assert_eq!(redis.text(9, 12).await, None, "not one before it");
    // The head that the reader knows is behind what has been appended since.
    assert_eq!(redis.text(11, 11).await, Some(text(11)));
    let ttl: i64 = redis.run(cmd("TTL").arg(key(&redis.doc, "snapshot")));
    assert!((3_500..=3_600).contains(&ttl), "{ttl} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn older_versions_are_kept_each_for_itself_and_no_more_than_a_few() {
    let redis = Fixture::new().await;
    for version in 1..=9 {
        redis.cache.keep_past(redis.place(), content(version)).await;
    }
    let deadline = Instant::now() + PATIENCE;
    while redis.text(9, 500).await.is_none() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(redis.text(9, 500).await, Some(text(9)));
    assert_eq!(redis.text(8, 500).await, None, "it began anew after eight");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_history_or_another_document_is_not_used() {
    let mut redis = Fixture::new().await;
    redis.keep(10).await;
    redis.commit(9..=10).await;
    let value = redis.get("snapshot");
    let forked = Place { doc: &redis.doc, history: HistoryId::generate() };
    assert!(redis.cache.content(forked, 10, 10).await.is_none());
    let range = Range { after: 8, upto: 10, limit: 1_000, max_bytes: 1 << 20 };
    assert!(redis.cache.ops(forked, range, 10).await.is_none());

    let other = Fixture { history: redis.history, ..Fixture::new().await };
    let mut other = other;
    other.set("snapshot", &value);
    assert_eq!(other.text(10, 10).await, None, "the document is part of the checksum");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_not_used_whatever_it_is() {
    let mut redis = Fixture::new().await;
    redis.keep(10).await;
    let good = redis.get("snapshot");
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        redis.set("snapshot", &bad);
        assert_eq!(redis.text(10, 10).await, None, "byte {place} was changed");
    }
    for length in 0..good.len() {
        redis.set("snapshot", &good[..length]);
        assert_eq!(redis.text(10, 10).await, None, "{length} bytes");
    }
    redis.set("snapshot", &good);
    assert_eq!(redis.text(10, 10).await, Some(text(10)));
    // A value of another kind: Redis declines, and that is no reason to leave it alone.
    let key = key(&redis.doc, "snapshot");
    redis.run::<()>(cmd("DEL").arg(&key));
    redis.run::<()>(cmd("RPUSH").arg(&key).arg("x"));
    for _ in 0..20 {
        assert_eq!(redis.text(10, 10).await, None);
    }
    assert!(redis.cache.redis.is_up());

    redis.commit(1..=3).await;
    let list = super::key(&redis.doc, "operations");
    let element: Vec<u8> = redis.run(cmd("LINDEX").arg(&list).arg(1));
    for place in 0..element.len() {
        let mut bad = element.clone();
        bad[place] ^= 1;
        redis.run::<()>(cmd("LSET").arg(&list).arg(1).arg(bad));
        assert_eq!(redis.ops(0, 3, 3).await, None, "byte {place} was changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_a_gap_is_a_miss_and_begins_anew() {
    let mut redis = Fixture::new().await;
    redis.commit(1..=5).await;
    assert_eq!(redis.ops(0, 5, 5).await, Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(redis.ops(1, 3, 5).await, Some(vec![2, 3]));
    assert_eq!(redis.ops(3, 7, 7).await, None, "its end is not there");
    // 6 was lost on the way.
    redis.commit(7..=8).await;
    assert_eq!(redis.ops(5, 8, 8).await, None);
    assert_eq!(redis.ops(6, 8, 8).await, Some(vec![7, 8]));
    // Somebody has read it all from storage.
    redis.cache.keep_ops(redis.place(), (1..=8).map(op).collect());
    let deadline = Instant::now() + PATIENCE;
    while redis.ops(0, 8, 8).await.is_none() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    redis.commit(9..=9).await;
    assert_eq!(redis.ops(0, 9, 9).await.unwrap().len(), 9);
    // The same operation twice, as after a commit whose outcome was found out.
    redis.commit(9..=10).await;
    assert_eq!(redis.ops(8, 10, 10).await, Some(vec![9, 10]));
    assert_eq!(redis.ops(0, 10, 10).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thousand_are_kept_and_a_page_is_as_large_as_was_asked_for() {
    let mut redis = Fixture::new().await;
    redis.commit(1..=900).await;
    redis.commit(901..=1_100).await;
    let length: u64 = redis.run(cmd("LLEN").arg(key(&redis.doc, "operations")));
    assert_eq!(length, OPERATIONS);
    assert_eq!(redis.ops(100, 1_100, 1_100).await.unwrap().len(), 1_000);
    assert_eq!(redis.ops(99, 1_100, 1_100).await, None);
    let page = |limit, max_bytes| Range { after: 500, upto: 1_100, limit, max_bytes };
    let read = async |range| redis.cache.ops(redis.place(), range, 1_100).await.unwrap();
    let first = read(page(10, 1 << 20)).await;
    assert_eq!((first.len(), first[0].version, first[9].version), (10, 501, 510));
    let bytes = op(501).delta.len();
    assert_eq!(read(page(10, 3 * bytes)).await.len(), 3);
    assert_eq!(read(page(10, 0)).await.len(), 1, "one comes whatever its size");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_not_kept() {
    let mut redis = Fixture::new().await;
    let noise: String =
        (0..1_500_000_u64).map(|n| char::from(b' ' + (fastrand::u64(..) ^ n) as u8 % 90)).collect();
    let json = serde_json::to_string(&serde_json::json!([{ "insert": noise }])).unwrap();
    let large = Content { version: 1, at: 1, content: Document::from_json(&json).unwrap() };
    redis.cache.keep_newest(redis.place(), large).await;
    let mut ops: Vec<LoggedOp> = (1..=4).map(op).collect();
    ops[1].delta = format!(r#"[{{"insert":"{}"}}]"#, "x".repeat(operation::MOST_BYTES)).into();
    redis.cache.committed(redis.place(), ops);
    let deadline = Instant::now() + PATIENCE;
    while redis.ops(2, 4, 4).await.is_none() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(redis.ops(1, 4, 4).await, None);
    // It would have come before them.
    let there: bool = redis.run(cmd("EXISTS").arg(key(&redis.doc, "snapshot")));
    assert!(!there);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_gone() {
    let mut redis = Fixture::new().await;
    redis.keep(3).await;
    redis.commit(1..=3).await;
    redis.cache.forget(&redis.doc);
    let keys = ["snapshot", "operations", "past"].map(|what| key(&redis.doc, what));
    wait(|| redis.run::<u64>(cmd("EXISTS").arg(&keys[..])) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_of_a_worker_takes_the_place_of_what_is_older_and_of_another_history_alone() {
    let mut redis = Fixture::new().await;
    let doc = redis.doc.clone();
    let row = |history, version| ContentRow {
        doc: doc.clone(),
        point: Point { history, version },
        at: at(version),
        body: projections::pack(&doc, history, &content(version)).unwrap(),
        plain: String::new(),
    };
    let history = redis.history;
    redis.keep(9).await;
    let newest = redis.get("snapshot");
    for older in [row(history, 7), row(history, 9)] {
        redis.cache.keep_newer(older);
    }
    // What is offered is written in order.
    redis.commit(1..=1).await;
    assert_eq!(redis.get("snapshot"), newest, "a worker is behind");
    for (version, row) in [(10, row(history, 10)), (3, row(HistoryId::generate(), 3))] {
        let body = row.body.clone();
        redis.cache.keep_newer(row);
        wait(|| redis.get("snapshot") == body).await;
        assert_eq!(redis.text(version, version).await.is_some(), version == 10, "who asks knows the history");
    }
}
