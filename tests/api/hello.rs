//! `hello` and `welcome`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::TestClient;
use crate::connection::{Connection, Incoming};
use crate::harness::TestServer;
use crate::replica::Replica;
use crate::rest::Rest;

#[test]
fn welcome_says_everything_that_a_client_needs() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let metadata = rest.get(&format!("/v1/docs/{doc}")).json()["metadata"].clone();
    let client = TestClient::join_with(&server, &doc, Replica::new(), json!({ "name": "Ada" }));
    let welcome = &client.welcome;
    assert_eq!(welcome["doc"], doc);
    assert_eq!(welcome["kind"], "rich-text");
    assert_eq!(welcome["history"], metadata["history"]);
    assert_eq!(welcome["version"], 1);
    assert_eq!(welcome["role"], "editor");
    assert_eq!(welcome["last_seq"], 0);
    assert_eq!(welcome["content"], json!([{ "insert": "Hello\n" }]));
    assert_eq!(welcome["user"]["id"], format!("guest:{}", client.replica.client));
    assert_eq!(welcome["user"]["name"], "Ada");
    assert!(welcome["user"]["color"].as_str().is_some_and(|color| color.starts_with('#')), "{welcome}");
    assert!(welcome["session"].as_str().is_some_and(|session| !session.is_empty()), "{welcome}");
    assert!(welcome.get("since").is_none() && welcome.get("reset").is_none(), "{welcome}");
    let limits = json!({
        "frame_bytes": 1 << 20, "ops": 10_000, "document_bytes": 10_000_000, "presence_bytes": 4096,
        "base_lag": 10_000, "ops_per_second": welcome["limits"]["ops_per_second"],
    });
    assert_eq!(welcome["limits"], limits);
}

#[test]
fn a_guest_keeps_name_and_colour_over_sessions() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let first = TestClient::join(&server, &doc);
    let user = first.welcome["user"].clone();
    let again = TestClient::join_with(&server, &doc, first.leave(), json!({}));
    assert_eq!(again.welcome["user"], user);
    assert!(user["name"].as_str().is_some_and(|name| !name.is_empty()), "{user}");
}

#[test]
fn a_client_id_is_one_in_either_case() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let client: Uuid = "abcdef00-0000-4000-8000-00000000000a".parse().expect("a UUID");
    let upper = json!({ "client": client.to_string().to_uppercase() });
    let mut shouting = TestClient::join_with(&server, &doc, Replica::of(client), upper);
    assert_eq!(shouting.insert(0, "x"), 1, "the operation comes back under the lower case");
    let again = TestClient::join_with(&server, &doc, Replica::of(client), json!({}));
    assert_eq!(again.welcome["last_seq"], 1);
}

#[test]
fn only_hello_can_be_first_and_only_once() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut early = Connection::open(server.address(), &doc).expect("the server listens");
    early.send(&json!({ "type": "ping", "t": 1 })).expect("open");
    assert_eq!(error(&mut early)["code"], "bad_request");
    // It was not the end: hello may still come.
    early.send(&json!({ "type": "hello", "client": Uuid::new_v4() })).expect("open");
    assert!(matches!(early.next(), Incoming::Frame(frame) if frame["type"] == "welcome"));
    early.send(&json!({ "type": "hello", "client": Uuid::new_v4() })).expect("open");
    assert_eq!(error(&mut early)["code"], "bad_request");
}

#[test]
fn an_op_before_hello_is_refused_with_its_seq_and_counted() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut early = Connection::open(server.address(), &doc).expect("the server listens");
    for (seq, delta, fatal) in
        [(7, json!([{ "insert": "x" }]), false), (8, json!([{ "retain": -1 }]), false), (9, json!(5), true)]
    {
        early.send(&json!({ "type": "op", "seq": seq, "base": 0, "delta": delta })).expect("open");
        let error = error(&mut early);
        let told = (&error["code"], &error["seq"], &error["fatal"]);
        assert_eq!(told, (&json!("bad_request"), &json!(seq), &json!(fatal)), "{error}");
    }
    assert!(matches!(early.next(), Incoming::Closed(Some(1008))));
}

fn error(connection: &mut Connection) -> Value {
    match connection.next() {
        Incoming::Frame(frame) if frame["type"] == "error" => frame,
        other => panic!("no error but {other:?}"),
    }
}

#[test]
fn who_never_says_hello_is_dropped() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut silent = Connection::open(server.address(), &doc).expect("the server listens");
    loop {
        match silent.next() {
            Incoming::Closed(code) => {
                assert_eq!(code, Some(1008));
                break;
            }
            Incoming::Frame(frame) => assert_eq!(frame["type"], "error", "{frame}"),
        }
    }
}

#[test]
fn a_document_that_was_deleted_before_the_hello_cannot_be_joined() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let keeps_it_in_memory = TestClient::join(&server, &doc);
    let mut connection = Connection::open(server.address(), &doc).expect("the server listens");
    rest.delete(&format!("/v1/docs/{doc}")).expect(204);
    connection.send(&json!({ "type": "hello", "client": Uuid::new_v4() })).expect("the connection is open");
    let incoming = connection.next();
    assert!(matches!(incoming, Incoming::Closed(Some(4404))), "{incoming:?}");
    drop(keeps_it_in_memory);
}

#[test]
fn fields_of_a_later_version_are_ignored_however_many() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let more: serde_json::Map<String, Value> = (0..100).map(|n| (format!("later-{n}"), json!([n]))).collect();
    let client = TestClient::join_with(&server, &doc, Replica::new(), Value::Object(more));
    assert_eq!(client.welcome["version"], 0);
}
