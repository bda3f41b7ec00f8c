//! The power is cut: what no fsync has followed is gone. See `powercut.c`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use crate::client::{TestClient, insertion};
use crate::harness::{DataFolder, Launch, TestServer};
use crate::ledger;
use crate::load::Load;
use crate::rest::Rest;

/// The exit code with which the shim ends the server.
const CUT: i32 = 86;

/// The shim, compiled.
fn shim() -> &'static PathBuf {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/durability/powercut.c");
        // Of this process alone: another test run may compile it at the same time.
        let library =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("powercut-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&library)
            .args([source, "-ldl", "-lpthread"])
            .output()
            .expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    })
}

/// A server on a disk that forgets; see `powercut.c` for the seed.
pub fn launch(data: DataFolder, seed: u64) -> Launch {
    let (folder, stash) = (data.path(), data.beside("stash"));
    // What an earlier run has kept is not to be put back.
    let _ = std::fs::remove_dir_all(&stash);
    std::fs::create_dir(&stash).expect("the folder is ours");
    let (full, broken) = (data.beside("full"), data.beside("broken"));
    Launch::on(data)
        .with("LD_PRELOAD", shim())
        .with("POWERCUT_DIR", folder)
        .with("POWERCUT_STASH", stash)
        .with("POWERCUT_SEED", seed.to_string())
        .with("POWERCUT_FULL", full)
        .with("POWERCUT_BROKEN", broken)
}

fn cut_the_power(server: TestServer) -> DataFolder {
    server.signal(libc::SIGUSR2);
    let (status, data) = server.ended();
    assert_eq!(status.code(), Some(CUT), "the shim ends the process");
    data
}

#[test]
fn nothing_acknowledged_is_lost_by_power_cuts() {
    let mut server = launch(DataFolder::new(), 0).start();
    let rest = Rest::of(&server);
    let docs: Vec<String> = (0..3).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let load = Load::start(&server, &docs, 12);
    let mut titles = Vec::new();
    for seed in 0..6 {
        load.wait_for(20 + 60 * seed as usize);
        let title = format!("renamed before cut {seed}");
        let path = format!("/v1/docs/{}", docs[0]);
        Rest::of(&server).patch(&path, &json!({ "title": title })).expect(200);
        titles.push(title);
        server = launch(cut_the_power(server), seed).start();
        load.move_to(&server);
        let found = Rest::of(&server).get(&path).expect(200).json();
        assert_eq!(found["metadata"]["title"], *titles.last().expect("just pushed"));
    }
    load.wait_for(12);
    ledger::check(&server, load.finish());
}

/// The proof that the test above could fail.
#[test]
fn without_fsync_acknowledged_operations_are_lost() {
    let server = launch(DataFolder::new(), 0).with("QUIRE_SQLITE_SYNCHRONOUS", "off").start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "\n" }]));
    let mut writer = TestClient::join(&server, &doc);
    for n in 0..50 {
        writer.edit(&insertion(n, "x"));
        writer.until_acknowledged();
    }
    let replica = writer.lose_connection();
    let server = Launch::on(cut_the_power(server)).start();
    let answer = Rest::of(&server).get(&format!("/v1/docs/{doc}/ops?from=0"));
    let log = if answer.status == 404 {
        Vec::new()
    } else {
        answer.expect(200).json()["ops"].as_array().expect("a list").clone()
    };
    assert!(!ledger::missing(&log, &replica).is_empty(), "all {} operations survived", log.len());
}
