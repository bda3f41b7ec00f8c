//! Comments: what is said about a document beside its text. Plain text only; whoever shows it escapes it.

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Action;
use crate::actors::error::ErrorCode;
use crate::actors::service::{About, NewComment};
use crate::actors::session::frames::whole_number;
use crate::http::access::permitted;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::conditions::{self, Repeatable};
use crate::http::openapi::{CommentPatchBody, IdempotencyKey, IfMatch, NewCommentBody, ReplyBody};
use crate::http::pages::PageParameters;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Millis, UserId, Version};
use crate::storage::annotations::{Anchor, Comment, CommentPatch};

/// The longest text of a comment, in characters.
const MAX_TEXT_CHARS: usize = 10_000;

/// A comment, or an answer to one.
#[derive(Serialize, ToSchema)]
struct CommentView {
    id: Uuid,
    /// What it answers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Uuid>,
    user: UserId,
    text: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Millis>,
    /// Of the first comment of a thread: whether it is settled, by whom and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<Millis>,
    /// Of the first comment of a thread: what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<AnchorView>,
}

/// A piece of the text at a version, in UTF-16 code units.
#[derive(Serialize, ToSchema)]
struct AnchorView {
    index: u64,
    length: u64,
    version: Version,
    /// The text is gone.
    orphaned: bool,
}

impl From<Comment> for CommentView {
    fn from(comment: Comment) -> Self {
        let (resolved_by, resolved_at) = comment.resolved.clone().unzip();
        Self {
            id: comment.id,
            parent: comment.parent,
            user: comment.user,
            text: comment.text,
            created_at: comment.created_at,
            edited_at: comment.edited_at,
            resolved: comment.anchor.map(|_| comment.resolved.is_some()),
            resolved_by,
            resolved_at,
            anchor: comment.anchor.map(|Anchor { index, length, version }| AnchorView {
                index,
                length,
                version,
                orphaned: length == 0,
            }),
        }
    }
}

/// A page of comments.
#[derive(Serialize, ToSchema)]
struct CommentsPage {
    comments: Vec<CommentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/docs/{id}/comments?cursor=&limit=`: the oldest first, answers among them.
#[utoipa::path(
    get, path = "/v1/docs/{id}/comments", tag = "comments", summary = "List comments, the oldest first",
    params(PageParameters),
    responses((status = 200, description = "A page, with answers among them", body = CommentsPage))
)]
pub async fn list(
    doc: web::Path<DocumentId>,
    page: web::Query<PageParameters>,
    (caller, client): (Caller, Client),
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let permitted = permitted(&state, &caller, &doc, Action::Read).await?;
    let list = async |after, limit| {
        let (asker, head) = (&permitted.asker, permitted.head());
        Ok(state.documents.comments(asker, &doc, head, after, limit).await?)
    };
    let read = |cursor: &str| Uuid::try_parse(cursor).ok();
    let (comments, next) = page.page(read, list, |last: &Comment| last.id.to_string()).await?;
    let comments = comments.into_iter().map(CommentView::from).collect();
    // A page of long ones is some megabytes.
    let page = serde_json::to_vec(&CommentsPage { comments, next }).unwrap_or_default();
    Ok(HttpResponse::Ok().content_type("application/json").body(state.body_for(client, page)?))
}

/// `POST /v1/docs/{id}/comments {"text", "anchor": {"index", "length", "version"?}}`
#[utoipa::path(
    post, path = "/v1/docs/{id}/comments", tag = "comments", summary = "Comment on a piece of text",
    params(IdempotencyKey),
    request_body = NewCommentBody,
    responses((
        status = 201, description = "It is there", body = CommentView,
        headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Changes with it"))
    ))
)]
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, state.sessions.limits.frame_bytes).await?;
    let members = Members::read(&body)?;
    let text = required_text(&members)?;
    let anchor = members.raw("anchor").ok_or_else(|| Problem::bad_request("anchor is missing"))?;
    let anchor = Members::read(anchor.as_bytes())?;
    let permitted = permitted(&state, &caller, &doc, Action::Comment).await?;
    let anchor = Anchor {
        index: number(&anchor, "index")?.ok_or_else(|| Problem::bad_request("anchor.index is missing"))?,
        length: number(&anchor, "length")?.ok_or_else(|| Problem::bad_request("anchor.length is missing"))?,
        version: number(&anchor, "version")?.unwrap_or_else(|| permitted.head()),
    };
    let new = NewComment { user: caller.author(), text, about: About::Text(anchor) };
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let made = state.documents.comment(&permitted.asker, &permitted.row, new, repeat.as_ref()).await?;
    Ok(created(&doc, made))
}

/// `POST /v1/docs/{id}/comments/{comment}/replies {"text"}`
#[utoipa::path(
    post, path = "/v1/docs/{id}/comments/{comment}/replies", tag = "comments", summary = "Answer a comment",
    params(IdempotencyKey),
    request_body = ReplyBody,
    responses((
        status = 201, description = "It is there", body = CommentView,
        headers(("Location" = String, description = "Its address"), ("ETag" = String, description = "Changes with it"))
    ))
)]
pub async fn reply(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(DocumentId, Uuid)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, comment) = path.into_inner();
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, state.sessions.limits.frame_bytes).await?;
    let text = required_text(&Members::read(&body)?)?;
    let permitted = permitted(&state, &caller, &doc, Action::Comment).await?;
    let new = NewComment { user: caller.author(), text, about: About::Comment(comment) };
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let made = state.documents.comment(&permitted.asker, &permitted.row, new, repeat.as_ref()).await?;
    Ok(created(&doc, made))
}

/// `GET /v1/docs/{id}/comments/{comment}`
#[utoipa::path(
    get, path = "/v1/docs/{id}/comments/{comment}", tag = "comments", summary = "Read a comment",
    responses((
        status = 200, description = "The comment", body = CommentView,
        headers(("ETag" = String, description = "Changes with it"))
    ))
)]
pub async fn read(
    path: web::Path<(DocumentId, Uuid)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, comment) = path.into_inner();
    let permitted = permitted(&state, &caller, &doc, Action::Read).await?;
    let comment = state.documents.one_comment(&permitted.asker, &doc, permitted.head(), comment).await?;
    Ok(answer(HttpResponse::Ok(), comment))
}

/// `PATCH /v1/docs/{id}/comments/{comment} {"text"?, "resolved"?}`: the text is changed by its author alone.
#[utoipa::path(
    patch, path = "/v1/docs/{id}/comments/{comment}", tag = "comments", summary = "Settle a comment, or change its text",
    params(IfMatch),
    request_body = CommentPatchBody,
    responses((
        status = 200, description = "As it is then", body = CommentView,
        headers(("ETag" = String, description = "Changes with it"))
    ))
)]
pub async fn change(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(DocumentId, Uuid)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, id) = path.into_inner();
    let body = body::read(&request, payload, state.sessions.limits.frame_bytes).await?;
    let members = Members::read(&body)?;
    let text = members.get::<String>("text")?.map(|text| text_of(&text)).transpose()?;
    let resolved: Option<bool> = members.get("resolved")?;
    if text.is_none() && resolved.is_none() {
        return Err(Problem::bad_request("nothing to change: there is neither text nor resolved"));
    }
    let permitted = permitted(&state, &caller, &doc, Action::Comment).await?;
    let comment = state.documents.one_comment(&permitted.asker, &doc, permitted.head(), id).await?;
    if text.is_some() && comment.user != caller.author() {
        return Err(Problem::new(
            ErrorCode::Forbidden,
            "the text of a comment is changed by its author alone",
        ));
    }
    if resolved.is_some() && comment.parent.is_some() {
        return Err(Problem::bad_request("an answer is settled with the comment that it answers to"));
    }
    let now = state.sessions.clock.now();
    let only = expected(&request, &comment)?;
    let resolved = resolved.filter(|resolved| *resolved != comment.resolved.is_some());
    let resolved = resolved.map(|resolved| resolved.then(|| (caller.author(), now)));
    if text.is_none() && resolved.is_none() {
        return Ok(answer(HttpResponse::Ok(), comment));
    }
    let patch = CommentPatch { text: text.map(|text| (text, now)), resolved, only };
    let changed = state.documents.change_comment(&permitted.asker, &doc, permitted.head(), id, patch).await;
    Ok(answer(HttpResponse::Ok(), changed.map_err(|refusal| conditions::refused(refusal, only.is_some()))?))
}

/// `DELETE /v1/docs/{id}/comments/{comment}`: with its answers, by its author or who looks after the document.
#[utoipa::path(
    delete, path = "/v1/docs/{id}/comments/{comment}", tag = "comments", summary = "Remove a comment with its answers",
    params(IfMatch),
    responses((status = 204, description = "Done"))
)]
pub async fn delete(
    request: HttpRequest,
    path: web::Path<(DocumentId, Uuid)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, id) = path.into_inner();
    let permitted = permitted(&state, &caller, &doc, Action::Comment).await?;
    let comment = state.documents.one_comment(&permitted.asker, &doc, permitted.head(), id).await?;
    if comment.user != caller.author() && !permitted.access.allows(Action::Trash) {
        return Err(Problem::new(
            ErrorCode::Forbidden,
            "a comment is removed by its author or the document's owner",
        ));
    }
    let only = expected(&request, &comment)?;
    let removed = state.documents.remove_comment(&permitted.asker, &doc, id, only).await;
    removed.map_err(|refusal| conditions::refused(refusal, only.is_some()))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Reads which revision is to be changed: the one that there is, or else there is nothing to do.
fn expected(request: &HttpRequest, comment: &Comment) -> Result<Option<u64>, Problem> {
    let named = conditions::if_match(request, &tag(comment), "the comment")?;
    Ok(named.then_some(comment.revision))
}

/// The entity tag of a comment: its anchor moves without anybody having changed it.
fn tag(comment: &Comment) -> String {
    format!("{}-{}", comment.id, comment.revision)
}

fn created(doc: &DocumentId, comment: Comment) -> HttpResponse {
    let location = format!("/v1/docs/{doc}/comments/{}", comment.id);
    let mut response = HttpResponse::Created();
    response.insert_header(("Location", location));
    answer(response, comment)
}

fn answer(mut response: actix_web::HttpResponseBuilder, comment: Comment) -> HttpResponse {
    response.insert_header((ETAG, format!("\"{}\"", tag(&comment))));
    response.json(CommentView::from(comment))
}

fn number(members: &Members<'_>, name: &str) -> Result<Option<u64>, Problem> {
    let read = |text| {
        whole_number(text).ok_or_else(|| Problem::bad_request(format!("anchor.{name} is no whole number")))
    };
    members.raw(name).map(read).transpose()
}

fn required_text(members: &Members<'_>) -> Result<String, Problem> {
    let text = members.required::<String>("text")?;
    text_of(&text)
}

/// Checks a text: some of it is to be seen, and nothing that no document may have is in it.
fn text_of(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return Err(Problem::bad_request(format!("a comment has 1 to {MAX_TEXT_CHARS} characters")));
    }
    if text.contains('\0') {
        return Err(Problem::bad_request("a comment cannot have U+0000 in it"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_trimmed_and_bounded() {
        assert_eq!(text_of(" <b>\nc ").unwrap(), "<b>\nc");
        assert!(text_of(&"é".repeat(10_000)).is_ok());
        for bad in ["", " \n", "a\0", &"x".repeat(10_001)] {
            assert!(text_of(bad).is_err());
        }
    }
}
