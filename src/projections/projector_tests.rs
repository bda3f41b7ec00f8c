//! A projector over SQLite: whatever comes twice, late or not at all, rows are what the log says.

use tempfile::TempDir;

use super::*;
use crate::ids::{ClientId, Epoch, HistoryId, SHARDS, UserId};
use crate::ot::Document;
use crate::projections::{rebuild, verify};
use crate::storage::cache::Content;
use crate::storage::projections::{Activity, READER, pack};
use crate::storage::{AppendEntry, Fork, NewDocument, Opened, SqliteOptions};

const MANY: Limits = Limits { docs: 1_000, bytes: 1 << 30 };

/// Two documents of one shard.
const DOCS: [&str; 2] = ["a", "doc-579"];

struct Scene {
    opened: Opened,
    epochs: Box<[Epoch; SHARDS]>,
    positions: HashMap<Shard, u64>,
    heads: HashMap<String, Version>,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
        let epochs = opened.store.claim_all("node").await.unwrap();
        Self { opened, epochs, positions: HashMap::new(), heads: HashMap::new(), _folder: folder }
    }

    /// Appends operations, of which each inserts its version at the beginning.
    async fn write(&mut self, doc: &str, count: u64) {
        let id: DocumentId = doc.parse().unwrap();
        let head = self.heads.get(doc).copied();
        let begin = head.unwrap_or(0);
        let new = || NewDocument {
            history: HistoryId::generate(),
            title: String::new(),
            owner: UserId("owner".into()),
            created_at: 0,
            preview: String::new(),
            link: Some(crate::protocol::Role::Editor),
        };
        let ops = (begin + 1..=begin + count).map(|version| LoggedOp {
            version,
            client: ClientId(uuid::Uuid::from_u128(1)),
            seq: version,
            user: UserId(if version % 2 == 0 { "ann" } else { "bob" }.into()),
            at: 1_000_000 * version as i64,
            delta: format!(r#"[{{"insert":"{version} "}}]"#).into(),
        });
        let pos = self.positions.entry(id.shard()).or_default();
        let entry = AppendEntry {
            epoch: self.epochs[usize::from(id.shard())],
            first_pos: *pos + 1,
            create: head.is_none().then(new),
            ops: ops.collect(),
            touch: false,
            preview: None,
            doc: id,
        };
        self.opened.store.append(&[entry]).await.unwrap();
        *pos += count;
        self.heads.insert(doc.to_owned(), begin + count);
    }

    fn projector(&self, limits: Limits) -> Projector {
        Projector { store: self.opened.store.clone(), rows: self.opened.projections.clone(), limits }
    }

    async fn mark(&self, shard: Shard) -> u64 {
        self.opened.store.watermarks(READER).await.unwrap()[usize::from(shard)]
    }

    /// All that is in a shard's log after its watermark.
    async fn part(&self, shard: Shard) -> Part {
        let from = self.mark(shard).await;
        let page = self.opened.store.read_shard(shard, from, usize::MAX, usize::MAX).await.unwrap();
        Part { shard, from, upto: page.upto, ops: page.ops }
    }

    /// Projects all there is.
    async fn project(&self, limits: Limits) -> usize {
        let mut transactions = 0;
        loop {
            let part = self.part(shard()).await;
            if part.from == part.upto {
                return transactions;
            }
            let outcome = self.projector(limits).project(vec![part]).await.unwrap();
            assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
            transactions += 1;
        }
    }

    async fn text(&self, doc: &str) -> String {
        let rows = self.opened.projections.contents(&[doc.parse().unwrap()]).await.unwrap();
        rows.first().map_or(String::new(), |row| row.plain.clone())
    }

    /// Rows are what the log leads to, and `behind` versions behind it.
    async fn check(&self, behind: u64) {
        let mut sum = 0;
        for doc in self.heads.keys() {
            let (store, rows) = (&*self.opened.store, &self.opened.projections);
            let verified = verify(store, rows, &doc.parse().unwrap()).await.unwrap();
            assert_eq!(verified.complaints, [""; 0]);
            sum += verified.behind;
        }
        assert_eq!(sum, behind);
    }
}

fn shard() -> Shard {
    DOCS[0].parse::<DocumentId>().unwrap().shard()
}

fn versions(upto: Version) -> String {
    (1..=upto).rev().map(|version| version.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_documents_of_these_tests_are_neighbours() {
    let shards = DOCS.map(|doc| doc.parse::<DocumentId>().unwrap().shard());
    assert_eq!(shards[0], shards[1]);
}

#[tokio::test]
async fn rows_come_forward_with_the_log() {
    let mut scene = Scene::new().await;
    for count in [3, 1, 7] {
        for doc in DOCS {
            scene.write(doc, count).await;
        }
        scene.check(2 * count).await;
        assert_eq!(scene.project(MANY).await, 1);
        scene.check(0).await;
    }
    assert_eq!(scene.text(DOCS[0]).await, versions(11));
    let (_, activity) =
        scene.opened.projections.projection(&DOCS[0].parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(activity.iter().map(|one| one.ops).sum::<u64>(), 11);
    let first = Activity { hour: 0, user: UserId("ann".into()), ops: 1, bytes: 17 };
    assert_eq!(activity[0], first);
}

#[tokio::test]
async fn what_comes_twice_or_in_other_parts_gives_the_same_rows() {
    let mut scene = Scene::new().await;
    for _ in 0..4 {
        for doc in DOCS {
            scene.write(doc, 3).await;
        }
    }
    let all = scene.part(shard()).await;
    let projector = scene.projector(MANY);
    // As if a transaction had been committed whose answer was lost: the rows are ahead of the watermark that is believed.
    let half = Part { upto: 12, ops: all.ops.clone(), ..all.clone() };
    projector.project(vec![half]).await.unwrap();
    scene.check(0).await;
    let again = projector.project(vec![all.clone()]).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    let rest = Part { from: 12, ops: all.ops.clone(), ..all };
    let outcome = projector.project(vec![rest]).await.unwrap();
    assert_eq!((outcome.changes, outcome.written), (Vec::new(), Vec::new()));
    assert_eq!(scene.mark(shard()).await, 24);
    scene.check(0).await;
}

#[tokio::test]
async fn a_transaction_takes_no_more_than_its_limits_and_comes_forward() {
    let mut scene = Scene::new().await;
    for _ in 0..3 {
        for doc in DOCS {
            scene.write(doc, 2).await;
        }
    }
    let outcome =
        scene.projector(Limits { docs: 1, ..MANY }).project(vec![scene.part(shard()).await]).await.unwrap();
    assert_eq!(outcome.moves, [Move { shard: shard(), from: 0, to: 2 }]);
    assert_eq!(outcome.changes[0].row.point.version, 6, "a document is taken whole");
    scene.check(6).await;
    assert!(scene.project(Limits { bytes: 1, ..MANY }).await > 1);
    scene.check(0).await;
    assert_eq!(scene.mark(shard()).await, 12);
}

#[tokio::test]
async fn what_is_missing_before_an_operation_is_read_from_the_log() {
    let mut scene = Scene::new().await;
    scene.write(DOCS[0], 9).await;
    let mut part = scene.part(shard()).await;
    // As where projections begin late, and the rest is in segments.
    part.ops.retain(|op| op.op.version >= 8);
    scene.projector(MANY).project(vec![part]).await.unwrap();
    assert_eq!(scene.text(DOCS[0]).await, versions(9));
    scene.check(0).await;
}

#[tokio::test]
async fn of_two_who_project_the_same_one_counts() {
    let mut scene = Scene::new().await;
    scene.write(DOCS[0], 5).await;
    let part = scene.part(shard()).await;
    let (one, other) = (scene.projector(MANY), scene.projector(MANY));
    let both = tokio::join!(one.project(vec![part.clone()]), other.project(vec![part]));
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    scene.check(0).await;
}

#[tokio::test]
async fn a_document_that_was_forked_goes_on_or_begins_anew() {
    let mut scene = Scene::new().await;
    scene.write(DOCS[0], 5).await;
    scene.project(MANY).await;
    let doc: DocumentId = DOCS[0].parse().unwrap();
    for (version, at) in [(5, 1), (3, 2)] {
        let parent = scene.opened.store.document(&doc).await.unwrap().history;
        let fork = Fork { history: HistoryId::generate(), parent, version, at };
        scene.opened.store.fork_document(&doc, &fork).await.unwrap();
        scene.write(DOCS[0], 2).await;
        let mut part = scene.part(shard()).await;
        // As published before the fork, perhaps of a log that is lost.
        part.ops.iter_mut().for_each(|op| op.history = parent);
        let left = scene.projector(MANY).project(vec![part]).await;
        assert!(matches!(left, Err(StoreError::Conflict { .. })), "{left:?}");
        scene.project(MANY).await;
        scene.check(0).await;
        let row = scene.opened.projections.contents(std::slice::from_ref(&doc)).await.unwrap();
        assert_eq!(row[0].point.history, fork.history);
    }
    assert_eq!(scene.text(DOCS[0]).await, versions(9));
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_told_and_holds_nobody_up() {
    let mut scene = Scene::new().await;
    for doc in DOCS {
        scene.write(doc, 2).await;
    }
    let mut part = scene.part(shard()).await;
    let bad = part.ops.iter_mut().find(|op| op.doc.as_str() == DOCS[0] && op.op.version == 2).unwrap();
    bad.op.delta = b"no delta".as_slice().into();
    let outcome = scene.projector(MANY).project(vec![part]).await.unwrap();
    let told: Vec<_> = outcome.failed.iter().map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].contains("document a cannot be read at version 2"), "{told:?}");
    assert_eq!(scene.text(DOCS[1]).await, versions(2));
    assert_eq!(scene.mark(shard()).await, 4);
    // What is next brings it back, since the log is as it was.
    scene.write(DOCS[0], 1).await;
    scene.project(MANY).await;
    scene.check(0).await;
}

#[tokio::test]
async fn rows_that_are_wrong_are_found_and_made_again() {
    let mut scene = Scene::new().await;
    scene.write(DOCS[0], 5).await;
    scene.project(MANY).await;
    let doc: DocumentId = DOCS[0].parse().unwrap();
    let rows = &scene.opened.projections;
    let (row, activity) = rows.projection(&doc).await.unwrap().unwrap();
    let text = |text: &str| {
        let content = Document::from_json(&format!(r#"[{{"insert":"{text}"}}]"#)).unwrap();
        pack(&doc, row.point.history, &Content { version: 5, at: row.at, content }).unwrap()
    };
    let wrong = [
        (ContentRow { body: text("other"), ..row.clone() }, activity.clone(), "not what the log leads to"),
        (ContentRow { body: b"garbage".as_slice().into(), ..row.clone() }, activity.clone(), "is damaged"),
        (ContentRow { plain: "other".into(), ..row.clone() }, activity.clone(), "words"),
        (row.clone(), activity[..2].to_vec(), "activity"),
    ];
    for (row, activity, why) in wrong {
        let change = Change { before: Some(row.point), row, anew: true, activity };
        rows.project(&[Move { shard: shard(), from: 5, to: 5 }], &[change]).await.unwrap();
        let found = verify(&*scene.opened.store, rows, &doc).await.unwrap();
        assert!(found.complaints.len() == 1 && found.complaints[0].contains(why), "{:?}", found.complaints);
        assert!(found.complaints[0].contains("document a") && found.complaints[0].contains("version 5"));
        assert_eq!(rebuild(&scene.projector(MANY), &doc).await.unwrap(), 5);
        scene.check(0).await;
    }
    // A row that cannot be read is not gone on from.
    let garbage = ContentRow { body: b"garbage".as_slice().into(), ..row };
    let change = Change { before: Some(garbage.point), row: garbage, anew: false, activity: Vec::new() };
    rows.project(&[Move { shard: shard(), from: 5, to: 5 }], &[change]).await.unwrap();
    scene.write(DOCS[0], 1).await;
    scene.project(MANY).await;
    scene.check(0).await;
}

#[tokio::test]
async fn what_the_log_does_not_have_is_not_passed_over() {
    let mut scene = Scene::new().await;
    scene.write(DOCS[0], 3).await;
    let part = scene.part(shard()).await;
    let mut lost = part.clone();
    // As after a failover: the stream has an operation that went with a document.
    lost.ops[2].doc = "doc-1195".parse().unwrap();
    let refused = scene.projector(MANY).project(vec![lost]).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(scene.mark(shard()).await, 0);
    scene.projector(MANY).project(vec![part]).await.unwrap();
    scene.check(0).await;
}

/// What is written counts, and not only what was there: these documents have no rows yet.
#[tokio::test]
async fn a_transaction_writes_little_more_than_its_limit() {
    let mut scene = Scene::new().await;
    for doc in DOCS {
        scene.write(doc, 1).await;
    }
    // Both deltas are below it, and no content is.
    assert_eq!(scene.project(Limits { docs: 1_000, bytes: 40 }).await, DOCS.len());
    scene.check(0).await;
    assert_eq!(scene.mark(shard()).await, 2);
}
