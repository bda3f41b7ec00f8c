//! Who calls: a token in the `Authorization` header or, since browsers cannot set that on a WebSocket, in an offered
//! subprotocol. Never in the URL, which ends up in logs and histories.
//!
//! Absent is not the same as invalid: without a token one is a guest, if guests are let in; a token that is presented
//! is checked, and a bad one is refused even where a guest would pass. Which tokens are good is [`crate::auth`]'s say.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::session::Visitor;
use crate::auth::bearer::Origin;
use crate::auth::erasures::Asking;
use crate::auth::{Bearer, Scopes};
use crate::http::problem::Problem;
use crate::http::security::Security;
use crate::http::state::HttpState;
use crate::ids::{Millis, UserId};
use crate::storage::permissions::{Asker, LinkKey, Requester};

/// Before the token in an offered subprotocol.
const BEARER_SUBPROTOCOL: &str = "bearer.";

/// Before the token of a share link in an offered subprotocol.
const LINK_SUBPROTOCOL: &str = "link.";

/// What only a token with the scope `admin` is good for.
const ADMIN: &str = "/v1/admin";

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    user: Option<UserId>,
    /// As the token has it.
    pub name: Option<String>,
    /// When the token ends, in Unix ms.
    pub expires_at: Option<Millis>,
    /// Whether it may look after the server itself.
    pub admin: bool,
    /// What the token is good for; `None` for everything that its user may do.
    pub scopes: Option<Scopes>,
    /// Of the share link that it presents.
    pub link: Option<LinkKey>,
    /// The sign-in with this server that the token is of.
    sign_in: Option<Arc<str>>,
    /// What can be revoked before the token ends: the sign-in, or the service token.
    credential: Option<Arc<str>>,
    /// When a token from elsewhere was made, in Unix ms.
    issued_at: Option<Millis>,
}

impl Caller {
    /// Somebody without a token.
    pub fn guest() -> Self {
        Self {
            user: None,
            name: None,
            expires_at: None,
            admin: false,
            scopes: None,
            link: None,
            sign_in: None,
            credential: None,
            issued_at: None,
        }
    }

    /// Lets those pass who look after the server.
    ///
    /// # Errors
    /// `unauthorized` for somebody without a token, else `forbidden`.
    pub fn require_admin(&self) -> Result<(), Problem> {
        match &self.user {
            Some(_) if self.admin => Ok(()),
            Some(_) => Err(Problem::new(ErrorCode::Forbidden, "this is for administrators")),
            None => Err(Problem::unauthorized("a token of an administrator is needed", "Bearer")),
        }
    }

    /// Lets those pass who have signed in with this server, and returns who that is, and by which sign-in.
    ///
    /// # Errors
    /// `unauthorized` for somebody without a token, else `forbidden`.
    pub fn require_sign_in(&self) -> Result<(&UserId, &Arc<str>), Problem> {
        match (&self.user, &self.sign_in) {
            (Some(user), Some(sign_in)) => Ok((user, sign_in)),
            (Some(_), None) => Err(Problem::new(
                ErrorCode::Forbidden,
                "this is for those who have signed in with this server",
            )),
            (None, _) => Err(Problem::unauthorized("an access token of this server is needed", "Bearer")),
        }
    }

    /// Returns who connects with a token; `None` for a guest, whose id on a socket comes with `hello`.
    pub fn visitor(self) -> Option<Visitor> {
        Some(Visitor {
            user: self.user?,
            name: self.name,
            expires_at: self.expires_at,
            credential: self.credential,
            issued_at: self.issued_at,
            reads_only: self.scopes.is_some_and(|scopes| !scopes.write),
            admin: self.admin,
        })
    }

    /// Returns who asks to have somebody erased.
    pub fn asking(&self) -> Asking {
        let (user, admin) = (self.author(), self.admin);
        Asking { user, admin, sign_in: self.sign_in.clone(), scopes: self.scopes }
    }

    /// Returns the id of a caller with a token.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// Returns the id under which this caller writes by REST.
    pub fn author(&self) -> UserId {
        self.user.clone().unwrap_or_else(UserId::guest_rest)
    }

    /// Returns for whom storage is asked that this caller may see or change something.
    pub fn asker(&self) -> Asker {
        if self.admin {
            return Asker::Server;
        }
        Asker::Request(Requester { user: self.author(), link: self.link })
    }

    /// Refuses what the token is not good for, whatever its user may do.
    fn check_scope(&self, method: &Method, path: &str) -> Result<(), Problem> {
        let Some(scopes) = self.scopes else { return Ok(()) };
        let reads = [Method::GET, Method::HEAD].contains(method);
        let missing = if path.starts_with(ADMIN) {
            (!scopes.admin).then_some("admin")
        } else if reads {
            (!scopes.read).then_some("read")
        } else {
            (!scopes.write).then_some("write")
        };
        match missing {
            None => Ok(()),
            Some(scope) => {
                Err(Problem::new(ErrorCode::Forbidden, format!("the token does not have the scope {scope}")))
            }
        }
    }
}

impl From<Bearer> for Caller {
    fn from(bearer: Bearer) -> Self {
        let (scopes, credential) = (bearer.scopes(), bearer.credential().cloned());
        let sign_in = match bearer.origin {
            Origin::SignIn(id) => Some(id),
            Origin::Service(..) | Origin::Elsewhere => None,
        };
        let Bearer { user, name, admin, expires_at, issued_at, .. } = bearer;
        let (user, link) = (Some(user), None);
        Self { user, name, expires_at, admin, scopes, link, sign_in, credential, issued_at }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(state) = request.app_data::<web::Data<HttpState>>() else {
                return Err(Problem::new(ErrorCode::Internal, "the server is not configured"));
            };
            let caller = call(&state.security, request.headers()).await?;
            let route = request.match_pattern();
            caller.check_scope(request.method(), route.as_deref().unwrap_or(request.path()))?;
            let caller = Self { link: presented_link(request.headers()), ..caller };
            // For whoever comes after the handler: the audit log.
            request.extensions_mut().insert(caller.clone());
            Ok(caller)
        })
    }
}

/// Finds the token of a share link: in the header `Quire-Link`, or offered as a subprotocol. What cannot be one, or is one of
/// several, gives nothing, as one that has ended does.
fn presented_link(headers: &HeaderMap) -> Option<LinkKey> {
    let header = headers.get_all("quire-link").filter_map(|value| value.to_str().ok()).map(str::trim);
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    let offered = offers
        .flat_map(|value| value.split(','))
        .filter_map(|offer| offer.trim().strip_prefix(LINK_SUBPROTOCOL));
    let mut tokens = header.chain(offered);
    let token = tokens.next()?;
    tokens.all(|other| other == token).then(|| LinkKey::of(token)).flatten()
}

/// Tells who makes a request with these headers, and takes note of them.
///
/// # Errors
/// `unauthorized`: a token is needed and missing, or one was presented and is bad. `forbidden`: its user is banned. `unavailable`: storage has to be asked and does
/// not oblige.
pub async fn call(security: &Security, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(token) = presented(headers).map_err(invalid)? else { return without_token(security) };
    security.auth.tokens.prepare(token).await?;
    let bearer = security.auth.tokens.verify(token).map_err(bad)?;
    security.auth.note(&bearer);
    Ok(security.admit(bearer)?)
}

/// As [`call`], without waiting: a service token is known if it was used within a minute.
///
/// # Errors
/// `unauthorized`; `forbidden`.
pub fn authenticate(security: &Security, headers: &HeaderMap) -> Result<Caller, Problem> {
    match presented(headers).map_err(invalid)? {
        Some(token) => Ok(security.admit(security.auth.tokens.verify(token).map_err(bad)?)?),
        None => without_token(security),
    }
}

fn without_token(security: &Security) -> Result<Caller, Problem> {
    if security.guests {
        Ok(Caller::guest())
    } else {
        Err(Problem::unauthorized("a token is needed: this server has no guests", "Bearer"))
    }
}

/// Lets those pass who may make documents.
///
/// # Errors
/// `forbidden`, or `unauthorized` for a guest whom a token would help; `unavailable`.
pub async fn require_may_create(security: &Security, caller: &Caller) -> Result<(), Problem> {
    let Some(user) = caller.user() else {
        let refused = || Problem::unauthorized("guests make no documents on this server", "Bearer");
        return if security.guests_create { Ok(()) } else { Err(refused()) };
    };
    match &security.auth.accounts {
        Some(accounts) if !accounts.may_create(user).await? => {
            Err(Problem::new(ErrorCode::Forbidden, "this user makes no documents"))
        }
        _ => require_room(security, user).await,
    }
}

/// Lets pass what gives a document to somebody who may own one more. Of those that come at once, all may pass.
///
/// # Errors
/// `forbidden`; `unavailable`.
pub async fn require_room(security: &Security, user: &UserId) -> Result<(), Problem> {
    let Ok(store) = security.auth.store() else { return Ok(()) };
    let quota = store.quota(user).await?.map(|quota| quota.documents);
    let Some(most) = quota.or(security.documents_per_user) else { return Ok(()) };
    if store.owned(user, most.saturating_add(1)).await? < most {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Forbidden, format!("{user} owns {most} documents, and may own no more")))
}

fn bad(refusal: Refusal) -> Problem {
    invalid(refusal.message)
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::unauthorized(detail, "Bearer error=\"invalid_token\"")
}

/// Finds the one token of a request. Credentials of another kind are not taken for none.
fn presented(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut found = None;
    for value in headers.get_all(AUTHORIZATION) {
        let value = value.to_str().map_err(|_| "the Authorization header is not ASCII")?;
        let (scheme, token) = value.trim().split_once(' ').ok_or("the Authorization header has no token")?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err("credentials are taken as a bearer token only");
        }
        keep_one(&mut found, token.trim())?;
    }
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    for offer in offers.flat_map(|value| value.split(',')) {
        if let Some(token) = offer.trim().strip_prefix(BEARER_SUBPROTOCOL) {
            keep_one(&mut found, token)?;
        }
    }
    Ok(found)
}

fn keep_one<'a>(found: &mut Option<&'a str>, token: &'a str) -> Result<(), &'static str> {
    match found.replace(token) {
        Some(other) if other != token => Err("there is more than one token"),
        _ => Ok(()),
    }
}
