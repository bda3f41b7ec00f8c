//! The server as its users meet it: the binary, over REST and WebSockets, one module per subject.

#[allow(dead_code, reason = "tests/durability uses these modules as well, and the rest of them")]
mod client;
#[allow(dead_code, reason = "as above")]
mod connection;
#[allow(dead_code, reason = "as above")]
mod harness;
#[allow(dead_code, reason = "as above")]
mod raw;
#[allow(dead_code, reason = "as above")]
mod replica;
#[allow(dead_code, reason = "as above")]
mod rest;
#[allow(dead_code, reason = "shared with tests/faults")]
#[path = "../faults/services.rs"]
mod services;
mod signed_in;

mod accounts;
mod admin;
mod audit;
mod comments;
mod content;
mod documents;
mod drain;
mod edits;
mod entrance;
mod events;
mod handshake;
mod hello;
mod hostile;
mod limits;
#[cfg(feature = "oidc")]
mod oidc;
mod openapi;
mod people;
mod permissions;
mod permissions_live;
mod portability;
mod presence;
mod quotas;
mod redis;
mod repeats;
mod restraints;
mod resume;
mod roles;
#[allow(dead_code, reason = "shared with tests/attacks, which uses the rest of it")]
#[path = "../attacks/routes.rs"]
mod routes;
mod security;
mod service;
mod sessions;
mod stream;
mod versions;
mod webhooks;
