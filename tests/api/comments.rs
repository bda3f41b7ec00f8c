//! Comments, and conditions of requests.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::TestServer;
use crate::rest::{Answer, Rest};
use crate::signed_in::{call, knows_tokens, token};

fn anchored(rest: &Rest, doc: &str, index: u64, length: u64) -> Value {
    let body = json!({ "text": "why?", "anchor": { "index": index, "length": length } });
    rest.post(&format!("/v1/docs/{doc}/comments"), &body).expect(201).json()
}

fn insert(rest: &Rest, doc: &str, pos: u64, text: &str) {
    let base = rest.content(doc).0;
    let edit = json!({ "base": base, "edit": { "type": "insert", "pos": pos, "text": text } });
    rest.post(&format!("/v1/docs/{doc}/ops"), &edit).expect(200);
}

#[test]
fn anchors_move_with_the_text_until_it_is_gone() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "one two three\n" }]));
    let made = anchored(&rest, &doc, 4, 3);
    let anchor = |index: u64, length: u64, version: u64| json!({ "index": index, "length": length, "version": version, "orphaned": length == 0 });
    assert_eq!(made["anchor"], anchor(4, 3, 1));
    let list = || rest.get(&format!("/v1/docs/{doc}/comments")).expect(200).json();
    insert(&rest, &doc, 4, "and ");
    assert_eq!(list()["comments"][0]["anchor"], anchor(8, 3, 2));
    let mut writer = TestClient::join(&server, &doc);
    writer.insert(0, "😀");
    assert_eq!(list()["comments"][0]["anchor"], anchor(10, 3, 3));
    // On a version of its own choice.
    let body = json!({ "text": "there", "anchor": { "index": 0, "length": 3, "version": 1 } });
    let late = rest.post(&format!("/v1/docs/{doc}/comments"), &body).expect(201).json();
    assert_eq!(late["anchor"], anchor(0, 3, 1));
    assert_eq!(list()["comments"][1]["anchor"], anchor(2, 3, 3));
    rest.post(&format!("/v1/docs/{doc}/import"), &json!([])).expect(200);
    assert_eq!(list()["comments"][0]["anchor"], anchor(0, 0, 4));
    assert_eq!(list()["comments"][1]["anchor"]["orphaned"], true);

    for bad in [(0, 1, 4), (0, 0, 1), (13, 2, 1)] {
        let anchor = json!({ "index": bad.0, "length": bad.1, "version": bad.2 });
        let body = json!({ "text": "x", "anchor": anchor });
        rest.post(&format!("/v1/docs/{doc}/comments"), &body).expect_problem(400, "bad_request");
    }
    let body = json!({ "text": "x", "anchor": { "index": 0, "length": 1, "version": 9 } });
    rest.post(&format!("/v1/docs/{doc}/comments"), &body).expect_problem(404, "not_found");
}

#[test]
fn a_comment_is_answered_settled_changed_by_its_author_and_removed() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let by = |user: &str, method: &str, path: &str, body: Option<Value>| -> Answer {
        call(&rest, &token(user), method, path, body.as_ref())
    };
    let made =
        by("ada", "POST", "/v1/docs", Some(json!({ "content": [{ "insert": "text\n" }] }))).expect(201);
    let doc = made.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/docs/{doc}/comments");
    let body = json!({ "text": "<b>why</b>", "anchor": { "index": 0, "length": 4 } });
    let comment = by("bob", "POST", &path, Some(body)).expect(201).json();
    let one = format!("{path}/{}", comment["id"].as_str().expect("an id"));
    assert_eq!(
        (&comment["user"], &comment["text"], &comment["resolved"]),
        (&json!("bob"), &json!("<b>why</b>"), &json!(false))
    );

    let reply =
        by("ada", "POST", &format!("{one}/replies"), Some(json!({ "text": "because" }))).expect(201).json();
    assert_eq!(reply["parent"], comment["id"]);
    let answer = format!("{path}/{}", reply["id"].as_str().expect("an id"));
    by("ada", "PATCH", &answer, Some(json!({ "resolved": true }))).expect_problem(400, "bad_request");
    let settled = by("ada", "PATCH", &one, Some(json!({ "resolved": true }))).expect(200).json();
    assert_eq!((&settled["resolved"], &settled["resolved_by"]), (&json!(true), &json!("ada")));
    by("ada", "PATCH", &one, Some(json!({ "text": "mine" }))).expect_problem(403, "forbidden");
    let changed =
        by("bob", "PATCH", &one, Some(json!({ "text": "why?", "resolved": false }))).expect(200).json();
    assert_eq!((&changed["text"], &changed["resolved"]), (&json!("why?"), &json!(false)));
    assert!(changed["edited_at"].as_u64() >= changed["created_at"].as_u64());
    for bad in [json!({}), json!({ "text": "" }), json!({ "text": "x".repeat(10_001) })] {
        by("bob", "PATCH", &one, Some(bad)).expect_problem(400, "bad_request");
    }

    by("carol", "DELETE", &one, None).expect_problem(403, "forbidden");
    by("bob", "DELETE", &answer, None).expect_problem(403, "forbidden");
    // The owner of the document may; the answer goes along.
    by("ada", "DELETE", &one, None).expect(204);
    assert_eq!(by("bob", "GET", &path, None).expect(200).json(), json!({ "comments": [] }));
    by("bob", "GET", &answer, None).expect_problem(404, "not_found");
    by("ada", "PATCH", &format!("/v1/docs/{doc}"), Some(json!({ "archived": true }))).expect(200);
    let body = json!({ "text": "late", "anchor": { "index": 0, "length": 4 } });
    by("bob", "POST", &path, Some(body)).expect_problem(403, "forbidden");
}

#[test]
fn comments_are_read_page_by_page_in_order_of_time() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "text\n" }]));
    let made: Vec<_> = (0..5).map(|_| anchored(&rest, &doc, 0, 4)["id"].clone()).collect();
    let (mut read, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rest.get(&format!("/v1/docs/{doc}/comments?limit=2{cursor}")).expect(200).json();
        read.extend(page["comments"].as_array().expect("a list").iter().map(|comment| comment["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(read, made);
    rest.get(&format!("/v1/docs/{doc}/comments?cursor=x")).expect_problem(400, "bad_request");
    rest.get(&format!("/v1/docs/{doc}/comments?limit=0")).expect_problem(400, "bad_request");
}

#[test]
fn what_was_changed_by_somebody_else_is_not_changed_under_a_condition() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "text\n" }]));
    let path = format!("/v1/docs/{doc}");
    let tag = |answer: &Answer| answer.headers["etag"].to_str().expect("a tag").to_owned();
    let under = |path: &str, tag: &str, body: Value| {
        rest.call("PATCH", path, &[("if-match", tag)], Some(body.to_string()))
    };
    let seen = tag(&rest.get(&path).expect(200));
    insert(&rest, &doc, 0, "more ");
    let renamed = under(&path, &seen, json!({ "title": "A" })).expect(200);
    under(&path, &seen, json!({ "title": "B" })).expect_problem(412, "conflict");
    under(&path, &tag(&renamed), json!({ "archived": true })).expect(200);
    under(&path, "*", json!({ "archived": false })).expect(200);
    assert_eq!(rest.get(&path).expect(200).json()["metadata"]["title"], "A");

    let comment = anchored(&rest, &doc, 0, 4);
    let one = format!("{path}/comments/{}", comment["id"].as_str().expect("an id"));
    let seen = tag(&rest.get(&one).expect(200));
    insert(&rest, &doc, 0, "moves the anchor ");
    under(&one, &seen, json!({ "resolved": true })).expect(200);
    under(&one, &seen, json!({ "text": "x" })).expect_problem(412, "conflict");
    rest.call("DELETE", &one, &[("if-match", &seen)], None).expect_problem(412, "conflict");
    rest.delete(&one).expect(204);
}

#[test]
fn a_document_that_is_asked_for_again_under_its_key_is_made_once() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let create = |key: &str, body: Value| {
        rest.call("POST", "/v1/docs", &[("idempotency-key", key)], Some(body.to_string()))
    };
    let first = create("my key", json!({ "title": "Once" })).expect(201).json();
    let again = create("my key", json!({ "title": "Once" })).expect(201).json();
    assert_eq!(first["id"], again["id"]);
    create("my key", json!({ "title": "Twice" })).expect_problem(422, "conflict");
    assert_ne!(create("another", json!({})).expect(201).json()["id"], first["id"]);
    create("named", json!({ "id": "named" })).expect(201);
    create("named", json!({ "id": "named" })).expect(201);
    create("named", json!({ "id": "other" })).expect_problem(422, "conflict");
    // An id that somebody else has is none that the key has made, however often it is asked for.
    for _ in 0..2 {
        create("thief", json!({ "id": "named" })).expect_problem(409, "conflict");
    }
    create(&"x".repeat(256), json!({})).expect_problem(400, "bad_request");
}

#[test]
fn a_comment_that_is_sent_again_under_its_key_is_there_once() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "text\n" }]));
    let path = format!("/v1/docs/{doc}/comments");
    let send = |path: &str, key: &str, body: &Value| {
        rest.call("POST", path, &[("idempotency-key", key)], Some(body.to_string()))
    };
    let body = json!({ "text": "why?", "anchor": { "index": 0, "length": 4 } });
    let first = send(&path, "a", &body).expect(201).json();
    // At a head that has not the text any more, too.
    rest.post(&format!("/v1/docs/{doc}/import"), &json!([])).expect(200);
    assert_eq!(send(&path, "a", &body).expect(201).json()["id"], first["id"]);
    let one = format!("{path}/{}", first["id"].as_str().expect("an id"));
    let replies = format!("{one}/replies");
    let answer = json!({ "text": "because" });
    send(&replies, "a", &answer).expect_problem(422, "conflict");
    let ids: Vec<_> = (0..2).map(|_| send(&replies, "b", &answer).expect(201).json()["id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
    let listed = rest.get(&path).expect(200).json();
    assert_eq!(listed["comments"].as_array().map(Vec::len), Some(2), "{listed}");
    // What was removed is not made again.
    rest.delete(&one).expect(204);
    send(&path, "a", &body).expect_problem(404, "not_found");
    assert_eq!(rest.get(&path).expect(200).json(), json!({ "comments": [] }));
}
