//! A server that publishes, and documents to write into.

use serde_json::json;

use crate::client::TestClient;
use crate::harness::{DataFolder, Launch, TestServer};
use crate::ledger;
use crate::load::{Load, Writer};
use crate::rest::Rest;
use crate::topic;

/// A topic of one test, at a broker.
pub struct Scene {
    pub brokers: String,
    pub topic: String,
}

impl Scene {
    /// With a topic that nobody else has.
    pub fn at(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), topic: format!("test-{}", uuid::Uuid::new_v4().simple()) }
    }

    /// A server that publishes here.
    pub fn launch(&self, data: DataFolder) -> Launch {
        Launch::on(data).with("QUIRE_KAFKA_BROKERS", &self.brokers).with("QUIRE_KAFKA_TOPIC", &self.topic)
    }

    /// Waits until everything is published, and checks the topic and the server itself; returns how many records are doubles.
    pub fn check(&self, server: &TestServer, docs: &[String], writers: Vec<Writer>) -> usize {
        let published = topic::read_complete(server, &self.brokers, &self.topic, docs);
        let doubles = topic::check(server, &published, docs);
        ledger::check(server, writers);
        doubles
    }
}

pub fn documents(server: &TestServer, count: usize) -> Vec<String> {
    let rest = Rest::of(server);
    (0..count).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect()
}

/// Nobody has been asked to wait.
pub fn assert_nobody_was_put_off(load: &Load) {
    assert_eq!(load.refusals(), 0, "editors have noticed something");
}

/// One edit gets through.
pub fn edit(server: &TestServer, doc: &str) {
    TestClient::join(server, doc).insert(0, "still here ");
}
