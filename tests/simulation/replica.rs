//! A client as protocol.md describes it: synchronised, awaiting, or awaiting with a buffer.
//!
//! Written for these tests from the protocol alone, independent of the clients that the project ships.

use quire::ids::{ClientId, Version};
use quire::ot::{Attributes, Delta, Document};

use super::rng::Rng;
use super::world::Flaw;

/// What a replica sends.
#[derive(Clone, Debug)]
pub enum Up {
    Hello { client: ClientId, since: Option<Version> },
    Op { seq: u64, base: Version, delta: Delta },
}

/// What a replica is sent.
#[derive(Clone, Debug)]
pub enum Down {
    Welcome {
        version: Version,
        content: Option<Delta>,
    },
    Ops {
        base: Version,
        ops: Vec<(ClientId, u64, Delta)>,
    },
    Ack {
        seq: u64,
    },
    /// `unavailable` or `internal`: send again under the same number.
    SendAgain {
        seq: u64,
    },
    /// `stale_base`: catch up and send again.
    Stale {
        seq: u64,
    },
    /// Nothing that a correct client does is refused for good.
    Refused {
        seq: u64,
        message: String,
    },
}

struct InFlight {
    seq: u64,
    delta: Delta,
}

pub struct Replica {
    pub id: ClientId,
    /// What the server has shown.
    pub version: Version,
    /// The content with everything pending.
    pub content: Document,
    in_flight: Option<InFlight>,
    buffer: Delta,
    next_seq: u64,
    /// To be sent again when the connection allows.
    pub resend_due: bool,
    /// Has been welcomed once.
    pub synced: bool,
    /// Numbers whose operation came back.
    pub acknowledged: Vec<u64>,
    pub complaint: Option<String>,
    flaw: Option<Flaw>,
}

impl Replica {
    pub fn new(id: ClientId, flaw: Option<Flaw>) -> Self {
        Self {
            id,
            version: 0,
            content: Document::new(),
            in_flight: None,
            buffer: Delta::new(),
            next_seq: 1,
            resend_due: false,
            synced: false,
            acknowledged: Vec::new(),
            complaint: None,
            flaw,
        }
    }

    pub fn hello(&self) -> Up {
        Up::Hello { client: self.id, since: self.synced.then_some(self.version) }
    }

    pub fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.buffer.is_empty()
    }

    /// The user types: applied at once, sent when nothing is in flight.
    pub fn edit(&mut self, rng: &mut Rng) {
        if !self.synced {
            return;
        }
        let delta = random_edit(&self.content, rng);
        self.content.apply(&delta).expect("an edit of the own content fits");
        self.buffer = self.buffer.compose(&delta);
    }

    /// What can be sent now.
    pub fn outgoing(&mut self) -> Option<Up> {
        if !self.synced {
            return None;
        }
        match &self.in_flight {
            Some(op) if self.resend_due => {
                self.resend_due = false;
                Some(Up::Op { seq: op.seq, base: self.version, delta: op.delta.clone() })
            }
            Some(_) => None,
            None if self.buffer.is_empty() => None,
            None => {
                let delta = std::mem::take(&mut self.buffer);
                let seq = self.next_seq;
                self.next_seq += 1;
                self.in_flight = Some(InFlight { seq, delta: delta.clone() });
                Some(Up::Op { seq, base: self.version, delta })
            }
        }
    }

    pub fn receive(&mut self, message: Down) {
        match message {
            Down::Welcome { version, content } => self.welcome(version, content),
            Down::Ops { base, ops } => self.apply_ops(base, ops),
            Down::Ack { seq } => {
                // It settles nothing by itself: the operation is in the stream, before or after.
                if self.in_flight.as_ref().is_some_and(|op| op.seq == seq)
                    && self.flaw == Some(Flaw::AckSettles)
                {
                    self.in_flight = None;
                }
            }
            Down::SendAgain { seq } | Down::Stale { seq } => {
                self.resend_due |= self.in_flight.as_ref().is_some_and(|op| op.seq == seq);
            }
            Down::Refused { seq, message } => {
                self.complaint = Some(format!("seq {seq} was refused: {message}"));
            }
        }
    }

    fn welcome(&mut self, version: Version, content: Option<Delta>) {
        if let Some(content) = content {
            if self.synced {
                self.complaint = Some("a replica that can continue was reset".into());
            }
            self.content = Document::from_delta(&content).expect("content is a document");
            self.version = version;
            self.synced = true;
        }
        self.resend_due = self.in_flight.is_some();
    }

    fn apply_ops(&mut self, base: Version, ops: Vec<(ClientId, u64, Delta)>) {
        if base > self.version {
            self.complaint = Some(format!("ops from {base} on, but only {} was sent", self.version));
            return;
        }
        let skip = (self.version - base) as usize;
        for (author, seq, delta) in ops.into_iter().skip(skip) {
            self.version += 1;
            if author == self.id && self.in_flight.as_ref().is_some_and(|op| op.seq == seq) {
                self.acknowledged.push(seq);
                self.in_flight = None;
                self.resend_due = false;
            } else {
                self.apply_remote(delta);
            }
        }
    }

    fn apply_remote(&mut self, remote: Delta) {
        let mut remote = remote;
        let history_first = self.flaw != Some(Flaw::WrongTie);
        if let Some(op) = &mut self.in_flight {
            let rebased = remote.transform(&op.delta, history_first);
            remote = op.delta.transform(&remote, !history_first);
            op.delta = rebased;
        }
        let rebased = remote.transform(&self.buffer, history_first);
        let shown = self.buffer.transform(&remote, !history_first);
        self.buffer = rebased;
        if let Err(error) = self.content.apply(&shown) {
            self.complaint = Some(format!("a remote operation does not fit: {error}"));
        }
    }
}

/// An insert, a deletion or formatting somewhere in `content`, not cutting surrogate pairs. Small alphabets and places
/// near one another make ties and overlaps likely.
fn random_edit(content: &Document, rng: &mut Rng) -> Delta {
    let text: Vec<u16> = content.text().encode_utf16().collect();
    let boundary = |at: usize| at == text.len() || !(0xdc00..0xe000).contains(&text[at]);
    let mut places: Vec<usize> = (0..=text.len()).filter(|at| boundary(*at)).collect();
    places.truncate(40);
    let start = places[rng.below(places.len() as u64) as usize];
    let later: Vec<usize> = places.iter().copied().filter(|at| *at > start).take(5).collect();
    let at = Delta::new().retain(start as u64, Attributes::default());
    if later.is_empty() || rng.chance(55) {
        let words = ["a", "b", "XY", "😀", "e\u{301}", "\n"];
        return at.insert(words[rng.below(words.len() as u64) as usize], Attributes::default());
    }
    let length = (later[rng.below(later.len() as u64) as usize] - start) as u64;
    if rng.chance(70) {
        return at.delete(length);
    }
    let bold = if rng.chance(60) { "true" } else { "null" };
    let json = format!(r#"[{{"retain":{start}}},{{"retain":{length},"attributes":{{"bold":{bold}}}}}]"#);
    let json = if start == 0 { json.replacen("{\"retain\":0},", "", 1) } else { json };
    Delta::parse(&json, &Default::default()).expect("a formatting delta")
}
