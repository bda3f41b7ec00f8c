//! What is in front of a server and around it: TLS, gateways, and the files of `deploy/`, each with the real program.
//!
//! `scripts/setup.sh` installs what is asked here; what is missing fails.

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
#[path = "../api/replica.rs"]
mod replica;
#[allow(dead_code, reason = "as above")]
#[path = "../api/rest.rs"]
mod rest;
#[allow(dead_code, reason = "shared with tests/faults")]
#[path = "../faults/services.rs"]
mod services;

mod certificates;
mod files;
mod gateways;
mod postgres;
mod redis;
mod tls;
mod traces;
mod tunnel;
