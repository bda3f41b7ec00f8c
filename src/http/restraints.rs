//! Holding people back: bans, and how many documents somebody may own. For administrators.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, web};
use ipnet::IpNet;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{at, get};
use crate::actors::error::ErrorCode;
use crate::http::address::Client;
use crate::http::audit::{self, Note};
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::openapi::{NewBanBody, QuotaBody};
use crate::http::pages::PageParameters;
use crate::http::permissions::{MAX_BODY, end_of, user_of};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{Millis, UserId};
use crate::storage::accounts::restraints::{Ban, Banned, MAX_BANS, Quota};

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// The routes below `/v1/admin`.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            at("/v1/admin/bans", "GET, HEAD, POST").route(get().to(list_bans)).route(web::post().to(ban)),
        )
        .service(at("/v1/admin/bans/{ban}", "DELETE").route(web::delete().to(lift)))
        .service(at("/v1/admin/quotas", "GET, HEAD").route(get().to(list_quotas)))
        .service(
            at("/v1/admin/quotas/{user}", "GET, HEAD, PUT, DELETE")
                .route(get().to(read_quota))
                .route(web::put().to(set_quota))
                .route(web::delete().to(remove_quota)),
        );
}

/// A ban as REST shows it.
#[derive(Serialize, ToSchema)]
struct BanView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    reason: String,
    made_by: UserId,
    made_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
}

impl From<Ban> for BanView {
    fn from(ban: Ban) -> Self {
        let Ban { id, who, reason, made_by, made_at, expires_at } = ban;
        let (user, network) = match who {
            Banned::User(user) => (Some(user), None),
            Banned::Network(network) => (None, Some(network.to_string())),
        };
        Self { id, user, network, reason, made_by, made_at, expires_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = BansPage)]
struct Bans {
    bans: Vec<BanView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/admin/bans?cursor=&limit=`: those that hold, the oldest first.
#[utoipa::path(
    get, path = "/v1/admin/bans", tag = "administration", summary = "List the bans that hold",
    params(PageParameters),
    responses((status = 200, description = "A page, the oldest first", body = Bans))
)]
pub(super) async fn list_bans(
    caller: Caller,
    parameters: web::Query<PageParameters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let (store, now) = (state.security.auth.store()?, state.sharing.now());
    let list = async |after: Option<String>, limit| Ok(store.bans(now, after.as_deref(), limit).await?);
    let (bans, next) =
        parameters.page(|cursor| Some(cursor.to_owned()), list, |last: &Ban| last.id.clone()).await?;
    Ok(HttpResponse::Ok().json(Bans { bans: bans.into_iter().map(BanView::from).collect(), next }))
}

/// `POST /v1/admin/bans {"user" or "network", "reason"?, "expires_at"?}`: holds here when it is answered, and soon on every other
/// server.
#[utoipa::path(
    post, path = "/v1/admin/bans", tag = "administration", summary = "Do not serve a user or a network any more",
    request_body = NewBanBody,
    responses((status = 201, description = "It holds", body = BanView))
)]
pub(super) async fn ban(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    client: Client,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    let (user, network) = (members.get::<String>("user")?, members.get::<String>("network")?);
    let who = match (user, network) {
        (Some(user), None) => Banned::User(user_of(&user)?),
        (None, Some(network)) => Banned::Network(network_of(&network)?),
        _ => return Err(Problem::bad_request("either a user or a network is banned")),
    };
    refuse_oneself(&who, &caller, client)?;
    let reason = members.get::<String>("reason")?.unwrap_or_default();
    if reason.chars().count() > MAX_REASON_CHARS {
        return Err(Problem::bad_request(format!("a reason has at most {MAX_REASON_CHARS} characters")));
    }
    let ban = Ban {
        id: Uuid::now_v7().simple().to_string(),
        who,
        reason,
        made_by: caller.author(),
        made_at: state.sharing.now(),
        expires_at: end_of(&members, &state)?,
    };
    let auth = &state.security.auth;
    if !auth.store()?.ban(&ban).await? {
        let why = format!("there are {MAX_BANS} bans already: lift some, or ban a larger network");
        return Err(Problem::new(ErrorCode::Conflict, why));
    }
    auth.refresh_bans().await?;
    let subject = match &ban.who {
        Banned::User(user) => format!("user:{user}"),
        Banned::Network(network) => format!("network:{network}"),
    };
    audit::note(&request, Note { subject: Some(subject), ..Note::default() });
    Ok(HttpResponse::Created().json(BanView::from(ban)))
}

/// Nobody locks himself out.
fn refuse_oneself(who: &Banned, caller: &Caller, client: Client) -> Result<(), Problem> {
    let oneself = match who {
        Banned::User(user) => caller.user() == Some(user),
        Banned::Network(network) => network.contains(&client.address),
    };
    if oneself { Err(Problem::bad_request("that would be yourself")) } else { Ok(()) }
}

/// Reads a network, or an address as the network of it alone (of IPv6, as whoever has it has all of its /64).
fn network_of(text: &str) -> Result<IpNet, Problem> {
    let alone = || {
        let address = text.parse::<IpAddr>()?.to_canonical();
        Ok::<_, std::net::AddrParseError>(IpNet::new_assert(address, if address.is_ipv4() { 32 } else { 64 }))
    };
    let network = text.parse::<IpNet>().or_else(|_| alone());
    let bad = |_| Problem::bad_request("network is neither one such as 192.0.2.0/24 nor an address");
    network.map(|network| network.trunc()).map_err(bad)
}

/// `DELETE /v1/admin/bans/{ban}`
#[utoipa::path(
    delete, path = "/v1/admin/bans/{ban}", tag = "administration", summary = "Lift a ban",
    responses((status = 204, description = "It is lifted"))
)]
pub(super) async fn lift(
    caller: Caller,
    ban: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let auth = &state.security.auth;
    if !auth.store()?.lift_ban(&ban).await? {
        return Err(Problem::not_found(format!("there is no ban {ban:.64}")));
    }
    auth.refresh_bans().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How many documents somebody may own, and does.
#[derive(Serialize, ToSchema)]
struct QuotaView {
    user: UserId,
    /// `null`: as many as they like.
    documents: Option<u32>,
    /// Where one quota is shown: those in the trash too.
    #[serde(skip_serializing_if = "Option::is_none")]
    owned: Option<u32>,
    /// Absent where what everybody may have holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_by: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_at: Option<Millis>,
}

impl From<Quota> for QuotaView {
    fn from(quota: Quota) -> Self {
        let Quota { user, documents, set_by, set_at } = quota;
        Self { user, documents: Some(documents), owned: None, set_by: Some(set_by), set_at: Some(set_at) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = QuotasPage)]
struct Quotas {
    quotas: Vec<QuotaView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/admin/quotas?cursor=&limit=`: those that were set, in order of their users.
#[utoipa::path(
    get, path = "/v1/admin/quotas", tag = "administration", summary = "List the quotas that were set",
    params(PageParameters),
    responses((status = 200, description = "A page", body = Quotas))
)]
pub(super) async fn list_quotas(
    caller: Caller,
    parameters: web::Query<PageParameters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let store = state.security.auth.store()?;
    let list = async |after: Option<UserId>, limit| Ok(store.quotas(after.as_ref(), limit).await?);
    let read = |cursor: &str| Some(UserId(cursor.into()));
    let (quotas, next) = parameters.page(read, list, |last: &Quota| last.user.to_string()).await?;
    Ok(HttpResponse::Ok().json(Quotas { quotas: quotas.into_iter().map(QuotaView::from).collect(), next }))
}

/// `GET /v1/admin/quotas/{user}`
#[utoipa::path(
    get, path = "/v1/admin/quotas/{user}", tag = "administration", summary = "Tell how many documents a user owns and may own",
    responses((status = 200, description = "What holds", body = QuotaView))
)]
pub(super) async fn read_quota(
    caller: Caller,
    user: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let user = user_of(&user)?;
    let store = state.security.auth.store()?;
    let owned = Some(store.owned(&user, u32::MAX).await?);
    let view = match store.quota(&user).await? {
        Some(quota) => QuotaView { owned, ..quota.into() },
        None => QuotaView {
            user,
            documents: state.security.documents_per_user,
            owned,
            set_by: None,
            set_at: None,
        },
    };
    Ok(HttpResponse::Ok().json(view))
}

/// `PUT /v1/admin/quotas/{user} {"documents"}`: what somebody owns beyond it stays.
#[utoipa::path(
    put, path = "/v1/admin/quotas/{user}", tag = "administration", summary = "Set how many documents a user may own",
    request_body = QuotaBody,
    responses((status = 200, description = "What holds now", body = QuotaView))
)]
pub(super) async fn set_quota(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    user: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let quota = Quota {
        user: user_of(&user)?,
        documents: Members::read(&body)?.required("documents")?,
        set_by: caller.author(),
        set_at: state.sharing.now(),
    };
    state.security.auth.store()?.set_quota(&quota).await?;
    Ok(HttpResponse::Ok().json(QuotaView::from(quota)))
}

/// `DELETE /v1/admin/quotas/{user}`: what everybody may have holds again.
#[utoipa::path(
    delete, path = "/v1/admin/quotas/{user}", tag = "administration", summary = "Forget a quota",
    responses((status = 204, description = "What everybody may have holds again"))
)]
pub(super) async fn remove_quota(
    caller: Caller,
    user: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    if state.security.auth.store()?.remove_quota(&user_of(&user)?).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::not_found(format!("no quota is set for {user:.128}")))
}
