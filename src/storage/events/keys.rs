//! Keys of requests that make webhooks: taken in the transaction that makes one, as those of comments are.

use uuid::Uuid;

use crate::ids::InvalidDocumentId;
use crate::storage::accounts::tables::{Columns, Statement, Value};
use crate::storage::annotations::{Repeat, Reserved};

const FORGET: &str = "DELETE FROM repeats WHERE at < $1";
const TAKE: &str =
    "INSERT INTO repeats (user_id, key, doc_id, at, made, digest) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING";
/// For a webhook that was not made, since there are too many.
const GIVE_BACK: &str = "DELETE FROM repeats WHERE user_id = $1 AND key = $2 AND doc_id = $3
    AND NOT EXISTS (SELECT 1 FROM webhooks AS h WHERE h.id = $3)";
const READ: &str =
    "SELECT doc_id, CAST(made AS text) AS made, digest, at FROM repeats WHERE user_id = $1 AND key = $2";

/// Where among the answers to [`around`] that of the statement in the middle is.
pub(super) const ADDED: usize = 2;

/// Puts what takes a key for a webhook around the statement that adds it, which adds nothing if the key stands for something. The last
/// answer is what it stands for.
pub(super) fn around(add: Statement, repeat: &Repeat, hook: &str, made: Uuid) -> Vec<Statement> {
    let of = |sql| Statement::new(sql).with(repeat.user.as_str()).with(repeat.key.as_str());
    let mut take = of(TAKE).with(hook).with(repeat.at);
    take.values.push(Value::Uuid(Some(made)));
    let take = take.with(&repeat.digest[..]);
    vec![Statement::new(FORGET).with(repeat.since()), take, add, of(GIVE_BACK).with(hook), of(READ)]
}

pub(super) fn reserved(row: &dyn Columns) -> Result<Reserved, sqlx::Error> {
    let doc = row.text("doc_id")?.parse();
    let made = row.maybe_text("made")?.map(|made| made.parse()).transpose();
    Ok(Reserved {
        doc: doc.map_err(|error: InvalidDocumentId| sqlx::Error::Decode(error.into()))?,
        made: made.map_err(|error: uuid::Error| sqlx::Error::Decode(error.into()))?,
        digest: row.maybe_bytes("digest")?.and_then(|digest| digest.try_into().ok()),
        at: row.number("at")?,
        fresh: false,
    })
}
