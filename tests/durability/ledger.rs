//! What must hold after any failure: every acknowledged operation is in the log exactly once, and all hold the same.

use std::collections::HashSet;

use quire::ot::Document;
use serde_json::Value;

use crate::client::TestClient;
use crate::harness::TestServer;
use crate::load::Writer;
use crate::replica::{Replica, delta};
use crate::rest::Rest;

/// Checks every document that the writers wrote, and lets each come back and compare.
pub fn check(server: &TestServer, writers: Vec<Writer>) {
    let rest = Rest::of(server);
    let docs: HashSet<&str> = writers.iter().map(|writer| writer.doc.as_str()).collect();
    for doc in docs {
        let log = rest.ops(doc);
        check_log(doc, &log);
        let (version, content) = rest.content(doc);
        assert_eq!(version, log.len() as u64, "{doc}: the log ends at the head");
        assert_eq!(replay(&log).to_delta(), delta(&content), "{doc}: the log replayed is the content");
        for writer in writers.iter().filter(|writer| writer.doc == doc) {
            let missing = missing(&log, &writer.replica);
            assert!(missing.is_empty(), "{doc}: acknowledged and not in the log: {missing:?}");
        }
    }
    for Writer { doc, replica } in writers {
        let client = TestClient::resume(server, &doc, replica);
        let (version, content) = rest.content(&doc);
        assert_eq!(client.replica.version, version, "{doc}: a client has caught up");
        assert_eq!(client.replica.content.to_delta(), delta(&content), "{doc}: a client holds the content");
    }
}

/// What of the acknowledged operations is not in the log, in words; nothing is asked of the server but to answer.
pub fn losses(server: &TestServer, writers: &[Writer]) -> Vec<String> {
    let rest = Rest::of(server);
    let losses = writers.iter().filter_map(|Writer { doc, replica }| match rest.try_ops(doc) {
        Ok(log) => {
            let missing = missing(&log, replica);
            let lost = format!("{doc}: {} has lost (seq, version) {missing:?}", replica.client);
            (!missing.is_empty()).then_some(lost)
        }
        Err(answer) => Some(format!("{doc}: the log is answered with {}", answer.status)),
    });
    losses.collect()
}

/// Contiguous versions, and no operation twice.
fn check_log(doc: &str, log: &[Value]) {
    let mut seen = HashSet::new();
    for (op, version) in log.iter().zip(1..) {
        assert_eq!(op["version"], version, "{doc}: a gap in the log");
        let key = (op["client"].to_string(), op["seq"].to_string());
        assert!(seen.insert(key), "{doc}: twice in the log: {op}");
    }
}

fn replay(log: &[Value]) -> Document {
    let mut document = Document::new();
    for op in log {
        document.apply(&delta(&op["delta"])).unwrap_or_else(|error| panic!("{op} does not fit: {error}"));
    }
    document
}

/// Operations that a client has an acknowledgement for and that the log does not have where it was told: (`seq`, version).
fn missing(log: &[Value], replica: &Replica) -> Vec<(u64, u64)> {
    let is_there = |seq: u64, version: u64| {
        let op = log.get(version as usize - 1);
        op.is_some_and(|op| op["client"] == replica.client.to_string() && op["seq"] == seq)
    };
    replica.acknowledged.iter().copied().filter(|(seq, version)| !is_there(*seq, *version)).collect()
}
