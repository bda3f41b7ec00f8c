//! The upgrade to a WebSocket, and what is refused before it.

use crate::harness::TestServer;
use crate::raw::{handshake_headers, request};
use crate::rest::Rest;

#[test]
fn the_subprotocol_is_echoed() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let line = format!("GET /v1/collab/{doc}");
    let (head, _) = request(server.address(), &line, &handshake_headers(server.address()));
    assert_eq!(head.status, 101);
    assert_eq!(head.header("sec-websocket-protocol"), Some("quire.v1"));
    // RFC 6455, section 1.3: of that very key.
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn the_subprotocol_is_echoed_wherever_it_is_among_the_offers() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    for offers in [["quire.v1", "other.v1"], ["other.v1", "quire.v1"], ["a, b", "c,quire.v1"]] {
        let mut headers = handshake_headers(server.address());
        headers.retain(|(name, _)| *name != "Sec-WebSocket-Protocol");
        headers.extend(offers.map(|offer| ("Sec-WebSocket-Protocol", offer.to_owned())));
        let (head, _) = request(server.address(), &format!("GET /v1/collab/{doc}"), &headers);
        assert_eq!(head.status, 101, "{offers:?}");
        let echoed: Vec<_> = head
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .collect();
        assert!(matches!(echoed[..], [(_, value)] if value == "quire.v1"), "{offers:?}: {echoed:?}");
    }
}

#[test]
fn another_subprotocol_is_refused() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut headers = handshake_headers(server.address());
    headers.retain(|(name, _)| *name != "Sec-WebSocket-Protocol");
    headers.push(("Sec-WebSocket-Protocol", "quire.v9".into()));
    let (head, _) = request(server.address(), &format!("GET /v1/collab/{doc}"), &headers);
    assert_eq!(head.status, 400);
}

#[test]
fn an_unknown_document_is_not_found() {
    let server = TestServer::start();
    for doc in ["nobody-made-this", "..", "%00", "a%20b"] {
        let line = format!("GET /v1/collab/{doc}");
        let (head, _) = request(server.address(), &line, &handshake_headers(server.address()));
        assert_eq!(head.status, 404, "{doc}");
    }
}

#[test]
fn a_plain_request_is_no_handshake() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let answer = Rest::of(&server).get(&format!("/v1/collab/{doc}"));
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}
