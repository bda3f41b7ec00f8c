//! What is small on the way and large at its end, and what is large all the way. The server's memory stays what it was.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::TestClient;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::raw::{RawIncoming, RawSocket, opcode};
use crate::rest::Rest;

/// What a server may have taken more after an attack: a tenth of what it would have been sent.
const ROOM: u64 = 48 << 20;

fn post(server: &TestServer, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
    let head =
        format!("POST /v1/docs HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", server.address());
    // It may have refused and closed before all of it is sent.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut said = Vec::new();
    // A refusal that is followed by a reset has been read by then, or is lost: either is fine.
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_body_that_is_a_bomb_is_never_unpacked() {
    let server = TestServer::start();
    let before = server.anonymous_bytes();
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(b"{\"title\":\"").expect("memory");
    for _ in 0..1_024 {
        packed.write_all(&[b'x'; 512 << 10]).expect("memory");
    }
    let packed = packed.finish().expect("memory");
    assert!(packed.len() < 1 << 20, "half a gigabyte in {} bytes", packed.len());
    let said =
        post(&server, &format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len()), &packed);
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    // Nor is it when it does not say what it is.
    let said = post(&server, &format!("Content-Length: {}\r\n", packed.len()), &packed);
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    assert!(server.anonymous_bytes() < before + ROOM, "{before} has become {}", server.anonymous_bytes());
}

#[test]
fn a_body_without_an_end_is_cut_off_at_its_limit() {
    let server = Launch::new().with("QUIRE_DOCUMENT_BYTES", "1000000").start();
    let before = server.anonymous_bytes();
    let announced = post(&server, "Content-Length: 99999999999\r\n", b"{");
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let endless = chunk.repeat(64);
    let said = post(&server, "Transfer-Encoding: chunked\r\n", &endless);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said:.200}");
    assert!(server.anonymous_bytes() < before + ROOM, "{before} has become {}", server.anonymous_bytes());
    Rest::of(&server).create_empty();
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_not_read() {
    let server = TestServer::start();
    for headers in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: +2\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ] {
        let smuggled = b"{}GET /v1/docs HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let said = post(&server, headers, smuggled);
        let answers = said.matches("HTTP/1.1 ").count();
        assert!(answers <= 1 && !said.starts_with("HTTP/1.1 2"), "{headers}: {said}");
    }
}

#[test]
fn deep_and_wide_json_is_refused_and_the_server_goes_on() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let before = server.anonymous_bytes();
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let wide =
        format!("{{{}\"z\":1}}", (0..50_000).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat());
    for body in [deep(100_000), format!("{{\"title\":{}}}", deep(100_000)), wide] {
        rest.call("POST", "/v1/docs", &[], Some(body.clone())).expect_problem(400, "bad_request");
        let delta = format!("{{\"base\":0,\"delta\":{body}}}");
        let answer = rest.call("POST", &format!("/v1/docs/{doc}/ops"), &[], Some(delta));
        assert!([400, 422].contains(&answer.status), "{}", answer.status);
    }
    assert!(server.anonymous_bytes() < before + ROOM);
}

#[test]
fn frames_that_are_too_large_cost_next_to_nothing() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut editor = TestClient::join(&server, &doc);
    let before = server.anonymous_bytes();
    for _ in 0..20 {
        let mut socket = RawSocket::open(server.address(), &doc);
        let hello = json!({ "type": "hello", "client": Uuid::new_v4() });
        socket.send(opcode::TEXT, hello.to_string().as_bytes()).expect("open");
        socket.announce(opcode::TEXT, 1 << 40).expect("open");
        // It is still being sent when it has been refused.
        let _ = socket.send_bytes(&vec![b'x'; 4 << 20]);
        let code = loop {
            match socket.next() {
                RawIncoming::Closed(code) => break code,
                RawIncoming::Frame(frame) => assert_ne!(frame["type"], Value::Null),
            }
        };
        assert_eq!(code, Some(1009));
    }
    editor.insert(0, "x");
    assert!(server.anonymous_bytes() < before + ROOM, "{before} has become {}", server.anonymous_bytes());
}
