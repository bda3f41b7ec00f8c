//! The fault matrix: each component of a production, killed, cut off, silent or slow, alone and together with the server, under a
//! load of 50 writers. After each: every acknowledged operation once in the log, all clients at the same content, a complete
//! topic, and whatever is derived equal to the log.

#[allow(dead_code, reason = "shared with tests/api, which uses the rest of it")]
#[path = "../api/shared.rs"]
mod shared;
use shared::{client, connection, harness, replica, rest};

#[allow(dead_code, reason = "shared with tests/durability")]
#[path = "../durability/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "as above")]
#[path = "../durability/load.rs"]
mod load;
#[allow(dead_code, reason = "shared with tests/stream")]
#[path = "../stream/topic.rs"]
mod topic;
#[allow(dead_code, reason = "as above")]
#[path = "../stream/worker.rs"]
mod worker;

mod matrix;
mod proxies;
#[allow(dead_code, reason = "others use the rest of it")]
mod services;
mod stack;
