//! What is kept of a person, given out and taken away: for that person and for administrators.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::actors::error::ErrorCode;
use crate::auth::erasures::Proof;
use crate::http::address::Client;
use crate::http::audit::{Note, note};
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::openapi::{EraseBody, ErasedView};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::UserId;
use crate::storage::StoreError;
use crate::storage::people::Fate;
use crate::storage::portability::Exporter;

/// Bytes of a body here, at most.
const MAX_BODY: usize = 16 << 10;

/// Documents of an export that are in memory at the same time: one is sent, one waits, and one is being read.
const AT_A_TIME: u64 = 3;

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
    state.exporter.as_ref().ok_or_else(nothing_kept)
}

fn nothing_kept() -> Problem {
    Problem::new(ErrorCode::Unavailable, "this server keeps nothing of people")
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
    (caller, client): (Caller, Client),
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = whom(&caller, &path)?;
    note(&request, Note { subject: Some(format!("user:{}", user.0)), ..Note::default() });
    let (exporter, documents) = (exporter(&state)?.clone(), state.documents.clone());
    let room = state.room_for(client, AT_A_TIME * state.sessions.limits.document_bytes)?;
    let (out, parts) = mpsc::channel::<Bytes>(1);
    actix_web::rt::spawn(async move {
        let turn = async || documents.turn_of_the_past().await.map_err(StoreError::unavailable);
        if let Err(error) = exporter.write(&user, &out, turn).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an export was cut off");
        }
        drop(room);
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

/// `POST /v1/users/{me|id}/erase?documents=private|owned {"password"?, "totp"?}`: the account and what hangs on it at once, and the
/// documents. Who has signed in proves once more who they are. An id that is a name is replaced in documents' logs when the server starts
/// the next time, since it is in memory until then: 202.
#[utoipa::path(
    post, path = "/v1/users/{user}/erase", tag = "people", summary = "Erase a person",
    params(EraseParameters), request_body = EraseBody,
    responses(
        (status = 200, description = "Done", body = ErasedView),
        (status = 202, description = "Done, but for names in logs, which go when the server starts again", body = ErasedView),
    )
)]
pub async fn erase(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<String>,
    parameters: web::Query<EraseParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = whom(&caller, &path)?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    let proof = Proof {
        password: members.get("password")?.unwrap_or_default(),
        code: members.get("totp")?.unwrap_or_default(),
    };
    let fate = match parameters.documents {
        Documents::Private => Fate::Private,
        Documents::Owned => Fate::Owned,
    };
    let subject = Some(format!("user:{}", user.0));
    note(&request, Note { subject, ..Note::default() });
    let erasures = state.erasures.as_ref().ok_or_else(nothing_kept)?;
    let done = erasures.erase(&caller.asking(), user, &proof, fate).await?;
    let details =
        [("rows", json!(done.rows)), ("purged", json!(done.purged)), ("pending", json!(done.pending))];
    note(&request, Note { details: details.into(), ..Note::default() });
    let mut response = if done.pending { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    Ok(response.json(done))
}
