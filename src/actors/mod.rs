//! The actors: they own state and time. Dependencies point one way: `http -> actors -> {ot, storage}`.
//!
//! | actor | owns | is spoken to by | thread of its own |
//! |---|---|---|---|
//! | [`session::SessionActor`] | one WebSocket: who speaks, rate, what was sent | its client, its document | worker threads |
//! | [`document::DocumentActor`] | one document: canonical operations, sessions, presence | sessions, journal, service | document threads |
//! | [`journal::JournalActor`] | the positions in the log, the batch being committed | documents, service, registry | yes |
//! | [`registry::RegistryActor`] | which documents are in memory, and which failed | service, sessions, documents | shared |
//! | [`archiver::ArchiverActor`] | nothing: what is old leaves the database | nobody | shared |
//! | [`publisher::PublisherActor`] | how far each shard has come into the stream | application | yes, where there is a stream |
//! | [`projector::ProjectorActor`] | nothing: what is made of the log is brought forward | nobody | yes, unless a worker does it |
//! | [`snapshot::SnapshotActor`] | the snapshots that wait to be written | documents | shared |
//!
//! Registry, snapshots and archiver share one thread. A document that fails is replaced by the registry; when journal,
//! registry or snapshots end, so does the process ([`watch`]).
//!
//! What has happened to documents is told by [`events`], a task beside them.
//!
//! [`service::Documents`] is the one door through which `http` comes in.

pub mod administration;
pub mod archiver;
pub mod audit;
pub mod clock;
pub mod cluster;
pub mod document;
pub mod error;
pub mod events;
pub mod journal;
pub mod people;
pub mod projector;
pub mod publisher;
pub mod rebase;
pub mod registry;
pub mod remote;
pub mod service;
pub mod session;
pub mod sharing;
pub mod snapshot;
pub mod watch;

mod flights;
mod turnstile;
