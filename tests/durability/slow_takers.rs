//! Peers that take a large document slowly, or not at all: they cost a bounded amount of memory, and do not stay.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::harness::{PATIENCE, TestServer};
use crate::raw::{frame_header, handshake_headers, opcode};
use crate::rest::Rest;

const MIB: u64 = 1 << 20;

/// Bytes of the document: it is written in so many edits.
const EDITS: u64 = 6;
const TEXT: usize = 900_000;

/// A peer that has said hello, on a socket whose buffer takes next to nothing.
struct Taker(TcpStream);

impl Taker {
    /// Joins, and takes the first bytes of its welcome.
    fn join(server: &TestServer, doc: &str) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a socket");
        let address: SocketAddr = server.address().parse().expect("an address");
        socket.connect(&address.into()).expect("the server listens");
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let mut request = format!("GET /v1/collab/{doc} HTTP/1.1\r\n");
        for (name, value) in handshake_headers(server.address()) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).expect("it is read");
        let mut taker = Self(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(taker.take::<1>().expect("the server answers")[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        taker.say(&json!({ "type": "hello", "client": uuid::Uuid::new_v4() })).expect("it is read");
        assert_eq!(taker.take().expect("a welcome"), [0x81, 127], "a text frame of more than 64 KiB");
        taker
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn say(&mut self, frame: &serde_json::Value) -> io::Result<()> {
        let payload = frame.to_string();
        let mut bytes = frame_header(opcode::TEXT, payload.len() as u64);
        bytes.extend_from_slice(payload.as_bytes());
        self.0.write_all(&bytes)
    }

    /// Takes the rest of the welcome, a part of it every so often.
    fn take_slowly(mut self, part: usize, every: Duration) -> io::Result<u64> {
        let length = u64::from_be_bytes(self.take()?);
        let mut part = vec![0; part];
        let mut left = length;
        while left > 0 {
            thread::sleep(every);
            let bytes = part.len().min(left as usize);
            self.0.read_exact(&mut part[..bytes])?;
            left -= bytes as u64;
            // Nothing else is lacking of its life.
            self.say(&json!({ "type": "ping", "t": 1 }))?;
        }
        Ok(length)
    }
}

fn large_document(server: &TestServer) -> String {
    let rest = Rest::of(server);
    let doc = rest.create_empty();
    (0..EDITS).for_each(|base| write(&rest, &doc, base, TEXT));
    doc
}

fn write(rest: &Rest, doc: &str, base: u64, bytes: usize) {
    let op = json!({ "base": base, "delta": [{ "insert": "x".repeat(bytes) }] });
    rest.post(&format!("/v1/docs/{doc}/ops"), &op).expect(200);
}

const SILENT: u64 = 40;

/// What they may cost, each of whom has joined at a version of its own: some buffers each, and a few contents.
const COST: u64 = 40 * MIB;

#[test]
fn silent_peers_that_join_at_many_versions_share_a_content() {
    let server = TestServer::start();
    let doc = large_document(&server);
    let rest = Rest::of(&server);
    let before = server.anonymous_bytes();
    let silent: Vec<_> = (0..SILENT)
        .map(|nth| {
            write(&rest, &doc, EDITS + nth, 1);
            Taker::join(&server, &doc)
        })
        .collect();
    let cost = server.anonymous_bytes().saturating_sub(before);
    eprintln!("{SILENT} silent peers of a document of {} bytes: {} KiB", EDITS * TEXT as u64, cost / 1024);
    assert!(cost < COST, "they cost {cost} bytes");

    // One that reads has it all the same.
    let mut reader = TestClient::join(&server, &doc);
    let head = EDITS + SILENT;
    reader.until("everything is there", |reader| reader.replica.version == head);
    assert_eq!(reader.replica.content.length(), EDITS * TEXT as u64 + SILENT);
    drop(silent);
}

#[test]
fn a_peer_that_trickles_is_dropped_and_one_that_is_slow_gets_it_all() {
    let server = TestServer::start();
    let doc = large_document(&server);
    let is_dropped = || Rest::of(&server).get("/metrics").text().contains("{reason=\"slow\"} 1");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let slow = Taker::join(&server, &doc);
        let slow = scope.spawn(|| slow.take_slowly(256 << 10, Duration::from_secs(1)));
        let mut trickling = Taker::join(&server, &doc);
        let over = &over;
        scope.spawn(move || {
            // It says something all the time, and takes a little.
            while !over.load(Ordering::Relaxed)
                && trickling.say(&json!({ "type": "ping", "t": 1 })).is_ok()
                && trickling.take::<1024>().is_ok()
            {
                thread::sleep(Duration::from_secs(1));
            }
        });
        let deadline = Instant::now() + PATIENCE;
        while !is_dropped() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(200));
        }
        over.store(true, Ordering::Relaxed);
        assert!(is_dropped(), "it is still there after {PATIENCE:?}");
        let taken = slow.join().expect("it does not panic").expect("it is not cut");
        assert!(taken > EDITS * TEXT as u64);
    });
    assert!(is_dropped(), "one only");
}
