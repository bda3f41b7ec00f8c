//! What is in segments is read as if it were in the database, by everybody.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{DataFolder, TestServer};
use crate::rest::Rest;
use crate::scene::{Scene, metric, stopped, wait_for, written};

const VERSIONS: u64 = 330;

/// The newest snapshot is at 300 at least.
const ARCHIVED: f64 = 300.0;

/// Everything that can be asked of a document's past.
fn told(rest: &Rest, doc: &str) -> Value {
    let at = |version: u64| rest.get(&format!("/v1/docs/{doc}/content?version={version}")).expect(200).json();
    let contents: Vec<_> = [0, 1, 9, 100, 150, 299, 300, 301, VERSIONS].map(at).into();
    let ranges = ["from=0&to=3", "from=7&to=20", "from=95&to=310", "from=299&limit=2"];
    let ranges = ranges.map(|range| rest.get(&format!("/v1/docs/{doc}/ops?{range}")).expect(200).json());
    let history = rest.get(&format!("/v1/docs/{doc}/history?from=0&limit=100")).expect(200).json();
    json!({ "contents": contents, "ranges": ranges, "ops": rest.ops(doc), "history": history })
}

/// A server whose documents have their log in segments, with one of them, and what was told of it before.
fn archived(scene: &Scene) -> (TestServer, String, [crate::replica::Replica; 2], Value) {
    let server = scene.launch(DataFolder::new()).start();
    let (doc, replicas) = written(&server, VERSIONS, 20);
    let before = told(&Rest::of(&server), &doc);
    let server = scene.archiving(stopped(server)).start();
    wait_for(&Rest::of(&server), "quire_archived_operations", |archived| archived >= ARCHIVED);
    (server, doc, replicas, before)
}

fn the_log_is_one(scene: &Scene) {
    let (server, doc, [old, writer], before) = archived(scene);
    let rest = Rest::of(&server);
    let after = told(&rest, &doc);
    for part in ["contents", "ranges", "ops", "history"] {
        assert_eq!(before[part], after[part], "{part}");
    }

    // Whoever has been away since before the window goes on from there.
    let client = TestClient::resume(&server, &doc, crate::replica::Replica { in_flight: None, ..old });
    assert_eq!(client.replica.version, VERSIONS);
    assert_eq!(client.text(), rest.text(&doc));
    client.leave();

    // An old operation sent again is answered as it was then.
    let (seq, version) = writer.acknowledged[30];
    let mut client = TestClient::resume(&server, &doc, writer);
    client.send(&json!({ "type": "op", "seq": seq, "base": 0, "delta": [{ "insert": "again" }] }));
    let ack = client.until_frame("ack");
    assert_eq!((ack["seq"].as_u64(), ack["version"].as_u64()), (Some(seq), Some(version)), "{ack}");
    assert_eq!(rest.content(&doc).0, VERSIONS);
    client.insert(0, "goes on ");

    backs_up(scene, &server, &doc);
    let data = stopped(server);
    scene.quire(&["verify"], &data).succeeds();
}

/// A backup of a running server has the operations in segments too.
fn backs_up(scene: &Scene, server: &TestServer, doc: &str) {
    let rest = Rest::of(server);
    let shelf = tempfile::tempdir().expect("a folder for temporary files");
    let file = shelf.path().join("all.qbak");
    let file = file.to_str().expect("UTF-8");
    scene.quire(&["backup", "-o", file], server.data()).succeeds();
    let elsewhere = Scene::folder();
    let data = DataFolder::new();
    elsewhere.quire(&["restore", file], &data).succeeds();
    elsewhere.quire(&["verify"], &data).succeeds();
    let restored = elsewhere.launch(data).start();
    assert_eq!(Rest::of(&restored).ops(doc), rest.ops(doc));
}

#[test]
fn the_log_is_one_over_a_folder() {
    the_log_is_one(&Scene::folder());
}

#[test]
fn the_log_is_one_over_postgres_and_s3() {
    the_log_is_one(&Scene::production());
}

/// What was archived before the fork is of another history, and still part of the log.
#[test]
fn a_document_that_was_forked_keeps_its_whole_log() {
    let scene = Scene::folder();
    let (server, doc, _, before) = archived(&scene);
    let data = stopped(server);
    scene.quire(&["fork"], &data).succeeds();
    let server = scene.archiving(data).start();
    let mut client = TestClient::join(&server, &doc);
    for _ in 0..150 {
        client.insert(0, "y");
    }
    client.leave();
    // A stop makes a snapshot of all of it.
    let server = scene.archiving(stopped(server)).start();
    let rest = Rest::of(&server);
    wait_for(&rest, "quire_archived_operations", |archived| archived >= 400.0);
    let ops = rest.ops(&doc);
    assert_eq!(ops.len() as u64, VERSIONS + 150);
    assert_eq!(ops[..VERSIONS as usize], before["ops"].as_array().expect("a list")[..]);
    assert_eq!(metric(&rest, "quire_archive_failures_total"), 0.0);
    scene.quire(&["verify"], &stopped(server)).succeeds();
}

#[test]
fn a_purge_takes_the_segments_along() {
    let scene = Scene::folder();
    let (server, doc, ..) = archived(&scene);
    let segments = server.data().path().join("segments");
    assert!(!crate::scene::files(&segments).is_empty());
    Rest::of(&server).delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    assert!(crate::scene::files(&segments).is_empty());
    scene.quire(&["verify"], &stopped(server)).succeeds();
}

/// Only the last operation of the document is left, and what came after the last snapshot.
#[test]
fn what_is_archived_has_left_the_database() {
    let scene = Scene::folder();
    let (server, ..) = archived(&scene);
    let rest = Rest::of(&server);
    let archived = metric(&rest, "quire_archived_operations");
    let data = stopped(server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let rows: i64 = runtime.block_on(async {
        use sqlx::{ConnectOptions, Connection};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.path().join("quire.db"));
        let mut connection = options.connect().await.expect("the database opens");
        let rows = sqlx::query_scalar("SELECT COUNT(*) FROM ops").fetch_one(&mut connection).await;
        connection.close().await.expect("it closes");
        rows.expect("a sound statement")
    });
    assert_eq!(rows as u64, VERSIONS - archived as u64);
}
