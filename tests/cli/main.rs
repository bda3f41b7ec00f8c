//! The commands as their users meet them: the binary, its exit codes and its words, one module per command.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, harness, replica, rest, schema, signed_in};

mod accounts;
mod admin;
mod audit;
mod backup;
mod belongings;
mod command;
mod config;
mod database;
mod fork;
mod help;
mod keys;
mod migrate;
mod postgres;
mod projections;
mod replay;
mod serve;
mod transfer;
mod verify;
