//! One history: who does what when, drawn from a seed; and what must hold at its end.

use std::collections::{HashSet, VecDeque};

use quire::ids::{ClientId, SessionId, Version};
use quire::ot::Document;
use uuid::Uuid;

use super::replica::{Down, Replica, Up};
use super::rng::Rng;
use super::server::{Fate, Server, read};

/// Steps of a history before everything is healed.
const STEPS: u64 = 520;
/// Steps within which a healed world must come to rest.
const HEALING_STEPS: u64 = 20_000;

/// A mistake that could be made, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A client claims priority for itself.
    WrongTie,
    /// A client takes `ack` for the operation itself.
    AckSettles,
    /// The server forgets what it has committed for a client.
    NoDedupe,
    /// The server shows what is not durable.
    ShowsSpeculative,
    /// A commit with an unknown outcome is taken for refused.
    UnknownIsRefused,
    /// A snapshot has the content of a later version than it says.
    MislabelsSnapshots,
    /// A client is forgotten while storage is being asked about it, and comes back as it was before.
    ForgetsQuestions,
}

impl Flaw {
    pub const ALL: [Self; 7] = [
        Self::WrongTie,
        Self::AckSettles,
        Self::NoDedupe,
        Self::ShowsSpeculative,
        Self::UnknownIsRefused,
        Self::MislabelsSnapshots,
        Self::ForgetsQuestions,
    ];
}

/// How rough a history was.
#[derive(Debug, Default)]
pub struct Outcome {
    pub versions: u64,
    pub crashes: u64,
    pub refused_commits: u64,
    pub unknown_commits: u64,
    pub reconnects: u64,
    pub resent: u64,
    pub snapshots: u64,
}

impl Outcome {
    pub fn add(&mut self, other: &Self) {
        self.versions += other.versions;
        self.crashes += other.crashes;
        self.refused_commits += other.refused_commits;
        self.unknown_commits += other.unknown_commits;
        self.reconnects += other.reconnects;
        self.resent += other.resent;
        self.snapshots += other.snapshots;
    }
}

/// One connection: what is on the wire in each direction, in order.
struct Wire {
    session: SessionId,
    up: VecDeque<Up>,
    down: VecDeque<Down>,
}

struct Party {
    replica: Replica,
    wire: Option<Wire>,
    last_sent: u64,
}

pub struct World {
    rng: Rng,
    server: Server,
    parties: Vec<Party>,
    next_session: u64,
    outcome: Outcome,
    /// Print the story.
    pub tell: bool,
}

impl World {
    pub fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut rng = Rng::new(seed);
        let count = 2 + rng.below(4);
        let party = |n: u64| {
            let id = ClientId(Uuid::from_u64_pair(seed, n));
            Party { replica: Replica::new(id, flaw), wire: None, last_sent: 0 }
        };
        let parties = (0..count).map(party).collect();
        Self {
            rng,
            server: Server::new(flaw),
            parties,
            next_session: 1,
            outcome: Outcome::default(),
            tell: false,
        }
    }

    pub fn run(mut self) -> Result<Outcome, String> {
        for _ in 0..STEPS {
            self.step(true)?;
        }
        for _ in 0..HEALING_STEPS {
            self.step(false)?;
            if self.is_at_rest() {
                self.check()?;
                self.outcome.versions = self.server.log.len() as u64;
                return Ok(self.outcome);
            }
        }
        Err("the world does not come to rest after everything was healed".into())
    }

    fn story(&self, what: impl FnOnce() -> String) {
        if self.tell {
            println!("{}", what());
        }
    }

    /// Something happens: while `rough`, also what nobody wants.
    fn step(&mut self, rough: bool) -> Result<(), String> {
        let who = self.rng.below(self.parties.len() as u64) as usize;
        match self.rng.below(100) {
            0..22 if rough => self.parties[who].replica.edit(&mut self.rng),
            22..25 if rough => self.disconnect(who),
            25..27 if rough && self.rng.chance(20) => self.crash(),
            27..30 if rough => self.send_late_copy(who),
            30..40 => self.connect(who),
            40..55 => self.send(who),
            55..70 => self.deliver_up(who),
            70..85 => self.deliver_down(who),
            85..90 => self.append(rough),
            90..95 => self.settle(),
            95..97 => self.server.answer(self.rng.next()),
            97 if rough && self.rng.chance(50) => self.snapshot(),
            _ => self.server.broadcast(),
        }
        self.route();
        let complaint = self.parties.iter().find_map(|party| party.replica.complaint.clone());
        complaint.map_or(Ok(()), Err)
    }

    fn connect(&mut self, who: usize) {
        if self.parties[who].wire.is_some() {
            return;
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.outcome.reconnects += u64::from(self.parties[who].replica.synced);
        let hello = self.parties[who].replica.hello();
        self.story(|| format!("{who} connects: {hello:?}"));
        self.parties[who].wire = Some(Wire { session, up: VecDeque::from([hello]), down: VecDeque::new() });
    }

    /// What is on the wire is lost; the server may learn of it later, or never before the client is back.
    fn disconnect(&mut self, who: usize) {
        if let Some(wire) = self.parties[who].wire.take() {
            self.story(|| format!("{who} is cut off"));
            // Some frames had arrived already.
            for up in wire.up {
                if self.rng.chance(50) {
                    self.deliver(wire.session, up);
                }
            }
            if self.rng.chance(60) {
                self.server.leave(wire.session);
            }
        }
    }

    fn crash(&mut self) {
        self.story(|| "the document's actor is lost".into());
        self.outcome.crashes += 1;
        self.server.crash();
        // Reported as in flight: whatever each session had sent last.
        for party in &mut self.parties {
            let Some(wire) = &mut party.wire else { continue };
            wire.down.push_back(Down::SendAgain { seq: party.last_sent });
        }
    }

    /// A frame that was sent is sent again by the network.
    fn send_late_copy(&mut self, who: usize) {
        if let Some(wire) = &mut self.parties[who].wire
            && let Some(copy @ Up::Op { .. }) = wire.up.front().cloned()
        {
            wire.up.push_back(copy);
        }
    }

    fn send(&mut self, who: usize) {
        let party = &mut self.parties[who];
        let Some(wire) = &mut party.wire else { return };
        if let Some(up) = party.replica.outgoing() {
            if let Up::Op { seq, .. } = &up {
                self.outcome.resent += u64::from(*seq == party.last_sent);
                party.last_sent = *seq;
            }
            wire.up.push_back(up);
        }
    }

    fn deliver_up(&mut self, who: usize) {
        let Some(wire) = &mut self.parties[who].wire else { return };
        let session = wire.session;
        if let Some(up) = wire.up.pop_front() {
            self.deliver(session, up);
        }
    }

    fn deliver(&mut self, session: SessionId, up: Up) {
        self.story(|| format!("{session} -> {up:?}"));
        match up {
            Up::Hello { client, since } => self.server.hello(session, client, since),
            Up::Op { seq, base, delta } => self.server.submit(session, seq, base, delta),
        }
    }

    fn deliver_down(&mut self, who: usize) {
        let party = &mut self.parties[who];
        let Some(wire) = &mut party.wire else { return };
        if let Some(down) = wire.down.pop_front() {
            if self.tell {
                println!("{who} <- {down:?}");
            }
            party.replica.receive(down);
        }
    }

    fn append(&mut self, rough: bool) {
        let fate = match self.rng.below(100) {
            _ if !rough => Fate::Durable,
            0..70 => Fate::Durable,
            70..80 => Fate::Refused,
            80..88 => Fate::UnknownCommitted,
            88..92 => Fate::UnknownPartly,
            _ => Fate::UnknownLost,
        };
        self.server.append(fate);
    }

    fn settle(&mut self) {
        let Some(fate) = self.server.settle() else { return };
        self.story(|| format!("the journal settles: {fate:?}, {} durable", self.server.log.len()));
        self.outcome.refused_commits += u64::from(fate == Fate::Refused);
        self.outcome.unknown_commits += u64::from(!matches!(fate, Fate::Durable | Fate::Refused));
    }

    fn snapshot(&mut self) {
        self.story(|| "a snapshot is written".into());
        self.outcome.snapshots += 1;
        self.server.snapshot();
    }

    /// Puts what the server has said onto the wires, and ends those of sessions that were replaced.
    fn route(&mut self) {
        for closed in std::mem::take(&mut self.server.closed) {
            let wires = self.parties.iter_mut().map(|party| &mut party.wire);
            wires
                .filter(|wire| wire.as_ref().is_some_and(|wire| wire.session == closed))
                .for_each(|wire| *wire = None);
        }
        while let Some((session, down)) = self.server.outbox.pop_front() {
            let wires = self.parties.iter_mut().filter_map(|party| party.wire.as_mut());
            if let Some(wire) = wires.into_iter().find(|wire| wire.session == session) {
                wire.down.push_back(down);
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        let quiet = |party: &Party| {
            let wire = party.wire.as_ref().is_some_and(|wire| wire.up.is_empty() && wire.down.is_empty());
            wire && party.replica.synced && party.replica.is_settled()
        };
        self.server.is_settled() && !self.server.is_appending() && self.parties.iter().all(quiet)
    }

    /// The promises.
    fn check(&self) -> Result<(), String> {
        let mut replayed = Document::new();
        let mut seen = HashSet::new();
        for op in &self.server.log {
            replayed.apply(&read(op)).map_err(|error| format!("the log cannot be replayed: {error}"))?;
            if !seen.insert((op.client, op.seq)) {
                return Err(format!("seq {} of {} is in the log twice", op.seq, op.client));
            }
        }
        let (log, server) = (replayed.to_delta(), self.server.content().to_delta());
        if log != server {
            return Err(format!("the server holds {server:?}, its log makes {log:?}"));
        }
        for Party { replica, .. } in &self.parties {
            if replica.version != self.server.log.len() as Version {
                return Err(format!("{} rests at version {}", replica.id, replica.version));
            }
            if replica.content.to_delta() != log {
                return Err(format!(
                    "{} holds {:?}, the log makes {log:?}",
                    replica.id,
                    replica.content.to_delta()
                ));
            }
            if let Some(lost) = replica.acknowledged.iter().find(|seq| !seen.contains(&(replica.id, **seq))) {
                return Err(format!("seq {lost} of {} was acknowledged and is lost", replica.id));
            }
        }
        Ok(())
    }
}
