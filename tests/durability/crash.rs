//! kill -9 in the middle of a load.

use serde_json::json;

use crate::harness::{Launch, TestServer};
use crate::ledger;
use crate::load::Load;
use crate::rest::Rest;

const ROUNDS: usize = 10;
const WRITERS: usize = 50;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_ten_crashes() {
    let mut server = TestServer::start();
    let rest = Rest::of(&server);
    let docs: Vec<String> = (0..5).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let load = Load::start(&server, &docs, WRITERS);
    let mut created = Vec::new();
    for round in 0..ROUNDS {
        // At another point of the work each time, from the first operations after a start to far beyond a snapshot.
        load.wait_for(30 + round * 40);
        created.push(Rest::of(&server).create(&json!([{ "insert": format!("made in round {round}\n") }])));
        server = Launch::on(server.kill()).start();
        load.move_to(&server);
    }
    load.wait_for(WRITERS);
    let writers = load.finish();
    ledger::check(&server, writers);
    for (doc, round) in created.iter().zip(0..) {
        assert_eq!(Rest::of(&server).text(doc), format!("made in round {round}\n"));
    }
}
