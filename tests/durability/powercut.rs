//! The power is cut: what no fsync has followed is gone. See `powercut.c`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use crate::harness::{DataFolder, Launch, TestServer};
use crate::ledger;
use crate::left;
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
    assert_eq!(status.code(), Some(CUT), "the shim ends the process, and not {status}");
    data
}

/// Cuts the power of a server under load again and again, and looks after each cut for what was acknowledged before it.
///
/// # Errors
/// What the first cut has taken that took anything, in words.
fn cut_again_and_again(options: impl Fn(Launch) -> Launch) -> Result<(), String> {
    let mut server = options(launch(DataFolder::new(), 0)).start();
    let rest = Rest::of(&server);
    let docs: Vec<String> = (0..3).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let path = format!("/v1/docs/{}", docs[0]);
    let mut load = Load::start(&server, &docs, 12);
    for seed in 0..6 {
        let lost = |what: String| Err(format!("cut {seed}: {what}"));
        load.wait_for(20 + 60 * seed as usize);
        let title = format!("renamed before cut {seed}");
        Rest::of(&server).patch(&path, &json!({ "title": title })).expect(200);
        let data = cut_the_power(server);
        let writers = load.halt();
        let verified = left::verify(&data);
        server = match options(launch(data, seed)).try_start() {
            Ok(server) => server,
            Err(failed) => return lost(failed.messages),
        };
        let losses = ledger::losses(&server, &writers);
        if !losses.is_empty() {
            return lost(losses.join("\n"));
        }
        let found = Rest::of(&server).get(&path).expect(200).json();
        if found["metadata"]["title"] != title {
            return lost(format!("the title is {}", found["metadata"]["title"]));
        }
        if let Err(complaints) = verified {
            return lost(complaints);
        }
        load = Load::go_on(&server, writers);
    }
    load.wait_for(12);
    ledger::check(&server, load.finish());
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost_by_power_cuts() {
    cut_again_and_again(|launch| launch).unwrap_or_else(|lost| panic!("{lost}"));
}

#[test]
fn nothing_acknowledged_is_lost_by_power_cuts_while_operations_settle() {
    cut_again_and_again(left::settling).unwrap_or_else(|lost| panic!("{lost}"));
}

/// The proof that the two tests above could fail: the same without an fsync.
#[test]
fn without_fsync_acknowledged_operations_are_lost() {
    for options in [|launch| launch, left::settling] {
        let forgetful = |launch| options(launch).with("QUIRE_SQLITE_SYNCHRONOUS", "off");
        let lost = cut_again_and_again(forgetful).expect_err("nothing was lost by six cuts");
        eprintln!("{lost}");
    }
}
