//! Moves what is old from the database to the object store, a document at a time.
//!
//! Round after round it goes through all documents of the shards that its node owns. What is beyond the warm window, below the
//! newest snapshot and read by every reader of the whole log is packed into a segment; the segment is made durable, read back and
//! compared; its row is recorded; and only then its operations leave the database, a few at a time. A crash in between leaves an
//! object that no row names, or operations in both places: the next round removes those, after comparing them again.
//!
//! Nothing waits for it. When the object store is away the operations stay where they are.

mod round;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use futures_util::FutureExt;

use crate::actors::clock::Clock;
use crate::metrics::METRICS;
use crate::storage::{StoreError, Tiers};

/// The first round, and one after a round that has failed, do not wait for their time.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// When what is archived.
#[derive(Clone, Copy, Debug)]
pub struct ArchivePolicy {
    /// How long operations stay in the database at least.
    pub window: Duration,
    /// The rest between two rounds.
    pub every: Duration,
    /// A document is left alone until so many of its operations are ripe: small segments would each be an object to pay for, and
    /// a row. It does not hold where a history or [`Self::most_bytes`] ends a segment.
    pub least_ops: u64,
    /// The most that one segment has: of operations …
    pub most_ops: u64,
    /// … and, past the first, of their bytes. So much is in memory, some three times over.
    pub most_bytes: usize,
}

impl Default for ArchivePolicy {
    fn default() -> Self {
        Self {
            window: Duration::from_hours(24 * 30),
            every: Duration::from_hours(1),
            least_ops: 500,
            most_ops: 16_384,
            most_bytes: 8 << 20,
        }
    }
}

/// What the archiver works with.
#[derive(Clone)]
pub struct Archive {
    pub tiers: Tiers,
    pub policy: ArchivePolicy,
    /// Who reads the whole log from the database: nothing is archived before all of them have read it.
    pub readers: Vec<String>,
    /// The name under which the node owns its shards.
    pub node: String,
    pub clock: Clock,
    /// Set when the server stops: a round ends early then.
    pub draining: Arc<AtomicBool>,
}

impl Archive {
    fn is_over(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// See the module's documentation. The node has one.
pub struct ArchiverActor {
    archive: Archive,
}

impl ArchiverActor {
    /// Makes the archiver.
    pub fn new(archive: Archive) -> Self {
        Self { archive }
    }
}

impl Actor for ArchiverActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(fut::wrap_future(work(self.archive.clone())));
    }
}

/// Goes round until the server stops. A panic is a round that has failed: nothing is held from one to the next.
async fn work(archive: Archive) {
    // Whoever has been waiting for the start comes first.
    let mut failed = true;
    loop {
        let every = archive.policy.every;
        tokio::time::sleep(if failed { every.min(AGAIN_AFTER) } else { every }).await;
        if archive.is_over() {
            return;
        }
        let round = AssertUnwindSafe(archive.round()).catch_unwind().await;
        failed = match round {
            Ok(Ok(failed)) => failed,
            Ok(Err(error)) => {
                tell("operations stay in the database", &error);
                true
            }
            Err(_) => {
                METRICS.archive.failures.inc();
                tracing::error!("the archiver has failed, and begins anew");
                true
            }
        };
    }
}

/// Counts and logs a failure.
fn tell(what: &str, error: &StoreError) {
    METRICS.archive.failures.inc();
    let error = error as &dyn std::error::Error;
    tracing::error!(error, "archiving failed: {what}");
}

#[cfg(test)]
mod tests;
