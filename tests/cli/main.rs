//! The commands as their users meet them: the binary, its exit codes and its words, one module per command.

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
