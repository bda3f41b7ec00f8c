//! The broker, the server, or both, ended with kill -9 under load. An outage is as long as the operations that are made during it:
//! those here go far beyond what waits in memory.

use std::time::{Duration, Instant};

use crate::broker;
use crate::harness::{DataFolder, Launch, TestServer};
use crate::load::Load;
use crate::scene::{Scene, assert_nobody_was_put_off, documents, edit};
use crate::topic::{metric, wait_for_metric, wait_until_published};

const WRITERS: usize = 20;

/// Operations that may wait in memory.
const WINDOW: usize = 100;

fn launch(scene: &Scene, data: DataFolder) -> Launch {
    scene.launch(data).with("QUIRE_KAFKA_WINDOW", WINDOW.to_string())
}

fn window(server: &TestServer) -> f64 {
    metric(server, "quire_publisher_window_operations")
}

#[test]
fn a_broker_that_is_away_is_felt_by_no_editor_and_then_has_everything() {
    let broker = broker::own();
    let scene = Scene::at(&broker.address);
    let server = launch(&scene, DataFolder::new()).start();
    let docs = documents(&server, 6);
    let load = Load::start(&server, &docs, WRITERS);
    wait_for_metric(&server, "quire_published_total", |published| published >= 50.0);
    for _ in 0..2 {
        broker.kill();
        let before = metric(&server, "quire_publisher_overflowed_total");
        load.wait_for(200);
        wait_for_metric(&server, "quire_publisher_lag_operations", |lag| lag >= 200.0);
        assert!(metric(&server, "quire_publisher_lag_seconds") > 0.0);
        // What is under way is bounded, too: beyond it the window fills, and then the rest is left out.
        while metric(&server, "quire_publisher_overflowed_total") == before {
            assert!(window(&server) <= WINDOW as f64);
            load.wait_for(200);
        }
        load.wait_for(5 * WINDOW);
        assert_eq!(window(&server), WINDOW as f64);
        assert_nobody_was_put_off(&load);
        let lag = metric(&server, "quire_publisher_lag_operations");
        let all = metric(&server, "quire_published_total") + lag;
        broker.resume();
        // The load goes on, and what was made during the outage follows.
        wait_for_metric(&server, "quire_published_total", |published| published >= all);
    }
    assert_nobody_was_put_off(&load);
    let writers = load.finish();
    scene.check(&server, &docs, writers);
    assert!(metric(&server, "quire_publisher_sent_total{source=\"log\"}") > 0.0);
    wait_for_metric(&server, "quire_publisher_lag_seconds", |lag| lag == 0.0);
}

/// `QUIRE_OUTAGE_SECONDS=600` makes it ten minutes; with `--nocapture` it tells what they have cost.
#[test]
fn memory_does_not_grow_with_the_length_of_an_outage() {
    let seconds = std::env::var("QUIRE_OUTAGE_SECONDS").unwrap_or_else(|_| "5".into());
    let outage = Duration::from_secs(seconds.parse().expect("QUIRE_OUTAGE_SECONDS is a number"));
    let broker = broker::own();
    let scene = Scene::at(&broker.address);
    let server = launch(&scene, DataFolder::new()).start();
    let docs = documents(&server, 6);
    let load = Load::start_resting(&server, &docs, WRITERS, Duration::from_millis(100));
    wait_for_metric(&server, "quire_published_total", |published| published >= 50.0);
    broker.kill();
    load.wait_for(5 * WINDOW);
    let (began, memory) = (Instant::now(), server.anonymous_bytes() >> 20);
    while began.elapsed() < outage {
        load.wait_for(WRITERS);
        assert!(window(&server) <= WINDOW as f64);
    }
    let after = server.anonymous_bytes() >> 20;
    assert!(after <= memory + 32, "{memory} MiB before, {after} MiB at the end");
    assert_nobody_was_put_off(&load);
    let lag = metric(&server, "quire_publisher_lag_operations");
    let again = Instant::now();
    broker.resume();
    let writers = load.finish();
    wait_until_published(&server);
    let caught_up = again.elapsed();
    scene.check(&server, &docs, writers);
    println!(
        "{outage:?}: {lag} operations behind, {memory} to {after} MiB; all published {caught_up:.1?} after it"
    );
}

#[test]
fn servers_and_brokers_that_crash_leave_a_complete_topic() {
    let broker = broker::own();
    let scene = Scene::at(&broker.address);
    let mut server = launch(&scene, DataFolder::new()).start();
    let docs = documents(&server, 6);
    let load = Load::start(&server, &docs, WRITERS);
    wait_for_metric(&server, "quire_published_total", |published| published >= 50.0);
    for round in 0..4 {
        load.wait_for(30 + 50 * round);
        // Alone; with the broker; after the broker, which was away for longer than memory; and alone once more, behind.
        if round == 2 {
            broker.kill();
            load.wait_for(3 * WINDOW);
        }
        let data = server.kill();
        if round == 1 {
            broker.kill();
        }
        server = launch(&scene, data).start();
        load.move_to(&server);
        if round == 1 || round == 2 {
            load.wait_for(2 * WINDOW);
            broker.resume();
        }
    }
    load.wait_for(WRITERS);
    let writers = load.finish();
    scene.check(&server, &docs, writers);
}

#[test]
fn a_broker_that_is_away_at_the_start_is_found_when_it_comes() {
    let broker = broker::own();
    broker.kill();
    let scene = Scene::at(&broker.address);
    let server = launch(&scene, DataFolder::new()).start();
    let docs = documents(&server, 3);
    docs.iter().for_each(|doc| edit(&server, doc));
    assert_eq!(metric(&server, "quire_publisher_connected"), 0.0);
    broker.resume();
    assert_eq!(scene.check(&server, &docs, Vec::new()), 0);

    // It goes without having waited for a broker.
    broker.kill();
    edit(&server, &docs[0]);
    server.signal(libc::SIGTERM);
    let (status, data) = server.ended();
    assert!(status.success(), "{status}");
    broker.resume();
    let server = launch(&scene, data).start();
    scene.check(&server, &docs, Vec::new());
}
