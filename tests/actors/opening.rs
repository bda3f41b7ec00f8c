//! Documents come into memory once, and leave it again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use quire::config::DocumentSettings;
use quire::storage::DocumentStore;
use serde_json::json;

use super::harness::Server;

#[actix_rt::test]
async fn a_thousand_that_join_a_cold_document_cause_one_load() {
    // Two descriptors each on the server's side, one on the other.
    rlimit::increase_nofile_limit(8_192).unwrap();
    let server = Server::start().await;
    server.document("d", "hello").await;
    let clients = join_all((0..1_000).map(|_| server.join("d"))).await;
    assert!(clients.iter().all(|client| client.welcome["content"][0]["insert"] == "hello"));
    assert_eq!(server.store.loads.load(Ordering::SeqCst), 1);
    server.stop().await;
}

#[actix_rt::test]
async fn an_idle_document_leaves_memory_after_a_snapshot_and_comes_back_whole() {
    let settings =
        DocumentSettings { passivate_after: Duration::from_millis(50), ..DocumentSettings::default() };
    let server = Server::with(settings, None).await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    ann.write(1, "a").await;
    drop(ann);
    // Reading keeps it in memory for another while, so it is looked at between two rests.
    while server.store.loads.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.text("d").await, "ax");
    }
    let row = DocumentStore::document(&*server.store, &"d".parse().unwrap()).await.unwrap();
    assert_eq!((row.snapshot_version, row.version), (2, 2));
    server.stop().await;
}

#[actix_rt::test]
async fn a_graceful_stop_tells_the_sessions_and_writes_snapshots() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    ann.write(1, "a").await;
    let store = server.store.clone();
    let stopped = actix_rt::spawn(server.stop());
    let reconnect = ann.expect("reconnect").await;
    assert_eq!(reconnect["reason"], "draining");
    assert!(reconnect["after_ms"].as_u64().is_some());
    stopped.await.unwrap();
    let row = DocumentStore::document(&*store, &"d".parse().unwrap()).await.unwrap();
    assert_eq!(row.snapshot_version, 2);
}

#[actix_rt::test]
async fn who_cannot_join_by_a_fault_of_ours_is_told_so() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    server.store.damaged.store(true, Ordering::SeqCst);
    let mut bob = server.say_hello("d").await;
    let error = bob.expect("error").await;
    assert_eq!((error["code"].as_str(), error["fatal"].as_bool()), (Some("internal"), Some(true)));
    assert_eq!(bob.closed().await, Some(1011));
    // Whoever is in it stays.
    ann.write(1, "a").await;
    server.stop().await;
}

#[actix_rt::test]
async fn nobody_opens_a_document_that_is_being_purged() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    let gate = server.store.hold_purges();
    let purge = server.request("DELETE", "/v1/docs/d?purge=true", None);
    server.store.until(|store| store.purges.load(Ordering::SeqCst) >= 1).await;
    assert_eq!(ann.closed().await, Some(4404));
    assert_eq!(server.try_hello("d").await.err(), Some(404));
    assert_eq!(server.request("GET", "/v1/docs/d/content", None).await.status, 404);
    gate.add_permits(1);
    assert_eq!(purge.await.status, 204);
    assert_eq!(server.try_hello("d").await.err(), Some(404));
    server.stop().await;
}

#[actix_rt::test]
async fn a_document_whose_purge_fails_is_opened_again() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let gate = server.store.hold_purges();
    let purge = server.request("DELETE", "/v1/docs/d?purge=true", None);
    server.store.until(|store| store.purges.load(Ordering::SeqCst) >= 1).await;
    assert_eq!(server.try_hello("d").await.err(), Some(404));
    gate.close();
    assert_eq!(purge.await.status, 503);
    server.join("d").await.write(1, "a").await;
    assert_eq!(server.text("d").await, "ax");
    server.stop().await;
}

#[actix_rt::test]
async fn a_server_that_stops_takes_no_writes() {
    let mut server = Server::start().await;
    server.document("d", "x").await;
    // In memory and in no snapshot: there is something to drain.
    assert_eq!(server.text("d").await, "x");
    let gate = server.store.hold_snapshots();
    server.begin_stop();
    while server.request("GET", "/readyz", None).await.status != 503 {}
    let op = json!({"base": 1, "edit": {"type": "insert", "pos": 0, "text": "late"}});
    let writes = [
        ("POST", "/v1/docs/d/ops", Some(op.clone())),
        ("POST", "/v1/docs", Some(json!({"id": "new"}))),
        ("PATCH", "/v1/docs/d", Some(json!({"title": "late"}))),
        ("DELETE", "/v1/docs/d", None),
        ("DELETE", "/v1/docs/d?purge=true", None),
    ];
    for (method, path, body) in writes {
        let answer = server.request(method, path, body).await;
        assert_eq!(
            (answer.status, answer.retry_after.as_deref()),
            (503, Some("1")),
            "{method} {path}: {answer:?}"
        );
    }
    // The last snapshot is under way: nothing may become of a write any more.
    server.store.until(|store| store.recordings.load(Ordering::SeqCst) >= 1).await;
    assert_eq!(server.request("POST", "/v1/docs/d/ops", Some(op)).await.status, 503);
    gate.add_permits(10);
    let store = server.store.clone();
    server.stop().await;
    let row = DocumentStore::document(&*store, &"d".parse().unwrap()).await.unwrap();
    assert_eq!((row.version, row.snapshot_version, row.title.as_str()), (1, 1, "d"));
}
