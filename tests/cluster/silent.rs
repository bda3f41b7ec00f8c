//! A peer behind another server that never reads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::connection::{Connection, Incoming};
use crate::harness::TestServer;
use crate::rest::Rest;
use crate::scene::{Scene, metric, until};

const MIB: u64 = 1 << 20;

/// The contract: silence is noticed after 15 s, and told within 10 s.
const GONE_WITHIN: Duration = Duration::from_secs(25);

/// What either server may need more while somebody types fast: storage alone lets 16 MiB wait before it settles.
const COST: u64 = 64 * MIB;

/// Bytes of an edit's text: far more is typed meanwhile than all that may wait for the peer.
const TEXT: usize = 16 << 10;

#[test]
fn a_peer_behind_another_server_that_stops_reading_is_gone_and_costs_neither_of_them_much() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let doc = Rest::of(&b).create_empty();
    let (mut watcher, mut writer) = (TestClient::join(&b, &doc), TestClient::join(&b, &doc));
    let mut silent = Connection::open_narrow(a.address(), &doc).expect("the server listens");
    silent.send(&json!({ "type": "hello", "client": uuid::Uuid::new_v4() })).expect("it is read");
    assert!(matches!(silent.next(), Incoming::Frame(frame) if frame["type"] == "welcome"));
    silent
        .send(&json!({ "type": "presence", "base": 0, "state": { "status": "active" } }))
        .expect("it is read");
    watcher.until("the peer is there", |watcher| watcher.peers.len() == 1);
    assert_eq!(metric(&a, "quire_tunnels"), 1.0);
    let before = [&a, &b].map(TestServer::anonymous_bytes);
    let mut most = [0, 0];
    let (began, over) = (Instant::now(), AtomicBool::new(false));
    let typed = thread::scope(|scope| {
        let typing = scope.spawn(|| {
            let text = "x".repeat(TEXT);
            let mut typed = 0;
            while !over.load(Ordering::Relaxed) {
                writer.insert(0, &text);
                let length = writer.replica.content.length();
                writer.edit(&json!([{ "delete": length }]));
                writer.until_acknowledged();
                typed += TEXT as u64;
            }
            typed
        });
        while !watcher.peers.is_empty() && began.elapsed() < GONE_WITHIN {
            watcher.step_within(Duration::from_secs(1));
            for (most, (server, before)) in most.iter_mut().zip([&a, &b].into_iter().zip(before)) {
                *most = (*most).max(server.anonymous_bytes().saturating_sub(before));
            }
        }
        over.store(true, Ordering::Relaxed);
        typing.join().expect("it does not panic")
    });
    let took = began.elapsed();
    eprintln!("gone after {took:.1?}; {} MiB typed; {:?} MiB more", typed / MIB, most.map(|most| most / MIB));
    assert!(watcher.peers.is_empty(), "it is still there after {GONE_WITHIN:?}");
    assert!(most.iter().all(|most| *most < COST), "{most:?}");
    until("the tunnel is gone", || metric(&a, "quire_tunnels") == 0.0);
    drop(silent);
}
