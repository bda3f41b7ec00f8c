//! What there is to call, as a document of OpenAPI 3.1: made of the handlers and of the types they answer with.
//!
//! A handler says of itself what only it knows (`#[utoipa::path]`), and is named in the list below; [`common`] adds what holds
//! for every call. Bodies that are read and written by hand are types here, which nothing is ever made of.

mod accounts;
mod administration;
mod bodies;
mod common;
mod events;
mod ids;
pub mod page;
mod restraints;
mod sharing;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use bytes::Bytes;
use utoipa::OpenApi;

pub use self::accounts::*;
pub use self::administration::*;
pub use self::bodies::*;
pub use self::common::{IdempotencyKey, IfMatch};
pub use self::events::*;
pub use self::restraints::*;
pub use self::sharing::*;
use crate::http::{
    accounts as sign_in, admin, audit, comments, compare, content, documents, events as stream, groups,
    health, import, links, ops, people, permissions, presence, problem, restraints as held_back, sockets,
    versions, webhooks,
};

/// All calls, by their handlers.
#[derive(OpenApi)]
#[openapi(
    info(title = "quire", description = "Live documents: REST beside the protocol `quire.v1`."),
    paths(
        documents::create, documents::list, documents::read, documents::change, documents::delete,
        content::read, ops::submit, import::import,
        ops::list, ops::history, versions::snapshot, versions::list, versions::name, versions::forget,
        compare::restore, compare::diff, compare::blame,
        comments::list, comments::create, comments::read, comments::change, comments::delete, comments::reply,
        presence::read, sockets::collab,
        permissions::list, permissions::read, permissions::grant, permissions::revoke, permissions::set_link,
        permissions::transfer, links::list, links::create, links::revoke,
        groups::list, groups::create, groups::read, groups::rename, groups::delete, groups::set_member,
        groups::remove_member,
        sign_in::register, sign_in::login, sign_in::refresh, sign_in::logout, sign_in::me, sign_in::rename, sign_in::entrance::read,
        sign_in::change_password, sign_in::forget_password, sign_in::reset_password, sign_in::sign_ins,
        sign_in::end_sign_in, sign_in::second::enrol, sign_in::second::confirm, sign_in::second::remove,
        sign_in::jwks, sign_in::oidc::list, sign_in::oidc::begin, sign_in::oidc::finish, people::export, people::erase,
        admin::documents, admin::passivate, admin::verify, admin::sessions, admin::dismiss, admin::nodes, admin::move_document, admin::unpin,
        admin::drain, admin::snapshot, held_back::list_bans, held_back::ban, held_back::lift,
        held_back::list_quotas, held_back::read_quota, held_back::set_quota, held_back::remove_quota,
        stream::stream, webhooks::list, webhooks::create, webhooks::read, webhooks::change, webhooks::delete,
        webhooks::ping, webhooks::deliveries, webhooks::redeliver, audit::list::list,
        health::live, health::ready, health::metrics, json,
    ),
    components(schemas(problem::Body)),
    tags(
        (name = "documents", description = "Documents themselves"),
        (name = "content", description = "What is in them"),
        (name = "history", description = "What was in them, and who has written it"),
        (name = "comments", description = "What is said about them"),
        (name = "presence", description = "Who is there"),
        (name = "sharing", description = "Who may do what with a document"),
        (name = "groups", description = "People who are given documents together"),
        (name = "events", description = "What happens to documents, told to programs"),
        (name = "accounts", description = "Signing in and out, where the server has accounts"),
        (name = "people", description = "What is kept of a person"),
        (name = "administration", description = "For those who look after the server"),
        (name = "service", description = "The server itself"),
    ),
)]
struct Api;

/// The document as it is sent: it does not change while the server runs.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// Makes the document.
fn document() -> serde_json::Value {
    common::complete(Api::openapi())
}

/// `GET /openapi.json`
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", summary = "Tell what there is to call",
    responses((status = 200, description = "A document of OpenAPI 3.1", body = Object))
)]
pub async fn json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT.clone())
}
