//! `quire backup` and `quire restore`: what was acknowledged comes back, whatever happens to the server or to the file.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::TestClient;
use crate::command::{Ran, quire};
use crate::harness::{DataFolder, Launch, TestServer};
use crate::postgres::Database;
use crate::rest::Rest;

/// A folder for backups.
pub struct Shelf(TempDir);

impl Shelf {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for temporary files"))
    }

    pub fn file(&self) -> PathBuf {
        self.0.path().join("all.qbak")
    }

    /// Makes a backup of a folder, or with `more` of a database.
    pub fn back_up(&self, data: &DataFolder, more: &[&str]) -> Ran {
        let mut args: Vec<OsString> = ["backup", "--data"].map(OsString::from).into();
        args.extend([data.path().into(), "-o".into(), self.file().into()]);
        args.extend(more.iter().map(OsString::from));
        quire(args)
    }

    pub fn restore(&self, data: &DataFolder, more: &[&str]) -> Ran {
        let mut args: Vec<OsString> = vec!["restore".into(), self.file().into(), "--data".into()];
        args.push(data.path().into());
        args.extend(more.iter().map(OsString::from));
        quire(args)
    }
}

/// Everything that REST tells of a document, but what a restore makes anew.
fn told(rest: &Rest, doc: &str) -> Value {
    let row = rest.get(&format!("/v1/docs/{doc}"));
    if row.status == 404 {
        // When it was put into the trash.
        return row.json();
    }
    let mut row = row.expect(200).json();
    let metadata = row["metadata"].as_object_mut().expect("an object");
    metadata.retain(|name, _| !["history", "snapshot_version"].contains(&&**name));
    json!({ "row": row, "content": rest.content(doc), "ops": rest.ops(doc) })
}

fn same(before: &[Value], after: &[Value]) {
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before["row"], after["row"]);
        assert!(before == after, "content or log of {}", before["row"]);
    }
}

/// A server with documents of every kind, and their ids; the last one was purged.
fn served(launch: Launch) -> (TestServer, [String; 5]) {
    let server = launch.start();
    let rest = Rest::of(&server);
    let written = rest.create(&json!([{ "insert": "Zürich 🙂\n", "attributes": { "bold": true } }]));
    let mut client = TestClient::join(&server, &written);
    for n in 0..150 {
        client.insert(n % 7, "x");
    }
    let empty = rest.create_empty();
    let [thrown, archived, purged] = ["thrown", "archived", "purged"].map(|title| {
        let doc = json!({ "title": title, "content": [{ "insert": "text\n" }] });
        rest.post("/v1/docs", &doc).expect(201).json()["id"].as_str().expect("an id").to_owned()
    });
    rest.delete(&format!("/v1/docs/{thrown}")).expect(204);
    rest.patch(&format!("/v1/docs/{archived}"), &json!({ "archived": true })).expect(200);
    rest.delete(&format!("/v1/docs/{purged}?purge=true")).expect(204);
    (server, [written, empty, thrown, archived, purged])
}

/// The same after a restart: what lists show is behind the text while it is being written.
fn settled() -> (TestServer, [String; 5]) {
    let (server, docs) = served(Launch::new());
    (Launch::on(stopped(server)).start(), docs)
}

pub fn stopped(server: TestServer) -> DataFolder {
    server.signal(libc::SIGTERM);
    let (status, data) = server.ended();
    assert!(status.success(), "{status}");
    data
}

#[test]
fn everything_comes_back_from_a_folder_to_a_folder_and_is_sound() {
    let shelf = Shelf::new();
    let (server, docs) = settled();
    let rest = Rest::of(&server);
    let before: Vec<_> = docs[..4].iter().map(|doc| told(&rest, doc)).collect();
    let made = shelf.back_up(&stopped(server), &[]);
    let all = "4 documents, 153 operations, 1 purged ids, 0 rows of accounts, rights, names and comments\n";
    assert!(made.err.ends_with(all), "{made:?}");
    let data = DataFolder::new();
    let restored = shelf.restore(&data, &[]);
    assert!(restored.err.ends_with(&format!("restored {all}")), "{restored:?}");

    let server = Launch::on(data).start();
    let rest = Rest::of(&server);
    let after: Vec<_> = docs[..4].iter().map(|doc| told(&rest, doc)).collect();
    same(&before, &after);
    // An id that was purged is given to nobody.
    rest.post("/v1/docs", &json!({ "id": docs[4] })).expect_problem(409, "conflict");
    rest.get(&format!("/v1/docs/{}", docs[4])).expect(404);
    let data = stopped(server);
    quire(["verify".into(), "--data".into(), data.path().into_os_string()]).succeeds();
}

#[test]
fn a_folder_moves_to_postgres_and_back_with_its_histories() {
    let (there, back) = (Shelf::new(), Shelf::new());
    let (server, docs) = settled();
    let before: Vec<_> = docs[..4].iter().map(|doc| told(&Rest::of(&server), doc)).collect();
    let history = TestClient::join(&server, &docs[0]).welcome["history"].clone();
    there.back_up(&stopped(server), &[]).succeeds();

    let database = Database::new();
    let data = DataFolder::new();
    there.restore(&data, &["--keep-history", "--database-url", &database.url]).succeeds();
    let server = database.launch(data).start();
    let moved: Vec<_> = docs[..4].iter().map(|doc| told(&Rest::of(&server), doc)).collect();
    same(&before, &moved);
    let mut client = TestClient::join(&server, &docs[0]);
    assert_eq!(client.welcome["history"], history);
    client.insert(0, "more");

    back.back_up(server.data(), &["--database-url", &database.url]).succeeds();
    let data = DataFolder::new();
    back.restore(&data, &["--keep-history"]).succeeds();
    let server = Launch::on(data).start();
    let client = TestClient::join(&server, &docs[0]);
    assert_eq!((&client.welcome["history"], client.replica.version), (&history, 152));
}

/// Whoever goes on from what the backup has resumes; whoever was further begins anew, and what a client sent twice is
/// known as such.
#[test]
fn clients_go_on_after_a_restore_from_where_it_has_parted() {
    let shelf = Shelf::new();
    let (server, docs) = served(Launch::new());
    let mut client = TestClient::join(&server, &docs[0]);
    client.insert(0, "in the backup");
    let (history, version) = (client.welcome["history"].clone(), client.replica.version);
    let kept = client.leave();
    // Beside the running server.
    shelf.back_up(server.data(), &[]).succeeds();
    TestClient::join(&server, &docs[0]).insert(0, "and not in it");
    drop(server);

    let data = DataFolder::new();
    shelf.restore(&data, &[]).succeeds();
    let server = Launch::on(data).start();
    let hello = |since| json!({ "since": since, "history": history });
    let ahead = TestClient::join_with(&server, &docs[0], crate::replica::Replica::new(), hello(version + 1));
    assert_eq!(ahead.welcome["reset"], true, "{}", ahead.welcome);
    assert_ne!(ahead.welcome["history"], history);
    let mut client = TestClient::join_with(&server, &docs[0], kept, hello(version));
    assert_eq!((&client.welcome["since"], &client.welcome["last_seq"]), (&json!(version), &json!(1)));
    client.insert(0, "going on");
    // A history that the document never had is no way to go on.
    let stranger = json!({ "since": 3, "history": uuid::Uuid::new_v4() });
    let stranger = TestClient::join_with(&server, &docs[0], crate::replica::Replica::new(), stranger);
    assert_eq!(stranger.welcome["reset"], true, "{}", stranger.welcome);
}

#[test]
fn one_document_is_restored_as_it_was_beside_what_is_there() {
    let shelf = Shelf::new();
    let (server, docs) = served(Launch::new());
    let rest = Rest::of(&server);
    let ops = rest.ops(&docs[0]);
    let at = |version: u64| {
        rest.get(&format!("/v1/docs/{}/content?version={version}", docs[0])).expect(200).json()
    };
    let (before, by_time) = (at(60), ops[99]["at"].as_i64().expect("a time"));
    let then = ops.iter().filter(|op| op["at"].as_i64() <= Some(by_time)).count() as u64;
    let content_then = at(then);
    let data = stopped(server);
    shelf.back_up(&data, &[]).succeeds();
    shelf.restore(&data, &["--doc", &docs[0]]).fails_with(&["is here already", &docs[0]]);
    shelf
        .restore(&data, &["--doc", &docs[4], "--as", "again"])
        .fails_with(&["is not in the backup", &docs[4]]);
    shelf.restore(&data, &["--doc", &docs[0], "--as", "as-at-60", "--at", "60"]).succeeds();
    let time = humantime::format_rfc3339_millis(
        std::time::UNIX_EPOCH + std::time::Duration::from_millis(by_time.cast_unsigned()),
    );
    shelf.restore(&data, &["--doc", &docs[0], "--as", "by-time", "--time", &time.to_string()]).succeeds();

    let server = Launch::on(data).start();
    let rest = Rest::of(&server);
    assert_eq!(rest.content("as-at-60"), (60, before["content"].clone()));
    assert_eq!(rest.content("by-time"), (then, content_then["content"].clone()));
    assert_eq!(rest.ops(&docs[0]), ops, "the original is as it was");
    TestClient::join(&server, "as-at-60").insert(0, "goes on");
}

#[test]
fn a_backup_beside_a_running_server_has_all_that_was_acknowledged_before_it() {
    for database in [None, Some(Database::new())] {
        let launch = |data| match &database {
            None => Launch::on(data),
            Some(database) => database.launch(data),
        };
        let flags =
            database.as_ref().map_or(vec![], |database| vec!["--database-url", database.url.as_str()]);
        let shelf = Shelf::new();
        let (server, docs) = served(launch(DataFolder::new()));
        let mut client = TestClient::join(&server, &docs[1]);
        let writer = std::thread::scope(|scope| {
            // It goes on writing while the backup is made.
            let writer = scope.spawn(|| {
                for n in 0..400 {
                    client.insert(n, "y");
                }
                client.replica.version
            });
            let rest = Rest::of(&server);
            while rest.content(&docs[1]).0 < 100 {}
            let (before, _) = rest.content(&docs[1]);
            shelf.back_up(server.data(), &flags).succeeds();
            (before, writer.join().expect("the writer gets through"))
        });
        let data = DataFolder::new();
        shelf.restore(&data, &[]).succeeds();
        let restored = Launch::on(data).start();
        let (version, _) = Rest::of(&restored).content(&docs[1]);
        assert!((writer.0..=writer.1).contains(&version), "{version} of {writer:?}");
        let log = Rest::of(&server).ops(&docs[1]);
        assert_eq!(Rest::of(&restored).ops(&docs[1]), log[..version as usize]);
    }
}

#[test]
fn a_backup_that_is_damaged_or_cut_off_is_refused_with_the_reason() {
    let shelf = Shelf::new();
    let (server, _) = served(Launch::new());
    shelf.back_up(&stopped(server), &[]).succeeds();
    let whole = fs::read(shelf.file()).expect("it was written");
    let mut flipped = whole.clone();
    // Several, since zstd has single bits that mean nothing: without them everything is there.
    flipped[whole.len() / 2..][..16].iter_mut().for_each(|byte| *byte ^= 0x40);
    let newer = [b"QBAK\x03".as_slice(), &whole[5..]].concat();
    for (bytes, words) in [
        (&whole[..whole.len() - 1], &["cut off"] as &[_]),
        (&whole[..whole.len() / 2], &["cut off"]),
        (&whole[..3], &["no backup"]),
        (&flipped, &["damaged", "line"]),
        (b"PK\x03\x04 something else", &["no backup"]),
        (&newer, &["format 3"]),
    ] {
        fs::write(shelf.file(), bytes).expect("the folder is ours");
        let data = DataFolder::new();
        shelf.restore(&data, &[]).fails_with(words);
        // It was read to its end before anything was made.
        assert!(!data.path().exists(), "{words:?}");
    }
}

#[test]
fn nothing_is_restored_over_documents_and_nothing_is_made_where_there_are_none() {
    let shelf = Shelf::new();
    let (server, _) = served(Launch::new());
    let data = stopped(server);
    shelf.back_up(&data, &[]).succeeds();
    shelf.restore(&data, &[]).fails_with(&["documents here already"]);
    let nowhere = DataFolder::new();
    let other = Shelf::new();
    other.back_up(&nowhere, &[]).fails_with(&["no database"]);
    assert!(!nowhere.path().exists() && !other.file().exists());
}
