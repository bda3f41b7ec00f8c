//! The audit log read by administrators.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::actors::error::ErrorCode;
use crate::http::auth::Caller;
use crate::http::pages::{self, PageParameters};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::Millis;
use crate::storage::audit::{AuditQuery, AuditRecord};

/// Records on a page, unless asked otherwise, and at most.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

/// Which records to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditParameters {
    actor: Option<String>,
    subject: Option<String>,
    action: Option<String>,
    #[param(value_type = Option<i64>)]
    from: Option<Millis>,
    #[param(value_type = Option<i64>)]
    to: Option<Millis>,
    /// `next` of the page before; the first page without it.
    cursor: Option<String>,
    /// Records on the page: 100 without it, and at most 1000.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

/// A record as REST and `quire audit export` show it.
#[derive(Serialize, ToSchema)]
pub struct RecordView<'a> {
    chain: &'a str,
    n: u64,
    at: Millis,
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    action: &'a str,
    subject: &'a str,
    outcome: &'a str,
    #[schema(value_type = Object)]
    details: &'a RawValue,
    previous: String,
    hash: String,
}

impl<'a> RecordView<'a> {
    /// Shows a record; one whose details somebody has changed into no JSON is shown without them.
    pub fn of(record: &'a AuditRecord) -> Self {
        Self {
            chain: &record.chain,
            n: record.n,
            at: record.at,
            actor: &record.actor,
            address: record.address.as_deref(),
            action: &record.action,
            subject: &record.subject,
            outcome: &record.outcome,
            details: serde_json::from_str(&record.details).unwrap_or(RawValue::NULL),
            previous: hex::encode(record.previous),
            hash: hex::encode(record.hash),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
struct Page<'a> {
    records: Vec<RecordView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/admin/audit?actor=&subject=&action=&from=&to=&cursor=&limit=`: the newest first.
#[utoipa::path(
    get, path = "/v1/admin/audit", tag = "administration", summary = "List records of the audit log, the newest first",
    params(AuditParameters),
    responses((status = 200, description = "A page", body = Page))
)]
pub async fn list(
    caller: Caller,
    parameters: web::Query<AuditParameters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    caller.require_admin()?;
    let AuditParameters { actor, subject, action, from, to, cursor, limit } = parameters.into_inner();
    let limit = match limit {
        Some(0) => return Err(Problem::bad_request("limit begins at 1")),
        given => given.unwrap_or(PAGE).min(MAX_PAGE),
    };
    let after = PageParameters { cursor, limit: None }.after(read_cursor)?;
    let log = state.audit_log.as_ref();
    let log = log.ok_or_else(|| Problem::new(ErrorCode::Unavailable, "this server keeps no audit log"))?;
    // One more than the page, to know whether there is a next one.
    let query = AuditQuery { actor, subject, action, from, to, after, limit: limit + 1 };
    let mut records = log.find_audit(&query).await.map_err(crate::actors::error::Refusal::from)?;
    let next = pages::cut(&mut records, limit, |last| format!("{}.{}.{}", last.at, last.n, last.chain));
    let records = records.iter().map(RecordView::of).collect();
    Ok(HttpResponse::Ok().json(Page { records, next }))
}

/// Reads a cursor that [`list`] made.
fn read_cursor(cursor: &str) -> Option<(Millis, String, u64)> {
    let mut parts = cursor.splitn(3, '.');
    let mut next = || parts.next();
    let (at, n) = (next()?.parse().ok()?, next()?.parse().ok()?);
    Some((at, next()?.to_owned(), n))
}
