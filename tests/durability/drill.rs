//! A drill: what a crash and a restore cost, in time and in edits. `scripts/drill` shows the figures.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::harness::{self, DataFolder, Launch, TestServer};
use crate::ledger;
use crate::load::{Load, Writer};
use crate::postgres::Postgres;
use crate::replica::Replica;
use crate::rest::Rest;

const WRITERS: usize = 50;
const DOCUMENTS: usize = 20;
/// Documents that are all open, and come back at once.
const RECONNECTING: usize = 1_000;
/// How soon. A build for tests runs beside other tests.
const BACK_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 15 } else { 5 });

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn documents(rest: &Rest, count: usize) -> Vec<String> {
    (0..count).map(|n| rest.create(&json!([{ "insert": format!("Document {n}\n") }]))).collect()
}

/// Lets the server, and what belongs to it, crash under a load, and start again.
fn crash(what: &str, launch: impl Fn(DataFolder) -> Launch, and: impl FnOnce()) {
    let server = launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), DOCUMENTS);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(2_000);
    let crashed = Instant::now();
    let data = server.kill();
    and();
    let server = launch(data).start();
    let ready = crashed.elapsed();
    load.move_to(&server);
    load.wait_for(1);
    let first = crashed.elapsed();
    load.wait_for(WRITERS * 2);
    tell(what, ready, first, &server, load.finish());
}

/// Says what it has cost, and checks that no edit is among that.
pub fn tell(what: &str, ready: Duration, first: Duration, server: &TestServer, writers: Vec<Writer>) {
    let acknowledged: usize = writers.iter().map(|writer| writer.replica.acknowledged.len()).sum();
    let lost = ledger::losses(server, &writers);
    println!(
        "{what}: ready after {}, first edit acknowledged after {}; of {acknowledged} acknowledged edits {} lost",
        seconds(ready),
        seconds(first),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    ledger::check(server, writers);
}

#[test]
fn a_server_that_crashes_comes_back_with_all_that_was_acknowledged() {
    crash("server killed", Launch::on, || {});
}

#[test]
fn a_server_and_its_database_that_crash_come_back_with_all_that_was_acknowledged() {
    let postgres = Postgres::start();
    crash(
        "server and PostgreSQL killed",
        |data| postgres.launch(data),
        || {
            postgres.kill();
            postgres.resume();
        },
    );
}

/// Many documents that were open when the server crashed, all at once.
#[test]
fn a_thousand_documents_come_back_on_demand() {
    let server = TestServer::start();
    let docs = documents(&Rest::of(&server), RECONNECTING);
    let held: Vec<_> = docs.iter().map(|doc| (doc.clone(), TestClient::join(&server, doc).leave())).collect();
    let data = server.kill();
    let crashed = Instant::now();
    let server = Launch::on(data).start();
    let ready = crashed.elapsed();
    let address = server.address();
    thread::scope(|scope| {
        for part in held.chunks(RECONNECTING / 8) {
            scope.spawn(move || part.iter().for_each(|(doc, replica)| resume(address, doc, replica.clone())));
        }
    });
    let back = crashed.elapsed();
    println!("{RECONNECTING} documents: ready after {}, all back after {}", seconds(ready), seconds(back));
    assert!(back < BACK_WITHIN, "it took {back:?}");
}

fn resume(address: &str, doc: &str, replica: Replica) {
    let resumed =
        TestClient::try_resume(address, doc, replica).unwrap_or_else(|lost| panic!("{doc}: {}", lost.why));
    assert_eq!(resumed.replica.version, 1);
}

/// A backup beside a running server, and the way back from it.
#[test]
fn a_backup_restores_all_that_was_acknowledged_before_it() {
    let server = TestServer::start();
    let docs = documents(&Rest::of(&server), DOCUMENTS);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(5_000);
    let writers = load.finish();
    let acknowledged: usize = writers.iter().map(|writer| writer.replica.acknowledged.len()).sum();
    let data = DataFolder::new();
    let file = data.beside("drill.qbak");
    let begun = Instant::now();
    quire(&["backup", "--data"], &server.data().path(), &["-o", file.to_str().expect("UTF-8")]);
    let (made, bytes) = (begun.elapsed(), std::fs::metadata(&file).expect("it was written").len());
    let lost_at = Instant::now();
    drop(server);
    quire(&["restore", file.to_str().expect("UTF-8"), "--data"], &data.path(), &[]);
    let server = Launch::on(data).start();
    let lost = ledger::losses(&server, &writers);
    println!(
        "backup of {acknowledged} edits: made in {}, {bytes} bytes; restored and ready after {}; {} lost",
        seconds(made),
        seconds(lost_at.elapsed()),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
}

fn quire(before: &[&str], folder: &Path, after: &[&str]) {
    let mut command = harness::quire();
    let done = command.args(before).arg(folder).args(after).output();
    let done = done.expect("the binary can be started");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
