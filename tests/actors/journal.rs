//! The journal alone: three outcomes, isolation, barriers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use quire::actors::document::{AppendRefused, Report, Reported};
use quire::actors::journal::{Append, Assign, Barrier, CheckHealth, Create, Flush, JournalActor};
use quire::ids::{ClientId, DocumentId, HistoryId, UserId, Version};
use quire::storage::cluster::Taken;
use quire::storage::{DocumentStore, LoggedOp, NewDocument, OpLog, OwnershipStore};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::faulty::{Fault, FaultyStore};
use super::harness::{PATIENCE, memory};

/// Takes the journal's answers for a document.
struct Listener(mpsc::UnboundedSender<Report>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Reported> for Listener {
    type Result = ();

    fn handle(&mut self, reported: Reported, _: &mut Self::Context) {
        self.0.send(reported.report).expect("the test listens");
    }
}

struct Fixture {
    store: Arc<FaultyStore>,
    journal: Addr<JournalActor>,
}

impl Fixture {
    async fn new() -> Self {
        let store = FaultyStore::over(memory());
        let epochs = store.claim_all("node").await.unwrap();
        let journal = JournalActor::new(store.clone(), "node".into(), epochs).await.unwrap().start();
        Self { store, journal }
    }

    async fn document(&self, id: &str) -> DocumentId {
        let doc: DocumentId = id.parse().unwrap();
        let new = NewDocument {
            history: HistoryId::generate(),
            title: String::new(),
            owner: UserId::guest_rest(),
            created_at: 1,
            preview: String::new(),
            link: Some(quire::protocol::Role::Editor),
        };
        self.journal.send(Create { doc: doc.clone(), new, first: None }).await.unwrap().unwrap();
        doc
    }

    /// Sends an append and returns where its answer will arrive.
    fn append(
        &self,
        doc: &DocumentId,
        incarnation: u64,
        ops: Vec<LoggedOp>,
    ) -> mpsc::UnboundedReceiver<Report> {
        let (sender, answers) = mpsc::unbounded_channel();
        let reply = Listener(sender).start().recipient();
        let (doc, history) = (doc.clone(), HistoryId::generate());
        let append = Append { doc, history, incarnation, ops, touch: false, preview: None, reply };
        self.journal.try_send(append).expect("the journal takes it");
        answers
    }

    async fn versions(&self, doc: &DocumentId) -> Vec<Version> {
        let ops = self.store.read_ops(doc, 0, Version::MAX, 100, usize::MAX).await.unwrap();
        ops.iter().map(|op| op.version).collect()
    }
}

fn op(version: Version) -> LoggedOp {
    let client = ClientId::generate();
    LoggedOp { version, client, seq: 1, user: UserId::guest(client), at: 1, delta: "[]".into() }
}

async fn answer(answers: &mut mpsc::UnboundedReceiver<Report>) -> (usize, Option<AppendRefused>) {
    match answers.recv().await.expect("every append is answered") {
        Report::Settled { durable, refused } => (durable, refused),
        Report::InDoubt => panic!("storage answers"),
    }
}

#[actix_rt::test]
async fn an_append_is_answered_when_it_is_in_the_log() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    let mut answers = fixture.append(&doc, 1, vec![op(1), op(2)]);
    assert_eq!(answer(&mut answers).await, (2, None));
    assert_eq!(fixture.versions(&doc).await, [1, 2]);
}

#[actix_rt::test]
async fn a_commit_that_succeeded_but_was_reported_as_failed_is_durable() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    fixture.store.fail_next(Fault::UnknownCommitted);
    let mut answers = fixture.append(&doc, 1, vec![op(1)]);
    assert_eq!(answer(&mut answers).await, (1, None));
    assert_eq!(
        fixture.store.raises.load(Ordering::SeqCst),
        1,
        "the own epoch is raised before the log is read"
    );
    // The positions and epochs learned from it hold for what follows.
    let mut answers = fixture.append(&doc, 1, vec![op(2)]);
    assert_eq!(answer(&mut answers).await, (1, None));
}

#[actix_rt::test]
async fn of_a_commit_that_is_there_in_part_the_rest_is_refused() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    fixture.store.fail_next(Fault::UnknownPartly);
    let mut answers = fixture.append(&doc, 1, vec![op(1), op(2), op(3)]);
    assert!(matches!(answer(&mut answers).await, (2, Some(AppendRefused::Unavailable(_)))));
    assert_eq!(fixture.versions(&doc).await, [1, 2]);
    let mut answers = fixture.append(&doc, 1, vec![op(3)]);
    assert_eq!(answer(&mut answers).await, (1, None));
}

#[actix_rt::test]
async fn a_commit_that_failed_after_all_is_refused_and_leaves_the_version_free() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    fixture.store.fail_next(Fault::UnknownLost);
    let mut answers = fixture.append(&doc, 1, vec![op(1)]);
    assert!(matches!(answer(&mut answers).await, (0, Some(AppendRefused::Unavailable(_)))));
    let mut answers = fixture.append(&doc, 1, vec![op(1)]);
    assert_eq!(answer(&mut answers).await, (1, None));
}

/// The sound document is first in the batch, and both are of one shard: what comes after the damaged one has to know where its
/// operation stands all the same.
#[actix_rt::test]
async fn a_document_that_cannot_be_read_after_an_unknown_commit_holds_up_no_other() {
    let fixture = Fixture::new().await;
    let (sound, before) = (fixture.document("sound").await, fixture.document("before").await);
    let neighbours = (0..).map(|n| format!("damaged-{n}"));
    let is_neighbour = |id: &String| id.parse::<DocumentId>().unwrap().shard() == sound.shard();
    let damaged = fixture.document(&{ neighbours }.find(is_neighbour).unwrap()).await;
    let gate = fixture.store.hold_appends();
    let mut first = fixture.append(&before, 1, vec![op(1)]);
    let mut good = fixture.append(&sound, 1, vec![op(1)]);
    let mut bad = fixture.append(&damaged, 1, vec![op(1)]);
    gate.add_permits(1);
    assert_eq!(answer(&mut first).await, (1, None));
    fixture.store.fail_next(Fault::UnknownCommitted);
    *fixture.store.damaged_document.lock() = Some(damaged.clone());
    gate.add_permits(10);
    assert_eq!(answer(&mut good).await, (1, None));
    assert!(matches!(answer(&mut bad).await, (0, Some(AppendRefused::Conflict(_)))));
    let mut after = fixture.append(&sound, 1, vec![op(2)]);
    assert_eq!(answer(&mut after).await, (1, None));
    *fixture.store.damaged_document.lock() = None;
    let mut again = fixture.append(&damaged, 2, vec![op(2)]);
    assert_eq!(answer(&mut again).await, (1, None));
}

/// A failover to a standby that did not have it, say.
#[actix_rt::test]
async fn a_document_that_is_gone_after_an_unknown_commit_holds_up_no_other() {
    let fixture = Fixture::new().await;
    let (gone, other) = (fixture.document("gone").await, fixture.document("other").await);
    let gate = fixture.store.hold_appends();
    fixture.store.fail_next(Fault::UnknownLost);
    let mut lost = fixture.append(&gone, 1, vec![op(1)]);
    fixture.store.purge_document(&gone, 1).await.unwrap();
    gate.add_permits(10);
    assert!(matches!(answer(&mut lost).await, (0, Some(AppendRefused::Conflict(_)))));
    let mut after = fixture.append(&other, 1, vec![op(1)]);
    assert_eq!(answer(&mut after).await, (1, None));
}

#[actix_rt::test]
async fn one_document_s_conflict_is_its_own() {
    let fixture = Fixture::new().await;
    let (good, bad, late) =
        (fixture.document("good").await, fixture.document("bad").await, fixture.document("late").await);
    let mut first = fixture.append(&bad, 1, vec![op(1)]);
    assert_eq!(answer(&mut first).await, (1, None));
    // The three are in one batch, since the journal is held until all have been queued.
    let gate = fixture.store.hold_appends();
    let mut held = fixture.append(&late, 1, vec![op(1)]);
    let mut conflict = fixture.append(&bad, 1, vec![op(1)]);
    let mut fine = fixture.append(&good, 1, vec![op(1)]);
    let mut after = fixture.append(&late, 1, vec![op(2)]);
    gate.add_permits(10);
    assert_eq!(answer(&mut held).await, (1, None));
    assert!(matches!(answer(&mut conflict).await, (0, Some(AppendRefused::Conflict(_)))));
    assert_eq!(answer(&mut fine).await, (1, None));
    assert_eq!(answer(&mut after).await, (1, None));
    assert_eq!(fixture.versions(&late).await, [1, 2]);
}

#[actix_rt::test]
async fn what_arrives_during_a_commit_is_the_next_batch() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    let others = [fixture.document("b").await, fixture.document("c").await, fixture.document("d").await];
    let before = fixture.store.appends.load(Ordering::SeqCst);
    let gate = fixture.store.hold_appends();
    let mut first = fixture.append(&doc, 1, vec![op(1)]);
    let mut later: Vec<_> = others.iter().map(|doc| fixture.append(doc, 1, vec![op(1)])).collect();
    gate.add_permits(10);
    assert_eq!(answer(&mut first).await, (1, None));
    for answers in &mut later {
        assert_eq!(answer(answers).await, (1, None));
    }
    assert!(
        fixture.store.appends.load(Ordering::SeqCst) - before <= 3,
        "four appends, at most three commits"
    );
}

#[actix_rt::test]
async fn a_barrier_waits_for_the_commit_and_shuts_out_the_older_incarnation() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    let gate = fixture.store.hold_appends();
    let mut under_way = fixture.append(&doc, 1, vec![op(1)]);
    // Asked only once the first append has left the queue.
    while fixture.store.appends.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let barrier = fixture.journal.send(Barrier { doc: doc.clone(), incarnation: 2 });
    let mut barrier = Box::pin(barrier);
    assert!(futures_util::poll!(&mut barrier).is_pending());
    let mut late = fixture.append(&doc, 1, vec![op(2)]);
    gate.add_permits(10);
    barrier.await.unwrap();
    assert_eq!(fixture.versions(&doc).await, [1], "it is settled before the barrier lets go");
    assert_eq!(answer(&mut under_way).await, (1, None));
    assert!(matches!(answer(&mut late).await, (0, Some(AppendRefused::Conflict(_)))));
    let mut newer = fixture.append(&doc, 2, vec![op(2)]);
    assert_eq!(answer(&mut newer).await, (1, None));
}

#[actix_rt::test]
async fn a_flush_waits_for_what_was_there_and_for_nothing_that_came_after() {
    let fixture = Fixture::new().await;
    let [first, second, third] =
        [fixture.document("a").await, fixture.document("b").await, fixture.document("c").await];
    let before = fixture.store.appends.load(Ordering::SeqCst);
    let gate = fixture.store.hold_appends();
    let mut committing = fixture.append(&first, 1, vec![op(1)]);
    fixture.store.until(|store| store.appends.load(Ordering::SeqCst) > before).await;
    let mut queued = fixture.append(&second, 1, vec![op(1)]);
    let mut flush = Box::pin(fixture.journal.send(Flush));
    assert!(futures_util::poll!(&mut flush).is_pending());
    gate.add_permits(1);
    assert_eq!(answer(&mut committing).await, (1, None));
    fixture.store.until(|store| store.appends.load(Ordering::SeqCst) >= before + 2).await;
    // As it is under load: the queue is never empty again.
    let mut after = fixture.append(&third, 1, vec![op(1)]);
    assert!(futures_util::poll!(&mut flush).is_pending(), "one of those before it is not settled");
    gate.add_permits(1);
    assert_eq!(answer(&mut queued).await, (1, None));
    tokio::time::timeout(PATIENCE, flush).await.expect("it does not wait for the third").unwrap();
    fixture.store.until(|store| store.appends.load(Ordering::SeqCst) >= before + 3).await;
    assert!(after.try_recv().is_err());
}

#[actix_rt::test]
async fn an_id_is_given_once() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    let new = NewDocument {
        history: HistoryId::generate(),
        title: String::new(),
        owner: UserId::guest_rest(),
        created_at: 1,
        preview: String::new(),
        link: Some(quire::protocol::Role::Editor),
    };
    let again = fixture.journal.send(Create { doc: doc.clone(), new, first: None }).await.unwrap();
    assert!(again.is_err());
    assert!(fixture.store.document(&doc).await.is_ok());
}

#[actix_rt::test]
async fn while_storage_does_not_tell_the_outcome_everything_else_is_put_off() {
    let fixture = Fixture::new().await;
    let (doc, other) = (fixture.document("a").await, fixture.document("b").await);
    fixture.store.stuck.store(true, Ordering::SeqCst);
    fixture.store.fail_next(Fault::UnknownCommitted);
    // Both wait in the journal when it learns of the doubt: the first for its outcome, the second for its turn.
    let gate = fixture.store.hold_appends();
    let mut in_doubt = fixture.append(&doc, 1, vec![op(1)]);
    let mut queued = fixture.append(&other, 1, vec![op(1)]);
    gate.add_permits(10);
    assert_eq!(in_doubt.recv().await, Some(Report::InDoubt));
    assert!(matches!(answer(&mut queued).await, (0, Some(AppendRefused::Unavailable(_)))));
    let mut late = fixture.append(&other, 1, vec![op(1)]);
    assert!(matches!(answer(&mut late).await, (0, Some(AppendRefused::Unavailable(_)))));
    // Another document can be opened and read; this one only when its outcome is known.
    fixture.journal.send(Barrier { doc: other.clone(), incarnation: 2 }).await.unwrap();
    let mut barrier = Box::pin(fixture.journal.send(Barrier { doc: doc.clone(), incarnation: 1 }));
    assert!(futures_util::poll!(&mut barrier).is_pending());
    fixture.store.stuck.store(false, Ordering::SeqCst);
    assert_eq!(answer(&mut in_doubt).await, (1, None));
    barrier.await.unwrap();
    let mut after = fixture.append(&other, 2, vec![op(1)]);
    assert_eq!(answer(&mut after).await, (1, None));
}

#[actix_rt::test]
async fn storage_that_does_not_come_back_is_a_doubt_too() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    let gate = fixture.store.hold_raises();
    fixture.store.fail_next(Fault::UnknownLost);
    let mut answers = fixture.append(&doc, 1, vec![op(1)]);
    assert_eq!(answers.recv().await, Some(Report::InDoubt));
    gate.add_permits(10);
    assert!(matches!(answer(&mut answers).await, (0, Some(AppendRefused::Unavailable(_)))));
}

#[actix_rt::test]
async fn a_commit_that_hangs_is_no_good_health() {
    let fixture = Fixture::new().await;
    let doc = fixture.document("a").await;
    assert!(fixture.journal.send(CheckHealth).await.unwrap().is_ok());
    let before = fixture.store.appends.load(Ordering::SeqCst);
    let gate = fixture.store.hold_appends();
    let mut answers = fixture.append(&doc, 1, vec![op(1)]);
    fixture.store.until(|store| store.appends.load(Ordering::SeqCst) > before).await;
    assert!(fixture.journal.send(CheckHealth).await.unwrap().is_ok(), "a commit may take its time");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(fixture.journal.send(CheckHealth).await.unwrap().is_err());
    gate.add_permits(1);
    assert_eq!(answer(&mut answers).await, (1, None));
    assert!(fixture.journal.send(CheckHealth).await.unwrap().is_ok());
}

/// On a clock that stands still while anything can be done: it moves only when everybody waits for a time.
#[actix_rt::test]
async fn a_single_edit_is_committed_at_once_also_after_a_burst() {
    let fixture = Fixture::new().await;
    let mut docs = Vec::new();
    for n in 0..40 {
        docs.push(fixture.document(&format!("d{n}")).await);
    }
    tokio::time::pause();
    let began = Instant::now();
    let mut alone = fixture.append(&docs[0], 1, vec![op(1)]);
    assert_eq!(answer(&mut alone).await, (1, None));
    assert_eq!((began.elapsed(), fixture.store.batches.lock().last()), (Duration::ZERO, Some(&1)));
    // Bursts, until batches are large as a rule and the journal waits for more of them.
    for version in 2..10 {
        let ops = |doc| if doc == &docs[0] { vec![op(version)] } else { vec![op(version - 1)] };
        let mut burst: Vec<_> = docs.iter().map(|doc| fixture.append(doc, 1, ops(doc))).collect();
        for answers in &mut burst {
            assert_eq!(answer(answers).await, (1, None));
        }
    }
    assert!(began.elapsed() > Duration::ZERO, "under load it gathers");
    assert!(fixture.store.batches.lock().contains(&40));
    tokio::time::advance(Duration::from_millis(20)).await;
    let began = Instant::now();
    let mut alone = fixture.append(&docs[0], 1, vec![op(10)]);
    assert_eq!(answer(&mut alone).await, (1, None));
    assert_eq!((began.elapsed(), fixture.store.batches.lock().last()), (Duration::ZERO, Some(&1)));
}

#[actix_rt::test]
async fn a_shard_that_is_not_ones_own_takes_nothing_until_it_is() {
    let store = FaultyStore::over(memory());
    let epochs = store.claim_all("node").await.unwrap();
    let journal = JournalActor::of_nothing(store.clone(), "node".into()).start();
    let fixture = Fixture { store: store.clone(), journal };
    let doc: DocumentId = "doc".parse().unwrap();
    let new = || NewDocument {
        history: HistoryId::generate(),
        title: String::new(),
        owner: UserId::guest_rest(),
        created_at: 1,
        preview: String::new(),
        link: None,
    };
    let create = Create { doc: doc.clone(), new: new(), first: None };
    fixture.journal.send(create).await.unwrap().expect_err("nobody has given it the shard");
    let shard = doc.shard();
    let taken = vec![Taken { shard, epoch: epochs[usize::from(shard)], position: 0 }];
    fixture.journal.send(Assign { taken, lost: Vec::new() }).await.unwrap();
    let create = Create { doc: doc.clone(), new: new(), first: None };
    fixture.journal.send(create).await.unwrap().unwrap();
    let mut answers = fixture.append(&doc, 1, vec![op(1)]);
    assert_eq!(answer(&mut answers).await, (1, None));

    // What is being committed when the shard goes is settled under the epoch that it was begun with.
    let before = fixture.store.appends.load(Ordering::SeqCst);
    let gate = fixture.store.hold_appends();
    let mut under_way = fixture.append(&doc, 1, vec![op(2)]);
    fixture.store.until(|store| store.appends.load(Ordering::SeqCst) > before).await;
    let mut lost = Box::pin(fixture.journal.send(Assign { taken: Vec::new(), lost: vec![shard] }));
    assert!(futures_util::poll!(&mut lost).is_pending());
    gate.add_permits(10);
    assert_eq!(answer(&mut under_way).await, (1, None));
    lost.await.unwrap();
    let mut late = fixture.append(&doc, 1, vec![op(3)]);
    assert_eq!(answer(&mut late).await, (0, Some(AppendRefused::Fenced)));
    assert_eq!(fixture.versions(&doc).await, [1, 2]);
}
