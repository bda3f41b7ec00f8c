//! What is promised is tested by breaking it: crashes, power cuts, full disks, damaged files, peers that stop reading.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of these modules")]
#[path = "../api/client.rs"]
mod client;
#[allow(dead_code, reason = "as above")]
#[path = "../api/connection.rs"]
mod connection;
#[allow(dead_code, reason = "as above")]
#[path = "../api/harness.rs"]
mod harness;
#[allow(dead_code, reason = "as above")]
#[path = "../api/raw.rs"]
mod raw;
#[allow(dead_code, reason = "as above")]
#[path = "../api/replica.rs"]
mod replica;
#[allow(dead_code, reason = "as above")]
#[path = "../api/rest.rs"]
mod rest;
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
