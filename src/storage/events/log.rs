//! Events over any database that runs the statements.

use async_trait::async_trait;

use super::{Delivery, Event, Events, Logged, Noted, hooks};
use crate::ids::{DocumentId, Millis, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::tables::{Columns, Statement, Tables, all, one};

const NOTED: &str = "SELECT * FROM event_outbox
    WHERE kind <> 'document.changed'
        OR doc_id IN (SELECT doc_id FROM event_outbox WHERE kind = 'document.changed' AND at <= $1)
    ORDER BY id LIMIT $2";
const LAST: &str = "SELECT n FROM events ORDER BY n DESC LIMIT 1";
/// A number that is taken is a conflict.
const ADD: &str = "INSERT INTO events (n, at, kind, doc_id, owner, by_user, data)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
/// As many at a time as [`AT_ONCE`]; there is none with the number -1.
const TAKE: &str = "DELETE FROM event_outbox
    WHERE id IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const AT_ONCE: usize = 16;
const READ: &str = "SELECT * FROM events WHERE n > $1 ORDER BY n LIMIT $2";
const OLD: &str =
    "SELECT n FROM events WHERE (at < $1 OR n <= $2) AND n < (SELECT MAX(n) FROM events) LIMIT 1";
const FORGET: &str = "DELETE FROM events WHERE (at < $1 OR n <= $2) AND n < (SELECT MAX(n) FROM events)";

#[async_trait]
impl<T: Tables> Events for T {
    async fn noted(&self, due: Millis, limit: usize) -> Result<Vec<Noted>, StoreError> {
        all(&self.read(Statement::new(NOTED).with(due).with(limit as i64)).await?, noted)
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        let last = one(&self.read(Statement::new(LAST)).await?, |row| row.number("n"))?;
        Ok(last.unwrap_or(0).cast_unsigned())
    }

    async fn number(
        &self,
        events: &[Logged],
        notes: &[i64],
        deliveries: &[Delivery],
    ) -> Result<(), StoreError> {
        let mut statements: Vec<_> = events.iter().map(add).collect();
        for some in notes.chunks(AT_ONCE) {
            let ids = some.iter().copied().chain(std::iter::repeat(-1)).take(AT_ONCE);
            statements.push(ids.fold(Statement::new(TAKE), Statement::with));
        }
        statements.extend(deliveries.iter().map(hooks::add_delivery));
        self.write(statements).await.map(|_| ())
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Logged>, StoreError> {
        let read = Statement::new(READ).with(after.cast_signed()).with(limit as i64);
        all(&self.read(read).await?, logged)
    }

    async fn forget(&self, before: Millis, upto: u64) -> Result<(), StoreError> {
        let of = |sql| Statement::new(sql).with(before).with(upto.cast_signed());
        // An idle database is not written to.
        if !self.read(of(OLD)).await?.is_empty() {
            self.write(vec![of(FORGET)]).await?;
        }
        Ok(())
    }
}

fn add(logged: &Logged) -> Statement {
    let Logged { event, owner } = logged;
    Statement::new(ADD)
        .with(event.n.cast_signed())
        .with(event.at)
        .with(event.kind.as_str())
        .with(event.doc.as_ref().map_or("", DocumentId::as_str))
        .with(owner.as_str())
        .with(event.by.as_ref().map(UserId::as_str))
        .with(event.data.as_str())
}

fn noted(row: &dyn Columns) -> Result<Noted, sqlx::Error> {
    let versions = row.maybe_number("since")?.zip(row.maybe_number("version")?);
    Ok(Noted {
        id: row.number("id")?,
        at: row.number("at")?,
        kind: parsed(&row.text("kind")?)?,
        doc: parsed(&row.text("doc_id")?)?,
        owner: UserId(row.text("owner")?.into()),
        by: row.maybe_text("by_user")?.map(|by| UserId(by.into())),
        data: row.text("data")?,
        versions: versions.map(|(since, version)| (since.cast_unsigned(), version.cast_unsigned())),
    })
}

fn logged(row: &dyn Columns) -> Result<Logged, sqlx::Error> {
    Ok(Logged { event: event(row)?, owner: UserId(row.text("owner")?.into()) })
}

/// Reads the columns that events and deliveries have in common.
pub(super) fn event(row: &dyn Columns) -> Result<Event, sqlx::Error> {
    Ok(Event {
        n: row.number("n")?.cast_unsigned(),
        at: row.number("at")?,
        kind: parsed(&row.text("kind")?)?,
        doc: row.maybe_text("doc_id")?.map(|doc| parsed(&doc)).transpose()?,
        by: row.maybe_text("by_user")?.map(|by| UserId(by.into())),
        data: row.text("data")?,
    })
}

fn parsed<P: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    text: &str,
) -> Result<P, sqlx::Error> {
    text.parse().map_err(|error: P::Err| sqlx::Error::Decode(error.into()))
}
