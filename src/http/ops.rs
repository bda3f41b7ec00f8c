//! Operations: submitted one at a time, and read back as the log has them.

use std::io::Write;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::access::Action;
use crate::actors::error::ErrorCode;
use crate::actors::service::RestOperation;
use crate::actors::session::frames::{refuse_delta, refuse_format, whole_number};
use crate::formats::AllowedFormats;
use crate::http::access::{Permitted, permitted};
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::content;
use crate::http::openapi::{HistoryView, MadeVersion, OperationBody, OpsPage};
use crate::http::problem::Problem;
use crate::http::rates;
use crate::http::state::HttpState;
use crate::ids::{ClientId, DocumentId, Version};
use crate::ot::{Delta, ParseLimits, from_edit};
use crate::protocol::MAX_INTEGER;
use crate::storage::LoggedOp;
use crate::storage::cache::Place;

/// Operations on a page, unless fewer are asked for. A page may end earlier by its bytes.
const PAGE: usize = 1_000;

/// `POST /v1/docs/{id}/ops {"base", "delta" or "edit"}`
#[utoipa::path(
    post, path = "/v1/docs/{id}/ops", tag = "content", summary = "Submit an operation",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "client:seq, as on the socket: sent again, it counts once"
    )),
    request_body = OperationBody,
    responses((status = 200, description = "It is durable", body = MadeVersion))
)]
pub async fn submit(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    (caller, client): (Caller, Client),
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    rates::take_operation(state.limiter(), &caller, client)?;
    let limits = &state.sessions.limits;
    let key = idempotency_key(request.headers())?;
    let body = body::read(&request, payload, limits.frame_bytes).await?;
    let members = Members::read(&body)?;
    let base = members.raw("base").ok_or_else(|| Problem::bad_request("base is missing"))?;
    let base = whole_number(base).ok_or_else(|| Problem::bad_request("base is not a version"))?;
    let formats = &state.sessions.formats;
    let delta = match (delta_of(&members, limits.ops, formats), key) {
        (Ok(delta), _) => Ok(delta),
        // Under its client's own number it may have been committed before, and then that is the answer.
        (Err(problem), Some(key)) if problem.refusal().code == ErrorCode::BadOp => {
            Err((key, problem.refusal().clone()))
        }
        (Err(problem), _) => return Err(problem),
    };
    let permitted = permitted(&state, &caller, &doc, Action::Read).await?;
    // What the document has taken before it answers for, also to somebody who may not change it any more.
    let delta = match (permitted.check(Action::Edit), key) {
        (Ok(()), _) => delta,
        (Err(problem), Some(key)) => Err((key, problem.refusal().clone())),
        (Err(problem), None) => return Err(problem),
    };
    let (doc, user) = (doc.into_inner(), caller.author());
    let version = match delta {
        Ok(delta) => {
            let (client, seq) = key.unwrap_or_else(|| (ClientId::generate(), 1));
            state.documents.submit(RestOperation { doc, client, seq, user, base, delta }).await?
        }
        Err((key, why)) => state.documents.recall(&doc, key, user, why).await?,
    };
    Ok(HttpResponse::Ok().json(json!({ "version": version })))
}

fn delta_of(members: &Members<'_>, ops: usize, formats: &AllowedFormats) -> Result<Delta, Problem> {
    let delta = match (members.raw("delta"), members.raw("edit")) {
        (Some(delta), None) => Delta::parse(delta, &ParseLimits { ops }),
        (None, Some(edit)) => from_edit(edit),
        (Some(_), Some(_)) => return Err(Problem::bad_request("there is either delta or edit, not both")),
        (None, None) => return Err(Problem::bad_request("delta or edit is missing")),
    };
    let delta = delta.map_err(|error| refuse_delta(&error))?;
    formats.check(&delta).map_err(|why| refuse_format(&why))?;
    Ok(delta)
}

/// Reads `Idempotency-Key: client:seq`, with or without quotes.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<(ClientId, u64)>, Problem> {
    let mut keys = headers.get_all("idempotency-key");
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|_| keys.next().is_none()).map(|text| text.trim().trim_matches('"'));
    let parts = text.and_then(|text| text.split_once(':'));
    let key = parts.and_then(|(client, seq)| {
        let seq = seq.parse::<u64>().ok().filter(|seq| (1..=MAX_INTEGER).contains(seq))?;
        Some((client.parse::<ClientId>().ok()?, seq))
    });
    key.map(Some).ok_or_else(|| {
        Problem::bad_request("Idempotency-Key is a client's UUID, a colon, and a number from 1")
    })
}

/// Which operations to read: those that made the versions above `from`, up to `to`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeParameters {
    #[serde(default)]
    #[param(value_type = u64)]
    from: Version,
    #[param(value_type = Option<u64>)]
    to: Option<Version>,
    #[param(minimum = 1)]
    limit: Option<usize>,
}

/// Some operations, and where to go on if there are more.
struct Range {
    ops: Vec<LoggedOp>,
    next: Option<Version>,
}

/// `GET /v1/docs/{id}/ops?from=&to=&limit=`
#[utoipa::path(
    get, path = "/v1/docs/{id}/ops", tag = "history", summary = "Read operations",
    params(RangeParameters),
    responses((status = 200, description = "A page of the log", body = OpsPage))
)]
pub async fn list(
    doc: web::Path<DocumentId>,
    parameters: web::Query<RangeParameters>,
    (caller, client): (Caller, Client),
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let range = read_range(&state, &caller, &doc, &parameters).await?;
    let body = state.body_for(client, range.write("ops", true))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

/// Where in the history to look.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryParameters {
    #[param(value_type = Option<u64>)]
    version: Option<Version>,
}

/// `GET /v1/docs/{id}/history?version=`: the content at a version; without one, versions with authors and times, of
/// the same range and in the same pages as `ops`.
#[utoipa::path(
    get, path = "/v1/docs/{id}/history", tag = "history",
    summary = "Read the content at a version, or list versions with authors and times",
    params(HistoryParameters, RangeParameters),
    responses(
        (status = 200, description = "The content at `version`, or without it a page of versions", body = HistoryView),
        (status = 304, description = "The reader has it"),
    )
)]
pub async fn history(
    request: HttpRequest,
    doc: web::Path<DocumentId>,
    at: web::Query<HistoryParameters>,
    parameters: web::Query<RangeParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    if let Some(version) = at.version {
        return content::at_version(&request, &state, &caller, &doc, version).await;
    }
    let range = read_range(&state, &caller, &doc, &parameters).await?;
    let body = state.body_for(Client::of(&request), range.write("versions", false))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

async fn read_range(
    state: &HttpState,
    caller: &Caller,
    doc: &DocumentId,
    parameters: &RangeParameters,
) -> Result<Range, Problem> {
    let Permitted { row, live, .. } = permitted(state, caller, doc, Action::Read).await?;
    let head = live.map_or(row.version, |live| live.version.max(row.version));
    let RangeParameters { from, to, limit } = *parameters;
    if to.is_some_and(|to| from > to) {
        return Err(Problem::bad_request("from is above to"));
    }
    if limit == Some(0) {
        return Err(Problem::bad_request("limit begins at 1"));
    }
    let to = to.map_or(head, |to| to.min(head));
    if from >= to {
        return Ok(Range { ops: Vec::new(), next: None });
    }
    let place = Place { doc, history: row.history };
    let ops = state.documents.ops(place, head, (from, to), limit.unwrap_or(PAGE).min(PAGE)).await?;
    let last = ops.last().map(|op| op.version);
    Ok(Range { ops, next: last.filter(|last| *last < to) })
}

impl Range {
    /// Writes the page. Deltas go from the log into it without being read.
    fn write(&self, name: &str, with_deltas: bool) -> Vec<u8> {
        let deltas: usize = self.ops.iter().map(|op| op.delta.len()).sum();
        let mut out = Vec::with_capacity(self.ops.len() * 160 + if with_deltas { deltas } else { 0 } + 32);
        // Writing into a vector cannot fail.
        let _ = write!(out, "{{\"{name}\":[");
        for (i, op) in self.ops.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_op(&mut out, op, with_deltas);
        }
        out.push(b']');
        if let Some(next) = self.next {
            let _ = write!(out, ",\"next\":{next}");
        }
        out.push(b'}');
        out
    }
}

fn write_op(out: &mut Vec<u8>, op: &LoggedOp, with_delta: bool) {
    let _ = write!(out, r#"{{"version":{},"client":"{}","seq":{},"user":"#, op.version, op.client, op.seq);
    let _ = serde_json::to_writer(&mut *out, op.user.as_str());
    let _ = write!(out, r#","at":{}"#, op.at);
    if with_delta {
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(&op.delta);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::ids::UserId;

    const CLIENT: &str = "00000000-0000-4000-8000-00000000000a";

    #[test]
    fn the_idempotency_key_names_client_and_number() {
        let read = |key: &str| {
            let pair = (HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key).unwrap());
            idempotency_key(&std::iter::once(pair).collect())
        };
        let expected = Some((CLIENT.parse().unwrap(), 7));
        for good in [format!("{CLIENT}:7"), format!("\"{}:7\"", CLIENT.to_uppercase())] {
            assert_eq!(read(&good).unwrap(), expected, "{good}");
        }
        for bad in [
            "",
            CLIENT,
            "a:1",
            &format!("{CLIENT}:0"),
            &format!("{CLIENT}:-1"),
            &format!("{CLIENT}:9007199254740992"),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_page_passes_deltas_on_as_they_are() {
        let op = |version| LoggedOp {
            version,
            client: CLIENT.parse().unwrap(),
            seq: version,
            user: UserId("a\"b".into()),
            at: 5,
            delta: "[{\"insert\":\"é\"}]".into(),
        };
        let range = Range { ops: vec![op(1), op(2)], next: Some(2) };
        let read = |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        let page = read(range.write("ops", true));
        assert_eq!(page["ops"][1]["delta"], json!([{"insert": "é"}]));
        assert_eq!(page["ops"][0]["user"], "a\"b");
        assert_eq!(page["next"], 2);
        assert!(read(range.write("versions", false))["versions"][0].get("delta").is_none());
        assert_eq!(Range { ops: vec![], next: None }.write("ops", true), b"{\"ops\":[]}");
    }

    #[test]
    fn an_operation_is_a_delta_or_an_edit() {
        let read = |body: &str| delta_of(&Members::read(body.as_bytes()).unwrap(), 10, &AllowedFormats::Any);
        assert!(read(r#"{"delta":[{"insert":"a"}]}"#).is_ok());
        assert!(read(r#"{"edit":{"type":"insert","pos":0,"text":"a"},"delta":null}"#).is_ok());
        for (bad, code) in [
            ("{}", ErrorCode::BadRequest),
            (r#"{"delta":[],"edit":{}}"#, ErrorCode::BadRequest),
            (r#"{"delta":[{"retain":-1}]}"#, ErrorCode::BadOp),
            (r#"{"edit":{"type":"insert"}}"#, ErrorCode::BadOp),
        ] {
            assert_eq!(read(bad).unwrap_err().refusal().code, code, "{bad}");
        }
    }
}
