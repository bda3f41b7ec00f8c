//! Keeps projections up with the log, in the server itself: where there is no `quire worker` to do it.
//!
//! Nothing waits for it, and it takes a bounded share of the time: what is committed in one to five seconds is projected together, the
//! longer the more that costs, and after each transaction it rests for a multiple of what that took. Under much load projections fall
//! behind, documents are written with more operations at once, and editors notice nothing.

mod ends;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use futures_util::FutureExt;
use tokio::time::Instant;

pub use self::ends::Ends;
use crate::actors::clock::Clock;
use crate::ids::{SHARDS, Shard};
use crate::metrics::METRICS;
use crate::projections::{Account, Limits, Outcome, Part, Projector};
use crate::storage::StoreError;
use crate::storage::projections::READER;

/// The rest before a round, in which operations gather: so many times what the transactions of the round before took, …
const ROUND_REST: u32 = 99;

/// … and between these: a document is written once a second at most.
const EVERY: Duration = Duration::from_secs(1);
const LONGEST_EVERY: Duration = Duration::from_secs(5);

/// The rest after a transaction, as a multiple of the time that it took, …
const REST: u32 = 9;

/// … and at most so long, which is also the rest after a failure.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// What one transaction takes at most. An append of the embedded database has to wait for one: some 5 ms.
pub const LIMITS: Limits = Limits { docs: 64, bytes: 2 << 20 };

/// What a round has to do is spread over so many transactions, each of [`FEWEST`] documents at least: PostgreSQL has other things to do
/// on the core that it works on, and who commits meanwhile waits for a part and not for the whole.
const PARTS: u64 = 16;
const FEWEST: usize = 4;

/// Operations of one transaction, and bytes of their deltas, so that few documents with many of them are no longer work.
const OPS: usize = 1_024;
const OP_BYTES: usize = 1 << 20;

/// What the projector works with.
#[derive(Clone)]
pub struct Projecting {
    pub projector: Projector,
    /// Where the logs end of the shards that this node owns.
    pub ends: Arc<Ends>,
    pub clock: Clock,
    /// Set when the server stops.
    pub draining: Arc<AtomicBool>,
}

/// See the module's documentation. It has a thread of its own.
pub struct ProjectorActor {
    projecting: Projecting,
}

impl ProjectorActor {
    /// Makes the projector.
    pub fn new(projecting: Projecting) -> Self {
        Self { projecting }
    }
}

impl Actor for ProjectorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(fut::wrap_future(work(self.projecting.clone())));
    }
}

/// Works until the server stops. After a failure it begins with what is stored.
async fn work(projecting: Projecting) {
    let mut account = Account::default();
    while !projecting.is_over() {
        match AssertUnwindSafe(projecting.run(&mut account)).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => account.failed(&error),
            Err(_) => {
                METRICS.projections.failures.inc();
                tracing::error!("the projector has failed, and begins anew");
            }
        }
        tokio::time::sleep(LONGEST_REST).await;
    }
}

impl Projecting {
    fn is_over(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    async fn run(&self, account: &mut Account) -> Result<(), StoreError> {
        let mut marks = self.projector.store.watermarks(READER).await?;
        let (mut next, mut took) = (0, Duration::ZERO);
        loop {
            while !self.is_behind(&marks) {
                METRICS.projections.caught_up();
                self.ends.news().await;
            }
            tokio::time::sleep((took * ROUND_REST).clamp(EVERY, LONGEST_EVERY)).await;
            took = Duration::ZERO;
            // What gathers meanwhile is for the next round.
            let ends = self.ends.now();
            let docs = docs_at_once(behind(&marks, &ends), self.projector.limits.docs);
            loop {
                if self.is_over() {
                    return Ok(());
                }
                let began = Instant::now();
                let parts = self.gather(&marks, &ends, &mut next, docs).await?;
                if parts.is_empty() {
                    break;
                }
                account.begun(&parts, self.clock.now());
                let outcome = self.projector.project(parts).await?;
                for one in &outcome.moves {
                    marks[usize::from(one.shard)] = one.to;
                }
                self.note(account, &outcome, &marks);
                let one = began.elapsed();
                took += one;
                tokio::time::sleep((one * REST).min(LONGEST_REST)).await;
            }
        }
    }

    fn is_behind(&self, marks: &[u64; SHARDS]) -> bool {
        behind(marks, &self.ends.now()) > 0
    }

    fn note(&self, account: &mut Account, outcome: &Outcome, marks: &[u64; SHARDS]) {
        account.done(outcome, self.clock.now());
        METRICS.projections.lag_operations.set(behind(marks, &self.ends.now()) as i64);
    }

    /// Reads what one transaction takes, of the shards from `next` on, each up to its end, until there are `most` documents.
    async fn gather(
        &self,
        marks: &[u64; SHARDS],
        ends: &[u64; SHARDS],
        next: &mut Shard,
        most: usize,
    ) -> Result<Vec<Part>, StoreError> {
        let (mut parts, mut ops, mut bytes) = (Vec::new(), OPS, OP_BYTES);
        let mut docs = HashSet::new();
        for _ in 0..SHARDS {
            let (shard, from) = (*next, marks[usize::from(*next)]);
            if ends[usize::from(shard)] > from {
                let page = self.projector.store.read_shard(shard, from, ops, bytes).await?;
                ops = ops.saturating_sub(page.ops.len());
                bytes =
                    bytes.saturating_sub(page.ops.iter().map(|placed| placed.op.delta.len()).sum::<usize>());
                docs.extend(page.ops.iter().map(|placed| placed.doc.clone()));
                if page.upto > from {
                    parts.push(Part { shard, from, upto: page.upto, ops: page.ops });
                }
                if ops == 0 || bytes == 0 || docs.len() >= most {
                    break;
                }
            }
            *next = next.wrapping_add(1);
        }
        Ok(parts)
    }
}

/// How many operations the logs have that are not projected.
fn behind(marks: &[u64; SHARDS], ends: &[u64; SHARDS]) -> u64 {
    ends.iter().zip(marks).map(|(end, mark)| end.saturating_sub(*mark)).sum()
}

/// How many documents a transaction of a round takes that begins so many operations behind: of no more documents they can be.
fn docs_at_once(behind: u64, most: usize) -> usize {
    usize::try_from(behind / PARTS).unwrap_or(most).clamp(FEWEST.min(most), most)
}

#[cfg(test)]
mod tests;
