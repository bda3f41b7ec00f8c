//! What somebody does who means harm: forged tokens, slow and half-open connections, frames and bodies that are too large,
//! addresses that lead elsewhere, SQL and script in everything that can be written. The binary, as tests/api has it.
//!
//! Hostile operations and frames are in tests/api/hostile.rs; pages that show what an attacker has written are in
//! web/e2e/hostile.spec.ts, since only a browser can tell whether it has run.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, harness, raw, replica, rest, schema, signed_in};

mod bombs;
mod crowds;
mod injection;
mod paths;
#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
mod routes;
mod rows;
mod script;
mod tokens;
