//! Groups of people.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::store_error;
use super::rows::{self, integer, text_of};
use super::sessions::{Session, Sessions, Sight, statement};
use crate::ids::UserId;
use crate::storage::StoreError;
use crate::storage::permissions::{
    Asker, Group, GroupId, MAX_GROUPS, MAX_MEMBERS, Member, no_group, no_manager, sql, too_many,
};

/// Functions of the schema (migration 0033): whoever calls them need not see the group or its documents.
const TOUCH: &str = "SELECT touch_group($1)";
const COUNT_CHANGES: &str = "SELECT count_changes_of_group($1)";

pub(super) async fn create(session: &mut Session, group: &Group) -> Result<(), StoreError> {
    let create = statement(sql::CREATE_GROUP)
        .bind(group.id.to_string())
        .bind(text_of(&group.name))
        .bind(group.made_by.as_str())
        .bind(group.made_at);
    session.run(create).await.map_err(store_error)?;
    let (user, by) = (group.made_by.clone(), group.made_by.clone());
    let maker = Member { user, manager: true, added_by: by, added_at: group.made_at };
    set_member(session, group.id, &maker).await
}

pub(super) async fn read(
    sessions: &Sessions,
    asker: &Asker,
    group: GroupId,
) -> Result<Option<(Group, Vec<Member>)>, sqlx::Error> {
    let id = group.to_string();
    let mut session = sessions.begin_in(asker, group).await?;
    let row = session.row(statement(sql::READ_GROUP).bind(&id)).await?;
    let members = session.rows(statement(sql::LIST_MEMBERS).bind(&id)).await?;
    session.commit().await?;
    let Some(row) = row else { return Ok(None) };
    let members = members.iter().map(read_member).collect::<Result<_, _>>()?;
    Ok(Some((read_group(&row)?, members)))
}

pub(super) async fn list(
    sessions: &Sessions,
    user: &UserId,
    after: Option<GroupId>,
    limit: usize,
) -> Result<Vec<(Group, bool)>, sqlx::Error> {
    let after = after.map(|group| group.to_string()).unwrap_or_default();
    let list = statement(sql::LIST_GROUPS).bind(user.as_str()).bind(after).bind(integer(limit as u64));
    let found = sessions.rows_as_seen(Sight::of_list(user, false), list).await?;
    found.iter().map(|row| Ok((read_group(row)?, row.try_get("manager")?))).collect()
}

/// Locks a group; tells whether there is one.
pub(super) async fn touch(session: &mut Session, group: GroupId) -> Result<bool, sqlx::Error> {
    let touched = session.row(statement(TOUCH).bind(group.to_string())).await?;
    touched.map_or(Ok(false), |row| row.try_get(0))
}

pub(super) async fn delete(session: &mut Session, group: GroupId) -> Result<bool, sqlx::Error> {
    if !touch(session, group).await? {
        return Ok(false);
    }
    count_changes(session, group).await?;
    for part in sql::DELETE_GROUP {
        session.run(statement(part).bind(group.to_string())).await?;
    }
    Ok(!touch(session, group).await?)
}

pub(super) async fn set_member(
    session: &mut Session,
    group: GroupId,
    member: &Member,
) -> Result<(), StoreError> {
    if !touch(session, group).await.map_err(store_error)? {
        return Err(no_group());
    }
    let user = &member.user;
    if !member.manager
        && is_member(session, group, user).await?
        && count(session, sql::COUNT_OTHER_MANAGERS, group, user).await? == 0
    {
        return Err(no_manager());
    }
    if count(session, sql::COUNT_OTHER_MEMBERS, group, user).await? >= MAX_MEMBERS {
        return Err(too_many("members of this group", MAX_MEMBERS));
    }
    let groups = statement(sql::COUNT_OTHER_GROUPS).bind(user.as_str()).bind(group.to_string());
    if session.count(groups).await.map_err(store_error)? >= MAX_GROUPS {
        return Err(too_many("groups of this user", MAX_GROUPS));
    }
    let set = statement(sql::SET_MEMBER)
        .bind(group.to_string())
        .bind(user.as_str())
        .bind(member.manager)
        .bind(member.added_by.as_str())
        .bind(member.added_at);
    session.run(set).await.map_err(store_error)?;
    count_changes(session, group).await.map_err(store_error)
}

pub(super) async fn remove_member(
    session: &mut Session,
    group: GroupId,
    user: &UserId,
) -> Result<bool, StoreError> {
    touch(session, group).await.map_err(store_error)?;
    if !is_member(session, group, user).await? {
        return Ok(false);
    }
    if count(session, sql::COUNT_OTHER_MANAGERS, group, user).await? == 0 {
        return Err(no_manager());
    }
    let remove = statement(sql::REMOVE_MEMBER).bind(group.to_string()).bind(user.as_str());
    let removed = session.run(remove).await.map_err(store_error)?;
    count_changes(session, group).await.map_err(store_error)?;
    Ok(removed > 0)
}

async fn is_member(session: &mut Session, group: GroupId, user: &UserId) -> Result<bool, StoreError> {
    let found = statement(sql::IS_MEMBER).bind(group.to_string()).bind(user.as_str());
    let found = session.row(found).await.map_err(store_error)?;
    found.map_or(Ok(false), |row| row.try_get(0)).map_err(store_error)
}

async fn count(
    session: &mut Session,
    count: &'static str,
    group: GroupId,
    user: &UserId,
) -> Result<u64, StoreError> {
    let count = statement(count).bind(group.to_string()).bind(user.as_str());
    session.count(count).await.map_err(store_error)
}

async fn count_changes(session: &mut Session, group: GroupId) -> Result<(), sqlx::Error> {
    session.rows(statement(COUNT_CHANGES).bind(group.to_string())).await.map(|_| ())
}

fn read_group(row: &PgRow) -> Result<Group, sqlx::Error> {
    Ok(Group {
        id: GroupId(rows::uuid(row, "id")?),
        name: row.try_get("name")?,
        made_by: rows::user_id(row, "made_by")?,
        made_at: row.try_get("made_at")?,
    })
}

fn read_member(row: &PgRow) -> Result<Member, sqlx::Error> {
    Ok(Member {
        user: rows::user_id(row, "user_id")?,
        manager: row.try_get("manager")?,
        added_by: rows::user_id(row, "added_by")?,
        added_at: row.try_get("added_at")?,
    })
}
