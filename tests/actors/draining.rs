//! A server that stops leaves a snapshot of every document behind, however many there are, and says so if it cannot.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use quire::actors::registry::{DrainAll, Open};
use quire::config::DocumentSettings;
use quire::ids::{ClientId, DocumentId, UserId};
use quire::storage::{DocumentStore, LoggedOp};

use super::harness::{Actors, PATIENCE};

/// More than can wait for the snapshot writer at a time.
const DOCUMENTS: usize = 5_000;

/// Makes documents of one version each, which are in memory and in no snapshot.
async fn open(actors: &Actors, count: usize) -> Vec<DocumentId> {
    let docs: Vec<DocumentId> = (0..count).map(|n| format!("d{n}").parse().unwrap()).collect();
    let first = || {
        let client = ClientId::generate();
        let delta = r#"[{"insert":"x"}]"#.into();
        LoggedOp { version: 1, client, seq: 1, user: UserId::guest(client), at: 1, delta }
    };
    join_all(docs.iter().map(|doc| actors.create(doc, Some(first())))).await;
    let opened = docs.iter().map(|doc| actors.shared.registry.send(Open { doc: doc.clone() }));
    join_all(opened).await.into_iter().for_each(|opened| {
        opened.unwrap().unwrap();
    });
    docs
}

#[actix_rt::test]
async fn every_document_is_snapshotted_at_a_stop_though_they_do_not_fit_into_the_queue() {
    let actors = Actors::start(DocumentSettings::default()).await;
    let docs = open(&actors, DOCUMENTS).await;
    // Nothing leaves the queue before all have been asked.
    let gate = actors.store.hold_snapshots();
    let drained = actix_rt::spawn(actors.shared.registry.send(DrainAll { within: PATIENCE }));
    actors.store.until(|store| store.recordings.load(Ordering::SeqCst) >= 1).await;
    gate.add_permits(DOCUMENTS);
    assert_eq!(drained.await.unwrap().unwrap(), 0);
    for doc in &docs {
        assert_eq!(actors.store.document(doc).await.unwrap().snapshot_version, 1, "{doc}");
    }
}

#[actix_rt::test]
async fn a_stop_tells_how_many_documents_are_in_no_snapshot() {
    let actors = Actors::start(DocumentSettings::default()).await;
    open(&actors, 3).await;
    actors.store.hold_snapshots().close();
    let missing = actors.shared.registry.send(DrainAll { within: PATIENCE }).await.unwrap();
    assert_eq!(missing, 3);
}
