//! What somebody does who means harm: forged tokens, slow and half-open connections, frames and bodies that are too large,
//! addresses that lead elsewhere, SQL and script in everything that can be written. The binary, as tests/api has it.
//!
//! Hostile operations and frames are in tests/api/hostile.rs; pages that show what an attacker has written are in
//! web/e2e/hostile.spec.ts, since only a browser can tell whether it has run.

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
#[allow(dead_code, reason = "as above")]
#[path = "../api/signed_in.rs"]
mod signed_in;

mod bombs;
mod crowds;
mod injection;
mod paths;
mod routes;
mod script;
mod tokens;
