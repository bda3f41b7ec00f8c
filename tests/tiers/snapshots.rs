//! Snapshots in S3, and what is felt when that is away.

use std::time::Instant;

use serde_json::json;

use crate::client::TestClient;
use crate::gateway::Gateway;
use crate::harness::{DataFolder, PATIENCE, TestServer};
use crate::rest::Rest;
use crate::scene::{Scene, metric, stopped, wait_for};

/// Text that does not compress: a snapshot of it is too large for the database.
fn noise(seed: u64) -> String {
    let mut state = seed | 1;
    let letters = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    });
    letters.take(60_000).collect()
}

/// A document of 100 versions, the last of which asks for a snapshot.
fn document(server: &TestServer, seed: u64) -> String {
    let doc = Rest::of(server).create(&json!([{ "insert": noise(seed) }]));
    let mut writer = TestClient::join(server, &doc);
    for n in 1..100 {
        writer.insert(n, "é");
    }
    doc
}

#[test]
fn a_snapshot_is_in_the_bucket_and_a_purge_takes_it_along() {
    let gateway = Gateway::start();
    let scene = Scene::objects_in(&gateway.bucket);
    let server = scene.launch(DataFolder::new()).start();
    let doc = document(&server, 1);
    let rest = Rest::of(&server);
    wait_for(&rest, "quire_snapshots_total", |written| written > 0.0);
    let text = rest.text(&doc);
    assert_eq!(gateway.files("snapshots").len(), 1);
    let server = scene.launch(stopped(server)).start();
    let rest = Rest::of(&server);
    assert!(!server.data().path().join("snapshots").exists());
    assert_eq!(rest.text(&doc), text);
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    assert!(gateway.files("snapshots").is_empty(), "{:?}", gateway.files("snapshots"));
}

#[test]
fn editors_do_not_feel_that_the_gateway_is_away() {
    let gateway = Gateway::start();
    let scene = Scene::objects_in(&gateway.bucket);
    let server = scene.launch(DataFolder::new()).start();
    let rest = Rest::of(&server);
    let first = document(&server, 1);
    wait_for(&rest, "quire_snapshots_total", |written| written > 0.0);
    let text = rest.text(&first);
    // Not from memory below.
    let server = scene.launch(stopped(server)).start();
    let rest = Rest::of(&server);

    gateway.service.kill();
    // Its snapshot cannot be read: the log has everything.
    let mut client = TestClient::join(&server, &first);
    assert_eq!(client.text(), text);
    client.insert(0, "on");
    let second = document(&server, 2);
    wait_for(&rest, "quire_snapshot_failures_total", |failed| failed > 0.0);
    let mut writer = TestClient::join(&server, &second);
    writer.insert(0, "goes on");
    assert_eq!(metric(&rest, "quire_snapshots_total"), 0.0);

    gateway.service.resume();
    // With what is written next, once the document has rested.
    let deadline = Instant::now() + PATIENCE;
    while metric(&rest, "quire_snapshots_total") == 0.0 {
        assert!(Instant::now() < deadline, "no snapshot since the gateway is back");
        writer.insert(0, "x");
    }
    scene.quire(&["verify"], &stopped(server)).succeeds();
}
