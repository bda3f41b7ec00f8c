//! What makes a batch acceptable: the rules of [`OpLog::append`](super::OpLog::append), once for every backend that
//! can see the state it writes to.

use std::collections::{HashMap, HashSet};

use super::{AppendEntry, AppendError, StoreError};
use crate::ids::{ClientId, DocumentId, Epoch, SHARDS, Shard, Version};

/// What a backend knows of a document before a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The id was never given.
    Absent,
    /// The document exists and its log ends here.
    Live(Version),
    /// The id is a tombstone.
    Purged,
}

/// The durable state that a batch is checked against.
pub(super) trait Ledger {
    /// The epoch of a shard's owner.
    fn epoch(&self, shard: Shard) -> Epoch;
    /// The last position of a shard's log, 0 when it is empty.
    fn last_pos(&self, shard: Shard) -> u64;
    fn document(&self, doc: &DocumentId) -> Known;
    /// Tells whether `(client, seq)` is in the document's log.
    fn has_op(&self, doc: &DocumentId, client: ClientId, seq: u64) -> bool;
}

/// Checks every entry of a batch, each as if the good ones before it were written.
///
/// # Errors
/// `Entries` names all that cannot be written. Those that merely stand behind a refused one of their shard, and so
/// begin at too high a position, are not among them: the caller gives them new positions.
pub(super) fn check(batch: &[AppendEntry], ledger: &impl Ledger) -> Result<(), AppendError> {
    let mut draft = Draft::new(batch, ledger);
    let mut refused = Vec::new();
    for (index, entry) in batch.iter().enumerate() {
        if let Err(why) = draft.admit(entry) {
            draft.shard_refused[usize::from(entry.doc.shard())] = true;
            refused.push((index, why));
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(AppendError::Entries(refused)) }
}

/// The ledger with the entries on top that have been admitted so far.
struct Draft<'a, L> {
    ledger: &'a L,
    heads: HashMap<&'a DocumentId, Version>,
    seqs: HashSet<(&'a DocumentId, ClientId, u64)>,
    last_pos: [Option<u64>; SHARDS],
    shard_refused: [bool; SHARDS],
}

impl<'a, L: Ledger> Draft<'a, L> {
    fn new(batch: &[AppendEntry], ledger: &'a L) -> Self {
        Self {
            ledger,
            heads: HashMap::with_capacity(batch.len()),
            seqs: HashSet::with_capacity(batch.len()),
            last_pos: [None; SHARDS],
            shard_refused: [false; SHARDS],
        }
    }

    /// Takes one entry onto the draft, or leaves the draft as it is and says why not.
    fn admit(&mut self, entry: &'a AppendEntry) -> Result<(), StoreError> {
        let shard = entry.doc.shard();
        let current = self.ledger.epoch(shard);
        if entry.epoch != current {
            return Err(StoreError::Fenced { shard, current });
        }
        let head = self.check_versions(entry)?;
        let last_pos = self.check_positions(entry)?;
        self.check_seqs(entry)?;

        self.heads.insert(&entry.doc, head);
        self.seqs.extend(entry.ops.iter().map(|op| (&entry.doc, op.client, op.seq)));
        self.last_pos[usize::from(shard)] = Some(last_pos);
        Ok(())
    }

    /// Returns the head after the entry.
    fn check_versions(&self, entry: &AppendEntry) -> Result<Version, StoreError> {
        let doc = &entry.doc;
        let known = self.heads.get(doc).map_or_else(|| self.ledger.document(doc), |head| Known::Live(*head));
        let mut head = match (known, &entry.create) {
            (Known::Absent, Some(_)) => 0,
            (Known::Live(head), None) => head,
            (Known::Live(_), Some(_)) => return Err(conflict(format!("there is a document {doc} already"))),
            (Known::Purged, Some(_)) => {
                return Err(conflict(format!("document {doc} was purged, and its id is not given again")));
            }
            (Known::Absent | Known::Purged, None) => {
                return Err(StoreError::NotFound { what: format!("document {doc}") });
            }
        };
        for op in &entry.ops {
            if op.version != head + 1 {
                return Err(conflict(format!(
                    "version {} of document {doc}, whose log is at {head}, is taken",
                    op.version
                )));
            }
            head = op.version;
        }
        Ok(head)
    }

    /// Returns the last position of the shard after the entry.
    fn check_positions(&self, entry: &AppendEntry) -> Result<u64, StoreError> {
        let shard = entry.doc.shard();
        let last = self.last_pos[usize::from(shard)].unwrap_or_else(|| self.ledger.last_pos(shard));
        if entry.ops.is_empty() {
            return Ok(last);
        }
        let first = entry.first_pos;
        let behind_a_refused_one = self.shard_refused[usize::from(shard)] && first > last;
        if first != last + 1 && !behind_a_refused_one {
            return Err(conflict(format!(
                "position {first} of shard {shard}, whose log is at {last}, is taken"
            )));
        }
        Ok(first + entry.ops.len() as u64 - 1)
    }

    fn check_seqs(&self, entry: &AppendEntry) -> Result<(), StoreError> {
        let doc = &entry.doc;
        let mut own = HashSet::new();
        for op in &entry.ops {
            let key = (op.client, op.seq);
            let repeated = entry.ops.len() > 1 && !own.insert(key);
            if repeated
                || self.seqs.contains(&(doc, op.client, op.seq))
                || self.ledger.has_op(doc, op.client, op.seq)
            {
                return Err(conflict(format!(
                    "seq {} of client {} in document {doc} is taken",
                    op.seq, op.client
                )));
            }
        }
        Ok(())
    }
}

fn conflict(what: String) -> StoreError {
    StoreError::Conflict { what }
}
