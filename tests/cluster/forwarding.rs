//! Any server takes anybody.

use serde_json::json;

use crate::client::{TestClient, insertion};
use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::scene::{Scene, metric, nodes, until};
use crate::signed_in::{admin_token, call, token};

#[test]
fn sessions_of_one_document_meet_wherever_they_come_in() {
    let scene = Scene::new();
    let [a, b, c] = scene.servers();
    let doc = Rest::of(&b).create(&json!([{ "insert": "text\n" }]));
    let mut here = TestClient::join(&b, &doc);
    let (mut there, mut third) = (TestClient::join(&a, &doc), TestClient::join(&c, &doc));
    for n in 0..20 {
        there.edit(&insertion(n, "a"));
        third.edit(&insertion(n, "c"));
        here.edit(&insertion(0, "b"));
        for client in [&mut here, &mut there, &mut third] {
            client.until_acknowledged();
        }
    }
    for client in [&mut here, &mut there, &mut third] {
        client.until_version(61);
    }
    assert!(here.text() == there.text() && here.text() == third.text());
    assert_eq!(here.text().len(), 65);
    third.leave();
    // Pings go through, and a close does both ways.
    there.send(&json!({ "type": "ping", "t": 7 }));
    assert_eq!(there.until_frame("pong")["t"], 7);
    assert_eq!(metric(&a, "quire_tunnels"), 1.0);
    there.leave();
    until("the tunnel is gone", || metric(&a, "quire_tunnels") == 0.0);
    until("the session is", || metric(&b, "quire_sessions") == 1.0);
    here.insert(0, "alone ");
}

#[test]
fn requests_are_answered_as_by_the_server_that_has_the_document() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let (near, far) = (Rest::of(&b), Rest::of(&a));
    let doc = near.create(&json!([{ "insert": "text\n" }]));
    let path = format!("/v1/docs/{doc}/content");
    let (direct, forwarded) = (near.get(&path).expect(200), far.get(&path).expect(200));
    assert_eq!(direct.body, forwarded.body);
    for header in ["etag", "content-type", "cache-control", "x-content-type-options"] {
        assert_eq!(direct.header(header), forwarded.header(header), "{header}");
    }
    let seen = [("if-none-match", direct.header("etag"))];
    assert_eq!(far.call("GET", &path, &seen, None).status, 304);
    let head = far.call("HEAD", &path, &[], None).expect(200);
    assert!(head.body.is_empty() && head.header("content-length") == direct.body.len().to_string());
    let edit = json!({ "base": 1, "delta": [{ "insert": "more " }] });
    let made = far.post(&format!("/v1/docs/{doc}/ops"), &edit).expect(200).json();
    assert_eq!(made["version"], 2);
    assert_eq!((near.text(&doc), far.text(&doc)), ("more text\n".into(), "more text\n".into()));
    let titled = far.patch(&format!("/v1/docs/{doc}"), &json!({ "title": "ü" })).expect(200).json();
    assert_eq!(titled["title"], "ü");
    far.get(&format!("/v1/docs/{doc}/content?version=9")).expect_problem(404, "not_found");
    // The longest body that is read.
    let large = json!({ "base": 2, "delta": [{ "insert": "x".repeat(900_000) }] });
    far.post(&format!("/v1/docs/{doc}/ops"), &large).expect(200);
    assert_eq!(far.text(&doc).len(), near.text(&doc).len());
    far.post(
        &format!("/v1/docs/{doc}/ops"),
        &json!({ "base": 3, "delta": [{ "insert": "x".repeat(9 << 20) }] }),
    )
    .expect_problem(413, "too_large");
    far.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    near.get(&path).expect_problem(404, "not_found");
    assert!(metric(&a, "quire_forwarded_total") >= 9.0 && metric(&b, "quire_forwarded_total") == 0.0);
}

#[test]
fn a_document_is_made_where_it_will_be_and_once_for_a_key() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let rests = [Rest::of(&a), Rest::of(&b)];
    for n in 0..8 {
        let id = format!("named-{n}");
        let made = rests[n % 2].post("/v1/docs", &json!({ "id": id, "title": "t" })).expect(201).json();
        assert_eq!(made["id"], id);
        assert_eq!(
            rests[(n + 1) % 2].get(&format!("/v1/docs/{id}")).expect(200).json()["metadata"]["title"],
            "t"
        );
        rests[(n + 1) % 2].post("/v1/docs", &json!({ "id": id })).expect_problem(409, "conflict");
        let key = format!("key-{n}");
        let again = rests.each_ref().map(|rest| {
            let headers = [("idempotency-key", key.as_str())];
            rest.call("POST", "/v1/docs", &headers, Some("{}".into())).expect(201).json()["id"].clone()
        });
        assert_eq!(again[0], again[1], "sent again to another server it is the same document");
    }
}

#[test]
fn whoever_says_to_be_a_server_has_to_prove_it() {
    let scene = Scene::new();
    let server = scene.server();
    let doc = Rest::of(&server).create_empty();
    let path = format!("/v1/docs/{doc}");
    let forged = |server: &TestServer, value: &str| {
        Rest::of(server).call("GET", &path, &[("x-quire-peer", value)], None)
    };
    let now = crate::signed_in::in_seconds(0) * 1_000;
    for value in ["", "1", &format!("{now} 127.0.0.1 https {}", "0".repeat(64))] {
        forged(&server, value).expect_problem(403, "forbidden");
    }
    Rest::of(&server).get(&path).expect(200);
    let alone = TestServer::start();
    assert_eq!(forged(&alone, "1").status, 404, "one that is alone knows of no others");
}

#[test]
fn several_servers_need_a_database_that_they_share() {
    let failed = Launch::new().with("QUIRE_NODE_URL", "http://127.0.0.1:1").try_start();
    let messages = failed.err().expect("there is no PostgreSQL").messages;
    assert!(messages.contains("--database-url is missing"), "{messages}");
    let failed = Launch::new().with("QUIRE_NODE_URL", "127.0.0.1:1").try_start();
    let messages = failed.err().expect("it is no address").messages;
    assert!(messages.contains("http://HOST:PORT"), "{messages}");
}

#[test]
fn a_session_through_another_server_is_told_when_that_one_stops() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    assert_eq!(nodes(&a).len(), 2);
    let doc = Rest::of(&b).create_empty();
    let mut client = TestClient::join(&a, &doc);
    client.edit(&insertion(0, "x"));
    client.until_acknowledged();
    a.signal(libc::SIGTERM);
    match client.until_closed() {
        Some(code) => assert_eq!(code, 1012),
        None => panic!("nothing was said"),
    }
    assert!(a.ended().0.success());
    let mut again = TestClient::resume(&b, &doc, client.lose_connection());
    again.insert(0, "y");
    assert_eq!(again.text(), "yx");
}

/// Who is erased by one server may own documents that another one has in memory.
#[test]
fn what_one_server_purges_leaves_the_memory_of_the_others() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let body = json!({ "content": [{ "insert": "mine\n" }] });
    let made = call(&Rest::of(&b), &token("ada"), "POST", "/v1/docs", Some(&body)).expect(201).json();
    let doc = made["id"].as_str().expect("an id");
    call(
        &Rest::of(&b),
        &token("ada"),
        "PUT",
        &format!("/v1/docs/{doc}/link"),
        Some(&json!({ "role": "editor" })),
    )
    .expect(200);
    let mut guest = TestClient::join(&b, doc);
    let path = "/v1/users/ada/erase?documents=owned";
    let erased = call(&Rest::of(&a), &admin_token("root"), "POST", path, Some(&json!({})));
    assert!([200, 202].contains(&erased.status), "{erased:?}");
    assert_eq!(erased.json()["purged"], 1);
    assert_eq!(guest.until_closed(), Some(4404));
    Rest::of(&b).get(&format!("/v1/docs/{doc}")).expect_problem(404, "not_found");
}
