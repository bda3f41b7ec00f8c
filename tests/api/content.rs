//! What is in a document, over REST: formats, versions, ranges of the log, and edits.

use serde_json::json;
use uuid::Uuid;

use crate::client::TestClient;
use crate::harness::TestServer;
use crate::rest::Rest;

#[test]
fn content_is_given_as_delta_text_markdown_and_html() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let content = json!([
        { "insert": "Title" },
        { "insert": "\n", "attributes": { "header": 1 } },
        { "insert": "<b> & " },
        { "insert": "bold", "attributes": { "bold": true } },
        { "insert": { "image": "a.png" } },
        { "insert": "\n" },
    ]);
    let doc = rest.create(&content);
    let path = |format: &str| format!("/v1/docs/{doc}/content?format={format}");
    let delta = rest.get(&path("delta")).expect(200);
    assert_eq!(delta.json(), json!({ "version": 1, "content": content }));
    assert!(delta.header("content-type").starts_with("application/json"));

    let text = rest.get(&path("text")).expect(200);
    assert!(text.header("content-type").starts_with("text/plain"), "{}", text.header("content-type"));
    assert!(text.text().starts_with("Title\n<b> & bold"), "{}", text.text());

    let markdown = rest.get(&path("markdown")).expect(200);
    assert!(markdown.header("content-type").starts_with("text/markdown"));
    assert!(
        markdown.text().contains("# Title") && markdown.text().contains("**bold**"),
        "{}",
        markdown.text()
    );

    let html = rest.get(&path("html")).expect(200);
    assert!(html.header("content-type").starts_with("text/html"));
    let html = html.text();
    assert!(html.contains("<h1>Title</h1>") && html.contains("<strong>bold</strong>"), "{html}");
    assert!(html.contains("&lt;b&gt; &amp;"), "text is escaped: {html}");
    rest.get(&path("docx")).expect_problem(400, "bad_request");
}

#[test]
fn html_carries_no_script_of_a_writer() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([
        { "insert": "click", "attributes": { "link": "javascript:alert(1)" } },
        { "insert": { "image": "x\" onerror=\"alert(1)" } },
        { "insert": "c", "attributes": { "color": "red\"><script>alert(1)</script>" } },
        { "insert": "\n" },
    ]));
    let html = rest.get(&format!("/v1/docs/{doc}/content?format=html")).expect(200).text();
    assert!(
        !html.contains("javascript:") && !html.contains("<script") && !html.contains("\" onerror"),
        "{html}"
    );
}

#[test]
fn every_version_can_be_read() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut writer = TestClient::join(&server, &doc);
    // More than a snapshot's distance, so that old versions are rebuilt from one or from the beginning.
    for n in 0..230 {
        writer.insert(n, "x");
    }
    for version in [0, 1, 99, 100, 101, 199, 230] {
        let answer = rest.get(&format!("/v1/docs/{doc}/content?version={version}&format=text")).expect(200);
        assert_eq!(answer.text().len(), version, "at version {version}");
        let answer = rest.get(&format!("/v1/docs/{doc}/history?version={version}")).expect(200).json();
        assert_eq!(answer["version"], version, "{answer}");
    }
    rest.get(&format!("/v1/docs/{doc}/content?version=231")).expect_problem(404, "not_found");
    rest.get(&format!("/v1/docs/{doc}/content?version=-1")).expect_problem(400, "bad_request");
}

#[test]
fn an_etag_spares_a_reader_what_it_has() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "one\n" }]));
    let path = format!("/v1/docs/{doc}/content");
    let first = rest.get(&path).expect(200);
    let etag = first.header("etag").to_owned();
    assert!(etag.len() > 2, "no ETag");
    rest.call("GET", &path, &[("if-none-match", &etag)], None).expect(304);
    TestClient::join(&server, &doc).insert(0, "x");
    let second = rest.call("GET", &path, &[("if-none-match", &etag)], None).expect(200);
    assert_ne!(second.header("etag"), etag);
    let old = rest.get(&format!("{path}?version=1")).expect(200);
    assert_eq!(old.header("etag"), etag, "of the version, not of the answer");
}

#[test]
fn ranges_of_the_log_have_from_exclusive_and_to_inclusive() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut writer = TestClient::join(&server, &doc);
    for n in 0..10 {
        writer.insert(n, "x");
    }
    let versions = |query: &str| -> Vec<u64> {
        let answer = rest.get(&format!("/v1/docs/{doc}/ops?{query}")).expect(200).json();
        let ops = answer["ops"].as_array().expect("a list").iter();
        ops.map(|op| op["version"].as_u64().expect("a version")).collect()
    };
    assert_eq!(versions("from=2&to=5"), [3, 4, 5]);
    assert_eq!(versions("from=8"), [9, 10]);
    assert_eq!(versions("to=2"), [1, 2]);
    assert!(versions("from=10").is_empty());
    assert!(versions("from=3&to=3").is_empty());
    let ops = rest.ops(&doc);
    assert_eq!(ops[9]["client"], writer.replica.client.to_string());
    assert_eq!(ops[9]["seq"], 10);
    assert_eq!(ops[9]["delta"], json!([{ "retain": 9 }, { "insert": "x" }]));
    assert_eq!(ops[9]["user"], format!("guest:{}", writer.replica.client));
    let times: Vec<u64> = ops.iter().map(|op| op["at"].as_u64().expect("Unix ms")).collect();
    assert!(times.is_sorted(), "{times:?}");
    rest.get(&format!("/v1/docs/{doc}/ops?from=x")).expect_problem(400, "bad_request");
}

#[test]
fn an_edit_over_rest_is_durable_when_it_is_answered_and_seen_by_all() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let mut reader = TestClient::join(&server, &doc);
    let path = format!("/v1/docs/{doc}/ops");
    let answer = rest.post(&path, &json!({ "base": 1, "delta": [{ "retain": 5 }, { "insert": "X" }] }));
    assert_eq!(answer.expect(200).json()["version"], 2);
    let edit = json!({ "type": "insert", "pos": 5, "text": "Y" });
    let answer = rest.post(&path, &json!({ "base": 1, "edit": edit }));
    assert_eq!(answer.expect(200).json()["version"], 3);
    reader.until_version(3);
    assert_eq!(reader.text(), "HelloXY\n");
    rest.post(&path, &json!({ "base": 9, "delta": [{ "insert": "x" }] })).expect_problem(409, "future_base");
    rest.post(&path, &json!({ "base": 1, "delta": [{ "delete": 99 }] })).expect_problem(422, "bad_op");
    rest.post(&path, &json!({ "base": 1 })).expect_problem(400, "bad_request");
    rest.post("/v1/docs/unknown/ops", &json!({ "base": 0, "delta": [] })).expect_problem(404, "not_found");
    assert_eq!(rest.content(&doc).0, 3);
}

#[test]
fn an_idempotency_key_makes_a_repeated_edit_one() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "a\n" }]));
    let key = format!("{}:7", Uuid::new_v4());
    let post = |text: &str| {
        let body = json!({ "base": 1, "delta": [{ "insert": text }] }).to_string();
        let headers = [("idempotency-key", key.as_str()), ("content-type", "application/json")];
        rest.call("POST", &format!("/v1/docs/{doc}/ops"), &headers, Some(body)).expect(200).json()
    };
    assert_eq!(post("x")["version"], 2);
    assert_eq!(post("x")["version"], 2);
    assert_eq!(rest.text(&doc), "xa\n");
    let ops = rest.ops(&doc);
    assert_eq!(ops.len(), 2);
    assert_eq!(format!("{}:{}", ops[1]["client"].as_str().expect("a UUID"), ops[1]["seq"]), key);
}
