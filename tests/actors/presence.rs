//! Presence on bases that are not in memory any more, while the log is slow or cannot be read.

use std::sync::atomic::Ordering;

use quire::config::{DocumentSettings, Limits};
use serde_json::{Value, json};

use super::harness::{Client, Server};

/// A server that keeps one operation in memory and takes bases of up to five versions ago, and two sessions of a document
/// at version 7.
async fn written() -> (Server, Client, Client) {
    let limits = Limits { base_lag: 5, ..Limits::default() };
    let settings = DocumentSettings { tail_ops: 1, limits, ..DocumentSettings::default() };
    let server = Server::with(settings, None).await;
    server.document("d", "x").await;
    let (mut ann, mut bob) = (server.join("d").await, server.join("d").await);
    for seq in 1..=6 {
        ann.write(seq, "a").await;
        bob.expect("ops").await;
    }
    (server, ann, bob)
}

fn presence(status: &str, base: u64) -> Value {
    let state = json!({"cursor": {"index": 1, "length": 0}, "status": status});
    json!({"type": "presence", "state": state, "base": base})
}

/// The next state that is told of anybody.
async fn told(client: &mut Client) -> Value {
    client.expect("presence").await["peers"][0]["state"].clone()
}

fn at(index: u64, status: &str) -> Value {
    json!({"cursor": {"index": index, "length": 0}, "status": status})
}

#[actix_rt::test]
async fn a_cursor_that_is_too_old_is_left_out_and_the_rest_is_told() {
    let (server, mut ann, mut bob) = written().await;
    bob.send(presence("typing", 2)).await;
    assert_eq!(told(&mut ann).await, at(6, "typing"), "five versions ago");
    bob.send(presence("selecting", 1)).await;
    assert_eq!(told(&mut ann).await, json!({"status": "selecting"}), "six versions ago");
    // Without a cursor there is nothing that could be old.
    bob.send(json!({"type": "presence", "state": {"status": "idle"}, "base": 0})).await;
    assert_eq!(told(&mut ann).await, json!({"status": "idle"}));
    server.stop().await;
}

#[actix_rt::test]
async fn a_cursor_that_cannot_be_moved_is_left_out_and_the_rest_is_told() {
    let (server, mut ann, mut bob) = written().await;
    server.store.damaged.store(true, Ordering::SeqCst);
    bob.send(presence("typing", 3)).await;
    assert_eq!(told(&mut ann).await, json!({"status": "typing"}));
    server.stop().await;
}

#[actix_rt::test]
async fn the_newest_state_wins_over_one_that_is_still_being_moved() {
    let (server, mut ann, mut bob) = written().await;
    let reading = server.store.hold_reads();
    bob.send(presence("typing", 3)).await;
    server.store.until(|store| store.reads.load(Ordering::SeqCst) == 1).await;
    bob.send(presence("idle", 7)).await;
    assert_eq!(told(&mut ann).await, at(1, "idle"));
    // One that has to be moved as well waits until the first is through, which is old by then.
    bob.send(presence("selecting", 4)).await;
    reading.add_permits(100);
    assert_eq!(told(&mut ann).await, at(4, "selecting"));
    server.stop().await;
}

#[actix_rt::test]
async fn who_leaves_while_its_cursor_is_being_moved_does_not_come_back() {
    let (server, mut ann, mut bob) = written().await;
    bob.send(presence("idle", 7)).await;
    told(&mut ann).await;
    let reading = server.store.hold_reads();
    bob.send(presence("typing", 3)).await;
    server.store.until(|store| store.reads.load(Ordering::SeqCst) == 1).await;
    drop(bob);
    assert_eq!(told(&mut ann).await, Value::Null);
    reading.add_permits(100);
    let mut eve = server.join("d").await;
    eve.send(presence("active", 7)).await;
    assert_eq!(told(&mut ann).await, at(1, "active"));
    assert_eq!(server.join("d").await.welcome["peers"].as_array().unwrap().len(), 1);
    server.stop().await;
}
