//! One live session per client id, and one user per client id.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{TestClient, insertion};
use crate::harness::{Launch, TestServer};
use crate::raw::{RawIncoming, RawSocket, opcode};
use crate::replica::Replica;
use crate::rest::Rest;

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
    let secret = "a-secret-of-thirty-two-bytes-long";
    let server = Launch::new().with("QUIRE_JWT_SECRET", secret).start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let client = Uuid::new_v4();
    let mut ada = SignedIn::join(&server, &doc, client, &token("ada", secret));
    assert_eq!(ada.frame("welcome")["user"]["id"], "ada");
    ada.send(json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "ada's" }] }));
    ada.frame("ops");

    let mut bob = SignedIn::join(&server, &doc, client, &token("bob", secret));
    let error = bob.frame("error");
    assert_eq!((&error["code"], &error["fatal"]), (&json!("forbidden"), &json!(true)), "{error}");
    assert_eq!(bob.closed(), Some(1008));
    // Who was there first stays: this was no newer session of the same client.
    ada.send(json!({ "type": "ping", "t": 1 }));
    ada.frame("pong");
}

#[test]
fn a_guests_client_id_passes_to_the_first_who_signs_in_with_it() {
    let secret = "a-secret-of-thirty-two-bytes-long";
    let server = Launch::new().with("QUIRE_JWT_SECRET", secret).start();
    let doc = Rest::of(&server).create_empty();
    let mut guest = TestClient::join(&server, &doc);
    guest.insert(0, "x");
    let client = guest.leave().client;
    let mut ada = SignedIn::join(&server, &doc, client, &token("ada", secret));
    let welcome = ada.frame("welcome");
    assert_eq!((&welcome["user"]["id"], &welcome["last_seq"]), (&json!("ada"), &json!(1)), "{welcome}");
    ada.send(json!({ "type": "op", "seq": 2, "base": 1, "delta": [{ "insert": "y" }] }));
    ada.frame("ops");
    let mut bob = SignedIn::join(&server, &doc, client, &token("bob", secret));
    assert_eq!(bob.frame("error")["code"], "forbidden");
}

/// A token as the server's own issuer would make it: HS256, valid for an hour.
fn token(user: &str, secret: &str) -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({ "sub": user, "name": user, "exp": now + 3600, "iat": now });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("claims are JSON")
}

/// A session of somebody with a token.
struct SignedIn(RawSocket);

impl SignedIn {
    /// Offers the token as a browser has to: as a second subprotocol.
    fn join(server: &TestServer, doc: &str, client: Uuid, token: &str) -> Self {
        let mut socket =
            RawSocket::open_offering(server.address(), doc, &format!("quire.v1, bearer.{token}"));
        let hello = json!({ "type": "hello", "client": client });
        socket.send(opcode::TEXT, hello.to_string().as_bytes()).expect("open");
        Self(socket)
    }

    fn send(&mut self, frame: Value) {
        self.0.send(opcode::TEXT, frame.to_string().as_bytes()).expect("open");
    }

    /// The next frame of this type.
    fn frame(&mut self, kind: &str) -> Value {
        loop {
            match self.0.next() {
                RawIncoming::Frame(frame) if frame["type"] == kind => return frame,
                RawIncoming::Frame(_) => {}
                RawIncoming::Closed(code) => panic!("closed with {code:?}, waiting for {kind}"),
            }
        }
    }

    fn closed(&mut self) -> Option<u16> {
        loop {
            if let RawIncoming::Closed(code) = self.0.next() {
                return code;
            }
        }
    }
}
