//! Who is where: told to the others, coalesced, moved through edits, gone with the session.

use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::TestServer;
use crate::rest::Rest;

fn cursor(index: u64, base: u64) -> Value {
    let state = json!({ "cursor": { "index": index, "length": 0 }, "status": "typing" });
    json!({ "type": "presence", "state": state, "base": base })
}

/// Waits until `watcher` sees the cursor of `session` at `index`.
#[track_caller]
fn until_cursor(watcher: &mut TestClient, session: &str, index: u64) {
    watcher.until(&format!("a cursor at {index}"), |watcher| watcher.cursor_of(session) == Some(index));
}

#[test]
fn a_cursor_is_told_to_the_others_and_to_those_who_come_later() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    a.send(&cursor(3, 1));
    let session = a.session().to_owned();
    until_cursor(&mut b, &session, 3);
    let peer = &b.peers[&session];
    assert_eq!(peer["client"], a.replica.client.to_string());
    assert_eq!(peer["user"], a.welcome["user"]);
    assert_eq!((&peer["state"]["status"], &peer["base"]), (&json!("typing"), &json!(1)), "{peer}");

    let late = TestClient::join(&server, &doc);
    assert_eq!(late.peers[&session]["state"], peer["state"]);
}

#[test]
fn everybody_has_one_colour_that_nobody_else_has_and_all_see_the_same() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let mut all: Vec<TestClient> = (0..12).map(|_| TestClient::join(&server, &doc)).collect();
    let color = |client: &TestClient| client.welcome["user"]["color"].as_str().expect("a colour").to_owned();
    let mut colors: Vec<String> = all.iter().map(color).collect();
    colors.sort();
    colors.dedup();
    assert_eq!(colors.len(), 12, "{colors:?}");
    let mut watcher = all.pop().expect("twelve");
    for client in &mut all {
        client.send(&cursor(0, 1));
        let session = client.session().to_owned();
        until_cursor(&mut watcher, &session, 0);
        assert_eq!(watcher.peers[&session]["user"]["color"], color(client));
    }
}

#[test]
fn presence_stays_within_its_document() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let (here, there) = (rest.create_empty(), rest.create_empty());
    let mut a = TestClient::join(&server, &here);
    let mut neighbour = TestClient::join(&server, &here);
    let mut stranger = TestClient::join(&server, &there);
    a.send(&cursor(0, 0));
    let session = a.session().to_owned();
    until_cursor(&mut neighbour, &session, 0);
    assert_eq!(stranger.frames_before_pong(), Vec::<Value>::new());
    assert!(stranger.welcome["peers"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn cursors_move_with_the_text_without_being_sent_again() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    a.send(&cursor(2, 1));
    let session = a.session().to_owned();
    until_cursor(&mut b, &session, 2);
    // Before it: moves. Exactly at it: stays, since it is another's.
    b.insert(0, "xx");
    assert_eq!(b.cursor_of(&session), Some(4));
    b.insert(4, "yy");
    assert_eq!(b.cursor_of(&session), Some(4));
    // Exactly at it, its owner's own: moves.
    a.until_version(3);
    a.edit(&insertion(4, "a"));
    a.until_acknowledged();
    b.until_version(4);
    assert_eq!(b.cursor_of(&session), Some(5));
    // Who comes later is told the same place by the server.
    let late = TestClient::join(&server, &doc);
    assert_eq!(late.cursor_of(&session), Some(5));
    assert_eq!(late.peers[&session]["base"], 4);
}

#[test]
fn a_cursor_of_an_older_version_is_moved_to_where_it_belongs() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    b.insert(0, "12345");
    a.send(&cursor(3, 1));
    let session = a.session().to_owned();
    until_cursor(&mut b, &session, 8);
}

#[test]
fn a_cursor_of_a_version_that_is_only_in_the_log_is_moved_as_well() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    // More than is kept in memory for late bases.
    for _ in 0..4 {
        b.insert(0, &"x".repeat(200_000));
    }
    a.send(&cursor(3, 1));
    let session = a.session().to_owned();
    until_cursor(&mut b, &session, 800_003);
    assert_eq!(b.peers[&session]["state"]["status"], "typing");
}

#[test]
fn a_cursor_beyond_the_end_is_clamped_and_hurts_nobody() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    a.send(
        &json!({ "type": "presence", "base": 1, "state": { "cursor": { "index": 4, "length": 1_000_000 } } }),
    );
    let session = a.session().to_owned();
    b.until("the cursor", |b| b.peers.contains_key(&session));
    let cursor = &b.peers[&session]["state"]["cursor"];
    let end = cursor["index"].as_u64().zip(cursor["length"].as_u64()).map(|(index, length)| index + length);
    assert!(end.is_some_and(|end| end <= 6), "{cursor}");
    b.insert(0, "x");
}

#[test]
fn a_burst_is_coalesced_and_its_last_state_wins() {
    let server = TestServer::start();
    let text = "x".repeat(400);
    let doc = Rest::of(&server).create(&json!([{ "insert": text }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let session = a.session().to_owned();
    let began = Instant::now();
    for index in 1..=300 {
        a.send(&cursor(index, 1));
    }
    let mut frames = 0;
    while b.cursor_of(&session) != Some(300) {
        match b.step() {
            Incoming::Frame(frame) => frames += usize::from(frame["type"] == "presence"),
            Incoming::Closed(code) => panic!("closed with {code:?}"),
        }
    }
    // Ten a second, and one for each end of the time measured.
    let allowed = began.elapsed().as_millis() as usize / 100 + 2;
    assert!(frames <= allowed, "{frames} frames for 300 states, {allowed} allowed in that time");
}

#[test]
fn presence_is_gone_when_its_session_is() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let mut watcher = TestClient::join(&server, &doc);
    let mut guests: Vec<_> = (0..3).map(|_| TestClient::join(&server, &doc)).collect();
    for (guest, index) in guests.iter_mut().zip(0..) {
        guest.send(&cursor(index, 1));
    }
    watcher.until("three cursors", |watcher| watcher.peers.len() == 3);
    // One says so, one closes, one is cut off.
    guests[0].send(&json!({ "type": "presence", "state": null, "base": 1 }));
    watcher.until("two cursors", |watcher| watcher.peers.len() == 2);
    guests.pop().expect("three").leave();
    watcher.until("one cursor", |watcher| watcher.peers.len() == 1);
    guests.pop().expect("two").lose_connection();
    watcher.until("no cursor", |watcher| watcher.peers.is_empty());
}

/// A reader that is behind is left out of presence frames, and must not go on showing who has left meanwhile.
#[test]
fn who_left_while_a_reader_was_behind_is_gone_for_it_too() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let (mut slow, mut writer) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let (mut leaver, mut stayer) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let (left, stays) = (leaver.session().to_owned(), stayer.session().to_owned());
    leaver.send(&cursor(1, 1));
    stayer.send(&cursor(2, 1));
    slow.until("both", |slow| slow.peers.len() == 2);
    // More than a session's budget and the buffers of two sockets take.
    for _ in 0..40 {
        let version = writer.insert(0, &"x".repeat(200_000));
        // It hears pings that way: a slow machine takes longer than somebody may be silent.
        stayer.until_version(version);
    }
    leaver.leave();
    stayer.send(&cursor(3, 1));
    writer.until("one gone", |writer| !writer.peers.contains_key(&left));
    slow.until("one gone", |slow| !slow.peers.contains_key(&left));
    let place = 3 + 40 * 200_000;
    until_cursor(&mut writer, &stays, place);
    until_cursor(&mut slow, &stays, place);
}

#[test]
fn presence_that_is_none_is_refused() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let of_size = |bytes: usize| {
        let note = |length: usize| json!({ "note": "x".repeat(length) });
        note(bytes - note(0).to_string().len())
    };
    let mut client = TestClient::join(&server, &doc);
    for bytes in [4096, 5000] {
        let error = client.refused(&json!({ "type": "presence", "state": of_size(bytes), "base": 0 }));
        assert_eq!((&error["code"], &error["fatal"]), (&json!("too_large"), &json!(false)), "{error}");
    }
    client.send(&json!({ "type": "presence", "state": of_size(4095), "base": 0 }));
    client.until_frame("presence");
    let error = client.refused(&json!({ "type": "presence", "state": [1], "base": 0 }));
    assert_eq!(error["code"], "bad_request", "{error}");
    client.insert(0, "x");
}
