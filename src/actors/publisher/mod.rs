//! Publishes what is committed: from memory as a rule, from the log when something is missing there.
//!
//! The journal hands on what it has committed, into a [`Window`] that is bounded and that it never waits for. Of each shard
//! the publisher sends the operation that follows on the last one it has sent; when that is not in the window, because the
//! window was full, the bus was down, the server has begun anew or the outcome of a commit was found out late, it reads
//! the log from there. How far each shard has come is kept in the database (`watermarks`), and moves only after the bus has
//! said that it has the operation. So every operation is in the stream at least once, each shard's in order.
//!
//! Nothing here is in the way of editors: when the bus is away, the window fills and then what is beyond it is left out.

mod lane;
mod lanes;
mod window;
mod work;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

pub use self::window::{Committed, Window, WindowLimits};
pub use self::work::READER;
use self::work::{Tools, Waiter, Work};
use crate::actors::clock::Clock;
use crate::storage::SharedStore;
use crate::storage::bus::SharedBus;

/// Before it is begun anew after a panic, or asked again where it is to begin.
const REST: Duration = Duration::from_secs(1);

/// See the module's documentation. It has a thread of its own: to encode and to compress is work.
pub struct PublisherActor {
    tools: Tools,
    waiters: mpsc::UnboundedSender<Waiter>,
    /// `None` once it is at work.
    waiting: Option<mpsc::UnboundedReceiver<Waiter>>,
}

/// Answered when everything that is committed by now is in the stream and the watermarks are written, or at once when
/// connecting fails; with the number of operations that are left for the next start. Sent by the application when it stops, after
/// the journal's last commit.
#[derive(Message)]
#[rtype(result = "u64")]
pub struct Drain;

impl PublisherActor {
    /// Makes the publisher of the node that owns every shard.
    pub fn new(store: SharedStore, bus: SharedBus, window: Arc<Window>, node: String, clock: Clock) -> Self {
        let (waiters, waiting) = mpsc::unbounded_channel();
        let tools = Tools { store, bus, window, node, clock };
        Self { tools, waiters, waiting: Some(waiting) }
    }
}

/// Works until the process ends. What a panic has left half done is in nobody's memory: it begins again at the watermarks.
async fn work(tools: Tools, mut waiting: mpsc::UnboundedReceiver<Waiter>) {
    loop {
        let work = async {
            match Work::begin(tools.clone()).await {
                Ok(work) => work.run(&mut waiting).await,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the publisher's watermarks cannot be read; trying again");
                }
            }
        };
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!("the publisher has failed, and begins anew");
        }
        tokio::time::sleep(REST).await;
    }
}

impl Actor for PublisherActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(waiting) = self.waiting.take() {
            ctx.spawn(fut::wrap_future(work(self.tools.clone(), waiting)));
        }
    }
}

impl Handler<Drain> for PublisherActor {
    type Result = ResponseFuture<u64>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        let (waiter, answered) = oneshot::channel();
        // It is at work for as long as the actor lives.
        let _ = self.waiters.send(waiter);
        Box::pin(async move { answered.await.unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests;
