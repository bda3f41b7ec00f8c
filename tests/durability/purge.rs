//! A purged document is gone from the disk, whatever was on its way and whenever the server dies.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::damage::{noise, snapshot_files};
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::rest::Rest;

/// Makes a document of a hundred versions, the last of which asks for a snapshot: as a file, since it does not compress.
fn document(server: &TestServer) -> String {
    let doc = Rest::of(server).create(&json!([{ "insert": noise(80_000) }]));
    let mut writer = TestClient::join(server, &doc);
    for n in 1..100 {
        writer.insert(n, "x");
    }
    doc
}

/// Waits until the server has dealt with one snapshot, whatever has become of it.
fn wait_for_snapshot(rest: &Rest) {
    let deadline = Instant::now() + PATIENCE;
    while !rest.get("/metrics").expect(200).text().lines().any(|line| line == "quire_snapshots_total 1") {
        assert!(Instant::now() < deadline, "there is no snapshot");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_snapshot_that_was_on_its_way_is_not_left() {
    let server = TestServer::start();
    let doc = document(&server);
    let rest = Rest::of(&server);
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    wait_for_snapshot(&rest);
    assert!(snapshot_files(server.data()).is_empty(), "{:?}", snapshot_files(server.data()));
}

#[test]
fn a_purge_that_a_crash_cuts_short_ends_with_the_next_start() {
    let server = TestServer::start();
    let doc = document(&server);
    let rest = Rest::of(&server);
    wait_for_snapshot(&rest);
    let files = snapshot_files(server.data());
    let [file] = &files[..] else { panic!("one snapshot and not {files:?}") };
    let body = fs::read(file).expect("it is there");
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    assert!(snapshot_files(server.data()).is_empty(), "{:?}", snapshot_files(server.data()));

    // As it is when the server dies after the rows are gone, and before the files are.
    let data = server.kill();
    fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
    fs::write(file, body).expect("it can be written");
    fs::write(file.with_extension("#1"), "half written").expect("it can be written");
    let server = Launch::on(data).start();
    assert!(snapshot_files(server.data()).is_empty(), "{:?}", snapshot_files(server.data()));
}
