//! What may be said to a [`RegistryActor`](super::RegistryActor).

use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Message};

use crate::actors::document::DocumentActor;
use crate::actors::error::Refusal;
use crate::ids::{ClientId, DocumentId, Shard};

/// A document's address, one for all who hold it: each of its own would be two allocations for as long as it is kept.
pub type SharedAddress = Arc<Addr<DocumentActor>>;

/// Somebody wants a document: answered with its actor, once it is in memory.
#[derive(Message)]
#[rtype(result = "Result<SharedAddress, Refusal>")]
pub struct Open {
    pub doc: DocumentId,
}

/// Somebody wants to ask actors that are in memory already; none is opened for it.
#[derive(Message)]
#[rtype(result = "Vec<Option<SharedAddress>>")]
pub struct Peek {
    pub docs: Vec<DocumentId>,
}

/// Somebody wants to know which documents are in memory, and their actors.
#[derive(Message)]
#[rtype(result = "Vec<(DocumentId, SharedAddress)>")]
pub struct ListLive;

/// Somebody has something to tell a document's actor, if it is in memory or about to be; it is not opened for that.
#[derive(Message)]
#[rtype(result = "Option<SharedAddress>")]
pub struct Find {
    pub doc: DocumentId,
}

/// A document actor has ended by a panic, or has found that the log is ahead of it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Crashed {
    pub doc: DocumentId,
    pub incarnation: u64,
    /// The operation it was working on.
    pub culprit: Option<(ClientId, u64)>,
}

/// An idle document actor asks to stop; `true` when nobody will find it any more.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Passivate {
    pub doc: DocumentId,
    pub incarnation: u64,
}

/// Another node owns a document's shard; its actor has stopped.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fenced {
    pub doc: DocumentId,
    pub incarnation: u64,
}

/// Other servers have these shards: documents of theirs stop, and their sessions are told to reconnect. Answered when they have
/// stopped. Sent by the rounds of the cluster.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Release {
    pub shards: Vec<Shard>,
}

/// A document is about to be purged: its actor stops without a snapshot, and nobody opens it until [`PurgeEnded`]
/// follows. Sent by the service.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Evict {
    pub doc: DocumentId,
}

/// The purge of a document has ended, one way or the other: what storage says of it holds again. Sent by the service,
/// once for each [`Evict`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct PurgeEnded {
    pub doc: DocumentId,
}

/// The server stops: nobody is given a document any more, and the answer comes when all are durable and in a snapshot, or
/// when the time is over: how many of them are not.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct DrainAll {
    pub within: Duration,
}
