//! What administrators ask: documents in memory and their sessions, this process, and what is to be done with them.
//!
//! Lists are of all servers of the cluster that answer in time. Whoever calls needs a token with the right to look after the server;
//! guests never have it.

use std::sync::atomic::Ordering;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{at, get};
use crate::actors::administration::{Known, KnownState};
use crate::actors::cluster::Cluster;
use crate::actors::document::{Examined, ExaminedSession};
use crate::actors::error::ErrorCode;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::openapi::{
    LiveDocumentsPage, MoveBody, MovedView, NodesView, SessionsPage, SnapshotMade, VerifiedView,
};
use crate::http::pages::{self, PageParameters};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{ClientId, DocumentId, Millis, SHARDS, SessionId, UserId, Version};
use crate::metrics::METRICS;

/// Bytes of a request to move a document.
const MOVE_BYTES: usize = 1 << 10;

/// The routes below `/v1/admin`.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(at("/v1/admin/docs", "GET, HEAD").route(get().to(documents)))
        .service(at("/v1/admin/docs/{id}/passivate", "POST").route(web::post().to(passivate)))
        .service(at("/v1/admin/docs/{id}/snapshot", "POST").route(web::post().to(snapshot)))
        .service(at("/v1/admin/docs/{id}/verify", "POST").route(web::post().to(verify)))
        .service(
            at("/v1/admin/docs/{id}/move", "POST, DELETE")
                .route(web::post().to(move_document))
                .route(web::delete().to(unpin)),
        )
        .service(at("/v1/admin/sessions", "GET, HEAD").route(get().to(sessions)))
        .service(at("/v1/admin/docs/{id}/sessions/{session}", "DELETE").route(web::delete().to(dismiss)))
        .service(at("/v1/admin/nodes", "GET, HEAD").route(get().to(nodes)))
        .service(at("/v1/admin/drain", "POST").route(web::post().to(drain)));
}

/// A document in memory.
#[derive(Serialize)]
struct DocumentView {
    id: DocumentId,
    /// The server that has it in memory.
    node: String,
    /// `opening`, `live` or `quarantined`.
    state: &'static str,
    #[serde(flatten)]
    live: Option<LiveView>,
}

/// What is known of one that is live.
#[derive(Serialize)]
struct LiveView {
    version: Version,
    updated_at: Millis,
    sessions: usize,
    /// Operations that are applied and not yet durable.
    speculative: usize,
    snapshot_version: Version,
    /// Operations that are durable and in no snapshot.
    snapshot_lag: Version,
    bytes: u64,
    archived: bool,
    idle_ms: u64,
}

/// A session of a document in memory.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionView {
    session: String,
    /// The server that has its document; it may have come by another one.
    node: String,
    doc: DocumentId,
    client: ClientId,
    user: UserId,
    name: String,
    /// Versions that it has still to be sent.
    lag: Version,
}

impl DocumentView {
    fn new(known: Known, node: &str) -> Self {
        let (state, live) = match known.state {
            KnownState::Opening => ("opening", None),
            KnownState::Quarantined => ("quarantined", None),
            KnownState::Live(examined) => ("live", Some(LiveView::from(examined))),
        };
        Self { id: known.doc, node: node.to_owned(), state, live }
    }
}

impl From<Examined> for LiveView {
    fn from(examined: Examined) -> Self {
        Self {
            version: examined.version,
            updated_at: examined.at,
            sessions: examined.sessions.len(),
            speculative: examined.speculative,
            snapshot_version: examined.snapshot_version,
            snapshot_lag: examined.version.saturating_sub(examined.snapshot_version),
            bytes: examined.bytes,
            archived: examined.archived,
            idle_ms: examined.idle_ms,
        }
    }
}

impl SessionView {
    fn new(doc: &DocumentId, node: &str, head: Version, session: ExaminedSession) -> Self {
        Self {
            session: session.session.to_string(),
            node: node.to_owned(),
            doc: doc.clone(),
            client: session.client,
            user: session.user,
            name: session.name,
            lag: head.saturating_sub(session.sent),
        }
    }
}

/// Reads a page of what is in memory, and where to go on if there may be more.
async fn page(
    state: &HttpState,
    parameters: &PageParameters,
) -> Result<(Vec<Known>, Option<DocumentId>), Problem> {
    let list = async |after, limit| Ok(state.administration.documents(after, limit).await?);
    parameters.page(|cursor| cursor.parse().ok(), list, |last: &Known| last.doc.clone()).await
}

/// Answers with a page of all servers, of which `rows` are this one's: in order of `key`, and at most `most` of them.
async fn of_all(
    state: &HttpState,
    request: &HttpRequest,
    list: &str,
    key: &str,
    most: usize,
    (rows, next): (Vec<Value>, Option<DocumentId>),
) -> HttpResponse {
    let mut pages = vec![(rows, next.map(|next| next.to_string()))];
    let mut missing = Vec::new();
    if let Some(forwarder) = &state.forwarder {
        let gathered = forwarder.gather(request, state.sessions.clock.now()).await;
        missing = gathered.missing;
        pages.extend(gathered.answers.into_iter().map(|mut answer| {
            let next = answer["next"].as_str().map(str::to_owned);
            let rows = if let Value::Array(rows) = answer[list].take() { rows } else { Vec::new() };
            (rows, next)
        }));
    }
    let (rows, next) = pages::join(pages, most, |row| row[key].as_str().unwrap_or_default());
    let mut body = json!({ list: rows });
    if let Some(next) = next {
        body["next"] = json!(next);
    }
    if !missing.is_empty() {
        body["missing"] = json!(missing);
    }
    HttpResponse::Ok().json(body)
}

/// `GET /v1/admin/docs?cursor=&limit=`
#[utoipa::path(
    get, path = "/v1/admin/docs", tag = "administration", summary = "List documents in memory, of all servers",
    params(PageParameters),
    responses((status = 200, description = "A page", body = LiveDocumentsPage))
)]
pub(super) async fn documents(
    request: HttpRequest,
    caller: Caller,
    parameters: web::Query<PageParameters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let (known, next) = page(&state, &parameters).await?;
    let node = &state.administration.node().name;
    let docs = known.into_iter().map(|known| json!(DocumentView::new(known, node))).collect();
    Ok(of_all(&state, &request, "docs", "id", parameters.limit()?, (docs, next)).await)
}

/// `GET /v1/admin/sessions?cursor=&limit=`: of a page of documents.
#[utoipa::path(
    get, path = "/v1/admin/sessions", tag = "administration", summary = "List sessions of a page of documents in memory, of all servers",
    params(PageParameters),
    responses((status = 200, description = "Those of the page", body = SessionsPage))
)]
pub(super) async fn sessions(
    request: HttpRequest,
    caller: Caller,
    parameters: web::Query<PageParameters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let (known, next) = page(&state, &parameters).await?;
    let node = &state.administration.node().name;
    let mut sessions = Vec::new();
    for Known { doc, state } in known {
        if let KnownState::Live(examined) = state {
            let head = examined.version;
            let of_document = examined.sessions.into_iter();
            sessions.extend(of_document.map(|one| json!(SessionView::new(&doc, node, head, one))));
        }
    }
    Ok(of_all(&state, &request, "sessions", "doc", usize::MAX, (sessions, next)).await)
}

/// `POST /v1/admin/docs/{id}/passivate`: answered before the document has left.
#[utoipa::path(
    post, path = "/v1/admin/docs/{id}/passivate", tag = "administration", summary = "Have a document leave memory",
    responses((status = 202, description = "It is about to", body = Object))
)]
pub(super) async fn passivate(
    caller: Caller,
    doc: web::Path<DocumentId>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    state.administration.passivate(&doc).await?;
    Ok(HttpResponse::Accepted().json(json!({})))
}

/// `POST /v1/admin/docs/{id}/snapshot`: the durable head, in a snapshot when this is answered.
#[utoipa::path(
    post, path = "/v1/admin/docs/{id}/snapshot", tag = "administration", summary = "Keep what a document is now in a snapshot",
    responses((status = 201, description = "It is kept", body = SnapshotMade))
)]
pub(super) async fn snapshot(
    caller: Caller,
    doc: web::Path<DocumentId>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let version = state.documents.checkpoint(&doc).await?;
    Ok(HttpResponse::Created().json(json!({ "version": version })))
}

/// `POST /v1/admin/docs/{id}/verify`
#[utoipa::path(
    post, path = "/v1/admin/docs/{id}/verify", tag = "administration", summary = "Check what is stored of a document",
    responses((status = 200, description = "What was looked at, and what is wrong with it", body = VerifiedView))
)]
pub(super) async fn verify(
    caller: Caller,
    doc: web::Path<DocumentId>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let verified = state.administration.verify(&doc).await?;
    Ok(HttpResponse::Ok().json(json!({
        "versions": verified.versions,
        "snapshots": verified.snapshots,
        "complaints": verified.complaints,
    })))
}

/// `POST /v1/admin/docs/{id}/move {"node"}`: answered when that server has the document, and with it all of the same shard.
#[utoipa::path(
    post, path = "/v1/admin/docs/{id}/move", tag = "administration",
    summary = "Have another server of the cluster serve a document, and all others of its shard",
    request_body = MoveBody,
    responses((status = 200, description = "It does", body = MovedView))
)]
pub(super) async fn move_document(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    doc: web::Path<DocumentId>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let body = body::read(&request, payload, MOVE_BYTES).await?;
    let node: String = Members::read(&body)?.required("node")?;
    let cluster = others(&state)?;
    state.documents.look_up(&doc).await?;
    let shard = doc.shard();
    cluster.move_shard(shard, &node).await?;
    Ok(HttpResponse::Ok().json(json!({ "node": node, "shard": shard })))
}

/// `DELETE /v1/admin/docs/{id}/move`: answered when the document is where it is without having been moved, and with it all of the same
/// shard.
#[utoipa::path(
    delete, path = "/v1/admin/docs/{id}/move", tag = "administration",
    summary = "Let a document that was moved go back where it would be, with all others of its shard",
    responses((status = 200, description = "It is there, or nobody had moved it", body = MovedView))
)]
pub(super) async fn unpin(
    caller: Caller,
    doc: web::Path<DocumentId>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let cluster = others(&state)?;
    state.documents.look_up(&doc).await?;
    let shard = doc.shard();
    let node = cluster.unpin_shard(shard).await?;
    Ok(HttpResponse::Ok().json(json!({ "node": node, "shard": shard })))
}

/// Returns the cluster that this server is of.
fn others(state: &HttpState) -> Result<&Cluster, Problem> {
    let alone = || Problem::new(ErrorCode::Conflict, "this server is alone: there is no other to move it to");
    state.forwarder.as_ref().map(|forwarder| &forwarder.cluster).ok_or_else(alone)
}

/// `DELETE /v1/admin/docs/{id}/sessions/{session}`: the session is told to reconnect.
#[utoipa::path(
    delete, path = "/v1/admin/docs/{id}/sessions/{session}", tag = "administration", summary = "Tell a session to reconnect",
    responses((status = 204, description = "It is told"))
)]
pub(super) async fn dismiss(
    caller: Caller,
    path: web::Path<(DocumentId, String)>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let (doc, session) = path.into_inner();
    let number = u64::from_str_radix(&session, 16);
    let session = number.map_err(|_| Problem::not_found(format!("{session:.64} is not a session")))?;
    state.administration.dismiss(&doc, SessionId(session)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// One server of the database.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ListedNode<'a> {
    This(NodeView<'a>),
    Other(OtherNodeView),
}

/// Another server of the same database, which is asked itself for more.
#[derive(Serialize, ToSchema)]
pub(super) struct OtherNodeView {
    name: String,
    /// At which other servers reach it.
    url: String,
    started_at: Millis,
    /// Whether it was seen within ten seconds.
    alive: bool,
    /// For how long it was not.
    silent_ms: Millis,
    draining: bool,
    shards: usize,
}

/// This server process.
#[derive(Serialize, ToSchema)]
pub(super) struct NodeView<'a> {
    name: &'a str,
    /// At which other servers reach it, if there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    alive: bool,
    /// Of the program.
    version: &'static str,
    started_at: Millis,
    uptime_ms: Millis,
    draining: bool,
    shards: usize,
    connections: i64,
    sessions: i64,
    documents: i64,
    quarantined: i64,
    operations: u64,
    journal_queue: i64,
    snapshot_queue: i64,
    snapshot_lag: i64,
}

/// `GET /v1/admin/nodes`: this one, and the others of its cluster.
#[utoipa::path(
    get, path = "/v1/admin/nodes", tag = "administration", summary = "Tell how this server is, and which others there are",
    responses((status = 200, description = "This one, and the others of the same database", body = NodesView))
)]
pub(super) async fn nodes(caller: Caller, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let node = state.administration.node();
    let cluster = state.forwarder.as_ref().map(|forwarder| &forwarder.cluster);
    let members = match cluster {
        Some(cluster) => cluster.members().await?,
        None => Vec::new(),
    };
    let own = members.iter().find(|(member, _)| member.node == node.name).map(|(_, shards)| *shards);
    let view = NodeView {
        name: &node.name,
        url: cluster.map(Cluster::url),
        alive: true,
        version: env!("CARGO_PKG_VERSION"),
        started_at: node.started_at,
        uptime_ms: (state.sessions.clock.now() - node.started_at).max(0),
        draining: state.draining.load(Ordering::Relaxed),
        shards: if cluster.is_some() { own.unwrap_or(0) } else { SHARDS },
        connections: METRICS.connections.get(),
        sessions: METRICS.sessions.get(),
        documents: METRICS.documents.get(),
        quarantined: METRICS.quarantined.get(),
        operations: METRICS.operations.get(),
        journal_queue: METRICS.journal_queue.get(),
        snapshot_queue: METRICS.snapshot_queue.get(),
        snapshot_lag: METRICS.snapshot_lag.get(),
    };
    let others = members.into_iter().filter(|(member, _)| member.node != node.name);
    let others = others.map(|(member, shards)| {
        ListedNode::Other(OtherNodeView {
            alive: member.is_alive(),
            name: member.node,
            url: member.url,
            started_at: member.started_at,
            silent_ms: member.silent_for,
            draining: member.draining,
            shards,
        })
    });
    let nodes: Vec<_> = std::iter::once(ListedNode::This(view)).chain(others).collect();
    Ok(HttpResponse::Ok().json(json!({ "nodes": nodes })))
}

/// `POST /v1/admin/drain`: the server stops as it does for an orchestrator, and whoever has started it starts it again.
#[utoipa::path(
    post, path = "/v1/admin/drain", tag = "administration", summary = "Stop the server in an orderly way",
    responses((status = 202, description = "It is about to", body = Object))
)]
pub(super) async fn drain(caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    tracing::warn!(user = caller.author().as_str(), "an administrator drains this server");
    crate::platform::ask_to_stop().map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?;
    Ok(HttpResponse::Accepted().json(json!({})))
}
