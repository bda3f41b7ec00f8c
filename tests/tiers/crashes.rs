//! kill -9 while operations are on their way from one tier to the other.

use serde_json::json;

use crate::gateway::Gateway;
use crate::harness::{DataFolder, Launch};
use crate::ledger;
use crate::load::Load;
use crate::rest::Rest;
use crate::scene::{Scene, metric, stopped, wait_for};

const ROUNDS: usize = 10;
const WRITERS: usize = 12;

/// Projections, which the archive waits for, are behind for longer than a round here lasts.
fn launch(scene: &Scene, data: DataFolder) -> Launch {
    scene.archiving(data).with("QUIRE_PROJECTIONS", "off")
}

fn crash(scene: &Scene) {
    let mut server = launch(scene, DataFolder::new()).start();
    let rest = Rest::of(&server);
    let docs: Vec<String> = (0..3).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let load = Load::start(&server, &docs, WRITERS);
    let mut archived = 0.0;
    for round in 0..ROUNDS {
        // At another point of the work each time.
        load.wait_for(150 + round * 37);
        archived += metric(&Rest::of(&server), "quire_archived_operations_total");
        server = launch(scene, server.kill()).start();
        load.move_to(&server);
    }
    assert!(archived > 0.0, "nothing was being archived when it crashed");
    load.wait_for(WRITERS);
    ledger::check(&server, load.finish());
    scene.quire(&["verify"], &stopped(server)).succeeds();
}

#[test]
fn nothing_is_lost_or_doubled_by_crashes_while_operations_are_archived_to_a_folder() {
    crash(&Scene::folder());
}

#[test]
fn nothing_is_lost_or_doubled_by_crashes_while_operations_are_archived_to_s3() {
    crash(&Scene::production());
}

/// What cannot leave stays, editors notice nothing, and it leaves when the gateway is back.
#[test]
fn operations_stay_in_the_database_while_the_object_store_is_away() {
    let gateway = Gateway::start();
    let scene = Scene::objects_in(&gateway.bucket);
    let server = scene.archiving(DataFolder::new()).start();
    let rest = Rest::of(&server);
    let docs: Vec<String> = (0..2).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(400);
    wait_for(&rest, "quire_archived_operations_total", |archived| archived > 0.0);
    gateway.kill();
    load.wait_for(400);
    wait_for(&rest, "quire_archive_failures_total", |failures| failures > 0.0);
    let archived = metric(&rest, "quire_archived_operations_total");
    load.wait_for(200);
    assert_eq!(metric(&rest, "quire_archived_operations_total"), archived);
    assert_eq!(load.refusals(), 0, "editors have noticed");
    gateway.resume();
    wait_for(&rest, "quire_archived_operations_total", |now| now > archived);
    ledger::check(&server, load.finish());
    scene.quire(&["verify"], &stopped(server)).succeeds();
}
