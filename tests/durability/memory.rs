//! Peers that do not read, and those that read the past, cost a bounded amount of memory; the former do not stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::connection::{Connection, Incoming};
use crate::harness::TestServer;
use crate::raw::{RawIncoming, RawSocket, opcode};
use crate::rest::Rest;

const MIB: u64 = 1 << 20;

/// Peers that never read.
const SILENT: usize = 8;

/// Those who type.
const WRITERS: usize = 3;

/// Rounds after the first.
const ROUNDS: usize = 3;

/// Bytes of an edit's text.
const TEXT: usize = 16 << 10;

/// Bytes typed in a round: more than the outboxes of all silent peers hold together, and more than storage keeps in
/// memory before it settles (16 MiB, see `SettleLimits`), so that every bounded thing reaches its bound in the first.
const ROUND: u64 = 24 * MIB;

/// A peer that says hello and where it is, and then reads nothing any more.
fn silent_peer(server: &TestServer, doc: &str) -> Connection {
    let mut connection = Connection::open_narrow(server.address(), doc).expect("the server listens");
    let hello = json!({ "type": "hello", "client": uuid::Uuid::new_v4() });
    connection.send(&hello).expect("it is read");
    assert!(matches!(connection.next(), Incoming::Frame(frame) if frame["type"] == "welcome"));
    let presence = json!({ "type": "presence", "base": 0, "state": { "status": "active" } });
    connection.send(&presence).expect("it is read");
    connection
}

/// Inserts a text and deletes all that is there: the document stays small, the log and what is sent grow.
fn type_and_delete(writer: &mut TestClient, text: &str) {
    writer.insert(0, text);
    let length = writer.replica.content.length();
    if length > 0 {
        writer.edit(&json!([{ "delete": length }]));
        writer.until_acknowledged();
    }
}

/// One round of typing by `writers`, beside peers that never read; the server's memory at its end.
fn round(server: &TestServer, doc: &str, writers: &mut [TestClient], bytes: u64) -> u64 {
    let silent: Vec<_> = (0..SILENT).map(|_| silent_peer(server, doc)).collect();
    let each = bytes / TEXT as u64 / writers.len() as u64;
    thread::scope(|scope| {
        for writer in &mut *writers {
            let text = "x".repeat(TEXT);
            scope.spawn(move || (0..each).for_each(|_| type_and_delete(writer, &text)));
        }
    });
    let memory = server.anonymous_bytes();
    drop(silent);
    memory
}

/// By how much the memory at the end of two rounds may differ: storage has anything between nothing and twice the 16 MiB
/// waiting at which it settles. Without a bound, the outboxes alone would grow by eight times [`ROUND`] with every round.
const UNEVEN: u64 = 32 * MIB;

/// Runs for at least so many seconds if `QUIRE_DEMO_SECONDS` says so, and prints what it measures.
#[test]
fn peers_that_never_read_do_not_make_the_server_grow() {
    let at_least = std::env::var("QUIRE_DEMO_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let at_least = Duration::from_secs(at_least.unwrap_or(0));
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut writers: Vec<_> = (0..WRITERS).map(|_| TestClient::join(&server, &doc)).collect();
    let began = Instant::now();
    let first = round(&server, &doc, &mut writers, ROUND);
    let mut rounds = 0;
    while rounds < ROUNDS || began.elapsed() < at_least {
        let memory = round(&server, &doc, &mut writers, ROUND);
        rounds += 1;
        eprintln!("{:3} s: {:4} MiB", began.elapsed().as_secs(), memory / MIB);
        assert!(memory < first + UNEVEN, "{first} bytes after a round, {memory} after {rounds} more");
    }
}

/// Bytes of an edit that fills nearly a frame, and how many there are of them.
const LARGE: usize = 900_000;
const LARGE_EDITS: usize = 20;

/// Those who read the past at once, and what all of them may cost: without a bound each would hold every edit twice.
const READERS: usize = 8;
const PAST: u64 = 64 * MIB;

#[test]
fn reading_the_past_costs_no_more_than_a_few_pages_of_it() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "\n" }]));
    let mut writer = TestClient::join(&server, &doc);
    let text = "x".repeat(LARGE);
    (0..LARGE_EDITS).for_each(|_| type_and_delete(&mut writer, &text));
    let version = writer.replica.version - 2;
    let before = server.anonymous_bytes();
    let reading = std::sync::atomic::AtomicUsize::new(READERS);
    let most = thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let answer = Rest::of(&server).get(&format!("/v1/docs/{doc}/content?version={version}"));
                // Who has waited too long is put off.
                assert!([200, 503].contains(&answer.status), "{}", answer.status);
                reading.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let mut most = 0;
        while reading.load(Ordering::Relaxed) > 0 {
            most = most.max(server.anonymous_bytes());
            thread::park_timeout(Duration::from_millis(1));
        }
        most
    });
    let cost = most.saturating_sub(before);
    eprintln!("{READERS} readers of {LARGE_EDITS} large edits: {} MiB", cost / MIB);
    assert!(cost < PAST, "{READERS} readers cost {cost} bytes");
}

/// The contract: silence is noticed after 15 s, and told within 10 s.
const GONE_WITHIN: Duration = Duration::from_secs(25);

#[test]
fn a_peer_that_stops_reading_leaves_the_presence_of_the_others() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut watcher = TestClient::join(&server, &doc);
    let mut writer = TestClient::join(&server, &doc);
    let silent = silent_peer(&server, &doc);
    let deadline = Instant::now() + GONE_WITHIN;
    watcher.until("the peer is there", |watcher| watcher.peers.len() == 1);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Its socket is full before long, so that neither can anything be sent to it nor does it say anything.
        scope.spawn(|| {
            let text = "x".repeat(TEXT);
            while !over.load(Ordering::Relaxed) {
                type_and_delete(&mut writer, &text);
            }
        });
        while !watcher.peers.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if watcher.step_within(left).is_none() {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(watcher.peers.is_empty(), "it is still there after {GONE_WITHIN:?}");
    drop(silent);
}

/// What a frame may cost that is refused by its announced length.
const REFUSED_FRAME: u64 = 2 * MIB;

/// Announces a frame of 100 MiB and sends some of it; returns the most memory that the server has meanwhile, and how it
/// was refused.
fn announce(server: &TestServer, socket: &mut RawSocket) -> (u64, Vec<RawIncoming>) {
    let piece = vec![b'x'; 64 << 10];
    socket.announce(opcode::TEXT, 100 * MIB).expect("nothing is known of it yet");
    let mut most = 0;
    for _ in 0..64 {
        // A server that has closed by now takes no more.
        if socket.send_bytes(&piece).is_err() {
            break;
        }
        most = most.max(server.anonymous_bytes());
    }
    let mut answers = Vec::new();
    loop {
        let answer = socket.next();
        most = most.max(server.anonymous_bytes());
        let is_last = matches!(answer, RawIncoming::Closed(_));
        answers.push(answer);
        if is_last {
            return (most, answers);
        }
    }
}

#[test]
fn an_announced_frame_of_100_mib_costs_next_to_nothing() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let open = || {
        let mut socket = RawSocket::open(server.address(), &doc);
        let hello = json!({ "type": "hello", "client": uuid::Uuid::new_v4() });
        socket.send(opcode::TEXT, hello.to_string().as_bytes()).expect("it is read");
        assert!(matches!(socket.next(), RawIncoming::Frame(frame) if frame["type"] == "welcome"));
        socket
    };
    for nth in 0..6 {
        let mut socket = open();
        let before = server.anonymous_bytes();
        let (most, answers) = announce(&server, &mut socket);
        let [RawIncoming::Frame(error), RawIncoming::Closed(Some(1009))] = &answers[..] else {
            panic!("refused by {answers:?}");
        };
        assert_eq!((&error["code"], &error["fatal"]), (&json!("too_large"), &json!(true)), "{error}");
        let cost = most.saturating_sub(before);
        assert!(cost < REFUSED_FRAME, "the frame number {nth} cost {cost} bytes");
    }
}
