//! The document of OpenAPI, and whether the server keeps to it.

use std::process::Command;

use serde_json::json;

use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::{admin_token, knows_tokens, token};

#[test]
fn the_document_and_its_page_are_served_without_anything_from_elsewhere() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let document = rest.get("/openapi.json").expect(200).json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{document}");
    assert!(document["paths"]["/v1/docs/{id}/comments"]["post"].is_object());
    let page = rest.get("/docs").expect(200);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    let text = page.text();
    let loaded: Vec<&str> = text.split("href=\"").chain(text.split("src=\"")).skip(1).collect();
    assert!(loaded.iter().all(|address| address.starts_with('/') || address.starts_with('<')), "{text}");
    for file in ["page.js", "page.css"] {
        assert!(text.contains(&format!("/docs/{file}")), "{file}");
        rest.get(&format!("/docs/{file}")).expect(200);
    }
    rest.get("/docs/page.html").expect_problem(404, "not_found");
}

/// Asks a server of its own whatever the document lets one ask.
fn keeps_to_its_document(server: &TestServer, token: Option<&str>) {
    let rest = Rest::of(server);
    let doc = rest.create(&json!([{ "insert": "text\n" }]));
    let body = json!({ "text": "why?", "anchor": { "index": 0, "length": 4 } });
    rest.post(&format!("/v1/docs/{doc}/comments"), &body).expect(201);
    let asked = Command::new("scripts/services/schemathesis")
        .args(["check", &format!("http://{}", server.address())])
        .args(token)
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&asked.stdout);
    let warned = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}{warned}");
    rest.get("/readyz").expect(200);
}

#[test]
fn a_guest_is_answered_as_the_document_says() {
    keeps_to_its_document(&Launch::new().start(), None);
}

#[test]
fn a_user_is_answered_as_the_document_says() {
    keeps_to_its_document(&knows_tokens(), Some(&token("ada")));
}

#[test]
fn an_administrator_is_answered_as_the_document_says() {
    keeps_to_its_document(&knows_tokens(), Some(&admin_token("ada")));
}
