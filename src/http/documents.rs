//! Documents themselves: made, listed, read, renamed, archived, put into the trash and out of it.
//!
//! A document in the trash is as if it were not there (404, with `deleted_at` in the problem), so that clients stop; it
//! is listed with `trashed=true`, `PATCH {"deleted":false}` brings it back, and `DELETE ?purge=true` ends it.

use std::sync::atomic::Ordering;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Action;
use crate::actors::service::{CreateDocument, Live, stopping};
use crate::actors::session::frames::{refuse_delta, refuse_format};
use crate::formats::AllowedFormats;
use crate::http::access::{Permitted, permitted, permitted_even_in_trash};
use crate::http::address::Client;
use crate::http::auth::{Caller, require_may_create};
use crate::http::body::{self, Members};
use crate::http::conditions::{self, Repeatable};
use crate::http::forward;
use crate::http::openapi::{DocumentPatchBody, IdempotencyKey, IfMatch, NewDocumentBody};
use crate::http::pages::{self, PageParameters};
use crate::http::problem::Problem;
use crate::http::rates;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, HistoryId, Millis, UserId, Version};
use crate::ot::{Delta, DeltaError, ParseLimits};
use crate::protocol::Role;
use crate::storage::annotations::Repeat;
use crate::storage::{DocumentPatch, DocumentRow, ListQuery, Scope, Settings, Viewer};

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 256;

/// What a document without a title is called.
const UNTITLED: &str = "Untitled";

/// The longest text to search for, in characters.
const MAX_QUERY_CHARS: usize = 200;

/// A document as REST shows it.
#[derive(Serialize, ToSchema)]
struct DocumentView {
    id: DocumentId,
    title: String,
    history: HistoryId,
    version: Version,
    snapshot_version: Version,
    owner: UserId,
    created_at: Millis,
    updated_at: Millis,
    preview: String,
    people: Vec<PersonView>,
    sessions: usize,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Millis>,
}

#[derive(Serialize, ToSchema)]
struct PersonView {
    id: UserId,
    name: String,
    color: String,
}

impl DocumentView {
    /// Joins a row with what its live actor knows beyond it.
    fn new(row: DocumentRow, live: Option<Live>) -> Self {
        let mut view = Self {
            id: row.id,
            title: row.title,
            history: row.history,
            version: row.version,
            snapshot_version: row.snapshot_version,
            owner: row.owner,
            created_at: row.created_at,
            updated_at: row.updated_at,
            preview: row.preview,
            people: Vec::new(),
            sessions: 0,
            archived: row.archived,
            deleted_at: row.deleted_at,
        };
        if let Some(live) = live {
            // The row was read first: whatever differs is newer here.
            view.version = view.version.max(live.version);
            view.updated_at = view.updated_at.max(live.at);
            view.preview = live.preview;
            view.sessions = live.sessions;
            let person = |person: crate::actors::service::Person| PersonView {
                id: person.id,
                name: person.name,
                color: person.color,
            };
            view.people = live.people.into_iter().map(person).collect();
        }
        view
    }
}

/// `POST /v1/docs {"title"?, "content"?, "id"?}`
#[utoipa::path(
    post, path = "/v1/docs", tag = "documents", summary = "Make a document",
    params(IdempotencyKey),
    request_body = NewDocumentBody,
    responses((
        status = 201, description = "It is made, with its content", body = DocumentView,
        headers(("Location" = String, description = "Its address"))
    ))
)]
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    require_may_create(&state.security, &caller).await?;
    let limits = &state.sessions.limits;
    // Content may fill a document, and what is around it is small.
    let largest =
        usize::try_from(limits.document_bytes).unwrap_or(usize::MAX).saturating_add(limits.frame_bytes);
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, largest).await?;
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let members = Members::read(&body)?;
    let title = members.get::<String>("title")?;
    let id: Option<DocumentId> = members.get("id")?;
    if state.forwarder.is_some() {
        // Where it will be: an id says so, or the key of a document that may have been made already.
        let repeated = repeat.as_ref().map(Repeat::shard);
        let shard = id.as_ref().map(DocumentId::shard).or(repeated);
        let shard = shard.unwrap_or_else(|| state.documents.fresh_id().shard());
        if let Some(made) = forward::make_elsewhere(&state, &request, shard, &body).await {
            return Ok(made);
        }
    }
    let new = CreateDocument {
        id,
        title: title_of(title.as_deref().unwrap_or_default())?,
        link: if caller.author().is_guest() { Some(Role::Editor) } else { state.link_role },
        content: members
            .raw("content")
            .map(|text| initial_content(text, limits.ops, &state.sessions.formats))
            .transpose()?
            .flatten(),
        owner: caller.author(),
    };
    let row = match repeat {
        Some(repeat) => state.documents.create_once(new, &repeat).await?,
        None => state.documents.create(new).await?,
    };
    let location = format!("/v1/docs/{}", row.id);
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(DocumentView::new(row, None)))
}

/// Reads initial content; content that is empty is none.
pub fn initial_content(text: &str, ops: usize, formats: &AllowedFormats) -> Result<Option<Delta>, Problem> {
    let delta = Delta::parse(text, &ParseLimits { ops }).map_err(|error| refuse_delta(&error))?;
    // As it was sent: the normal form would have dropped a retain at the end.
    let inserts_only = serde_json::from_str::<Parts>(text).is_ok_and(|parts| parts.all_insert());
    if !inserts_only || !delta.is_document() {
        return Err(refuse_delta(&DeltaError::NotADocument).into());
    }
    formats.check(&delta).map_err(|why| refuse_format(&why))?;
    Ok(Some(delta).filter(|delta| !delta.is_empty()))
}

/// The parts of a delta, as far as it matters whether each is an insert.
#[derive(Deserialize)]
#[serde(untagged)]
enum Parts {
    List(Vec<Part>),
    Wrapped { ops: Vec<Part> },
}

#[derive(Deserialize)]
struct Part {
    insert: Option<serde::de::IgnoredAny>,
}

impl Parts {
    fn all_insert(&self) -> bool {
        let (Self::List(parts) | Self::Wrapped { ops: parts }) = self;
        parts.iter().all(|part| part.insert.is_some())
    }
}

/// Checks a title, and gives one to a document that has none.
fn title_of(text: &str) -> Result<String, Problem> {
    let title = text.trim();
    if title.chars().count() > MAX_TITLE_CHARS {
        return Err(Problem::bad_request(format!("a title has at most {MAX_TITLE_CHARS} characters")));
    }
    if title.chars().any(char::is_control) {
        return Err(Problem::bad_request("a title is one line without control characters"));
    }
    Ok(if title.is_empty() { UNTITLED.to_owned() } else { title.to_owned() })
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    query: Option<String>,
    #[serde(default)]
    trashed: bool,
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
#[schema(as = DocumentsPage)]
struct Page {
    docs: Vec<DocumentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/docs?query=&cursor=&limit=&trashed=`
#[utoipa::path(
    get, path = "/v1/docs", tag = "documents", summary = "List documents, recently changed first",
    params(ListParameters, PageParameters),
    responses((status = 200, description = "A page", body = Page))
)]
pub async fn list(
    caller: Caller,
    parameters: web::Query<ListParameters>,
    page: web::Query<PageParameters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let ListParameters { query, trashed } = parameters.into_inner();
    let limit = page.limit()?;
    let text = query.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_QUERY_CHARS) {
        return Err(Problem::bad_request(format!("query has at most {MAX_QUERY_CHARS} characters")));
    }
    let after = page.after(read_cursor)?;
    // One more than the page, to know whether there is a next one.
    let viewer = Viewer { user: caller.author(), now: state.sharing.now() };
    let scope = match state.link_role {
        _ if caller.admin => Scope::All,
        // What is in the trash is nobody's but theirs who may take it out.
        Some(_) if !trashed => Scope::OfAndLinked(viewer),
        Some(_) | None => Scope::Of(viewer),
    };
    let query = ListQuery { text, trashed, scope, after, limit: limit + 1 };
    let mut rows = state.documents.list(&query).await?;
    let next = pages::cut(&mut rows, limit, |(row, _)| format!("{}.{}", row.updated_at, row.id));
    let mut docs: Vec<DocumentView> =
        rows.into_iter().map(|(row, live)| DocumentView::new(row, live)).collect();
    // Rows are a little behind what live documents know.
    docs.sort_by_key(|doc| std::cmp::Reverse(doc.updated_at));
    Ok(HttpResponse::Ok().json(Page { docs, next }))
}

/// Reads a cursor that [`list`] made: where the page before ended.
fn read_cursor(cursor: &str) -> Option<(Millis, DocumentId)> {
    let (at, id) = cursor.split_once('.')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

/// A document and what may be done with it.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenedDocument)]
struct Opened {
    metadata: DocumentView,
    /// Where to read the content as it is now, relative to this server.
    snapshot_url: String,
    permissions: Permissions,
}

/// What the caller may do, and what whoever has the address may, while the document is not archived.
#[derive(Serialize, ToSchema)]
struct Permissions {
    role: Option<Role>,
    /// `null` for nothing.
    link: Option<Role>,
    /// Each by its name.
    actions: Vec<&'static str>,
}

/// `GET /v1/docs/{id}`: also what a client asks whose handshake has failed (protocol section 2), so it answers as that
/// would.
#[utoipa::path(
    get, path = "/v1/docs/{id}", tag = "documents", summary = "Read a document's metadata",
    responses((
        status = 200, description = "The document, and what its reader may do", body = Opened,
        headers(("ETag" = String, description = "Of what PATCH changes"))
    ))
)]
pub async fn read(
    doc: web::Path<DocumentId>,
    caller: Caller,
    client: Client,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    if state.draining.load(Ordering::Relaxed) {
        return Err(stopping().into());
    }
    let Permitted { row, live, access, .. } = permitted(&state, &caller, &doc, Action::Read).await?;
    let actions = Action::ALL.into_iter().filter(|action| access.allows(*action)).map(Action::as_str);
    let permissions = Permissions { role: access.shown(), link: row.link, actions: actions.collect() };
    let tag = format!("\"{}\"", tag(&row));
    rates::may_open(state.limiter(), &caller, client, &doc)?;
    let metadata = DocumentView::new(row, live);
    Ok(HttpResponse::Ok().insert_header((header::ETAG, tag)).json(Opened {
        snapshot_url: format!("/v1/docs/{doc}/content?version={}", metadata.version),
        permissions,
        metadata,
    }))
}

/// `PATCH /v1/docs/{id} {"title"?, "archived"?, "deleted"?}`
#[utoipa::path(
    patch, path = "/v1/docs/{id}", tag = "documents", summary = "Rename, archive, take out of the trash",
    params(IfMatch),
    request_body = DocumentPatchBody,
    responses((
        status = 200, description = "As it is then", body = DocumentView,
        headers(("ETag" = String, description = "Of what PATCH changes"))
    ))
)]
pub async fn change(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, state.sessions.limits.frame_bytes).await?;
    let members = Members::read(&body)?;
    let title = members.get::<String>("title")?.map(|title| title_of(&title)).transpose()?;
    let (archived, deleted) = (members.get("archived")?, members.get("deleted")?);
    if title.is_none() && archived.is_none() && deleted.is_none() {
        return Err(Problem::bad_request("nothing to change: there is neither title, archived nor deleted"));
    }
    let permitted = if deleted == Some(false) {
        permitted_even_in_trash(&state, &caller, &doc, Action::Trash).await?
    } else {
        permitted(&state, &caller, &doc, Action::Read).await?
    };
    let asked = [
        (title.is_some(), Action::Rename),
        (archived.is_some(), Action::Archive),
        (deleted.is_some(), Action::Trash),
    ];
    for (_, action) in asked.into_iter().filter(|(is_asked, _)| *is_asked) {
        permitted.check(action)?;
    }
    let Permitted { row: before, live, asker, .. } = permitted;
    let only = conditions::if_match(&request, &tag(&before), "the document")?.then(|| before.settings());
    let now = state.sessions.clock.now();
    let deleted_at = deleted.map(|deleted: bool| deleted.then_some(now));
    // A new title is news to whoever looks at the list; archiving and the trash are not.
    let updated_at =
        title.as_ref().filter(|title| **title != before.title).map(|_| now.max(before.updated_at));
    let has_condition = only.is_some();
    let patch = DocumentPatch { title, archived, deleted_at, updated_at, only, ..DocumentPatch::default() };
    let row = state.documents.patch(&asker, &doc, patch).await;
    let row = row.map_err(|refusal| conditions::refused(refusal, has_condition))?;
    let tag = format!("\"{}\"", tag(&row));
    Ok(HttpResponse::Ok().insert_header((header::ETAG, tag)).json(DocumentView::new(row, live)))
}

/// The entity tag of a document: of what `PATCH` changes, and not of the text, which has versions.
fn tag(row: &DocumentRow) -> String {
    let Settings { title, archived, deleted_at } = row.settings();
    let said = serde_json::json!([row.history, title, archived, deleted_at]).to_string();
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(said.as_bytes()))
}

/// How to delete.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteParameters {
    #[serde(default)]
    purge: bool,
}

/// `DELETE /v1/docs/{id}?purge=`: into the trash, or for good. Once more changes nothing.
#[utoipa::path(
    delete, path = "/v1/docs/{id}", tag = "documents", summary = "Put a document into the trash, or end it for good",
    params(DeleteParameters),
    responses((status = 204, description = "Done"))
)]
pub async fn delete(
    request: HttpRequest,
    doc: web::Path<DocumentId>,
    parameters: web::Query<DeleteParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let action = if parameters.purge { Action::Purge } else { Action::Trash };
    let Permitted { row, asker, .. } = permitted_even_in_trash(&state, &caller, &doc, action).await?;
    conditions::if_match(&request, &tag(&row), "the document")?;
    if parameters.purge {
        state.documents.purge(&doc).await?;
    } else if row.deleted_at.is_none() {
        let deleted_at = Some(Some(state.sessions.clock.now()));
        state.documents.patch(&asker, &doc, DocumentPatch { deleted_at, ..DocumentPatch::default() }).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_trimmed_line() {
        assert_eq!(title_of("  Plan \n").unwrap(), "Plan");
        assert_eq!(title_of(" ").unwrap(), "Untitled");
        assert_eq!(title_of(&"é".repeat(256)).unwrap().chars().count(), 256);
        for bad in ["a\nb", "a\u{7f}b", &"x".repeat(257)] {
            assert!(title_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cursors_are_read_back() {
        let (at, doc) = read_cursor("1700000000000.a.b~c").unwrap();
        assert_eq!((at, doc.as_str()), (1_700_000_000_000, "a.b~c"));
        for bad in ["", "1", "x.a", "1.", "1.a/b", "99999999999999999999.a"] {
            assert!(read_cursor(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn initial_content_consists_of_inserts() {
        assert!(initial_content(r#"[{"insert":"a"}]"#, 10, &AllowedFormats::Any).unwrap().is_some());
        assert!(initial_content(r#"[{"insert":""}]"#, 10, &AllowedFormats::Any).unwrap().is_none());
        for bad in [
            r#"[{"retain":1},{"insert":"a"}]"#,
            r#"[{"delete":1}]"#,
            "{}",
            r#"[{"insert":"a"},{"insert":"b"}]"#,
        ] {
            assert!(initial_content(bad, 1, &AllowedFormats::Any).is_err(), "{bad}");
        }
    }
}
