//! HTTP: REST, the WebSocket upgrade, the pages. It translates and decides nothing: what may be done is the actors' say.
//!
//! Every request passes, from the outside in: the headers that every answer has, [`address`], [`trace`], [`origin`],
//! [`forward`], [`rates`], and [`audit`]. Who calls is found out by handlers, through [`auth::Caller`]. Whatever is refused is answered by a [`problem::Problem`].

mod access;
mod accounts;
pub mod address;
mod admin;
pub mod answers;
mod assets;
pub mod audit;
pub mod auth;
pub mod body;
mod comments;
mod compare;
mod conditions;
mod content;
mod documents;
mod events;
pub mod forward;
mod groups;
mod health;
mod import;
mod links;
mod openapi;
mod ops;
pub mod origin;
mod pages;
mod people;
mod permissions;
mod presence;
pub mod problem;
mod rates;
mod restraints;
mod security;
pub mod sockets;
pub mod state;
mod trace;
mod versions;
mod webhooks;

use std::future::ready;

use actix_web::error::{PathError, QueryPayloadError};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, Resource, Route, guard, web};

use self::problem::Problem;
pub use self::security::{Security, security};
pub use self::state::HttpState;

/// The one table of routes.
pub fn configure(state: web::Data<HttpState>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let routes = web::scope("")
            .service(at("/v1/collab/{doc_id}", "GET").route(web::get().to(sockets::collab)))
            .service(
                at("/v1/docs", "GET, HEAD, POST")
                    .route(get().to(documents::list))
                    .route(web::post().to(documents::create)),
            )
            .service(
                at("/v1/docs/{id}", "GET, HEAD, PATCH, DELETE")
                    .route(get().to(documents::read))
                    .route(web::patch().to(documents::change))
                    .route(web::delete().to(documents::delete)),
            )
            .service(at("/v1/docs/{id}/content", "GET, HEAD").route(get().to(content::read)))
            .service(
                at("/v1/docs/{id}/ops", "GET, HEAD, POST")
                    .route(get().to(ops::list))
                    .route(web::post().to(ops::submit)),
            )
            .service(at("/v1/docs/{id}/history", "GET, HEAD").route(get().to(ops::history)))
            .service(at("/v1/docs/{id}/presence", "GET, HEAD").route(get().to(presence::read)))
            .service(at("/v1/docs/{id}/permissions", "GET, HEAD").route(get().to(permissions::list)))
            .service(
                at("/v1/docs/{id}/permissions/{subject}", "GET, HEAD, PUT, DELETE")
                    .route(get().to(permissions::read))
                    .route(web::put().to(permissions::grant))
                    .route(web::delete().to(permissions::revoke)),
            )
            .service(at("/v1/docs/{id}/link", "PUT").route(web::put().to(permissions::set_link)))
            .service(at("/v1/docs/{id}/owner", "PUT").route(web::put().to(permissions::transfer)))
            .service(
                at("/v1/docs/{id}/links", "GET, HEAD, POST")
                    .route(get().to(links::list))
                    .route(web::post().to(links::create)),
            )
            .service(at("/v1/docs/{id}/links/{link}", "DELETE").route(web::delete().to(links::revoke)))
            .service(
                at("/v1/groups", "GET, HEAD, POST")
                    .route(get().to(groups::list))
                    .route(web::post().to(groups::create)),
            )
            .service(
                at("/v1/groups/{id}", "GET, HEAD, PATCH, DELETE")
                    .route(get().to(groups::read))
                    .route(web::patch().to(groups::rename))
                    .route(web::delete().to(groups::delete)),
            )
            .service(
                at("/v1/groups/{id}/members/{user}", "PUT, DELETE")
                    .route(web::put().to(groups::set_member))
                    .route(web::delete().to(groups::remove_member)),
            )
            .service(at("/v1/docs/{id}/snapshots", "POST").route(web::post().to(versions::snapshot)))
            .service(
                at("/v1/docs/{id}/versions", "GET, HEAD, POST")
                    .route(get().to(versions::list))
                    .route(web::post().to(versions::name)),
            )
            .service(
                at("/v1/docs/{id}/versions/{version}", "DELETE").route(web::delete().to(versions::forget)),
            )
            .service(at("/v1/docs/{id}/restore", "POST").route(web::post().to(compare::restore)))
            .service(at("/v1/docs/{id}/import", "POST").route(web::post().to(import::import)))
            .service(at("/v1/docs/{id}/diff", "GET, HEAD").route(get().to(compare::diff)))
            .service(at("/v1/docs/{id}/blame", "GET, HEAD").route(get().to(compare::blame)))
            .service(
                at("/v1/docs/{id}/comments", "GET, HEAD, POST")
                    .route(get().to(comments::list))
                    .route(web::post().to(comments::create)),
            )
            .service(
                at("/v1/docs/{id}/comments/{comment}", "GET, HEAD, PATCH, DELETE")
                    .route(get().to(comments::read))
                    .route(web::patch().to(comments::change))
                    .route(web::delete().to(comments::delete)),
            )
            .service(
                at("/v1/docs/{id}/comments/{comment}/replies", "POST").route(web::post().to(comments::reply)),
            )
            .service(at("/v1/events", "GET").route(web::get().to(events::stream)))
            .service(
                at("/v1/webhooks", "GET, HEAD, POST")
                    .route(get().to(webhooks::list))
                    .route(web::post().to(webhooks::create)),
            )
            .service(
                at("/v1/webhooks/{hook}", "GET, HEAD, PATCH, DELETE")
                    .route(get().to(webhooks::read))
                    .route(web::patch().to(webhooks::change))
                    .route(web::delete().to(webhooks::delete)),
            )
            .service(at("/v1/webhooks/{hook}/ping", "POST").route(web::post().to(webhooks::ping)))
            .service(at("/v1/webhooks/{hook}/deliveries", "GET, HEAD").route(get().to(webhooks::deliveries)))
            .service(
                at("/v1/webhooks/{hook}/deliveries/{delivery}/redeliver", "POST")
                    .route(web::post().to(webhooks::redeliver)),
            )
            .configure(admin::routes)
            .configure(restraints::routes)
            .service(at("/v1/auth", "GET, HEAD").route(get().to(accounts::entrance::read)))
            .service(at("/v1/auth/register", "POST").route(web::post().to(accounts::register)))
            .service(at("/v1/auth/login", "POST").route(web::post().to(accounts::login)))
            .service(at("/v1/auth/refresh", "POST").route(web::post().to(accounts::refresh)))
            .service(at("/v1/auth/logout", "POST").route(web::post().to(accounts::logout)))
            .service(
                at("/v1/auth/me", "GET, HEAD, PATCH")
                    .route(get().to(accounts::me))
                    .route(web::patch().to(accounts::rename)),
            )
            .service(at("/v1/auth/password", "POST").route(web::post().to(accounts::change_password)))
            .service(at("/v1/auth/password/forgot", "POST").route(web::post().to(accounts::forget_password)))
            .service(at("/v1/auth/password/reset", "POST").route(web::post().to(accounts::reset_password)))
            .service(at("/v1/auth/sessions", "GET, HEAD").route(get().to(accounts::sign_ins)))
            .service(at("/v1/auth/sessions/{id}", "DELETE").route(web::delete().to(accounts::end_sign_in)))
            .service(at("/v1/auth/totp", "POST").route(web::post().to(accounts::second::enrol)))
            .service(at("/v1/auth/totp/confirm", "POST").route(web::post().to(accounts::second::confirm)))
            .service(at("/v1/auth/totp/remove", "POST").route(web::post().to(accounts::second::remove)))
            .service(at("/v1/auth/oidc", "GET, HEAD").route(get().to(accounts::oidc::list)))
            .service(at("/v1/auth/oidc/{provider}", "GET").route(web::get().to(accounts::oidc::begin)))
            .service(
                at("/v1/auth/oidc/{provider}/callback", "GET").route(web::get().to(accounts::oidc::finish)),
            )
            .service(at("/.well-known/jwks.json", "GET, HEAD").route(get().to(accounts::jwks)))
            .service(at("/v1/admin/audit", "GET, HEAD").route(get().to(audit::list::list)))
            .service(at("/v1/users/{user}/export", "GET, HEAD").route(get().to(people::export)))
            .service(at("/v1/users/{user}/erase", "POST").route(web::post().to(people::erase)))
            .service(at("/openapi.json", "GET, HEAD").route(get().to(openapi::json)))
            .service(at("/docs", "GET, HEAD").route(get().to(openapi::page::page)))
            .service(at("/docs/{name}", "GET, HEAD").route(get().to(openapi::page::asset)))
            .service(at("/healthz", "GET, HEAD").route(get().to(health::live)))
            .service(at("/readyz", "GET, HEAD").route(get().to(health::ready)))
            .service(at("/metrics", "GET, HEAD").route(get().to(health::metrics)))
            .service(at("/", "GET, HEAD").route(get().to(assets::page)))
            .service(at("/d/{id}", "GET, HEAD").route(get().to(assets::page)))
            .service(at("/sign-in", "GET, HEAD").route(get().to(assets::page)))
            .service(at("/reset", "GET, HEAD").route(get().to(assets::page)))
            .service(at("/account", "GET, HEAD").route(get().to(assets::page)))
            .service(at("/admin", "GET, HEAD").route(get().to(assets::page)))
            .service(at("/assets/{name}", "GET, HEAD").route(get().to(assets::asset)))
            .default_service(refusing(|request| {
                Problem::not_found(format!("there is nothing at {:.200}", request.path()))
            }));
        // The last one wrapped is the outermost.
        config.app_data(state).app_data(path_config()).app_data(query_config()).service(
            routes
                .wrap(from_fn(audit::witness))
                .wrap(from_fn(rates::guard))
                .wrap(from_fn(forward::guard))
                .wrap(from_fn(origin::guard))
                .wrap(from_fn(trace::trace))
                .wrap(from_fn(address::note))
                .wrap(default_headers()),
        );
    }
}

/// The routes of a process that serves no documents: whether it is alive, and what it counts.
pub fn probes(config: &mut web::ServiceConfig) {
    config
        .service(at("/healthz", "GET, HEAD").route(get().to(health::live)))
        .service(at("/metrics", "GET, HEAD").route(get().to(health::metrics)));
}

/// An address that answers other methods than `allow` with 405.
fn at(path: &str, allow: &'static str) -> Resource {
    web::resource(path)
        .default_service(refusing(move |request| Problem::method_not_allowed(request.method(), allow)))
}

/// A route that answers everything with a problem.
fn refusing(problem: impl Fn(&HttpRequest) -> Problem + Clone + 'static) -> Route {
    web::to(move |request: HttpRequest| ready(Err::<HttpResponse, Problem>(problem(&request))))
}

/// `GET`, and `HEAD` with it, whose body the server leaves out (RFC 9110 section 9.3.2).
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// What no page of this server needs of a browser.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
    microphone=(), midi=(), payment=(), usb=()";

/// What every answer says unless its handler says otherwise: take the type as told, keep nothing, run nothing, be in no
/// frame, share no window and nothing of it with pages from elsewhere, and do not tell other sites where a reader came from.
fn default_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cache-Control", "no-store"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Permissions-Policy", PERMISSIONS))
        .add(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
}

/// An id that no document can have is one of no document.
fn path_config() -> web::PathConfig {
    web::PathConfig::default().error_handler(|error, _| {
        let why = match error {
            PathError::Deserialize(why) => why.to_string(),
            other => other.to_string(),
        };
        Problem::not_found(format!("there can be no such document: {why}")).into()
    })
}

/// Says which parameters there were, since the reader of the query does not say which of them it is.
fn query_config() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|error, request| {
        let why = match error {
            QueryPayloadError::Deserialize(why) => why.to_string(),
            other => other.to_string(),
        };
        let names = request.query_string().split('&').map(|one| one.split('=').next().unwrap_or_default());
        let names = names.take(8).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "nothing" } else { &names };
        Problem::bad_request(format!("the query cannot be read: {why} (it has {names})")).into()
    })
}
