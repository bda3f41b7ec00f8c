//! The document of OpenAPI, and the page that shows it.

use crate::harness::TestServer;
use crate::rest::Rest;

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
