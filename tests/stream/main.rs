//! What goes into Kafka, over a real broker: in order, complete, and nobody waits for it; and what `quire worker` makes of it.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, connection, harness, replica, rest};

#[allow(dead_code, reason = "shared with tests/deploy")]
#[path = "../deploy/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "as above")]
#[path = "../deploy/collector.rs"]
mod collector;
#[allow(dead_code, reason = "shared with tests/durability")]
#[path = "../durability/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "as above")]
#[path = "../durability/load.rs"]
mod load;
#[allow(dead_code, reason = "as above")]
#[path = "../durability/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "shared with tests/faults")]
#[path = "../faults/services.rs"]
mod services;

mod broker;
mod outage;
mod projecting;
mod publishing;
mod scene;
mod secure;
mod topic;
mod topics;
mod worker;
