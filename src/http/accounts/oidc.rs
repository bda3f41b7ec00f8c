//! Signing in with an account of another provider. Browsers come here by links, and from the provider; whatever is wrong is told to
//! them as a page, to programs as a problem.

use actix_web::http::header::{ACCEPT, HeaderMap, LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, State, accounts, cookie, peer};
use crate::auth::oidc::{self, Oidc};
use crate::http::audit::{self, Note};
use crate::http::openapi::ProvidersView;
use crate::http::problem::Problem;

/// `GET /v1/auth/oidc`
#[utoipa::path(
    get, path = "/v1/auth/oidc", tag = "accounts", summary = "List the providers whose accounts are taken",
    responses((status = 200, description = "Their names, and what people call them", body = ProvidersView))
)]
pub async fn list(state: State) -> HttpResponse {
    let providers: Vec<_> = state.security.auth.oidc.iter().flat_map(Oidc::list).collect();
    let view = |(name, label): (&str, &str)| json!({ "name": name, "label": label });
    HttpResponse::Ok().json(json!({ "providers": providers.into_iter().map(view).collect::<Vec<_>>() }))
}

/// What a link to a provider may say.
#[derive(Deserialize)]
pub struct Begin {
    to: Option<String>,
}

/// `GET /v1/auth/oidc/{provider}?to=`: sends the browser to the provider.
#[utoipa::path(
    get, path = "/v1/auth/oidc/{provider}", tag = "accounts", summary = "Send a browser to a provider",
    params(("to" = Option<String>, Query, description = "Where to go afterwards: a path of this server")),
    responses((status = 302, description = "To the provider"))
)]
pub async fn begin(
    request: HttpRequest,
    provider: web::Path<String>,
    parameters: web::Query<Begin>,
    state: State,
) -> Answer {
    let begun = match known(&state) {
        Ok(oidc) => {
            let accounts = accounts(&state)?;
            oidc.begin(accounts, &provider, parameters.to.as_deref()).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(problem) => return told(&request, problem),
    };
    let ticket = cookie::of_ticket(&state, &request, &provider, &begun.ticket);
    Ok(HttpResponse::Found()
        .insert_header((LOCATION, begun.address))
        .insert_header((SET_COOKIE, ticket))
        .finish())
}

/// What a provider sends a browser back with.
#[derive(Deserialize)]
pub struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// `GET /v1/auth/oidc/{provider}/callback`: signs in as `login` does, with the cookie, and sends the browser where it was to go.
#[utoipa::path(
    get, path = "/v1/auth/oidc/{provider}/callback", tag = "accounts", summary = "Come back from a provider",
    params(
        ("state" = Option<String>, Query, description = "As it was given to the provider"),
        ("code" = Option<String>, Query, description = "What the provider says who it is for"),
        ("error" = Option<String>, Query, description = "Why there is none"),
        ("iss" = Option<String>, Query, description = "Who the provider is"),
    ),
    responses((status = 302, description = "Signed in, with a cookie, and on to where it was to go"))
)]
pub async fn finish(
    request: HttpRequest,
    provider: web::Path<String>,
    back: web::Query<Back>,
    state: State,
) -> Answer {
    let Back { state: sent, code, error, iss } = back.into_inner();
    let answer = oidc::Answer { state: sent, code, error, issuer: iss };
    let ticket = cookie::ticket(&state, &request);
    let finished = match known(&state) {
        Ok(oidc) => {
            let (accounts, peer) = (accounts(&state)?, peer(&request));
            oidc.finish(accounts, &peer, &provider, ticket.as_deref(), answer).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let (signed_in, place) = match finished {
        Ok(finished) => finished,
        Err(problem) => return told(&request, problem),
    };
    audit::note(&request, Note { actor: Some(signed_in.user.id.0.to_string()), ..Note::default() });
    // The browser keeps it, since this is where it navigates to, and sends it with what the page asks for, since that is of this
    // site. The access token is for the page to fetch: neither is ever in an address.
    let (token, ends) = (&signed_in.refresh_token, signed_in.refresh_expires_at);
    let refresh = cookie::of_token(&state, &request, token, ends);
    let mut response = HttpResponse::Found();
    response.insert_header((LOCATION, place)).append_header((SET_COOKIE, refresh));
    let removal = cookie::ticket_removal(&state, &request, &provider);
    Ok(response.append_header((SET_COOKIE, removal)).finish())
}

fn known(state: &State) -> Result<&Oidc, Problem> {
    state.security.auth.oidc.as_ref().ok_or_else(|| Problem::not_found("there is no such provider"))
}

/// Tells what is wrong: to somebody at a browser as a page, with the status of the problem.
fn told(request: &HttpRequest, problem: Problem) -> Answer {
    if !is_for_people(request.headers()) {
        return Err(problem);
    }
    // Of our own words alone; escaped nevertheless.
    let why = problem.refusal().message.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not signed in</title>\
        <h1>Not signed in</h1><p>{why}</p><p><a href=\"/\">Back</a></p></html>"
    );
    Ok(HttpResponse::build(problem.status_code()).content_type("text/html; charset=utf-8").body(page))
}

fn is_for_people(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}
