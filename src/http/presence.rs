//! Who is in a document.

use actix_web::{HttpResponse, web};

use crate::access::Action;
use crate::http::access::permitted;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::openapi::PresenceView;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::DocumentId;
use crate::protocol::PeersMessage;

/// `GET /v1/docs/{id}/presence`: the sessions that have said where they are, as in a `presence` frame.
#[utoipa::path(
    get, path = "/v1/docs/{id}/presence", tag = "presence", summary = "Tell who is there",
    responses((status = 200, description = "The sessions that have said where they are", body = PresenceView))
)]
pub async fn read(
    doc: web::Path<DocumentId>,
    (caller, client): (Caller, Client),
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let permitted = permitted(&state, &caller, &doc, Action::Read).await?;
    let peers = state.documents.presence(&permitted.row).await?;
    // A thousand who say as much as they may are some megabytes.
    let body = serde_json::to_vec(&PeersMessage { peers }).unwrap_or_default();
    Ok(HttpResponse::Ok().content_type("application/json").body(state.body_for(client, body)?))
}
