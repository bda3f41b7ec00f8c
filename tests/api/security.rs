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
fn a_page_that_is_allowed_may_send_every_header_that_a_call_takes() {
    let server = Launch::new().with("QUIRE_ALLOWED_ORIGINS", "https://wiki.example").start();
    let headers = [
        ("Host", server.address().to_owned()),
        ("Origin", "https://wiki.example".to_owned()),
        ("Access-Control-Request-Method", "PATCH".to_owned()),
    ];
    let (head, _) = request(server.address(), "OPTIONS /v1/docs/x", &headers);
    assert_eq!(head.status, 204);
    assert_eq!(head.header("access-control-allow-origin"), Some("https://wiki.example"));
    let allowed = head.header("access-control-allow-headers").expect("it is told").to_ascii_lowercase();
    let allowed: Vec<_> = allowed.split(", ").collect();
    let document = Rest::of(&server).get("/openapi.json").expect(200).json();
    let calls = document["paths"].as_object().expect("paths").values();
    let parameters = calls.flat_map(|path| path.as_object().expect("calls").values());
    let parameters = parameters.filter_map(|call| call["parameters"].as_array()).flatten();
    let taken = parameters.filter(|parameter| parameter["in"] == "header");
    let taken: std::collections::BTreeSet<_> =
        taken.map(|header| header["name"].as_str().expect("a name").to_ascii_lowercase()).collect();
    assert!(taken.contains("if-match") && taken.contains("idempotency-key"), "{taken:?}");
    for header in taken {
        assert!(allowed.contains(&&*header), "{header} is not among {allowed:?}");
    }
    for header in ["authorization", "content-type", "if-none-match", "quire-link"] {
        assert!(allowed.contains(&header), "{header}");
    }
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
fn a_server_that_lets_guests_in_says_so() {
    let is_said = |guests: &str| {
        let server = Launch::new().with("QUIRE_GUESTS", guests).with("QUIRE_LOG", "info").start();
        server.messages().contains("nobody needs an account here")
    };
    assert!(is_said("on") && !is_said("off"));
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
