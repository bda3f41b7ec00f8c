//! What is promised is tested by breaking it: crashes, power cuts, full disks, damaged files, peers that stop reading.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, connection, harness, raw, replica, rest};

#[allow(dead_code, reason = "shared with tests/faults")]
#[path = "../faults/services.rs"]
mod services;

mod crash;
mod damage;
mod database;
mod drill;
mod full_disk;
mod ledger;
mod left;
#[allow(dead_code, reason = "tests/stream uses the rest of it")]
mod load;
mod memory;
#[allow(dead_code, reason = "tests/tiers uses the rest of it")]
mod postgres;
mod powercut;
mod purge;
mod slow_takers;
