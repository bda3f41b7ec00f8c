//! Versions against each other: what differs, who has written what, and back to an old one.

use std::io::Write;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::access::Action;
use crate::actors::error::ErrorCode;
use crate::actors::service::Blame;
use crate::http::access::permitted;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::conditions::Repeatable;
use crate::http::openapi::{BlameView, DiffView, IdempotencyKey, MadeVersion, RestoreBody};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::http::versions::version_of;
use crate::ids::{DocumentId, Version};
use crate::ot::{Delta, Op};

/// `POST /v1/docs/{id}/restore {"version"}`: back to that content, by an operation like any other.
#[utoipa::path(
    post, path = "/v1/docs/{id}/restore", tag = "history", summary = "Go back to the content of a version",
    params(IdempotencyKey),
    request_body = RestoreBody,
    responses((status = 200, description = "The operation that leads there is durable", body = MadeVersion))
)]
pub async fn restore(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, state.sessions.limits.frame_bytes).await?;
    let members = Members::read(&body)?;
    let version =
        version_of(&members, "version")?.ok_or_else(|| Problem::bad_request("version is missing"))?;
    permitted(&state, &caller, &doc, Action::Edit).await?;
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let made = state.documents.restore(&doc, version, &caller.author(), repeat.as_ref()).await?;
    Ok(HttpResponse::Ok().json(json!({ "version": made })))
}

/// Which versions to compare.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiffParameters {
    #[param(value_type = u64)]
    from: Version,
    /// The durable head, if it is absent.
    #[param(value_type = Option<u64>)]
    to: Option<Version>,
}

/// How much a difference changes, in UTF-16 code units.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DiffSummary)]
pub struct Summary {
    inserted: u64,
    deleted: u64,
    /// Kept, with other formatting.
    formatted: u64,
}

impl Summary {
    fn of(delta: &Delta) -> Self {
        let mut summary = Self::default();
        for op in delta.ops() {
            match op {
                Op::Insert { insert, .. } => summary.inserted += insert.units(),
                Op::Retain { attributes, .. } if attributes.is_empty() => {}
                Op::Retain { len, .. } => summary.formatted += len,
                Op::Delete(len) => summary.deleted += len,
            }
        }
        summary
    }
}

/// `GET /v1/docs/{id}/diff?from=&to=`: the edit that leads from one content to the other, whichever is older.
#[utoipa::path(
    get, path = "/v1/docs/{id}/diff", tag = "history", summary = "Compare two versions",
    params(DiffParameters),
    responses((status = 200, description = "What leads from one to the other", body = DiffView))
)]
pub async fn diff(
    doc: web::Path<DocumentId>,
    parameters: web::Query<DiffParameters>,
    caller: Caller,
    client: Client,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    permitted(&state, &caller, &doc, Action::Read).await?;
    let DiffParameters { from, to } = parameters.into_inner();
    let (to, delta) = state.documents.diff(&doc, from, to).await?;
    let mut out = format!("{{\"from\":{from},\"to\":{to},\"delta\":").into_bytes();
    delta.write_json(&mut out);
    // Writing into a vector cannot fail.
    let _ = write!(out, ",\"summary\":{}}}", json!(Summary::of(&delta)));
    Ok(HttpResponse::Ok().content_type("application/json").body(state.body_for(client, out)?))
}

/// Of which version, and how far back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BlameParameters {
    /// The durable head, if it is absent.
    #[param(value_type = Option<u64>)]
    version: Option<Version>,
    /// What is older is told to be no newer than this.
    #[param(value_type = Option<u64>)]
    since: Option<Version>,
}

/// `GET /v1/docs/{id}/blame?version=&since=`: who has written which part of the content.
#[utoipa::path(
    get, path = "/v1/docs/{id}/blame", tag = "history", summary = "Tell who has written which part",
    params(BlameParameters),
    responses((status = 200, description = "Runs of the content with their authors", body = BlameView))
)]
pub async fn blame(
    doc: web::Path<DocumentId>,
    parameters: web::Query<BlameParameters>,
    caller: Caller,
    client: Client,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    permitted(&state, &caller, &doc, Action::Read).await?;
    let BlameParameters { version, since } = parameters.into_inner();
    let blame = state.documents.blame(&doc, version, since).await?;
    let written = web::block(move || write_blame(&blame)).await;
    let written = written.map_err(|_| Problem::new(ErrorCode::Unavailable, "the server is stopping"))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(state.body_for(client, written)?))
}

/// Writes the runs: those that were walked with their authors, and the rest with the version that it is no newer than.
fn write_blame(blame: &Blame) -> Vec<u8> {
    let mut out = Vec::with_capacity(blame.runs.len() * 120 + 64);
    // Writing into a vector cannot fail.
    let _ = write!(out, r#"{{"version":{},"since":{},"runs":["#, blame.version, blame.since);
    for (i, (length, version)) in blame.runs.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let _ = write!(out, r#"{{"length":{length},"version":{version}"#);
        match blame.author(*version) {
            Some((user, at)) => {
                out.extend_from_slice(b",\"user\":");
                let _ = serde_json::to_writer(&mut out, user);
                let _ = write!(out, r#","at":{at}"#);
            }
            None => out.extend_from_slice(b",\"older\":true"),
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Attributes;

    #[test]
    fn a_summary_counts_units() {
        let delta = Delta::new()
            .retain(3, Attributes::NONE)
            .insert("😀", Attributes::NONE)
            .delete(4)
            .retain(5, Attributes::NONE.with("bold", true));
        assert_eq!(Summary::of(&delta), Summary { inserted: 2, deleted: 4, formatted: 5 });
    }
}
