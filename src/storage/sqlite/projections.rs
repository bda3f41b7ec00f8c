//! The rows of projections.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::bulk::integer;
use super::error::{read_error, store_error};
use super::writer::WriterGuard;
use super::{SqliteStore, rows};
use crate::ids::DocumentId;
use crate::storage::StoreError;
use crate::storage::projections::{
    self, Activity, Change, ContentRow, Move, Point, Projections, READER, Standing,
};

const READ_STANDINGS: &str = include_str!("sql/read_standings.sql");
const READ_CONTENTS: &str = include_str!("sql/read_contents.sql");
const READ_PROJECTION: &str = include_str!("sql/read_projection.sql");
const WRITE_CONTENT: &str = include_str!("sql/write_content.sql");
const ADD_ACTIVITY: &str = include_str!("sql/add_activity.sql");
const FORGET_ACTIVITY: &str = "DELETE FROM activity WHERE shard = ?1 AND doc_id = ?2";
const MOVE_WATERMARK: &str =
    "UPDATE watermarks SET pos = ?4 WHERE reader = ?1 AND shard = ?2 AND pos = ?3 AND ?4 >= pos";
const FIND_WORDS: &str = include_str!("sql/find_words.sql");

#[async_trait]
impl Projections for SqliteStore {
    async fn standings(&self, docs: &[DocumentId]) -> Result<Vec<Standing>, StoreError> {
        let found =
            sqlx::query(READ_STANDINGS).bind(json!(docs).to_string()).fetch_all(&self.inner.readers).await;
        found.map_err(store_error)?.iter().map(standing).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn contents(&self, docs: &[DocumentId]) -> Result<Vec<ContentRow>, StoreError> {
        let wanted: serde_json::Value = docs.iter().map(|doc| json!([doc.shard(), doc])).collect();
        let found = sqlx::query(READ_CONTENTS).bind(wanted.to_string()).fetch_all(&self.inner.readers).await;
        found.map_err(store_error)?.iter().map(content).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn projection(&self, doc: &DocumentId) -> Result<Option<(ContentRow, Vec<Activity>)>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let found = sqlx::query(READ_PROJECTION)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .fetch_optional(&self.inner.readers)
            .await
            .map_err(failed)?;
        let read = |row: SqliteRow| Ok((content(&row)?, activity(&row)?));
        found.map(read).transpose().map_err(failed)
    }

    async fn project(&self, moves: &[Move], changes: &[Change]) -> Result<(), StoreError> {
        let (moves, changes) = (moves.to_vec(), changes.to_vec());
        let project = async move |_, mut writer: WriterGuard| {
            let projected = write(writer.begin().await?, &moves, &changes).await;
            writer.end(projected).await
        };
        self.inner.detached(project).await
    }

    async fn find_words(&self, words: &str, limit: usize) -> Result<Vec<DocumentId>, StoreError> {
        let words = projections::words_of(words);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        // In quotes a word is a word, and no operator.
        let wanted = words.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ");
        let found = sqlx::query(FIND_WORDS)
            .bind(wanted)
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers)
            .await
            .map_err(store_error)?;
        found
            .iter()
            .map(|row| rows::document_id(row, "doc_id"))
            .collect::<Result<_, _>>()
            .map_err(store_error)
    }
}

/// Whoever writes has the database for himself: what is looked at here stays until the end.
async fn write(conn: &mut SqliteConnection, moves: &[Move], changes: &[Change]) -> Result<(), StoreError> {
    for one in moves {
        let moved = sqlx::query(MOVE_WATERMARK)
            .bind(READER)
            .bind(i64::from(one.shard))
            .bind(integer(one.from))
            .bind(integer(one.to))
            .execute(&mut *conn)
            .await
            .map_err(store_error)?;
        if moved.rows_affected() == 0 {
            return Err(one.conflict());
        }
    }
    let docs: Vec<_> = changes.iter().map(|change| &change.row.doc).collect();
    let found = sqlx::query(READ_STANDINGS).bind(json!(docs).to_string()).fetch_all(&mut *conn).await;
    let found = found.map_err(store_error)?;
    let standings = found.iter().map(|row| standing(row).map(|standing| (standing.doc.clone(), standing)));
    let standings: HashMap<_, _> = standings.collect::<Result<_, _>>().map_err(store_error)?;
    for change in changes {
        match standings.get(&change.row.doc) {
            Some(standing) if standing.purged => {}
            None => {}
            Some(standing) if standing.row != change.before => return Err(change.conflict()),
            Some(_) => write_change(&mut *conn, change).await.map_err(store_error)?,
        }
    }
    Ok(())
}

async fn write_change(conn: &mut SqliteConnection, change: &Change) -> Result<(), sqlx::Error> {
    let row = &change.row;
    let (shard, doc) = (i64::from(row.doc.shard()), row.doc.as_str());
    sqlx::query(WRITE_CONTENT)
        .bind(shard)
        .bind(doc)
        .bind(row.point.history.to_string())
        .bind(integer(row.point.version))
        .bind(row.at)
        .bind(&row.plain)
        .bind(&row.body[..])
        .execute(&mut *conn)
        .await?;
    if change.anew {
        sqlx::query(FORGET_ACTIVITY).bind(shard).bind(doc).execute(&mut *conn).await?;
    }
    if !change.activity.is_empty() {
        let added = change.activity.iter().map(|one| json!([one.hour, one.user, one.ops, one.bytes]));
        let added: serde_json::Value = added.collect();
        sqlx::query(ADD_ACTIVITY).bind(shard).bind(doc).bind(added.to_string()).execute(conn).await?;
    }
    Ok(())
}

fn standing(row: &SqliteRow) -> Result<Standing, sqlx::Error> {
    let has_row = row.try_get::<Option<i64>, _>("version")?.is_some();
    Ok(Standing {
        doc: rows::document_id(row, "id")?,
        history: rows::history_id(row, "newest")?,
        row: has_row.then(|| point(row)).transpose()?,
        bytes: rows::number(row, "bytes")?,
        purged: row.try_get("purged")?,
    })
}

fn point(row: &SqliteRow) -> Result<Point, sqlx::Error> {
    Ok(Point { history: rows::history_id(row, "history")?, version: rows::number(row, "version")? })
}

fn content(row: &SqliteRow) -> Result<ContentRow, sqlx::Error> {
    Ok(ContentRow {
        doc: rows::document_id(row, "doc_id")?,
        point: point(row)?,
        at: row.try_get("at")?,
        plain: row.try_get("plain")?,
        body: Bytes::from(row.try_get::<Vec<u8>, _>("body")?),
    })
}

fn activity(row: &SqliteRow) -> Result<Vec<Activity>, sqlx::Error> {
    Activity::all_from_json(row.try_get("activity")?).map_err(|error| sqlx::Error::Decode(error.into()))
}
