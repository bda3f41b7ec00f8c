//! A server dies, stands still, comes or goes, while people write.

use std::time::Instant;

use serde_json::json;

use crate::client::{TestClient, insertion};
use crate::ledger;
use crate::load::Load;
use crate::rest::Rest;
use crate::scene::{Scene, metric, name, shards, until, until_shared_out};

#[test]
fn another_server_takes_over_from_one_that_was_killed() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let docs: Vec<_> =
        [&b, &b, &a].map(|server| Rest::of(server).create(&json!([{ "insert": "\n" }]))).into();
    // All of them by the server that stays.
    let load = Load::start(&a, &docs, 9);
    load.wait_for(60);
    let gone = Instant::now();
    b.kill();
    until("the one that is left has everything", || shards(&a) == 256);
    eprintln!("taken over after {:?}", gone.elapsed());
    load.wait_for(60);
    ledger::check(&a, load.finish());
}

#[test]
fn a_server_that_comes_takes_its_share_and_leaves_it_when_it_goes() {
    let scene = Scene::new();
    let a = scene.server();
    assert_eq!(shards(&a), 256, "whoever is alone has everything at once");
    let rest = Rest::of(&a);
    let docs: Vec<_> = (0..6).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect();
    let load = Load::start(&a, &docs, 6);
    load.wait_for(40);
    let b = scene.server();
    until_shared_out([&a, &b]);
    load.wait_for(40);
    b.signal(libc::SIGTERM);
    assert!(b.ended().0.success());
    until("everything is back", || shards(&a) == 256);
    load.wait_for(40);
    ledger::check(&a, load.finish());
}

/// What it was about to write when it was stopped it writes when it goes on; it has to find that nobody takes that.
#[test]
fn a_server_that_stood_still_writes_nothing_more() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let doc = Rest::of(&b).create(&json!([{ "insert": "text\n" }]));
    let mut old = TestClient::join(&b, &doc);
    old.insert(0, "old ");
    let stopped = name(&b);
    b.signal(libc::SIGSTOP);
    until("the other one has everything", || shards(&a) == 256);
    let mut new = TestClient::join(&a, &doc);
    new.insert(0, "new ");
    // It waits in the socket of a process that does not run.
    old.edit(&insertion(0, "late "));
    b.signal(libc::SIGCONT);
    until("it has found out", || metric(&b, "quire_shards_lost_total") >= 32.0);
    assert_eq!(name(&b), stopped, "it is the same process");
    let (kept, acknowledged) = (old.until_closed_or_acknowledged(), old.replica.acknowledged.len());
    assert!(!kept && acknowledged == 1, "an old owner has acknowledged what it may not write");
    until_shared_out([&a, &b]);
    let mut old = TestClient::resume(&b, &doc, old.lose_connection());
    old.until_acknowledged();
    let log = Rest::of(&a).ops(&doc);
    assert_eq!(log.len(), 4, "{log:?}");
    let text = Rest::of(&b).text(&doc);
    assert_eq!((text.matches("late ").count(), text.matches("new ").count()), (1, 1), "{text}");
}
