//! What administrators see and do.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::TestServer;
use crate::rest::{Answer, Rest};
use crate::signed_in::{admin_token, call, knows_tokens, token};

fn ask(server: &TestServer, method: &str, path: &str) -> Answer {
    call(&Rest::of(server), &admin_token("root"), method, path, None)
}

fn get(server: &TestServer, path: &str) -> Value {
    ask(server, "GET", path).expect(200).json()
}

#[test]
fn nobody_else_is_let_in() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([]));
    let calls = [
        ("GET", "/v1/admin/docs".to_owned()),
        ("GET", "/v1/admin/sessions".to_owned()),
        ("GET", "/v1/admin/nodes".to_owned()),
        ("POST", format!("/v1/admin/docs/{doc}/passivate")),
        ("POST", format!("/v1/admin/docs/{doc}/verify")),
        ("DELETE", format!("/v1/admin/docs/{doc}/sessions/0000000000000001")),
        ("POST", format!("/v1/admin/docs/{doc}/snapshot")),
        ("POST", format!("/v1/admin/docs/{doc}/move")),
        ("DELETE", format!("/v1/admin/docs/{doc}/move")),
        ("GET", "/v1/admin/bans".to_owned()),
        ("POST", "/v1/admin/bans".to_owned()),
        ("DELETE", "/v1/admin/bans/1".to_owned()),
        ("GET", "/v1/admin/quotas".to_owned()),
        ("GET", "/v1/admin/quotas/ada".to_owned()),
        ("PUT", "/v1/admin/quotas/ada".to_owned()),
        ("DELETE", "/v1/admin/quotas/ada".to_owned()),
        ("POST", "/v1/admin/drain".to_owned()),
    ];
    for (method, path) in calls {
        assert_eq!(rest.call(method, &path, &[], None).status, 401, "{method} {path}");
        assert_eq!(call(&rest, &token("ada"), method, &path, None).status, 403, "{method} {path}");
    }
    rest.get("/readyz").expect(200);
}

#[test]
fn documents_in_memory_and_their_sessions_are_told_page_by_page() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let mut docs = [(); 3].map(|()| rest.create(&json!([{ "insert": "x\n" }])));
    docs.sort();
    let mut clients: Vec<_> = docs.iter().map(|doc| TestClient::join(&server, doc)).collect();
    clients[0].insert(0, "y");
    let first = get(&server, "/v1/admin/docs?limit=2");
    let listed: Vec<_> = first["docs"].as_array().unwrap().iter().map(|doc| doc["id"].clone()).collect();
    assert_eq!(listed, docs[..2]);
    assert_eq!(first["next"], docs[1]);
    let one = &first["docs"][0];
    assert_eq!((&one["state"], &one["version"], &one["sessions"]), (&json!("live"), &json!(2), &json!(1)));
    assert_eq!((&one["speculative"], &one["bytes"]), (&json!(0), &json!(3)));
    let last = get(&server, &format!("/v1/admin/docs?limit=2&cursor={}", docs[1]));
    assert_eq!((last["docs"].as_array().unwrap().len(), &last["next"]), (1, &Value::Null));

    let sessions = get(&server, "/v1/admin/sessions");
    let sessions = sessions["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    assert_eq!((&sessions[0]["doc"], &sessions[0]["lag"]), (&json!(docs[0]), &json!(0)));
    assert_eq!(sessions[0]["session"], clients[0].session());
    assert_eq!(ask(&server, "GET", "/v1/admin/docs?limit=0").status, 400);
}

#[test]
fn a_document_is_sent_away_and_found_again_with_everything() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let mut client = TestClient::join(&server, &doc);
    client.insert(0, "y");
    ask(&server, "POST", &format!("/v1/admin/docs/{doc}/passivate")).expect(202);
    assert_eq!(client.until_frame("reconnect")["reason"], "moved");
    assert_eq!(client.until_closed(), Some(1012));
    let mut again = TestClient::resume(&server, &doc, client.leave());
    again.insert(0, "z");
    assert_eq!(rest.text(&doc), "zyx\n");
    ask(&server, "POST", "/v1/admin/docs/nothing/passivate").expect(404);
}

#[test]
fn a_session_is_told_to_come_again() {
    let server = knows_tokens();
    let doc = Rest::of(&server).create(&json!([]));
    let [mut one, mut other] = [(); 2].map(|()| TestClient::join(&server, &doc));
    ask(&server, "DELETE", &format!("/v1/admin/docs/{doc}/sessions/{}", one.session())).expect(204);
    assert_eq!(one.until_closed(), Some(1012));
    other.insert(0, "still here");
    for nobody in ["ffffffffffffffff", "rubbish"] {
        ask(&server, "DELETE", &format!("/v1/admin/docs/{doc}/sessions/{nobody}")).expect(404);
    }
}

#[test]
fn a_log_is_verified_and_the_server_tells_of_itself() {
    let server = knows_tokens();
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    let verified = ask(&server, "POST", &format!("/v1/admin/docs/{doc}/verify")).expect(200).json();
    assert_eq!(verified, json!({ "versions": 1, "snapshots": 0, "complaints": [] }));
    ask(&server, "POST", "/v1/admin/docs/nothing/verify").expect(404);
    let nodes = get(&server, "/v1/admin/nodes");
    let node = &nodes["nodes"][0];
    assert_eq!((&node["shards"], &node["draining"]), (&json!(256), &json!(false)));
    assert!(node["name"].as_str().unwrap().starts_with("node-"), "{node}");
}

#[test]
fn a_server_is_drained() {
    let server = knows_tokens();
    let doc = Rest::of(&server).create(&json!([]));
    let mut client = TestClient::join(&server, &doc);
    ask(&server, "POST", "/v1/admin/drain").expect(202);
    assert_eq!(client.until_frame("reconnect")["reason"], "draining");
    let (status, _) = server.ended();
    assert!(status.success(), "{status}");
}
