//! Grants, links and what is said of people. Groups are next door.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::annotations::taken;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::rows::{self, integer};
use super::sessions::{Session, Sight, Statement, statement};
use super::{PostgresStore, documents, groups};
use crate::ids::{DocumentId, Millis, UserId};
use crate::protocol::Role;
use crate::storage::StoreError;
use crate::storage::annotations::{Repeat, Reserved};
use crate::storage::permissions::{
    self, Asker, Grant, Group, GroupId, LinkKey, MAX_GRANTS, MAX_LINKS, Member, Permissions, Requester, Rule,
    Rules, ShareLink, Source, Subject, role_name, sql, too_many,
};

const READ_RULES: &str = include_str!("sql/read_rules.sql");
const READ_SIGHT: &str = concat!(include_str!("sql/read_sight.sql"), include_str!("sql/read_rules.sql"));
const READ_CHANGES: &str =
    "SELECT id, access_changes FROM documents WHERE id = ANY ($1) AND purged_at IS NULL";

#[async_trait]
impl Permissions for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn rules(
        &self,
        doc: &DocumentId,
        users: &[UserId],
        links: &[LinkKey],
    ) -> Result<Rules, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let ground = self.sessions.row(statement(sql::READ_GROUND).bind(doc.as_str())).await;
        let ground = ground.map_err(failed)?.ok_or_else(|| not_found(doc))?;
        let rules = match (users, links) {
            ([], []) => Vec::new(),
            _ => self.sessions.rows(with_rules(READ_RULES, doc, users, links)).await.map_err(failed)?,
        };
        let read = || {
            Ok(Rules {
                owner: rows::user_id(&ground, "owner")?,
                link: rows::link_role(&ground)?,
                changes: rows::number(&ground, "access_changes")?,
                rules: rules.iter().map(rule).collect::<Result<_, _>>()?,
            })
        };
        read().map_err(failed)
    }

    async fn said_of(
        &self,
        doc: &DocumentId,
        requester: &Requester,
    ) -> Result<Option<Vec<Rule>>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let read = with_rules(READ_SIGHT, doc, requester.users(), requester.links());
        let found = self.sessions.rows_as_seen(Sight::of_one(requester, doc), read).await.map_err(failed)?;
        let is_document = |row: &PgRow| row.try_get("source").map(|source: &str| source == "document");
        let (mut seen, mut rules) = (false, Vec::with_capacity(found.len()));
        for row in &found {
            if is_document(row).map_err(failed)? {
                seen = true;
            } else {
                rules.push(rule(row).map_err(failed)?);
            }
        }
        Ok(seen.then_some(rules))
    }

    async fn changes(&self, docs: &[DocumentId]) -> Result<Vec<(DocumentId, u64)>, StoreError> {
        let ids: Vec<_> = docs.iter().map(DocumentId::as_str).collect();
        let found = self.sessions.rows(statement(READ_CHANGES).bind(ids)).await.map_err(store_error)?;
        let change = |row: &PgRow| Ok((rows::document_id(row, "id")?, rows::number(row, "access_changes")?));
        found.iter().map(change).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn grants(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<&Subject>,
        limit: usize,
        now: Millis,
    ) -> Result<Vec<Grant>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let list = statement(sql::LIST_GRANTS)
            .bind(doc.as_str())
            .bind(after.map_or("", Subject::kind))
            .bind(after.map(Subject::id).unwrap_or_default())
            .bind(now)
            .bind(integer(limit as u64));
        let found = self.sessions.rows_for(asker, doc, list).await.map_err(failed)?;
        found.iter().map(read_grant).collect::<Result<_, _>>().map_err(failed)
    }

    async fn grant(&self, asker: &Asker, doc: &DocumentId, grant: &Grant) -> Result<(), StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let given = give(&mut session, doc, grant).await;
        self.finish((asker, doc), session, given).await
    }

    async fn revoke(&self, asker: &Asker, doc: &DocumentId, subject: &Subject) -> Result<bool, StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let was_there = take_away(&mut session, doc, subject).await;
        self.finish((asker, doc), session, was_there).await
    }

    async fn set_link(&self, asker: &Asker, doc: &DocumentId, role: Option<Role>) -> Result<(), StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let set = session.run(statement(sql::SET_LINK).bind(doc.as_str()).bind(role_name(role))).await;
        let set = set.map_err(store_error).and_then(|changed| there(doc, changed));
        self.finish((asker, doc), session, set).await
    }

    async fn transfer(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        from: &UserId,
        to: &UserId,
        by: &UserId,
        now: Millis,
    ) -> Result<(), StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let handed = hand_over(&mut session, doc, [from, to, by], now).await;
        self.finish((asker, doc), session, handed).await
    }

    async fn add_link(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        link: &ShareLink,
        key: &LinkKey,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError> {
        self.forget_old(repeat).await?;
        // Before the key, as a comment locks it.
        let mut session = self.lock_document(asker, doc).await?;
        if let Some(taken) = taken(&mut session, repeat, doc, link.id).await? {
            return Ok(Some(taken));
        }
        add_link(&mut session, doc, link, key).await?;
        session.commit().await.map(|()| None).map_err(store_error)
    }

    async fn links(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ShareLink>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let list = statement(sql::LIST_LINKS)
            .bind(doc.as_str())
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(integer(limit as u64));
        let found = self.sessions.rows_for(asker, doc, list).await.map_err(failed)?;
        found.iter().map(read_link).collect::<Result<_, _>>().map_err(failed)
    }

    async fn revoke_link(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        link: Uuid,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let ended = end_link(&mut session, doc, link, now).await;
        self.finish((asker, doc), session, ended).await
    }

    async fn create_group(
        &self,
        asker: &Asker,
        group: &Group,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError> {
        self.forget_old(repeat).await?;
        let mut session = self.sessions.begin_in(asker, group.id).await.map_err(store_error)?;
        if let Some(taken) = taken(&mut session, repeat, &group.id.as_place()?, group.id.0).await? {
            return Ok(Some(taken));
        }
        groups::create(&mut session, group).await?;
        session.commit().await.map(|()| None).map_err(store_error)
    }

    async fn group(&self, asker: &Asker, group: GroupId) -> Result<Option<(Group, Vec<Member>)>, StoreError> {
        groups::read(&self.sessions, asker, group).await.map_err(store_error)
    }

    async fn groups_of(
        &self,
        user: &UserId,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<(Group, bool)>, StoreError> {
        groups::list(&self.sessions, user, after, limit).await.map_err(store_error)
    }

    async fn rename_group(&self, asker: &Asker, group: GroupId, name: &str) -> Result<bool, StoreError> {
        let rename = statement(sql::RENAME_GROUP).bind(group.to_string()).bind(rows::text_of(name));
        let mut session = self.sessions.begin_in(asker, group).await.map_err(store_error)?;
        let renamed = session.run(rename).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)?;
        Ok(renamed > 0)
    }

    async fn delete_group(&self, asker: &Asker, group: GroupId) -> Result<bool, StoreError> {
        let mut session = self.sessions.begin_in(asker, group).await.map_err(store_error)?;
        let was_there = groups::delete(&mut session, group).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)?;
        Ok(was_there)
    }

    async fn set_member(&self, asker: &Asker, group: GroupId, member: &Member) -> Result<(), StoreError> {
        let mut session = self.sessions.begin_in(asker, group).await.map_err(store_error)?;
        groups::set_member(&mut session, group, member).await?;
        session.commit().await.map_err(store_error)
    }

    async fn remove_member(&self, asker: &Asker, group: GroupId, user: &UserId) -> Result<bool, StoreError> {
        let mut session = self.sessions.begin_in(asker, group).await.map_err(store_error)?;
        let was_in = groups::remove_member(&mut session, group, user).await?;
        session.commit().await.map_err(store_error)?;
        Ok(was_in)
    }
}

/// Binds whose rules are wanted.
fn with_rules<'q>(
    sql: &'static str,
    doc: &'q DocumentId,
    users: &'q [UserId],
    links: &'q [LinkKey],
) -> Statement<'q> {
    statement(sql)
        .bind(doc.as_str())
        .bind(users.iter().map(UserId::as_str).collect::<Vec<_>>())
        .bind(links.iter().map(LinkKey::bytes).collect::<Vec<_>>())
}

/// Tells whether the one row was there that was to be changed.
fn there(doc: &DocumentId, changed: u64) -> Result<(), StoreError> {
    if changed == 0 { Err(not_found(doc)) } else { Ok(()) }
}

async fn count_change(session: &mut Session, doc: &DocumentId) -> Result<(), StoreError> {
    let counted = session.run(statement(sql::COUNT_CHANGE).bind(doc.as_str())).await;
    there(doc, counted.map_err(store_error)?)
}

async fn give(session: &mut Session, doc: &DocumentId, grant: &Grant) -> Result<(), StoreError> {
    let (kind, id) = (grant.subject.kind(), grant.subject.id());
    // Before the document: whoever changes a group locks it first, and then its documents.
    if let Subject::Group(group) = grant.subject
        && !groups::touch(session, group).await.map_err(store_error)?
    {
        return Err(permissions::no_group());
    }
    count_change(session, doc).await?;
    let forget = statement(sql::FORGET_ENDED).bind(doc.as_str()).bind(grant.granted_at);
    session.run(forget).await.map_err(store_error)?;
    let others = statement(sql::COUNT_OTHERS).bind(doc.as_str()).bind(kind).bind(&id);
    if session.count(others).await.map_err(store_error)? >= MAX_GRANTS {
        return Err(too_many("grants of this document", MAX_GRANTS));
    }
    let give = statement(sql::GRANT)
        .bind(doc.as_str())
        .bind(kind)
        .bind(id)
        .bind(role_name(Some(grant.role)))
        .bind(grant.granted_by.as_str())
        .bind(grant.granted_at)
        .bind(grant.expires_at);
    session.run(give).await.map(|_| ()).map_err(store_error)
}

async fn take_away(session: &mut Session, doc: &DocumentId, subject: &Subject) -> Result<bool, StoreError> {
    count_change(session, doc).await?;
    let take = statement(sql::REVOKE).bind(doc.as_str()).bind(subject.kind()).bind(subject.id());
    Ok(session.run(take).await.map_err(store_error)? > 0)
}

async fn end_link(
    session: &mut Session,
    doc: &DocumentId,
    link: Uuid,
    now: Millis,
) -> Result<bool, StoreError> {
    count_change(session, doc).await?;
    let end = statement(sql::REVOKE_LINK).bind(doc.as_str()).bind(link.to_string()).bind(now);
    Ok(session.run(end).await.map_err(store_error)? > 0)
}

async fn hand_over(
    session: &mut Session,
    doc: &DocumentId,
    [from, to, by]: [&UserId; 3],
    now: Millis,
) -> Result<(), StoreError> {
    // As it is by now: who has given it away meanwhile is told so, and not that it is out of their reach.
    let row =
        session.row(statement(documents::LOCK_DOCUMENT).bind(doc.as_str())).await.map_err(store_error)?;
    let row = row.ok_or_else(|| not_found(doc))?;
    if rows::user_id(&row, "owner").map_err(store_error)? != *from {
        return Err(permissions::other_owner());
    }
    take_away(session, doc, &Subject::User(to.clone())).await?;
    if !from.is_guest() {
        let subject = Subject::User(from.clone());
        let (granted_by, granted_at) = (by.clone(), now);
        let stays = Grant { subject, role: Role::Editor, granted_by, granted_at, expires_at: None };
        give(session, doc, &stays).await?;
    }
    // At last: nothing of all this is the old owner's to do afterwards.
    let hand = statement(sql::TRANSFER).bind(doc.as_str()).bind(from.as_str()).bind(to.as_str());
    match session.run(hand).await.map_err(store_error)? {
        0 => Err(permissions::other_owner()),
        _ => Ok(()),
    }
}

async fn add_link(
    session: &mut Session,
    doc: &DocumentId,
    link: &ShareLink,
    key: &LinkKey,
) -> Result<(), StoreError> {
    count_change(session, doc).await?;
    let forget = statement(sql::FORGET_ENDED_LINKS).bind(doc.as_str()).bind(link.made_at);
    session.run(forget.bind(integer(MAX_LINKS))).await.map_err(store_error)?;
    let count = statement(sql::COUNT_LINKS).bind(doc.as_str()).bind(link.made_at);
    if session.count(count).await.map_err(store_error)? >= MAX_LINKS {
        return Err(too_many("links to this document", MAX_LINKS));
    }
    let add = statement(sql::ADD_LINK)
        .bind(link.id.to_string())
        .bind(doc.as_str())
        .bind(key.bytes())
        .bind(role_name(Some(link.role)))
        .bind(link.made_by.as_str())
        .bind(link.made_at)
        .bind(link.expires_at);
    session.run(add).await.map(|_| ()).map_err(store_error)
}

fn rule(row: &PgRow) -> Result<Rule, sqlx::Error> {
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

fn read_grant(row: &PgRow) -> Result<Grant, sqlx::Error> {
    let subject = Subject::stored(row.try_get("kind")?, row.try_get("subject")?);
    Ok(Grant {
        subject: subject.ok_or_else(|| rows::undecodable("subject", "it is none"))?,
        role: rows::role(row)?,
        granted_by: rows::user_id(row, "granted_by")?,
        granted_at: row.try_get("granted_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}

fn read_link(row: &PgRow) -> Result<ShareLink, sqlx::Error> {
    Ok(ShareLink {
        id: rows::uuid(row, "id")?,
        role: rows::role(row)?,
        made_by: rows::user_id(row, "made_by")?,
        made_at: row.try_get("made_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
