//! The WebSocket upgrade: whatever can be refused is refused before it, as HTTP (protocol section 2).

use std::any::Any;
use std::cell::Cell;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

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
use crate::actors::session::body::{SessionBody, Wires};
use crate::actors::session::guard::FrameGuard;
use crate::actors::session::link::Link;
use crate::actors::session::{Admission, SessionActor};
use crate::http::access::admitted;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::rates;
use crate::http::state::HttpState;
use crate::ids::DocumentId;
use crate::limits::Network;
use crate::limits::places::{Place, Places};
use crate::protocol::SUBPROTOCOL;

/// Bytes that the kernel takes of a connection beyond what its peer's window allows.
const NOT_SENT: u32 = 128 << 10;

/// A connection is cut whose peer takes nothing for so long.
const TAKES_WITHIN: Duration = Duration::from_mins(1);

/// When somebody may try again who has too many sockets: nobody knows when one ends.
const COME_AGAIN_MS: u64 = 10_000;

/// A duplicate of the connection's socket, with which a session can be cut whose peer does not read. The session takes it.
struct Duplicate(Cell<Option<OwnedFd>>);

/// Keeps a duplicate of every connection's socket beside it, and cuts a connection of which its peer has too many. For
/// `HttpServer::on_connect`.
pub fn keep_socket(state: &HttpState, connection: &dyn Any, extensions: &mut Extensions) {
    let plain = connection.downcast_ref::<TcpStream>();
    let stream = plain.or_else(|| Some(connection.downcast_ref::<TlsStream<TcpStream>>()?.get_ref().0));
    let Some(stream) = stream else { return };
    match place_of(state, stream) {
        Ok(place) => extensions.insert(place),
        // It is not even told why: it has twice as many as it is told of.
        Err(TooMany) => return cut(stream),
    };
    if let Ok(duplicate) = stream.as_fd().try_clone_to_owned() {
        // Small frames must not wait for the acknowledgement of the one before (Nagle's algorithm).
        let _ = stream.set_nodelay(true);
        // What a slow reader has not taken stays in its outbox, where it is bounded and seen to stand still.
        let _ = SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT);
        // Who takes nothing at all of an answer does not keep it in memory for ever.
        let _ = SockRef::from(stream).set_tcp_user_timeout(Some(TAKES_WITHIN));
        extensions.insert(Duplicate(Cell::new(Some(duplicate))));
    }
}

/// Returns another duplicate of a connection's socket, for a stream whose reader does not read.
pub(super) fn another_duplicate(request: &HttpRequest) -> Option<OwnedFd> {
    let kept = request.conn_data::<Duplicate>()?;
    let socket = kept.0.take()?;
    let another = socket.try_clone().ok();
    kept.0.set(Some(socket));
    another
}

struct TooMany;

/// Counts a connection of somebody who comes by no gateway.
fn place_of(state: &HttpState, stream: &TcpStream) -> Result<Option<Place>, TooMany> {
    let peer = stream.peer_addr().ok().map(|peer| peer.ip());
    let is_server = |peer: &IpAddr| state.forwarder.as_ref().is_some_and(|one| one.cluster.has_met(*peer));
    let peer = peer.filter(|peer| !state.security.proxies.trusts(*peer) && !is_server(peer));
    let (Some(limiter), Some(peer)) = (state.limiter(), peer) else { return Ok(None) };
    limiter.by_peer.enter(&Network::from(peer)).map(Some).ok_or(TooMany)
}

fn cut(stream: &TcpStream) {
    // One that is closed already is what we want.
    let _ = SockRef::from(stream).shutdown(std::net::Shutdown::Both);
}

/// Takes the places of a socket: one of its address, and one of its user.
pub(super) fn places(state: &HttpState, caller: &Caller, client: Client) -> Result<Vec<Place>, Problem> {
    let Some(limiter) = state.limiter() else { return Ok(Vec::new()) };
    let enter = |places: &Arc<Places>, place: Option<Place>, whose: &str| {
        let message = || format!("there are {} sockets of this {whose} already", places.most());
        place.ok_or_else(|| Problem::from(Refusal::rate_limited(message(), COME_AGAIN_MS)))
    };
    let by_address = limiter.by_address.enter(&client.network());
    let mut places = vec![enter(&limiter.by_address, by_address, "address")?];
    if let Some(user) = caller.user() {
        places.push(enter(&limiter.by_user, limiter.by_user.enter(user), "user")?);
    }
    Ok(places)
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
    client: Client,
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
    let places = places(&state, &caller, client)?;
    let opening = match state.limiter() {
        Some(limiter) => {
            let opening = limiter.opens.begin(rates::who(&caller, client), doc.clone()).await;
            Some(opening.map_err(rates::too_many_opens)?)
        }
        None => None,
    };
    let (document, pass) = admitted(&state, &caller, &doc).await?;

    let limit = state.sessions.limits.frame_bytes;
    let socket = request.conn_data::<Duplicate>().and_then(|duplicate| duplicate.0.take());
    let link = Arc::new(Link::new(socket));
    let wires = Rc::new(Wires::default());
    let actor = SessionActor::new(
        doc,
        document,
        Admission { address: client.address, visitor: caller.visitor(), pass, opening },
        state.sessions.clone(),
        link.clone(),
        wires.clone(),
    );
    let guarded = FrameGuard::new(payload, limit, wires.clone(), link.clone());
    // The guard refuses first; the codec's own limit only has to be no lower.
    let context = WebsocketContext::with_codec(actor, guarded, Codec::new().max_size(limit + 1));
    Ok(response.streaming(SessionBody::new(Box::pin(context), link, wires, places)))
}

/// Looks through all header lines: a list may be spread over several (RFC 6455 section 11.3.4).
fn offers_subprotocol(request: &HttpRequest) -> bool {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}
