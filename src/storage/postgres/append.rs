//! The hot path: a batch of operations in one statement, which is one transaction and one round trip.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, Row, SqlSafeStr};

use super::PostgresStore;
use super::connect::{Server, close};
use super::error::{self, Failure, append_failure, store_error};
use super::ledger::Found;
use super::memory::Memory;
use super::parcel::Parcel;
use super::sessions::within;
use crate::storage::{AppendEntry, AppendError, StoreError, batch};

const APPEND_OPS: &str = include_str!("sql/append_ops.sql");

/// How often a batch that does not fit, although nothing in it is wrong, is tried: somebody changes things meanwhile.
const TRIES: usize = 3;

/// A connection that has rested for so long is asked whether it is still there, before a batch is trusted to it: of one
/// that the server has closed meanwhile nobody could tell whether it was lost before or after the commit.
const RESTED: Duration = Duration::from_secs(1);

/// The connection for appends, one at a time, and what they remember.
///
/// It is made when it is needed, so that it belongs to the runtime of the thread that appends: no other one has to be
/// woken for its answers.
#[derive(Debug, Default)]
pub(super) struct Appender {
    /// `None` before the first append, while one is under way, and after one that nobody knows the outcome of: whoever
    /// goes away in the middle of an append takes the connection along.
    conn: Option<PgConnection>,
    used: Option<Instant>,
    /// Empty in the same cases.
    memory: Memory,
}

impl Appender {
    /// Takes the connection out, or makes one.
    async fn take(&mut self, server: &Server) -> Result<PgConnection, sqlx::Error> {
        if let Some(mut conn) = self.conn.take() {
            let has_rested = self.used.is_none_or(|used| used.elapsed() > RESTED);
            if !has_rested || within(server.patience(), conn.ping()).await.is_ok() {
                return Ok(conn);
            }
        }
        // Perhaps to another server, which an asynchronous standby has become and which lacks the end.
        self.memory = Memory::default();
        let mut conn = server.appender().await?;
        // A failure here is known to have written nothing.
        within(server.patience(), conn.prepare(APPEND_OPS.into_sql_str())).await?;
        Ok(conn)
    }

    fn put_back(&mut self, conn: PgConnection, memory: Memory) {
        *self = Self { conn: Some(conn), used: Some(Instant::now()), memory };
    }

    pub(super) async fn close(&mut self) {
        if let Some(conn) = self.conn.take() {
            close(conn).await;
        }
    }
}

impl PostgresStore {
    pub(super) async fn append_batch(&self, batch: &[AppendEntry]) -> Result<(), AppendError> {
        if batch.is_empty() {
            return Ok(());
        }
        let parcel = Parcel::of(batch);
        for _ in 0..TRIES {
            if let Some(parcel) = &parcel
                && self.send(parcel).await?
            {
                return Ok(());
            }
            let found = Found::look_up(&self.sessions, batch).await;
            let found = found.map_err(|error| AppendError::Refused(store_error(error)))?;
            batch::check(batch, &found)?;
        }
        let why = "the log changes whenever it is looked at";
        Err(AppendError::Refused(StoreError::unavailable(why)))
    }

    /// Sends a batch; returns false, with nothing written, when it does not fit what is there.
    async fn send(&self, parcel: &Parcel<'_>) -> Result<bool, AppendError> {
        let mut appender = self.appender.lock().await;
        let taken = appender.take(&self.server).await;
        let mut conn = taken.map_err(|error| AppendError::Refused(store_error(error)))?;
        let mut memory = std::mem::take(&mut appender.memory);
        let append = parcel.statement(&memory).fetch_all(&mut conn);
        // All rows of the one there is, and not `fetch_one`: that one comes before the commit, and the end after it.
        let answer = within(self.server.patience(), append).await;
        match answer
            .and_then(|rows| rows.first().map_or(Ok(None), |row| row.try_get::<Option<Vec<i64>>, _>(0)))
        {
            Ok(fits) => {
                match &fits {
                    Some(changes) => memory.appended(parcel, changes),
                    None => memory = Memory::default(),
                }
                appender.put_back(conn, memory);
                Ok(fits.is_some())
            }
            Err(error) => match append_failure(error) {
                Failure::Taken => {
                    appender.put_back(conn, Memory::default());
                    Ok(false)
                }
                Failure::RolledBack(refused, error::Connection::Keep) => {
                    appender.put_back(conn, Memory::default());
                    Err(refused)
                }
                Failure::RolledBack(failed, error::Connection::Drop) | Failure::Unknown(failed) => {
                    Err(failed)
                }
            },
        }
    }
}
