//! One live session per client id, and one user per client id.

use serde_json::json;
use uuid::Uuid;

use crate::client::{TestClient, insertion};
use crate::harness::TestServer;
use crate::replica::Replica;
use crate::rest::Rest;
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
