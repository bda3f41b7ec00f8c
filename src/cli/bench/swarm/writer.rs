//! A connection's side of the protocol, as little of it as a load needs.

use std::collections::VecDeque;

use super::super::dialect::{Dialect, Typing};
use super::super::schedule::Nanos;

/// Operations that a writer remembers the times of. At one or two a second this is several seconds of delay, after
/// which a receiver's sample no longer finds its time and counts as lost.
const REMEMBERED: usize = 16;

/// Operations that may wait behind the one in flight; a server that is further behind has failed the load anyway.
const BACKLOG: usize = 64;

/// One writer: types single characters, one operation in flight, each on the version that it holds.
#[derive(Debug)]
pub struct Writer {
    client: [u8; 36],
    /// The version after the last frame.
    version: u64,
    /// Own operations that came back: so long is the document at least, since nobody deletes.
    inserted: u64,
    last_seq: u64,
    in_flight: bool,
    /// When the operations that wait behind the one in flight were due.
    backlog: VecDeque<Nanos>,
    /// Number and due time of the last operations, by `seq % REMEMBERED`.
    due: [(u64, Nanos); REMEMBERED],
}

impl Writer {
    pub fn new(client: [u8; 36]) -> Self {
        Self {
            client,
            version: 0,
            inserted: 0,
            last_seq: 0,
            in_flight: false,
            backlog: VecDeque::new(),
            due: [(0, 0); REMEMBERED],
        }
    }

    pub fn client(&self) -> &[u8; 36] {
        &self.client
    }

    /// Takes over the version of a `welcome`.
    pub fn joined(&mut self, version: u64) {
        self.version = version;
    }

    /// Takes over the version after an `ops` frame; an older one is a repetition.
    pub fn caught_up(&mut self, version: u64) {
        self.version = self.version.max(version);
    }

    /// Notes an operation that is due. Returns `false` if too many wait already: the operation is lost.
    pub fn enqueue(&mut self, due: Nanos) -> bool {
        let fits = self.backlog.len() < BACKLOG;
        if fits {
            self.backlog.push_back(due);
        }
        fits
    }

    /// Writes the next operation into `out` and returns when it was due, unless one is in flight or none is due.
    pub fn start_next(&mut self, dialect: Dialect, position: u64, out: &mut Vec<u8>) -> Option<Nanos> {
        if self.in_flight {
            return None;
        }
        let due = self.backlog.pop_front()?;
        self.last_seq += 1;
        self.in_flight = true;
        self.due[self.last_seq as usize % REMEMBERED] = (self.last_seq, due);
        let position = position % (self.inserted + 1);
        let typing =
            Typing { client: &self.client, seq: self.last_seq, base: self.version, position, text: "x" };
        dialect.write_op(out, typing);
        Some(due)
    }

    /// Tells whether `seq` is the operation in flight, and settles it.
    pub fn acknowledge(&mut self, seq: u64) -> bool {
        let settled = self.in_flight && seq == self.last_seq;
        if settled {
            self.in_flight = false;
            self.inserted += 1;
        }
        settled
    }

    /// Gives up the operation in flight, which was refused.
    pub fn refused(&mut self) {
        self.in_flight = false;
    }

    /// Returns when an operation was due, if that is still remembered.
    pub fn due_of(&self, seq: u64) -> Option<Nanos> {
        let (remembered, due) = self.due[seq as usize % REMEMBERED];
        (remembered == seq).then_some(due)
    }

    /// Tells whether the own operation in flight is worth looking for in a frame.
    pub fn is_awaiting(&self) -> bool {
        self.in_flight
    }

    /// Tells whether everything that was due has come back.
    pub fn is_settled(&self) -> bool {
        !self.in_flight && self.backlog.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::dialect::client_id;
    use super::*;

    fn writer() -> Writer {
        Writer::new(client_id(1, 0))
    }

    #[test]
    fn one_operation_is_in_flight_and_the_others_keep_their_times() {
        let mut writer = writer();
        let mut out = Vec::new();
        assert!(writer.enqueue(10) && writer.enqueue(20));
        assert_eq!(writer.start_next(Dialect::Quire, 0, &mut out), Some(10));
        assert_eq!(writer.start_next(Dialect::Quire, 0, &mut out), None);
        assert!(!writer.acknowledge(7) && writer.acknowledge(1));
        assert_eq!(writer.start_next(Dialect::Quire, 0, &mut out), Some(20));
        assert_eq!((writer.due_of(1), writer.due_of(2), writer.due_of(3)), (Some(10), Some(20), None));
        assert!(writer.acknowledge(2) && writer.is_settled());
    }

    #[test]
    fn it_types_within_what_it_has_typed_on_the_version_it_holds() {
        let mut writer = writer();
        let mut out = Vec::new();
        writer.joined(4);
        writer.enqueue(1);
        writer.start_next(Dialect::Quire, 99, &mut out);
        assert_eq!(out, br#"{"type":"op","seq":1,"base":4,"delta":[{"insert":"x"}]}"#);
        writer.acknowledge(1);
        writer.caught_up(6);
        writer.caught_up(5);
        writer.enqueue(2);
        writer.start_next(Dialect::Quire, 99, &mut out);
        assert_eq!(out, br#"{"type":"op","seq":2,"base":6,"delta":[{"retain":1},{"insert":"x"}]}"#);
    }

    #[test]
    fn a_hopeless_backlog_is_bounded() {
        let mut writer = writer();
        let taken = (0..1_000).filter(|due| writer.enqueue(*due)).count();
        assert_eq!(taken, BACKLOG);
    }
}
