//! The publisher over a bus in memory: what it sends, in which order, and what it does when that fails. Kafka itself is in
//! `tests/stream`.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{Committed, Drain, PublisherActor, READER, Window, WindowLimits};
use crate::actors::clock::Clock;
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, SHARDS, Shard, UserId, Version};
use crate::storage::bus::{InProcessBus, Record};
use crate::storage::{AppendEntry, LoggedOp, MemoryStore, NewDocument, ShardOp, SharedStore};

const NODE: &str = "node-1";

/// Nothing here takes long; what does is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

fn op(version: Version) -> LoggedOp {
    let client = ClientId(uuid::Uuid::from_u128(1));
    LoggedOp {
        version,
        client,
        seq: version,
        user: UserId::guest(client),
        at: 1_764_000_000_000,
        delta: br#"[{"insert":"x"}]"#.as_slice().into(),
    }
}

fn history() -> HistoryId {
    HistoryId(uuid::Uuid::from_u128(7))
}

/// An operation that was committed at this place, its version being the position.
pub(super) fn committed(shard: Shard, pos: u64) -> Committed {
    let doc = document_of(shard);
    Committed { shard, epoch: 1, placed: ShardOp { pos, doc, history: history(), op: op(pos) } }
}

/// A document of a shard.
fn document_of(shard: Shard) -> DocumentId {
    (0..).map(|n| format!("doc-{n}").parse::<DocumentId>().unwrap()).find(|doc| doc.shard() == shard).unwrap()
}

/// A log with its owner, who hands on what is committed, and a publisher.
struct Scene {
    store: SharedStore,
    bus: InProcessBus,
    window: Arc<Window>,
    epochs: Box<[Epoch; SHARDS]>,
    ends: [u64; SHARDS],
    publisher: Option<Addr<PublisherActor>>,
}

impl Scene {
    async fn new(limits: WindowLimits) -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let epochs = store.claim_all(NODE).await.unwrap();
        let window = Arc::new(Window::new(limits));
        Self { store, bus: InProcessBus::new(), window, epochs, ends: [0; SHARDS], publisher: None }
    }

    fn start(&mut self) {
        let (store, bus) = (self.store.clone(), Arc::new(self.bus.clone()));
        let publisher =
            PublisherActor::new(store, bus, self.window.clone(), NODE.into(), Clock::system()).start();
        self.publisher = Some(publisher);
    }

    /// Commits operations of a shard's document, and hands them on or not.
    async fn commit(&mut self, shard: Shard, count: u64, hand_on: bool) {
        let doc = document_of(shard);
        let end = &mut self.ends[usize::from(shard)];
        let new = NewDocument {
            history: history(),
            title: String::new(),
            owner: UserId("owner".into()),
            created_at: 0,
            preview: String::new(),
            link: Some(crate::protocol::Role::Editor),
        };
        let entry = AppendEntry {
            doc,
            epoch: self.epochs[usize::from(shard)],
            first_pos: *end + 1,
            create: (*end == 0).then_some(new),
            ops: (*end + 1..=*end + count).map(op).collect(),
            touch: false,
            preview: None,
        };
        self.store.append(&[entry]).await.unwrap();
        let handed = (*end + 1..=*end + count).filter(|_| hand_on).map(|pos| committed(shard, pos));
        let handed: Vec<_> = handed.collect();
        *end += count;
        self.window.hand_on(handed, &self.ends);
    }

    async fn drain(&self) -> u64 {
        let publisher = self.publisher.as_ref().expect("it was started");
        tokio::time::timeout(PATIENCE, publisher.send(Drain)).await.expect("it drains").unwrap()
    }

    async fn published_upto(&self, shard: Shard) -> u64 {
        self.store.watermarks(READER).await.unwrap()[usize::from(shard)]
    }

    /// Of every shard each position is there, and none before the one below it.
    fn assert_complete(&self) {
        let stream = self.bus.stream();
        for (shard, end) in (0..=Shard::MAX).zip(self.ends) {
            assert_eq!(first_occurrences(&stream, shard), (1..=end).collect::<Vec<_>>(), "of shard {shard}");
        }
    }
}

fn first_occurrences(stream: &[Record], shard: Shard) -> Vec<u64> {
    let mut seen = Vec::new();
    for record in stream.iter().filter(|record| record.shard == shard) {
        if !seen.contains(&record.pos) {
            seen.push(record.pos);
        }
    }
    seen
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

#[actix_rt::test]
async fn what_is_handed_on_is_published_once_and_in_order() {
    let mut scene = Scene::new(WindowLimits::default()).await;
    scene.start();
    for round in 0..20 {
        scene.commit(if round % 2 == 0 { 3 } else { 200 }, 5, true).await;
    }
    assert_eq!(scene.drain().await, 0);
    scene.assert_complete();
    assert_eq!(scene.bus.stream().len(), 100, "nothing twice");
    assert_eq!((scene.published_upto(3).await, scene.published_upto(200).await), (50, 50));
    let record = &scene.bus.stream()[0];
    assert_eq!((&record.key, record.shard), (&document_of(3), 3));
}

#[actix_rt::test]
async fn what_the_journal_did_not_hand_on_is_read_from_the_log() {
    let mut scene = Scene::new(WindowLimits::default()).await;
    scene.commit(3, 4_000, false).await;
    scene.start();
    scene.commit(3, 2, false).await;
    scene.commit(3, 3, true).await;
    scene.commit(9, 1, false).await;
    assert_eq!(scene.drain().await, 0);
    scene.assert_complete();
    assert_eq!(scene.bus.stream().len(), 4_006);
}

#[actix_rt::test]
async fn an_outage_costs_no_more_than_the_window_and_is_made_up_for() {
    let mut scene = Scene::new(WindowLimits { ops: 10, bytes: 1 << 20 }).await;
    scene.bus.set_down(true);
    scene.start();
    for round in 0..100 {
        scene.commit(round % 4, 5, true).await;
    }
    assert!(scene.window.take(0, 0).ops.is_empty());
    assert_eq!(scene.drain().await, 500, "nobody waits for a bus that is away");
    assert_eq!(scene.published_upto(1).await, 0);
    scene.bus.set_down(false);
    until("it connects by itself", async || scene.bus.stream().len() >= 500).await;
    assert_eq!(scene.drain().await, 0);
    scene.assert_complete();
    assert_eq!(scene.bus.stream().len(), 500);
}

#[actix_rt::test]
async fn watermarks_wait_for_the_report_and_a_new_publisher_begins_there() {
    let mut scene = Scene::new(WindowLimits::default()).await;
    scene.start();
    scene.commit(3, 5, true).await;
    assert_eq!(scene.drain().await, 0);
    // The bus takes records and says nothing of them, as when its answers are lost.
    scene.bus.set_down(true);
    scene.commit(3, 5, true).await;
    until("they are under way", async || scene.bus.waiting() == 5).await;
    assert_eq!(scene.published_upto(3).await, 5);

    scene.publisher = None;
    scene.bus.set_down(false);
    scene.window = Arc::new(Window::new(WindowLimits::default()));
    scene.window.hand_on([], &scene.ends);
    scene.start();
    assert_eq!(scene.drain().await, 0);
    scene.assert_complete();
    assert_eq!(scene.published_upto(3).await, 10);
}

#[actix_rt::test]
async fn after_a_failure_nothing_gets_ahead_of_what_has_failed() {
    let mut scene = Scene::new(WindowLimits::default()).await;
    scene.start();
    for round in 0..30 {
        if round % 10 == 5 {
            scene.bus.fail_next();
        }
        scene.commit(3, 3, true).await;
        scene.commit(4, 3, true).await;
    }
    until("all is published", async || scene.drain().await == 0).await;
    scene.assert_complete();
    assert!(scene.bus.producers() >= 2, "a producer that has failed is not used again");
}

#[actix_rt::test]
async fn a_purge_of_what_is_not_published_holds_nobody_up() {
    let mut scene = Scene::new(WindowLimits::default()).await;
    scene.bus.set_down(true);
    scene.commit(3, 5, false).await;
    scene.commit(4, 5, false).await;
    scene.store.purge_document(&document_of(3), 0).await.unwrap();
    scene.start();
    scene.bus.set_down(false);
    until("all is published", async || scene.drain().await == 0 && scene.published_upto(3).await == 5).await;
    let stream = scene.bus.stream();
    assert_eq!((first_occurrences(&stream, 3), first_occurrences(&stream, 4).len()), (Vec::new(), 5));
}

#[actix_rt::test]
async fn only_the_owner_reads_the_log_for_the_stream() {
    let mut scene = Scene::new(WindowLimits::default()).await;
    scene.commit(3, 5, false).await;
    scene.store.claim_all("node-2").await.unwrap();
    scene.start();
    until("it has seen that", async || scene.drain().await == 0 && scene.bus.producers() == 1).await;
    assert!(scene.bus.stream().is_empty());
    assert_eq!(scene.published_upto(3).await, 0);
}
