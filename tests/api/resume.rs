//! Coming back: `since`, resends, resets, histories.

use std::time::Instant;

use serde_json::json;
use uuid::Uuid;

use crate::client::{TestClient, insertion};
use crate::connection::{Connection, Incoming};
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::replica::Replica;
use crate::rest::Rest;

#[test]
fn a_client_that_comes_back_gets_what_it_missed() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "\n" }]));
    let kept = TestClient::join(&server, &doc).lose_connection();
    let mut writer = TestClient::join(&server, &doc);
    for n in 0..20 {
        writer.insert(n, "x");
    }
    let back = TestClient::resume(&server, &doc, kept);
    assert_eq!(back.welcome["since"], 1);
    assert!(back.welcome.get("content").is_none() && back.welcome.get("reset").is_none(), "{}", back.welcome);
    assert_eq!(back.replica.content.to_delta(), writer.replica.content.to_delta());
}

#[test]
fn an_edit_whose_acknowledgement_was_lost_is_not_applied_twice() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut writer = TestClient::join(&server, &doc);
    let mut reader = TestClient::join(&server, &doc);
    writer.edit(&insertion(0, "x"));
    // Durable, since others see it; the writer has not read that far.
    reader.until_version(1);
    let mut back = TestClient::resume(&server, &doc, writer.lose_connection());
    assert_eq!(back.welcome["last_seq"], 1);
    back.until_acknowledged();
    assert_eq!(rest.text(&doc), "x");
}

#[test]
fn a_resend_under_the_same_number_is_answered_with_its_version() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut writer = TestClient::join(&server, &doc);
    writer.insert(0, "x");
    let op = json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "other" }] });
    for _ in 0..2 {
        writer.send(&op);
        let ack = writer.until_frame("ack");
        assert_eq!((&ack["seq"], &ack["version"]), (&json!(1), &json!(1)));
    }
    assert_eq!(rest.text(&doc), "x");
}

#[test]
fn a_committed_number_is_answered_with_its_version_whatever_comes_with_it() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut writer = TestClient::join(&server, &doc);
    (0..3).for_each(|n| _ = writer.insert(n, "x"));
    let client = writer.replica.client;
    let submit = |seq: u64| {
        let body = json!({ "base": 3, "delta": [{ "retain": -1 }] }).to_string();
        let key = format!("{client}:{seq}");
        rest.call("POST", &format!("/v1/docs/{doc}/ops"), &[("idempotency-key", &key)], Some(body))
    };
    // The last one, and others, which only the log knows.
    for seq in [3, 1, 2] {
        writer.send(&json!({ "type": "op", "seq": seq, "base": 3, "delta": [{ "retain": -1 }] }));
        let ack = writer.until_frame("ack");
        assert_eq!((&ack["seq"], &ack["version"]), (&json!(seq), &json!(seq)));
        assert_eq!(submit(seq).expect(200).json(), json!({ "version": seq }));
    }
    let error = writer.refused(&json!({ "type": "op", "seq": 9, "base": 3, "delta": [{ "retain": -1 }] }));
    assert_eq!((&error["code"], &error["seq"]), (&json!("bad_op"), &json!(9)), "{error}");
    submit(9).expect_problem(422, "bad_op");
    assert_eq!(rest.content(&doc).0, 3);
}

#[test]
fn an_offline_edit_is_rebased_over_what_others_wrote() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello World" }]));
    let offline = TestClient::join(&server, &doc).lose_connection();
    let mut online = TestClient::join(&server, &doc);
    online.insert(6, "Beautiful ");
    let mut back = TestClient::resume(&server, &doc, offline);
    back.insert(16, "Wonderful ");
    assert_eq!(rest.text(&doc), "Hello Beautiful Wonderful World");
    online.until_version(3);
    assert_eq!(online.text(), back.text());
}

#[test]
fn the_numbers_of_a_client_outlive_the_server() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut writer = TestClient::join(&server, &doc);
    writer.insert(0, "x");
    let replica = writer.lose_connection();
    let server = Launch::on(server.kill()).start();
    let mut back = TestClient::resume(&server, &doc, replica);
    assert_eq!(back.welcome["last_seq"], 1);
    back.send(&json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "x" }] }));
    assert_eq!(back.until_frame("ack")["version"], 1);
    back.insert(1, "y");
    assert_eq!(Rest::of(&server).text(&doc), "xy");
}

#[test]
fn a_client_that_is_ahead_or_of_another_history_starts_over() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "mine\n" }]));
    let history = rest.get(&format!("/v1/docs/{doc}")).json()["metadata"]["history"].clone();
    for (hello, why) in [
        (json!({ "since": 2, "history": history }), "ahead of the head"),
        (json!({ "since": 9_007_199_254_740_991_u64 }), "far ahead"),
        (json!({ "since": 1, "history": Uuid::new_v4() }), "another history"),
        (json!({ "since": 1, "history": "no UUID at all" }), "not even a history"),
    ] {
        let client = TestClient::join_with(&server, &doc, Replica::new(), hello);
        assert_eq!(client.welcome["reset"], true, "{why}: {}", client.welcome);
        assert_eq!(client.welcome["content"], json!([{ "insert": "mine\n" }]), "{why}");
        assert_eq!(client.welcome["version"], 1, "{why}");
    }
}

#[test]
fn since_without_a_history_is_taken_for_the_servers() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "x" }]));
    let mut client = TestClient::join_with(&server, &doc, Replica::new(), json!({ "since": 0 }));
    assert_eq!(client.welcome["since"], 0);
    client.until_version(1);
    assert_eq!(client.text(), "x");
}

#[test]
fn a_diverged_client_gets_the_content_and_is_counted() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x" }]));
    let client = TestClient::join_with(&server, &doc, Replica::new(), json!({ "diverged": 1 }));
    assert_eq!(client.welcome["content"], json!([{ "insert": "x" }]));
    let metrics = rest.get("/metrics").expect(200).text();
    let counted = metrics.lines().find(|line| !line.starts_with('#') && line.contains("diverge"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
}

#[test]
fn what_a_client_holds_is_kept_when_its_document_leaves_memory_before_the_hello() {
    let server = Launch::new().with("QUIRE_PASSIVATE_AFTER", "1").start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let kept = TestClient::join(&server, &doc).leave();
    let mut connection = Connection::open(server.address(), &doc).expect("the server listens");
    let deadline = Instant::now() + PATIENCE;
    while !rest.get("/metrics").expect(200).text().contains("\nquire_documents 0\n") {
        assert!(Instant::now() < deadline, "the document stays in memory");
        std::thread::yield_now();
    }
    let hello = json!({ "type": "hello", "client": kept.client, "since": 1, "history": kept.history });
    connection.send(&hello).expect("the connection is open");
    let Incoming::Frame(welcome) = connection.next() else { panic!("not welcomed") };
    assert_eq!((&welcome["type"], &welcome["since"]), (&json!("welcome"), &json!(1)), "{welcome}");
    assert!(welcome.get("content").is_none(), "{welcome}");
}
