//! Names of versions, comments, and keys of requests.

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteExecutor, SqliteRow};
use uuid::Uuid;

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::log::not_found;
use super::writer::WriterGuard;
use super::{SqliteStore, rows};
use crate::ids::{DocumentId, Millis, UserId, Version};
use crate::storage::StoreError;
use crate::storage::annotations::{
    Anchor, Annotations, Comment, CommentPatch, MAX_COMMENTS, MAX_NAMES, MovedAnchor, NamedVersion, Repeat,
    Reserved, no_comment, too_many,
};
use crate::storage::permissions::Asker;

const IS_THERE: &str = "SELECT 1 FROM documents WHERE id = ?1 AND purged_at IS NULL";
const COUNT_NAMES: &str = "SELECT count(*) FROM named_versions WHERE doc_id = ?1 AND version <> ?2";
const NAME_VERSION: &str =
    "INSERT OR REPLACE INTO named_versions (doc_id, version, name, user_id, named_at, made_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const READ_NAMES: &str = "SELECT version, name, user_id, named_at, made_at FROM named_versions
    WHERE doc_id = ?1 AND version <= ?2 ORDER BY version DESC LIMIT ?3";
const FORGET_NAME: &str = "DELETE FROM named_versions WHERE doc_id = ?1 AND version = ?2";
const COUNT_COMMENTS: &str = "SELECT count(*) FROM comments WHERE doc_id = ?1";
const ADD_COMMENT: &str = "INSERT INTO comments (doc_id, id, parent, user_id, text, created_at, revision,
        anchor_index, anchor_length, anchor_version)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const READ_COMMENTS: &str = "SELECT * FROM comments WHERE doc_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
const READ_COMMENT: &str = "SELECT * FROM comments WHERE doc_id = ?1 AND id = ?2";
const CHANGE_COMMENT: &str = "UPDATE comments
    SET text = ?3, edited_at = ?4, revision = ?5, resolved_by = ?6, resolved_at = ?7 WHERE doc_id = ?1 AND id = ?2";
const REMOVE_COMMENT: &str = "DELETE FROM comments WHERE doc_id = ?1 AND (id = ?2 OR parent = ?2)";
const MOVE_ANCHOR: &str = "UPDATE comments SET anchor_index = ?4, anchor_length = ?5, anchor_version = ?6
    WHERE doc_id = ?1 AND id = ?2 AND anchor_version = ?3";
const FORGET_REPEATS: &str = "DELETE FROM repeats WHERE at < ?1";
const READ_REPEAT: &str =
    "SELECT doc_id, made, digest, at FROM repeats WHERE user_id = ?1 AND key = ?2 AND at >= ?3";
const ADD_REPEAT: &str =
    "INSERT INTO repeats (user_id, key, doc_id, at, made, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const RELEASE_REPEAT: &str = "DELETE FROM repeats WHERE user_id = ?1 AND key = ?2";

/// What is written in one transaction.
type Writing<'c, T> = BoxFuture<'c, Result<T, StoreError>>;

#[async_trait]
impl Annotations for SqliteStore {
    async fn name_version(
        &self,
        _: &Asker,
        doc: &DocumentId,
        named: &NamedVersion,
    ) -> Result<(), StoreError> {
        let (doc, named) = (doc.clone(), named.clone());
        self.write(|conn| Box::pin(async move { name(conn, &doc, &named).await })).await
    }

    async fn named_versions(
        &self,
        _: &Asker,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<NamedVersion>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let found = sqlx::query(READ_NAMES)
            .bind(doc.as_str())
            .bind(integer(upto))
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await
            .map_err(failed)?;
        found.iter().map(named).collect::<Result<_, _>>().map_err(failed)
    }

    async fn forget_name(&self, _: &Asker, doc: &DocumentId, version: Version) -> Result<bool, StoreError> {
        let doc = doc.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let forget = sqlx::query(FORGET_NAME).bind(doc.as_str()).bind(integer(version));
                Ok(forget.execute(conn).await.map_err(store_error)?.rows_affected() > 0)
            })
        })
        .await
    }

    async fn add_comment(
        &self,
        _: &Asker,
        doc: &DocumentId,
        comment: &Comment,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError> {
        let (doc, comment, repeat) = (doc.clone(), comment.clone(), repeat.cloned());
        self.write(|conn| {
            Box::pin(async move {
                if let Some(taken) = taken(&mut *conn, repeat.as_ref(), &doc, comment.id).await? {
                    return Ok(Some(taken));
                }
                add(conn, &doc, &comment).await.map(|()| None)
            })
        })
        .await
    }

    async fn comments(
        &self,
        _: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Comment>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let found = sqlx::query(READ_COMMENTS)
            .bind(doc.as_str())
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await
            .map_err(failed)?;
        found.iter().map(comment).collect::<Result<_, _>>().map_err(failed)
    }

    async fn comment(&self, _: &Asker, doc: &DocumentId, id: Uuid) -> Result<Comment, StoreError> {
        read(&self.inner.readers, doc, id).await
    }

    async fn change_comment(
        &self,
        _: &Asker,
        doc: &DocumentId,
        id: Uuid,
        patch: &CommentPatch,
    ) -> Result<Comment, StoreError> {
        let (doc, patch) = (doc.clone(), patch.clone());
        self.write(move |conn| Box::pin(async move { change(conn, &doc, id, &patch).await })).await
    }

    async fn remove_comment(
        &self,
        _: &Asker,
        doc: &DocumentId,
        id: Uuid,
        only: Option<u64>,
    ) -> Result<bool, StoreError> {
        let doc = doc.clone();
        self.write(move |conn| {
            Box::pin(async move {
                match read(&mut *conn, &doc, id).await {
                    Ok(comment) => comment.expect(only)?,
                    Err(StoreError::NotFound { .. }) => return Ok(false),
                    Err(error) => return Err(error),
                }
                let remove = sqlx::query(REMOVE_COMMENT).bind(doc.as_str()).bind(id.to_string());
                Ok(remove.execute(conn).await.map_err(store_error)?.rows_affected() > 0)
            })
        })
        .await
    }

    async fn move_anchors(&self, doc: &DocumentId, moved: &[MovedAnchor]) -> Result<(), StoreError> {
        let (doc, moved) = (doc.clone(), moved.to_vec());
        self.write(move |conn| {
            Box::pin(async move {
                for MovedAnchor { comment, from, anchor } in moved {
                    sqlx::query(MOVE_ANCHOR)
                        .bind(doc.as_str())
                        .bind(comment.to_string())
                        .bind(integer(from))
                        .bind(integer(anchor.index))
                        .bind(integer(anchor.length))
                        .bind(integer(anchor.version))
                        .execute(&mut *conn)
                        .await
                        .map_err(store_error)?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn reserve(&self, repeat: &Repeat, doc: &DocumentId, made: Uuid) -> Result<Reserved, StoreError> {
        let (repeat, doc) = (repeat.clone(), doc.clone());
        self.write(move |conn| {
            Box::pin(async move { reserve(conn, &repeat, &doc, made).await.map_err(store_error) })
        })
        .await
    }

    async fn reserved(&self, repeat: &Repeat) -> Result<Option<Reserved>, StoreError> {
        reserved(&self.inner.readers, repeat).await.map_err(store_error)
    }

    async fn release(&self, repeat: &Repeat) -> Result<(), StoreError> {
        let repeat = repeat.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let release = sqlx::query(RELEASE_REPEAT).bind(repeat.user.as_str()).bind(&repeat.key);
                release.execute(conn).await.map_err(store_error)?;
                Ok(())
            })
        })
        .await
    }
}

impl SqliteStore {
    /// Writes in a transaction, to its end, whatever becomes of the caller.
    async fn write<T: Send + 'static>(
        &self,
        write: impl for<'c> FnOnce(&'c mut SqliteConnection) -> Writing<'c, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let write = async move |_, mut writer: WriterGuard| {
            let written = write(writer.begin().await?).await;
            writer.end(written).await
        };
        self.inner.detached(write).await
    }
}

async fn expect(conn: &mut SqliteConnection, doc: &DocumentId) -> Result<(), StoreError> {
    let there = sqlx::query(IS_THERE).bind(doc.as_str()).fetch_optional(conn).await.map_err(store_error)?;
    there.map(|_| ()).ok_or_else(|| not_found(doc))
}

async fn name(conn: &mut SqliteConnection, doc: &DocumentId, named: &NamedVersion) -> Result<(), StoreError> {
    expect(&mut *conn, doc).await?;
    let count = sqlx::query(COUNT_NAMES).bind(doc.as_str()).bind(integer(named.version));
    let count = count.fetch_one(&mut *conn).await.and_then(|row| row.try_get::<i64, _>(0));
    if count.map_err(store_error)? >= integer(MAX_NAMES) {
        return Err(too_many("named versions", doc, MAX_NAMES));
    }
    let write = sqlx::query(NAME_VERSION)
        .bind(doc.as_str())
        .bind(integer(named.version))
        .bind(&named.name)
        .bind(named.user.as_str())
        .bind(named.named_at)
        .bind(named.made_at);
    write.execute(conn).await.map(|_| ()).map_err(store_error)
}

async fn add(conn: &mut SqliteConnection, doc: &DocumentId, comment: &Comment) -> Result<(), StoreError> {
    expect(&mut *conn, doc).await?;
    if let Some(parent) = comment.parent {
        read(&mut *conn, doc, parent).await?;
    }
    let count = sqlx::query(COUNT_COMMENTS).bind(doc.as_str()).fetch_one(&mut *conn).await;
    let count = count.and_then(|row| row.try_get::<i64, _>(0)).map_err(store_error)?;
    if count >= integer(MAX_COMMENTS) {
        return Err(too_many("comments", doc, MAX_COMMENTS));
    }
    let anchor = comment.anchor;
    let write = sqlx::query(ADD_COMMENT)
        .bind(doc.as_str())
        .bind(comment.id.to_string())
        .bind(comment.parent.map(|parent| parent.to_string()))
        .bind(comment.user.as_str())
        .bind(&comment.text)
        .bind(comment.created_at)
        .bind(integer(comment.revision))
        .bind(anchor.map(|anchor| integer(anchor.index)))
        .bind(anchor.map(|anchor| integer(anchor.length)))
        .bind(anchor.map(|anchor| integer(anchor.version)));
    write.execute(conn).await.map(|_| ()).map_err(store_error)
}

async fn read(conn: impl SqliteExecutor<'_>, doc: &DocumentId, id: Uuid) -> Result<Comment, StoreError> {
    let failed = |error| read_error(doc, 0, error);
    let read = sqlx::query(READ_COMMENT).bind(doc.as_str()).bind(id.to_string());
    let row = read.fetch_optional(conn).await.map_err(failed)?;
    comment(&row.ok_or_else(|| no_comment(id))?).map_err(failed)
}

async fn change(
    conn: &mut SqliteConnection,
    doc: &DocumentId,
    id: Uuid,
    patch: &CommentPatch,
) -> Result<Comment, StoreError> {
    let mut comment = read(&mut *conn, doc, id).await?;
    comment.change(patch)?;
    let (by, at) = comment.resolved.as_ref().map(|(user, at)| (user.as_str(), *at)).unzip();
    let write = sqlx::query(CHANGE_COMMENT)
        .bind(doc.as_str())
        .bind(id.to_string())
        .bind(&comment.text)
        .bind(comment.edited_at)
        .bind(integer(comment.revision))
        .bind(by)
        .bind(at);
    write.execute(conn).await.map_err(store_error)?;
    Ok(comment)
}

/// Takes the key of a request for what the transaction makes; returns what it stands for already, if it does.
pub(super) async fn taken(
    conn: &mut SqliteConnection,
    repeat: Option<&Repeat>,
    doc: &DocumentId,
    made: Uuid,
) -> Result<Option<Reserved>, StoreError> {
    let Some(repeat) = repeat else { return Ok(None) };
    let reserved = reserve(conn, repeat, doc, made).await.map_err(store_error)?;
    Ok(Some(reserved).filter(|reserved| !reserved.fresh))
}

async fn reserve(
    conn: &mut SqliteConnection,
    repeat: &Repeat,
    doc: &DocumentId,
    made: Uuid,
) -> Result<Reserved, sqlx::Error> {
    sqlx::query(FORGET_REPEATS).bind(repeat.since()).execute(&mut *conn).await?;
    if let Some(reserved) = reserved(&mut *conn, repeat).await? {
        return Ok(reserved);
    }
    let add = sqlx::query(ADD_REPEAT)
        .bind(repeat.user.as_str())
        .bind(&repeat.key)
        .bind(doc.as_str())
        .bind(repeat.at)
        .bind(made.to_string())
        .bind(&repeat.digest[..]);
    add.execute(conn).await?;
    Ok(Reserved::by(repeat, doc.clone(), made))
}

async fn reserved(conn: impl SqliteExecutor<'_>, repeat: &Repeat) -> Result<Option<Reserved>, sqlx::Error> {
    let read = sqlx::query(READ_REPEAT).bind(repeat.user.as_str()).bind(&repeat.key).bind(repeat.since());
    let Some(row) = read.fetch_optional(conn).await? else { return Ok(None) };
    let has_made = row.try_get::<Option<&str>, _>("made")?.is_some();
    Ok(Some(Reserved {
        doc: rows::document_id(&row, "doc_id")?,
        made: has_made.then(|| rows::uuid(&row, "made")).transpose()?,
        digest: row.try_get::<Option<&[u8]>, _>("digest")?.and_then(|digest| digest.try_into().ok()),
        at: row.try_get("at")?,
        fresh: false,
    }))
}

fn named(row: &SqliteRow) -> Result<NamedVersion, sqlx::Error> {
    Ok(NamedVersion {
        version: rows::number(row, "version")?,
        name: row.try_get("name")?,
        user: rows::user_id(row, "user_id")?,
        named_at: row.try_get("named_at")?,
        made_at: row.try_get("made_at")?,
    })
}

fn comment(row: &SqliteRow) -> Result<Comment, sqlx::Error> {
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
    let has_parent = row.try_get::<Option<&str>, _>("parent")?.is_some();
    Ok(Comment {
        id: rows::uuid(row, "id")?,
        parent: has_parent.then(|| rows::uuid(row, "parent")).transpose()?,
        user: rows::user_id(row, "user_id")?,
        text: row.try_get("text")?,
        created_at: row.try_get("created_at")?,
        edited_at: row.try_get("edited_at")?,
        revision: rows::number(row, "revision")?,
        resolved: by.map(|by| UserId(by.into())).zip(at),
        anchor,
    })
}
