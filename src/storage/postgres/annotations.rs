//! Names of versions, comments, and keys of requests.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::{read_error, store_error};
use super::rows::{self, integer};
use super::sessions::{Session, Statement, statement};
use super::{PostgresStore, documents};
use crate::ids::{DocumentId, Millis, UserId, Version};
use crate::storage::StoreError;
use crate::storage::annotations::{
    Anchor, Annotations, Comment, CommentPatch, MAX_COMMENTS, MAX_NAMES, MovedAnchor, NamedVersion, Repeat,
    Reserved, no_comment, too_many,
};
use crate::storage::permissions::Asker;

const COUNT_NAMES: &str = "SELECT count(*) FROM named_versions WHERE doc_id = $1 AND version <> $2";
const NAME_VERSION: &str = include_str!("sql/name_version.sql");
const READ_NAMES: &str = "SELECT version, name, user_id, named_at, made_at FROM named_versions
    WHERE doc_id = $1 AND version <= $2 ORDER BY version DESC LIMIT $3";
const FORGET_NAME: &str = "DELETE FROM named_versions WHERE doc_id = $1 AND version = $2";
const COUNT_COMMENTS: &str = "SELECT count(*) FROM comments WHERE doc_id = $1";
const ADD_COMMENT: &str = "INSERT INTO comments (doc_id, id, parent, user_id, text, created_at, revision,
        anchor_index, anchor_length, anchor_version)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const READ_COMMENTS: &str = "SELECT * FROM comments WHERE doc_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const READ_COMMENT: &str = "SELECT * FROM comments WHERE doc_id = $1 AND id = $2";
const LOCK_COMMENT: &str = "SELECT * FROM comments WHERE doc_id = $1 AND id = $2 FOR UPDATE";
const CHANGE_COMMENT: &str = "UPDATE comments
    SET text = $3, edited_at = $4, revision = $5, resolved_by = $6, resolved_at = $7 WHERE doc_id = $1 AND id = $2";
const REMOVE_COMMENT: &str = "DELETE FROM comments WHERE doc_id = $1 AND (id = $2 OR parent = $2)";
const MOVE_ANCHORS: &str = include_str!("sql/move_anchors.sql");
const FORGET_REPEATS: &str = "DELETE FROM repeats WHERE at < $1";
const ADD_REPEAT: &str =
    "INSERT INTO repeats (user_id, key, doc_id, at, made, digest) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING";
const READ_REPEAT: &str =
    "SELECT doc_id, made, digest, at FROM repeats WHERE user_id = $1 AND key = $2 AND at >= $3";
const RELEASE_REPEAT: &str = "DELETE FROM repeats WHERE user_id = $1 AND key = $2";

#[async_trait]
impl Annotations for PostgresStore {
    async fn name_version(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        named: &NamedVersion,
    ) -> Result<(), StoreError> {
        let mut session = self.lock_document(asker, doc).await?;
        let count = statement(COUNT_NAMES).bind(doc.as_str()).bind(integer(named.version));
        if count_of(&mut session, count).await? >= MAX_NAMES {
            return Err(too_many("named versions", doc, MAX_NAMES));
        }
        let name = statement(NAME_VERSION)
            .bind(doc.as_str())
            .bind(integer(named.version))
            .bind(rows::text_of(&named.name))
            .bind(named.user.as_str())
            .bind(named.named_at)
            .bind(named.made_at);
        session.run(name).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)
    }

    async fn named_versions(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<NamedVersion>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let read = statement(READ_NAMES).bind(doc.as_str()).bind(integer(upto)).bind(integer(limit as u64));
        let found = self.sessions.rows_for(asker, doc, read).await.map_err(failed)?;
        found.iter().map(named).collect::<Result<_, _>>().map_err(failed)
    }

    async fn forget_name(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        version: Version,
    ) -> Result<bool, StoreError> {
        let forget = statement(FORGET_NAME).bind(doc.as_str()).bind(integer(version));
        Ok(self.sessions.run_for(asker, doc, forget).await.map_err(store_error)? > 0)
    }

    async fn add_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        comment: &Comment,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError> {
        self.forget_old(repeat).await?;
        let mut session = self.lock_document(asker, doc).await?;
        if let Some(taken) = taken(&mut session, repeat, doc, comment.id).await? {
            return Ok(Some(taken));
        }
        if let Some(parent) = comment.parent {
            let read = statement(READ_COMMENT).bind(doc.as_str()).bind(parent);
            session.row(read).await.map_err(store_error)?.ok_or_else(|| no_comment(parent))?;
        }
        if count_of(&mut session, statement(COUNT_COMMENTS).bind(doc.as_str())).await? >= MAX_COMMENTS {
            return Err(too_many("comments", doc, MAX_COMMENTS));
        }
        let anchor = comment.anchor;
        let add = statement(ADD_COMMENT)
            .bind(doc.as_str())
            .bind(comment.id)
            .bind(comment.parent)
            .bind(comment.user.as_str())
            .bind(rows::text_of(&comment.text))
            .bind(comment.created_at)
            .bind(integer(comment.revision))
            .bind(anchor.map(|anchor| integer(anchor.index)))
            .bind(anchor.map(|anchor| integer(anchor.length)))
            .bind(anchor.map(|anchor| integer(anchor.version)));
        session.run(add).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)?;
        Ok(None)
    }

    async fn comments(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Comment>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let read = statement(READ_COMMENTS)
            .bind(doc.as_str())
            .bind(after.unwrap_or_default())
            .bind(integer(limit as u64));
        let found = self.sessions.rows_for(asker, doc, read).await.map_err(failed)?;
        found.iter().map(comment).collect::<Result<_, _>>().map_err(failed)
    }

    async fn comment(&self, asker: &Asker, doc: &DocumentId, id: Uuid) -> Result<Comment, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let read = statement(READ_COMMENT).bind(doc.as_str()).bind(id);
        let found = self.sessions.rows_for(asker, doc, read).await.map_err(failed)?;
        comment(found.first().ok_or_else(|| no_comment(id))?).map_err(failed)
    }

    async fn change_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        id: Uuid,
        patch: &CommentPatch,
    ) -> Result<Comment, StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let mut comment = lock(&mut session, doc, id).await?.ok_or_else(|| no_comment(id))?;
        comment.change(patch)?;
        comment.text = rows::text_of(&comment.text).into_owned();
        let (by, at) = comment.resolved.as_ref().map(|(user, at)| (user.as_str(), *at)).unzip();
        let change = statement(CHANGE_COMMENT)
            .bind(doc.as_str())
            .bind(id)
            .bind(&comment.text)
            .bind(comment.edited_at)
            .bind(integer(comment.revision))
            .bind(by)
            .bind(at);
        session.run(change).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)?;
        Ok(comment)
    }

    async fn remove_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        id: Uuid,
        only: Option<u64>,
    ) -> Result<bool, StoreError> {
        // An answer that is being added locks the document, and is gone with what it answers to.
        let mut session = match self.lock_document(asker, doc).await {
            Err(StoreError::NotFound { .. }) => return Ok(false),
            locked => locked?,
        };
        let Some(comment) = lock(&mut session, doc, id).await? else { return Ok(false) };
        comment.expect(only)?;
        let remove = statement(REMOVE_COMMENT).bind(doc.as_str()).bind(id);
        let removed = session.run(remove).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)?;
        Ok(removed > 0)
    }

    async fn move_anchors(&self, doc: &DocumentId, moved: &[MovedAnchor]) -> Result<(), StoreError> {
        let numbers = |of: fn(&MovedAnchor) -> u64| -> Vec<i64> {
            moved.iter().map(|moved| integer(of(moved))).collect()
        };
        let move_all = statement(MOVE_ANCHORS)
            .bind(doc.as_str())
            .bind(moved.iter().map(|moved| moved.comment).collect::<Vec<_>>())
            .bind(numbers(|moved| moved.from))
            .bind(numbers(|moved| moved.anchor.index))
            .bind(numbers(|moved| moved.anchor.length))
            .bind(numbers(|moved| moved.anchor.version));
        self.sessions.run(move_all).await.map(|_| ()).map_err(store_error)
    }

    async fn reserve(&self, repeat: &Repeat, doc: &DocumentId, made: Uuid) -> Result<Reserved, StoreError> {
        self.take(repeat, doc, made).await.map_err(store_error)?.ok_or_else(given_back)
    }

    async fn reserved(&self, repeat: &Repeat) -> Result<Option<Reserved>, StoreError> {
        let row = self.sessions.row(read_repeat(repeat)).await.map_err(store_error)?;
        row.map(|row| reserved(&row)).transpose().map_err(store_error)
    }

    async fn release(&self, repeat: &Repeat) -> Result<(), StoreError> {
        let release = statement(RELEASE_REPEAT).bind(repeat.user.as_str()).bind(&repeat.key);
        self.sessions.run(release).await.map(|_| ()).map_err(store_error)
    }
}

impl PostgresStore {
    /// Begins a transaction in which the document's row stays as it is: it is there, and not being purged.
    pub(super) async fn lock_document(&self, asker: &Asker, doc: &DocumentId) -> Result<Session, StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let row = session.row(statement(documents::LOCK_DOCUMENT).bind(doc.as_str())).await;
        match row.map_err(store_error)? {
            Some(_) => Ok(session),
            None => {
                drop(session);
                Err(self.out_of_reach(asker, doc).await)
            }
        }
    }

    /// Forgets keys that are too old to stand for anything.
    pub(super) async fn forget_old(&self, repeat: Option<&Repeat>) -> Result<(), StoreError> {
        let Some(repeat) = repeat else { return Ok(()) };
        self.sessions.run(forget_repeats(repeat)).await.map(|_| ()).map_err(store_error)
    }

    /// Each statement by itself: a key that somebody else takes at the same time is waited for, and read then.
    async fn take(
        &self,
        repeat: &Repeat,
        doc: &DocumentId,
        made: Uuid,
    ) -> Result<Option<Reserved>, sqlx::Error> {
        self.sessions.run(forget_repeats(repeat)).await?;
        if self.sessions.run(add_repeat(repeat, doc, made)).await? > 0 {
            return Ok(Some(Reserved::by(repeat, doc.clone(), made)));
        }
        self.sessions.row(read_repeat(repeat)).await?.map(|row| reserved(&row)).transpose()
    }
}

/// Takes the key of a request for what the transaction makes; returns what it stands for already, if it does. A key that somebody else
/// takes at the same time is waited for.
pub(super) async fn taken(
    session: &mut Session,
    repeat: Option<&Repeat>,
    doc: &DocumentId,
    made: Uuid,
) -> Result<Option<Reserved>, StoreError> {
    let Some(repeat) = repeat else { return Ok(None) };
    if session.run(add_repeat(repeat, doc, made)).await.map_err(store_error)? > 0 {
        return Ok(None);
    }
    let row = session.row(read_repeat(repeat)).await.map_err(store_error)?;
    let taken = row.map(|row| reserved(&row)).transpose().map_err(store_error)?;
    taken.map(Some).ok_or_else(given_back)
}

fn forget_repeats(repeat: &Repeat) -> Statement<'_> {
    statement(FORGET_REPEATS).bind(repeat.since())
}

fn add_repeat<'a>(repeat: &'a Repeat, doc: &'a DocumentId, made: Uuid) -> Statement<'a> {
    statement(ADD_REPEAT)
        .bind(repeat.user.as_str())
        .bind(&repeat.key)
        .bind(doc.as_str())
        .bind(repeat.at)
        .bind(made)
        .bind(&repeat.digest[..])
}

fn read_repeat(repeat: &Repeat) -> Statement<'_> {
    statement(READ_REPEAT).bind(repeat.user.as_str()).bind(&repeat.key).bind(repeat.since())
}

fn reserved(row: &PgRow) -> Result<Reserved, sqlx::Error> {
    Ok(Reserved {
        doc: rows::document_id(row, "doc_id")?,
        made: row.try_get("made")?,
        digest: row.try_get::<Option<&[u8]>, _>("digest")?.and_then(|digest| digest.try_into().ok()),
        at: row.try_get("at")?,
        fresh: false,
    })
}

/// The key was there when it was to be taken, and not when it was to be read.
fn given_back() -> StoreError {
    StoreError::unavailable("the key is being given back")
}

async fn count_of(session: &mut Session, count: Statement<'_>) -> Result<u64, StoreError> {
    let row = session.row(count).await.map_err(store_error)?;
    row.map_or(Ok(0), |row| rows::number(&row, "count")).map_err(store_error)
}

async fn lock(session: &mut Session, doc: &DocumentId, id: Uuid) -> Result<Option<Comment>, StoreError> {
    let failed = |error| read_error(doc, 0, error);
    let row = session.row(statement(LOCK_COMMENT).bind(doc.as_str()).bind(id)).await.map_err(failed)?;
    row.map(|row| comment(&row)).transpose().map_err(failed)
}

fn named(row: &PgRow) -> Result<NamedVersion, sqlx::Error> {
    Ok(NamedVersion {
        version: rows::number(row, "version")?,
        name: row.try_get("name")?,
        user: rows::user_id(row, "user_id")?,
        named_at: row.try_get("named_at")?,
        made_at: row.try_get("made_at")?,
    })
}

fn comment(row: &PgRow) -> Result<Comment, sqlx::Error> {
    let number = |column| -> Result<Option<u64>, sqlx::Error> {
        let there = row.try_get::<Option<i64>, _>(column)?.is_some();
        there.then(|| rows::number(row, column)).transpose()
    };
    let anchor = match (number("anchor_index")?, number("anchor_length")?, number("anchor_version")?) {
        (Some(index), Some(length), Some(version)) => Some(Anchor { index, length, version }),
        _ => None,
    };
    let by: Option<String> = row.try_get("resolved_by")?;
    let at: Option<Millis> = row.try_get("resolved_at")?;
    Ok(Comment {
        id: row.try_get("id")?,
        parent: row.try_get("parent")?,
        user: rows::user_id(row, "user_id")?,
        text: row.try_get("text")?,
        created_at: row.try_get("created_at")?,
        edited_at: row.try_get("edited_at")?,
        revision: rows::number(row, "revision")?,
        resolved: by.map(|by| UserId(by.into())).zip(at),
        anchor,
    })
}
