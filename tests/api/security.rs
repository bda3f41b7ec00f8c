//! Who may speak to the server at all: `Host`, `Origin`, tokens.

use crate::harness::{Launch, TestServer};
use crate::raw::{handshake_headers, request};
use crate::rest::Rest;

/// Gives the status of a socket's handshake and that of a REST call, with a header replaced or added.
fn statuses(server: &TestServer, doc: &str, name: &'static str, value: &str) -> (u16, u16) {
    let address = server.address();
    let status = |line: &str, mut headers: Vec<(&'static str, String)>| {
        headers.retain(|(key, _)| *key != name);
        headers.push((name, value.to_owned()));
        request(address, line, &headers).0.status
    };
    let get = vec![("Host", address.to_owned()), ("Connection", "close".to_owned())];
    (status(&format!("GET /v1/collab/{doc}"), handshake_headers(address)), status("GET /v1/docs", get))
}

#[test]
fn a_foreign_origin_is_refused_on_sockets_and_rest() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"] {
        assert_eq!(statuses(&server, &doc, "Origin", origin), (403, 403), "{origin}");
    }
    let own = format!("http://{}", server.address());
    assert_eq!(statuses(&server, &doc, "Origin", &own), (101, 200));
}

#[test]
fn a_foreign_host_is_refused_on_sockets_and_rest() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    // A name that an attacker's DNS points here: the browser then takes the page for one of the same origin.
    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        assert_eq!(statuses(&server, &doc, "Host", host), (403, 403), "{host}");
    }
    let port = server.address().rsplit(':').next().expect("a port");
    assert_eq!(statuses(&server, &doc, "Host", &format!("localhost:{port}")), (101, 200));
}

#[test]
fn hosts_and_origins_can_be_allowed() {
    let server = Launch::new()
        .with("QUIRE_ALLOWED_HOSTS", "docs.example")
        .with("QUIRE_ALLOWED_ORIGINS", "https://wiki.example")
        .start();
    let doc = Rest::of(&server).create_empty();
    assert_eq!(statuses(&server, &doc, "Host", "docs.example"), (101, 200));
    assert_eq!(statuses(&server, &doc, "Origin", "https://wiki.example"), (101, 200));
    assert_eq!(statuses(&server, &doc, "Origin", "https://other.example"), (403, 403));
}

#[test]
fn a_bad_token_is_refused_before_the_upgrade_and_never_taken_for_a_guest() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    for token in ["Bearer nonsense", "Bearer a.b.c", "Basic dXNlcjpwYXNz"] {
        assert_eq!(statuses(&server, &doc, "Authorization", token), (401, 401), "{token}");
    }
    let offered = statuses(&server, &doc, "Sec-WebSocket-Protocol", "quire.v1, bearer.a.b.c");
    assert_eq!(offered.0, 401);
}

#[test]
fn without_guests_a_token_is_needed() {
    let server = Launch::new().with("QUIRE_GUESTS", "off").start();
    let rest = Rest::of(&server);
    rest.get("/v1/docs").expect_problem(401, "unauthorized");
    let (head, _) = request(server.address(), "GET /v1/collab/x", &handshake_headers(server.address()));
    assert_eq!(head.status, 401);
    rest.get("/healthz").expect(200);
}
