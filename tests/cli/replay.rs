//! `quire replay`: traces go through a real server and end with their own text.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, quire};
use crate::harness::TestServer;
use crate::rest::Rest;

/// What is typed: of one, two, three and four bytes, of one and two UTF-16 code units.
const LETTERS: [char; 8] = ['a', 'b', ' ', '\n', 'é', '漢', '😀', '\u{301}'];

/// A history of `edits` random edits, in the format of the traces: positions count code points.
fn generated(seed: u64, edits: usize) -> Value {
    generated_of(seed, edits, 1..=3)
}

/// The same with so many patches in each edit.
fn generated_of(seed: u64, edits: usize, patches: RangeInclusive<usize>) -> Value {
    let mut random = fastrand::Rng::with_seed(seed);
    let start = "It begins with 😀.\n";
    let mut text: Vec<char> = start.chars().collect();
    let transactions: Vec<Value> = (0..edits)
        .map(|n| {
            let patches: Vec<Value> = (0..random.usize(patches.clone()))
                .map(|_| {
                    let position = random.usize(..=text.len());
                    let deleted = random.usize(..=3).min(text.len() - position);
                    let inserted: Vec<char> =
                        (0..random.usize(..=5)).map(|_| LETTERS[random.usize(..LETTERS.len())]).collect();
                    text.splice(position..position + deleted, inserted.iter().copied());
                    json!([position, deleted, String::from_iter(inserted)])
                })
                .collect();
            json!({ "time": format!("2026-01-01T00:{:02}:{:02}.000Z", n / 60, n % 60), "patches": patches })
        })
        .collect();
    json!({ "startContent": start, "endContent": String::from_iter(text), "txns": transactions })
}

/// Writes a trace where the command finds it.
fn saved(trace: &Value) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("trace.json");
    fs::write(&path, trace.to_string()).expect("the folder is ours");
    (folder, path)
}

/// The same, gzipped as the recorded ones are.
fn saved_gzipped(trace: &Value) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("trace.json.gz");
    let mut file = GzEncoder::new(File::create(&path).expect("the folder is ours"), Compression::fast());
    serde_json::to_writer(&mut file, trace).expect("it can be written");
    file.finish().expect("it can be written");
    (folder, path)
}

fn replay(trace: &Path, options: &[&str]) -> Ran {
    let args = [OsString::from("replay"), trace.into()];
    quire(args.into_iter().chain(options.iter().map(OsString::from)))
}

/// Replays to a server and compares its text with the trace's, beside the command's own comparison.
fn replay_to(server: &TestServer, path: &Path, end: &str, options: &[&str]) {
    let url = format!("http://{}", server.address());
    let ran = replay(path, &[&["--url", &url], options].concat());
    assert_eq!(ran.code, Some(0), "{}: {ran:?}", path.display());
    let page = ran.err.lines().find_map(|line| line.strip_prefix("replaying into ")).expect("it says where");
    let id = page.strip_prefix(&format!("{url}/d/")).expect("the address of a page");
    assert_eq!(Rest::of(server).text(id), end, "{}", path.display());
}

#[test]
fn a_trace_goes_through_a_server_of_its_own() {
    let (_folder, path) = saved(&generated(1, 400));
    let ran = replay(&path, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for told in ["the server's text is the recorded one", " op/s", "durable after p50 "] {
        assert!(ran.err.contains(told), "{told} is not told: {}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "its server did not stop in good order: {}", ran.err);
}

#[test]
fn a_trace_ends_with_its_end_text_however_it_is_played() {
    let server = TestServer::start();
    let trace = generated(2, 300);
    let (_folder, path) = saved(&trace);
    let end = trace["endContent"].as_str().expect("a text");
    let ways: [&[&str]; 4] =
        [&[], &["--one-by-one"], &["--window", "1000"], &["--pace", "recorded", "--speed", "1000"]];
    for options in ways {
        replay_to(&server, &path, end, options);
    }
}

#[test]
fn an_end_text_that_is_not_the_servers_is_noticed() {
    let mut trace = generated(3, 50);
    let end = trace["endContent"].as_str().expect("a text").to_owned();
    trace["endContent"] = Value::from(format!("{end}!"));
    let (_folder, path) = saved(&trace);
    let ran = replay(&path, &[]);
    assert!(ran.reason().contains(&format!("differ from byte {} on", end.len())), "{ran:?}");
}

#[test]
fn what_is_no_trace_is_refused_by_name() {
    let (_folder, path) = saved(&json!({ "startContent": "" }));
    replay(&path, &[]).fails_with(&["trace.json", "endContent"]);
    replay(Path::new("absent.json"), &[]).fails_with(&["absent.json", "No such file"]);
    let (_folder, path) =
        saved(&json!({ "startContent": "", "endContent": "", "txns": [{ "patches": [] }] }));
    replay(&path, &["--pace", "recorded"]).fails_with(&["no recorded times"]);
}

#[test]
fn an_edit_that_does_not_fit_is_an_error_and_not_a_panic() {
    let (_folder, path) =
        saved(&json!({ "startContent": "ab", "endContent": "a", "txns": [{ "patches": [[5, 1, ""]] }] }));
    let ran = replay(&path, &[]);
    assert!(ran.reason().contains("does not fit"), "{ran:?}");
}

/// Where the recorded traces are: they are not part of the sources.
fn corpora() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("QUIRE_CORPORA") {
        return Some(named.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    beside.is_dir().then_some(beside)
}

fn end_of(path: &Path) -> String {
    let file = File::open(path).expect("it is there");
    let mut trace: Value = serde_json::from_reader(GzDecoder::new(file)).expect("a trace");
    match trace["endContent"].take() {
        Value::String(end) => end,
        other => panic!("{} ends with {other}", path.display()),
    }
}

/// Those that are there in any case, in the form of the recorded ones.
#[test]
fn generated_traces_end_with_their_own_end_text() {
    let server = TestServer::start();
    for seed in 11..14 {
        let trace = generated_of(seed, 150, 2..=2);
        assert!(!trace["endContent"].as_str().expect("a text").is_ascii());
        let (_folder, path) = saved_gzipped(&trace);
        replay_to(&server, &path, &end_of(&path), &[]);
    }
}

#[test]
fn every_recorded_trace_ends_with_its_own_end_text() {
    let Some(corpora) = corpora() else {
        // What is printed by `eprintln!` is not shown of a test that passes.
        let mut output = std::io::stderr();
        let said =
            writeln!(output, "no recorded traces here, none was replayed: QUIRE_CORPORA names their folder");
        return said.expect("there is a standard error");
    };
    let server = TestServer::start();
    let traces = fs::read_dir(corpora.join("traces")).expect("the corpora have traces");
    let traces: Vec<PathBuf> = traces.map(|entry| entry.expect("readable").path()).collect();
    assert!(!traces.is_empty());
    thread::scope(|scope| {
        for path in &traces {
            let server = &server;
            scope.spawn(move || replay_to(server, path, &end_of(path), &[]));
        }
    });
}
