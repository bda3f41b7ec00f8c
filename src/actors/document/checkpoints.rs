//! Snapshots that somebody has asked for.

use std::time::Instant;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::messages::Checkpoint;
use super::{DocumentActor, Snapshotting};
use crate::actors::error::Refusal;
use crate::ids::Version;

/// How many may wait for one document's snapshots.
const WAITING: usize = 64;

/// Somebody who waits until a version is in a snapshot.
pub(super) struct Waiting {
    version: Version,
    answer: oneshot::Sender<Result<Version, Refusal>>,
}

impl Handler<Checkpoint> for DocumentActor {
    type Result = ResponseFuture<Result<Version, Refusal>>;

    fn handle(&mut self, _: Checkpoint, ctx: &mut Self::Context) -> Self::Result {
        self.last_used = Instant::now();
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { version: self.state.version(), answer };
        if self.checkpoints.len() < WAITING {
            self.checkpoints.push(waiting);
            self.advance_checkpoints(ctx);
        }
        // An answer that was dropped: too many wait, or the actor has failed.
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(not_taken())) })
    }
}

impl DocumentActor {
    /// Answers those whose version is in a snapshot by now, and begins one for the others unless one is being written.
    pub(super) fn advance_checkpoints(&mut self, ctx: &mut Context<Self>) {
        let snapshotted = self.snapshotted;
        for done in self.checkpoints.extract_if(.., |waiting| waiting.version <= snapshotted) {
            // Whoever asked may have given up by now.
            let _ = done.answer.send(Ok(snapshotted));
        }
        if self.checkpoints.is_empty() || self.snapshot != Snapshotting::Idle {
            return;
        }
        self.begin_snapshot(ctx);
        if self.snapshot == Snapshotting::Idle {
            self.refuse_checkpoints();
        }
    }

    /// Tells those who wait that storage does not take a snapshot now.
    pub(super) fn refuse_checkpoints(&mut self) {
        for waiting in self.checkpoints.drain(..) {
            let _ = waiting.answer.send(Err(not_taken()));
        }
    }
}

fn not_taken() -> Refusal {
    Refusal::unavailable("no snapshot could be written")
}
