//! The audit log: who has done what, when, and with what outcome.
//!
//! Records form chains: each has the hash of the one before in its own, so that one that was changed, removed, moved or put in
//! by hand is found ([`Walk`]). Whoever can write to the database can also make a whole chain anew: against that helps a
//! head (number and hash) that was noted somewhere else, which the log of messages has from time to time.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use crate::ids::Millis;

/// SHA-256.
pub type Hash = [u8; 32];

/// What the first record of a chain has for the hash of the one before.
pub const GENESIS: Hash = [0; 32];

/// Bytes of a record's details as JSON, at most.
pub const MOST_DETAILS: usize = 4 << 10;

/// Bytes of an actor, a subject or an action, at most: longer ones are cut.
const MOST_NAME: usize = 256;

/// The action of the record that stands for those which have gone from the lower end, see [`AuditLog::trim_audit`].
pub const CHECKPOINT: &str = "audit.checkpoint";

/// What became of what somebody wanted to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed.
    Refused,
    /// It could not be done.
    Failed,
}

impl Outcome {
    /// Returns it as the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Something that was done, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Millis,
    /// A user's id, or what acts by itself: `server`, `command`.
    pub actor: String,
    /// From where, as far as that is known.
    pub address: Option<String>,
    /// `area.verb`, such as `doc.open`.
    pub action: String,
    /// `kind:id`, such as `doc:minutes`; empty without one.
    pub subject: String,
    pub outcome: Outcome,
    /// A JSON object of at most [`MOST_DETAILS`] bytes; one that is larger is replaced by its size.
    pub details: serde_json::Value,
}

/// An entry in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub chain: String,
    /// From 1, without a gap.
    pub n: u64,
    pub at: Millis,
    pub actor: String,
    pub address: Option<String>,
    pub action: String,
    pub subject: String,
    pub outcome: String,
    /// JSON, byte by byte as it was hashed.
    pub details: String,
    pub previous: Hash,
    pub hash: Hash,
}

/// The end of a chain, or a record that somebody has noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub chain: String,
    pub n: u64,
    pub hash: Hash,
}

impl Head {
    /// The end of a chain without records.
    pub fn new(chain: &str) -> Self {
        Self { chain: chain.to_owned(), n: 0, hash: GENESIS }
    }

    /// Makes the next record of the chain, and moves on to it.
    pub(super) fn add(&mut self, entry: &Entry) -> AuditRecord {
        let mut record = AuditRecord {
            chain: self.chain.clone(),
            n: self.n + 1,
            at: entry.at,
            actor: shown(&entry.actor),
            address: entry.address.as_deref().map(shown),
            action: shown(&entry.action),
            subject: shown(&entry.subject),
            outcome: entry.outcome.as_str().to_owned(),
            details: details(&entry.details),
            previous: self.hash,
            hash: GENESIS,
        };
        record.hash = record.hashed();
        (self.n, self.hash) = (record.n, record.hash);
        record
    }
}

/// Cuts a name that is too long, and leaves out what no database takes.
fn shown(name: &str) -> String {
    let mut end = name.len().min(MOST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].replace('\0', "")
}

fn details(value: &serde_json::Value) -> String {
    let text = if value.is_null() { "{}".to_owned() } else { value.to_string() };
    if text.len() <= MOST_DETAILS { text } else { serde_json::json!({ "bytes": text.len() }).to_string() }
}

impl AuditRecord {
    /// Computes its hash: SHA-256 over all its fields, each text behind its length, after the hash of the one before.
    pub fn hashed(&self) -> Hash {
        let mut hash = Sha256::new();
        hash.update(b"quire audit 1");
        hash.update(self.previous);
        hash.update(self.n.to_le_bytes());
        hash.update(self.at.to_le_bytes());
        let address = self.address.as_deref();
        // What has no address is not what has an empty one.
        hash.update([u8::from(address.is_some())]);
        let texts = [
            &*self.chain,
            &*self.actor,
            address.unwrap_or_default(),
            &*self.action,
            &*self.subject,
            &*self.outcome,
            &*self.details,
        ];
        for text in texts {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    fn head(&self) -> Head {
        Head { chain: self.chain.clone(), n: self.n, hash: self.hash }
    }

    /// What a checkpoint says of those which have gone: the number of the last one, and its hash.
    fn removed(&self) -> Option<(u64, Hash)> {
        let details: serde_json::Value = serde_json::from_str(&self.details).ok()?;
        let hash = hex::decode(details.get("hash")?.as_str()?).ok()?;
        Some((details.get("removed_upto")?.as_u64()?, hash.try_into().ok()?))
    }
}

/// Makes the entry of a checkpoint.
pub(super) fn checkpoint(at: Millis, last: &Head, count: u64) -> Entry {
    Entry {
        at,
        actor: "server".to_owned(),
        address: None,
        action: CHECKPOINT.to_owned(),
        subject: format!("audit:{}", last.chain),
        outcome: Outcome::Done,
        details: serde_json::json!({
            "removed_upto": last.n,
            "hash": hex::encode(last.hash),
            "removed": count,
        }),
    }
}

/// Which records to list: the newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub actor: Option<String>,
    pub subject: Option<String>,
    /// An action, or with `.` at its end an area.
    pub action: Option<String>,
    /// `from <= at < to`.
    pub from: Option<Millis>,
    pub to: Option<Millis>,
    /// Continues after this record of the page before.
    pub after: Option<(Millis, String, u64)>,
    pub limit: usize,
}

/// The records of all chains.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds entries to the end of a chain, in one transaction, and returns where it ends then. Of several who add to one chain
    /// each waits for those before.
    ///
    /// # Errors
    /// `Unavailable`: whether they were added is not always known. Who tries again may add them twice.
    async fn append_audit(&self, chain: &str, entries: &[Entry]) -> Result<Head, StoreError>;

    /// Reads a chain after the record `after`, in order, at most `limit`.
    async fn read_audit(&self, chain: &str, after: u64, limit: usize)
    -> Result<Vec<AuditRecord>, StoreError>;

    /// Finds records, see [`AuditQuery`].
    async fn find_audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError>;

    /// Returns where the chains end, by name.
    async fn audit_heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Removes the records of a chain from its lower end that were made before a time, at most `limit`, and adds a checkpoint,
    /// in one transaction; returns how many. The newest one stays. Without any that are so old nothing is added.
    async fn trim_audit(
        &self,
        chain: &str,
        before: Millis,
        at: Millis,
        limit: u32,
    ) -> Result<u64, StoreError>;
}

/// As it is shared.
pub type SharedAuditLog = Arc<dyn AuditLog>;

/// What is wrong with a chain: the first record that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {n} of chain {chain}: {why}")]
pub struct Misfit {
    pub chain: String,
    pub n: u64,
    pub why: &'static str,
}

/// Goes through a chain from its lower end and looks whether each record fits.
#[derive(Debug)]
pub struct Walk {
    chain: String,
    /// The record before the next one; `None` before the first.
    last: Option<Head>,
    /// What the first record there is says of the one before it.
    began_after: Option<(u64, Hash)>,
    /// What the newest checkpoint says of it.
    checkpoint: Option<(u64, Hash)>,
    /// Records that somebody has noted.
    noted: Vec<Head>,
}

impl Walk {
    /// Begins with a chain; `noted` are heads that were kept elsewhere.
    pub fn new(chain: &str, noted: &[Head]) -> Self {
        let noted = noted.iter().filter(|head| head.chain == chain).cloned().collect();
        Self { chain: chain.to_owned(), last: None, began_after: None, checkpoint: None, noted }
    }

    fn misfit(&self, n: u64, why: &'static str) -> Misfit {
        Misfit { chain: self.chain.clone(), n, why }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// It does not fit.
    pub fn take(&mut self, record: &AuditRecord) -> Result<(), Misfit> {
        let n = record.n;
        match &self.last {
            None => self.began_after = Some((n.saturating_sub(1), record.previous)),
            Some(last) if n != last.n + 1 => return Err(self.misfit(last.n + 1, "it is missing")),
            Some(last) if record.previous != last.hash => {
                return Err(self.misfit(n, "it does not follow on the one before"));
            }
            Some(_) => {}
        }
        if record.hashed() != record.hash {
            return Err(self.misfit(n, "it was changed"));
        }
        if self.noted.iter().any(|noted| noted.n == n && noted.hash != record.hash) {
            return Err(self.misfit(n, "it is not the one that was noted"));
        }
        if record.action == CHECKPOINT {
            self.checkpoint = record.removed();
        }
        self.last = Some(record.head());
        Ok(())
    }

    /// Ends with what the database says of the chain's end. Returns that end.
    ///
    /// # Errors
    /// Records are missing at either end.
    pub fn end(self, head: &Head) -> Result<Head, Misfit> {
        let last = self.last.clone().unwrap_or_else(|| Head::new(&self.chain));
        if last.n < head.n {
            return Err(self.misfit(last.n + 1, "it is missing"));
        }
        if last != *head {
            return Err(self.misfit(last.n, "it is not the end of its chain"));
        }
        if let Some(noted) = self.noted.iter().find(|noted| noted.n > last.n) {
            return Err(self.misfit(noted.n, "it was noted, and is missing"));
        }
        match (self.began_after, self.checkpoint) {
            (None | Some((0, GENESIS)), _) => Ok(last),
            (Some(begin), Some(removed)) if begin == removed => Ok(last),
            (Some((before, _)), _) => {
                Err(self.misfit(before, "it is missing, and no checkpoint stands for it"))
            }
        }
    }
}

/// Tells whether a chain has come to a record meanwhile: the two are written in one transaction.
async fn is_added(log: &dyn AuditLog, record: &AuditRecord) -> Result<bool, StoreError> {
    let heads = log.audit_heads().await?;
    Ok(heads.iter().any(|head| head.chain == record.chain && head.n >= record.n))
}

/// Records read at a time.
const PAGE: usize = 1_000;

/// Goes through a chain in the database; returns its end.
///
/// # Errors
/// Storage does not oblige; inside, the first record that does not fit.
pub async fn verify_chain(
    log: &dyn AuditLog,
    head: &Head,
    noted: &[Head],
) -> Result<Result<Head, Misfit>, StoreError> {
    let mut walk = Walk::new(&head.chain, noted);
    let mut after = 0;
    loop {
        let page = log.read_audit(&head.chain, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(walk.end(head)) };
        for record in page.iter().filter(|record| record.n <= head.n) {
            if let Err(misfit) = walk.take(record) {
                return Ok(Err(misfit));
            }
        }
        if last.n > head.n {
            let misfit = walk.misfit(head.n + 1, "it is behind the end of its chain");
            return Ok(if is_added(log, last).await? { walk.end(head) } else { Err(misfit) });
        }
        after = last.n;
    }
}

#[cfg(test)]
mod tests;
