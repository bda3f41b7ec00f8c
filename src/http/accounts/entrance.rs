//! What a page shows to somebody who has not signed in yet: whether that is possible here, and whether it is needed.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, State, cookie};
use crate::protocol::Role;

/// Told to anybody: it is what a stranger finds out by trying.
#[derive(Serialize, ToSchema)]
struct Entrance {
    /// Whether there is anybody who could sign in with an address and a password.
    sign_in: bool,
    /// Whether people may make accounts for themselves.
    registration: bool,
    /// Whether people without a token may read and write …
    guests: bool,
    /// … and make documents.
    guests_create: bool,
    /// What whoever has the address of a new document may do; `null` for nothing.
    link_role: Option<Role>,
    /// Whether the browser has a cookie to ask for an access token with. It may be of no use any more.
    remembered: bool,
}

/// `GET /v1/auth`
#[utoipa::path(
    get, path = "/v1/auth", tag = "accounts", summary = "Tell what a stranger may do",
    responses((status = 200, description = "How one signs in here, and whether one has to", body = Entrance))
)]
pub async fn read(request: HttpRequest, state: State) -> Answer {
    let security = &state.security;
    let (registration, sign_in) = match &security.auth.accounts {
        Some(accounts) => (accounts.registration, accounts.registration || accounts.any().await?),
        None => (false, false),
    };
    Ok(HttpResponse::Ok().json(Entrance {
        sign_in,
        registration,
        guests: security.guests,
        guests_create: security.guests && security.guests_create,
        link_role: state.link_role,
        remembered: cookie::is_there(&state, &request),
    }))
}
