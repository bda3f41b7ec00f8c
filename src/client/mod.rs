//! A client of the protocol in Rust: what the TypeScript SDK is to browsers, for commands and tests.
//!
//! [`Replica`] is the state machine, pure: a document, what is in flight, and what waits behind it. [`Client`] moves its
//! frames over a WebSocket, and comes back after a disconnect with everything that is pending.

mod buffer;
mod connection;
mod replica;
mod wire;

pub use self::connection::{Client, ClientError, Options};
pub use self::replica::{Event, Replica, ReplicaError};
