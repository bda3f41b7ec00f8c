//! The WebSocket upgrade: whatever can be refused is refused before it, as HTTP (protocol section 2).

use std::any::Any;
use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_http::ws::Codec;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::rt::net::TcpStream;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{WebsocketContext, handshake};
use socket2::SockRef;

use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::service::stopping;
use crate::actors::session::SessionActor;
use crate::actors::session::body::{SessionBody, Wires};
use crate::actors::session::guard::FrameGuard;
use crate::actors::session::link::Link;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::DocumentId;
use crate::protocol::SUBPROTOCOL;

/// Bytes that the kernel takes of a connection beyond what its peer's window allows.
const NOT_SENT: u32 = 128 << 10;

/// A duplicate of the connection's socket, with which a session can be cut whose peer does not read. The session takes it.
struct Duplicate(Cell<Option<OwnedFd>>);

/// Keeps a duplicate of every connection's socket beside it. For `HttpServer::on_connect`.
pub fn keep_socket(connection: &dyn Any, extensions: &mut Extensions) {
    let plain = connection.downcast_ref::<TcpStream>();
    let stream = plain.or_else(|| Some(connection.downcast_ref::<TlsStream<TcpStream>>()?.get_ref().0));
    if let Some(stream) = stream
        && let Ok(duplicate) = stream.as_fd().try_clone_to_owned()
    {
        // Small frames must not wait for the acknowledgement of the one before (Nagle's algorithm).
        let _ = stream.set_nodelay(true);
        // What a slow reader has not taken stays in its outbox, where it is bounded and seen to stand still.
        let _ = SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT);
        extensions.insert(Duplicate(Cell::new(Some(duplicate))));
    }
}

/// `GET /v1/collab/{doc_id}`
#[utoipa::path(
    get, path = "/v1/collab/{doc_id}", tag = "presence", summary = "Open a WebSocket: see the protocol",
    responses((status = 101, description = "The socket is open"))
)]
pub async fn collab(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let doc: DocumentId = path
        .parse()
        .map_err(|error| Refusal::new(ErrorCode::NotFound, format!("no such document: {error}")))?;
    if state.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    let mut response = handshake(&request).map_err(|error| {
        Refusal::new(ErrorCode::BadRequest, format!("not a WebSocket handshake: {error}"))
    })?;
    if !offers_subprotocol(&request) {
        return Err(Refusal::new(ErrorCode::BadRequest, "the subprotocol quire.v1 is not offered").into());
    }
    // By ourselves: the library reads the first header line of the offers only.
    response.insert_header((SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL));
    let document = state.documents.open(&doc).await?;

    let limit = state.sessions.limits.frame_bytes;
    let socket = request.conn_data::<Duplicate>().and_then(|duplicate| duplicate.0.take());
    let link = Arc::new(Link::new(socket));
    let wires = Rc::new(Wires::default());
    let actor = SessionActor::new(
        doc,
        document,
        caller.visitor(),
        state.sessions.clone(),
        link.clone(),
        wires.clone(),
    );
    let guarded = FrameGuard::new(payload, limit, wires.clone(), link.clone());
    // The guard refuses first; the codec's own limit only has to be no lower.
    let context = WebsocketContext::with_codec(actor, guarded, Codec::new().max_size(limit + 1));
    Ok(response.streaming(SessionBody::new(Box::pin(context), link, wires)))
}

/// Looks through all header lines: a list may be spread over several (RFC 6455 section 11.3.4).
fn offers_subprotocol(request: &HttpRequest) -> bool {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}
