//! Damaged files: a snapshot that cannot be trusted is passed over, a log with a gap is an error, and `verify` finds both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::client::TestClient;
use crate::connection::{Connection as Socket, Incoming};
use crate::harness::{DataFolder, Launch, TestServer, quire};
use crate::rest::Rest;

/// Runs a statement on the database of a stopped server; how many rows it changed.
fn execute(data: &DataFolder, sql: &str, doc: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(data.path().join("quire.db"));
        let mut connection: SqliteConnection = options.connect().await.expect("the database opens");
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(doc).execute(&mut connection).await;
        connection.close().await.expect("it closes");
        done.expect("a sound statement").rows_affected()
    })
}

/// `quire verify` on a stopped server's folder.
fn verify(data: &DataFolder) -> Output {
    let mut command = quire();
    command.arg("verify").arg("--data").arg(data.path()).output().expect("the binary runs")
}

/// What a command has said, wherever.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Writes a document of `versions` versions whose text does not compress, so that its snapshots are files; its id and
/// text, and what the stopped server has left. With `crashed` nothing was written at the end.
fn written(versions: u64, crashed: bool) -> (String, String, DataFolder) {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": noise(120_000) }]));
    let mut writer = TestClient::join(&server, &doc);
    for n in 1..versions {
        writer.insert(n, "x");
    }
    let text = writer.text();
    if crashed {
        return (doc, text, server.kill());
    }
    server.signal(libc::SIGTERM);
    (doc, text, server.ended().1)
}

/// Letters without any pattern (xorshift64).
pub fn noise(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let letters = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    });
    letters.take(length).collect()
}

/// The files of snapshots, oldest first.
pub fn snapshot_files(data: &DataFolder) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&data.path().join("snapshots"), &mut files);
    files.sort_by_key(|file| fs::metadata(file).and_then(|meta| meta.modified()).expect("it is there"));
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("readable").path())
    {
        if entry.is_dir() {
            collect(&entry, files);
        } else {
            files.push(entry);
        }
    }
}

/// Flips some bytes in the middle: of what is packed, single bits may mean nothing.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes.iter_mut().skip(middle).take(16).for_each(|byte| *byte ^= 0x40);
    fs::write(file, bytes).expect("it can be written");
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_older_one() {
    let (doc, text, data) = written(330, false);
    let files = snapshot_files(&data);
    assert!(files.len() >= 2, "{files:?}");
    assert!(verify(&data).status.success(), "{}", said(&verify(&data)));
    damage(files.last().expect("there are two"));

    let found = verify(&data);
    assert!(!found.status.success(), "verify has not noticed: {}", said(&found));
    assert!(said(&found).contains(&doc) && said(&found).contains("330"), "{}", said(&found));

    let server = Launch::on(data).start();
    assert_eq!(Rest::of(&server).text(&doc), text);
    let mut client = TestClient::join(&server, &doc);
    assert_eq!(client.text(), text);
    client.insert(0, "on we go ");
}

#[test]
fn without_any_sound_snapshot_the_log_alone_is_enough() {
    let (doc, text, data) = written(220, false);
    snapshot_files(&data).iter().for_each(|file| damage(file));
    let server = Launch::on(data).start();
    assert_eq!(TestClient::join(&server, &doc).text(), text);
    let server = Launch::on(server.kill()).start();
    assert_eq!(Rest::of(&server).text(&doc), text);
}

#[test]
fn a_missing_snapshot_is_passed_over_too() {
    let (doc, text, data) = written(220, false);
    for file in snapshot_files(&data) {
        fs::remove_file(file).expect("it is there");
    }
    assert!(said(&verify(&data)).contains(&doc), "{}", said(&verify(&data)));
    let server = Launch::on(data).start();
    assert_eq!(Rest::of(&server).text(&doc), text);
}

#[test]
fn a_gap_in_the_log_is_an_error_and_not_an_empty_document() {
    let (doc, _, data) = written(40, true);
    // Every operation was a commit of its own.
    let settled = "DELETE FROM ops WHERE doc_id = ? AND version = 20";
    let unsettled = "DELETE FROM recent_batches
        WHERE id IN (SELECT batch FROM unsettled_ops WHERE doc_id = ? AND version = 20)";
    let removed: u64 = [settled, unsettled].map(|sql| execute(&data, sql, &doc)).iter().sum();
    assert_eq!(removed, 1, "one operation was taken out");
    let found = verify(&data);
    assert!(!found.status.success(), "verify has not noticed: {}", said(&found));
    assert!(said(&found).contains(&doc) && said(&found).contains("20"), "{}", said(&found));

    let server = Launch::on(data).start();
    let rest = Rest::of(&server);
    for path in ["content", "content?version=30", "ops?from=0"] {
        let answer = rest.get(&format!("/v1/docs/{doc}/{path}"));
        assert!(answer.status >= 500, "{path} is answered with {}: {}", answer.status, answer.text());
    }
    assert_ne!(first_answer(&server, &doc)["type"], "welcome");
    // What is before the gap can still be read, and other documents are not touched.
    let answer = rest.get(&format!("/v1/docs/{doc}/ops?from=0&to=19")).expect(200).json();
    assert_eq!(answer["ops"].as_array().map(Vec::len), Some(19));
    let other = rest.create(&json!([{ "insert": "fine\n" }]));
    TestClient::join(&server, &other).insert(0, "still ");
    assert_eq!(rest.text(&other), "still fine\n");
}

#[test]
fn a_log_that_has_lost_its_end_is_an_error_and_not_a_shorter_document() {
    let (doc, _, data) = written(131, false);
    assert_eq!(execute(&data, "DELETE FROM ops WHERE doc_id = ?", &doc), 131);
    let found = verify(&data);
    assert!(!found.status.success(), "verify has not noticed: {}", said(&found));

    let server = Launch::on(data).start();
    let rest = Rest::of(&server);
    for path in ["content", "content?version=0", "content?version=131"] {
        let answer = rest.get(&format!("/v1/docs/{doc}/{path}"));
        assert!(answer.status >= 500, "{path} is answered with {}: {}", answer.status, answer.text());
    }
    assert_ne!(first_answer(&server, &doc)["type"], "welcome");
    let write = json!({ "base": 0, "delta": [{ "insert": "over the lost" }] });
    let answer = rest.post(&format!("/v1/docs/{doc}/ops"), &write);
    assert!(answer.status >= 500, "a write is answered with {}: {}", answer.status, answer.text());
    let why = format!("document {doc} cannot be read at version 1: the log ends at version 0");
    assert!(server.messages().contains(&why), "{}", server.messages());
}

#[test]
fn a_damaged_row_of_a_snapshot_is_passed_over_too() {
    let (doc, text, data) = written(120, false);
    assert!(!snapshot_files(&data).is_empty());
    let damage = "UPDATE snapshots SET history = 'not-a-uuid' WHERE doc_id = ?";
    assert!(execute(&data, damage, &doc) > 0);
    assert!(said(&verify(&data)).contains(&doc), "{}", said(&verify(&data)));
    let server = Launch::on(data).start();
    assert_eq!(Rest::of(&server).text(&doc), text);
    TestClient::join(&server, &doc).insert(0, "on we go ");
}

/// What becomes of a client that wants to join: the first frame, or a failed handshake.
fn first_answer(server: &TestServer, doc: &str) -> Value {
    let Ok(mut socket) = Socket::open(server.address(), doc) else { return Value::Null };
    socket.send(&json!({ "type": "hello", "client": uuid::Uuid::new_v4() })).expect("open");
    match socket.next() {
        Incoming::Frame(frame) => frame,
        Incoming::Closed(_) => Value::Null,
    }
}
