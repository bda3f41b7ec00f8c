//! One shard on its way from the stream into the rows. No I/O, no clock.

use std::collections::VecDeque;

use crate::ids::Shard;
use crate::projections::Part;
use crate::storage::ShardOp;

/// What has come of one shard and is not stored. `stored <= end <= seen`.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The watermark in the database.
    stored: u64,
    /// What follows on it without a gap.
    ops: Vec<ShardOp>,
    /// Bytes of their deltas.
    bytes: usize,
    /// The highest position that has been heard of.
    seen: u64,
    /// Position and offset of what has come, in order of offset.
    offsets: VecDeque<(u64, i64)>,
}

impl Lane {
    /// Begins at a watermark.
    pub fn at(stored: u64) -> Self {
        Self { stored, seen: stored, ..Self::default() }
    }

    /// Takes a record. What is stored already is passed over, and what has a gap before it is left for the log.
    pub fn take(&mut self, offset: i64, op: ShardOp) {
        self.offsets.push_back((op.pos, offset));
        self.seen = self.seen.max(op.pos);
        if op.pos == self.end() + 1 {
            self.bytes += op.op.delta.len();
            self.ops.push(op);
        }
    }

    /// The log goes to a position, whatever the stream has.
    pub fn hear_of(&mut self, pos: u64) {
        self.seen = self.seen.max(pos);
    }

    /// The log ends here: what was heard of beyond is of another log.
    pub fn ends(&mut self) {
        self.seen = self.end();
    }

    /// Everything up to a position is stored; returns the offset up to which the stream is done with, if that has moved.
    pub fn store(&mut self, upto: u64) -> Option<i64> {
        self.stored = self.stored.max(upto);
        let passed = self.ops.partition_point(|op| op.pos <= self.stored);
        self.bytes -= self.ops.drain(..passed).map(|op| op.op.delta.len()).sum::<usize>();
        // What stays has its gap filled before it, or follows on what is stored.
        if self.ops.first().is_some_and(|op| op.pos != self.stored + 1) {
            (self.bytes, self.ops) = (0, Vec::new());
        }
        self.seen = self.seen.max(self.stored);
        let mut done = None;
        while let Some((_, offset)) = self.offsets.pop_front_if(|(pos, _)| *pos <= self.stored) {
            done = Some(offset);
        }
        done
    }

    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Tells whether something is to be read in the log that the stream did not bring.
    pub fn has_gap(&self) -> bool {
        self.seen > self.end()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn ops(&self) -> &[ShardOp] {
        &self.ops
    }

    /// Returns what may be stored.
    pub fn part(&self, shard: Shard) -> Part {
        Part { shard, from: self.stored, upto: self.end(), ops: self.ops.clone() }
    }

    fn end(&self) -> u64 {
        self.ops.last().map_or(self.stored, |op| op.pos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClientId, HistoryId, UserId};
    use crate::storage::LoggedOp;

    fn op(pos: u64) -> ShardOp {
        ShardOp {
            pos,
            doc: "doc".parse().unwrap(),
            history: HistoryId(uuid::Uuid::from_u128(1)),
            op: LoggedOp {
                version: pos,
                client: ClientId(uuid::Uuid::from_u128(1)),
                seq: pos,
                user: UserId("ann".into()),
                at: 0,
                delta: b"[]".as_slice().into(),
            },
        }
    }

    fn lane(stored: u64, positions: impl IntoIterator<Item = u64>) -> Lane {
        let mut lane = Lane::at(stored);
        for (offset, pos) in (100..).zip(positions) {
            lane.take(offset, op(pos));
        }
        lane
    }

    fn positions(lane: &Lane) -> Vec<u64> {
        lane.ops().iter().map(|op| op.pos).collect()
    }

    #[test]
    fn what_follows_is_kept_and_what_is_stored_passed_over() {
        let mut lane = lane(5, [3, 4, 5, 6, 7, 6, 7, 8]);
        assert_eq!((positions(&lane), lane.has_gap()), (vec![6, 7, 8], false));
        let part = lane.part(9);
        assert_eq!((part.from, part.upto, part.ops.len()), (5, 8, 3));
        assert_eq!(lane.store(6), Some(103));
        assert_eq!((positions(&lane), lane.bytes()), (vec![7, 8], 4));
        assert_eq!(lane.store(8), Some(107), "doubles are done with as well");
        assert_eq!((lane.store(8), lane.bytes()), (None, 0));
    }

    #[test]
    fn what_has_a_gap_before_it_is_left_for_the_log() {
        let mut lane = lane(5, [6, 9, 10]);
        assert_eq!((positions(&lane), lane.has_gap()), (vec![6], true));
        assert_eq!(lane.store(6), Some(100));
        assert!(lane.has_gap());
        assert_eq!(lane.store(9), Some(101), "the log was read so far");
        assert!(lane.has_gap(), "10 is in the log only");
        assert_eq!(lane.store(12), Some(102));
        assert!(!lane.has_gap());
        lane.take(200, op(12));
        lane.take(201, op(13));
        assert_eq!((positions(&lane), lane.store(13)), (vec![13], Some(201)));
    }

    #[test]
    fn what_the_log_does_not_have_is_not_waited_for() {
        let mut lane = lane(5, [1_000]);
        assert!(lane.has_gap());
        lane.ends();
        assert!(!lane.has_gap());
        lane.hear_of(6);
        assert!(lane.has_gap());
        assert_eq!(lane.store(6), None, "what comes before it in the stream is not done with");
    }

    /// The log was read beyond what has come, and not to its end.
    #[test]
    fn what_is_kept_always_follows_on_what_is_stored() {
        let mut lane = lane(5, [6, 7, 8]);
        lane.store(7);
        assert_eq!(positions(&lane), [8]);
        lane.take(110, op(9));
        lane.store(8);
        assert_eq!(positions(&lane), [9]);
    }
}
