//! What is there of that which a batch names: read only when a batch was found not to fit, to say why.

use std::collections::{HashMap, HashSet};

use sqlx::Row;

use super::rows::{self, integer};
use super::sessions::{Sessions, statement};
use crate::ids::{ClientId, DocumentId, Epoch, SHARDS, Shard};
use crate::storage::AppendEntry;
use crate::storage::batch::{Known, Ledger};

const LOOK_UP_SHARDS: &str = include_str!("sql/look_up_shards.sql");
const LOOK_UP_DOCUMENTS: &str = include_str!("sql/look_up_documents.sql");
const LOOK_UP_SEQS: &str = include_str!("sql/look_up_seqs.sql");

/// The durable state of all shards, and of the documents and operations that a batch names.
pub(super) struct Found {
    shards: Box<[(Epoch, u64); SHARDS]>,
    docs: HashMap<DocumentId, Known>,
    taken: HashSet<(DocumentId, ClientId, u64)>,
}

impl Found {
    /// Looks, one thing after the other: what changes meanwhile is found out when the batch is tried again.
    pub(super) async fn look_up(sessions: &Sessions, batch: &[AppendEntry]) -> Result<Self, sqlx::Error> {
        Ok(Self {
            shards: shards(sessions).await?,
            docs: documents(sessions, batch).await?,
            taken: taken(sessions, batch).await?,
        })
    }
}

/// Reads the epoch and the last position of each shard.
pub(super) async fn shards(sessions: &Sessions) -> Result<Box<[(Epoch, u64); SHARDS]>, sqlx::Error> {
    let mut shards = Box::new([(0, 0); SHARDS]);
    let found = sessions.rows(statement(LOOK_UP_SHARDS)).await?;
    if found.len() != SHARDS {
        return Err(sqlx::Error::Protocol(format!("there are {} shards and not {SHARDS}", found.len())));
    }
    for row in found {
        let place = &mut shards[usize::from(rows::shard(&row)?)];
        *place = (rows::number(&row, "epoch")?, rows::number(&row, "last_pos")?);
    }
    Ok(shards)
}

async fn documents(
    sessions: &Sessions,
    batch: &[AppendEntry],
) -> Result<HashMap<DocumentId, Known>, sqlx::Error> {
    let ids: Vec<_> = batch.iter().map(|entry| entry.doc.as_str()).collect();
    let found = sessions.rows(statement(LOOK_UP_DOCUMENTS).bind(ids)).await?;
    let known = found.iter().map(|row| {
        let known =
            if row.try_get("purged")? { Known::Purged } else { Known::Live(rows::number(row, "head")?) };
        Ok((rows::document_id(row, "id")?, known))
    });
    known.collect()
}

async fn taken(
    sessions: &Sessions,
    batch: &[AppendEntry],
) -> Result<HashSet<(DocumentId, ClientId, u64)>, sqlx::Error> {
    let ops = || batch.iter().flat_map(|entry| entry.ops.iter().map(|op| (&entry.doc, op)));
    let wanted = statement(LOOK_UP_SEQS)
        .bind(ops().map(|(doc, _)| i16::from(doc.shard())).collect::<Vec<_>>())
        .bind(ops().map(|(doc, _)| doc.as_str()).collect::<Vec<_>>())
        .bind(ops().map(|(_, op)| op.client.0).collect::<Vec<_>>())
        .bind(ops().map(|(_, op)| integer(op.seq)).collect::<Vec<_>>());
    let found = sessions.rows(wanted).await?;
    let key = |row| {
        let client = rows::client_id(row, "client_id")?;
        Ok((rows::document_id(row, "doc_id")?, client, rows::number(row, "seq")?))
    };
    found.iter().map(key).collect()
}

impl Ledger for Found {
    fn epoch(&self, shard: Shard) -> Epoch {
        self.shards[usize::from(shard)].0
    }

    fn last_pos(&self, shard: Shard) -> u64 {
        self.shards[usize::from(shard)].1
    }

    fn document(&self, doc: &DocumentId) -> Known {
        self.docs.get(doc).copied().unwrap_or(Known::Absent)
    }

    fn has_op(&self, doc: &DocumentId, client: ClientId, seq: u64) -> bool {
        !self.taken.is_empty() && self.taken.contains(&(doc.clone(), client, seq))
    }
}
