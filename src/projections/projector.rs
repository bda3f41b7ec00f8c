//! Brings the rows of documents forward by parts of the log.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::{Projected, Written};
use crate::ids::{DocumentId, Shard, Version};
use crate::storage::projections::{Change, ContentRow, Move, SharedProjections, Standing};
use crate::storage::{LoggedOp, ShardOp, SharedStore, StoreError, common_version};

/// Operations read at a time where some are missing, and bytes of their deltas.
const PAGE: usize = 2_000;
const PAGE_BYTES: usize = 4 << 20;

/// Rows read at a time, and bytes of their packed contents, beyond the first.
const ROWS: usize = 256;
const ROW_BYTES: u64 = 4 << 20;

/// How much one transaction takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Documents.
    pub docs: usize,
    /// Bytes of their packed contents and of what is applied to them, beyond the first; and as many of what is written.
    pub bytes: u64,
}

/// A part of a shard's log: what is in `from < pos <= upto`, in order.
#[derive(Clone, Debug)]
pub struct Part {
    pub shard: Shard,
    /// The shard's watermark.
    pub from: u64,
    pub upto: u64,
    pub ops: Vec<ShardOp>,
}

/// What has become of the parts.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How far each shard has come: to the end of its part, or less far when the limits were reached.
    pub moves: Vec<Move>,
    /// What was stored.
    pub changes: Vec<Change>,
    /// Who has written how much in it that was not stored before.
    pub written: Vec<Written>,
    /// Documents that could not be read or applied: their rows stay behind.
    pub failed: Vec<StoreError>,
}

/// See the module's documentation. Cheap to clone.
#[derive(Clone)]
pub struct Projector {
    /// All tiers of the log.
    pub store: SharedStore,
    pub rows: SharedProjections,
    pub limits: Limits,
}

/// A document's part of what is to be projected.
struct Task {
    doc: DocumentId,
    ops: Vec<ShardOp>,
}

impl Projector {
    /// Projects parts of several shards, in one transaction. A document that cannot be projected does not hold up the others.
    ///
    /// # Errors
    /// `Conflict` when somebody else has projected one of the shards or documents meanwhile, or an operation is not of the history
    /// that its document has, or of a document that the log has not: the log is to be read from the watermarks. `Unavailable` when storage is away.
    /// Nothing was written then, as far as is known.
    pub async fn project(&self, parts: Vec<Part>) -> Result<Outcome, StoreError> {
        let (moves, tasks) = self.plan(parts).await?;
        let mut outcome = Outcome { moves, ..Outcome::default() };
        let mut tasks = tasks.into_iter().peekable();
        while tasks.peek().is_some() {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while let Some((standing, task)) = tasks.next_if(|(standing, _)| {
                some.is_empty() || some.len() < ROWS && bytes + standing.bytes <= ROW_BYTES
            }) {
                bytes += standing.bytes;
                some.push((standing, task));
            }
            let stored = some.iter().filter(|(standing, _)| standing.row.is_some());
            let docs: Vec<_> = stored.map(|(standing, _)| standing.doc.clone()).collect();
            let rows = if docs.is_empty() { Vec::new() } else { self.rows.contents(&docs).await? };
            let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.doc.clone(), row)).collect();
            let mut some = some.into_iter();
            for (standing, task) in some.by_ref() {
                let row = rows.remove(&standing.doc);
                match self.guarded(&standing, row, task, &mut outcome).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => {}
                    Err(error @ StoreError::Corrupt { .. }) => outcome.failed.push(error),
                    Err(error) => return Err(error),
                }
                if outcome.made() >= self.limits.bytes {
                    break;
                }
            }
            if outcome.made() >= self.limits.bytes {
                outcome.leave(some.chain(tasks).map(|(_, task)| task));
                break;
            }
        }
        if !outcome.moves.is_empty() {
            self.rows.project(&outcome.moves, &outcome.changes).await?;
        }
        Ok(outcome)
    }

    /// Chooses what one transaction takes: whole documents, in the order in which they come in their shards. One that is taken is
    /// taken with all its operations, though its shard may not come so far: what its row has is passed over the next time.
    async fn plan(&self, parts: Vec<Part>) -> Result<(Vec<Move>, Vec<(Standing, Task)>), StoreError> {
        let grouped: Vec<_> = parts.into_iter().map(|part| (part.all(), group(part.ops))).collect();
        let docs: Vec<_> = grouped.iter().flat_map(|(_, tasks)| tasks).map(|task| task.doc.clone()).collect();
        // One of all would be as long as all of them together, and what is beyond the limit is asked for again.
        let asked = &docs[..docs.len().min(self.limits.docs)];
        let standings = self.rows.standings(asked).await?.into_iter();
        let mut standings: HashMap<_, _> = standings.map(|one| (one.doc.clone(), one)).collect();
        let (mut moves, mut taken, mut seen, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
        for (mut one, tasks) in grouped {
            for task in tasks {
                let more = task.bytes() + standings.get(&task.doc).map_or(0, |standing| standing.bytes);
                if seen == self.limits.docs || (seen > 0 && bytes + more > self.limits.bytes) {
                    one.to = one.to.min(task.first() - 1);
                    moves.extend((one.to > one.from).then_some(one));
                    return Ok((moves, taken));
                }
                (seen, bytes) = (seen + 1, bytes + more);
                let standing = standings.remove(&task.doc);
                let standing =
                    standing.ok_or_else(|| task.conflict("is of a document that the log does not have"))?;
                if !standing.purged {
                    task.check(&standing)?;
                    taken.push((standing, task));
                }
            }
            moves.extend((one.to > one.from).then_some(one));
        }
        Ok((moves, taken))
    }

    /// A panic in one document is its failure.
    async fn guarded(
        &self,
        standing: &Standing,
        row: Option<ContentRow>,
        task: Task,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        let (doc, version) = (task.doc.clone(), task.ops.first().map_or(0, |op| op.op.version));
        // What it was working on is gone with it, and `outcome` changes when that is done.
        let done = AssertUnwindSafe(self.document(standing, row, task, outcome)).catch_unwind().await;
        done.unwrap_or_else(|_| {
            Err(StoreError::Corrupt { doc, version, why: "projecting it panics".to_owned() })
        })
    }

    async fn document(
        &self,
        standing: &Standing,
        row: Option<ContentRow>,
        task: Task,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        let mut projected = self.stored(standing, row).await?;
        for ShardOp { op, .. } in &task.ops {
            if op.version > projected.version() + 1 {
                self.catch_up(&mut projected, op.version - 1).await?;
            }
            projected.apply(op)?;
        }
        let written: Vec<_> = projected.written().collect();
        outcome.changes.extend(projected.into_change()?);
        outcome.written.extend(written);
        Ok(())
    }

    /// Begins with the row of a document, if that is of any use.
    pub(super) async fn stored(
        &self,
        standing: &Standing,
        row: Option<ContentRow>,
    ) -> Result<Projected, StoreError> {
        let begin = || Projected::begin(standing.doc.clone(), standing.history, standing.row);
        let Some(point) = standing.row else { return Ok(begin()) };
        let Some(row) = row.filter(|row| row.point == point) else {
            // Somebody else has written it, or has purged the document.
            let what = format!("the projected content of document {} is another by now", standing.doc);
            return Err(StoreError::Conflict { what });
        };
        if point.history != standing.history {
            let forks = self.store.forks(&standing.doc).await?;
            if common_version(&forks, point.history).is_none_or(|common| common < point.version) {
                return Ok(begin());
            }
        }
        Projected::resume(&row, standing.history).or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "it is made again from the log");
            Ok(begin())
        })
    }

    /// Applies what the log has up to `upto`.
    pub(super) async fn catch_up(&self, projected: &mut Projected, upto: Version) -> Result<(), StoreError> {
        while projected.version() < upto {
            let page =
                self.store.read_ops(projected.doc(), projected.version(), upto, PAGE, PAGE_BYTES).await?;
            if page.is_empty() {
                break;
            }
            page.iter().try_for_each(|op: &LoggedOp| projected.apply(op).map(|_| ()))?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl Outcome {
    /// Bytes of what is to be written.
    fn made(&self) -> u64 {
        let rows = self.changes.iter().map(|change| &change.row);
        rows.map(|row| (row.body.len() + row.plain.len()) as u64).sum()
    }

    /// These are left for the next transaction: their shards come no further than before them.
    fn leave(&mut self, tasks: impl Iterator<Item = Task>) {
        for task in tasks {
            let shard = task.doc.shard();
            for one in self.moves.iter_mut().filter(|one| one.shard == shard) {
                one.to = one.to.min(task.first() - 1);
            }
        }
        self.moves.retain(|one| one.to > one.from);
    }
}

/// Sorts operations by document, in the order in which these come.
fn group(ops: Vec<ShardOp>) -> Vec<Task> {
    let mut places: HashMap<DocumentId, usize> = HashMap::new();
    let mut tasks: Vec<Task> = Vec::new();
    for op in ops {
        let place = *places.entry(op.doc.clone()).or_insert(tasks.len());
        match tasks.get_mut(place) {
            Some(task) => task.ops.push(op),
            None => tasks.push(Task { doc: op.doc.clone(), ops: vec![op] }),
        }
    }
    tasks
}

impl Task {
    fn first(&self) -> u64 {
        self.ops.first().map_or(0, |op| op.pos)
    }

    /// What was made under a history that the document has left may be of a log that is lost, and its positions with it: the
    /// log is to be asked.
    fn check(&self, standing: &Standing) -> Result<(), StoreError> {
        match self.ops.iter().find(|op| op.history != standing.history) {
            None => Ok(()),
            Some(_) => Err(self.conflict("is of a history that it has left")),
        }
    }

    /// The stream has something else than the log.
    fn conflict(&self, why: &str) -> StoreError {
        StoreError::Conflict { what: format!("an operation of document {} {why}", self.doc) }
    }

    fn bytes(&self) -> u64 {
        self.ops.iter().map(|op| op.op.delta.len() as u64).sum()
    }
}

impl Part {
    fn all(&self) -> Move {
        Move { shard: self.shard, from: self.from, to: self.upto }
    }
}

#[cfg(test)]
#[path = "projector_tests.rs"]
mod tests;
