//! Webhooks: who is told of events by a request of this server's own. Users have theirs, about documents that they own; those who
//! look after the server also have some about all documents, and see everybody's.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::events::webhooks::{NewWebhook, WebhookChange};
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::conditions::Repeatable;
use crate::http::events::room;
use crate::http::openapi::{DeliveryBegun, IdempotencyKey, NewWebhookBody, WebhookPatchBody};
use crate::http::pages::{self, PageParameters};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Millis, UserId};
use crate::storage::events::{Delivery, Kind, State, Webhook};

/// The longest body of these calls, in bytes.
const MAX_BODY: usize = 8_192;

/// A webhook as REST shows it.
#[derive(Serialize, ToSchema)]
struct WebhookView {
    id: String,
    /// `documents` of its owner, or all of the `server`.
    scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<UserId>,
    url: String,
    types: Vec<&'static str>,
    enabled: bool,
    /// Why the server has disabled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<String>,
    /// Since when nothing was taken, if something was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<Millis>,
    made_by: UserId,
    made_at: Millis,
    /// When it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl WebhookView {
    fn new(hook: Webhook, secret: Option<String>) -> Self {
        Self {
            id: hook.id,
            scope: if hook.owner.is_some() { "documents" } else { "server" },
            owner: hook.owner,
            url: hook.url,
            types: hook.kinds.iter().map(|kind| kind.as_str()).collect(),
            enabled: hook.enabled,
            disabled_because: hook.reason,
            failing_since: hook.failing_since,
            made_by: hook.made_by,
            made_at: hook.made_at,
            secret,
        }
    }
}

/// A delivery as REST shows it.
#[derive(Serialize, ToSchema)]
struct DeliveryView {
    id: String,
    event: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<DocumentId>,
    state: &'static str,
    tries: u64,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Millis>,
    made_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_at: Option<Millis>,
    /// Of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event.n.to_string(),
            kind: delivery.event.kind.as_str(),
            doc: delivery.event.doc,
            state: delivery.state.as_str(),
            tries: delivery.tries,
            due_at: (delivery.state == State::Pending).then_some(delivery.due_at),
            made_at: delivery.made_at,
            done_at: delivery.done_at,
            status: delivery.status,
            error: delivery.error,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct HooksPage {
    webhooks: Vec<WebhookView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct DeliveriesPage {
    deliveries: Vec<DeliveryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which deliveries.
#[derive(Deserialize)]
pub struct DeliveryParameters {
    /// `pending`, `delivered` or `dead`: dead without it.
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/webhooks?cursor=&limit=`: one's own; all for those who look after the server.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "events", summary = "List webhooks: one's own, or all for administrators",
    params(PageParameters),
    responses((status = 200, description = "A page", body = HooksPage))
)]
pub async fn list(
    page: web::Query<PageParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = signed_in(&caller)?;
    let (owner, room) = ((!caller.admin).then_some(user), room(&state)?);
    let list = async |after: Option<String>, limit| {
        Ok(room.hooks.list(owner, &after.unwrap_or_default(), limit).await?)
    };
    let read = |cursor: &str| is_id(cursor).then(|| cursor.to_owned());
    let (hooks, next) = page.page(read, list, |last: &Webhook| last.id.clone()).await?;
    let webhooks = hooks.into_iter().map(|hook| WebhookView::new(hook, None)).collect();
    Ok(HttpResponse::Ok().json(HooksPage { webhooks, next }))
}

/// `POST /v1/webhooks {"url", "types"?, "scope"?, "secret"?, "enabled"?}`
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "events", summary = "Make a webhook",
    params(IdempotencyKey),
    request_body = NewWebhookBody,
    responses((
        status = 201, description = "It is made; its secret is told this once, and not to a request that is sent again",
        body = WebhookView,
        headers(("Location" = String, description = "Its address"))
    ))
)]
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = signed_in(&caller)?.clone();
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    let owner = match members.get::<String>("scope")?.as_deref() {
        None | Some("documents") => Some(user.clone()),
        Some("server") => {
            caller.require_admin()?;
            None
        }
        Some(_) => return Err(Problem::bad_request("scope is documents or server")),
    };
    let new = NewWebhook {
        owner,
        made_by: user,
        url: members.required("url")?,
        kinds: kinds(&members)?.unwrap_or_default(),
        secret: members.get("secret")?,
        enabled: members.get("enabled")?.unwrap_or(true),
    };
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let (hook, secret) = room(&state)?.hooks.create(new, repeat.as_ref()).await?;
    let location = format!("/v1/webhooks/{}", hook.id);
    let view = WebhookView::new(hook, secret);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view))
}

/// `GET /v1/webhooks/{hook}`
#[utoipa::path(
    get, path = "/v1/webhooks/{hook}", tag = "events", summary = "Read a webhook",
    responses((status = 200, description = "The webhook", body = WebhookView))
)]
pub async fn read(
    hook: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(WebhookView::new(found(&state, &caller, &hook).await?, None)))
}

/// `PATCH /v1/webhooks/{hook} {"url"?, "types"?, "enabled"?, "secret"?}`
#[utoipa::path(
    patch, path = "/v1/webhooks/{hook}", tag = "events", summary = "Change a webhook",
    request_body = WebhookPatchBody,
    responses((status = 200, description = "As it is now", body = WebhookView))
)]
pub async fn change(
    request: HttpRequest,
    payload: web::Payload,
    hook: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    signed_in(&caller)?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    let change = WebhookChange {
        url: members.get("url")?,
        kinds: kinds(&members)?,
        enabled: members.get("enabled")?,
        secret: members.get("secret")?,
    };
    let hook = found(&state, &caller, &hook).await?;
    let changed = room(&state)?.hooks.change(&hook.id, change).await?;
    Ok(HttpResponse::Ok().json(WebhookView::new(changed, None)))
}

/// `DELETE /v1/webhooks/{hook}`
#[utoipa::path(
    delete, path = "/v1/webhooks/{hook}", tag = "events", summary = "Remove a webhook",
    responses((status = 204, description = "It is gone"))
)]
pub async fn delete(
    hook: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let hook = found(&state, &caller, &hook).await?;
    room(&state)?.hooks.remove(&hook.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /v1/webhooks/{hook}/ping`
#[utoipa::path(
    post, path = "/v1/webhooks/{hook}/ping", tag = "events", summary = "Try a webhook",
    responses((status = 202, description = "It is about to be called", body = DeliveryBegun))
)]
pub async fn ping(
    hook: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let hook = found(&state, &caller, &hook).await?;
    let delivery = room(&state)?.hooks.ping(&hook).await?;
    Ok(HttpResponse::Accepted().json(json!({ "delivery": delivery })))
}

/// `GET /v1/webhooks/{hook}/deliveries?state=&cursor=&limit=`: the newest first.
#[utoipa::path(
    get, path = "/v1/webhooks/{hook}/deliveries", tag = "events", summary = "List deliveries of a webhook",
    params(
        ("state" = Option<String>, Query, description = "`pending`, `delivered` or `dead`: dead without it"),
        PageParameters,
    ),
    responses((status = 200, description = "A page, the newest first", body = DeliveriesPage))
)]
pub async fn deliveries(
    hook: web::Path<String>,
    parameters: web::Query<DeliveryParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let hook = found(&state, &caller, &hook).await?;
    let DeliveryParameters { state: wanted, cursor, limit } = parameters.into_inner();
    let wanted = wanted.as_deref().unwrap_or("dead").parse::<State>();
    let wanted = wanted.map_err(|()| Problem::bad_request("state is pending, delivered or dead"))?;
    let page = PageParameters { cursor, limit };
    let limit = page.limit()?;
    let before = page.after(|cursor| is_id(cursor).then(|| cursor.to_owned()))?;
    let hooks = &room(&state)?.hooks;
    let mut deliveries = hooks.deliveries(&hook.id, wanted, before.as_deref(), limit + 1).await?;
    let next = pages::cut(&mut deliveries, limit, |last| last.id.clone());
    let deliveries = deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(HttpResponse::Ok().json(DeliveriesPage { deliveries, next }))
}

/// `POST /v1/webhooks/{hook}/deliveries/{delivery}/redeliver`
#[utoipa::path(
    post, path = "/v1/webhooks/{hook}/deliveries/{delivery}/redeliver", tag = "events", summary = "Make a delivery again",
    responses((status = 202, description = "It is about to be made", body = DeliveryBegun))
)]
pub async fn redeliver(
    path: web::Path<(String, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (hook, delivery) = path.into_inner();
    let hook = found(&state, &caller, &hook).await?;
    if !is_id(&delivery) {
        return Err(Problem::not_found("there can be no such delivery"));
    }
    room(&state)?.hooks.redeliver(&hook.id, &delivery).await?;
    Ok(HttpResponse::Accepted().json(json!({ "delivery": delivery })))
}

/// Finds a webhook of this caller's.
async fn found(state: &HttpState, caller: &Caller, hook: &str) -> Result<Webhook, Problem> {
    let user = signed_in(caller)?;
    if !is_id(hook) {
        return Err(Problem::not_found("there can be no such webhook"));
    }
    Ok(room(state)?.hooks.get(hook, user, caller.admin).await?)
}

/// Tells whether something can be the id of a webhook or of a delivery.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn signed_in(caller: &Caller) -> Result<&UserId, Problem> {
    caller.user().ok_or_else(|| Problem::unauthorized("guests have no webhooks: a token is needed", "Bearer"))
}

fn kinds(members: &Members<'_>) -> Result<Option<Vec<Kind>>, Problem> {
    let Some(names) = members.get::<Vec<String>>("types")? else { return Ok(None) };
    let kind = |name: &String| {
        let unknown = || Refusal::new(ErrorCode::BadRequest, format!("types: there is no {name:.40}"));
        name.parse::<Kind>().map_err(|_| unknown())
    };
    Ok(Some(names.iter().map(kind).collect::<Result<_, _>>()?))
}
