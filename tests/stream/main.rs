//! What goes into Kafka, over a real broker: in order, complete, and nobody waits for it; and what `quire worker` makes of it.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of these modules")]
#[path = "../api/client.rs"]
mod client;
#[allow(dead_code, reason = "as above")]
#[path = "../api/connection.rs"]
mod connection;
#[allow(dead_code, reason = "as above")]
#[path = "../api/harness.rs"]
mod harness;
#[allow(dead_code, reason = "shared with tests/durability")]
#[path = "../durability/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "as above")]
#[path = "../durability/load.rs"]
mod load;
#[allow(dead_code, reason = "as above")]
#[path = "../durability/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "as above")]
#[path = "../api/replica.rs"]
mod replica;
#[allow(dead_code, reason = "as above")]
#[path = "../api/rest.rs"]
mod rest;

mod broker;
mod outage;
mod publishing;
mod scene;
mod topic;
mod topics;
mod worker;
