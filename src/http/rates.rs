//! Requests of banned addresses are answered by 403, and too many of one address by 429, before anything is done for them.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use crate::actors::error::Refusal;
use crate::auth::bans::banned;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::origin::PROBES;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::DocumentId;
use crate::limits::{Limiter, Who};

/// Middleware: turns banned addresses away, and counts requests. Probes of orchestrators are not limited: a server must not seem dead because it is asked much.
pub async fn guard<B: MessageBody + 'static>(
    state: web::Data<HttpState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if PROBES.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let client = Client::of(&request);
    if state.security.auth.is_banned(None, Some(client.address)) {
        return Ok(request.into_response(Problem::from(banned()).error_response()).map_into_right_body());
    }
    let taken = state.limiter().map_or(Ok(()), |limiter| limiter.requests.take(&client.network()));
    match taken {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(ms) => {
            let problem =
                Problem::from(Refusal::rate_limited("too many requests a second from this address", ms));
            Ok(request.into_response(problem.error_response()).map_into_right_body())
        }
    }
}

/// Whom limits are about that concern users: guests go by their address.
pub fn who(caller: &Caller, client: Client) -> Who {
    match caller.user() {
        Some(user) => Who::User(user.clone()),
        None => Who::Guests(client.network()),
    }
}

/// Counts an operation that came by REST.
///
/// # Errors
/// `rate_limited`.
pub fn take_operation(limiter: Option<&Limiter>, caller: &Caller, client: Client) -> Result<(), Problem> {
    let taken = limiter.map_or(Ok(()), |limiter| limiter.operations.take(&who(caller, client)));
    taken.map_err(|ms| Refusal::rate_limited("too many operations a second", ms).into())
}

/// Refuses as the socket would, while this caller has opened a document too often.
///
/// # Errors
/// `rate_limited`.
pub fn may_open(
    limiter: Option<&Limiter>,
    caller: &Caller,
    client: Client,
    doc: &DocumentId,
) -> Result<(), Problem> {
    let wait = limiter.and_then(|limiter| limiter.opens.wait(who(caller, client), doc));
    wait.map_or(Ok(()), |ms| Err(too_many_opens(ms)))
}

/// The document was opened too often; it may be again in so many milliseconds.
pub fn too_many_opens(ms: u64) -> Problem {
    Refusal::rate_limited("this document was opened too often within a minute", ms).into()
}
