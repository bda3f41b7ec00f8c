//! What is in the topic while shards go from one server's publisher to another's: every version of every document, in order.

use std::thread;

use serde_json::json;

use crate::broker;
use crate::harness::{Launch, TestServer};
use crate::ledger;
use crate::load::{Load, Writer};
use crate::rest::Rest;
use crate::scene::{Scene, metric, move_to, name, shards, until};
use crate::topic;

const WRITERS: usize = 6;

/// Documents of each server.
const DOCS: usize = 2;

/// Operations that may wait in a server's memory.
const WINDOW: usize = 50;

/// Servers that publish into a topic of their own at `brokers`.
fn publishing<const N: usize>(scene: &Scene, brokers: &str) -> (String, [TestServer; N]) {
    let topic = format!("test-{}", uuid::Uuid::new_v4().simple());
    let told = |launch: Launch| {
        let launch = launch.with("QUIRE_KAFKA_BROKERS", brokers).with("QUIRE_KAFKA_TOPIC", &topic);
        launch.with("QUIRE_KAFKA_WINDOW", WINDOW.to_string())
    };
    let servers = scene.servers_with(told);
    (topic, servers)
}

/// Some documents, some of them of each server.
fn documents(servers: &[TestServer]) -> Vec<String> {
    let made = servers.iter().flat_map(|server| {
        let rest = Rest::of(server);
        (0..DOCS).map(move |_| rest.create(&json!([{ "insert": "\n" }])))
    });
    made.collect()
}

/// Waits until each has published more than what its documents have begun with.
fn until_all_publish(servers: &[&TestServer]) {
    for server in servers {
        topic::wait_for_metric(server, "quire_publisher_connected", |connected| connected == 1.0);
    }
    for server in servers {
        topic::wait_for_metric(server, "quire_published_total", |published| published > DOCS as f64);
    }
}

/// Checks topic and log once every server that is left has published what it has.
fn check(servers: &[&TestServer], brokers: &str, topic: &str, docs: &[String], writers: Vec<Writer>) {
    servers.iter().for_each(|server| topic::wait_until_published(server));
    let published = topic::read_complete(servers[0], brokers, topic, docs);
    let doubles = topic::check(servers[0], &published, docs);
    eprintln!("{} records, {doubles} of them doubles", published.len());
    ledger::check(servers[0], writers);
    for server in servers {
        assert!(!server.messages().contains("the publisher has failed"), "{}", server.messages());
    }
}

#[test]
fn nothing_is_missing_from_the_stream_when_servers_die_and_go() {
    let (scene, brokers) = (Scene::new(), broker::shared());
    let (topic, servers) = publishing::<3>(&scene, &brokers);
    let docs = documents(&servers);
    let [a, b, c] = servers;
    let load = Load::start(&a, &docs, WRITERS);
    until_all_publish(&[&a, &b, &c]);
    c.kill();
    until("the other two have everything", || shards(&a) + shards(&b) == 256);
    load.wait_for(100);
    b.signal(libc::SIGTERM);
    load.wait_for(100);
    assert!(b.ended().0.success());
    until("the one that is left has everything", || shards(&a) == 256);
    load.wait_for(100);
    check(&[&a], &brokers, &topic, &docs, load.finish());
}

#[test]
fn nothing_is_missing_from_the_stream_when_documents_go_to_and_fro() {
    let (scene, brokers) = (Scene::new(), broker::shared());
    let (topic, servers) = publishing::<2>(&scene, &brokers);
    let docs = documents(&servers);
    let [a, b] = &servers;
    let names = [name(a), name(b)];
    let load = Load::start(a, &docs, WRITERS);
    for round in 0..6 {
        thread::scope(|scope| {
            for (n, doc) in docs.iter().enumerate() {
                let to = &names[(round + n) % 2];
                scope.spawn(move || move_to(a, doc, to).expect(200));
            }
        });
        load.wait_for(20);
    }
    check(&[a, b], &brokers, &topic, &docs, load.finish());
    let failures = [a, b].map(|server| metric(server, "quire_publisher_failures_total"));
    assert_eq!(failures, [0.0, 0.0], "Kafka was there all the time");
}

/// What nobody could publish is in the log alone: whoever has the shards when Kafka is back begins where the stream ends.
#[test]
fn whoever_takes_over_while_kafka_is_away_publishes_what_the_others_could_not() {
    let (scene, broker) = (Scene::new(), broker::own());
    let (topic, servers) = publishing::<3>(&scene, &broker.address);
    let docs = documents(&servers);
    let [a, b, c] = servers;
    let load = Load::start(&a, &docs, WRITERS);
    until_all_publish(&[&a, &b, &c]);
    broker.kill();
    load.wait_for(6 * WINDOW);
    c.kill();
    b.signal(libc::SIGTERM);
    assert!(b.ended().0.success());
    until("the one that is left has everything", || shards(&a) == 256);
    load.wait_for(6 * WINDOW);
    broker.resume();
    check(&[&a], &broker.address, &topic, &docs, load.finish());
    assert!(metric(&a, "quire_publisher_sent_total") > 0.0);
}
