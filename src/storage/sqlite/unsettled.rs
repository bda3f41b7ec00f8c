//! `recent_batches`: what commits write, one row each.

use serde::{Serialize, Serializer};
use sqlx::sqlite::SqliteConnection;

use crate::ids::{ClientId, DocumentId, Millis, Shard, UserId, Version};
use crate::storage::{AppendEntry, DELTA_FORMAT_JSON, LoggedOp};

/// An operation as the view `unsettled_ops` reads it.
#[derive(Serialize)]
struct Row<'a>(
    Shard,
    &'a DocumentId,
    Version,
    u64,
    #[serde(serialize_with = "hex")] ClientId,
    u64,
    &'a UserId,
    Millis,
    u8,
    &'a str,
    bool,
    Option<&'a str>,
);

fn hex<S: Serializer>(client: &ClientId, to: S) -> Result<S::Ok, S::Error> {
    let mut buffer = [0; uuid::fmt::Simple::LENGTH];
    to.serialize_str(client.0.simple().encode_lower(&mut buffer))
}

/// The rows of an entry; the last of them carries its touch.
fn rows_of(entry: &AppendEntry) -> impl Iterator<Item = Result<Row<'_>, sqlx::Error>> {
    let shard = entry.doc.shard();
    let last = entry.ops.last().map(|op| op.version);
    entry.ops.iter().zip(entry.first_pos..).map(move |(op, pos)| {
        let LoggedOp { version, client, seq, user, at, delta } = op;
        let touch = entry.touch && Some(*version) == last;
        let preview = entry.preview.as_deref().filter(|_| touch);
        let delta = std::str::from_utf8(delta).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(Row(
            shard,
            &entry.doc,
            *version,
            pos,
            *client,
            *seq,
            user,
            *at,
            DELTA_FORMAT_JSON,
            delta,
            touch,
            preview,
        ))
    })
}

/// Makes the row's text of a batch; `None` when there are no operations in it.
pub(super) fn pack(batch: &[AppendEntry]) -> Result<Option<String>, sqlx::Error> {
    let mut text = String::from("[");
    for row in batch.iter().flat_map(rows_of) {
        let separator = if text.len() > 1 { "," } else { "" };
        text.push_str(separator);
        let row = serde_json::to_string(&row?).map_err(|error| sqlx::Error::Encode(error.into()))?;
        text.push_str(&row);
    }
    text.push(']');
    Ok((text.len() > 2).then_some(text))
}

/// Adds a row.
pub(super) async fn insert(conn: &mut SqliteConnection, id: i64, ops: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO recent_batches (id, ops) VALUES (?1, ?2)")
        .bind(id)
        .bind(ops)
        .execute(conn)
        .await?;
    Ok(())
}
