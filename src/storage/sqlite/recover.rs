//! From the database alone to a known state: at open, and after a write whose outcome is not known.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::recent::{Recent, ShardState};
use super::touches::Touches;
use super::writer::Writer;
use super::{Inner, rows};
use crate::ids::SHARDS;

/// What is in batches becomes rows again, for the statements below.
const UNPACK_BATCHES: &str = include_str!("sql/unpack_batches.sql");
/// Rows that a crash between settling and emptying has left in both tables stay as they are in `ops`.
const SETTLE_OPS: &str = include_str!("sql/settle_ops.sql");
const BIND_CLIENTS: &str = include_str!("sql/bind_clients.sql");
const ADVANCE_CLIENTS: &str = include_str!("sql/advance_clients.sql");
const READ_TOUCHES: &str = include_str!("sql/read_touches.sql");
const READ_SHARDS: &str = include_str!("sql/read_shards.sql");

/// Settles all of `recent_batches` in one transaction and returns the shards as they are then. Memory begins empty after it.
pub(super) async fn recover(conn: &mut SqliteConnection) -> Result<Box<[ShardState]>, sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    let moved = match settle(&mut *conn).await {
        Ok(moved) => moved,
        Err(error) => {
            sqlx::query("ROLLBACK").execute(&mut *conn).await?;
            return Err(error);
        }
    };
    sqlx::query("COMMIT").execute(&mut *conn).await?;
    if moved > 0 {
        tracing::info!(operations = moved, "settled what an earlier run had left");
    }
    read_shards(conn).await
}

/// Returns how many operations have moved.
async fn settle(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    sqlx::query(UNPACK_BATCHES).execute(&mut *conn).await?;
    let moved = sqlx::query(SETTLE_OPS).execute(&mut *conn).await?.rows_affected();
    sqlx::query(BIND_CLIENTS).execute(&mut *conn).await?;
    sqlx::query(ADVANCE_CLIENTS).execute(&mut *conn).await?;
    let mut touches = Touches::default();
    for row in sqlx::query(READ_TOUCHES).fetch_all(&mut *conn).await? {
        touches.note(rows::document_id(&row, "doc_id")?, row.try_get("at")?, row.try_get("preview")?);
    }
    touches.write(&mut *conn).await?;
    sqlx::query("DELETE FROM recent_ops").execute(&mut *conn).await?;
    sqlx::query("DELETE FROM recent_batches").execute(&mut *conn).await?;
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
