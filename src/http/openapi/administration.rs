//! Bodies of the calls for administrators.
#![allow(dead_code, reason = "nothing is ever made of these")]

use utoipa::ToSchema;

use crate::http::admin::{ListedNode, SessionView};
use crate::ids::{DocumentId, Millis, Version};

/// A page of what is in memory.
#[derive(ToSchema)]
pub struct LiveDocumentsPage {
    docs: Vec<LiveDocument>,
    next: Option<DocumentId>,
    /// Servers that have not answered within two seconds: what they have is not here. Absent if all have.
    missing: Option<Vec<String>>,
}

/// A document in memory. Only one that is live has more than the first three members.
#[derive(ToSchema)]
pub struct LiveDocument {
    id: DocumentId,
    /// The server that has it.
    node: String,
    /// `opening`, `live` or `quarantined`.
    state: String,
    version: Option<Version>,
    updated_at: Option<Millis>,
    sessions: Option<u64>,
    /// Operations that are applied and not yet durable.
    speculative: Option<u64>,
    snapshot_version: Option<Version>,
    /// Operations that are durable and in no snapshot.
    snapshot_lag: Option<Version>,
    bytes: Option<u64>,
    archived: Option<bool>,
    idle_ms: Option<u64>,
}

/// Sessions of a page of documents.
#[derive(ToSchema)]
pub struct SessionsPage {
    sessions: Vec<SessionView>,
    next: Option<DocumentId>,
    /// As of documents.
    missing: Option<Vec<String>>,
}

/// Server processes.
#[derive(ToSchema)]
pub struct NodesView {
    nodes: Vec<ListedNode<'static>>,
}

/// Where a document is to be.
#[derive(ToSchema)]
pub struct MoveBody {
    /// The name of a server, as the list of servers has it.
    node: String,
}

/// Where it is.
#[derive(ToSchema)]
pub struct MovedView {
    node: String,
    /// All documents of this shard are there.
    shard: u8,
}

/// What was looked at.
#[derive(ToSchema)]
pub struct VerifiedView {
    versions: u64,
    snapshots: u64,
    /// What is wrong.
    complaints: Vec<String>,
}
