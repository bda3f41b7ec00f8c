//! Settling: operations move from `recent_ops` to `ops` and `clients`, sorted by document, a slice at a time.
//!
//! A slice is a transaction like any other and waits its turn for the writer, so that an append waits for one slice at
//! most. Rows of `recent_ops` are removed when all up to them are settled; those that a crash leaves in both tables are
//! known by their version (`sql/settle_ops.sql`).

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::Notify;

use super::error::store_error;
use super::recent::Slice;
use super::writer::Writer;
use super::{Inner, bulk};
use crate::ids::{DocumentId, Version};
use crate::storage::StoreError;

/// Operations in a slice: about 2 ms of work, for which an append may have to wait.
const SLICE: usize = bulk::MOST_ROWS;

/// Slices between two checkpoints, so that the write-ahead log stays at some 20 MB.
const SLICES_PER_CHECKPOINT: usize = 16;

/// Rows of `recent_ops` removed at once.
const REMOVED_AT_ONCE: i64 = 2048;

/// An append settles by itself, before it adds more, when this many times the limit is waiting.
const OVERDUE: usize = 4;

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
        while store.upgrade().is_some_and(|inner| !inner.is_due(1)) {
            if tokio::time::timeout_at(deadline, signals.due.notified()).await.is_err() {
                break;
            }
        }
        let Some(inner) = store.upgrade() else { return };
        if let Err(error) = inner.settle(Pace::Gentle).await {
            tracing::error!(%error, "operations wait in recent_ops: settling failed");
            signals.waiting.notify_one();
            drop(inner);
            tokio::time::sleep(after).await;
        }
    }
}

/// How much of the writer's time settling takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Half of it, unless there is more to do than should be.
    Gentle,
    /// All of it.
    Full,
}

impl Inner {
    /// Settles all there is now.
    pub(super) async fn settle_all(&self) -> Result<(), StoreError> {
        self.settle(Pace::Full).await
    }

    /// Tells the settling task that there is something to do.
    pub(super) fn wake_settler(&self) {
        self.signals.waiting.notify_one();
        if self.is_due(1) {
            self.signals.due.notify_one();
        }
    }

    fn is_due(&self, times: usize) -> bool {
        let recent = self.recent.lock();
        recent.unsettled() >= times * self.settle.ops || recent.unsettled_bytes() >= times * self.settle.bytes
    }

    /// Holds an append back for as long as far too much waits: memory is bounded by this.
    pub(super) async fn make_room(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if !self.is_due(OVERDUE) {
            return Ok(());
        }
        let (mut plan, _) = self.plan();
        while self.is_due(OVERDUE) && !plan.is_empty() {
            self.settle_slice(writer, &mut plan).await?;
        }
        Ok(())
    }

    async fn settle(&self, pace: Pace) -> Result<(), StoreError> {
        let (mut plan, end_row) = self.plan();
        let mut slices = 0;
        while !plan.is_empty() {
            let begun = Instant::now();
            self.settle_slice(&mut *self.writer().await?, &mut plan).await?;
            slices += 1;
            if slices % SLICES_PER_CHECKPOINT == 0 {
                self.checkpoint().await?;
            }
            if pace == Pace::Gentle && !self.is_due(2) {
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
        self.remove_settled(end_row).await?;
        {
            // An append that has looked something up must find it in memory until it is through.
            let _writer = self.writer().await?;
            self.recent.lock().end_cycle();
        }
        self.checkpoint().await
    }

    /// Returns the documents with something to settle, the last of them first, and the row where later ones begin.
    fn plan(&self) -> (Vec<(DocumentId, Version)>, i64) {
        let (mut plan, end_row) = {
            let recent = self.recent.lock();
            (recent.to_settle(), recent.next_row())
        };
        plan.sort_by_cached_key(|(doc, _)| std::cmp::Reverse((doc.shard(), doc.clone())));
        (plan, end_row)
    }

    async fn settle_slice(
        &self,
        writer: &mut Writer,
        plan: &mut Vec<(DocumentId, Version)>,
    ) -> Result<(), StoreError> {
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
        Ok(())
    }

    /// Removes the rows of `recent_ops` before `end_row`.
    async fn remove_settled(&self, end_row: i64) -> Result<(), StoreError> {
        loop {
            let mut writer = self.writer().await?;
            let conn = writer.begin().await?;
            let removed = sqlx::query(include_str!("sql/remove_settled.sql"))
                .bind(end_row)
                .bind(REMOVED_AT_ONCE)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
                .map_err(store_error);
            if writer.end(removed).await? == 0 {
                return Ok(());
            }
        }
    }
}
