//! All shards on their way into the stream, and the bound of what is under way. No I/O.

use std::collections::HashMap;
use std::time::Instant;

use super::lane::{Fate, Lane};
use super::window::Committed;
use crate::ids::{Epoch, Millis, SHARDS, Shard};
use crate::storage::ShardOp;
use crate::storage::bus::Record;
use crate::traces::{self, EditTrace};

/// What may be sent and not yet reported at once. It is also what a server that dies may have sent without knowing, and so
/// sends again.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlightLimits {
    pub ops: usize,
    /// Bytes of the records' values. One record more may begin below it.
    pub bytes: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lanes {
    all: Box<[Lane]>,
    limits: FlightLimits,
    flying: usize,
    flying_bytes: usize,
    /// Of what is under way and traced, since when it is: few of all, as a rule.
    traced: HashMap<(Shard, u64), (EditTrace, Instant)>,
    /// The shard to look at first when the next page is read.
    turn: Shard,
}

impl Lanes {
    /// Begins at the watermarks.
    pub fn new(watermarks: &[u64; SHARDS], limits: FlightLimits) -> Self {
        let all = watermarks.iter().map(|watermark| Lane::at(*watermark)).collect();
        Self { all, limits, flying: 0, flying_bytes: 0, traced: HashMap::new(), turn: 0 }
    }

    pub fn of(&mut self, shard: Shard) -> &mut Lane {
        &mut self.all[usize::from(shard)]
    }

    /// How many operations, and of how many bytes, may be sent now.
    pub fn room(&self) -> (usize, usize) {
        (self.limits.ops.saturating_sub(self.flying), self.limits.bytes.saturating_sub(self.flying_bytes))
    }

    pub fn flying(&self) -> usize {
        self.flying
    }

    pub fn has_room(&self) -> bool {
        self.flying < self.limits.ops && self.flying_bytes < self.limits.bytes
    }

    /// Makes the record of an operation that the journal has handed on, if it is the next one of its shard.
    pub fn next_record(&mut self, committed: &Committed) -> Option<Record> {
        let Committed { shard, epoch, placed } = committed;
        let lane = self.of(*shard);
        match lane.fate(placed.pos) {
            Fate::Next => Some(self.record(*shard, *epoch, placed)),
            Fate::Known => None,
            Fate::TooFar => {
                lane.miss(placed.pos);
                None
            }
        }
    }

    /// Makes the record of an operation, which is under way from now on.
    pub fn record(&mut self, shard: Shard, epoch: Epoch, placed: &ShardOp) -> Record {
        let trace = traces::of(&placed.doc, placed.op.client, placed.op.seq);
        let record = Record::of(placed, shard, epoch, trace.map(|trace| trace.traceparent()));
        self.traced.extend(trace.map(|trace| ((shard, placed.pos), (trace, Instant::now()))));
        self.flying += 1;
        self.flying_bytes += record.value.len();
        self.of(shard).sending(placed.pos, placed.op.at, record.value.len());
        record
    }

    /// A record is in the stream. Tells whether it was the one whose turn it was; if not, nothing is known any more.
    pub fn delivered(&mut self, shard: Shard, pos: u64) -> bool {
        let Some(bytes) = self.of(shard).delivered(pos) else { return false };
        self.flying -= 1;
        self.flying_bytes -= bytes;
        if let Some((trace, since)) = self.traced.remove(&(shard, pos)) {
            trace.published(since);
        }
        true
    }

    /// The producer is gone, and with it all knowledge of what is under way.
    pub fn go_back(&mut self) {
        self.all.iter_mut().for_each(Lane::go_back);
        (self.flying, self.flying_bytes) = (0, 0);
        self.traced.clear();
    }

    /// Takes note of where the logs end. When nothing is left in the window, what is missing is in the log only.
    pub fn end_at(&mut self, ends: &[u64; SHARDS], window_is_empty: bool, now: Millis) {
        for (lane, end) in self.all.iter_mut().zip(ends) {
            lane.ends_at(*end, now);
            lane.behind |= window_is_empty && lane.has_more();
        }
    }

    /// Ends the rests that are over.
    pub fn wake(&mut self, now: tokio::time::Instant) {
        for lane in &mut self.all {
            lane.rests_until = lane.rests_until.filter(|until| *until > now);
        }
    }

    /// Takes the next shard that has something to be read, in turn.
    pub fn next_behind(&mut self) -> Option<Shard> {
        let turns = (0..SHARDS).map(|n| self.turn.wrapping_add(n as Shard));
        let next = turns.into_iter().find(|shard| {
            let lane = &self.all[usize::from(*shard)];
            lane.behind && lane.rests_until.is_none()
        })?;
        self.turn = next.wrapping_add(1);
        Some(next)
    }

    pub fn any_behind(&self) -> bool {
        self.all.iter().any(|lane| lane.behind && lane.rests_until.is_none())
    }

    /// Lists the watermarks that have moved since they were stored.
    pub fn to_store(&self) -> Vec<(Shard, u64)> {
        let moved = (0..=Shard::MAX).zip(&self.all).filter(|(_, lane)| lane.acked > lane.stored);
        moved.map(|(shard, lane)| (shard, lane.acked)).collect()
    }

    pub fn stored(&mut self, marks: &[(Shard, u64)]) {
        for &(shard, pos) in marks {
            self.of(shard).stored = pos;
        }
    }

    /// Another server has these shards: they are not this one's affair any more.
    pub fn keep_only(&mut self, owned: &[(Shard, Epoch)]) {
        let mut mine = [false; SHARDS];
        owned.iter().for_each(|(shard, _)| mine[usize::from(*shard)] = true);
        for (lane, _) in self.all.iter_mut().zip(mine).filter(|(_, mine)| !mine) {
            lane.abandon();
        }
    }

    /// This server has a shard again, or for the first time: it begins where whoever had it before has come to.
    pub fn begin_again(&mut self, shard: Shard, watermark: u64) {
        self.of(shard).begin_again(watermark);
    }

    /// Operations that are not in the stream, and since when the oldest of them waits.
    pub fn lag(&self) -> (u64, Option<Millis>) {
        let since = self.all.iter().filter_map(|lane| lane.waits_since).min();
        (self.all.iter().map(Lane::lag).sum(), since)
    }

    pub fn is_through(&self) -> bool {
        self.all.iter().all(|lane| lane.lag() == 0)
    }
}
