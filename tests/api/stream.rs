//! The canonical stream of operations: sizes of frames, hashes, order.

use std::thread;

use serde_json::json;

use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::TestServer;
use crate::replica::Replica;
use crate::rest::Rest;

/// Most operations and bytes of an `ops` frame that holds more than one (protocol, section 2).
const FRAME_OPS: usize = 1_000;
const FRAME_BYTES: usize = 256 << 10;

/// Catches up from the beginning; sizes of the frames as (operations, bytes as written without spaces).
fn catch_up(server: &TestServer, doc: &str) -> (TestClient, Vec<(usize, usize)>) {
    let mut client = TestClient::join_with(server, doc, Replica::new(), json!({ "since": 0 }));
    let head = client.welcome["version"].as_u64().expect("a version");
    let mut frames = Vec::new();
    while client.replica.version < head {
        let Incoming::Frame(frame) = client.step() else { panic!("closed") };
        if frame["type"] == "ops" {
            let ops = frame["ops"].as_array().expect("a list");
            frames.push((ops.len(), frame.to_string().len()));
        }
    }
    (client, frames)
}

#[test]
fn a_long_history_comes_in_frames_of_at_most_1_000_operations() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    thread::scope(|scope| {
        for _ in 0..15 {
            scope.spawn(|| {
                let mut writer = TestClient::join(&server, &doc);
                (0..150).for_each(|_| _ = writer.insert(0, "x"));
            });
        }
    });
    let (client, frames) = catch_up(&server, &doc);
    assert_eq!(client.text(), "x".repeat(15 * 150));
    assert!(frames.len() >= 3 && frames.iter().all(|(ops, _)| *ops <= FRAME_OPS), "{frames:?}");
}

#[test]
fn large_operations_share_frames_up_to_256_kib_and_larger_ones_go_alone() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut writer = TestClient::join(&server, &doc);
    for bytes in [100_000, 100_000, 100_000, 400_000, 10, 10] {
        writer.insert(0, &"y".repeat(bytes));
    }
    let (client, frames) = catch_up(&server, &doc);
    assert_eq!(client.text().len(), 700_020);
    for (ops, bytes) in &frames {
        assert!(*ops == 1 || *bytes <= FRAME_BYTES, "{frames:?}");
    }
    assert!(frames.iter().any(|(ops, bytes)| *ops == 1 && *bytes > 400_000), "{frames:?}");
}

#[test]
fn the_server_says_from_time_to_time_what_the_text_hashes_to() {
    let server = TestServer::start();
    let doc =
        Rest::of(&server).create(&json!([{ "insert": "日本語 😀" }, { "insert": { "image": "a.png" } }]));
    let mut reader = TestClient::join(&server, &doc);
    let mut writer = TestClient::join(&server, &doc);
    for n in 0_u32..210 {
        writer.edit(
            &json!([{ "insert": if n.is_multiple_of(2) { "é" } else { "😀" }, "attributes": { "bold": true } }]),
        );
        writer.until_acknowledged();
    }
    let mut hashes = 0;
    while reader.replica.version < 211 {
        // The mirror compares each with its own text.
        let Incoming::Frame(frame) = reader.step() else { panic!("closed") };
        hashes += usize::from(frame.get("hash").is_some());
    }
    assert!((1..=4).contains(&hashes), "{hashes} hashes in 210 versions");
}

#[test]
fn many_writers_on_one_document_converge() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello 😀 world\n" }]));
    let texts: Vec<String> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (server, doc) = (&server, &doc);
                scope.spawn(move || {
                    let mut client = TestClient::join(server, doc);
                    for n in 0..40 {
                        write(&mut client, writer * 1_000 + n);
                    }
                    client.until_version(1 + 8 * 40);
                    client.text()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("the writer got through")).collect()
    });
    assert!(texts.iter().all(|text| *text == texts[0]));
    assert_eq!(rest.text(&doc), texts[0]);
}

/// Types, formats or deletes near the beginning of the text, where the others do so as well.
fn write(client: &mut TestClient, n: u64) {
    let digits = client.text().bytes().take_while(u8::is_ascii_digit).count() as u64;
    let edit = match n % 5 {
        3 => json!([{ "retain": 2, "attributes": { "bold": n.is_multiple_of(2) } }]),
        4 if digits > 2 => json!([{ "retain": 1 }, { "delete": 1 }]),
        _ => insertion(n % (digits + 1), &n.to_string()),
    };
    client.edit(&edit);
    client.until_acknowledged();
}
