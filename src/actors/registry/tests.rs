//! The registry by itself: back-off, suspects, and what is answered when an actor cannot begin.

use super::*;
use crate::actors::clock::Clock;
use crate::actors::document::SubmitAndWait;
use crate::actors::document::operation::Submission;
use crate::actors::journal::{Create, JournalActor};
use crate::actors::rebase::Rebaser;
use crate::actors::snapshot::SnapshotActor;
use crate::config::DocumentSettings;
use crate::ids::{HistoryId, UserId};
use crate::ot::{Attributes, Delta};
use crate::storage::{MemoryStore, NewDocument, SharedStore};

/// Nothing here takes long; what does is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

fn registry(threads: &[Arbiter]) -> RegistryActor {
    let folder = tempfile::tempdir().unwrap();
    RegistryActor::new(Arc::new(SnapshotBodies::local(folder.path()).unwrap()), threads)
}

fn doc(n: usize) -> DocumentId {
    format!("d{n}").parse().unwrap()
}

/// Lets time pass for a document that has failed.
fn age(registry: &mut RegistryActor, doc: &DocumentId, by: Duration) {
    let failures = registry.failures.get_mut(doc).unwrap();
    failures.last = failures.last.checked_sub(by).unwrap();
}

#[test]
fn the_pause_grows_with_every_failure_and_is_forgiven_in_time() {
    let (mut registry, doc) = (registry(&[]), doc(0));
    assert_eq!(registry.pause_before(&doc), Duration::ZERO);
    let mut expected = FIRST_PAUSE;
    for _ in 0..12 {
        registry.note_failure(&doc, None);
        assert_eq!(registry.failures[&doc].pause, expected);
        assert!(registry.pause_before(&doc) <= expected);
        expected = (expected * 2).min(LONGEST_PAUSE);
    }
    assert_eq!(expected, LONGEST_PAUSE);
    assert!(registry.pause_before(&doc) > FIRST_PAUSE);
    // What has passed of it already need not be waited for.
    age(&mut registry, &doc, LONGEST_PAUSE);
    assert_eq!(registry.pause_before(&doc), Duration::ZERO);
    age(&mut registry, &doc, FORGIVE_AFTER);
    registry.note_failure(&doc, None);
    assert_eq!(registry.failures[&doc].pause, FIRST_PAUSE);
}

#[test]
fn a_suspect_is_remembered_longer_than_the_pause() {
    let (mut registry, doc) = (registry(&[]), doc(0));
    let key = (ClientId::generate(), 7);
    registry.note_failure(&doc, Some(key));
    age(&mut registry, &doc, FORGIVE_AFTER * 2);
    registry.forget_failures();
    assert!(registry.poison(&doc).is_empty());
    registry.note_failure(&doc, Some(key));
    age(&mut registry, &doc, FORGIVE_AFTER * 2);
    registry.forget_failures();
    assert_eq!(registry.poison(&doc), [key]);
    // Others come and go; what is known to be poison stays.
    for seq in 0..100 {
        registry.note_failure(&doc, Some((ClientId::generate(), seq)));
    }
    assert_eq!(registry.poison(&doc), [key]);
    assert_eq!(registry.failures[&doc].suspects.len(), MAX_SUSPECTS);
}

#[test]
fn failures_are_remembered_of_so_many_documents_at_most() {
    let mut registry = registry(&[]);
    for n in 0..=MAX_FAILED {
        registry.note_failure(&doc(n), Some((ClientId::generate(), 1)));
    }
    assert_eq!(registry.failures.len(), MAX_FAILED);
    assert!(!registry.failures.contains_key(&doc(0)), "the one that failed first");
    // One that nobody is suspected of teaches nothing once its pause is over.
    registry.note_failure(&doc(0), None);
    age(&mut registry, &doc(0), FORGIVE_AFTER * 2);
    registry.forget_failures();
    assert!(!registry.failures.contains_key(&doc(0)));
}

/// Asks for the pause before a document is read again, if it has failed.
#[derive(Message)]
#[rtype(result = "Option<Duration>")]
struct PauseOf(DocumentId);

impl Handler<PauseOf> for RegistryActor {
    type Result = Option<Duration>;

    fn handle(&mut self, PauseOf(doc): PauseOf, _: &mut Self::Context) -> Self::Result {
        self.failures.get(&doc).map(|failures| failures.pause)
    }
}

/// Starts a registry, and makes an empty document behind it.
async fn start(registry: RegistryActor, clock: Clock) -> (Addr<RegistryActor>, DocumentId) {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let epochs = store.claim_all("node").await.unwrap();
    let journal = JournalActor::new(store.clone(), "node".into(), epochs).await.unwrap().start();
    let new = NewDocument {
        history: HistoryId::generate(),
        title: String::new(),
        owner: UserId::guest_rest(),
        created_at: 1,
        preview: String::new(),
        link: Some(crate::protocol::Role::Editor),
    };
    journal.send(Create { doc: doc(0), new, first: None }).await.unwrap().unwrap();
    let bodies = registry.bodies.clone();
    let registry = registry.start();
    let shared = Shared {
        store: store.clone(),
        journal,
        rebaser: Rebaser::new(store.clone(), 1),
        snapshots: SnapshotActor::new(store, bodies).start(),
        registry: registry.clone(),
        settings: Arc::new(DocumentSettings::default()),
        clock,
        remote: None,
        permissions: None,
        probe: None,
    };
    registry.send(Equip(Arc::new(shared))).await.unwrap();
    (registry, doc(0))
}

#[actix_rt::test]
async fn who_waits_for_a_document_that_cannot_begin_is_answered() {
    let mut registry = registry(&[Arbiter::new()]);
    registry.begin = |_, _| panic!("as the test asked");
    let (registry, doc) = start(registry, Clock::system()).await;
    let opened = tokio::time::timeout(PATIENCE, registry.send(Open { doc })).await;
    let refusal = opened.expect("an answer").unwrap().err().unwrap();
    assert!(refusal.message.contains("quarantined"), "{refusal}");
}

#[actix_rt::test]
async fn a_document_that_fails_while_nobody_is_in_it_is_read_again_after_a_pause_too() {
    let clock = Clock::from_fn(|| panic!("as the test asked"));
    let (registry, doc) = start(registry(&[Arbiter::new()]), clock).await;
    let document = registry.send(Open { doc: doc.clone() }).await.unwrap().unwrap();
    let client = ClientId::generate();
    let submission = Submission {
        session: None,
        client,
        seq: 1,
        user: UserId::guest(client),
        base: 0,
        delta: Delta::new().insert("x", Attributes::default()),
        received: Instant::now(),
        rebased: None,
    };
    assert!(document.send(SubmitAndWait(submission)).await.is_err(), "it fails");
    let told = async {
        loop {
            if let Some(pause) = registry.send(PauseOf(doc.clone())).await.unwrap() {
                return pause;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, told).await.expect("the registry is told"), FIRST_PAUSE);
}
