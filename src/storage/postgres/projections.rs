//! The rows of projections.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::error::{read_error, store_error};
use super::rows::{self, integer};
use super::sessions::{Session, Statement, statement};
use crate::ids::DocumentId;
use crate::storage::StoreError;
use crate::storage::projections::{
    self, Activity, Change, ContentRow, Move, Point, Projections, READER, Standing,
};

const READ_STANDINGS: &str = include_str!("sql/read_standings.sql");
const READ_CONTENTS: &str = include_str!("sql/read_contents.sql");
const READ_PROJECTION: &str = include_str!("sql/read_projection.sql");
pub(super) const LOCK_WATERMARKS: &str = include_str!("sql/lock_watermarks.sql");
const WRITE_CONTENTS: &str = include_str!("sql/write_contents.sql");
const FORGET_ACTIVITY: &str = include_str!("sql/forget_activity.sql");
const ADD_ACTIVITY: &str = include_str!("sql/add_activity.sql");
const MOVE_WATERMARKS: &str = include_str!("sql/move_watermarks.sql");
const FIND_WORDS: &str = include_str!("sql/find_words.sql");

#[async_trait]
impl Projections for PostgresStore {
    async fn standings(&self, docs: &[DocumentId]) -> Result<Vec<Standing>, StoreError> {
        let found = self.sessions.rows(read_standings(docs.iter())).await.map_err(store_error)?;
        found.iter().map(standing).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn contents(&self, docs: &[DocumentId]) -> Result<Vec<ContentRow>, StoreError> {
        let read = statement(READ_CONTENTS).bind(shards(docs.iter())).bind(ids(docs.iter()));
        let found = self.sessions.rows(read).await.map_err(store_error)?;
        found.iter().map(content).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn projection(&self, doc: &DocumentId) -> Result<Option<(ContentRow, Vec<Activity>)>, StoreError> {
        let failed = |error| read_error(doc, 0, error);
        let read = statement(READ_PROJECTION).bind(i16::from(doc.shard())).bind(doc.as_str());
        let found = self.sessions.row(read).await.map_err(failed)?;
        let read = |row: PgRow| Ok((content(&row)?, activity(&row)?));
        found.map(read).transpose().map_err(failed)
    }

    async fn project(&self, moves: &[Move], changes: &[Change]) -> Result<(), StoreError> {
        let mut session = self.sessions.begin().await.map_err(store_error)?;
        lock(&mut session, moves).await?;
        let standings = session.rows(read_standings(changes.iter().map(|change| &change.row.doc))).await;
        let standings = standings.map_err(store_error)?;
        let standings =
            standings.iter().map(|row| standing(row).map(|standing| (standing.doc.clone(), standing)));
        let standings: HashMap<_, _> = standings.collect::<Result<_, _>>().map_err(store_error)?;
        let mut written = Vec::with_capacity(changes.len());
        for change in changes {
            match standings.get(&change.row.doc) {
                Some(standing) if standing.purged => {}
                None => {}
                Some(standing) if standing.row != change.before => return Err(change.conflict()),
                Some(_) => written.push(change),
            }
        }
        let write = async {
            if !written.is_empty() {
                write(&mut session, &written).await?;
            }
            session.run(move_watermarks(moves)).await?;
            session.commit().await
        };
        write.await.map_err(store_error)
    }

    async fn find_words(&self, words: &str, limit: usize) -> Result<Vec<DocumentId>, StoreError> {
        let words = projections::words_of(words);
        let find = statement(FIND_WORDS).bind(words).bind(integer(limit as u64));
        let found = self.sessions.rows(find).await.map_err(store_error)?;
        found
            .iter()
            .map(|row| rows::document_id(row, "doc_id"))
            .collect::<Result<_, _>>()
            .map_err(store_error)
    }
}

/// Locks the shards' watermarks, and looks whether they are where they are to be moved from.
async fn lock(session: &mut Session, moves: &[Move]) -> Result<(), StoreError> {
    let shards: Vec<_> = moves.iter().map(|one| i16::from(one.shard)).collect();
    let locked = session.rows(statement(LOCK_WATERMARKS).bind(READER).bind(shards)).await;
    let locked = locked.map_err(store_error)?;
    let positions = locked
        .iter()
        .map(|row| Ok((rows::shard(row)?, (rows::number(row, "pos")?, rows::number(row, "last_pos")?))));
    let positions: HashMap<_, (u64, u64)> = positions.collect::<Result<_, _>>().map_err(store_error)?;
    let fits = |one: &Move| {
        let found = positions.get(&one.shard);
        found.is_some_and(|(pos, end)| {
            *pos == one.from && one.to >= one.from && one.to <= (*end).max(one.from)
        })
    };
    let elsewhere = moves.iter().find(|one| !fits(one));
    elsewhere.map_or(Ok(()), |one| Err(one.conflict()))
}

async fn write(session: &mut Session, changes: &[&Change]) -> Result<(), sqlx::Error> {
    let rows = || changes.iter().map(|change| &change.row);
    let docs = || rows().map(|row| &row.doc);
    let contents = statement(WRITE_CONTENTS)
        .bind(shards(docs()))
        .bind(ids(docs()))
        .bind(rows().map(|row| row.point.history.0).collect::<Vec<_>>())
        .bind(rows().map(|row| integer(row.point.version)).collect::<Vec<_>>())
        .bind(rows().map(|row| row.at).collect::<Vec<_>>())
        .bind(rows().map(|row| row.plain.as_str()).collect::<Vec<_>>())
        .bind(rows().map(|row| &row.body[..]).collect::<Vec<_>>());
    session.run(contents).await?;
    let anew: Vec<_> = changes.iter().filter(|change| change.anew).map(|change| &change.row.doc).collect();
    if !anew.is_empty() {
        let docs = || anew.iter().copied();
        session.run(statement(FORGET_ACTIVITY).bind(shards(docs())).bind(ids(docs()))).await?;
    }
    let added: Vec<_> =
        changes.iter().flat_map(|change| change.activity.iter().map(|one| (&change.row.doc, one))).collect();
    let activity = statement(ADD_ACTIVITY)
        .bind(shards(added.iter().map(|(doc, _)| *doc)))
        .bind(ids(added.iter().map(|(doc, _)| *doc)))
        .bind(added.iter().map(|(_, one)| one.hour).collect::<Vec<_>>())
        .bind(added.iter().map(|(_, one)| &*one.user.0).collect::<Vec<_>>())
        .bind(added.iter().map(|(_, one)| integer(one.ops)).collect::<Vec<_>>())
        .bind(added.iter().map(|(_, one)| integer(one.bytes)).collect::<Vec<_>>());
    session.run(activity).await?;
    Ok(())
}

fn move_watermarks(moves: &[Move]) -> Statement<'static> {
    statement(MOVE_WATERMARKS)
        .bind(READER)
        .bind(moves.iter().map(|one| i16::from(one.shard)).collect::<Vec<_>>())
        .bind(moves.iter().map(|one| integer(one.to)).collect::<Vec<_>>())
}

fn read_standings<'a>(docs: impl Iterator<Item = &'a DocumentId>) -> Statement<'a> {
    statement(READ_STANDINGS).bind(ids(docs))
}

fn ids<'a>(docs: impl Iterator<Item = &'a DocumentId>) -> Vec<&'a str> {
    docs.map(DocumentId::as_str).collect()
}

fn shards<'a>(docs: impl Iterator<Item = &'a DocumentId>) -> Vec<i16> {
    docs.map(|doc| i16::from(doc.shard())).collect()
}

fn standing(row: &PgRow) -> Result<Standing, sqlx::Error> {
    let has_row = row.try_get::<Option<i64>, _>("version")?.is_some();
    Ok(Standing {
        doc: rows::document_id(row, "id")?,
        history: rows::history_id(row, "newest")?,
        row: has_row.then(|| point(row)).transpose()?,
        bytes: rows::number(row, "bytes")?,
        purged: row.try_get("purged")?,
    })
}

fn point(row: &PgRow) -> Result<Point, sqlx::Error> {
    Ok(Point { history: rows::history_id(row, "history")?, version: rows::number(row, "version")? })
}

fn content(row: &PgRow) -> Result<ContentRow, sqlx::Error> {
    Ok(ContentRow {
        doc: rows::document_id(row, "doc_id")?,
        point: point(row)?,
        at: row.try_get("at")?,
        plain: row.try_get("plain")?,
        body: Bytes::from(row.try_get::<Vec<u8>, _>("body")?),
    })
}

fn activity(row: &PgRow) -> Result<Vec<Activity>, sqlx::Error> {
    Activity::all_from_json(row.try_get("activity")?).map_err(|error| sqlx::Error::Decode(error.into()))
}
