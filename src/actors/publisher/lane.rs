//! How far one shard has come on its way into the stream. No I/O, no clock.

use std::collections::VecDeque;

use crate::ids::Millis;

/// One shard's part of the stream. `acked <= sent <= end`, and `stored <= acked`.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Where its log ends.
    pub end: u64,
    /// Everything up to here was handed to the producer, or is nothing that could be published.
    pub sent: u64,
    /// Everything up to here is in the stream.
    pub acked: u64,
    /// The watermark in the database.
    pub stored: u64,
    /// What is under way.
    in_flight: VecDeque<Flight>,
    /// How many of the first of these were sent before the shard was taken again: they are reported first, and tell nothing of what was
    /// sent since.
    stale: usize,
    /// Something after `sent` is in the log only.
    pub behind: bool,
    /// Another server has it.
    lost: bool,
    /// It has failed, and rests until this moment.
    pub rests_until: Option<tokio::time::Instant>,
    /// How often in a row.
    pub failures: u32,
    /// When the oldest operation was committed that is not in the stream, or some time before that.
    pub waits_since: Option<Millis>,
}

/// A record under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    pos: u64,
    at: Millis,
    bytes: usize,
}

/// What to do with an operation that the journal has handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Send it: it is the next one.
    Next,
    /// Nothing: it was read from the log already, or another server sends it.
    Known,
    /// Nothing: others before it are in the log only, and so it is read there.
    TooFar,
}

impl Lane {
    /// Begins at a watermark.
    pub fn at(watermark: u64) -> Self {
        Self { end: watermark, sent: watermark, acked: watermark, stored: watermark, ..Self::default() }
    }

    pub fn fate(&self, pos: u64) -> Fate {
        if self.lost || pos <= self.sent {
            Fate::Known
        } else if pos == self.sent + 1 && self.rests_until.is_none() {
            Fate::Next
        } else {
            Fate::TooFar
        }
    }

    /// An operation was handed to the producer.
    pub fn sending(&mut self, pos: u64, at: Millis, bytes: usize) {
        debug_assert!(pos > self.sent, "in order");
        // Of a shard that was lost meanwhile nobody tells any more where its log ends.
        (self.sent, self.end) = (pos, self.end.max(pos));
        self.in_flight.push_back(Flight { pos, at, bytes });
        self.waits_since.get_or_insert(at);
    }

    /// The log was read up to `upto`, and what there was of it was sent.
    pub fn read(&mut self, upto: u64) {
        self.sent = self.sent.max(upto);
        self.end = self.end.max(upto);
        self.behind = self.sent < self.end;
        self.settle();
    }

    /// A record has arrived; returns its bytes, or `None` when it is not the one whose turn it is.
    pub fn delivered(&mut self, pos: u64) -> Option<usize> {
        let first = self.in_flight.pop_front_if(|flight| flight.pos == pos)?;
        if self.stale > 0 {
            self.stale -= 1;
            self.settle();
            return Some(first.bytes);
        }
        self.acked = first.pos;
        self.failures = 0;
        let next = self.in_flight.front().map(|flight| flight.at);
        self.waits_since = Some(next.unwrap_or(first.at));
        self.settle();
        Some(first.bytes)
    }

    /// Begins again at a watermark, of whoever had the shard meanwhile. The producer still reports what is under way.
    pub fn begin_again(&mut self, watermark: u64) {
        let in_flight = std::mem::take(&mut self.in_flight);
        *self = Self { stale: in_flight.len(), in_flight, ..Self::at(watermark) };
    }

    /// Nobody knows what has become of what is under way: it is sent again, by this server if it still has the shard.
    pub fn go_back(&mut self) {
        self.in_flight.clear();
        (self.sent, self.stale) = (self.acked, 0);
        if self.lost {
            self.end = self.sent;
            self.settle();
        }
    }

    /// The log ends at `end`.
    pub fn ends_at(&mut self, end: u64, now: Millis) {
        if self.lost {
            return;
        }
        self.end = self.end.max(end);
        if self.acked < self.end {
            self.waits_since.get_or_insert(now);
        }
    }

    /// Another server has the shard, and publishes it.
    pub fn abandon(&mut self) {
        // What is still under way may be reported, and moves the watermark as far as it goes.
        (self.lost, self.behind, self.end) = (true, false, self.sent);
        self.settle();
    }

    /// An operation was left out: it is in the log.
    pub fn miss(&mut self, pos: u64) {
        if !self.lost {
            self.end = self.end.max(pos);
            self.behind = true;
        }
    }

    /// Tells whether there is something to be sent that is known.
    pub fn has_more(&self) -> bool {
        !self.lost && self.sent < self.end
    }

    /// How many operations are not in the stream, or were purged.
    pub fn lag(&self) -> u64 {
        self.end - self.acked
    }

    /// With nothing under way, what was read has arrived.
    fn settle(&mut self) {
        if self.in_flight.is_empty() {
            self.acked = self.sent;
        }
        if self.acked == self.end {
            self.waits_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_sent_and_what_has_a_gap_before_it_is_read() {
        let mut lane = Lane::at(10);
        assert_eq!((lane.fate(10), lane.fate(11), lane.fate(12)), (Fate::Known, Fate::Next, Fate::TooFar));
        lane.sending(11, 500, 1);
        assert_eq!((lane.fate(11), lane.fate(12)), (Fate::Known, Fate::Next));
        lane.rests_until = Some(tokio::time::Instant::now());
        assert_eq!(lane.fate(12), Fate::TooFar, "after a failure it begins in the log");
    }

    #[test]
    fn the_watermark_is_what_has_arrived_in_order() {
        let mut lane = Lane::at(0);
        lane.ends_at(4, 900);
        lane.sending(1, 100, 7);
        lane.sending(2, 200, 8);
        assert_eq!((lane.lag(), lane.waits_since), (4, Some(900)));
        assert_eq!(lane.delivered(2), None, "not before the first");
        assert_eq!((lane.delivered(1), lane.acked, lane.waits_since), (Some(7), 1, Some(200)));
        // The last two were purged.
        lane.read(4);
        assert_eq!((lane.acked, lane.behind), (1, false));
        assert_eq!((lane.delivered(2), lane.acked, lane.lag(), lane.waits_since), (Some(8), 4, 0, None));
    }

    #[test]
    fn going_back_begins_after_what_has_arrived() {
        let mut lane = Lane::at(0);
        (1..=3).for_each(|pos| lane.sending(pos, 0, 1));
        lane.delivered(1);
        lane.go_back();
        assert_eq!((lane.sent, lane.fate(2), lane.fate(4)), (1, Fate::Next, Fate::TooFar));
        assert_eq!(lane.delivered(2), None, "what the old producer says does not count");
    }

    #[test]
    fn what_was_under_way_before_a_shard_was_taken_again_is_reported_and_counts_for_nothing() {
        let mut lane = Lane::at(0);
        (1..=3).for_each(|pos| lane.sending(pos, 0, 7));
        lane.begin_again(1);
        lane.ends_at(5, 0);
        (2..=5).for_each(|pos| lane.sending(pos, 0, 8));
        for pos in 1..=3 {
            assert_eq!((lane.delivered(pos), lane.acked), (Some(7), 1));
        }
        for pos in 2..=5 {
            assert_eq!((lane.delivered(pos), lane.acked), (Some(8), pos));
        }
        assert_eq!((lane.lag(), lane.waits_since), (0, None));
        (6..=7).for_each(|pos| lane.sending(pos, 0, 7));
        lane.begin_again(5);
        lane.go_back();
        lane.sending(6, 0, 8);
        assert_eq!((lane.delivered(6), lane.acked), (Some(8), 6), "a new producer reports its own alone");
    }

    #[test]
    fn what_was_under_way_of_a_shard_that_was_lost_is_not_waited_for_when_its_producer_is_gone() {
        let mut lane = Lane::at(0);
        (1..=3).for_each(|pos| lane.sending(pos, 0, 1));
        lane.ends_at(3, 0);
        lane.delivered(1);
        lane.abandon();
        assert_eq!(lane.lag(), 2);
        lane.go_back();
        assert_eq!((lane.lag(), lane.acked, lane.waits_since), (0, 1, None), "whoever has it sends it");
        assert!(!lane.has_more());
        assert_eq!(lane.fate(2), Fate::Known, "what the journal hands on late it sends, too");
    }

    #[test]
    fn what_is_sent_after_its_shard_was_lost_is_not_beyond_the_end() {
        let mut lane = Lane::at(10);
        lane.sending(11, 0, 1);
        lane.ends_at(0, 0);
        assert_eq!((lane.delivered(11), lane.lag(), lane.waits_since), (Some(1), 0, None));
    }
}
