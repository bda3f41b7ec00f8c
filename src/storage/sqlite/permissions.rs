//! Grants, links and what is said of people. Groups are next door.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::annotations::taken;
use super::bulk::integer;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::writer::WriterGuard;
use super::{Inner, SqliteStore, groups, rows};
use crate::ids::{DocumentId, Millis, UserId};
use crate::protocol::Role;
use crate::storage::StoreError;
use crate::storage::annotations::{Repeat, Reserved};
use crate::storage::permissions::{
    self, Asker, Grant, Group, GroupId, LinkKey, MAX_GRANTS, MAX_LINKS, Member, Permissions, Requester, Rule,
    Rules, ShareLink, Source, Subject, role_name, sql, too_many,
};

const READ_RULES: &str = include_str!("sql/read_rules.sql");
const READ_CHANGES: &str = "SELECT d.id, d.access_changes FROM json_each(?1) AS wanted
    INNER JOIN documents AS d ON d.id = wanted.value WHERE d.purged_at IS NULL";

#[async_trait]
impl Permissions for SqliteStore {
    /// The folder is locked.
    fn is_shared(&self) -> bool {
        false
    }

    async fn rules(
        &self,
        doc: &DocumentId,
        users: &[UserId],
        links: &[LinkKey],
    ) -> Result<Rules, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let ground = sqlx::query(sql::READ_GROUND).bind(doc.as_str()).fetch_optional(&self.inner.readers);
        let ground = ground.await.map_err(failed)?.ok_or_else(|| not_found(doc))?;
        let rules = self.read_rules(doc, users, links).await?;
        let read = || {
            Ok(Rules {
                owner: rows::user_id(&ground, "owner")?,
                link: rows::link_role(&ground)?,
                changes: rows::number(&ground, "access_changes")?,
                rules,
            })
        };
        read().map_err(failed)
    }

    async fn said_of(
        &self,
        doc: &DocumentId,
        requester: &Requester,
    ) -> Result<Option<Vec<Rule>>, StoreError> {
        self.read_rules(doc, requester.users(), requester.links()).await.map(Some)
    }

    async fn changes(&self, docs: &[DocumentId]) -> Result<Vec<(DocumentId, u64)>, StoreError> {
        let found = sqlx::query(READ_CHANGES).bind(json!(docs).to_string()).fetch_all(&self.inner.readers);
        let found = found.await.map_err(store_error)?;
        let change =
            |row: &SqliteRow| Ok((rows::document_id(row, "id")?, rows::number(row, "access_changes")?));
        found.iter().map(change).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn grants(
        &self,
        _: &Asker,
        doc: &DocumentId,
        after: Option<&Subject>,
        limit: usize,
        now: Millis,
    ) -> Result<Vec<Grant>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let found = sqlx::query(sql::LIST_GRANTS)
            .bind(doc.as_str())
            .bind(after.map_or("", Subject::kind))
            .bind(after.map(Subject::id).unwrap_or_default())
            .bind(now)
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await
            .map_err(failed)?;
        found.iter().map(read_grant).collect::<Result<_, _>>().map_err(failed)
    }

    async fn grant(&self, _: &Asker, doc: &DocumentId, grant: &Grant) -> Result<(), StoreError> {
        let (doc, grant) = (doc.clone(), grant.clone());
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = give(writer.begin().await?, &doc, &grant).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn revoke(&self, _: &Asker, doc: &DocumentId, subject: &Subject) -> Result<bool, StoreError> {
        let (doc, subject) = (doc.clone(), subject.clone());
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = take_away(writer.begin().await?, &doc, &subject).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn set_link(&self, _: &Asker, doc: &DocumentId, role: Option<Role>) -> Result<(), StoreError> {
        let doc = doc.clone();
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let set = sqlx::query(sql::SET_LINK).bind(doc.as_str()).bind(role_name(role));
            let set = set.execute(writer.begin().await?).await.map_err(store_error);
            let done = set.and_then(|set| there(&doc, set.rows_affected()));
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn transfer(
        &self,
        _: &Asker,
        doc: &DocumentId,
        from: &UserId,
        to: &UserId,
        by: &UserId,
        now: Millis,
    ) -> Result<(), StoreError> {
        let (doc, from, to, by) = (doc.clone(), from.clone(), to.clone(), by.clone());
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = hand_over(writer.begin().await?, &doc, [&from, &to, &by], now).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn add_link(
        &self,
        _: &Asker,
        doc: &DocumentId,
        link: &ShareLink,
        key: &LinkKey,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError> {
        let (doc, link, key, repeat) = (doc.clone(), link.clone(), *key, repeat.cloned());
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = add_link(writer.begin().await?, &doc, &link, &key, repeat.as_ref()).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn links(
        &self,
        _: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ShareLink>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let found = sqlx::query(sql::LIST_LINKS)
            .bind(doc.as_str())
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await
            .map_err(failed)?;
        found.iter().map(read_link).collect::<Result<_, _>>().map_err(failed)
    }

    async fn revoke_link(
        &self,
        _: &Asker,
        doc: &DocumentId,
        link: Uuid,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let doc = doc.clone();
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = end_link(writer.begin().await?, &doc, link, now).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn create_group(
        &self,
        _: &Asker,
        group: &Group,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError> {
        let (group, repeat) = (group.clone(), repeat.cloned());
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = create_group(writer.begin().await?, &group, repeat.as_ref()).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn group(&self, _: &Asker, group: GroupId) -> Result<Option<(Group, Vec<Member>)>, StoreError> {
        groups::read(&self.inner.readers, group).await.map_err(store_error)
    }

    async fn groups_of(
        &self,
        user: &UserId,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<(Group, bool)>, StoreError> {
        groups::list(&self.inner.readers, user, after, limit).await.map_err(store_error)
    }

    async fn rename_group(&self, _: &Asker, group: GroupId, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = groups::rename(writer.begin().await?, group, &name).await.map_err(store_error);
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn delete_group(&self, _: &Asker, group: GroupId) -> Result<bool, StoreError> {
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = groups::delete(writer.begin().await?, group).await.map_err(store_error);
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn set_member(&self, _: &Asker, group: GroupId, member: &Member) -> Result<(), StoreError> {
        let member = member.clone();
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = groups::set_member(writer.begin().await?, group, &member).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }

    async fn remove_member(&self, _: &Asker, group: GroupId, user: &UserId) -> Result<bool, StoreError> {
        let user = user.clone();
        let change = async move |_: Arc<Inner>, mut writer: WriterGuard| {
            let done = groups::remove_member(writer.begin().await?, group, &user).await;
            writer.end(done).await
        };
        self.inner.detached(change).await
    }
}

impl SqliteStore {
    async fn read_rules(
        &self,
        doc: &DocumentId,
        users: &[UserId],
        links: &[LinkKey],
    ) -> Result<Vec<Rule>, StoreError> {
        if users.is_empty() && links.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error| read_error(doc, 0, error);
        let links: Vec<_> = links.iter().map(|link| hex::encode_upper(link.bytes())).collect();
        let found = sqlx::query(READ_RULES)
            .bind(doc.as_str())
            .bind(json!(users).to_string())
            .bind(json!(links).to_string())
            .fetch_all(&self.inner.readers)
            .await
            .map_err(failed)?;
        found.iter().map(rule).collect::<Result<_, _>>().map_err(failed)
    }
}

/// Tells whether the one row was there that was to be changed.
fn there(doc: &DocumentId, changed: u64) -> Result<(), StoreError> {
    if changed == 0 { Err(not_found(doc)) } else { Ok(()) }
}

async fn count_change(conn: &mut SqliteConnection, doc: &DocumentId) -> Result<(), StoreError> {
    let counted = sqlx::query(sql::COUNT_CHANGE).bind(doc.as_str()).execute(conn).await;
    there(doc, counted.map_err(store_error)?.rows_affected())
}

async fn give(conn: &mut SqliteConnection, doc: &DocumentId, grant: &Grant) -> Result<(), StoreError> {
    let (kind, id) = (grant.subject.kind(), grant.subject.id());
    if let Subject::Group(group) = grant.subject
        && !groups::is_there(conn, group).await.map_err(store_error)?
    {
        return Err(permissions::no_group());
    }
    count_change(conn, doc).await?;
    let forget = sqlx::query(sql::FORGET_ENDED).bind(doc.as_str()).bind(grant.granted_at);
    forget.execute(&mut *conn).await.map_err(store_error)?;
    let others = sqlx::query_scalar::<_, i64>(sql::COUNT_OTHERS).bind(doc.as_str()).bind(kind).bind(&id);
    if others.fetch_one(&mut *conn).await.map_err(store_error)? >= integer(MAX_GRANTS) {
        return Err(too_many("grants of this document", MAX_GRANTS));
    }
    let give = sqlx::query(sql::GRANT)
        .bind(doc.as_str())
        .bind(kind)
        .bind(id)
        .bind(role_name(Some(grant.role)))
        .bind(grant.granted_by.as_str())
        .bind(grant.granted_at)
        .bind(grant.expires_at);
    give.execute(conn).await.map(|_| ()).map_err(store_error)
}

async fn take_away(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    subject: &Subject,
) -> Result<bool, StoreError> {
    count_change(conn, doc).await?;
    let taken = sqlx::query(sql::REVOKE).bind(doc.as_str()).bind(subject.kind()).bind(subject.id());
    Ok(taken.execute(conn).await.map_err(store_error)?.rows_affected() > 0)
}

async fn hand_over(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    [from, to, by]: [&UserId; 3],
    now: Millis,
) -> Result<(), StoreError> {
    let hand = sqlx::query(sql::TRANSFER).bind(doc.as_str()).bind(from.as_str()).bind(to.as_str());
    if hand.execute(&mut *conn).await.map_err(store_error)?.rows_affected() == 0 {
        count_change(conn, doc).await?;
        return Err(permissions::other_owner());
    }
    take_away(conn, doc, &Subject::User(to.clone())).await?;
    if from.is_guest() {
        return Ok(());
    }
    let subject = Subject::User(from.clone());
    let (granted_by, granted_at) = (by.clone(), now);
    give(conn, doc, &Grant { subject, role: Role::Editor, granted_by, granted_at, expires_at: None }).await
}

async fn create_group(
    conn: &mut SqliteConnection,
    group: &Group,
    repeat: Option<&Repeat>,
) -> Result<Option<Reserved>, StoreError> {
    if let Some(taken) = taken(&mut *conn, repeat, &group.id.as_place()?, group.id.0).await? {
        return Ok(Some(taken));
    }
    groups::create(conn, group).await.map(|()| None)
}

async fn add_link(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    link: &ShareLink,
    key: &LinkKey,
    repeat: Option<&Repeat>,
) -> Result<Option<Reserved>, StoreError> {
    if let Some(taken) = taken(&mut *conn, repeat, doc, link.id).await? {
        return Ok(Some(taken));
    }
    count_change(conn, doc).await?;
    let forget = sqlx::query(sql::FORGET_ENDED_LINKS).bind(doc.as_str()).bind(link.made_at);
    forget.bind(integer(MAX_LINKS)).execute(&mut *conn).await.map_err(store_error)?;
    let count = sqlx::query_scalar::<_, i64>(sql::COUNT_LINKS).bind(doc.as_str()).bind(link.made_at);
    if count.fetch_one(&mut *conn).await.map_err(store_error)? >= integer(MAX_LINKS) {
        return Err(too_many("links to this document", MAX_LINKS));
    }
    let add = sqlx::query(sql::ADD_LINK)
        .bind(link.id.to_string())
        .bind(doc.as_str())
        .bind(key.bytes())
        .bind(role_name(Some(link.role)))
        .bind(link.made_by.as_str())
        .bind(link.made_at)
        .bind(link.expires_at);
    add.execute(conn).await.map(|_| None).map_err(store_error)
}

async fn end_link(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    link: Uuid,
    now: Millis,
) -> Result<bool, StoreError> {
    count_change(conn, doc).await?;
    let end = sqlx::query(sql::REVOKE_LINK).bind(doc.as_str()).bind(link.to_string()).bind(now);
    Ok(end.execute(conn).await.map_err(store_error)?.rows_affected() > 0)
}

fn rule(row: &SqliteRow) -> Result<Rule, sqlx::Error> {
    let of = match row.try_get("source")? {
        "user" => Source::User(rows::user_id(row, "who")?),
        "group" => Source::GroupOf(rows::user_id(row, "who")?),
        _ => {
            let key = row.try_get::<Option<&[u8]>, _>("hash")?.and_then(LinkKey::stored);
            Source::Link(key.ok_or_else(|| rows::undecodable("hash", "it is no key"))?)
        }
    };
    Ok(Rule { of, role: rows::role(row)?, expires_at: row.try_get("expires_at")? })
}

fn read_grant(row: &SqliteRow) -> Result<Grant, sqlx::Error> {
    let subject = Subject::stored(row.try_get("kind")?, row.try_get("subject")?);
    Ok(Grant {
        subject: subject.ok_or_else(|| rows::undecodable("subject", "it is none"))?,
        role: rows::role(row)?,
        granted_by: rows::user_id(row, "granted_by")?,
        granted_at: row.try_get("granted_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}

fn read_link(row: &SqliteRow) -> Result<ShareLink, sqlx::Error> {
    Ok(ShareLink {
        id: rows::uuid(row, "id")?,
        role: rows::role(row)?,
        made_by: rows::user_id(row, "made_by")?,
        made_at: row.try_get("made_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
