//! Groups of people, who are given documents together.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::error::ErrorCode;
use crate::http::auth::Caller;
use crate::http::body::{self, Members};
use crate::http::conditions::Repeatable;
use crate::http::openapi::{GroupBody, IdempotencyKey, MemberBody};
use crate::http::pages::PageParameters;
use crate::http::permissions::{MAX_BODY, user_of};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{Millis, UserId};
use crate::storage::permissions::{Group, GroupId, Member};

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// A group as REST shows it.
#[derive(Serialize, ToSchema)]
struct GroupView {
    id: GroupId,
    name: String,
    made_by: UserId,
    made_at: Millis,
    /// Whether the caller says who is in it.
    manager: bool,
    /// Where one group is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<MemberView>>,
}

#[derive(Serialize, ToSchema)]
struct MemberView {
    user: UserId,
    manager: bool,
    added_by: UserId,
    added_at: Millis,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        let Member { user, manager, added_by, added_at } = member;
        Self { user, manager, added_by, added_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = GroupsPage)]
struct Page {
    groups: Vec<GroupView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<GroupId>,
}

/// A group that the caller may look at.
struct Known {
    group: Group,
    members: Vec<Member>,
    manager: bool,
}

impl Known {
    /// Refuses those who do not manage it.
    fn require_manager(&self) -> Result<(), Problem> {
        let why = "this is for those who manage the group";
        if self.manager { Ok(()) } else { Err(Problem::new(ErrorCode::Forbidden, why)) }
    }

    fn view(self) -> GroupView {
        let Group { id, name, made_by, made_at } = self.group;
        let members = Some(self.members.into_iter().map(MemberView::from).collect());
        GroupView { id, name, made_by, made_at, manager: self.manager, members }
    }
}

/// `POST /v1/groups {"name"}`
#[utoipa::path(
    post, path = "/v1/groups", tag = "groups", summary = "Make a group",
    params(IdempotencyKey),
    request_body = GroupBody,
    responses((
        status = 201, description = "It is made, and its maker manages it", body = GroupView,
        headers(("Location" = String, description = "Its address"))
    ))
)]
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = signed_in(&caller)?;
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let body = body::read(&request, payload, MAX_BODY).await?;
    let name = name_of(&body)?;
    let group = Group { id: GroupId::generate(), name, made_by: user, made_at: state.sharing.now() };
    let repeat = repeatable.map(|repeatable| repeatable.with(&body));
    let id = state.sharing.create_group(&caller.asker(), group, repeat).await?;
    let location = format!("/v1/groups/{id}");
    let made = known(&state, &caller, &id.to_string()).await?.view();
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(made))
}

/// `GET /v1/groups?cursor=&limit=`: those that the caller is in.
#[utoipa::path(
    get, path = "/v1/groups", tag = "groups", summary = "List the groups that the caller is in",
    params(PageParameters),
    responses((status = 200, description = "A page, without members", body = Page))
)]
pub async fn list(
    parameters: web::Query<PageParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let user = signed_in(&caller)?;
    let list = async |after, limit| Ok(state.sharing.groups_of(&user, after, limit).await?);
    let read = |cursor: &str| cursor.parse().ok().map(GroupId);
    let (groups, next) = parameters.page(read, list, |(group, _): &(Group, bool)| group.id).await?;
    let view = |(group, manager): (Group, bool)| {
        let Group { id, name, made_by, made_at } = group;
        GroupView { id, name, made_by, made_at, manager, members: None }
    };
    Ok(HttpResponse::Ok().json(Page { groups: groups.into_iter().map(view).collect(), next }))
}

/// `GET /v1/groups/{id}`
#[utoipa::path(
    get, path = "/v1/groups/{id}", tag = "groups", summary = "Read a group with its members",
    responses((status = 200, description = "The group", body = GroupView))
)]
pub async fn read(
    id: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(known(&state, &caller, &id).await?.view()))
}

/// `PATCH /v1/groups/{id} {"name"}`
#[utoipa::path(
    patch, path = "/v1/groups/{id}", tag = "groups", summary = "Rename a group",
    request_body = GroupBody,
    responses((status = 200, description = "As it is then", body = GroupView))
)]
pub async fn rename(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let name = name_of(&body::read(&request, payload, MAX_BODY).await?)?;
    let mut known = known(&state, &caller, &id).await?;
    known.require_manager()?;
    if !state.sharing.rename_group(&caller.asker(), known.group.id, &name).await? {
        return Err(no_group());
    }
    known.group.name = name;
    Ok(HttpResponse::Ok().json(known.view()))
}

/// `DELETE /v1/groups/{id}`: with all that was granted to it.
#[utoipa::path(
    delete, path = "/v1/groups/{id}", tag = "groups", summary = "Remove a group, with all that was granted to it",
    responses((status = 204, description = "Done"))
)]
pub async fn delete(
    id: web::Path<String>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let known = known(&state, &caller, &id).await?;
    known.require_manager()?;
    if !state.sharing.delete_group(&caller.asker(), known.group.id).await? {
        return Err(no_group());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// `PUT /v1/groups/{id}/members/{user} {"manager"?}`
#[utoipa::path(
    put, path = "/v1/groups/{id}/members/{user}", tag = "groups", summary = "Put somebody into a group",
    request_body = MemberBody,
    responses((status = 200, description = "The member as it is then", body = MemberView))
)]
pub async fn set_member(
    request: HttpRequest,
    payload: web::Payload,
    path: web::Path<(String, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (id, user) = path.into_inner();
    let body = body::read(&request, payload, MAX_BODY).await?;
    let manager = Members::read(&body)?.get("manager")?.unwrap_or(false);
    let user = user_of(&user)?;
    let known = known(&state, &caller, &id).await?;
    known.require_manager()?;
    let before = known.members.into_iter().find(|member| member.user == user);
    let fresh = Member { user, manager, added_by: caller.author(), added_at: state.sharing.now() };
    let member = before.map_or(fresh, |before| Member { manager, ..before });
    state.sharing.set_member(&caller.asker(), known.group.id, member.clone()).await?;
    Ok(HttpResponse::Ok().json(MemberView::from(member)))
}

/// `DELETE /v1/groups/{id}/members/{user}`: also by the member itself.
#[utoipa::path(
    delete, path = "/v1/groups/{id}/members/{user}", tag = "groups", summary = "Take somebody out of a group",
    responses((status = 204, description = "Done"))
)]
pub async fn remove_member(
    path: web::Path<(String, String)>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (id, user) = path.into_inner();
    let user = user_of(&user)?;
    let known = known(&state, &caller, &id).await?;
    if user != caller.author() {
        known.require_manager()?;
    }
    if !state.sharing.remove_member(&caller.asker(), known.group.id, user).await? {
        return Err(Problem::not_found("this user is not in the group"));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Reads a group for one of its members, or for an administrator, who may do what its managers may.
async fn known(state: &HttpState, caller: &Caller, id: &str) -> Result<Known, Problem> {
    let user = signed_in(caller)?;
    let id = id.parse().map(GroupId).map_err(|_| no_group())?;
    let (group, members) = state.sharing.group(&caller.asker(), id).await?.ok_or_else(no_group)?;
    let own = members.iter().find(|member| member.user == user);
    // Whoever is not in it does not learn that it is there.
    if own.is_none() && !caller.admin {
        return Err(no_group());
    }
    let manager = caller.admin || own.is_some_and(|own| own.manager);
    Ok(Known { group, members, manager })
}

fn signed_in(caller: &Caller) -> Result<UserId, Problem> {
    let user = caller.author();
    if user.is_guest() {
        return Err(Problem::unauthorized("groups are for those who have signed in", "Bearer"));
    }
    Ok(user)
}

fn name_of(body: &[u8]) -> Result<String, Problem> {
    let name = Members::read(body)?.required::<String>("name")?.trim().to_owned();
    let chars = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&chars) || name.chars().any(char::is_control) {
        let why = format!("name is not one line of 1 to {MAX_NAME_CHARS} characters");
        return Err(Problem::bad_request(why));
    }
    Ok(name)
}

fn no_group() -> Problem {
    Problem::not_found("there is no such group that this caller is in")
}
