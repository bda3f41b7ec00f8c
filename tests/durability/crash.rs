//! kill -9 in the middle of a load.

use serde_json::json;

use crate::harness::{DataFolder, Launch};
use crate::ledger;
use crate::left;
use crate::load::Load;
use crate::rest::Rest;

const ROUNDS: usize = 10;
const WRITERS: usize = 50;

/// Crashes a server again and again, and looks at what it has left each time; returns in how many rounds it had settled
/// some operations of its own and not yet others.
fn crash(launch: impl Fn(DataFolder) -> Launch) -> usize {
    let mut server = launch(DataFolder::new()).start();
    let rest = Rest::of(&server);
    let docs: Vec<String> = (0..5).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let load = Load::start(&server, &docs, WRITERS);
    let mut created = Vec::new();
    let (mut half_settled, mut settled_at_start) = (0, 0);
    for round in 0..ROUNDS {
        // At another point of the work each time, from the first operations after a start to far beyond a snapshot.
        load.wait_for(30 + round * 40);
        created.push(Rest::of(&server).create(&json!([{ "insert": format!("made in round {round}\n") }])));
        let data = server.kill();
        let left = left::count(&data);
        half_settled += usize::from(left.settled > settled_at_start && left.unsettled > 0);
        settled_at_start = left.settled + left.unsettled;
        left::verify(&data).unwrap_or_else(|complaints| panic!("after crash {round}: {complaints}"));
        server = launch(data).start();
        load.move_to(&server);
    }
    load.wait_for(WRITERS);
    let writers = load.finish();
    ledger::check(&server, writers);
    for (doc, round) in created.iter().zip(0..) {
        assert_eq!(Rest::of(&server).text(doc), format!("made in round {round}\n"));
    }
    half_settled
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_ten_crashes() {
    crash(Launch::on);
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_crashes_while_operations_settle() {
    let half_settled = crash(|data| left::settling(Launch::on(data)));
    assert!(half_settled > 0, "no crash has fallen into settling");
}
