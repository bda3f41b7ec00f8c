//! What is kept of a person, given out and taken away: for that person and for administrators.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::actors::error::{ErrorCode, Refusal};
use crate::http::audit::{Note, note};
use crate::http::auth::Caller;
use crate::http::openapi::ErasedView;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::UserId;
use crate::storage::people::{Erasing, Fate};
use crate::storage::portability::Exporter;

/// Documents looked up at a time.
const PAGE: usize = 256;

/// Returns whom a path is about: `me`, or an id. Others than oneself are for administrators.
fn whom(caller: &Caller, path: &str) -> Result<UserId, Problem> {
    let own = caller.author();
    if own.is_guest() {
        return Err(Problem::unauthorized("a token is needed: nothing is kept of guests", "Bearer"));
    }
    if path == "me" || path == &*own.0 {
        return Ok(own);
    }
    caller.require_admin()?;
    Ok(UserId(path.into()))
}

fn exporter(state: &HttpState) -> Result<&Exporter, Problem> {
    let missing = || Problem::new(ErrorCode::Unavailable, "this server keeps nothing of people");
    state.exporter.as_ref().ok_or_else(missing)
}

/// `GET /v1/users/{me|id}/export`: JSON whose last member is `"complete": true`; without that it was cut off.
#[utoipa::path(
    get, path = "/v1/users/{user}/export", tag = "people", summary = "Give out what is kept of a person",
    responses((
        status = 200, description = "Its last member is `complete`: without that it was cut off",
        body = Object
    ))
)]
pub async fn export(
    request: HttpRequest,
    path: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = whom(&caller, &path)?;
    note(&request, Note { subject: Some(format!("user:{}", user.0)), ..Note::default() });
    let exporter = exporter(&state)?.clone();
    let (out, parts) = mpsc::channel::<Bytes>(1);
    actix_web::rt::spawn(async move {
        if let Err(error) = exporter.write(&user, &out).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an export was cut off");
        }
    });
    let parts = stream::unfold(parts, |mut parts| async {
        let part = parts.recv().await?;
        Some((Ok::<_, actix_web::Error>(part), parts))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("Content-Disposition", "attachment; filename=\"person.json\""))
        .streaming(parts))
}

/// How to erase somebody.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EraseParameters {
    #[serde(default)]
    #[param(inline)]
    documents: Documents,
}

/// Which of their documents go.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Documents {
    #[default]
    Private,
    Owned,
}

/// `POST /v1/users/{me|id}/erase?documents=private|owned`: the account and what hangs on it at once, and the documents. An id that is
/// a name is replaced in documents' logs when the server starts the next time, since it is in memory until then: 202.
#[utoipa::path(
    post, path = "/v1/users/{user}/erase", tag = "people", summary = "Erase a person",
    params(EraseParameters),
    responses(
        (status = 200, description = "Done", body = ErasedView),
        (status = 202, description = "Done, but for names in logs, which go when the server starts again", body = ErasedView),
    )
)]
pub async fn erase(
    request: HttpRequest,
    path: web::Path<String>,
    parameters: web::Query<EraseParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = whom(&caller, &path)?;
    let people = &exporter(&state)?.people;
    let fate = match parameters.documents {
        Documents::Private => Fate::Private,
        Documents::Owned => Fate::Owned,
    };
    let erasing = Erasing::new(user, fate, state.sessions.clock.now());
    let erasing = people.begin_erasure(&erasing).await.map_err(Refusal::from)?;
    let mut purged = 0;
    let mut after = None;
    loop {
        let page = people.documents_of(&erasing.user, after.as_ref(), PAGE).await.map_err(Refusal::from)?;
        let Some(last) = page.last().map(|last| last.doc.clone()) else { break };
        for document in page.iter().filter(|one| one.owns && (fate == Fate::Owned || !one.shared)) {
            state.documents.purge(&document.doc).await?;
            purged += 1;
        }
        after = Some(last);
    }
    let rows = people.forget_person(&erasing.user).await.map_err(Refusal::from)?;
    let pending = erasing.renames();
    if !pending {
        people.end_erasure(&erasing.user).await.map_err(Refusal::from)?;
    }
    let details = [("rows", json!(rows)), ("purged", json!(purged)), ("pending", json!(pending))];
    let subject = Some(format!("user:{}", erasing.user.0));
    note(&request, Note { subject, details: details.into(), ..Note::default() });
    let mut response = if pending { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    Ok(response.json(json!({ "rows": rows, "purged": purged, "pending": pending })))
}
