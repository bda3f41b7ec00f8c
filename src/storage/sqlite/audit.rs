//! The audit log. Whoever adds to a chain has the writer, so that one waits for the other.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::bulk::integer;
use super::error::store_error;
use super::writer::WriterGuard;
use super::{SqliteStore, rows};
use crate::ids::Millis;
use crate::storage::StoreError;
use crate::storage::audit::{AuditLog, AuditQuery, AuditRecord, Entry, Hash, Head, checkpoint};

const READ_HEAD: &str = "SELECT * FROM audit_chains WHERE chain = ?1";
const READ_HEADS: &str = "SELECT * FROM audit_chains ORDER BY chain";
const MOVE_HEAD: &str = "INSERT INTO audit_chains (chain, n, hash) VALUES (?1, ?2, ?3)
    ON CONFLICT (chain) DO UPDATE SET n = excluded.n, hash = excluded.hash";
const ADD_RECORD: &str = "INSERT INTO audit
    (chain, n, at, actor, address, action, subject, outcome, details, previous, hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const READ_CHAIN: &str = "SELECT * FROM audit WHERE chain = ?1 AND n > ?2 ORDER BY n LIMIT ?3";
const FIND_RECORDS: &str = include_str!("sql/find_audit.sql");
const LAST_OLD: &str = include_str!("sql/last_old_audit.sql");
const REMOVE_OLD: &str = "DELETE FROM audit WHERE chain = ?1 AND n <= ?2";

#[async_trait]
impl AuditLog for SqliteStore {
    async fn append_audit(&self, chain: &str, entries: &[Entry]) -> Result<Head, StoreError> {
        let (chain, entries) = (chain.to_owned(), entries.to_vec());
        let append = async move |_, mut writer: WriterGuard| {
            let appended = append(writer.begin().await?, &chain, &entries).await.map_err(store_error);
            writer.end(appended).await
        };
        self.inner.detached(append).await
    }

    async fn read_audit(
        &self,
        chain: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let read = sqlx::query(READ_CHAIN)
            .bind(chain)
            .bind(integer(after))
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers);
        read.await.map_err(store_error)?.iter().map(record).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn find_audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let (after_at, after_chain, after_n) = after(query);
        let find = sqlx::query(FIND_RECORDS)
            .bind(&query.actor)
            .bind(&query.subject)
            .bind(&query.action)
            .bind(query.from)
            .bind(query.to)
            .bind(after_at)
            .bind(after_chain)
            .bind(after_n)
            .bind(integer(query.limit as u64))
            .fetch_all(&self.inner.readers);
        find.await.map_err(store_error)?.iter().map(record).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn audit_heads(&self) -> Result<Vec<Head>, StoreError> {
        let read = sqlx::query(READ_HEADS).fetch_all(&self.inner.readers).await.map_err(store_error)?;
        read.iter().map(head).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn trim_audit(
        &self,
        chain: &str,
        before: Millis,
        at: Millis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let chain = chain.to_owned();
        let trim = async move |_, mut writer: WriterGuard| {
            let trimmed = trim(writer.begin().await?, &chain, before, at, limit).await.map_err(store_error);
            writer.end(trimmed).await
        };
        self.inner.detached(trim).await
    }
}

fn after(query: &AuditQuery) -> (Option<Millis>, Option<&str>, Option<i64>) {
    let after = query.after.as_ref();
    (after.map(|after| after.0), after.map(|after| &*after.1), after.map(|after| integer(after.2)))
}

async fn append(conn: &mut SqliteConnection, chain: &str, entries: &[Entry]) -> Result<Head, sqlx::Error> {
    let found = sqlx::query(READ_HEAD).bind(chain).fetch_optional(&mut *conn).await?;
    let mut end = found.as_ref().map(head).transpose()?.unwrap_or_else(|| Head::new(chain));
    for entry in entries {
        let record = end.add(entry);
        sqlx::query(ADD_RECORD)
            .bind(&record.chain)
            .bind(integer(record.n))
            .bind(record.at)
            .bind(&record.actor)
            .bind(&record.address)
            .bind(&record.action)
            .bind(&record.subject)
            .bind(&record.outcome)
            .bind(&record.details)
            .bind(&record.previous[..])
            .bind(&record.hash[..])
            .execute(&mut *conn)
            .await?;
    }
    let moved = sqlx::query(MOVE_HEAD).bind(chain).bind(integer(end.n)).bind(&end.hash[..]);
    moved.execute(conn).await?;
    Ok(end)
}

async fn trim(
    conn: &mut SqliteConnection,
    chain: &str,
    before: Millis,
    at: Millis,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let found = sqlx::query(LAST_OLD).bind(chain).bind(before).bind(i64::from(limit));
    let Some(found) = found.fetch_optional(&mut *conn).await? else { return Ok(0) };
    let last = head(&found)?;
    let removed = sqlx::query(REMOVE_OLD).bind(chain).bind(integer(last.n)).execute(&mut *conn).await?;
    let removed = removed.rows_affected();
    append(conn, chain, &[checkpoint(at, &last, removed)]).await?;
    Ok(removed)
}

fn record(row: &SqliteRow) -> Result<AuditRecord, sqlx::Error> {
    Ok(AuditRecord {
        chain: row.try_get("chain")?,
        n: rows::number(row, "n")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        address: row.try_get("address")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        outcome: row.try_get("outcome")?,
        details: row.try_get("details")?,
        previous: hash(row, "previous")?,
        hash: hash(row, "hash")?,
    })
}

fn head(row: &SqliteRow) -> Result<Head, sqlx::Error> {
    Ok(Head { chain: row.try_get("chain")?, n: rows::number(row, "n")?, hash: hash(row, "hash")? })
}

/// One of another length is none that a record can have, and is told when the chain is walked.
fn hash(row: &SqliteRow, column: &str) -> Result<Hash, sqlx::Error> {
    Ok(row.try_get::<Vec<u8>, _>(column)?.try_into().unwrap_or([0xff; 32]))
}
