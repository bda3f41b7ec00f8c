//! Settling: operations move from `recent_batches` to `ops` and `clients`, sorted by document, a slice at a time.
//!
//! A slice is a transaction like any other and waits its turn for the writer, so that an append waits for one slice at
//! most. Slices are spread over the time until the next round. Batches are removed when all up to them are settled;
//! operations that a crash leaves in both places are known by their version (`sql/settle_ops.sql`).

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::error::store_error;
use super::recent::Slice;
use super::writer::Writer;
use super::{Inner, bulk, touches};
use crate::ids::{DocumentId, Version};
use crate::storage::StoreError;

/// Operations in a slice: about 2 ms of work, for which an append may have to wait.
const SLICE: usize = bulk::MOST_ROWS;

/// Slices between two checkpoints, so that the write-ahead log stays at some 20 MB.
const SLICES_PER_CHECKPOINT: usize = 16;

/// Batches removed at once.
const REMOVED_AT_ONCE: i64 = 64;

/// What it costs, one to the other, when an operation moves to `ops`, a document's row is touched, and a batch is removed.
const MOVING: usize = 1;
const TOUCHING: usize = 1;
const REMOVING: usize = 4;

/// The part of the time between two full rounds that one of them is spread over. The rest is for what comes in faster than
/// the limit of operations in that time: 18,000 a second still leave a pause.
const SPREAD: f64 = 0.6;

/// A round begins when so many quarters of the limit wait: the limit itself.
const DUE: usize = 4;

/// A round does not rest while so many quarters wait: more comes in than it was spread for.
const HURRIED: usize = 5;

/// An append settles by itself, before it adds more, when so many quarters wait.
const OVERDUE: usize = 16;

/// What appends tell the task that settles.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Something waits to be settled.
    waiting: Notify,
    /// So much waits that it is to be settled at once.
    due: Notify,
}

/// Settles whenever it is time, until the store is gone. Holds the store only while it works, so that a store that is
/// dropped is gone at once.
pub(super) async fn run(store: Weak<Inner>, signals: Arc<Signals>) {
    loop {
        signals.waiting.notified().await;
        let Some(after) = store.upgrade().map(|inner| inner.settle.after) else { return };
        let deadline = tokio::time::Instant::now() + after;
        while store.upgrade().is_some_and(|inner| !inner.waits(DUE)) {
            if tokio::time::timeout_at(deadline, signals.due.notified()).await.is_err() {
                break;
            }
        }
        if let Err(error) = settle_gently(&store, after).await {
            tracing::error!(%error, "operations wait in recent_batches: settling failed");
            signals.waiting.notify_one();
            tokio::time::sleep(after).await;
        }
    }
}

/// Settles all there is now, resting between two pieces of work: commits feel a steady small load and never a burst. A
/// full round takes [`SPREAD`] of the time until the next one, and a smaller one the less: what many bytes in few operations
/// hold of memory is given back soon. Does not rest while more waits than should.
async fn settle_gently(store: &Weak<Inner>, after: Duration) -> Result<(), StoreError> {
    let Some(inner) = store.upgrade() else { return Ok(()) };
    let mut round = inner.begin_round();
    let within = after.mul_f64(SPREAD * (round.ops as f64 / inner.settle.ops as f64).min(1.0));
    drop(inner);
    let begun = tokio::time::Instant::now();
    while let Some(inner) = store.upgrade() {
        if !inner.go_on(&mut round).await? {
            break;
        }
        if !inner.waits(HURRIED) {
            drop(inner);
            tokio::time::sleep_until(begun + within.mul_f64(round.part_done())).await;
        }
    }
    Ok(())
}

/// One round of settling: everything that waited when it began.
struct Round {
    /// The documents with something to settle, the last of them first.
    plan: Vec<(DocumentId, Version)>,
    /// The documents whose rows are to be touched, the last of them first.
    touched: Vec<DocumentId>,
    /// Batches before this one are settled when `plan` is empty.
    end_row: i64,
    /// Operations that waited when it began.
    ops: usize,
    /// All there is to do, in units of [`MOVING`], [`TOUCHING`] and [`REMOVING`].
    work: usize,
    done: usize,
    slices: usize,
}

impl Round {
    /// Returns how much of it is done, from 0 to 1.
    fn part_done(&self) -> f64 {
        self.done.min(self.work) as f64 / self.work.max(1) as f64
    }
}

impl Inner {
    /// Settles all there is now.
    pub(super) async fn settle_all(&self) -> Result<(), StoreError> {
        let mut round = self.begin_round();
        while self.go_on(&mut round).await? {}
        Ok(())
    }

    /// Tells the settling task that there is something to do.
    pub(super) fn wake_settler(&self) {
        self.signals.waiting.notify_one();
        if self.waits(DUE) {
            self.signals.due.notify_one();
        }
    }

    /// Tells whether at least so many quarters of the limit wait to be settled.
    fn waits(&self, quarters: usize) -> bool {
        let recent = self.recent.lock();
        4 * recent.unsettled() >= quarters * self.settle.ops
            || 4 * recent.unsettled_bytes() >= quarters * self.settle.bytes
    }

    /// Holds an append back for as long as far too much waits: memory is bounded by this.
    pub(super) async fn make_room(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if !self.waits(OVERDUE) {
            return Ok(());
        }
        let mut plan = self.begin_round().plan;
        while self.waits(OVERDUE) && !plan.is_empty() {
            self.settle_slice(writer, &mut plan).await?;
        }
        Ok(())
    }

    fn begin_round(&self) -> Round {
        let (mut plan, rows, ops) = {
            let recent = self.recent.lock();
            (recent.to_settle(), recent.first_row()..recent.next_row(), recent.unsettled())
        };
        plan.sort_by_cached_key(|(doc, _)| std::cmp::Reverse((doc.shard(), doc.clone())));
        let touched = self.touches.lock().documents();
        let batches = rows.end.abs_diff(rows.start) as usize;
        let work = ops * MOVING + touched.len() * TOUCHING + batches * REMOVING;
        Round { plan, touched, end_row: rows.end, ops, work, done: 0, slices: 0 }
    }

    /// Does the next piece of a round; returns whether there is another one.
    async fn go_on(&self, round: &mut Round) -> Result<bool, StoreError> {
        if !round.plan.is_empty() {
            let moved = self.settle_slice(&mut *self.writer().await?, &mut round.plan).await?;
            round.done += moved * MOVING;
            round.slices += 1;
            if round.slices.is_multiple_of(SLICES_PER_CHECKPOINT) {
                self.checkpoint().await?;
            }
            return Ok(true);
        }
        if !round.touched.is_empty() {
            let some = touches::last(&mut round.touched);
            round.done += some.len() * TOUCHING;
            self.write_touches(&mut *self.writer().await?, some).await?;
            return Ok(true);
        }
        let removed = self.remove_settled(round.end_row).await?;
        round.done += removed * REMOVING;
        if removed > 0 {
            return Ok(true);
        }
        {
            // An append that has looked something up must find it in memory until it is through.
            let _writer = self.writer().await?;
            self.recent.lock().end_cycle(round.end_row);
        }
        self.checkpoint().await?;
        Ok(false)
    }

    async fn settle_slice(
        &self,
        writer: &mut Writer,
        plan: &mut Vec<(DocumentId, Version)>,
    ) -> Result<usize, StoreError> {
        let slice = self.recent.lock().slice(plan, SLICE);
        let conn = writer.begin().await?;
        let Slice { ops, clients } = &slice;
        let written = async {
            bulk::insert_ops(&mut *conn, ops).await?;
            bulk::upsert_clients(&mut *conn, clients).await
        };
        let written = written.await.map_err(store_error);
        writer.end(written).await?;
        self.recent.lock().settled(&slice);
        Ok(slice.ops.len())
    }

    /// Removes some of the batches before `end_row`, and says how many: none when none is left.
    async fn remove_settled(&self, end_row: i64) -> Result<usize, StoreError> {
        let mut writer = self.writer().await?;
        let conn = writer.begin().await?;
        let removed = sqlx::query(include_str!("sql/remove_settled.sql"))
            .bind(end_row)
            .bind(REMOVED_AT_ONCE)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() as usize)
            .map_err(store_error);
        writer.end(removed).await
    }
}
