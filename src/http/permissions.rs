//! Who may do what with a document: grants, the link role, and the owner. Share links are next door.

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::access::Action;
use crate::actors::error::ErrorCode;
use crate::http::access::{Permitted, permitted};
use crate::http::auth::{Caller, require_room};
use crate::http::body::{self, Members};
use crate::http::openapi::{GrantBody, LinkBody, LinkRoleView, OwnerBody, OwnerView};
use crate::http::pages::{self, PageParameters};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Millis, UserId};
use crate::protocol::{MAX_INTEGER, Role};
use crate::storage::permissions::{Grant, GroupId, MAX_GRANTS, Subject};

/// The longest id of a user, in bytes.
const MAX_USER_BYTES: usize = 128;

/// The longest body of these calls, in bytes.
pub(super) const MAX_BODY: usize = 4_096;

/// A grant as REST shows it.
#[derive(Serialize, ToSchema)]
struct GrantView {
    /// As in the address of the call that changes it.
    subject: String,
    /// What this server knows a user as.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_by: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Millis>,
}

impl From<Grant> for GrantView {
    fn from(grant: Grant) -> Self {
        Self {
            subject: shown(&grant.subject),
            name: None,
            role: grant.role,
            granted_by: Some(grant.granted_by),
            granted_at: Some(grant.granted_at),
            expires_at: grant.expires_at,
        }
    }
}

/// All that is said of a document, a page of grants at a time.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionsPage)]
struct Page {
    owner: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_name: Option<String>,
    /// `null` for nothing.
    link: Option<Role>,
    permissions: Vec<GrantView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /v1/docs/{id}/permissions?cursor=&limit=`
#[utoipa::path(
    get, path = "/v1/docs/{id}/permissions", tag = "sharing", summary = "List who has been given what",
    params(PageParameters),
    responses((status = 200, description = "A page of grants, with the owner and the link role", body = Page))
)]
pub async fn list(
    doc: web::Path<DocumentId>,
    parameters: web::Query<PageParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let Permitted { row, asker, .. } = permitted(&state, &caller, &doc, Action::Share).await?;
    let limit = parameters.limit()?;
    let after = parameters.after(|cursor| subject_of(cursor).ok())?;
    let mut grants = state.sharing.grants(&asker, &doc, after.as_ref(), limit + 1).await?;
    let next = pages::cut(&mut grants, limit, |last| shown(&last.subject));
    let permissions = try_join_all(grants.into_iter().map(|grant| named(&state, grant))).await?;
    let owner_name = name_of(&state, &row.owner).await?;
    Ok(HttpResponse::Ok().json(Page { owner: row.owner, owner_name, link: row.link, permissions, next }))
}

async fn named(state: &HttpState, grant: Grant) -> Result<GrantView, Problem> {
    let name = match &grant.subject {
        Subject::User(user) => name_of(state, user).await?,
        Subject::Group(_) => None,
    };
    Ok(GrantView { name, ..GrantView::from(grant) })
}

/// Tells what a user is called here, if they have ever come.
async fn name_of(state: &HttpState, user: &UserId) -> Result<Option<String>, Problem> {
    let Some(accounts) = state.security.auth.accounts.as_ref().filter(|_| !user.is_guest()) else {
        return Ok(None);
    };
    Ok(accounts.user(user).await?.map(|row| row.name).filter(|name| !name.is_empty()))
}

/// `GET /v1/docs/{id}/permissions/{subject}`
#[utoipa::path(
    get, path = "/v1/docs/{id}/permissions/{subject}", tag = "sharing", summary = "Read what somebody has been given",
    responses((status = 200, description = "The grant", body = GrantView))
)]
pub async fn read(
    path: web::Path<(DocumentId, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, subject) = path.into_inner();
    let subject = subject_of(&subject)?;
    let Permitted { row, asker, .. } = permitted(&state, &caller, &doc, Action::Share).await?;
    if is_owner(&subject, &row.owner) {
        return Ok(HttpResponse::Ok().json(of_owner(&row.owner)));
    }
    let grants = state.sharing.grants(&asker, &doc, None, MAX_GRANTS as usize).await?;
    let grant = grants.into_iter().find(|grant| grant.subject == subject);
    Ok(HttpResponse::Ok().json(GrantView::from(grant.ok_or_else(|| nothing(&subject))?)))
}

/// `PUT /v1/docs/{id}/permissions/{subject} {"role", "expires_at"?}`
#[utoipa::path(
    put, path = "/v1/docs/{id}/permissions/{subject}", tag = "sharing", summary = "Give somebody a role",
    request_body = GrantBody,
    responses((status = 200, description = "The grant as it is then", body = GrantView))
)]
pub async fn grant(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(DocumentId, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, subject) = path.into_inner();
    let subject = subject_of(&subject)?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    let role = members.required("role")?;
    let expires_at = end_of(&members, &state)?;
    let permitted = permitted(&state, &caller, &doc, Action::Share).await?;
    may_give(&permitted, role)?;
    let owner = &permitted.row.owner;
    if is_owner(&subject, owner) {
        return match (role, expires_at) {
            (Role::Owner, None) => Ok(HttpResponse::Ok().json(of_owner(owner))),
            _ => Err(stays_owner()),
        };
    }
    let grant =
        Grant { subject, role, granted_by: caller.author(), granted_at: state.sharing.now(), expires_at };
    state.sharing.grant(&permitted.asker, &doc, grant.clone()).await?;
    Ok(HttpResponse::Ok().json(GrantView::from(grant)))
}

/// `DELETE /v1/docs/{id}/permissions/{subject}`: also by somebody who wants no part in it any more.
#[utoipa::path(
    delete, path = "/v1/docs/{id}/permissions/{subject}", tag = "sharing", summary = "Take back what somebody has been given",
    responses((status = 204, description = "Done"))
)]
pub async fn revoke(
    path: web::Path<(DocumentId, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (doc, subject) = path.into_inner();
    let subject = subject_of(&subject)?;
    let own = subject == Subject::User(caller.author());
    let action = if own { Action::Read } else { Action::Share };
    let Permitted { row, asker, .. } = permitted(&state, &caller, &doc, action).await?;
    if is_owner(&subject, &row.owner) {
        return Err(stays_owner());
    }
    if !state.sharing.revoke(&asker, &doc, subject.clone()).await? {
        return Err(nothing(&subject));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// `PUT /v1/docs/{id}/link {"role"}`: a role, or `null` or `"none"` for nothing.
#[utoipa::path(
    put, path = "/v1/docs/{id}/link", tag = "sharing", summary = "Say what whoever has the address may do",
    request_body = LinkBody,
    responses((status = 200, description = "As it is then", body = LinkRoleView))
)]
pub async fn set_link(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, MAX_BODY).await?;
    let members = Members::read(&body)?;
    if !members.has("role") {
        return Err(Problem::bad_request("role is missing"));
    }
    let link: Option<Role> = match members.raw("role") {
        Some("\"none\"") | None => None,
        Some(_) => members.get("role")?,
    };
    if link == Some(Role::Owner) {
        return Err(Problem::bad_request("role: an address makes nobody an owner"));
    }
    let permitted = permitted(&state, &caller, &doc, Action::Share).await?;
    if link.is_none() && permitted.access.unowned {
        let why = "a guest's document belongs to nobody: without its link role nobody would have access";
        return Err(Problem::new(ErrorCode::Conflict, why));
    }
    state.sharing.set_link(&permitted.asker, &doc, link).await?;
    Ok(HttpResponse::Ok().json(json!({ "role": link })))
}

/// `PUT /v1/docs/{id}/owner {"user"}`
#[utoipa::path(
    put, path = "/v1/docs/{id}/owner", tag = "sharing", summary = "Give a document to another owner",
    request_body = OwnerBody,
    responses((status = 200, description = "Whose it is then", body = OwnerView))
)]
pub async fn transfer(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, MAX_BODY).await?;
    let to = user_of(&Members::read(&body)?.required::<String>("user")?)?;
    let Permitted { row, asker, .. } = permitted(&state, &caller, &doc, Action::Transfer).await?;
    if to != row.owner {
        require_room(&state.security, &to).await?;
        state.sharing.transfer(&asker, &row, to.clone(), caller.author()).await?;
    }
    Ok(HttpResponse::Ok().json(json!({ "owner": to })))
}

/// Refuses to give a role above one's own.
pub fn may_give(permitted: &Permitted, role: Role) -> Result<(), Problem> {
    if permitted.access.may_give(role) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Forbidden, "nobody gives a role above their own"))
}

/// Reads when something ends, which is not over yet.
pub fn end_of(members: &Members<'_>, state: &HttpState) -> Result<Option<Millis>, Problem> {
    let end: Option<Millis> = members.get("expires_at")?;
    let range = state.sharing.now() + 1..=MAX_INTEGER as Millis;
    if end.is_some_and(|end| !range.contains(&end)) {
        return Err(Problem::bad_request("expires_at is not a time to come, in Unix milliseconds"));
    }
    Ok(end)
}

/// Reads the id of a user who has signed in.
pub fn user_of(text: &str) -> Result<UserId, Problem> {
    let is_id = (1..=MAX_USER_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    let user = UserId(text.into());
    if !is_id {
        return Err(Problem::bad_request("this is not the id of a user"));
    }
    if user.is_guest() {
        return Err(Problem::bad_request("a guest cannot be told from another, and is given nothing"));
    }
    Ok(user)
}

/// Reads the subject of an address: `group:{id}`, or the id of a user, perhaps with `user:` before it.
fn subject_of(text: &str) -> Result<Subject, Problem> {
    match text.split_once(':') {
        Some(("group", id)) => id
            .parse()
            .map(|id| Subject::Group(GroupId(id)))
            .map_err(|_| Problem::not_found("there can be no such group")),
        Some(("user", id)) => user_of(id).map(Subject::User),
        _ => user_of(text).map(Subject::User),
    }
}

/// Returns a subject as [`subject_of`] reads it.
fn shown(subject: &Subject) -> String {
    match subject {
        Subject::Group(group) => format!("group:{group}"),
        Subject::User(user) => match user.as_str().split_once(':') {
            Some(("group" | "user", _)) => format!("user:{user}"),
            _ => user.to_string(),
        },
    }
}

fn is_owner(subject: &Subject, owner: &UserId) -> bool {
    matches!(subject, Subject::User(user) if user == owner)
}

fn of_owner(owner: &UserId) -> GrantView {
    GrantView {
        subject: shown(&Subject::User(owner.clone())),
        name: None,
        role: Role::Owner,
        granted_by: None,
        granted_at: None,
        expires_at: None,
    }
}

fn stays_owner() -> Problem {
    Problem::new(ErrorCode::Conflict, "a document has an owner: give it to another one first")
}

fn nothing(subject: &Subject) -> Problem {
    Problem::not_found(format!("nothing is granted to {}", shown(subject)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_shown_as_they_are_read() {
        let group = GroupId::generate();
        let user = |id: &str| Subject::User(UserId(id.into()));
        for subject in
            [Subject::Group(group), user("ann"), user("group:x"), user("user:group:x"), user("auth0|5:a")]
        {
            assert_eq!(subject_of(&shown(&subject)).unwrap(), subject);
        }
        assert_eq!(shown(&user("ann")), "ann");
        assert_eq!(subject_of("user:ann").unwrap(), user("ann"));
        for bad in ["", "a\nb", "guest:rest", "user:guest:rest", "group:x", "user:", &"x".repeat(129)] {
            assert!(subject_of(bad).is_err(), "{bad}");
        }
    }
}
