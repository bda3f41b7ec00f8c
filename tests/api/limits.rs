//! What is too much, and what happens then.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::raw::{RawIncoming, RawSocket, frame_header, opcode};
use crate::rest::Rest;

#[test]
fn the_third_frame_that_is_not_the_protocol_ends_the_session() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut client = TestClient::join(&server, &doc);
    for (text, fatal) in [("nonsense", false), (r#"{"type":"unknown"}"#, false), ("[]", true)] {
        client.connection.send_text(text.into()).expect("open");
        let error = client.until_error();
        assert_eq!((&error["code"], &error["fatal"]), (&json!("bad_request"), &json!(fatal)), "{error}");
    }
    assert_eq!(client.until_closed(), Some(1008));
    // The document goes on.
    TestClient::join(&server, &doc).insert(0, "x");
}

#[test]
fn refused_operations_do_not_count_as_strikes() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut client = TestClient::join(&server, &doc);
    for seq in 1..=5 {
        let op = json!({ "type": "op", "seq": seq, "base": 0, "delta": [{ "delete": 1 }] });
        assert_eq!(client.refused(&op)["code"], "bad_op");
    }
    client.replica.seq = 5;
    client.insert(0, "x");
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_announced_length() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut witness = TestClient::join(&server, &doc);
    for length in [(1 << 20) + 1, 100 << 20, u64::MAX >> 1] {
        let mut socket = welcomed(&server, &doc);
        // Nothing of the payload is ever sent.
        socket.announce(opcode::TEXT, length).expect("open");
        assert_eq!(until_closed(&mut socket), Some(1009), "{length}");
    }
    witness.insert(0, "x");
}

#[test]
fn what_was_sent_before_a_frame_over_the_limit_counts() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut reader = TestClient::join(&server, &doc);
    let mut socket = RawSocket::open(server.address(), &doc);
    // In one piece, from hello on, so that the server reads all of it at once.
    let mut bytes = Vec::new();
    let frames = [
        json!({ "type": "hello", "client": Uuid::new_v4() }),
        json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "x" }] }),
        json!({ "type": "ping", "t": 1 }),
    ];
    for frame in frames {
        let text = frame.to_string();
        bytes.extend_from_slice(&frame_header(opcode::TEXT, text.len() as u64));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes.extend_from_slice(&frame_header(opcode::TEXT, 100 << 20));
    socket.send_bytes(&bytes).expect("open");
    let mut told = Vec::new();
    let code = loop {
        match socket.next() {
            RawIncoming::Frame(frame) => told.push(frame),
            RawIncoming::Closed(code) => break code,
        }
    };
    // Only if it is durable by then.
    told.retain(|frame| frame["type"] != "ops");
    let kinds: Vec<_> = told.iter().map(|frame| frame["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["welcome", "pong", "error"], "{told:?}");
    assert_eq!((&told[2]["code"], code), (&json!("too_large"), Some(1009)));
    reader.until_version(1);
    assert_eq!(reader.text(), "x");
}

#[test]
fn a_frame_at_the_limit_is_read() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut socket = welcomed(&server, &doc);
    let ping = |pad: usize| format!(r#"{{"type":"ping","t":1,"pad":"{}"}}"#, "x".repeat(pad));
    let whole = ping((1 << 20) - ping(0).len());
    socket.send(opcode::TEXT, whole.as_bytes()).expect("open");
    assert!(matches!(socket.next(), RawIncoming::Frame(frame) if frame["type"] == "pong"));
}

#[test]
fn the_fragments_of_a_message_count_together() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut socket = welcomed(&server, &doc);
    let half = vec![b' '; 600_000];
    socket.send_fragment(opcode::TEXT, &half, false).expect("open");
    socket.announce(opcode::CONTINUATION, half.len() as u64).expect("open");
    assert_eq!(until_closed(&mut socket), Some(1009));
}

fn welcomed(server: &TestServer, doc: &str) -> RawSocket {
    let mut socket = RawSocket::open(server.address(), doc);
    let hello = json!({ "type": "hello", "client": Uuid::new_v4() });
    socket.send(opcode::TEXT, hello.to_string().as_bytes()).expect("open");
    assert!(matches!(socket.next(), RawIncoming::Frame(frame) if frame["type"] == "welcome"));
    socket
}

fn until_closed(socket: &mut RawSocket) -> Option<u16> {
    loop {
        if let RawIncoming::Closed(code) = socket.next() {
            return code;
        }
    }
}

#[test]
fn an_operation_has_at_most_10_000_parts() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut client = TestClient::join(&server, &doc);
    let parts = |count: usize| -> Vec<Value> {
        let part = |n: usize| json!({ "insert": "x", "attributes": { "bold": n.is_multiple_of(2) } });
        (0..count).map(part).collect()
    };
    client.edit(&json!(parts(10_000)));
    assert_eq!(client.until_acknowledged(), 1);
    let error = client.refused(&json!({ "type": "op", "seq": 2, "base": 1, "delta": parts(10_001) }));
    assert_eq!(error["code"], "bad_op", "{error}");
    let too_many = json!({ "base": 1, "delta": parts(10_001) });
    rest.post(&format!("/v1/docs/{doc}/ops"), &too_many).expect_problem(422, "bad_op");
    rest.post("/v1/docs", &json!({ "content": parts(10_001) })).expect_problem(422, "bad_op");
    assert_eq!(rest.content(&doc).0, 1);
}

#[test]
fn a_document_grows_to_10_mb_and_can_still_shrink() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut client = TestClient::join(&server, &doc);
    // "ä" is two bytes of UTF-8 and one unit.
    let piece = "ä".repeat(250_000);
    for n in 0..20 {
        client.edit(&insertion(n * 250_000, &piece));
        client.until_acknowledged();
    }
    let op = |seq: u64, delta: Value| json!({ "type": "op", "seq": seq, "base": 20, "delta": delta });
    let error = client.refused(&op(21, json!([{ "insert": "x" }])));
    assert_eq!((&error["code"], &error["seq"]), (&json!("too_large"), &json!(21)), "{error}");
    client.replica.seq = 21;
    client.edit(&json!([{ "delete": 10 }]));
    client.until_acknowledged();
    client.insert(0, "x");
}

#[test]
fn too_many_operations_a_second_are_put_off_and_not_lost() {
    let server = Launch::new().with("QUIRE_RATE_LIMITS", "on").start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut hasty = TestClient::join(&server, &doc);
    let mut refusals = 0;
    for n in 0..400 {
        hasty.edit(&insertion(n, "x"));
        refusals += until_committed(&mut hasty);
    }
    assert!(refusals > 0, "400 operations at once are too fast");
    assert_eq!(rest.text(&doc).len(), 400);
    assert_eq!(rest.ops(&doc).len(), 400);
}

/// Sends what is in flight again as often as it is refused for being too fast; how often that was.
fn until_committed(client: &mut TestClient) -> usize {
    let mut refusals = 0;
    while client.replica.in_flight.is_some() {
        let Incoming::Frame(frame) = client.step() else { panic!("closed") };
        if frame["type"] == "error" {
            assert_eq!(frame["code"], "rate_limited", "{frame}");
            let wait = frame["retry_after_ms"].as_u64().expect("when to try again");
            refusals += 1;
            // Nothing comes before that: nobody else is on this document.
            let quiet = client.connection.next_within(Duration::from_millis(wait));
            assert!(quiet.is_none(), "{quiet:?}");
            client.send_in_flight().expect("open");
        }
    }
    refusals
}

#[test]
fn pongs_bring_back_what_pings_carried() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut client = TestClient::join(&server, &doc);
    for t in [json!(0), json!(1.5), json!(-3), json!(1_763_683_200_123_u64)] {
        client.send(&json!({ "type": "ping", "t": t }));
        assert_eq!(client.until_frame("pong")["t"], t);
    }
}

#[test]
fn the_server_pings_by_itself() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut client = TestClient::join(&server, &doc);
    let deadline = Instant::now() + PATIENCE;
    while client.connection.pings == 0 {
        assert!(Instant::now() < deadline, "no ping");
        // Nothing else is expected on this document.
        let quiet = client.connection.next_within(Duration::from_millis(500));
        assert!(quiet.is_none(), "{quiet:?}");
    }
}
