//! Script in everything that can be written, and what the server makes of it. Whether a page runs any of it is asked in a real
//! browser: web/e2e/hostile.spec.ts.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{Launch, TestServer};
use crate::replica::Replica;
use crate::rest::Rest;

const PAYLOADS: [&str; 9] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "\"><script>alert(1)</script>",
    "'-alert(1)-'",
    "</title><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>-->alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
];

const ADDRESSES: [&str; 8] = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "vbscript:x",
    "https://a\" onmouseover=\"alert(1)",
    "blob:https://a/b",
];

/// What must not stand in HTML that others put into their pages: text that has become markup, or an address that runs.
fn check(html: &str) {
    let lower = html.to_lowercase();
    for tag in [
        "<script", "<svg", "<iframe", "<object", "<embed", "<form", "<!--", "<style", "<link", "<meta",
        "<base",
    ] {
        assert!(!lower.contains(tag), "{tag} in {html}");
    }
    for tag in lower.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let names = tag.split('"').step_by(2);
        for name in names.flat_map(|part| part.split_whitespace()) {
            assert!(!name.starts_with("on"), "a handler in {html}");
        }
        for scheme in [
            "=\"javascript:",
            "=\" javascript:",
            "=\"vbscript:",
            "=\"data:text",
            "=\"data:image/svg",
            "=\"blob:",
        ] {
            assert!(!tag.contains(scheme), "{scheme} in {html}");
        }
    }
}

fn documents() -> Vec<Value> {
    let texts = PAYLOADS.iter().flat_map(|payload| {
        [
            json!([{ "insert": format!("{payload}\n") }]),
            json!([{ "insert": "x", "attributes": { "link": payload } }, { "insert": "\n" }]),
            json!([{ "insert": "x" }, { "insert": "\n", "attributes": { "code-block": payload } }]),
            json!([{ "insert": format!("x{payload}") }, { "insert": "\n", "attributes": { "code-block": true } }]),
            json!([{ "insert": "x" }, { "insert": "\n", "attributes": { "align": payload, "header": payload, "list": payload } }]),
            json!([{ "insert": "x", "attributes": { "color": payload, "font": payload, (*payload): payload } }, { "insert": "\n" }]),
            json!([{ "insert": { "image": "a.png" }, "attributes": { "alt": payload, "width": payload } }, { "insert": "\n" }]),
            json!([{ "insert": { "formula": payload } }, { "insert": { (*payload): 1 } }, { "insert": "\n" }]),
        ]
    });
    let addresses = ADDRESSES.iter().flat_map(|address| {
        [
            json!([{ "insert": "x", "attributes": { "link": address } }, { "insert": "\n" }]),
            json!([{ "insert": { "image": address } }, { "insert": { "video": address } }, { "insert": "\n" }]),
        ]
    });
    texts.chain(addresses).collect()
}

#[test]
fn nothing_of_a_document_becomes_script_in_what_is_taken_away() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    for content in documents() {
        let doc = rest.create(&content);
        let html = rest.get(&format!("/v1/docs/{doc}/content?format=html")).expect(200);
        assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
        let policy = html.header("content-security-policy");
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
        check(&html.text());
        for (format, kind) in
            [("text", "text/plain"), ("markdown", "text/markdown"), ("delta", "application/json")]
        {
            let answer = rest.get(&format!("/v1/docs/{doc}/content?format={format}")).expect(200);
            assert!(answer.header("content-type").starts_with(kind), "{format}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
        let markdown = rest.get(&format!("/v1/docs/{doc}/content?format=markdown")).expect(200).text();
        for scheme in ["](javascript:", "](data:text", "](vbscript:"] {
            assert!(
                !markdown.contains(scheme) || markdown.contains(&format!("\\{scheme}")),
                "{scheme} in {markdown}"
            );
        }
    }
}

#[test]
fn titles_and_names_are_data_wherever_they_are_told() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    for payload in PAYLOADS {
        let made = rest.post("/v1/docs", &json!({ "title": payload })).expect(201);
        assert_eq!(made.header("content-type"), "application/json");
        let doc = made.json()["id"].as_str().expect("an id").to_owned();
        let client = TestClient::try_join(server.address(), &doc, Replica::new(), json!({ "name": payload }))
            .map_err(|lost| lost.why);
        assert_eq!(client.expect("it opens").welcome["user"]["name"], payload);
        for path in ["/v1/docs".to_owned(), format!("/v1/docs/{doc}"), format!("/v1/docs/{doc}/presence")] {
            let answer = rest.get(&path).expect(200);
            assert_eq!(
                (answer.header("content-type"), answer.header("x-content-type-options")),
                ("application/json", "nosniff")
            );
        }
        // The page is one file for all documents: nothing of them is written into it.
        assert!(!rest.get(&format!("/d/{doc}")).text().contains(payload));
        // What cannot be found is told as data, too.
        let missing = rest.get("/%3Cscript%3Ealert(1)%3C/script%3E").expect(404);
        assert_eq!(missing.header("content-type"), "application/problem+json");
    }
}

#[test]
fn with_a_list_of_formats_nothing_else_comes_into_a_document() {
    let server = Launch::new().with("QUIRE_ALLOWED_FORMATS", "quill").start();
    let rest = Rest::of(&server);
    let start = json!([{ "insert": "Hello\n" }]);
    let doc = rest.create(&start);
    let mut witness = TestClient::join(&server, &doc);
    let mut client = TestClient::join(&server, &doc);
    let bad = [
        json!([{ "insert": "x", "attributes": { "onclick": "alert(1)" } }]),
        json!([{ "retain": 1, "attributes": { "style": "x" } }]),
        json!([{ "retain": 1, "attributes": { "link": "javascript:alert(1)" } }]),
        json!([{ "retain": 1, "attributes": { "color": "red;background:url(x)" } }]),
        json!([{ "insert": { "iframe": "https://a" } }]),
        json!([{ "insert": { "image": "javascript:alert(1)" } }]),
        json!([{ "insert": { "image": "data:image/svg+xml,<svg/>" } }]),
    ];
    for (delta, seq) in bad.iter().zip(1..) {
        let refused = client.refused(&json!({ "type": "op", "seq": seq, "base": 1, "delta": delta }));
        assert_eq!((&refused["code"], &refused["seq"]), (&json!("bad_op"), &json!(seq)), "{delta}");
        let path = format!("/v1/docs/{doc}/ops");
        rest.post(&path, &json!({ "base": 1, "delta": delta })).expect_problem(422, "bad_op");
    }
    for delta in bad.iter().filter(|delta| delta[0].get("insert").is_some()) {
        rest.post("/v1/docs", &json!({ "content": delta })).expect_problem(422, "bad_op");
    }
    client.replica.seq = 100;
    client.edit(&json!([{ "retain": 5, "attributes": { "bold": true, "link": "https://a/b" } }]));
    client.until_acknowledged();
    witness.until_version(2);
    assert_eq!(witness.text(), "Hello\n");
    let expected = json!([{ "insert": "Hello", "attributes": { "bold": true, "link": "https://a/b" } }, { "insert": "\n" }]);
    assert_eq!(rest.content(&doc), (2, expected));
}
