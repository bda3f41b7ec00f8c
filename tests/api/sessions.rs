//! One live session per client id, and one user per client id.

use serde_json::json;
use uuid::Uuid;

use crate::client::{TestClient, insertion};
use crate::harness::TestServer;
use crate::replica::Replica;
use crate::rest::{Answer, Rest};
use crate::signed_in::{SignedIn, knows_tokens, token};

#[test]
fn a_newer_session_of_the_same_client_replaces_the_older() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut old = TestClient::join(&server, &doc);
    let mut new = TestClient::join_with(&server, &doc, Replica::of(old.replica.client), json!({}));
    let reconnect = old.until_frame("reconnect");
    assert_eq!(reconnect["reason"], "replaced");
    assert!(reconnect["after_ms"].is_u64(), "{reconnect}");
    assert_eq!(old.until_closed(), Some(4409));
    new.insert(0, "x");
    assert_ne!(old.session(), new.session());
}

#[test]
fn the_outcome_of_an_edit_in_flight_goes_to_the_newer_session() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut old = TestClient::join(&server, &doc);
    old.edit(&insertion(0, "x"));
    // Whether the edit was committed before or after the new hello, it is there once and its author learns of it.
    let mut new = TestClient::resume(&server, &doc, old.replica.clone());
    new.until_acknowledged();
    assert_eq!(rest.text(&doc), "x");
    assert_eq!(rest.ops(&doc).len(), 1);
}

#[test]
fn a_client_id_belongs_to_the_user_who_used_it_first() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let client = Uuid::new_v4();
    let mut ada = SignedIn::join(&server, &doc, client, &token("ada"));
    assert_eq!(ada.frame("welcome")["user"]["id"], "ada");
    ada.send(json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "ada's" }] }));
    ada.frame("ops");

    let mut bob = SignedIn::join(&server, &doc, client, &token("bob"));
    let error = bob.frame("error");
    assert_eq!((&error["code"], &error["fatal"]), (&json!("forbidden"), &json!(true)), "{error}");
    assert_eq!(bob.closed(), Some(1008));
    // Who was there first stays: this was no newer session of the same client.
    ada.send(json!({ "type": "ping", "t": 1 }));
    ada.frame("pong");
}

#[test]
fn a_guests_client_id_passes_to_the_first_who_signs_in_with_it() {
    let server = knows_tokens();
    let doc = Rest::of(&server).create_empty();
    let mut guest = TestClient::join(&server, &doc);
    guest.insert(0, "x");
    let client = guest.leave().client;
    let mut ada = SignedIn::join(&server, &doc, client, &token("ada"));
    let welcome = ada.frame("welcome");
    assert_eq!((&welcome["user"]["id"], &welcome["last_seq"]), (&json!("ada"), &json!(1)), "{welcome}");
    ada.send(json!({ "type": "op", "seq": 2, "base": 1, "delta": [{ "insert": "y" }] }));
    ada.frame("ops");
    let mut bob = SignedIn::join(&server, &doc, client, &token("bob"));
    assert_eq!(bob.frame("error")["code"], "forbidden");
}

/// An operation by REST under a client's own number; the answer.
fn submit(rest: &Rest, doc: &str, client: Uuid, seq: u64, base: u64) -> Answer {
    let body = json!({ "base": base, "delta": [{ "insert": "r" }] });
    let key = format!("{client}:{seq}");
    rest.call("POST", &format!("/v1/docs/{doc}/ops"), &[("idempotency-key", &key)], Some(body.to_string()))
}

#[test]
fn guests_can_speak_for_each_other_on_the_socket_and_by_rest() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    // First used on the socket, also while it is still connected.
    let mut guest = TestClient::join(&server, &doc);
    guest.insert(0, "x");
    let client = guest.replica.client;
    assert_eq!(submit(&rest, &doc, client, 1, 0).expect(200).json(), json!({ "version": 1 }));
    assert_eq!(submit(&rest, &doc, client, 2, 1).expect(200).json(), json!({ "version": 2 }));
    guest.until_version(2);
    guest.leave();
    assert_eq!(submit(&rest, &doc, client, 1, 0).expect(200).json(), json!({ "version": 1 }));
    // First used by REST.
    let client = Uuid::new_v4();
    assert_eq!(submit(&rest, &doc, client, 1, 2).expect(200).json(), json!({ "version": 3 }));
    let mut guest = TestClient::join_with(&server, &doc, Replica::of(client), json!({}));
    assert_eq!(
        (&guest.welcome["last_seq"], &guest.welcome["user"]["id"]),
        (&json!(1), &json!(format!("guest:{client}")))
    );
    guest.replica.seq = 1;
    assert_eq!(guest.insert(0, "y"), 4);
    let users: Vec<_> = rest.ops(&doc).iter().map(|op| op["user"].clone()).collect();
    assert_eq!(users[2..], [json!("guest:rest"), json!(format!("guest:{client}"))]);
}

#[test]
fn a_signed_in_users_client_is_closed_to_guests() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let client = Uuid::new_v4();
    let mut ada = SignedIn::join(&server, &doc, client, &token("ada"));
    ada.send(json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "ada's" }] }));
    ada.frame("ops");
    for seq in [1, 2] {
        submit(&rest, &doc, client, seq, 1).expect_problem(403, "forbidden");
    }
    let refused = TestClient::try_join(server.address(), &doc, Replica::of(client), json!({}));
    assert!(refused.is_err_and(|lost| lost.why.contains("forbidden")));
}
