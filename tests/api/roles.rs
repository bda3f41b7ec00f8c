//! What somebody may do with a document, and that it is told.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::TestClient;
use crate::harness::TestServer;
use crate::rest::Rest;
use crate::signed_in::{SignedIn, call, in_seconds, knows_tokens, token, token_until};

/// A document that `ada` has made.
fn made_by_ada(server: &TestServer) -> String {
    let body = json!({ "content": [{ "insert": "x\n" }] });
    let made = call(&Rest::of(server), &token("ada"), "POST", "/v1/docs", Some(&body)).expect(201).json();
    made["id"].as_str().expect("an id").to_owned()
}

/// As its owner may.
fn archive(server: &TestServer, doc: &str, archived: bool) {
    let (path, body) = (format!("/v1/docs/{doc}"), json!({ "archived": archived }));
    call(&Rest::of(server), &token("ada"), "PATCH", &path, Some(&body)).expect(200);
}

/// The roles of the owner, of another user and of a guest, as the socket tells them, and as REST does.
fn roles(server: &TestServer, doc: &str) -> [[Value; 3]; 2] {
    let rest = Rest::of(server);
    let path = format!("/v1/docs/{doc}");
    let welcomed = |user: &str| {
        SignedIn::join(server, doc, Uuid::new_v4(), &token(user)).frame("welcome")["role"].clone()
    };
    let guest = TestClient::join(server, doc).welcome["role"].clone();
    let role = |answer: crate::rest::Answer| answer.expect(200).json()["permissions"]["role"].clone();
    let told = |user: &str| role(call(&rest, &token(user), "GET", &path, None));
    [[welcomed("ada"), welcomed("bob"), guest], [told("ada"), told("bob"), role(rest.get(&path))]]
}

#[test]
fn a_role_is_the_same_on_the_socket_and_by_rest() {
    let server = knows_tokens();
    let doc = made_by_ada(&server);
    let expected = ["owner", "editor", "editor"].map(Value::from);
    assert_eq!(roles(&server, &doc), [expected.clone(), expected]);
    archive(&server, &doc, true);
    let expected = ["viewer", "viewer", "viewer"].map(Value::from);
    assert_eq!(roles(&server, &doc), [expected.clone(), expected]);
}

#[test]
fn a_role_that_changed_is_told_with_the_time_and_is_what_auth_answers_from_then_on() {
    let server = knows_tokens();
    let doc = made_by_ada(&server);
    let [sooner, later] = [3_600, 7_200].map(in_seconds);
    let mut ada = SignedIn::join(&server, &doc, Uuid::new_v4(), &token_until("ada", sooner));
    let welcome = ada.frame("welcome");
    assert_eq!((&welcome["role"], &welcome["expires_at"]), (&json!("owner"), &json!(sooner * 1_000)));
    let mut guest = TestClient::join(&server, &doc);

    let role = |role: &str, until: u64| json!({ "type": "role", "role": role, "expires_at": until * 1_000 });
    archive(&server, &doc, true);
    assert_eq!(ada.frame("role"), role("viewer", sooner));
    // A guest's session does not end by time.
    assert_eq!(guest.until_frame("role"), json!({ "type": "role", "role": "viewer" }));
    ada.send(json!({ "type": "auth", "token": token_until("ada", later) }));
    assert_eq!(ada.frame("role"), role("viewer", later));
    archive(&server, &doc, false);
    assert_eq!(ada.frame("role"), role("owner", later));
}

#[test]
fn a_bad_token_is_forbidden_and_the_session_goes_on_with_the_one_it_has() {
    let server = knows_tokens();
    let doc = made_by_ada(&server);
    let mut ada = SignedIn::join(&server, &doc, Uuid::new_v4(), &token("ada"));
    ada.frame("welcome");
    for bad in ["rubbish".to_owned(), token_until("ada", 1), token("bob")] {
        ada.send(json!({ "type": "auth", "token": bad }));
        let error = ada.frame("error");
        assert_eq!((&error["code"], &error["fatal"]), (&json!("forbidden"), &json!(false)), "{error}");
    }
    ada.send(json!({ "type": "auth", "token": token("ada") }));
    assert_eq!(ada.frame("role")["role"], "owner");

    let mut guest = TestClient::join(&server, &doc);
    let error = guest.refused(&json!({ "type": "auth", "token": token("ada") }));
    assert_eq!(error["code"], "forbidden", "{error}");
}
