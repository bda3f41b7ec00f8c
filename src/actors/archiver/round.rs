//! One round: which documents have something that is ripe, and what is done with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Archive, tell};
use crate::ids::{DocumentId, Epoch, HistoryId, Millis, SHARDS, Shard, Version};
use crate::metrics::METRICS;
use crate::storage::{Fork, LogState, LoggedOp, Ripe, SegmentMeta, StoreError};

/// Documents looked at together.
const DOCUMENTS: usize = 256;

/// Operations read at a time, and bytes of their deltas.
const PAGE: usize = 2_000;
const PAGE_BYTES: usize = 1 << 20;

/// Operations removed in one transaction: some 2 ms, for which an append may have to wait.
const REMOVED_AT_ONCE: u32 = 256;

/// The rest after each such transaction, and after each page of documents: editors come first.
const REST: Duration = Duration::from_millis(20);

/// What holds for all documents of a round.
pub(super) struct Bounds {
    /// What was made from here on stays.
    before: Millis,
    /// Up to where every reader has read each shard.
    read: Box<[u64; SHARDS]>,
}

impl Archive {
    /// Goes through all documents once. Tells whether something has failed that may be tried again soon.
    ///
    /// # Errors
    /// Storage is away.
    pub(super) async fn round(&self) -> Result<bool, StoreError> {
        let bounds = self.bounds().await?;
        let before = bounds.before;
        let mut owned = self.owned().await?;
        let (mut after, mut lag, mut failed) = (None, 0, false);
        loop {
            let page = self.tiers.warm.log_states(after.as_ref(), DOCUMENTS).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.doc.clone());
            for state in page {
                let Some(&epoch) = owned.get(&state.doc.shard()) else { continue };
                if self.is_over() {
                    return Ok(false);
                }
                let oldest = match self.document(&state, epoch, &bounds).await {
                    Ok(oldest) => oldest,
                    Err(StoreError::Fenced { .. }) => {
                        // By the journal of this node, perhaps, or by another node.
                        owned = self.owned().await?;
                        None
                    }
                    // Purged meanwhile, or archived by another node.
                    Err(StoreError::NotFound { .. } | StoreError::Conflict { .. }) => None,
                    Err(error @ StoreError::Corrupt { .. }) => {
                        tell("a document is left out", &error);
                        Some(state.first_at)
                    }
                    Err(error) => {
                        METRICS.archive.lag_seconds.set(seconds(lag.max(before - state.first_at)));
                        return Err(error);
                    }
                };
                failed |= oldest.is_some();
                lag = lag.max(oldest.map_or(0, |at| before - at));
            }
            tokio::time::sleep(REST).await;
        }
        METRICS.archive.lag_seconds.set(seconds(lag));
        METRICS.archive.show(&self.tiers.warm.sizes().await?);
        Ok(failed)
    }

    pub(super) async fn bounds(&self) -> Result<Bounds, StoreError> {
        let window = i64::try_from(self.policy.window.as_millis()).unwrap_or(i64::MAX);
        let before = self.clock.now().saturating_sub(window);
        Ok(Bounds { before, read: self.read_by_all().await? })
    }

    async fn owned(&self) -> Result<HashMap<Shard, Epoch>, StoreError> {
        Ok(self.tiers.warm.owned(&self.node).await?.into_iter().collect())
    }

    /// Returns the position of each shard that no reader has still to read.
    async fn read_by_all(&self) -> Result<Box<[u64; SHARDS]>, StoreError> {
        let mut read = Box::new([u64::MAX; SHARDS]);
        for reader in &self.readers {
            let marks = self.tiers.warm.watermarks(reader).await?;
            read.iter_mut().zip(marks.iter()).for_each(|(read, mark)| *read = (*read).min(*mark));
        }
        Ok(read)
    }

    /// Archives what is ripe of one document. Returns when the oldest operation was made that should have gone and has not,
    /// because a reader has still to read it.
    pub(super) async fn document(
        &self,
        state: &LogState,
        epoch: Epoch,
        bounds: &Bounds,
    ) -> Result<Option<Millis>, StoreError> {
        if state.first > 0 && state.first <= state.archived {
            self.remove_doubles(state, epoch).await?;
        }
        // The last operation stays, see `SegmentIndex`.
        let end = state.snapshot.min(state.last.saturating_sub(1));
        let mut after = state.archived;
        while after + self.policy.least_ops <= end && !self.is_over() {
            let ripe = Ripe {
                after,
                upto: end.min(after + self.policy.most_ops),
                before: bounds.before,
                pos: bounds.read[usize::from(state.doc.shard())],
            };
            let upto = self.tiers.warm.ripe_upto(&state.doc, &ripe).await?;
            if upto < after + self.policy.least_ops {
                return self.held_back(state, &ripe).await;
            }
            let segment = self.make_segment(state, epoch, (after, upto)).await?;
            self.remove(&state.doc, epoch, segment.last).await?;
            after = segment.last;
        }
        Ok(None)
    }

    /// Tells whether it is a reader that holds the rest back, by the age of what it holds back.
    async fn held_back(&self, state: &LogState, ripe: &Ripe) -> Result<Option<Millis>, StoreError> {
        if self.readers.is_empty() {
            return Ok(None);
        }
        let upto = self.tiers.warm.ripe_upto(&state.doc, &Ripe { pos: u64::MAX, ..*ripe }).await?;
        Ok((upto >= ripe.after + self.policy.least_ops).then_some(state.first_at))
    }

    /// Makes a segment of the operations after `after`, up to `upto` or to where its history or its room ends.
    async fn make_segment(
        &self,
        state: &LogState,
        epoch: Epoch,
        (after, upto): (Version, Version),
    ) -> Result<SegmentMeta, StoreError> {
        let doc = &state.doc;
        let forks = self.tiers.warm.forks(doc).await?;
        let (history, end) = made_under(state.history, &forks, after + 1);
        let ops: Arc<[LoggedOp]> = self.read(doc, after, upto.min(end)).await?.into();
        let segment = self.tiers.segments.write(doc, history, ops.clone()).await?;
        let recorded = match self.tiers.segments.compare(&segment, ops).await {
            Ok(()) => self.tiers.warm.record_segment(epoch, &segment).await,
            damaged => damaged,
        };
        match recorded {
            Ok(()) => {}
            // Whether it was recorded is not known, or nobody can be told to remove it.
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                if let Err(left) = self.tiers.segments.discard(&segment).await {
                    tell("an object is left that no row names", &left);
                }
                return Err(error);
            }
        }
        METRICS.archive.operations.inc_by(segment.last - segment.first + 1);
        Ok(segment)
    }

    /// Reads operations from the database, until they have enough bytes for a segment.
    async fn read(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
    ) -> Result<Vec<LoggedOp>, StoreError> {
        let (mut ops, mut bytes) = (Vec::new(), 0);
        let mut come_to = after;
        while come_to < upto && bytes < self.policy.most_bytes {
            let room = (self.policy.most_bytes - bytes).min(PAGE_BYTES);
            let page = self.tiers.warm.read_ops(doc, come_to, upto, PAGE, room).await?;
            let Some(last) = page.last() else { break };
            come_to = last.version;
            bytes += page.iter().map(|op| op.delta.len()).sum::<usize>();
            ops.extend(page);
        }
        Ok(ops)
    }

    /// Removes from the database what is in segments too, since a crash came before that was done.
    async fn remove_doubles(&self, state: &LogState, epoch: Epoch) -> Result<(), StoreError> {
        let mut after = state.first - 1;
        while after < state.archived && !self.is_over() {
            let rows = self.tiers.warm.read_ops(&state.doc, after, state.archived, PAGE, PAGE_BYTES).await?;
            let Some(last) = rows.last().map(|op| op.version) else { break };
            self.compare(&state.doc, &rows).await?;
            self.remove(&state.doc, epoch, last).await?;
            after = last;
        }
        Ok(())
    }

    /// Compares operations of the database with those of the segments.
    async fn compare(&self, doc: &DocumentId, rows: &[LoggedOp]) -> Result<(), StoreError> {
        let mut rest = rows;
        while let (Some(first), Some(last)) = (rest.first(), rest.last()) {
            let cold = self.tiers.read_cold(doc, first.version - 1, last.version).await?;
            let behind = (!cold.is_empty()).then(|| rest.strip_prefix(&cold[..])).flatten();
            rest = behind.ok_or_else(|| {
                let why = "its segment has another operation than the log".to_owned();
                StoreError::Corrupt { doc: doc.clone(), version: first.version, why }
            })?;
        }
        Ok(())
    }

    /// Removes from the database what is archived, in small parts.
    async fn remove(&self, doc: &DocumentId, epoch: Epoch, upto: Version) -> Result<(), StoreError> {
        while !self.is_over() && self.tiers.warm.remove_archived(doc, epoch, upto, REMOVED_AT_ONCE).await? > 0
        {
            tokio::time::sleep(REST).await;
        }
        Ok(())
    }
}

/// Returns the history that a version was made under, and the last version that was.
fn made_under(newest: HistoryId, forks: &[Fork], version: Version) -> (HistoryId, Version) {
    // The oldest fork that is not before it.
    let fork = forks.iter().rev().find(|fork| fork.version >= version);
    fork.map_or((newest, Version::MAX), |fork| (fork.parent, fork.version))
}

fn seconds(ms: Millis) -> f64 {
    ms.max(0) as f64 / 1000.0
}
