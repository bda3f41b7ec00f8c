//! What orchestrators and Prometheus ask.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::actors::error::Refusal;
use crate::actors::service::stopping;
use crate::http::openapi::StatusView;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// How long everything that is asked may take. Probes of orchestrators give up after a second or a few.
const ANSWERS_WITHIN: Duration = Duration::from_millis(800);

/// `GET /healthz`: the process answers. Restarting it would not help against anything that this does not tell.
#[utoipa::path(
    get, path = "/healthz", tag = "service", summary = "Tell whether the process answers",
    responses((status = 200, description = "It does", body = StatusView))
)]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the server takes new sessions, edits are committed, and storage answers.
#[utoipa::path(
    get, path = "/readyz", tag = "service", summary = "Tell whether documents can be opened, read and written",
    responses((status = 200, description = "They can", body = StatusView))
)]
pub async fn ready(state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    if state.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    match tokio::time::timeout(ANSWERS_WITHIN, state.documents.ready()).await {
        Ok(Ok(())) => Ok(HttpResponse::Ok().json(json!({ "status": "ready" }))),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(_) => Err(Refusal::unavailable("journal or storage do not answer").into()),
    }
}

/// `GET /metrics`
#[utoipa::path(
    get, path = "/metrics", tag = "service", summary = "Tell what the server counts, for Prometheus",
    responses((status = 200, description = "The text format", content_type = "text/plain", body = String))
)]
pub async fn metrics() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(crate::metrics::render())
}
