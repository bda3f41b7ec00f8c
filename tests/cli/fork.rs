//! `quire fork`: documents whose logs may have lost their ends part from what others hold.

use serde_json::json;

use crate::backup::Shelf;
use crate::client::TestClient;
use crate::command::quire;
use crate::harness::{DataFolder, Launch, TestServer};
use crate::postgres::Database;
use crate::replica::Replica;
use crate::rest::Rest;

fn written(server: &TestServer) -> (String, u64, serde_json::Value) {
    let doc = Rest::of(server).create(&json!([{ "insert": "Hello\n" }]));
    let mut client = TestClient::join(server, &doc);
    for n in 0..130 {
        client.insert(n % 5, "x");
    }
    (doc, client.replica.version, client.welcome["history"].clone())
}

#[test]
fn a_fork_parts_from_the_old_history_where_the_log_ends() {
    for database in [None, Some(Database::new())] {
        let launch = |data| match &database {
            None => Launch::on(data),
            Some(database) => database.launch(data),
        };
        let server = launch(DataFolder::new()).start();
        let (doc, version, history) = written(&server);
        server.signal(libc::SIGTERM);
        let data = server.ended().1;
        let folder = data.path().into_os_string();
        let mut flags = vec!["--data".into(), folder];
        if let Some(database) = &database {
            flags.extend(["--database-url".into(), database.url.clone().into()]);
        }
        let with = |command: &str| [vec![command.into()], flags.clone()].concat();
        assert!(quire(with("fork")).err.ends_with("forked 1 documents\n"));
        quire(with("verify")).succeeds();

        let server = launch(data).start();
        let hello = |since: u64| json!({ "since": since, "history": history });
        let behind = TestClient::join_with(&server, &doc, Replica::new(), hello(version));
        assert_eq!(behind.welcome["since"], json!(version), "{}", behind.welcome);
        let fresh = &behind.welcome["history"];
        assert_ne!(fresh, &history);
        let mut writer = TestClient::join(&server, &doc);
        writer.insert(0, "after it");
        // It may hold another version of this number.
        let ahead = TestClient::join_with(&server, &doc, Replica::new(), hello(version + 1));
        assert_eq!(ahead.welcome["reset"], true, "{}", ahead.welcome);
        let same = json!({ "since": version + 1, "history": fresh });
        let same = TestClient::join_with(&server, &doc, Replica::new(), same);
        assert_eq!(same.welcome["since"], json!(version + 1), "{}", same.welcome);
    }
}

#[test]
fn a_document_that_does_not_exist_is_named() {
    let server = TestServer::start();
    let data = server.kill();
    let folder = data.path().into_os_string();
    quire(["fork".into(), "--data".into(), folder, "--doc".into(), "nobody".into()])
        .fails_with(&["nobody", "not found"]);
}

/// Servers of a cluster would take their shards back while documents are forked or restored under them.
#[test]
fn beside_a_server_nothing_is_forked_or_restored() {
    let (database, shelf, elsewhere) = (Database::new(), Shelf::new(), DataFolder::new());
    let server = database.launch(DataFolder::new()).start();
    let (doc, version, _) = written(&server);
    std::fs::create_dir_all(elsewhere.path()).expect("the folder is ours");
    let place = ["--database-url", &database.url];
    shelf.back_up(&elsewhere, &place).succeeds();

    let folder = elsewhere.path().into_os_string().into_string().expect("UTF-8");
    let fork = [&["fork", "--data", &folder][..], &place].concat();
    quire(fork).fails_with(&["servers are running"]);
    let restore = [&place[..], &["--doc", &doc, "--as", "copy"]].concat();
    shelf.restore(&elsewhere, &restore).fails_with(&["servers are running"]);

    // It has lost nothing by it.
    TestClient::join(&server, &doc).insert(0, "x");
    assert_eq!(Rest::of(&server).content(&doc).0, version + 1);
    Rest::of(&server).get("/v1/docs/copy").expect(404);
}
