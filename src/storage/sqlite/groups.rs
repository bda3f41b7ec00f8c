//! Groups of people.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::bulk::integer;
use super::error::store_error;
use super::rows;
use crate::ids::UserId;
use crate::storage::StoreError;
use crate::storage::permissions::{
    Group, GroupId, MAX_GROUPS, MAX_MEMBERS, Member, no_group, no_manager, sql, too_many,
};

const COUNT_CHANGES: &str = "UPDATE documents SET access_changes = access_changes + 1
    WHERE id IN (SELECT doc_id FROM permissions WHERE kind = 'group' AND subject = $1)";
const IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM user_groups WHERE id = $1)";

pub(super) async fn create(conn: &mut SqliteConnection, group: &Group) -> Result<(), StoreError> {
    let create = sqlx::query(sql::CREATE_GROUP)
        .bind(group.id.to_string())
        .bind(&group.name)
        .bind(group.made_by.as_str())
        .bind(group.made_at);
    create.execute(&mut *conn).await.map_err(store_error)?;
    let (user, by) = (group.made_by.clone(), group.made_by.clone());
    let maker = Member { user, manager: true, added_by: by, added_at: group.made_at };
    set_member(conn, group.id, &maker).await
}

pub(super) async fn read(
    readers: &SqlitePool,
    group: GroupId,
) -> Result<Option<(Group, Vec<Member>)>, sqlx::Error> {
    let id = group.to_string();
    let Some(row) = sqlx::query(sql::READ_GROUP).bind(&id).fetch_optional(readers).await? else {
        return Ok(None);
    };
    let members = sqlx::query(sql::LIST_MEMBERS).bind(&id).fetch_all(readers).await?;
    let members = members.iter().map(read_member).collect::<Result<_, _>>()?;
    Ok(Some((read_group(&row)?, members)))
}

pub(super) async fn list(
    readers: &SqlitePool,
    user: &UserId,
    after: Option<GroupId>,
    limit: usize,
) -> Result<Vec<(Group, bool)>, sqlx::Error> {
    let after = after.map(|group| group.to_string()).unwrap_or_default();
    let found = sqlx::query(sql::LIST_GROUPS).bind(user.as_str()).bind(after).bind(integer(limit as u64));
    let found = found.fetch_all(readers).await?;
    found.iter().map(|row| Ok((read_group(row)?, row.try_get("manager")?))).collect()
}

/// Tells whether there is such a group.
pub(super) async fn is_there(conn: &mut SqliteConnection, group: GroupId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(IS_THERE).bind(group.to_string()).fetch_one(conn).await
}

pub(super) async fn rename(
    conn: &mut SqliteConnection,
    group: GroupId,
    name: &str,
) -> Result<bool, sqlx::Error> {
    let renamed = sqlx::query(sql::RENAME_GROUP).bind(group.to_string()).bind(name).execute(conn).await?;
    Ok(renamed.rows_affected() > 0)
}

pub(super) async fn delete(conn: &mut SqliteConnection, group: GroupId) -> Result<bool, sqlx::Error> {
    count_changes(conn, group).await?;
    let mut deleted = 0;
    for part in sql::DELETE_GROUP {
        deleted = sqlx::query(part).bind(group.to_string()).execute(&mut *conn).await?.rows_affected();
    }
    Ok(deleted > 0)
}

pub(super) async fn set_member(
    conn: &mut SqliteConnection,
    group: GroupId,
    member: &Member,
) -> Result<(), StoreError> {
    if !is_there(conn, group).await.map_err(store_error)? {
        return Err(no_group());
    }
    let user = &member.user;
    if !member.manager
        && is_member(conn, group, user).await?
        && count(conn, sql::COUNT_OTHER_MANAGERS, group, user).await? == 0
    {
        return Err(no_manager());
    }
    if count(conn, sql::COUNT_OTHER_MEMBERS, group, user).await? >= integer(MAX_MEMBERS) {
        return Err(too_many("members of this group", MAX_MEMBERS));
    }
    let groups = sqlx::query_scalar::<_, i64>(sql::COUNT_OTHER_GROUPS).bind(user.as_str());
    let groups = groups.bind(group.to_string()).fetch_one(&mut *conn).await.map_err(store_error)?;
    if groups >= integer(MAX_GROUPS) {
        return Err(too_many("groups of this user", MAX_GROUPS));
    }
    let set = sqlx::query(sql::SET_MEMBER)
        .bind(group.to_string())
        .bind(user.as_str())
        .bind(member.manager)
        .bind(member.added_by.as_str())
        .bind(member.added_at);
    set.execute(&mut *conn).await.map_err(store_error)?;
    count_changes(conn, group).await.map_err(store_error)
}

pub(super) async fn remove_member(
    conn: &mut SqliteConnection,
    group: GroupId,
    user: &UserId,
) -> Result<bool, StoreError> {
    if !is_member(conn, group, user).await? {
        return Ok(false);
    }
    if count(conn, sql::COUNT_OTHER_MANAGERS, group, user).await? == 0 {
        return Err(no_manager());
    }
    let remove = sqlx::query(sql::REMOVE_MEMBER).bind(group.to_string()).bind(user.as_str());
    remove.execute(&mut *conn).await.map_err(store_error)?;
    count_changes(conn, group).await.map_err(store_error)?;
    Ok(true)
}

async fn is_member(conn: &mut SqliteConnection, group: GroupId, user: &UserId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar::<_, bool>(sql::IS_MEMBER).bind(group.to_string()).bind(user.as_str());
    found.fetch_one(conn).await.map_err(store_error)
}

async fn count(
    conn: &mut SqliteConnection,
    count: &'static str,
    group: GroupId,
    user: &UserId,
) -> Result<i64, StoreError> {
    let counted = sqlx::query_scalar(count).bind(group.to_string()).bind(user.as_str()).fetch_one(conn);
    counted.await.map_err(store_error)
}

async fn count_changes(conn: &mut SqliteConnection, group: GroupId) -> Result<(), sqlx::Error> {
    sqlx::query(COUNT_CHANGES).bind(group.to_string()).execute(conn).await.map(|_| ())
}

fn read_group(row: &SqliteRow) -> Result<Group, sqlx::Error> {
    Ok(Group {
        id: GroupId(rows::uuid(row, "id")?),
        name: row.try_get("name")?,
        made_by: rows::user_id(row, "made_by")?,
        made_at: row.try_get("made_at")?,
    })
}

fn read_member(row: &SqliteRow) -> Result<Member, sqlx::Error> {
    Ok(Member {
        user: rows::user_id(row, "user_id")?,
        manager: row.try_get("manager")?,
        added_by: rows::user_id(row, "added_by")?,
        added_at: row.try_get("added_at")?,
    })
}
