//! The audit log in front of all routes: who has called what, and what became of it. Nothing of a request's body or query is in
//! it. Handlers may add what only they know ([`note`]).

pub mod list;
mod watched;

use std::collections::BTreeMap;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::LOCATION;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, ResponseError as _, web};
use serde_json::{Value, json};

pub use self::list::RecordView;
use self::watched::{Kind, Watched, watched};
use crate::actors::audit::{Audit, Permit};
use crate::actors::error::Refusal;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::forward::Forwarded;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::limits::places::Place;
use crate::storage::audit::{Entry, Outcome};

/// When somebody may try again with another act, in ms.
const SHORTLY_MS: u64 = 1_000;

/// What a handler adds to the record of its request.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// Who it was, where the request itself does not tell: a sign-in.
    pub actor: Option<String>,
    /// `kind:id` of what it was about, where the path does not tell.
    pub subject: Option<String>,
    /// What was done. Neither secrets nor content belong here.
    pub details: BTreeMap<&'static str, Value>,
}

/// Adds something to the record of a request; what was added before and has another name stays.
pub fn note(request: &HttpRequest, note: Note) {
    let mut extensions = request.extensions_mut();
    let mut noted = extensions.remove::<Note>().unwrap_or_default();
    noted.actor = note.actor.or(noted.actor);
    noted.subject = note.subject.or(noted.subject);
    noted.details.extend(note.details);
    extensions.insert(noted);
}

/// Middleware: records what the table of [`watched`] names.
pub async fn witness<B: MessageBody + 'static>(
    state: web::Data<HttpState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // As it is routed: without the escapes that need not be.
    let path = request.match_info().unprocessed();
    let Some(watched) = watched(request.method(), path, request.query_string()) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    // An act that cannot be recorded is not begun.
    let client = Client::of(&request);
    let (_place, permit) = match watched.kind {
        Kind::Act => match begin(&state, client) {
            Ok((place, permit)) => (Some(place), Some(permit)),
            Err(refusal) => {
                let refused = Problem::from(refusal).error_response();
                return Ok(request.into_response(refused).map_into_right_body());
            }
        },
        Kind::Event | Kind::Access => (None, None),
    };
    let address = Some(client.address.to_string());
    let response = next.call(request).await?;
    let Some(entry) = entry(&state.audit, &watched, address, &response) else {
        return Ok(response.map_into_left_body());
    };
    match (watched.kind, permit) {
        (Kind::Act, Some(permit)) if entry.outcome == Outcome::Done => {
            if let Err(refusal) = permit.record(entry).await {
                let unrecorded = Problem::from(refusal).error_response();
                let (request, _) = response.into_parts();
                return Ok(ServiceResponse::new(request, unrecorded).map_into_right_body());
            }
        }
        (Kind::Access, _) if entry.outcome == Outcome::Done => state.audit.access(entry),
        // Of what was refused nobody waits for the record; the permit's place in the queue is given back before.
        (_, permit) => {
            drop(permit);
            state.audit.record(entry);
        }
    }
    Ok(response.map_into_left_body())
}

/// Keeps room for the record of an act. Nobody has much of it, since whoever sends a body slowly keeps it that long.
fn begin(state: &HttpState, client: Client) -> Result<(Place, Permit), Refusal> {
    let too_many = || Refusal::rate_limited("too many acts of this address are under way", SHORTLY_MS);
    let place = state.acts.enter(&client.network()).ok_or_else(too_many)?;
    Ok((place, state.audit.permit()?))
}

/// Makes the entry of a request that was answered; `None` for one that says nothing.
fn entry<B>(
    audit: &Audit,
    watched: &Watched,
    address: Option<String>,
    response: &ServiceResponse<B>,
) -> Option<Entry> {
    let request = response.request();
    let status = response.status();
    let outcome = outcome(watched.kind, status)?;
    let extensions = request.extensions();
    if extensions.contains::<Forwarded>() {
        return None;
    }
    let note = extensions.get::<Note>().cloned().unwrap_or_default();
    let caller = extensions.get::<Caller>();
    let (signs_in, is_named) = (watched.signs_in(), caller.is_some_and(|caller| caller.user().is_some()));
    // Anybody can knock: that nobody in particular was not let in is no record, unless it was a sign-in.
    let knocks = caller.is_none() || watched.action.starts_with("auth.") && !is_named;
    if knocks && note.actor.is_none() && !signs_in {
        return None;
    }
    let caller = caller.map(|caller| caller.author().0.to_string());
    let made = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
    let made = made.and_then(|place| place.strip_prefix("/v1/docs/")).map(|id| format!("doc:{id}"));
    let mut details: serde_json::Map<String, Value> =
        note.details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    details.insert("status".to_owned(), json!(status.as_u16()));
    if let Some(part) = &watched.part {
        details.insert("part".to_owned(), json!(part));
    }
    if *request.method() != Method::GET {
        details.insert("method".to_owned(), json!(request.method().as_str()));
    }
    Some(Entry {
        at: audit.now(),
        actor: note.actor.or(caller).unwrap_or_else(|| "-".to_owned()),
        address,
        action: watched.action.clone(),
        subject: note.subject.or(made).unwrap_or_else(|| watched.subject.clone()),
        outcome,
        details: Value::Object(details),
    })
}

/// What an answer says of what was wanted; `None` where nothing came of it that anybody asks for later.
fn outcome(kind: Kind, status: StatusCode) -> Option<Outcome> {
    match status.as_u16() {
        100..=399 => Some(Outcome::Done),
        401 | 403 => Some(Outcome::Refused),
        404 | 405 | 429 => None,
        _ if kind == Kind::Access => None,
        _ => Some(Outcome::Failed),
    }
}
