//! The projector beside a log that is appended to: what it catches up with, and what it does when storage fails it.

use super::*;
use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, UserId, Version};
use crate::projections::verify;
use crate::storage::{AppendEntry, LoggedOp, NewDocument, Opened, SqliteOptions};

struct Scene {
    opened: Opened,
    epochs: Box<[Epoch; SHARDS]>,
    positions: Box<[u64; SHARDS]>,
    ends: Arc<Ends>,
    draining: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
        let epochs = opened.store.claim_all("node").await.unwrap();
        let (positions, ends) = (Box::new([0; SHARDS]), Arc::default());
        Self { opened, epochs, positions, ends, draining: Arc::default(), _folder: folder }
    }

    fn projecting(&self) -> Projecting {
        let (store, rows) = (self.opened.store.clone(), self.opened.projections.clone());
        Projecting {
            projector: Projector { store, rows, limits: Limits { docs: 3, bytes: 1 << 20 } },
            ends: self.ends.clone(),
            clock: Clock::system(),
            draining: self.draining.clone(),
        }
    }

    /// Appends operations to documents, and tells of it as the journal does.
    async fn write(&mut self, docs: &[DocumentId], first: Version, last: Version) {
        let mut batch = Vec::new();
        for doc in docs {
            let end = &mut self.positions[usize::from(doc.shard())];
            let new = || NewDocument {
                history: HistoryId::generate(),
                title: String::new(),
                owner: UserId("owner".into()),
                created_at: 0,
                preview: String::new(),
                link: Some(crate::protocol::Role::Editor),
            };
            let ops = (first..=last).map(|version| LoggedOp {
                version,
                client: ClientId(uuid::Uuid::from_u128(1)),
                seq: version,
                user: UserId("ann".into()),
                at: version as i64,
                delta: br#"[{"insert":"x"}]"#.as_slice().into(),
            });
            batch.push(AppendEntry {
                doc: doc.clone(),
                epoch: self.epochs[usize::from(doc.shard())],
                first_pos: *end + 1,
                create: (first == 1).then(new),
                ops: ops.collect(),
                touch: false,
                preview: None,
            });
            *end += last + 1 - first;
        }
        self.opened.store.append(&batch).await.unwrap();
        self.ends.tell(&self.positions);
    }

    async fn wait_until_caught_up(&self) {
        loop {
            let marks = self.opened.store.watermarks(READER).await.unwrap();
            if marks == self.positions {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn check(&self, docs: &[DocumentId], version: Version) {
        for doc in docs {
            let found = verify(&*self.opened.store, &self.opened.projections, doc).await.unwrap();
            assert_eq!((found.version, found.behind, found.complaints), (version, 0, Vec::new()));
        }
    }
}

fn documents() -> Vec<DocumentId> {
    (0..20).map(|n| format!("doc-{n}").parse().unwrap()).collect()
}

#[tokio::test]
async fn what_is_committed_is_projected_now_and_after_a_new_start() {
    let (mut scene, docs) = (Scene::new().await, documents());
    scene.write(&docs, 1, 5).await;
    let working = tokio::spawn(work(scene.projecting()));
    scene.wait_until_caught_up().await;
    scene.check(&docs, 5).await;
    scene.write(&docs[..7], 6, 9).await;
    scene.wait_until_caught_up().await;
    scene.check(&docs[..7], 9).await;

    // It ends in the middle of anything, and another begins.
    scene.write(&docs[..7], 10, 20).await;
    working.abort();
    scene.write(&docs[7..], 6, 20).await;
    let working = tokio::spawn(work(scene.projecting()));
    scene.wait_until_caught_up().await;
    scene.check(&docs, 20).await;
    scene.draining.store(true, Ordering::Relaxed);
    scene.write(&docs[..1], 21, 21).await;
    working.await.unwrap();
}

#[tokio::test]
async fn two_that_project_the_same_leave_what_one_would() {
    let (mut scene, docs) = (Scene::new().await, documents());
    let both = [tokio::spawn(work(scene.projecting())), tokio::spawn(work(scene.projecting()))];
    for round in 0..4 {
        scene.write(&docs, round * 5 + 1, round * 5 + 5).await;
        // One waits at a time: the other one sees it with the next news.
        scene.ends.tell(&scene.positions);
        scene.wait_until_caught_up().await;
    }
    scene.check(&docs, 20).await;
    both.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn purged_documents_do_not_hold_it_up() {
    let (mut scene, docs) = (Scene::new().await, documents());
    scene.write(&docs, 1, 5).await;
    for doc in &docs[..10] {
        scene.opened.store.purge_document(doc, 9).await.unwrap();
    }
    let working = tokio::spawn(work(scene.projecting()));
    scene.wait_until_caught_up().await;
    scene.check(&docs[10..], 5).await;
    assert_eq!(scene.opened.projections.contents(&docs).await.unwrap().len(), 10);
    working.abort();
}

#[test]
fn little_is_spread_over_the_second_and_much_is_not_divided_further() {
    let docs = [0, 1, 100, 500, 8_000, u64::MAX].map(|behind| docs_at_once(behind, LIMITS.docs));
    assert_eq!(docs, [4, 4, 6, 31, 64, 64]);
    assert_eq!(docs_at_once(100, 3), 3, "no more than a transaction may take");
}
