//! What the journal has committed and the publisher has not taken yet.
//!
//! The journal never waits here. What does not fit is left out, and the publisher finds it in the log: it knows where each
//! shard's log ends, and sees that positions are missing.

use std::collections::{BTreeSet, VecDeque};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::lanes::FlightLimits;
use crate::ids::{Epoch, SHARDS, Shard};
use crate::metrics::METRICS;
use crate::storage::ShardOp;

/// How much the window holds.
#[derive(Clone, Copy, Debug)]
pub struct WindowLimits {
    /// Operations: some seconds of a busy server, in which a broker may change its leader.
    pub ops: usize,
    /// Bytes of their deltas.
    pub bytes: usize,
}

impl Default for WindowLimits {
    fn default() -> Self {
        Self { ops: 65_536, bytes: 16 << 20 }
    }
}

/// A committed operation.
#[derive(Debug)]
pub struct Committed {
    pub shard: Shard,
    /// The owner's, when it was committed.
    pub epoch: Epoch,
    pub placed: ShardOp,
}

/// See the module's documentation. Shared by the journal and the publisher.
#[derive(Debug)]
pub struct Window {
    limits: WindowLimits,
    held: Mutex<Held>,
    news: Notify,
}

#[derive(Debug)]
struct Held {
    ops: VecDeque<Committed>,
    bytes: usize,
    /// Where the log of each shard ends.
    ends: Box<[u64; SHARDS]>,
    /// Shards that this server has taken, each once.
    taken: BTreeSet<Shard>,
}

/// What the publisher takes at once.
#[derive(Debug)]
pub(super) struct Taken {
    pub ops: Vec<Committed>,
    /// Where the log of each shard ended at that moment …
    pub ends: Box<[u64; SHARDS]>,
    /// … and whether nothing has stayed in the window: what is neither taken nor sent is then in the log only.
    pub all: bool,
}

impl Window {
    /// Makes an empty one.
    pub fn new(limits: WindowLimits) -> Self {
        let held =
            Held { ops: VecDeque::new(), bytes: 0, ends: Box::new([0; SHARDS]), taken: BTreeSet::new() };
        Self { limits, held: Mutex::new(held), news: Notify::new() }
    }

    /// Returns what may be sent and not reported at once: a quarter of what may wait here, and as many bytes.
    pub(super) fn flight_limits(&self) -> FlightLimits {
        FlightLimits { ops: (self.limits.ops / 4).max(1), bytes: self.limits.bytes }
    }

    /// Takes in what was committed, as far as there is room, and where the logs end now. Operations of a shard come in order.
    pub fn hand_on(&self, committed: impl IntoIterator<Item = Committed>, ends: &[u64; SHARDS]) {
        let mut held = self.held.lock();
        for op in committed {
            held.push(op, self.limits);
        }
        *held.ends = *ends;
        METRICS.publisher.window.set(held.ops.len() as i64);
        drop(held);
        self.news.notify_one();
    }

    /// This server has taken shards: others have published them up to where their watermarks are.
    pub fn begin_again(&self, taken: impl IntoIterator<Item = Shard>, ends: &[u64; SHARDS]) {
        let mut held = self.held.lock();
        held.taken.extend(taken);
        *held.ends = *ends;
        drop(held);
        self.news.notify_one();
    }

    /// Takes the shards that were taken since the last time.
    pub(super) fn take_taken(&self) -> BTreeSet<Shard> {
        std::mem::take(&mut self.held.lock().taken)
    }

    /// Gives back what nobody could do anything with yet.
    pub(super) fn give_back(&self, taken: BTreeSet<Shard>) {
        self.held.lock().taken.extend(taken);
    }

    /// Takes the oldest operations, at most so many of so many bytes, but one in any case if there is room for any.
    pub(super) fn take(&self, ops: usize, bytes: usize) -> Taken {
        let mut held = self.held.lock();
        let mut taken = Vec::new();
        let mut taken_bytes = 0;
        while taken.len() < ops
            && (taken.is_empty() || taken_bytes < bytes)
            && let Some(op) = held.ops.pop_front()
        {
            taken_bytes += op.bytes();
            taken.push(op);
        }
        held.bytes -= taken_bytes;
        if held.ops.is_empty() {
            // After an outage the room is given back.
            held.ops.shrink_to(1024);
        }
        METRICS.publisher.window.set(held.ops.len() as i64);
        Taken { ops: taken, ends: held.ends.clone(), all: held.ops.is_empty() }
    }

    /// Resolves when something was handed on since the last time.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }
}

impl Held {
    fn push(&mut self, op: Committed, limits: WindowLimits) {
        if self.ops.len() < limits.ops && self.bytes + op.bytes() <= limits.bytes {
            self.bytes += op.bytes();
            self.ops.push_back(op);
        } else {
            METRICS.publisher.overflowed.inc();
        }
    }
}

impl Committed {
    fn bytes(&self) -> usize {
        self.placed.op.delta.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::publisher::tests::committed;

    fn positions(taken: &Taken) -> Vec<u64> {
        taken.ops.iter().map(|op| op.placed.pos).collect()
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_end_tells_of_it() {
        let window = Window::new(WindowLimits { ops: 3, bytes: 1 << 20 });
        let mut ends = [0; SHARDS];
        ends[7] = 5;
        window.hand_on((1..=5).map(|pos| committed(7, pos)), &ends);
        let taken = window.take(2, usize::MAX);
        assert_eq!((positions(&taken), taken.all, taken.ends[7]), (vec![1, 2], false, 5));
        let taken = window.take(2, usize::MAX);
        assert_eq!((positions(&taken), taken.all), (vec![3], true));
    }

    #[test]
    fn bytes_are_bounded_as_operations_are() {
        let size = committed(7, 1).bytes();
        let window = Window::new(WindowLimits { ops: 100, bytes: 2 * size });
        window.hand_on((1..=4).map(|pos| committed(7, pos)), &[0; SHARDS]);
        assert_eq!(positions(&window.take(100, 1)), [1], "one is taken however large it is");
        assert_eq!(positions(&window.take(100, usize::MAX)), [2]);
        assert!(window.take(0, usize::MAX).ops.is_empty());
    }
}
