//! Stopping in good order: SIGTERM and SIGINT.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{TestClient, insertion};
use crate::harness::{Launch, TestServer};
use crate::rest::Rest;

#[test]
fn sigterm_sends_everybody_away_in_good_order() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "\n" }]));
    let mut clients: Vec<_> = (0..5).map(|_| TestClient::join(&server, &doc)).collect();
    clients[0].insert(0, "before the end");
    let began = Instant::now();
    server.signal(libc::SIGTERM);
    for client in &mut clients {
        let reconnect = client.until_frame("reconnect");
        assert_eq!(reconnect["reason"], "draining");
        assert!(reconnect["after_ms"].is_u64(), "{reconnect}");
        assert_eq!(client.until_closed(), Some(1012));
    }
    let (status, data) = server.ended();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(began.elapsed() < Duration::from_secs(10), "an orchestrator kills it after 10 s");

    let server = Launch::on(data).start();
    let replica = clients.remove(0).replica;
    let mut back = TestClient::resume(&server, &doc, replica);
    assert_eq!(back.text(), "before the end\n");
    back.insert(0, "and ");
}

#[test]
fn sigint_stops_it_as_well() {
    let server = TestServer::start();
    server.signal(libc::SIGINT);
    assert_eq!(server.ended().0.code(), Some(0));
}

#[test]
fn an_edit_on_the_way_when_the_server_stops_is_there_once_afterwards() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut writer = TestClient::join(&server, &doc);
    for n in 0..20 {
        writer.insert(n, "x");
    }
    writer.edit(&insertion(20, "x"));
    server.signal(libc::SIGTERM);
    writer.until_closed();
    let server = Launch::on(server.ended().1).start();
    let mut back = TestClient::resume(&server, &doc, writer.replica);
    back.until("the last edit", |back| back.replica.in_flight.is_none());
    let rest = Rest::of(&server);
    assert_eq!(rest.text(&doc), "x".repeat(21));
    assert_eq!(rest.ops(&doc).len(), 21);
}
