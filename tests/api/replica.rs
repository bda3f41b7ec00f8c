//! What a client keeps of a document, over connections: its mirror, and the operation in flight.

use quire::ot::{Delta, Document};
use serde_json::Value;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// An operation that has been sent and has not come back.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub seq: u64,
    pub base: u64,
    pub delta: Delta,
}

/// What a client keeps over connections.
#[derive(Clone)]
pub struct Replica {
    pub client: Uuid,
    pub history: String,
    /// The version that `content` is.
    pub version: u64,
    /// The canonical content, without what is in flight.
    pub content: Document,
    pub in_flight: Option<InFlight>,
    /// The last number given to an operation.
    pub seq: u64,
    /// Own operations that came back: `seq` and the version each made.
    pub acknowledged: Vec<(u64, u64)>,
}

impl Replica {
    /// That of a client that has never been here.
    pub fn new() -> Self {
        Self::of(Uuid::new_v4())
    }

    /// An empty one with this id.
    pub fn of(client: Uuid) -> Self {
        Self {
            client,
            history: String::new(),
            version: 0,
            content: Document::new(),
            in_flight: None,
            seq: 0,
            acknowledged: Vec::new(),
        }
    }

    /// What its user sees: with what is in flight.
    pub fn shown(&self) -> Document {
        let mut shown = self.content.clone();
        if let Some(op) = &self.in_flight {
            shown.apply(&op.delta).expect("what is in flight fits what it was rebased on");
        }
        shown
    }

    /// Applies a frame of operations, skipping versions that it has.
    pub fn take_ops(&mut self, frame: &Value) {
        let base = frame["base"].as_u64().expect("a base");
        assert!(base <= self.version, "operations on {base} came to a client at {}", self.version);
        for (op, version) in frame["ops"].as_array().expect("a list").iter().zip(base + 1..) {
            if version > self.version {
                self.take_op(op, version);
            }
        }
        if let Some(hash) = frame["hash"].as_str() {
            let own = format!("{:016x}", xxh3_64(self.content.text().as_bytes()));
            assert_eq!(own, hash, "the text at version {} is not the server's", self.version);
        }
    }

    fn take_op(&mut self, op: &Value, version: u64) {
        let delta = delta(&op["delta"]);
        let is_own = op["client"] == self.client.to_string();
        match &mut self.in_flight {
            Some(sent) if is_own && op["seq"] == sent.seq => {
                assert_eq!(delta, sent.delta, "an operation comes back as its author has rebased it");
                self.acknowledged.push((sent.seq, version));
                self.in_flight = None;
            }
            Some(sent) => {
                sent.delta = delta.transform(&sent.delta, true);
                sent.base = version;
            }
            None => {}
        }
        self.content.apply(&delta).unwrap_or_else(|error| panic!("version {version} does not fit: {error}"));
        self.version = version;
    }
}

/// Reads a delta from a frame.
pub fn delta(value: &Value) -> Delta {
    Delta::parse_stored(&value.to_string()).unwrap_or_else(|error| panic!("no delta ({error}): {value}"))
}
