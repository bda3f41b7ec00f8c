//! A server over PostgreSQL, and either of them ended at any moment.

use std::fs;
use std::time::Instant;

use serde_json::json;

use crate::client::TestClient;
use crate::drill;
use crate::full_disk::fill;
use crate::harness::DataFolder;
use crate::ledger;
use crate::load::{Load, Writer};
use crate::postgres::Postgres;
use crate::replica::Replica;
use crate::rest::Rest;

const WRITERS: usize = 20;

fn documents(rest: &Rest, count: usize) -> Vec<String> {
    (0..count).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_a_database_that_crashes() {
    let postgres = Postgres::start();
    let server = postgres.launch(DataFolder::new()).start();
    let rest = Rest::of(&server);
    let docs = documents(&rest, 4);
    let load = Load::start(&server, &docs, WRITERS);
    for round in 0..3 {
        load.wait_for(60 + round * 100);
        let mut guest = TestClient::join(&server, &docs[0]);
        postgres.kill();
        load.wait_for_refusals(WRITERS);
        let refused = rest.post("/v1/docs", &json!({ "content": [{ "insert": "x" }] }));
        refused.expect_problem(503, "unavailable");
        rest.get("/readyz").expect(503);
        postgres.resume();
        // By itself.
        load.wait_for(60);
        rest.get("/readyz").expect(200);
        // Whoever was there has stayed.
        guest.insert(0, "still here ");
    }
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_servers_that_crash_over_a_database() {
    let postgres = Postgres::start();
    let mut server = postgres.launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), 4);
    let load = Load::start(&server, &docs, WRITERS);
    for round in 0..4 {
        load.wait_for(40 + round * 60);
        let data = server.kill();
        // Every other time the database with it.
        if round % 2 == 1 {
            postgres.kill();
            postgres.resume();
        }
        server = postgres.launch(data).start();
        load.move_to(&server);
    }
    load.wait_for(WRITERS);
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

/// Connections that end, one after the other, while everything else goes on.
#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_connections_that_are_ended() {
    let postgres = Postgres::start();
    let server = postgres.launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), 4);
    let load = Load::start(&server, &docs, WRITERS);
    for round in 0..30 {
        load.wait_for(5 + round);
        postgres.cut();
    }
    load.wait_for(WRITERS);
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

/// The standby has all that was acknowledged, and takes over at the same address. `scripts/drill` shows what it costs.
#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_a_failover_to_a_synchronous_standby() {
    let postgres = Postgres::start();
    let server = postgres.launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), 4);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(60);
    postgres.add_standby();
    load.wait_for(200);
    let killed = Instant::now();
    postgres.kill();
    load.wait_for_refusals(WRITERS);
    postgres.fail_over();
    let promoted = killed.elapsed();
    load.wait_for(1);
    let first = killed.elapsed();
    load.wait_for(200);
    drill::tell("PostgreSQL killed, standby promoted", promoted, first, &server, load.finish());
    postgres.verify(server);
}

/// What a standby was not sent is lost with the server, and seen to be: that is why it has to be synchronous. With `quire fork`
/// everything goes on all the same.
#[test]
fn an_asynchronous_standby_may_lose_edits_and_a_fork_lets_all_go_on() {
    let postgres = Postgres::start();
    let server = postgres.launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), 4);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(60);
    postgres.add_asynchronous_standby();
    load.wait_for(100);
    postgres.part_from_standby();
    load.wait_for(200);
    postgres.kill();
    let data = server.kill();
    let writers = load.halt();
    postgres.fail_over();
    postgres.quire("fork", &data);

    let server = postgres.launch(data).start();
    let losses = ledger::losses(&server, &writers);
    assert!(!losses.is_empty(), "nothing was lost, though the standby had not been sent it");
    // Whoever holds a version that is lost loads what is left, and does not take another one for it.
    for Writer { doc, replica } in writers {
        let hello = json!({ "since": replica.version, "history": replica.history });
        let client = TestClient::join_with(&server, &doc, Replica::new(), hello);
        let (version, _) = Rest::of(&server).content(&doc);
        assert_eq!(client.welcome["reset"] == true, replica.version > version, "{}", client.welcome);
    }
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(100);
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

/// PostgreSQL rolls back what it finds no room for. (Where its own log has no room it ends, as if it had crashed.)
#[test]
fn a_database_without_room_puts_edits_off_and_loses_none() {
    let postgres = Postgres::with_tables_of("48m");
    let server = postgres.launch(DataFolder::new()).start();
    let rest = Rest::of(&server);
    let docs = documents(&rest, 4);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(60);
    let ballast = postgres.tables().join("ballast");
    fill(&ballast);
    // Pages that exist already have room for some more.
    load.wait_for_refusals(WRITERS);
    rest.get(&format!("/v1/docs/{}/content", docs[0])).expect(200);
    fs::remove_file(&ballast).expect("just written");
    load.wait_for(60);
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

/// Neither of two servers has been told of the other: the one that came last has everything.
#[test]
fn a_server_whose_database_another_one_has_taken_says_that_it_is_of_no_use() {
    let postgres = Postgres::start();
    let first = postgres.launch(DataFolder::new()).start();
    let rest = Rest::of(&first);
    let doc = documents(&rest, 1).remove(0);
    let second = postgres.launch(DataFolder::new()).start();
    // It does not know yet.
    rest.get("/readyz").expect(200);
    let import = format!("/v1/docs/{doc}/import");
    rest.post(&import, &json!([{ "insert": "lost" }])).expect_problem(503, "unavailable");
    assert!(rest.get("/readyz").expect(503).text().contains("--node-url"));
    rest.get("/healthz").expect(200);
    let rest = Rest::of(&second);
    rest.post(&import, &json!([{ "insert": "kept" }])).expect(200);
    rest.get("/readyz").expect(200);
    assert!(!rest.text(&doc).contains("lost"));
    drop(first);
    postgres.verify(second);
}
