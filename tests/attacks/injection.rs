//! SQL in everything that is asked with: it is a text like any other.

use serde_json::json;

use crate::harness::TestServer;
use crate::rest::Rest;

const PAYLOADS: [&str; 14] = [
    "'",
    "''",
    "\"",
    "`",
    ";",
    "'; DROP TABLE documents; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "1; SELECT version()",
    "' UNION SELECT id, title FROM documents --",
    "%' OR 1=1 --",
    "_%_",
    "\\",
    "$1 ?1 :a @b {c}",
];

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

#[test]
fn whatever_stands_in_a_parameter_is_a_text() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "nothing to see\n" }]));
    for payload in PAYLOADS {
        let text = encoded(payload);
        // Nobody has written this, so nothing is found; a pattern's own signs are letters here.
        let found = rest.get(&format!("/v1/docs?query={text}")).expect(200).json();
        assert_eq!(found["docs"], json!([]), "{payload}");
        for path in [
            format!("/v1/docs?cursor={text}"),
            format!("/v1/docs?limit={text}"),
            format!("/v1/docs?trashed={text}"),
            format!("/v1/docs/{text}"),
            format!("/v1/docs/{text}/content"),
            format!("/v1/docs/{doc}/content?version={text}"),
            format!("/v1/docs/{doc}/content?format={text}"),
            format!("/v1/docs/{doc}/ops?from={text}"),
            format!("/v1/docs/{doc}/ops?to={text}"),
            format!("/v1/docs/{doc}/ops?limit={text}"),
            format!("/v1/docs/{doc}/history?version={text}"),
            format!("/v1/collab/{text}"),
        ] {
            let answer = rest.get(&path);
            assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
            assert!(!answer.text().to_lowercase().contains("sqlite"), "{}", answer.text());
        }
        for headers in
            [[("idempotency-key", payload)], [("if-none-match", payload)], [("x-request-id", payload)]]
        {
            let answer = rest.call("GET", &format!("/v1/docs/{doc}/content"), &headers, None);
            assert_eq!(answer.status, 200, "{headers:?}");
        }
        // Where a text is asked for, it is kept as it is.
        let made = rest.post("/v1/docs", &json!({ "title": payload, "content": [{ "insert": payload }] }));
        let id = made.expect(201).json()["id"].as_str().expect("an id").to_owned();
        let kept = rest.get(&format!("/v1/docs/{id}")).expect(200).json();
        assert_eq!(kept["metadata"]["title"], payload);
        assert_eq!(rest.text(&id), payload);
        let found = rest.get(&format!("/v1/docs?query={text}")).expect(200).json();
        assert!(
            found["docs"].as_array().expect("a list").iter().any(|found| found["id"] == *id),
            "{payload}: {found}"
        );
        rest.delete(&format!("/v1/docs/{id}?purge=true")).expect(204);
    }
    assert_eq!(rest.text(&doc), "nothing to see\n");
}
