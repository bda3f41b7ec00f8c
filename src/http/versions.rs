//! Versions to find again: snapshots on demand, and names.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::access::Action;
use crate::actors::service::KeptVersion;
use crate::actors::session::frames::whole_number;
use crate::http::access::permitted;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::openapi::{MadeVersion, NameBody};
use crate::http::pages::{self, PageParameters};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Millis, UserId, Version};

/// The longest name of a version, in characters.
const MAX_NAME_CHARS: usize = 256;

/// A version that has a name, or is in a snapshot.
#[derive(Serialize, ToSchema)]
struct VersionView {
    version: Version,
    /// When it was made.
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Who has given it the name, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    named_by: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    named_at: Option<Millis>,
    /// Bytes of its snapshot as it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_bytes: Option<u64>,
}

impl From<KeptVersion> for VersionView {
    fn from(kept: KeptVersion) -> Self {
        let KeptVersion { version, at, named, snapshot_bytes } = kept;
        let (name, by) = named.map(|named| (named.name, (named.user, named.at))).unzip();
        let (named_by, named_at) = by.unzip();
        Self { version, at, name, named_by, named_at, snapshot_bytes }
    }
}

/// `POST /v1/docs/{id}/snapshots`: the durable head, in a snapshot when this is answered.
#[utoipa::path(
    post, path = "/v1/docs/{id}/snapshots", tag = "history", summary = "Put the head into a snapshot",
    responses((status = 201, description = "It is written, or was there", body = MadeVersion))
)]
pub async fn snapshot(
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    permitted(&state, &caller, &doc, Action::Rename).await?;
    let version = state.documents.checkpoint(&doc).await?;
    Ok(HttpResponse::Created().json(json!({ "version": version })))
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionsParameters {
    /// Snapshots as well, and not only what has a name.
    #[serde(default)]
    all: bool,
}

/// A page of versions.
#[derive(Serialize, ToSchema)]
struct VersionsPage {
    versions: Vec<VersionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/docs/{id}/versions?all=&cursor=&limit=`: the highest first.
#[utoipa::path(
    get, path = "/v1/docs/{id}/versions", tag = "history", summary = "List versions that have names or snapshots",
    params(VersionsParameters, PageParameters),
    responses((status = 200, description = "A page, the highest first", body = VersionsPage))
)]
pub async fn list(
    doc: web::Path<DocumentId>,
    parameters: web::Query<VersionsParameters>,
    page: web::Query<PageParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let asker = permitted(&state, &caller, &doc, Action::Read).await?.asker;
    let limit = page.limit()?;
    let below: Option<Version> = page.after(|cursor| cursor.parse().ok().filter(|below| *below > 0))?;
    let upto = below.map_or(Version::MAX, |below| below - 1);
    let mut kept = state.documents.kept_versions(&asker, &doc, upto, limit + 1, parameters.all).await?;
    let next = pages::cut(&mut kept, limit, |last| last.version.to_string());
    let versions = kept.into_iter().map(VersionView::from).collect();
    Ok(HttpResponse::Ok().json(VersionsPage { versions, next }))
}

/// `POST /v1/docs/{id}/versions {"name", "version"?}`: gives a version, or the durable head, a name. A version has one; giving
/// it another replaces that.
#[utoipa::path(
    post, path = "/v1/docs/{id}/versions", tag = "history", summary = "Give a version a name",
    request_body = NameBody,
    responses((status = 201, description = "It has the name", body = VersionView))
)]
pub async fn name(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, state.sessions.limits.frame_bytes).await?;
    let members = Members::read(&body)?;
    let name = members.required::<String>("name")?;
    let name = name_of(&name)?;
    let version = version_of(&members, "version")?;
    let permitted = permitted(&state, &caller, &doc, Action::Rename).await?;
    let head = permitted.head();
    let version = version.unwrap_or(head);
    let named = state
        .documents
        .name_version(&permitted.asker, &permitted.row, head, version, (name, caller.author()))
        .await?;
    Ok(HttpResponse::Created().json(VersionView::from(named)))
}

/// Reads a version from a body.
pub fn version_of(members: &Members<'_>, name: &str) -> Result<Option<Version>, Problem> {
    let read =
        |text| whole_number(text).ok_or_else(|| Problem::bad_request(format!("{name} is not a version")));
    members.raw(name).map(read).transpose()
}

fn name_of(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let message = format!("a name is one line of 1 to {MAX_NAME_CHARS} characters");
        return Err(Problem::bad_request(message));
    }
    Ok(name.to_owned())
}

/// `DELETE /v1/docs/{id}/versions/{version}`: takes the name away. The version stays what it is.
#[utoipa::path(
    delete, path = "/v1/docs/{id}/versions/{version}", tag = "history", summary = "Take the name of a version away",
    responses((status = 204, description = "Done"))
)]
pub async fn forget(
    path: web::Path<(DocumentId, Version)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, version) = path.into_inner();
    let asker = permitted(&state, &caller, &doc, Action::Rename).await?.asker;
    state.documents.forget_name(&asker, &doc, version).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_trimmed_line() {
        assert_eq!(name_of(" v1.0 \n").unwrap(), "v1.0");
        for bad in ["", "  ", "a\nb", &"x".repeat(257)] {
            assert!(name_of(bad).is_err(), "{bad}");
        }
    }
}
