//! Old operations in segments, snapshots in S3: one log for whoever reads it, whatever is killed or damaged.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, connection, harness, replica, rest};

#[allow(dead_code, reason = "shared with tests/cli")]
#[path = "../cli/command.rs"]
mod command;
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

mod crashes;
mod damage;
mod gateway;
mod reading;
mod scene;
mod snapshots;
