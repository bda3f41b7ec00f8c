//! A document that fails is felt in that document only; a commit that fails is not felt by the sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quire::actors::document::Probe;
use quire::config::DocumentSettings;
use quire::ot::{Insert, Op};
use quire::storage::DocumentStore;
use serde_json::json;

use super::faulty::Fault;
use super::harness::Server;

/// Panics whenever an operation inserts `boom`, at most so many times.
fn explodes(times: usize) -> Probe {
    let left = AtomicUsize::new(times);
    Arc::new(move |submission| {
        let booms =
            submission.delta.ops().iter().any(
                |op| matches!(op, Op::Insert { insert: Insert::Text(text), .. } if text.as_str() == "boom"),
            );
        let charged = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        assert!(!(booms && charged()), "injected by the test");
    })
}

#[actix_rt::test]
async fn a_panic_is_a_pause_for_its_document_and_nothing_for_the_others() {
    let server = Server::with(DocumentSettings::default(), Some(explodes(1))).await;
    server.document("hit", "x").await;
    server.document("spared", "x").await;
    let (mut ann, mut bob, mut eve) =
        (server.join("hit").await, server.join("hit").await, server.join("spared").await);
    ann.write(1, "a").await;
    bob.expect("ops").await;
    ann.insert(2, "boom").await;
    let error = ann.expect("error").await;
    assert_eq!((error["code"].as_str(), error["seq"].as_u64()), (Some("internal"), Some(2)));
    assert!(error["retry_after_ms"].as_u64().is_some());
    eve.write(1, "e").await;
    // The same operation again, under its number: it was not committed, and now it is.
    ann.write(2, "boom").await;
    bob.expect("ops").await;
    bob.write(1, "b").await;
    assert_eq!(server.text("hit").await, "bboomax");
    server.stop().await;
}

#[actix_rt::test]
async fn an_operation_that_makes_it_panic_twice_is_refused() {
    let server = Server::with(DocumentSettings::default(), Some(explodes(2))).await;
    server.document("hit", "x").await;
    let mut ann = server.join("hit").await;
    for _ in 0..2 {
        ann.insert(1, "boom").await;
        assert_eq!(ann.expect("error").await["code"], "internal");
    }
    ann.insert(1, "boom").await;
    assert_eq!(ann.expect("error").await["code"], "bad_op");
    ann.write(2, "fine").await;
    assert_eq!(server.text("hit").await, "finex");
    server.stop().await;
}

#[actix_rt::test]
async fn what_was_being_committed_when_it_failed_is_settled_before_it_is_read_again() {
    let server = Server::with(DocumentSettings::default(), Some(explodes(1))).await;
    server.document("hit", "x").await;
    let (mut ann, mut bob) = (server.join("hit").await, server.join("hit").await);
    let (loads, appends) = (&server.store.loads, &server.store.appends);
    let (loads_before, appends_before) = (loads.load(Ordering::SeqCst), appends.load(Ordering::SeqCst));
    let gate = server.store.hold_appends();
    ann.insert(1, "a").await;
    server.store.until(|store| store.appends.load(Ordering::SeqCst) > appends_before).await;
    bob.insert(1, "boom").await;
    // Longer than it waits after a first failure.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(loads.load(Ordering::SeqCst), loads_before, "it would read a log that is about to go on");
    gate.add_permits(100);
    assert_eq!(ann.expect("ops").await["ops"][0]["seq"], 1, "it was committed, and once");
    assert_eq!(bob.expect("error").await["code"], "internal");
    bob.write(1, "b").await;
    ann.expect("ops").await;
    let text = server.text("hit").await;
    assert!(["abx", "bax"].contains(&&*text), "bob may have written before he saw it: {text}");
    assert_eq!(loads.load(Ordering::SeqCst), loads_before + 1);
    server.stop().await;
}

#[actix_rt::test]
async fn storage_that_cannot_be_read_for_a_moment_makes_the_pause_longer_and_ends_no_session() {
    let server = Server::with(DocumentSettings::default(), Some(explodes(1))).await;
    server.document("hit", "x").await;
    let (mut ann, mut bob) = (server.join("hit").await, server.join("hit").await);
    server.store.unreadable.store(2, Ordering::SeqCst);
    ann.insert(1, "boom").await;
    let error = ann.expect("error").await;
    assert_eq!((error["code"].as_str(), error["fatal"].as_bool()), (Some("internal"), Some(false)));
    assert_eq!(server.store.unreadable.load(Ordering::SeqCst), 0);
    ann.write(1, "boom").await;
    bob.expect("ops").await;
    assert_eq!(server.text("hit").await, "boomx");
    server.stop().await;
}

#[actix_rt::test]
async fn a_refused_commit_goes_back_without_dropping_the_sessions() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let (mut ann, mut bob) = (server.join("d").await, server.join("d").await);
    server.store.fail_next(Fault::Refused);
    ann.insert(1, "a").await;
    let error = ann.expect("error").await;
    assert_eq!((error["code"].as_str(), error["seq"].as_u64()), (Some("unavailable"), Some(1)));
    assert_eq!(server.text("d").await, "x", "nothing of it was ever shown");
    bob.write(1, "b").await;
    ann.expect("ops").await;
    ann.write(1, "a").await;
    bob.expect("ops").await;
    assert_eq!(server.text("d").await, "abx");
    server.stop().await;
}

#[actix_rt::test]
async fn a_commit_reported_as_failed_that_was_none_is_acknowledged_once() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    server.store.fail_next(Fault::UnknownCommitted);
    ann.write(1, "a").await;
    server.store.fail_next(Fault::UnknownLost);
    ann.insert(2, "b").await;
    assert_eq!(ann.expect("error").await["code"], "unavailable");
    ann.write(2, "b").await;
    assert_eq!(server.text("d").await, "bax");
    server.stop().await;
}

#[actix_rt::test]
async fn while_a_commit_is_in_doubt_edits_are_put_off_and_reading_goes_on() {
    let server = Server::start().await;
    server.document("d", "x").await;
    server.document("other", "x").await;
    let (mut ann, mut bob, mut eve) =
        (server.join("d").await, server.join("d").await, server.join("other").await);
    server.store.stuck.store(true, Ordering::SeqCst);
    server.store.fail_next(Fault::UnknownCommitted);
    ann.insert(1, "a").await;
    server.store.until_raising().await;
    for (client, seq) in [(&mut bob, 1), (&mut eve, 1)] {
        client.insert(seq, "b").await;
        let error = client.expect("error").await;
        assert_eq!((error["code"].as_str(), error["seq"].as_u64()), (Some("unavailable"), Some(seq)));
        assert_eq!(error["fatal"], false);
    }
    assert_eq!(server.text("d").await, "x", "reading goes on");
    assert_eq!(server.join("d").await.version, 1);
    assert_eq!(server.try_document("new", "x").await, 503);
    assert_eq!(server.request("GET", "/readyz", None).await.status, 503);
    server.store.stuck.store(false, Ordering::SeqCst);
    let ops = ann.expect("ops").await;
    assert_eq!(ops["ops"][0]["seq"], 1, "the one in doubt was there");
    assert_eq!(server.request("GET", "/readyz", None).await.status, 200);
    bob.expect("ops").await;
    bob.write(1, "b").await;
    eve.write(1, "b").await;
    assert_eq!(server.text("d").await, "bax");
    server.stop().await;
}

#[actix_rt::test]
async fn an_operation_in_doubt_that_comes_again_by_rest_is_not_kept_waiting() {
    let server = Server::start().await;
    server.document("d", "x").await;
    server.store.stuck.store(true, Ordering::SeqCst);
    server.store.fail_next(Fault::UnknownCommitted);
    let key = format!("{}:1", uuid::Uuid::new_v4());
    for _ in 0..2 {
        let (status, problem) = server.submit("d", &key, "a").await.unwrap();
        assert_eq!((status, problem["code"].as_str()), (503, Some("unavailable")), "{problem}");
    }
    server.store.stuck.store(false, Ordering::SeqCst);
    loop {
        match server.submit("d", &key, "a").await.unwrap() {
            (503, _) => {}
            settled => break assert_eq!(settled, (200, json!({ "version": 2 }))),
        }
    }
    assert_eq!(server.text("d").await, "ax");
    server.stop().await;
}

#[actix_rt::test]
async fn a_stop_does_not_wait_for_storage_that_does_not_answer() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    server.store.stuck.store(true, Ordering::SeqCst);
    server.store.fail_next(Fault::UnknownLost);
    ann.insert(1, "a").await;
    server.store.until_raising().await;
    server.stop().await;
}

#[actix_rt::test]
async fn a_document_that_cannot_be_read_without_panicking_is_quarantined() {
    let server = Server::start().await;
    server.document("cursed", "x").await;
    server.document("fine", "x").await;
    *server.store.cursed.lock() = Some("cursed".parse().unwrap());
    let url = format!("http://{}/v1/docs/cursed/content", server.address);
    for _ in 0..3 {
        let url = url.clone();
        let answer = tokio::task::spawn_blocking(move || ureq::get(&url).call()).await.unwrap();
        assert!(matches!(answer, Err(ureq::Error::StatusCode(503))), "{answer:?}");
    }
    assert_eq!(server.store.loads.load(Ordering::SeqCst), 1, "it is not tried in a loop");
    let metrics = server.request("GET", "/metrics", None).await.body;
    assert!(metrics.lines().any(|line| line == "quire_documents_quarantined 1"), "{metrics}");
    server.join("fine").await.write(1, "y").await;
    server.stop().await;
}

#[actix_rt::test]
async fn an_operation_that_comes_by_rest_several_times_at_once_has_one_outcome_for_all() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let (asking, appending) = (server.store.hold_clients(), server.store.hold_appends());
    let key = format!("{}:1", uuid::Uuid::new_v4());
    let calls: Vec<_> = (0..4).map(|_| server.submit("d", &key, "a")).collect();
    // All of them are on their way before the first is taken, and that is not durable before they are there.
    server.store.until(|store| store.asks.load(Ordering::SeqCst) == 4).await;
    asking.add_permits(4);
    server.store.until(|store| store.appends.load(Ordering::SeqCst) == 2).await;
    appending.add_permits(1);
    for call in calls {
        assert_eq!(call.await.unwrap(), (200, json!({ "version": 2 })));
    }
    assert_eq!(server.text("d").await, "ax");
    server.stop().await;
}

#[actix_rt::test]
async fn a_document_goes_on_while_an_old_operation_is_transformed() {
    let settings = DocumentSettings { tail_ops: 2, ..DocumentSettings::default() };
    let server = Server::with(settings, None).await;
    server.document("d", "x").await;
    let (mut ann, mut bob) = (server.join("d").await, server.join("d").await);
    for seq in 1..=5 {
        ann.write(seq, "a").await;
        bob.expect("ops").await;
    }
    let reading = server.store.hold_reads();
    let old = json!({"type": "op", "seq": 1, "base": 1, "delta": [{"retain": 1}, {"insert": "b"}]});
    bob.send(old.clone()).await;
    server.store.until(|store| store.reads.load(Ordering::SeqCst) > 0).await;
    // Sent again meanwhile, it is in flight; another one has to wait; and what others write is not held up.
    bob.send(old).await;
    bob.send(json!({"type": "op", "seq": 2, "base": 2, "delta": [{"insert": "c"}]})).await;
    let error = bob.expect("error").await;
    assert_eq!((error["code"].as_str(), error["seq"].as_u64()), (Some("unavailable"), Some(2)));
    for seq in 6..=9 {
        ann.write(seq, "a").await;
        bob.expect("ops").await;
    }
    reading.add_permits(100);
    let ops = bob.expect("ops").await;
    assert_eq!(ops["ops"][0]["delta"], json!([{"retain": 10}, {"insert": "b"}]));
    bob.write(2, "c").await;
    assert_eq!(server.text("d").await, "caaaaaaaaaxb");
    server.stop().await;
}

#[actix_rt::test]
async fn a_journal_that_panics_ends_the_server_with_an_error() {
    let mut server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    server.store.fail_next(Fault::Panic);
    ann.insert(1, "a").await;
    let error = server.ended().await.unwrap_err();
    assert!(error.to_string().contains("journal"), "{error}");
}

#[actix_rt::test]
async fn a_snapshot_that_makes_its_writer_panic_is_the_only_one_that_fails() {
    let mut server = Server::start().await;
    server.document("cursed", "x").await;
    server.document("fine", "x").await;
    // In memory, and in no snapshot.
    assert_eq!((server.text("cursed").await, server.text("fine").await), ("x".into(), "x".into()));
    *server.store.cursed_row.lock() = Some("cursed".parse().unwrap());
    server.begin_stop();
    server.ended().await.unwrap();
    let snapshot =
        async |id: &str| server.store.document(&id.parse().unwrap()).await.unwrap().snapshot_version;
    assert_eq!((snapshot("cursed").await, snapshot("fine").await), (0, 1));
}
