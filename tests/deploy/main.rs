//! What is in front of a server and around it: TLS, gateways, and the files of `deploy/`, each with the real program.
//!
//! `scripts/setup.sh` installs what is asked here; what is missing fails.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, harness, replica, rest};

#[allow(dead_code, reason = "shared with tests/faults")]
#[path = "../faults/services.rs"]
mod services;

mod certificates;
mod collector;
mod files;
mod gateways;
mod postgres;
mod redis;
mod tls;
mod traces;
mod tunnel;
