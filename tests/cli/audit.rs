//! `quire audit`: what somebody does to the records by hand is found, with the first record that does not fit.

use serde_json::{Value, json};

use crate::command::{Ran, quire};
use crate::database;
use crate::harness::{DataFolder, TestServer};
use crate::rest::Rest;

fn audit(what: &[&str], data: &DataFolder) -> Ran {
    let folder = data.path().to_str().expect("UTF-8").to_owned();
    let words = ["audit"].iter().chain(what).map(|word| (*word).to_owned());
    quire(words.chain(["--data".to_owned(), folder]))
}

/// A folder in which documents were made, changed, read and purged.
fn recorded() -> DataFolder {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    rest.patch(&format!("/v1/docs/{doc}"), &json!({ "title": "Other" })).expect(200);
    rest.text(&doc);
    rest.delete(&format!("/v1/docs/{doc}")).expect(204);
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    server.signal(libc::SIGTERM);
    server.ended().1
}

#[test]
fn all_records_are_there_and_fit() {
    let data = recorded();
    let lines = audit(&["export"], &data).succeeds();
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let actions: Vec<_> = records.iter().filter_map(|record| record["action"].as_str()).collect();
    assert_eq!(actions, ["doc.create", "doc.change", "doc.read", "doc.trash", "doc.purge"]);
    assert!(records.iter().all(|record| record["actor"] == "guest:rest" && record["outcome"] == "done"));
    assert!(records.iter().all(|record| record["subject"] == records[0]["subject"]), "{lines}");
    let told = audit(&["verify"], &data).succeeds();
    let end = records[4]["hash"].as_str().expect("a hash");
    assert_eq!(told, format!("main:5:{end}\n"));
    audit(&["verify", "--noted", told.trim()], &data).succeeds();
    let other = told.trim().replace(end, &"0".repeat(64));
    let told = audit(&["verify", "--noted", &other], &data).fails_with(&["1 chain"]);
    assert!(told.contains("record 5 of chain main"), "{told}");
}

#[test]
fn a_record_changed_removed_moved_or_put_in_by_hand_is_named() {
    for (sql, first) in [
        ("UPDATE audit SET actor = 'eve' WHERE n = 3", 3),
        ("UPDATE audit SET details = '{}' WHERE n = 1", 1),
        ("UPDATE audit SET hash = zeroblob(32) WHERE n = 2", 2),
        ("DELETE FROM audit WHERE n = 4", 4),
        ("DELETE FROM audit WHERE n = 1", 1),
        ("DELETE FROM audit WHERE n = 5", 5),
        ("UPDATE audit SET n = CASE n WHEN 3 THEN -2 WHEN 2 THEN -3 END WHERE n IN (2, 3)", 1),
        (
            "INSERT INTO audit SELECT chain, 6, at, 'eve', address, action, subject, outcome, details, hash, previous FROM audit WHERE n = 5",
            6,
        ),
        (
            "INSERT INTO audit SELECT chain, 6, at, actor, address, action, subject, outcome, details, hash, hash FROM audit WHERE n = 5",
            6,
        ),
    ] {
        let data = recorded();
        database::change(&data, sql);
        if sql.contains("hash, hash") {
            database::change(&data, "UPDATE audit_chains SET n = 6");
        }
        if sql.contains("CASE") {
            database::change(&data, "UPDATE audit SET n = -n WHERE n < 0");
        }
        let told = audit(&["verify"], &data).fails_with(&["1 chain of the audit log"]);
        let first = if sql.contains("CASE") { 2 } else { first };
        assert!(told.starts_with(&format!("record {first} of chain main: ")), "{sql}: {told}");
    }
}
