//! Who is in a document.

use actix_web::{HttpResponse, web};

use crate::http::auth::Caller;
use crate::http::documents::present;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::DocumentId;
use crate::protocol::PeersMessage;

/// `GET /v1/docs/{id}/presence`: the sessions that have said where they are, as in a `presence` frame.
pub async fn read(
    doc: web::Path<DocumentId>,
    _: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (row, _) = present(&state, &doc).await?;
    let peers = state.documents.presence(&row).await?;
    Ok(HttpResponse::Ok().json(PeersMessage { peers }))
}
