//! From the database alone to a known state: at open, and after a write whose outcome is not known.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::recent::{Recent, ShardState};
use super::touches::Touches;
use super::writer::Writer;
use super::{Inner, rows};
use crate::ids::SHARDS;

/// The batches that are settled in one transaction have so many bytes: a disk that is nearly full takes that too.
const PART: i64 = 4 << 20;

const NEXT_PART: &str = include_str!("sql/next_part.sql");
/// Rows that a crash between settling and emptying has left in both tables stay as they are in `ops`.
const SETTLE_OPS: &str = include_str!("sql/settle_ops.sql");
const BIND_CLIENTS: &str = include_str!("sql/bind_clients.sql");
const ADVANCE_CLIENTS: &str = include_str!("sql/advance_clients.sql");
const READ_TOUCHES: &str = include_str!("sql/read_touches.sql");
const READ_SHARDS: &str = include_str!("sql/read_shards.sql");

/// Settles all of `recent_batches`, a part at a time, and returns the shards as they are then. Memory begins empty after it.
pub(super) async fn recover(conn: &mut SqliteConnection) -> Result<Box<[ShardState]>, sqlx::Error> {
    let mut moved = 0;
    while let Some(upto) = sqlx::query_scalar(NEXT_PART).bind(PART).fetch_one(&mut *conn).await? {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
        match settle(&mut *conn, upto).await {
            Ok(settled) => moved += settled,
            Err(error) => {
                sqlx::query("ROLLBACK").execute(&mut *conn).await?;
                return Err(error);
            }
        }
        sqlx::query("COMMIT").execute(&mut *conn).await?;
    }
    if moved > 0 {
        tracing::info!(operations = moved, "settled what an earlier run had left");
    }
    read_shards(conn).await
}

/// Settles the batches up to `upto`, and returns how many operations have moved.
async fn settle(conn: &mut SqliteConnection, upto: i64) -> Result<u64, sqlx::Error> {
    let moved = sqlx::query(SETTLE_OPS).bind(upto).execute(&mut *conn).await?.rows_affected();
    sqlx::query(BIND_CLIENTS).bind(upto).execute(&mut *conn).await?;
    sqlx::query(ADVANCE_CLIENTS).bind(upto).execute(&mut *conn).await?;
    let mut touches = Touches::default();
    for row in sqlx::query(READ_TOUCHES).bind(upto).fetch_all(&mut *conn).await? {
        touches.note(rows::document_id(&row, "doc_id")?, row.try_get("at")?, row.try_get("preview")?);
    }
    touches.write(&mut *conn).await?;
    sqlx::query("DELETE FROM recent_batches WHERE id <= ?1").bind(upto).execute(&mut *conn).await?;
    Ok(moved)
}

async fn read_shards(conn: &mut SqliteConnection) -> Result<Box<[ShardState]>, sqlx::Error> {
    let rows = sqlx::query(READ_SHARDS).fetch_all(conn).await?;
    if rows.len() != SHARDS {
        return Err(sqlx::Error::Protocol(format!("there are {} shards and not {SHARDS}", rows.len())));
    }
    let state = |row: &sqlx::sqlite::SqliteRow| {
        Ok(ShardState {
            epoch: row.try_get::<i64, _>("epoch")?.cast_unsigned(),
            node: row.try_get("node")?,
            last_pos: row.try_get::<i64, _>("last_pos")?.cast_unsigned(),
        })
    };
    rows.iter().map(state).collect()
}

impl Inner {
    /// Replaces the connection and takes memory from what the database holds. Returns after everything that was ever
    /// sent to the old connection has been done or has failed: none of it can become durable later.
    pub(super) async fn recover(&self, writer: &mut Writer) -> Result<(), sqlx::Error> {
        tracing::warn!("the outcome of a write is not known: reading the log anew");
        let fresh = self.database.writer().await?;
        writer.replace(fresh).await;
        let shards = recover(writer.writing()?).await?;
        let mut recent = self.recent.lock();
        *recent = Recent::new(shards, recent.next_row());
        drop(recent);
        writer.trust();
        Ok(())
    }
}
