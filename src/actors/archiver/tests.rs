//! What is archived when, and what is left when that fails, over storage in memory.

use super::*;
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, SHARDS, UserId, Version};
use crate::storage::{
    AppendEntry, Fork, LoggedOp, MemoryStore, NewDocument, Objects, Segments, SharedStore, SnapshotMeta,
};

const NODE: &str = "node-1";
const READER: &str = "reader";

/// Now; a version is made as many ms after 0 as its number.
const NOW: Millis = 10_000;

struct Scene {
    store: SharedStore,
    objects: Objects,
    archive: Archive,
    epochs: Box<[Epoch; SHARDS]>,
}

fn doc() -> DocumentId {
    "doc".parse().unwrap()
}

fn history(number: u128) -> HistoryId {
    HistoryId(uuid::Uuid::from_u128(number))
}

fn op(version: Version) -> LoggedOp {
    let client = ClientId(uuid::Uuid::from_u128(1));
    let delta = format!(r#"[{{"insert":"{version}"}}]"#).into();
    LoggedOp { version, client, seq: version, user: UserId::guest(client), at: version as Millis, delta }
}

impl Scene {
    /// A document with 100 versions. What is older than 1 s is to be archived from ten operations on, at most 25 together.
    async fn new(objects: Objects) -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let epochs = store.claim_all(NODE).await.unwrap();
        let archive = Archive {
            tiers: Tiers { warm: store.clone(), segments: Segments::over(objects.clone()) },
            policy: ArchivePolicy {
                window: Duration::from_secs(1),
                least_ops: 10,
                most_ops: 25,
                ..ArchivePolicy::default()
            },
            readers: Vec::new(),
            node: NODE.to_owned(),
            clock: Clock::from_fn(|| NOW),
            draining: Arc::default(),
        };
        let new = NewDocument {
            history: history(1),
            title: String::new(),
            owner: UserId("owner".into()),
            created_at: 0,
            preview: String::new(),
            link: Some(crate::protocol::Role::Editor),
        };
        let scene = Self { store, objects, archive, epochs };
        scene.append(1, 100, Some(new)).await;
        scene
    }

    async fn append(&self, first: Version, last: Version, create: Option<NewDocument>) {
        let entry = AppendEntry {
            doc: doc(),
            epoch: self.epochs[usize::from(doc().shard())],
            first_pos: first,
            create,
            ops: (first..=last).map(op).collect(),
            touch: false,
            preview: None,
        };
        self.store.append(&[entry]).await.unwrap();
    }

    async fn snapshot(&self, history: HistoryId, version: Version) {
        let meta = SnapshotMeta {
            doc: doc(),
            history,
            version,
            at: 0,
            checksum: 0,
            bytes: 2,
            inline: Some("[]".into()),
            preview: String::new(),
        };
        assert!(self.store.record_snapshots(&[meta]).await.unwrap().is_empty());
    }

    /// The first versions in the database's log and of each segment, and the last version of all.
    async fn places(&self) -> (Version, Vec<Version>, Version) {
        let state = self.store.log_states(None, 1).await.unwrap().pop().unwrap();
        let segments = self.store.segments(&doc(), 0, 100).await.unwrap();
        (state.first, segments.iter().map(|segment| segment.first).collect(), state.last)
    }

    /// What a reader of the log sees of it all.
    async fn is_whole(&self, last: Version) {
        let joined = self.archive.tiers.joined();
        let ops = joined.read_ops(&doc(), 0, Version::MAX, usize::MAX, usize::MAX).await.unwrap();
        assert_eq!(ops, (1..=last).map(op).collect::<Vec<_>>());
        for version in [1, 30, last] {
            let found = joined.find_op(&doc(), op(version).client, version).await.unwrap();
            assert_eq!(found, Some(version));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_old_and_in_a_snapshot_leaves_the_database_but_for_the_last() {
    let scene = Scene::new(Objects::in_memory()).await;
    scene.archive.round().await.unwrap();
    assert_eq!(scene.places().await, (1, vec![], 100), "without a snapshot");
    scene.snapshot(history(1), 64).await;
    scene.archive.round().await.unwrap();
    // The last 14 of those are too few for 25, and enough for a segment.
    assert_eq!(scene.places().await, (65, vec![1, 26, 51], 100));
    scene.is_whole(100).await;
    scene.snapshot(history(1), 100).await;
    scene.archive.round().await.unwrap();
    // Ten of them are enough, and the last one stays.
    assert_eq!(scene.places().await, (100, vec![1, 26, 51, 65, 90], 100));
    scene.is_whole(100).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_young_stays() {
    let mut scene = Scene::new(Objects::in_memory()).await;
    scene.snapshot(history(1), 100).await;
    scene.archive.clock = Clock::from_fn(|| 1_031);
    scene.archive.round().await.unwrap();
    // Made before 31 ms; the five that are left of that are too few.
    assert_eq!(scene.places().await, (26, vec![1], 100));
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_has_still_to_read_stays() {
    let mut scene = Scene::new(Objects::in_memory()).await;
    scene.snapshot(history(1), 100).await;
    scene.archive.readers = vec![READER.to_owned()];
    assert!(scene.archive.round().await.unwrap(), "it is to be tried again soon");
    assert_eq!(scene.places().await, (1, vec![], 100));
    scene.store.advance_watermarks(READER, &[(doc().shard(), 40)]).await.unwrap();
    scene.archive.round().await.unwrap();
    assert_eq!(scene.places().await, (41, vec![1, 26], 100));
    scene.is_whole(100).await;
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_is_not_read_back_as_it_was_written_takes_nothing_along() {
    let scene = Scene::new(Objects::garbling()).await;
    scene.snapshot(history(1), 100).await;
    let failures = METRICS.archive.failures.get();
    assert!(scene.archive.round().await.unwrap());
    assert!(METRICS.archive.failures.get() > failures);
    assert_eq!(scene.places().await, (1, vec![], 100));
    assert_eq!(scene.objects.count().await, 0, "it is removed");
    scene.is_whole(100).await;
}

/// As a crash leaves it that comes after the segment was recorded.
#[tokio::test(start_paused = true)]
async fn what_is_in_both_places_is_compared_and_removed() {
    let scene = Scene::new(Objects::in_memory()).await;
    let (tiers, epoch) = (&scene.archive.tiers, scene.epochs[usize::from(doc().shard())]);
    let ops: Arc<[LoggedOp]> = (1..=60).map(op).collect();
    let segment = tiers.segments.write(&doc(), history(1), ops).await.unwrap();
    tiers.warm.record_segment(epoch, &segment).await.unwrap();
    // And before all of it was removed.
    tiers.warm.remove_archived(&doc(), epoch, 60, 7).await.unwrap();
    assert_eq!(scene.places().await, (8, vec![1], 100));
    scene.is_whole(100).await;
    scene.archive.round().await.unwrap();
    assert_eq!(scene.places().await, (61, vec![1], 100));
    scene.is_whole(100).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_segment_has_otherwise_is_not_removed() {
    let scene = Scene::new(Objects::in_memory()).await;
    let (tiers, epoch) = (&scene.archive.tiers, scene.epochs[usize::from(doc().shard())]);
    let other = |version| LoggedOp { at: 1, ..op(version) };
    let ops: Arc<[LoggedOp]> = (1..=60).map(other).collect();
    let segment = tiers.segments.write(&doc(), history(1), ops).await.unwrap();
    tiers.warm.record_segment(epoch, &segment).await.unwrap();
    assert!(scene.archive.round().await.unwrap());
    assert_eq!(scene.places().await, (1, vec![1], 100));
}

#[tokio::test(start_paused = true)]
async fn a_segment_has_one_history() {
    let scene = Scene::new(Objects::in_memory()).await;
    for (number, version) in [(2, 100), (3, 113)] {
        let fork = Fork { history: history(number), parent: history(number - 1), version, at: 0 };
        scene.store.fork_document(&doc(), &fork).await.unwrap();
        scene.append(version + 1, version + 13, None).await;
    }
    scene.snapshot(history(3), 126).await;
    scene.archive.round().await.unwrap();
    let segments = scene.store.segments(&doc(), 0, 100).await.unwrap();
    let made_under = |segment: &crate::storage::SegmentMeta| (segment.last, segment.history);
    let expected = [(25, 1), (50, 1), (75, 1), (100, 1), (113, 2), (125, 3)];
    let expected = expected.map(|(last, number)| (last, history(number)));
    assert_eq!(segments.iter().map(made_under).collect::<Vec<_>>(), expected);
    scene.is_whole(126).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_not_the_owner_archives_nothing_and_leaves_no_object() {
    let scene = Scene::new(Objects::in_memory()).await;
    scene.snapshot(history(1), 100).await;
    let state = scene.store.log_states(None, 1).await.unwrap().pop().unwrap();
    let bounds = scene.archive.bounds().await.unwrap();
    scene.store.claim_all("node-2").await.unwrap();
    let epoch = scene.epochs[usize::from(doc().shard())];
    let archived = scene.archive.document(&state, epoch, &bounds).await;
    assert!(matches!(archived, Err(StoreError::Fenced { .. })), "{archived:?}");
    assert_eq!(scene.objects.count().await, 0);
    scene.archive.round().await.unwrap();
    assert_eq!(scene.places().await, (1, vec![], 100));
}
