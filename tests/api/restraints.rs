//! Bans and quotas: who is held back, at once and on open sockets, and what administrators see of it.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{Launch, TestServer};
use crate::rest::{Answer, Rest};
use crate::signed_in::{SECRET, SignedIn, admin_token, call, in_seconds, knows_tokens, token};

fn ask(server: &TestServer, method: &str, path: &str, body: Option<&Value>) -> Answer {
    call(&Rest::of(server), &admin_token("root"), method, path, body)
}

fn ban(server: &TestServer, body: &Value) -> String {
    let made = ask(server, "POST", "/v1/admin/bans", Some(body)).expect(201).json();
    made["id"].as_str().expect("an id").to_owned()
}

#[test]
fn who_is_banned_is_turned_away_by_rest_and_on_open_sockets_until_it_is_lifted() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let mut eve = SignedIn::join(&server, &doc, uuid::Uuid::new_v4(), &token("eve"));
    eve.frame("welcome");
    let mut guest = TestClient::join(&server, &doc);

    let id = ban(&server, &json!({ "user": "eve", "reason": "spam" }));
    assert_eq!(eve.closed(), Some(4403));
    let refused = call(&rest, &token("eve"), "GET", "/v1/docs", None);
    assert_eq!(refused.status, 403);
    assert!(
        !String::from_utf8_lossy(&refused.body).contains("spam"),
        "why is nobody's affair but the administrators'"
    );
    call(&rest, &token("ada"), "GET", "/v1/docs", None).expect(200);
    guest.insert(0, "g");

    let listed = ask(&server, "GET", "/v1/admin/bans", None).expect(200).json();
    let listed = &listed["bans"][0];
    assert_eq!((&listed["user"], &listed["reason"]), (&json!("eve"), &json!("spam")));
    assert_eq!((&listed["made_by"], &listed["id"]), (&json!("root"), &json!(id)));
    ask(&server, "DELETE", &format!("/v1/admin/bans/{id}"), None).expect(204);
    ask(&server, "DELETE", &format!("/v1/admin/bans/{id}"), None).expect(404);
    call(&rest, &token("eve"), "GET", "/v1/docs", None).expect(200);
}

#[test]
fn a_banned_network_is_turned_away_with_its_guests_and_probes_are_answered() {
    let server =
        Launch::new().with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_TRUSTED_PROXIES", "127.0.0.1").start();
    let rest = Rest::of(&server);
    let from =
        |address: &str, path: &str| rest.call("GET", path, &[("x-forwarded-for", address)], None).status;
    assert_eq!(from("203.0.113.9", "/v1/docs"), 200);
    ban(&server, &json!({ "network": "203.0.113.0/24", "expires_at": in_seconds(3_600) * 1_000 }));
    assert_eq!(from("203.0.113.9", "/v1/docs"), 403);
    assert_eq!(from("203.0.113.9", "/"), 403);
    assert_eq!(from("203.0.113.9", "/readyz"), 200);
    assert_eq!(from("203.0.114.9", "/v1/docs"), 200);
    // Of IPv6 an address stands for all that its owner has.
    ban(&server, &json!({ "network": "2001:db8:1:2::3" }));
    assert_eq!(from("2001:db8:1:2:ffff::1", "/v1/docs"), 403);
    assert_eq!(from("2001:db8:1:3::3", "/v1/docs"), 200);
}

#[test]
fn a_ban_outlives_the_server_and_ends_when_it_was_to() {
    let server = knows_tokens();
    ban(&server, &json!({ "user": "eve" }));
    ban(&server, &json!({ "user": "bob", "expires_at": in_seconds(1) * 1_000 + 999 }));
    let server = Launch::on(server.kill()).with("QUIRE_JWT_SECRET", SECRET).start();
    let rest = Rest::of(&server);
    assert_eq!(call(&rest, &token("eve"), "GET", "/v1/docs", None).status, 403);
    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    while call(&rest, &token("bob"), "GET", "/v1/docs", None).status == 403 {
        assert!(std::time::Instant::now() < deadline, "the ban does not end");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn bans_that_make_no_sense_are_refused_and_nobody_locks_himself_out() {
    let server = knows_tokens();
    for body in [
        json!({}),
        json!({ "user": "eve", "network": "192.0.2.0/24" }),
        json!({ "user": "guest:1" }),
        json!({ "user": "" }),
        json!({ "network": "192.0.2.0/33" }),
        json!({ "network": "everybody" }),
        json!({ "user": "eve", "expires_at": 1 }),
        json!({ "user": "eve", "reason": "x".repeat(501) }),
        json!({ "user": "root" }),
        json!({ "network": "127.0.0.0/8" }),
    ] {
        assert_eq!(ask(&server, "POST", "/v1/admin/bans", Some(&body)).status, 400, "{body}");
    }
    let listed = ask(&server, "GET", "/v1/admin/bans", None).expect(200).json();
    assert_eq!(listed, json!({ "bans": [] }));
}

#[test]
fn nobody_owns_more_documents_than_they_may() {
    let server = Launch::new().with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_DOCUMENTS_PER_USER", "2").start();
    let rest = Rest::of(&server);
    let create = |user: &str| call(&rest, &token(user), "POST", "/v1/docs", Some(&json!({})));
    let first = create("ada").expect(201).json();
    create("ada").expect(201);
    assert_eq!(create("ada").status, 403);
    create("bob").expect(201);
    let quota = ask(&server, "GET", "/v1/admin/quotas/ada", None).expect(200).json();
    assert_eq!(quota, json!({ "user": "ada", "documents": 2, "owned": 2 }));

    // Nor are they given one, and the trash counts.
    let of_bob = create("bob").expect(201).json();
    let owner = format!("/v1/docs/{}/owner", of_bob["id"].as_str().expect("an id"));
    let give = || call(&rest, &token("bob"), "PUT", &owner, Some(&json!({ "user": "ada" }))).status;
    assert_eq!(give(), 403);
    let first = format!("/v1/docs/{}", first["id"].as_str().expect("an id"));
    call(&rest, &token("ada"), "DELETE", &first, None);
    assert_eq!(give(), 403);

    let set = json!({ "documents": 3 });
    ask(&server, "PUT", "/v1/admin/quotas/ada", Some(&set)).expect(200);
    assert_eq!(give(), 200);
    assert_eq!(create("ada").status, 403);
    let listed = ask(&server, "GET", "/v1/admin/quotas", None).expect(200).json();
    assert_eq!(listed["quotas"][0]["documents"], 3);
    ask(&server, "DELETE", "/v1/admin/quotas/ada", None).expect(204);
    ask(&server, "DELETE", "/v1/admin/quotas/ada", None).expect(404);
    for bad in [json!({}), json!({ "documents": -1 }), json!({ "documents": "3" })] {
        assert_eq!(ask(&server, "PUT", "/v1/admin/quotas/ada", Some(&bad)).status, 400, "{bad}");
    }
}

#[test]
fn a_snapshot_is_made_when_an_administrator_asks() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    TestClient::join(&server, &doc).insert(0, "y");
    let made = ask(&server, "POST", &format!("/v1/admin/docs/{doc}/snapshot"), None).expect(201).json();
    assert_eq!(made, json!({ "version": 2 }));
    ask(&server, "POST", "/v1/admin/docs/nothing/snapshot", None).expect(404);
}

#[test]
fn what_is_in_the_trash_is_shown_to_those_who_may_take_it_out() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = json!({ "id": "plans", "title": "Secret", "content": [{ "insert": "the plan\n" }] });
    call(&rest, &token("ada"), "POST", "/v1/docs", Some(&doc)).expect(201);
    call(&rest, &token("ada"), "DELETE", "/v1/docs/plans", None).expect(204);
    let trash = |by: &dyn Fn() -> Answer| by().expect(200).json()["docs"].as_array().map_or(0, Vec::len);
    assert_eq!(trash(&|| rest.get("/v1/docs?trashed=true")), 0);
    assert_eq!(trash(&|| call(&rest, &token("eve"), "GET", "/v1/docs?trashed=true", None)), 0);
    assert_eq!(trash(&|| call(&rest, &token("ada"), "GET", "/v1/docs?trashed=true", None)), 1);
}

#[test]
fn what_was_changed_since_is_not_ended() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([]));
    let path = format!("/v1/docs/{doc}");
    let tag = rest.get(&path).headers["etag"].clone();
    rest.call("PATCH", &path, &[], Some(json!({ "title": "another" }).to_string())).expect(200);
    let tag = tag.to_str().expect("ASCII");
    for query in ["", "?purge=true"] {
        assert_eq!(rest.call("DELETE", &format!("{path}{query}"), &[("if-match", tag)], None).status, 412);
    }
    rest.get(&path).expect(200);
}
