//! The stream of events (HTML, section 9.2): what has happened to documents that the caller may read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use socket2::SockRef;
use tokio::sync::mpsc;

use crate::access::Action;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::events::{End, EventRoom, Listener, Reader};
use crate::actors::service::stopping;
use crate::actors::session::Standing;
use crate::http::access::permitted_even_in_trash;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::sockets;
use crate::http::state::HttpState;
use crate::ids::DocumentId;

/// Frames that wait for one reader. Each is a few hundred bytes.
const QUEUE: usize = 64;

/// When to come again where there are too many streams, in ms.
const COME_AGAIN_MS: u64 = 10_000;

/// Which events.
#[derive(Deserialize)]
pub struct Parameters {
    /// Those of one document.
    doc: Option<DocumentId>,
}

/// `GET /v1/events?doc=`
#[utoipa::path(
    get, path = "/v1/events", tag = "events", summary = "Follow what happens to documents",
    params(
        ("doc" = Option<DocumentId>, Query, description = "Those of one document"),
        ("Last-Event-ID" = Option<String>, Header, description = "Go on after this one"),
    ),
    responses((status = 200, description = "A stream of events, which does not end", body = String, content_type = "text/event-stream"))
)]
pub async fn stream(
    request: HttpRequest,
    parameters: web::Query<Parameters>,
    caller: Caller,
    client: Client,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let room = room(&state)?;
    if state.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    let last = last_event_id(&request)?;
    let doc = parameters.into_inner().doc;
    match &doc {
        Some(doc) => {
            permitted_even_in_trash(&state, &caller, doc, Action::Read).await?;
        }
        None if caller.user().is_none() => {
            let detail = "a token is needed, or one document to be named: ?doc=";
            return Err(Problem::unauthorized(detail, "Bearer"));
        }
        None => {}
    }
    let places = sockets::places(&state, &caller, client)?;
    let full = || Problem::from(Refusal::rate_limited("too many streams are open here", COME_AGAIN_MS));
    let place = room.feed.enter().ok_or_else(full)?;
    let listener = Listener { user: caller.author(), link: caller.link, admin: caller.admin, doc };
    let is_good = is_good(&state, caller, client);
    let reader = Reader { feed: room.feed.clone(), listener, last, is_good };
    let (out, frames) = mpsc::channel::<Bytes>(QUEUE);
    let socket = sockets::another_duplicate(&request);
    actix_web::rt::spawn(async move {
        let end = reader.run(out).await;
        if let (End::Lagging, Some(socket)) = (end, &socket) {
            // What has been written waits for a reader who does not read.
            let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Both);
        }
        drop((places, place));
    });
    let frames = stream::unfold(frames, |mut frames| async {
        let frame = frames.recv().await?;
        Some((Ok::<_, actix_web::Error>(frame), frames))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Gateways that gather what they pass on would hold events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(frames))
}

/// Returns what tells of events.
///
/// # Errors
/// `unavailable` where there is no database that notes them.
pub(super) fn room(state: &HttpState) -> Result<&EventRoom, Problem> {
    let missing = || Problem::new(ErrorCode::Unavailable, "this server keeps no events");
    state.events.as_ref().ok_or_else(missing)
}

/// Reads where a reader has been (`Last-Event-ID`).
fn last_event_id(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(header) = request.headers().get("last-event-id") else { return Ok(None) };
    let number = header.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| Problem::bad_request("Last-Event-ID is none that this server has sent"))
}

/// Tells whether a caller is still welcome, again and again.
fn is_good(state: &HttpState, caller: Caller, client: Client) -> Box<dyn Fn() -> bool + Send + Sync> {
    let sessions = Arc::clone(&state.sessions);
    let visitor = caller.visitor();
    Box::new(move || {
        let end = visitor.as_ref().and_then(|visitor| visitor.expires_at);
        let ended = end.is_some_and(|end| end <= sessions.clock.now());
        !ended && (sessions.standing)(visitor.as_ref(), client.address) == Standing::Good
    })
}
