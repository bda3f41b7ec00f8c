//! What the frames mean: pure, so that the loop beside it only moves bytes.

use std::io;

use super::super::dialect::{Dialect, client_id, writer_index};
use super::super::scan::{self, OpsFrame};
use super::super::schedule::Nanos;
use super::super::websocket::{Frame, first_frame, put_pong, put_text, upgrade_answer};
use super::recorder::Recorder;
use super::writer::Writer;

/// How far a member has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The upgrade was asked for.
    Upgrading,
    /// `hello` was sent.
    Joining,
    Ready,
    Lost,
}

#[derive(Debug)]
struct Member {
    phase: Phase,
    writer: Writer,
    /// Whether each operation that reaches it is timed.
    sampled: bool,
}

/// The members of all documents and what is recorded of them.
#[derive(Debug)]
pub struct Traffic {
    dialect: Dialect,
    members: Vec<Member>,
    pub recorder: Recorder,
    /// The first thing that went wrong, in words.
    pub fault: Option<String>,
    /// Refusals and lost connections since the start.
    pub faults: u64,
    random: fastrand::Rng,
    payload: Vec<u8>,
}

impl Traffic {
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            members: Vec::new(),
            recorder: Recorder::off(),
            fault: None,
            faults: 0,
            random: fastrand::Rng::new(),
            payload: Vec::new(),
        }
    }

    /// Adds a member whose upgrade has been asked for, and returns its index.
    pub fn add(&mut self) -> usize {
        let index = self.members.len();
        let writer = Writer::new(client_id(self.random.u64(..), index as u32));
        self.members.push(Member { phase: Phase::Upgrading, writer, sampled: false });
        index
    }

    /// Samples every `step`-th of the first `count` members, and nobody else.
    pub fn sample(&mut self, count: usize, step: usize) {
        for (index, member) in self.members.iter_mut().enumerate() {
            member.sampled = index < count && index % step.max(1) == 0;
        }
    }

    /// Forgets all members but the first `keep`.
    pub fn shrink(&mut self, keep: usize) {
        self.members.truncate(keep);
    }

    pub fn phase(&self, index: usize) -> Phase {
        self.members[index].phase
    }

    /// Tells whether all that was due has come back to its author.
    pub fn is_settled(&self) -> bool {
        self.members.iter().all(|m| m.phase == Phase::Lost || m.writer.is_settled())
    }

    /// Understands the whole frames at the front of `bytes`, writes what is to be answered to `out`, and returns how
    /// many bytes were used up.
    ///
    /// # Errors
    /// The connection is of no more use; the message says why.
    pub fn understand(
        &mut self,
        index: usize,
        bytes: &[u8],
        now: Nanos,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let mut used = 0;
        if self.members[index].phase == Phase::Upgrading {
            match upgrade_answer(bytes) {
                None => return Ok(0),
                Some(Err(status)) => {
                    return Err(io::Error::other(format!("the upgrade was refused: {status}")));
                }
                Some(Ok(length)) => used = length,
            }
            self.upgraded(index, out);
        }
        while let Some((frame, length)) = first_frame(&bytes[used..]).map_err(io::Error::other)? {
            match frame {
                Frame::Text(payload) => self.text(index, payload, now, out)?,
                Frame::Ping(payload) => put_pong(out, payload),
                Frame::Pong => {}
                Frame::Close(code) => {
                    return Err(io::Error::other(format!("closed by the server with {code}")));
                }
            }
            used += length;
        }
        Ok(used)
    }

    /// Notes that an operation of a member is due and writes it to `out` if none is in flight.
    pub fn due(&mut self, index: usize, due: Nanos, now: Nanos, out: &mut Vec<u8>) {
        let counts = self.recorder.counts(due);
        self.recorder.due += u64::from(counts);
        let member = &mut self.members[index];
        if member.phase != Phase::Ready || !member.writer.enqueue(due) {
            self.recorder.overrun += u64::from(counts);
            return;
        }
        if self.start_next(index, out) == Some(due) {
            self.recorder.left(due, now);
        }
    }

    /// Notes that a connection is gone.
    pub fn lost(&mut self, index: usize, why: &io::Error) {
        self.members[index].phase = Phase::Lost;
        self.blame(format!("a connection was lost: {why}"));
    }

    fn upgraded(&mut self, index: usize, out: &mut Vec<u8>) {
        let member = &mut self.members[index];
        match self.dialect.hello(member.writer.client()) {
            Some(hello) => {
                put_text(out, &hello);
                member.phase = Phase::Joining;
            }
            None => member.phase = Phase::Ready,
        }
    }

    fn text(&mut self, index: usize, payload: &[u8], now: Nanos, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(ops) = OpsFrame::read(payload) {
            self.ops(index, ops, payload.len(), now, out);
            return Ok(());
        }
        let is = |kind: &str| payload.starts_with(format!(r#"{{"type":"{kind}""#).as_bytes());
        if is("welcome") {
            self.welcomed(index, payload)
        } else if is("error") {
            self.refused(index, payload, out);
            Ok(())
        } else if is("reconnect") {
            Err(io::Error::other(String::from_utf8_lossy(payload).into_owned()))
        } else {
            Ok(())
        }
    }

    fn welcomed(&mut self, index: usize, payload: &[u8]) -> io::Result<()> {
        let version =
            scan::field(payload, "version").ok_or_else(|| io::Error::other("a welcome without a version"))?;
        let member = &mut self.members[index];
        member.writer.joined(version);
        member.phase = Phase::Ready;
        Ok(())
    }

    fn refused(&mut self, index: usize, payload: &[u8], out: &mut Vec<u8>) {
        self.blame(String::from_utf8_lossy(payload).into_owned());
        self.members[index].writer.refused();
        self.start_next(index, out);
    }

    fn ops(&mut self, index: usize, ops: OpsFrame<'_>, bytes: usize, now: Nanos, out: &mut Vec<u8>) {
        let count = ops.len();
        if self.recorder.counts(now) {
            self.recorder.frames += 1;
            self.recorder.deliveries += count;
            self.recorder.bytes += bytes as u64;
        }
        let member = &mut self.members[index];
        member.writer.caught_up(ops.base + count);
        let own = if member.writer.is_awaiting() { ops.seq_of(member.writer.client()) } else { None };
        if self.members[index].sampled {
            self.time(&ops, now);
        }
        let Some(seq) = own else { return };
        let member = &mut self.members[index];
        if member.writer.acknowledge(seq) {
            let due = member.writer.due_of(seq);
            self.recorder.acknowledged += u64::from(due.is_some_and(|due| self.recorder.counts(due)));
            self.start_next(index, out);
        }
    }

    /// Times every operation of a frame at a sampled receiver, its own ones included: they travel the same way.
    fn time(&mut self, ops: &OpsFrame<'_>, now: Nanos) {
        for op in ops.iter() {
            let author = writer_index(op.client).and_then(|index| self.members.get(index as usize));
            match author.and_then(|author| author.writer.due_of(op.seq)) {
                Some(due) => self.recorder.propagated(due, now),
                None => self.recorder.untimed += u64::from(self.recorder.counts(now)),
            }
        }
    }

    fn start_next(&mut self, index: usize, out: &mut Vec<u8>) -> Option<Nanos> {
        let position = self.random.u64(..);
        let started = self.members[index].writer.start_next(self.dialect, position, &mut self.payload)?;
        put_text(out, &self.payload);
        Some(started)
    }

    fn blame(&mut self, what: String) {
        self.faults += 1;
        self.fault.get_or_insert(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

    /// Puts a text frame into the form in which a server sends it.
    fn served(text: &str) -> Vec<u8> {
        let mut frame = vec![0x81];
        match text.len() {
            n @ 0..126 => frame.push(n as u8),
            n => {
                frame.push(126);
                frame.extend_from_slice(&(n as u16).to_be_bytes());
            }
        }
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    fn ready(dialect: Dialect, members: usize) -> Traffic {
        let mut traffic = Traffic::new(dialect);
        for _ in 0..members {
            let index = traffic.add();
            traffic.understand(index, ACCEPTED, 0, &mut Vec::new()).unwrap();
            let welcome = served(r#"{"type":"welcome","version":0}"#);
            traffic.understand(index, &welcome, 0, &mut Vec::new()).unwrap();
        }
        traffic
    }

    #[test]
    fn a_member_greets_after_the_upgrade_and_is_ready_when_welcomed() {
        let mut traffic = Traffic::new(Dialect::Quire);
        let index = traffic.add();
        let mut out = Vec::new();
        assert_eq!(traffic.understand(index, &ACCEPTED[..20], 0, &mut out).unwrap(), 0);
        assert_eq!(traffic.understand(index, ACCEPTED, 0, &mut out).unwrap(), ACCEPTED.len());
        assert_eq!(traffic.phase(index), Phase::Joining);
        assert!(memchr::memmem::find(&out, br#""type":"hello""#).is_some());
        traffic.understand(index, &served(r#"{"type":"welcome","version":3}"#), 0, &mut out).unwrap();
        assert_eq!(traffic.phase(index), Phase::Ready);
    }

    #[test]
    fn an_operation_is_timed_at_sampled_receivers_and_settled_at_its_author() {
        let mut traffic = ready(Dialect::Relay, 3);
        traffic.sample(3, 2);
        traffic.recorder = Recorder::new(0..1_000_000_000);
        let mut out = Vec::new();
        traffic.due(1, 5_000_000, 6_000_000, &mut out);
        assert!(!traffic.is_settled());
        // Two bytes of header, four of mask.
        let frame = served(std::str::from_utf8(&out[6..]).unwrap());
        for receiver in 0..3 {
            assert_eq!(
                traffic.understand(receiver, &frame, 9_000_000, &mut Vec::new()).unwrap(),
                frame.len()
            );
        }
        assert_eq!(traffic.recorder.samples(), 2);
        assert!((traffic.recorder.propagation_ms(0.5) - 4.0).abs() < 0.1);
        assert_eq!((traffic.recorder.acknowledged, traffic.recorder.deliveries), (1, 3));
        assert!(traffic.is_settled());
        assert_eq!(traffic.faults, 0);
    }

    #[test]
    fn pings_are_answered_and_refusals_are_remembered() {
        let mut traffic = ready(Dialect::Quire, 1);
        let mut out = Vec::new();
        traffic.understand(0, &[0x89, 1, b'p'], 0, &mut out).unwrap();
        assert_eq!(out, [0x8A, 0x81, 0, 0, 0, 0, b'p']);
        traffic.understand(0, &served(r#"{"type":"error","code":"unavailable"}"#), 0, &mut out).unwrap();
        assert_eq!(traffic.faults, 1);
        assert!(traffic.understand(0, &[0x88, 2, 0x03, 0xF4], 0, &mut out).is_err());
    }
}
