//! The audit log. Whoever adds to a chain locks the row of its end, so that one waits for the other.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::error::store_error;
use super::rows::{self, integer};
use super::sessions::{Session, statement};
use crate::ids::Millis;
use crate::storage::StoreError;
use crate::storage::audit::{AuditLog, AuditQuery, AuditRecord, Entry, GENESIS, Hash, Head, checkpoint};

const MAKE_CHAIN: &str =
    "INSERT INTO audit_chains (chain, n, hash) VALUES ($1, 0, $2) ON CONFLICT (chain) DO NOTHING";
const LOCK_HEAD: &str = "SELECT * FROM audit_chains WHERE chain = $1 FOR UPDATE";
const READ_HEADS: &str = "SELECT * FROM audit_chains ORDER BY chain";
const MOVE_HEAD: &str = "UPDATE audit_chains SET n = $2, hash = $3 WHERE chain = $1";
const ADD_RECORDS: &str = include_str!("sql/add_audit.sql");
const READ_CHAIN: &str = "SELECT * FROM audit WHERE chain = $1 AND n > $2 ORDER BY n LIMIT $3";
const FIND_RECORDS: &str = include_str!("sql/find_audit.sql");
const LAST_OLD: &str = include_str!("sql/last_old_audit.sql");
const REMOVE_OLD: &str = "DELETE FROM audit WHERE chain = $1 AND n <= $2";

#[async_trait]
impl AuditLog for PostgresStore {
    async fn append_audit(&self, chain: &str, entries: &[Entry]) -> Result<Head, StoreError> {
        let append = async {
            let mut session = self.sessions.begin().await?;
            let end = append(&mut session, chain, entries).await?;
            session.commit().await?;
            Ok(end)
        };
        append.await.map_err(store_error)
    }

    async fn read_audit(
        &self,
        chain: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let read = statement(READ_CHAIN).bind(chain).bind(integer(after)).bind(integer(limit as u64));
        let found = self.sessions.rows(read).await.map_err(store_error)?;
        found.iter().map(record).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn find_audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let after = query.after.as_ref();
        let find = statement(FIND_RECORDS)
            .bind(&query.actor)
            .bind(&query.subject)
            .bind(&query.action)
            .bind(query.from)
            .bind(query.to)
            .bind(after.map(|after| after.0))
            .bind(after.map(|after| &*after.1))
            .bind(after.map(|after| integer(after.2)))
            .bind(integer(query.limit as u64));
        let found = self.sessions.rows(find).await.map_err(store_error)?;
        found.iter().map(record).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn audit_heads(&self) -> Result<Vec<Head>, StoreError> {
        let found = self.sessions.rows(statement(READ_HEADS)).await.map_err(store_error)?;
        found.iter().map(head).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn trim_audit(
        &self,
        chain: &str,
        before: Millis,
        at: Millis,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let trim = async {
            let mut session = self.sessions.begin().await?;
            session.row(statement(LOCK_HEAD).bind(chain)).await?;
            let found = statement(LAST_OLD).bind(chain).bind(before).bind(i64::from(limit));
            let Some(found) = session.row(found).await? else { return Ok(0) };
            let last = head(&found)?;
            let removed = session.run(statement(REMOVE_OLD).bind(chain).bind(integer(last.n))).await?;
            append(&mut session, chain, &[checkpoint(at, &last, removed)]).await?;
            session.commit().await?;
            Ok(removed)
        };
        trim.await.map_err(store_error)
    }
}

async fn append(session: &mut Session, chain: &str, entries: &[Entry]) -> Result<Head, sqlx::Error> {
    session.run(statement(MAKE_CHAIN).bind(chain).bind(&GENESIS[..])).await?;
    let found = session.row(statement(LOCK_HEAD).bind(chain)).await?;
    let mut end = found.as_ref().map(head).transpose()?.unwrap_or_else(|| Head::new(chain));
    let records: Vec<AuditRecord> = entries.iter().map(|entry| end.add(entry)).collect();
    let each = || records.iter();
    let add = statement(ADD_RECORDS)
        .bind(chain)
        .bind(each().map(|record| integer(record.n)).collect::<Vec<_>>())
        .bind(each().map(|record| record.at).collect::<Vec<_>>())
        .bind(each().map(|record| &*record.actor).collect::<Vec<_>>())
        .bind(each().map(|record| record.address.as_deref()).collect::<Vec<_>>())
        .bind(each().map(|record| &*record.action).collect::<Vec<_>>())
        .bind(each().map(|record| &*record.subject).collect::<Vec<_>>())
        .bind(each().map(|record| &*record.outcome).collect::<Vec<_>>())
        .bind(each().map(|record| &*record.details).collect::<Vec<_>>())
        .bind(each().map(|record| &record.previous[..]).collect::<Vec<_>>())
        .bind(each().map(|record| &record.hash[..]).collect::<Vec<_>>());
    session.run(add).await?;
    session.run(statement(MOVE_HEAD).bind(chain).bind(integer(end.n)).bind(end.hash.to_vec())).await?;
    Ok(end)
}

fn record(row: &PgRow) -> Result<AuditRecord, sqlx::Error> {
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

fn head(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head { chain: row.try_get("chain")?, n: rows::number(row, "n")?, hash: hash(row, "hash")? })
}

/// One of another length is none that a record can have, and is told when the chain is walked.
fn hash(row: &PgRow, column: &str) -> Result<Hash, sqlx::Error> {
    Ok(row.try_get::<Vec<u8>, _>(column)?.try_into().unwrap_or([0xff; 32]))
}
