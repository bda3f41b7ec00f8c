//! The documents over REST: create, list, read, rename, archive, trash, purge.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{PATIENCE, TestServer};
use crate::rest::Rest;

#[test]
fn a_document_is_created_with_title_and_content_as_version_1() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let made = rest.post("/v1/docs", &json!({ "title": "Plan", "content": [{ "insert": "Hello\n" }] }));
    let made = made.expect(201).json();
    assert_eq!(made["title"], "Plan");
    assert_eq!(made["version"], 1);
    assert!(made["created_at"].is_u64() && made["updated_at"].is_u64(), "{made}");
    let doc = made["id"].as_str().expect("an id");

    let found = rest.get(&format!("/v1/docs/{doc}")).expect(200).json();
    for field in ["id", "title", "history", "version"] {
        assert_eq!(found["metadata"][field], made[field], "{found}");
    }
    assert!(found.get("snapshot_url").is_some() && found.get("permissions").is_some(), "{found}");
    assert_eq!(rest.content(doc), (1, json!([{ "insert": "Hello\n" }])));

    let ops = rest.ops(doc);
    assert_eq!(ops.len(), 1);
    assert_eq!((&ops[0]["version"], &ops[0]["seq"]), (&json!(1), &json!(1)));
    assert_eq!(ops[0]["user"], "guest:rest");
}

#[test]
fn a_document_without_content_begins_empty_at_version_0() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    assert_eq!(rest.content(&doc), (0, json!([])));
    assert_eq!(rest.ops(&doc), Vec::<Value>::new());
}

#[test]
fn an_id_can_be_chosen_and_is_given_once() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let id = "Notes_2026.v1~a-b";
    assert_eq!(rest.post("/v1/docs", &json!({ "id": id })).expect(201).json()["id"], id);
    rest.post("/v1/docs", &json!({ "id": id })).expect_problem(409, "conflict");
    // Purged, it stays a tombstone.
    rest.delete(&format!("/v1/docs/{id}?purge=true")).expect(204);
    rest.get(&format!("/v1/docs/{id}")).expect_problem(404, "not_found");
    rest.post("/v1/docs", &json!({ "id": id })).expect_problem(409, "conflict");
}

#[test]
fn ids_that_are_none_are_refused() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    for id in ["", ".", "..", "a/b", "ä", "a b", "%2e", &"x".repeat(129)] {
        rest.post("/v1/docs", &json!({ "id": id })).expect_problem(400, "bad_request");
    }
    rest.post("/v1/docs", &json!({ "id": "x".repeat(128) })).expect(201);
    rest.get("/v1/docs/nobody-made-this").expect_problem(404, "not_found");
}

#[test]
fn content_that_is_no_document_is_refused_and_creates_nothing() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    for content in [
        json!([{ "retain": 1 }]),
        json!([{ "insert": "x" }, { "delete": 1 }]),
        json!([{ "insert": "a\u{0}b" }]),
        json!("text"),
        json!([{ "insert": { "image": 1, "video": 2 } }]),
    ] {
        let answer = rest.post("/v1/docs", &json!({ "id": "refused", "content": content }));
        answer.expect_problem(422, "bad_op");
        rest.get("/v1/docs/refused").expect_problem(404, "not_found");
    }
    let answer = rest.call("POST", "/v1/docs", &[("content-type", "application/json")], Some("{".into()));
    answer.expect_problem(400, "bad_request");
}

#[test]
fn a_document_is_renamed_and_archived() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let path = format!("/v1/docs/{doc}");
    rest.patch(&path, &json!({ "title": "Größer 😀" })).expect(200);
    assert_eq!(rest.get(&path).json()["metadata"]["title"], "Größer 😀");

    let mut writer = TestClient::join(&server, &doc);
    rest.patch(&path, &json!({ "archived": true })).expect(200);
    let error = writer.refused(&json!({ "type": "op", "seq": 1, "base": 1, "delta": [{ "insert": "no" }] }));
    assert_eq!((&error["code"], &error["seq"]), (&json!("read_only"), &json!(1)), "{error}");
    assert_eq!(rest.text(&doc), "x\n");

    rest.patch(&path, &json!({ "archived": false })).expect(200);
    writer.replica.seq = 1;
    writer.insert(0, "yes ");
    assert_eq!(rest.text(&doc), "yes x\n");
    rest.patch(&path, &json!({ "title": 5 })).expect_problem(400, "bad_request");
    rest.patch("/v1/docs/unknown", &json!({ "title": "x" })).expect_problem(404, "not_found");
}

#[test]
fn a_new_title_moves_a_document_to_the_front_of_the_list() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let older = rest.create(&json!([{ "insert": "x\n" }]));
    let path = format!("/v1/docs/{older}");
    let updated_at = || rest.get(&path).json()["metadata"]["updated_at"].as_u64().expect("a time");
    let before = updated_at();
    // Until the clock has gone on, so that the order can be told.
    let newer = loop {
        let made = rest.post("/v1/docs", &json!({})).expect(201).json();
        if made["created_at"].as_u64() > Some(before) {
            break made;
        }
    };
    assert_eq!(listed(&rest, "")[0], newer["id"]);

    rest.patch(&path, &json!({ "archived": true })).expect(200);
    rest.patch(&path, &json!({ "archived": false, "title": "Untitled" })).expect(200);
    assert_eq!(updated_at(), before, "nothing in it has changed");
    let deadline = Instant::now() + PATIENCE;
    while updated_at() <= newer["created_at"].as_u64().expect("a time") {
        assert!(Instant::now() < deadline, "a new title does not count");
        let title = format!("Plan {}", uuid::Uuid::new_v4());
        let patched = rest.patch(&path, &json!({ "title": title })).expect(200).json();
        assert_eq!(patched["updated_at"], updated_at());
    }
    assert_eq!(listed(&rest, "")[0], older);
}

#[test]
fn the_trash_keeps_a_document_until_it_is_taken_out() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "kept\n" }]));
    let path = format!("/v1/docs/{doc}");
    let mut reader = TestClient::join(&server, &doc);
    rest.delete(&path).expect(204);
    // Who is in it is told, and cannot come back.
    assert_eq!(reader.until_closed(), Some(4404));
    assert!(TestClient::try_join(server.address(), &doc, reader.replica, json!({})).is_err());
    assert!(!listed(&rest, "").contains(&doc));

    rest.patch(&path, &json!({ "deleted": false })).expect(200);
    assert!(listed(&rest, "").contains(&doc));
    assert_eq!(TestClient::join(&server, &doc).text(), "kept\n");
}

#[test]
fn purging_ends_the_sessions_and_removes_everything() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "gone\n" }]));
    let mut reader = TestClient::join(&server, &doc);
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    assert_eq!(reader.until_closed(), Some(4404));
    for path in ["", "/content", "/ops"] {
        rest.get(&format!("/v1/docs/{doc}{path}")).expect_problem(404, "not_found");
    }
}

#[test]
fn the_list_is_recent_first_and_goes_on_at_a_cursor() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let made: Vec<String> = (0..7)
        .map(|n| {
            let body = json!({ "title": format!("Document {n}"), "content": [{ "insert": "x\n" }] });
            rest.post("/v1/docs", &body).expect(201).json()["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    let all = listed(&rest, "");
    assert_eq!(all.len(), 7);
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = rest.get(&format!("/v1/docs?limit=3{cursor}")).expect(200).json();
        let docs = page["docs"].as_array().expect("a list");
        assert!((1..=3).contains(&docs.len()), "{page}");
        paged.extend(docs.iter().map(|doc| doc["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let mut sorted = all.clone();
    sorted.sort();
    let mut expected = made;
    expected.sort();
    assert_eq!(sorted, expected, "each once");

    assert_eq!(listed(&rest, "query=ocument%203").len(), 1);
    assert_eq!(listed(&rest, "query=100%25").len(), 0);
    rest.get("/v1/docs?cursor=nonsense").expect_problem(400, "bad_request");
    rest.get("/v1/docs?limit=-1").expect_problem(400, "bad_request");
}

#[test]
fn the_search_finds_the_first_line_as_it_was_made_and_as_it_became() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Dried flowers\nand more\n" }]));
    assert_eq!(listed(&rest, "query=dried"), [doc.as_str()], "it was never opened");
    let mut client = TestClient::join(&server, &doc);
    client.edit(&json!([{ "insert": "Pressed" }, { "delete": 5 }]));
    client.until_acknowledged();
    // Some seconds later: lists are not written at every key.
    let begun = Instant::now();
    while listed(&rest, "query=pressed%20fl") != [doc.as_str()] {
        assert!(begun.elapsed() < Duration::from_secs(30), "the new first line is not found");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(listed(&rest, "query=dried"), [""; 0]);
}

fn listed(rest: &Rest, parameters: &str) -> Vec<String> {
    let list = rest.get(&format!("/v1/docs?limit=100&{parameters}")).expect(200).json();
    let docs = list["docs"].as_array().expect("a list").iter();
    docs.map(|doc| doc["id"].as_str().expect("an id").to_owned()).collect()
}
