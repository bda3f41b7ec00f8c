//! Several servers on one database: documents are shared out among them, any of them takes any session, and nothing that was
//! acknowledged is lost when one comes, goes, dies or stands still. The binary, on a PostgreSQL schema of each test's own.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, connection, harness, replica, rest, schema, signed_in};

#[allow(dead_code, reason = "shared with tests/cli")]
#[path = "../cli/command.rs"]
mod command;
#[allow(dead_code, reason = "shared with tests/durability")]
#[path = "../durability/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "as above")]
#[path = "../durability/load.rs"]
mod load;

#[cfg(feature = "kafka")]
#[allow(dead_code, reason = "shared with tests/stream")]
#[path = "../stream/broker.rs"]
mod broker;
#[allow(dead_code, reason = "shared with tests/deploy")]
#[path = "../deploy/certificates.rs"]
mod certificates;
#[cfg(feature = "kafka")]
#[allow(dead_code, reason = "shared with tests/faults")]
#[path = "../faults/services.rs"]
mod services;
#[cfg(feature = "kafka")]
#[allow(dead_code, reason = "shared with tests/stream")]
#[path = "../stream/topic.rs"]
mod topic;
#[allow(dead_code, reason = "shared with tests/deploy")]
#[path = "../deploy/tunnel.rs"]
mod tunnel;

mod forwarding;
mod listing;
mod moving;
#[cfg(feature = "kafka")]
mod publishing;
mod scene;
mod secrets;
mod secure;
mod silent;
mod taking_over;
