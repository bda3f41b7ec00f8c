//! What the other suites use of this one: servers, and those who speak to them.

#[path = "client.rs"]
pub mod client;
#[path = "connection.rs"]
pub mod connection;
#[path = "harness.rs"]
pub mod harness;
#[path = "raw.rs"]
pub mod raw;
#[path = "replica.rs"]
pub mod replica;
#[path = "rest.rs"]
pub mod rest;
#[path = "schema.rs"]
pub mod schema;
#[path = "signed_in.rs"]
pub mod signed_in;
