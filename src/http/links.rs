//! Share links. The token is shown once, to whoever makes the link: it belongs into a header (`Quire-Link`), an offered
//! subprotocol (`link.…`) or the fragment of a page's address, never into what servers log.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Action;
use crate::http::access::permitted;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::conditions::Repeatable;
use crate::http::openapi::{IdempotencyKey, NewLinkBody};
use crate::http::pages::PageParameters;
use crate::http::permissions::{MAX_BODY, end_of, may_give};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Millis, UserId};
use crate::protocol::Role;
use crate::storage::permissions::{LinkKey, ShareLink};

/// A share link as REST shows it.
#[derive(Serialize, ToSchema)]
struct LinkView {
    id: Uuid,
    role: Role,
    made_by: UserId,
    made_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Millis>,
    /// When it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl LinkView {
    fn new(link: ShareLink, token: Option<String>) -> Self {
        let ShareLink { id, role, made_by, made_at, expires_at, revoked_at } = link;
        Self { id, role, made_by, made_at, expires_at, revoked_at, token }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = LinksPage)]
struct Page {
    links: Vec<LinkView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// `POST /v1/docs/{id}/links {"role", "expires_at"?}`
#[utoipa::path(
    post, path = "/v1/docs/{id}/links", tag = "sharing", summary = "Make a share link",
    params(IdempotencyKey),
    request_body = NewLinkBody,
    responses((
        status = 201, description = "It is made: its token is told now, and never again, also not to a request that is sent again",
        body = LinkView
    ))
)]
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    let role = members.required("role")?;
    if role == Role::Owner {
        return Err(Problem::bad_request("role: a link makes nobody an owner"));
    }
    let expires_at = end_of(&members, &state)?;
    let permitted = permitted(&state, &caller, &doc, Action::Share).await?;
    may_give(&permitted, role)?;
    let (token, key) = LinkKey::generate();
    let link = ShareLink {
        id: Uuid::now_v7(),
        role,
        made_by: caller.author(),
        made_at: state.sharing.now(),
        expires_at,
        revoked_at: None,
    };
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let view = match state.sharing.add_link(&permitted.asker, &doc, link.clone(), key, repeat).await? {
        None => LinkView::new(link, Some(token)),
        Some(made) => LinkView::new(made, None),
    };
    Ok(HttpResponse::Created().json(view))
}

/// `GET /v1/docs/{id}/links?cursor=&limit=`
#[utoipa::path(
    get, path = "/v1/docs/{id}/links", tag = "sharing", summary = "List share links",
    params(PageParameters),
    responses((status = 200, description = "A page, without tokens", body = Page))
)]
pub async fn list(
    doc: web::Path<DocumentId>,
    parameters: web::Query<PageParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let asker = permitted(&state, &caller, &doc, Action::Share).await?.asker;
    let list = async |after, limit| Ok(state.sharing.links(&asker, &doc, after, limit).await?);
    let (links, next) =
        parameters.page(|cursor| cursor.parse().ok(), list, |last: &ShareLink| last.id).await?;
    let links = links.into_iter().map(|link| LinkView::new(link, None)).collect();
    Ok(HttpResponse::Ok().json(Page { links, next }))
}

/// `DELETE /v1/docs/{id}/links/{link}`
#[utoipa::path(
    delete, path = "/v1/docs/{id}/links/{link}", tag = "sharing", summary = "Revoke a share link",
    responses((status = 204, description = "Done"))
)]
pub async fn revoke(
    path: web::Path<(DocumentId, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, link) = path.into_inner();
    let asker = permitted(&state, &caller, &doc, Action::Share).await?.asker;
    let nothing = || Problem::not_found("there is no such link that has not been revoked");
    let link = link.parse().map_err(|_| nothing())?;
    if !state.sharing.revoke_link(&asker, &doc, link).await? {
        return Err(nothing());
    }
    Ok(HttpResponse::NoContent().finish())
}
