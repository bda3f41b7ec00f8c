//! Accounts: signing in and out, passwords, sign-ins. What may be done is [`crate::auth`]'s say.
//!
//! A refresh token is in the body, or for pages in a cookie that no script reads and only `/v1/auth` is sent.

mod cookie;
pub mod entrance;
pub mod oidc;
pub mod second;

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::actors::error::ErrorCode;
use crate::auth::accounts::{Peer, SignInError, SignedIn};
use crate::auth::{Accounts, Scopes};
use crate::http::address::Client;
use crate::http::audit::{self, Note};
use crate::http::auth::{Caller, authenticate};
use crate::http::body::{self, Body, Members};
use crate::http::openapi::{
    EmailBody, LoginBody, NewPasswordBody, PasswordsBody, RefreshBody, RegisterBody, RenameBody, SignInsView,
};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{Millis, UserId};
use crate::storage::accounts::{SignIn, User};

/// Bytes of a body here, at most.
const MAX_BODY: usize = 16 << 10;

type State = web::Data<HttpState>;
type Answer = Result<HttpResponse, Problem>;

/// A user as REST shows one to himself.
#[derive(Serialize, ToSchema)]
struct UserView {
    id: UserId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    admin: bool,
    may_create: bool,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User { id, name, email, admin, may_create, .. } = user;
        Self { id, name, email, admin, may_create }
    }
}

/// What somebody gets who has signed in.
#[derive(Serialize, ToSchema)]
struct SignedInView {
    user: UserView,
    token_type: &'static str,
    access_token: String,
    expires_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    refresh_expires_at: Millis,
}

/// `POST /v1/auth/register {"email", "password", "name"?}`
#[utoipa::path(
    post, path = "/v1/auth/register", tag = "accounts", summary = "Ask for an account",
    request_body = RegisterBody,
    responses((status = 202, description = "The same, whether there was one or not", body = Object))
)]
pub async fn register(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let body = read(&request, payload).await?;
    let members = Members::read(&body)?;
    let (email, password): (String, String) = (members.required("email")?, members.required("password")?);
    let name = members.get::<String>("name")?;
    accounts(&state)?.register(&peer(&request), &email, &password, name.as_deref()).await?;
    Ok(HttpResponse::Accepted().json(json!({})))
}

/// `POST /v1/auth/login {"email", "password", "totp"?, "cookie"?}`
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "accounts", summary = "Sign in",
    request_body = LoginBody,
    responses((status = 200, description = "Tokens", body = SignedInView))
)]
pub async fn login(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let body = read(&request, payload).await?;
    let members = Members::read(&body)?;
    let (email, password): (String, String) = (members.required("email")?, members.required("password")?);
    let (code, cookie) = (members.get::<String>("totp")?, members.get("cookie")?.unwrap_or(false));
    let accounts = accounts(&state)?;
    match accounts.sign_in(&peer(&request), &email, &password, code.as_deref()).await {
        Ok(signed_in) => Ok(answer(&request, &state, signed_in, cookie)),
        Err(error) => {
            let problem = problem(error);
            if problem.refusal().code == ErrorCode::Unauthorized
                && let Ok(Some(user)) = accounts.known_as(&email).await
            {
                // Not the actor: who it was is just what was not shown.
                audit::note(&request, Note { subject: Some(format!("user:{user}")), ..Note::default() });
            }
            Err(problem)
        }
    }
}

/// `POST /v1/auth/refresh {"refresh_token"?}`; without it the cookie's.
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "accounts", summary = "Exchange a refresh token for the next one",
    request_body = RefreshBody,
    responses((status = 200, description = "Tokens", body = SignedInView))
)]
pub async fn refresh(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let body = read(&request, payload).await?;
    let given = Members::read(&body)?.get::<String>("refresh_token")?;
    let cookie = given.is_none();
    let token = given.or_else(|| cookie::of(&state, &request));
    let token = token.ok_or_else(|| Problem::unauthorized("a refresh token is needed", "Bearer"))?;
    match accounts(&state)?.refresh(&peer(&request), &token).await {
        Ok(signed_in) => Ok(answer(&request, &state, signed_in, cookie)),
        Err(why) if cookie && why.code == ErrorCode::Unauthorized => {
            Ok(without_cookie(&state, &request, why.into()))
        }
        Err(why) => Err(why.into()),
    }
}

/// Has the browser forget a token that is of no use any more: else each page would ask with it, and be refused.
fn without_cookie(state: &State, request: &HttpRequest, problem: Problem) -> HttpResponse {
    let mut response = problem.error_response();
    if let Ok(removal) = HeaderValue::try_from(cookie::removal(state, request)) {
        response.headers_mut().insert(header::SET_COOKIE, removal);
    }
    response
}

/// `POST /v1/auth/logout {"refresh_token"?}`: ends the sign-in of that token, of the cookie, or of the access token.
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "accounts", summary = "End a sign-in",
    request_body = RefreshBody,
    responses((status = 204, description = "Done"))
)]
pub async fn logout(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let body = read(&request, payload).await?;
    let given = Members::read(&body)?.get::<String>("refresh_token")?;
    let accounts = accounts(&state)?;
    match given.or_else(|| cookie::of(&state, &request)) {
        Some(token) => accounts.sign_out(&token).await?,
        None => {
            let caller = authenticate(&state.security, request.headers())?;
            let (user, sign_in) = caller.require_sign_in()?;
            accounts.end_sign_in(user, sign_in).await?;
        }
    }
    let removal = cookie::removal(&state, &request);
    Ok(HttpResponse::NoContent().insert_header((header::SET_COOKIE, removal)).finish())
}

/// Who calls, as told to themselves.
#[derive(Serialize, ToSchema)]
struct Me {
    id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    guest: bool,
    admin: bool,
    may_create: bool,
    /// Whether this is somebody with an account of this server.
    account: bool,
    /// Whether it has a password here.
    password: bool,
    second_factor: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
}

/// `GET /v1/auth/me`
#[utoipa::path(
    get, path = "/v1/auth/me", tag = "accounts", summary = "Tell who calls",
    responses((status = 200, description = "The caller", body = Me))
)]
pub async fn me(caller: Caller, state: State) -> Answer {
    let accounts = state.security.auth.accounts.as_ref();
    let row = match (caller.user(), accounts) {
        (Some(user), Some(accounts)) => accounts.user(user).await?,
        _ => None,
    };
    let account = caller.require_sign_in().is_ok();
    let (password, second_factor) = match accounts {
        Some(accounts) if account => accounts.has(&caller.author()).await?,
        _ => (false, false),
    };
    let guest = caller.user().is_none();
    let may_create = row.as_ref().map_or(!guest || state.security.guests_create, |row| row.may_create);
    Ok(HttpResponse::Ok().json(Me {
        id: caller.author(),
        name: caller
            .name
            .or_else(|| row.as_ref().map(|row| row.name.clone()).filter(|name| !name.is_empty())),
        email: row.and_then(|row| row.email),
        guest,
        admin: caller.admin,
        may_create,
        account,
        password,
        second_factor,
        scopes: caller.scopes.as_ref().map(Scopes::to_string),
        expires_at: caller.expires_at,
    }))
}

/// `PATCH /v1/auth/me {"name"}`
#[utoipa::path(
    patch, path = "/v1/auth/me", tag = "accounts", summary = "Change one's own name",
    request_body = RenameBody,
    responses((status = 200, description = "As it is now", body = UserView))
)]
pub async fn rename(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let name: String = Members::read(&body)?.required("name")?;
    let user = accounts(&state)?.rename(user, &name).await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}

/// `POST /v1/auth/password {"old", "new"}`
#[utoipa::path(
    post, path = "/v1/auth/password", tag = "accounts", summary = "Change the password",
    request_body = PasswordsBody,
    responses((status = 204, description = "Done"))
)]
pub async fn change_password(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    state: State,
) -> Answer {
    let (user, sign_in) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let members = Members::read(&body)?;
    let (old, new): (String, String) = (members.required("old")?, members.required("new")?);
    accounts(&state)?.change_password(user, sign_in, &old, &new).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /v1/auth/password/forgot {"email"}`
#[utoipa::path(
    post, path = "/v1/auth/password/forgot", tag = "accounts", summary = "Ask for a letter to set the password anew",
    request_body = EmailBody,
    responses((status = 202, description = "The same, whether there is such an account or not", body = Object))
)]
pub async fn forget_password(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let body = read(&request, payload).await?;
    let email: String = Members::read(&body)?.required("email")?;
    accounts(&state)?.forget_password(&peer(&request), &email)?;
    Ok(HttpResponse::Accepted().json(json!({})))
}

/// `POST /v1/auth/password/reset {"token", "password"}`
#[utoipa::path(
    post, path = "/v1/auth/password/reset", tag = "accounts", summary = "Set the password anew",
    request_body = NewPasswordBody,
    responses((status = 204, description = "Done"))
)]
pub async fn reset_password(request: HttpRequest, payload: web::Payload, state: State) -> Answer {
    let body = read(&request, payload).await?;
    let members = Members::read(&body)?;
    let (token, new): (String, String) = (members.required("token")?, members.required("password")?);
    accounts(&state)?.reset_password(&peer(&request), &token, &new).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A sign-in as its user sees it.
#[derive(Serialize)]
struct SignInView {
    #[serde(flatten)]
    sign_in: SignIn,
    /// Whether it is the one that asks.
    current: bool,
}

/// `GET /v1/auth/sessions`
#[utoipa::path(
    get, path = "/v1/auth/sessions", tag = "accounts", summary = "List the caller's sign-ins",
    responses((status = 200, description = "All of them", body = SignInsView))
)]
pub async fn sign_ins(caller: Caller, state: State) -> Answer {
    let (user, current) = caller.require_sign_in()?;
    let all = accounts(&state)?.sign_ins(user).await?;
    let view = |sign_in: SignIn| SignInView { current: *sign_in.id == **current, sign_in };
    let sessions: Vec<_> = all.into_iter().map(view).collect();
    Ok(HttpResponse::Ok().json(json!({ "sessions": sessions })))
}

/// `DELETE /v1/auth/sessions/{id}`
#[utoipa::path(
    delete, path = "/v1/auth/sessions/{id}", tag = "accounts", summary = "End one of the caller's sign-ins",
    responses((status = 204, description = "Done"))
)]
pub async fn end_sign_in(caller: Caller, path: web::Path<String>, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    accounts(&state)?.end_sign_in(user, &path).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /.well-known/jwks.json`
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "accounts", summary = "Tell the public keys of access tokens",
    responses((
        status = 200, description = "A set of keys (RFC 7517)",
        body = Object, content_type = "application/jwk-set+json"
    ))
)]
pub async fn jwks(state: State) -> HttpResponse {
    // Shorter than a new key is there before it signs.
    let keep = (header::CACHE_CONTROL, "public, max-age=300");
    HttpResponse::Ok()
        .insert_header(keep)
        .content_type("application/jwk-set+json")
        .json(state.security.auth.jwks())
}

fn answer(request: &HttpRequest, state: &State, signed_in: SignedIn, cookie: bool) -> HttpResponse {
    audit::note(request, Note { actor: Some(signed_in.user.id.0.to_string()), ..Note::default() });
    let SignedIn { user, access_token, expires_at, refresh_token, refresh_expires_at } = signed_in;
    let mut response = HttpResponse::Ok();
    if cookie {
        let cookie = cookie::of_token(state, request, &refresh_token, refresh_expires_at);
        response.insert_header((header::SET_COOKIE, cookie));
    }
    response.json(SignedInView {
        user: user.into(),
        token_type: "Bearer",
        access_token,
        expires_at,
        refresh_token: (!cookie).then_some(refresh_token),
        refresh_expires_at,
    })
}

fn problem(error: SignInError) -> Problem {
    match error {
        SignInError::Refused(refusal) => refusal.into(),
        SignInError::SecondFactor(refusal) => Problem::second_factor(refusal.message),
    }
}

fn accounts(state: &State) -> Result<&Arc<Accounts>, Problem> {
    state.security.auth.accounts.as_ref().ok_or_else(|| Problem::not_found("this server has no accounts"))
}

async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Body, Problem> {
    body::read(request, payload, MAX_BODY).await
}

/// Who asks, as far as gateways that are believed tell.
fn peer(request: &HttpRequest) -> Peer {
    let address = Client::of(request).address;
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Peer { address, user_agent: agent.unwrap_or_default().to_owned() }
}
