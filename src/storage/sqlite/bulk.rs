//! INSERTs of many rows, in so few shapes that each is prepared once.
//!
//! All are parts of transactions that are rolled back when one fails: `OR FAIL` has SQLite keep no second copy of every page
//! only to undo the one statement.

use std::sync::LazyLock;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, Encode, Sqlite, Type};

use super::recent::PlacedOp;
use crate::ids::{ClientId, DocumentId};
use crate::storage::{ClientRow, LoggedOp};

/// Rows of the prepared shapes. The rest of a shape is left unbound, which is NULL, and skipped: a quarter of a
/// microsecond a row, against preparing a statement for every number of rows.
const SHAPES: [usize; 5] = [1, 4, 16, 64, 256];

/// The most rows that one statement takes.
pub(super) const MOST_ROWS: usize = SHAPES[SHAPES.len() - 1];

struct Insert {
    shapes: [String; SHAPES.len()],
}

/// The literal is [`DELTA_FORMAT_JSON`](crate::storage::DELTA_FORMAT_JSON).
static OPS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "shard, doc_id, version, pos, client_id, seq, user_id, at, delta, format",
        "ops",
        "column1, column2, column3, column4, column5, column6, column7, column8, column9, 1",
        9,
        "",
    )
});
static CLIENTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "shard, doc_id, client_id, user_id, last_seq, last_version",
        "clients",
        "column1, column2, column3, column4, column5, column6",
        6,
        "ON CONFLICT (shard, doc_id, client_id)
         DO UPDATE SET
             user_id = excluded.user_id, last_seq = excluded.last_seq, last_version = excluded.last_version",
    )
});

impl Insert {
    fn new(columns: &str, table: &str, select: &str, width: usize, on_conflict: &str) -> Self {
        let row = format!("({})", vec!["?"; width].join(","));
        let shapes = SHAPES.map(|rows| {
            let values = vec![row.as_str(); rows].join(",");
            format!(
                "INSERT OR FAIL INTO {table} ({columns}) SELECT {select} FROM (VALUES {values}) \
                 WHERE column1 IS NOT NULL {on_conflict}"
            )
        });
        Self { shapes }
    }

    /// Returns the statement for `rows`, which are at most [`MOST_ROWS`].
    fn shape(&'static self, rows: usize) -> &'static str {
        let at = SHAPES.iter().position(|&shape| rows <= shape).unwrap_or(SHAPES.len() - 1);
        &self.shapes[at]
    }

    async fn run(
        &'static self,
        conn: &mut SqliteConnection,
        rows: usize,
        args: SqliteArguments,
    ) -> Result<(), sqlx::Error> {
        sqlx::query_with(self.shape(rows), args).execute(conn).await?;
        Ok(())
    }
}

/// Adds operations to `ops`, in a transaction that does not outlive a failure.
pub(super) async fn insert_ops(
    conn: &mut SqliteConnection,
    ops: &[(DocumentId, PlacedOp)],
) -> Result<(), sqlx::Error> {
    for chunk in ops.chunks(MOST_ROWS) {
        let mut args = SqliteArguments::default();
        args.reserve(chunk.len() * 9, 0);
        for (doc, placed) in chunk {
            add_op(&mut args, doc, placed.pos, &placed.op)?;
        }
        OPS.run(&mut *conn, chunk.len(), args).await?;
    }
    Ok(())
}

fn add_op(args: &mut SqliteArguments, doc: &DocumentId, pos: u64, op: &LoggedOp) -> Result<(), sqlx::Error> {
    add(args, i64::from(doc.shard()))?;
    add(args, doc.as_str())?;
    add(args, integer(op.version))?;
    add(args, integer(pos))?;
    add(args, op.client.0.as_bytes().as_slice())?;
    add(args, integer(op.seq))?;
    add(args, op.user.0.clone())?;
    add(args, op.at)?;
    add(args, op.delta.as_ref())
}

/// Adds or replaces rows of `clients`, which memory has in full, in a transaction that does not outlive a failure.
pub(super) async fn upsert_clients(
    conn: &mut SqliteConnection,
    rows: &[(DocumentId, ClientId, ClientRow)],
) -> Result<(), sqlx::Error> {
    for chunk in rows.chunks(MOST_ROWS) {
        let mut args = SqliteArguments::default();
        args.reserve(chunk.len() * 6, 0);
        for (doc, client, row) in chunk {
            add(&mut args, i64::from(doc.shard()))?;
            add(&mut args, doc.as_str())?;
            add(&mut args, client.0.as_bytes().as_slice())?;
            add(&mut args, row.user.0.clone())?;
            add(&mut args, integer(row.last_seq))?;
            add(&mut args, integer(row.last_version))?;
        }
        CLIENTS.run(&mut *conn, chunk.len(), args).await?;
    }
    Ok(())
}

/// Returns a number as SQLite holds it. Versions, positions and sequence numbers are below 2^53; one that a caller made
/// up for "all" is cut to the largest.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn add<'q, T>(args: &mut SqliteArguments, value: T) -> Result<(), sqlx::Error>
where
    T: Encode<'q, Sqlite> + Type<Sqlite>,
{
    args.add(value).map_err(sqlx::Error::Encode)
}
