//! Thousands who come and do nothing, or do it slowly, while somebody edits.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::raw::request;
use crate::rest::Rest;

/// Connections that an attacker holds, if this process may have so many files.
const CROWD: usize = 10_000;

/// What each may cost the server at most, in bytes: two buffers and what is around them.
const EACH: u64 = 24 << 10;

/// Files that this process needs for everything else.
const OTHERS: u64 = 300;

/// As many connections as the limit of files allows, up to [`CROWD`]; this process and the server have one each.
fn crowd() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be read");
    usize::try_from(limit.saturating_sub(OTHERS) / 2).map_or(CROWD, |most| most.min(CROWD))
}

/// Connects; nobody, when the server has cut it at once.
fn connect(server: &TestServer) -> Option<TcpStream> {
    let stream = TcpStream::connect(server.address()).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// Edits go on, and are seen by somebody else.
fn edit(editor: &mut TestClient, reader: &mut TestClient) {
    let version = editor.insert(0, "x");
    reader.until_version(version);
}

fn is_over(stream: &mut TcpStream) -> bool {
    // What it says before the end, if anything, is an answer of time-out.
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn thousands_of_half_open_connections_are_not_felt_by_who_edits() {
    let server = Launch::new().with("QUIRE_HEAD_TIMEOUT", "600").with("QUIRE_KEEP_ALIVE", "600").start();
    let doc = Rest::of(&server).create_empty();
    let (mut editor, mut reader) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let before = server.anonymous_bytes();
    let count = crowd();
    assert!(count >= 500, "this process may have only {count} connections");
    let mut held = Vec::with_capacity(count);
    for n in 0..count {
        let mut stream = connect(&server).expect("it takes connections");
        // Some say nothing, some begin a request, some have finished one, some begin a body.
        let begun = match n % 4 {
            0 => "",
            1 => "GET /v1/docs HTTP/1.1\r\nHost: loc",
            2 => "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            _ => "POST /v1/docs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{",
        };
        stream.write_all(begun.as_bytes()).expect("open");
        held.push(stream);
        if n % 500 == 0 {
            edit(&mut editor, &mut reader);
        }
    }
    for _ in 0..50 {
        edit(&mut editor, &mut reader);
    }
    // Somebody new gets in as well.
    TestClient::join(&server, &doc).insert(0, "y");
    let cost = server.anonymous_bytes().saturating_sub(before);
    assert!(cost < EACH * count as u64 + (32 << 20), "{count} connections cost {cost} bytes");
}

#[test]
fn of_one_address_only_so_many_connections_are_kept() {
    let server = Launch::new()
        .with("QUIRE_RATE_LIMITS", "on")
        .with("QUIRE_SOCKETS_PER_ADDRESS", "20")
        .with("QUIRE_HEAD_TIMEOUT", "600")
        .start();
    let doc = Rest::of(&server).create_empty();
    let (mut editor, mut reader) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let mut held: Vec<_> = (0..200).filter_map(|_| connect(&server)).collect();
    // Twice as many as it may have sockets: the rest is cut without a word.
    let deadline = Instant::now() + PATIENCE;
    let mut cut = 0;
    while cut < 200 - 40 {
        let ended = |stream: &TcpStream| {
            stream.set_nonblocking(true).expect("a socket");
            matches!(stream.peek(&mut [0]), Ok(0))
                || stream.peek(&mut [0]).is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        };
        cut = held.iter().filter(|stream| ended(stream)).count();
        assert!(Instant::now() < deadline, "only {cut} of 200 have been cut");
    }
    edit(&mut editor, &mut reader);
    // When they go, there is room again.
    held.clear();
    let deadline = Instant::now() + PATIENCE;
    while Rest::of(&server).try_call("GET", "/v1/docs", &[], None).is_err() {
        assert!(Instant::now() < deadline, "nobody gets in any more");
    }
}

#[test]
fn who_sends_by_drops_is_cut_off_and_nobody_waits_for_him() {
    let server = Launch::new().with("QUIRE_HEAD_TIMEOUT", "1").with("QUIRE_BODY_TIMEOUT", "1").start();
    let doc = Rest::of(&server).create_empty();
    let (mut editor, mut reader) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let head = "POST /v1/docs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    let mut drops: Vec<TcpStream> = (0..200)
        .map(|n| {
            let mut stream = connect(&server).expect("it takes connections");
            let begun = if n % 2 == 0 { "POST /v1/docs HTTP/1.1\r\nHost: local" } else { head };
            stream.write_all(begun.as_bytes()).expect("open");
            stream
        })
        .collect();
    // A drop now and then does not keep them alive.
    for _ in 0..30 {
        for stream in &mut drops {
            let _ = stream.write_all(b"X");
        }
        edit(&mut editor, &mut reader);
    }
    for stream in &mut drops {
        assert!(is_over(stream), "it is still waited for");
    }
    edit(&mut editor, &mut reader);
}

#[test]
fn bodies_together_have_a_bound() {
    let server = Launch::new()
        .with("QUIRE_BODIES_BYTES", (128 << 20).to_string())
        .with("QUIRE_RATE_LIMITS", "on")
        .start();
    let doc = Rest::of(&server).create_empty();
    let head = "POST /v1/docs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n{";
    let mut held: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = connect(&server).expect("it takes connections");
            stream.write_all(head.as_bytes()).expect("open");
            stream
        })
        .collect();
    // What is announced takes no room: a large body passes beside them.
    let large = json!({ "content": [{ "insert": "x".repeat(1 << 20) + "\n" }] });
    assert_eq!(Rest::of(&server).post("/v1/docs", &large).status, 201);
    // What has come does, and one address has an eighth of it: then the others are told so.
    let most_of_it = vec![b' '; 1_900_000];
    for stream in &mut held {
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        let _ = stream.write_all(&most_of_it);
        stream.set_nonblocking(true).expect("a socket");
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answered =
            held.iter().filter(|stream| stream.peek(&mut [0; 12]).is_ok_and(|read| read > 0)).count();
        if answered >= 60 - 9 {
            break;
        }
        assert!(Instant::now() < deadline, "{answered} of 60 are answered");
    }
    // Neither sockets nor small bodies feel it.
    assert_eq!(Rest::of(&server).post("/v1/docs", &json!({ "title": "t" })).status, 201);
    let (mut editor, mut reader) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    edit(&mut editor, &mut reader);
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    while Rest::of(&server).post("/v1/docs", &large).status != 201 {
        assert!(Instant::now() < deadline, "the room stays taken");
    }
    let docs: Value = Rest::of(&server).get("/v1/docs").expect(200).json();
    assert_eq!(docs["docs"].as_array().map(Vec::len), Some(4));
}

/// Asks for something as somebody of an address, and takes nothing but the head of the answer.
fn ask(server: &TestServer, path: &str, address: &str, held: &mut Vec<BufReader<TcpStream>>) -> u16 {
    let headers = [("Host", server.address().to_owned()), ("X-Forwarded-For", address.to_owned())];
    let (head, stream) = request(server.address(), &format!("GET {path}"), &headers);
    held.push(stream);
    head.status
}

#[test]
fn who_does_not_read_large_answers_takes_no_more_than_a_share_of_the_room() {
    let server =
        Launch::new().with("QUIRE_RATE_LIMITS", "on").with("QUIRE_TRUSTED_PROXIES", "127.0.0.0/8").start();
    let content = json!([{ "insert": "x".repeat(9_000_000) + "\n" }]);
    let doc = Rest::of(&server).create(&content);
    for (n, what) in ["content", "ops", "diff?from=0"].into_iter().enumerate() {
        let path = format!("/v1/docs/{doc}/{what}");
        let (one, other) = (format!("192.0.2.{n}"), format!("198.51.100.{n}"));
        let mut held = Vec::new();
        let answered: Vec<u16> = (0..18).map(|_| ask(&server, &path, &one, &mut held)).collect();
        let refused = answered.iter().filter(|status| **status == 503).count();
        assert!((1..18).contains(&refused) && answered[0] == 200, "{what}: {answered:?}");
        assert_eq!(ask(&server, &path, &other, &mut held), 200, "{what}: others have room");
        drop(held);
        let deadline = Instant::now() + PATIENCE;
        while ask(&server, &path, &one, &mut Vec::new()) != 200 {
            assert!(Instant::now() < deadline, "{what}: the room stays taken");
        }
    }
}
