//! A disk that is full, or takes no writes: edits are put off, nothing is lost, and it goes on when that is over.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::client::TestClient;
use crate::harness::{DataFolder, Launch, TestServer};
use crate::ledger;
use crate::load::Load;
use crate::powercut;
use crate::rest::Rest;

/// Writes, goes on while the disk is spoilt, and after it is restored.
fn write_through(launch: Launch, spoil: impl FnOnce(&TestServer), restore: impl FnOnce(&TestServer)) {
    let server = launch.start();
    let rest = Rest::of(&server);
    let docs = [rest.create(&json!([{ "insert": "\n" }])), rest.create(&json!([{ "insert": "\n" }]))];
    let load = Load::start(&server, &docs, 6);
    load.wait_for(60);
    spoil(&server);
    load.wait_for_refusals(12);
    // Reading goes on.
    let reader = TestClient::join(&server, &docs[0]);
    assert!(reader.replica.version > 0);
    let refused = rest.post("/v1/docs", &json!({ "content": [{ "insert": "x" }] }));
    refused.expect_problem(503, "unavailable");
    restore(&server);
    load.wait_for(60);
    ledger::check(&server, load.finish());
    rest.create(&json!([{ "insert": "x" }]));
    assert_eq!(unknown_commits(&rest), 0, "commits that nobody could tell the outcome of");
}

fn unknown_commits(rest: &Rest) -> u64 {
    let metrics = rest.get("/metrics").expect(200).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("quire_commits_unknown_total "));
    line.and_then(|count| count.parse().ok()).expect("the counter is there")
}

#[test]
fn a_full_disk_puts_edits_off_and_loses_none() {
    let data = DataFolder::new();
    let full = data.beside("full");
    write_through(
        powercut::launch(data, 0),
        |_| drop(File::create(&full).expect("the folder is ours")),
        |_| fs::remove_file(&full).expect("just created"),
    );
}

/// A COMMIT whose fsync fails may have happened or not; here it has not, and that can be found out without writing.
#[test]
fn a_disk_that_does_not_sync_puts_edits_off_and_loses_none() {
    let data = DataFolder::new();
    let broken = data.beside("broken");
    write_through(
        powercut::launch(data, 0),
        |_| drop(File::create(&broken).expect("the folder is ours")),
        |_| fs::remove_file(&broken).expect("just created"),
    );
}

/// The size of the real disk.
const DISK: &str = "40m";

/// A server whose data is on a file system of its own, in memory, that ends with it: it is mounted where only the server
/// sees it, in a mount namespace, and whoever is not root is so in a user namespace.
fn on_a_small_disk(data: DataFolder) -> Launch {
    fs::create_dir(data.path()).expect("the folder is ours");
    // SAFETY: geteuid only reads the process's own id.
    let is_root = unsafe { libc::geteuid() } == 0;
    let namespaces: &[&str] = if is_root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let mount = format!(r#"mount -t tmpfs -o size={DISK} quire "$0" && exec "$@""#);
    let folder = data.path().to_str().expect("UTF-8").to_owned();
    let words = ["unshare"].iter().chain(namespaces).map(|word| (*word).to_owned());
    Launch::on(data).run_by(words.chain(["sh".into(), "-c".into(), mount, folder]))
}

/// A file on the server's disk, as it is seen from here.
fn ballast(server: &TestServer) -> PathBuf {
    let folder = server.data().path();
    let below = folder.strip_prefix("/").expect("an absolute path");
    Path::new("/proc").join(server.pid().to_string()).join("root").join(below).join("ballast")
}

fn throw_off_ballast(server: &TestServer) {
    fs::remove_file(ballast(server)).expect("it has been written before");
}

/// Writes a file until nothing more fits, not even a page.
pub fn fill(ballast: &Path) {
    let mut file = File::create(ballast).expect("the disk is seen");
    for size in [1 << 20, 4096] {
        let bytes = vec![1; size];
        loop {
            match file.write_all(&bytes) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("not a full disk: {error}"),
            }
        }
    }
}

/// Types into a document until the disk takes no more, beside a ballast that can be thrown off.
fn type_until_full(server: &TestServer) {
    fs::write(ballast(server), vec![1; 20 << 20]).expect("the disk is larger");
    let rest = Rest::of(server);
    let doc = rest.create(&json!([{ "insert": "\n" }]));
    let text = "x".repeat(50_000);
    for round in 0.. {
        let edits = [json!([{ "insert": text }]), json!([{ "delete": text.len() }])];
        for (edit, base) in edits.iter().zip(2 * round + 1..) {
            let answer = rest.post(&format!("/v1/docs/{doc}/ops"), &json!({ "base": base, "delta": edit }));
            if answer.status != 200 {
                answer.expect_problem(503, "unavailable");
                return;
            }
        }
    }
}

/// The end of the disk is met by whatever the server happens to write there.
#[test]
fn a_disk_filled_by_typing_puts_edits_off_and_loses_none() {
    write_through(on_a_small_disk(DataFolder::new()), type_until_full, throw_off_ballast);
}

#[test]
fn a_disk_that_is_really_full_puts_edits_off_and_loses_none() {
    write_through(on_a_small_disk(DataFolder::new()), |server| fill(&ballast(server)), throw_off_ballast);
}
