//! The server's side: the real state machine, a log that survives crashes, and a journal with three outcomes.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use quire::actors::document::clients::Clients;
use quire::actors::document::operation::{SequencedOp, Submission};
use quire::actors::document::state::{DocumentState, Rehydrated, Submitted};
use quire::actors::error::ErrorCode;
use quire::config::DocumentSettings;
use quire::ids::{ClientId, HistoryId, SessionId, UserId, Version};
use quire::ot::{Delta, Document};
use quire::storage::{ClientRow, LoggedOp};

use super::replica::Down;
use super::world::Flaw;

/// What the journal does with an append, decided when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Durable,
    Refused,
    /// Committed, but reported as failed: the log tells.
    UnknownCommitted,
    /// Not committed, and reported as failed likewise.
    UnknownLost,
}

/// An append on its way.
struct Appending {
    ops: Vec<LoggedOp>,
    fate: Fate,
}

struct Session {
    client: ClientId,
    /// The version that it has been sent.
    sent: Version,
}

pub struct Server {
    history: HistoryId,
    /// What survives.
    pub log: Vec<LoggedOp>,
    state: DocumentState,
    sessions: HashMap<SessionId, Session>,
    appending: Option<Appending>,
    /// What goes to whom.
    pub outbox: VecDeque<(SessionId, Down)>,
    flaw: Option<Flaw>,
}

fn settings() -> DocumentSettings {
    // A short tail, so that old bases often have to come from the log.
    DocumentSettings { tail_ops: 5, ..DocumentSettings::default() }
}

impl Server {
    pub fn new(flaw: Option<Flaw>) -> Self {
        let history = HistoryId::generate();
        let state = rehydrate(history, &[]);
        let sessions = HashMap::new();
        Self { history, log: Vec::new(), state, sessions, appending: None, outbox: VecDeque::new(), flaw }
    }

    /// The actor is lost. Sessions stay connected and attach to the next one, at the version that they were sent; an
    /// append that was under way is settled first (the journal's barrier).
    pub fn crash(&mut self) {
        if let Some(appending) = self.appending.take()
            && matches!(appending.fate, Fate::Durable | Fate::UnknownCommitted)
        {
            self.log.extend(appending.ops);
        }
        self.state = rehydrate(self.history, &self.log);
        for (id, session) in std::mem::take(&mut self.sessions) {
            self.load_client(session.client);
            if let Some(client) = self.state.clients.get_mut(session.client) {
                client.session = Some(id);
            }
            self.sessions.insert(id, session);
            self.catch_up(id);
        }
    }

    pub fn hello(&mut self, id: SessionId, client: ClientId, since: Option<Version>) {
        self.load_client(client);
        let known = self.state.clients.get_mut(client).expect("it was loaded");
        if let Some(older) = known.session.replace(id) {
            self.sessions.remove(&older);
        }
        let version = self.state.version();
        let content = since.is_none().then(|| self.state.content().to_delta());
        self.outbox.push_back((id, Down::Welcome { version, content }));
        self.sessions.insert(id, Session { client, sent: since.unwrap_or(version) });
        self.catch_up(id);
    }

    pub fn leave(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Some(client) = self.state.clients.get_mut(session.client)
            && client.session == Some(id)
        {
            client.session = None;
        }
        self.state.clients.unload_if_idle(session.client);
    }

    pub fn submit(&mut self, id: SessionId, seq: u64, base: Version, delta: Delta) {
        let Some(session) = self.sessions.get(&id) else { return };
        let client = session.client;
        let user = UserId::guest(client);
        let submission = Submission {
            session: Some(id),
            client,
            seq,
            user,
            base,
            delta,
            received: Instant::now(),
            rebased: None,
        };
        self.take(id, submission);
    }

    fn take(&mut self, id: SessionId, submission: Submission) {
        let (client, seq) = (submission.client, submission.seq);
        if self.flaw == Some(Flaw::NoDedupe)
            && let Some(known) = self.state.clients.get_mut(client)
        {
            (known.last_seq, known.last_version) = (0, 0);
        }
        match self.state.submit(submission, 1) {
            Submitted::Accepted(_) => {
                if self.flaw == Some(Flaw::ShowsSpeculative) {
                    self.append(Fate::Durable);
                    self.show_and_forget();
                }
            }
            Submitted::InFlight => {}
            Submitted::Committed(_) => self.outbox.push_back((id, Down::Ack { seq })),
            Submitted::AskLog => {
                let there = self.log.iter().any(|op| op.client == client && op.seq == seq);
                let refused = || Down::Refused { seq, message: DocumentState::unknown_seq(seq).message };
                self.outbox.push_back((id, if there { Down::Ack { seq } } else { refused() }));
            }
            Submitted::NeedsHistory(mut submission, upto) => {
                for op in &self.log[submission.base as usize..upto as usize] {
                    submission.delta = read(op).transform(&submission.delta, true);
                }
                submission.base = upto;
                self.take(id, *submission);
            }
            Submitted::Refused(why) => self.outbox.push_back((
                id,
                match why.code {
                    ErrorCode::Unavailable => Down::SendAgain { seq },
                    ErrorCode::StaleBase => Down::Stale { seq },
                    _ => Down::Refused { seq, message: why.message },
                },
            )),
        }
    }

    /// Shows what is not durable, and loses it: what a server must never do.
    fn show_and_forget(&mut self) {
        if let Some(appending) = self.appending.take() {
            self.state.committed(appending.ops.len());
            // A crash would find nothing of it in the log.
            self.broadcast();
        }
    }

    /// Hands what is speculative to the journal, unless it has an append already.
    pub fn append(&mut self, fate: Fate) {
        if self.appending.is_none()
            && let Some(ops) = self.state.take_append()
        {
            self.appending = Some(Appending { ops, fate });
        }
    }

    pub fn is_appending(&self) -> bool {
        self.appending.is_some()
    }

    /// The journal answers.
    pub fn settle(&mut self) -> Option<Fate> {
        let Appending { ops, fate } = self.appending.take()?;
        let reported_lost = fate == Fate::UnknownCommitted && self.flaw == Some(Flaw::UnknownIsRefused);
        match fate {
            Fate::Durable | Fate::UnknownCommitted if !reported_lost => {
                let count = ops.len();
                self.log.extend(ops);
                self.state.committed(count);
            }
            _ => {
                if reported_lost {
                    self.log.extend(ops);
                }
                for forgotten in self.state.forget_pending() {
                    if let Some(session) = forgotten.session {
                        self.outbox.push_back((session, Down::SendAgain { seq: forgotten.seq }));
                    }
                }
            }
        }
        Some(fate)
    }

    /// Shows everybody what is durable: at once or, in a hot document, a little later.
    pub fn broadcast(&mut self) {
        let mut ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        ids.sort();
        ids.into_iter().for_each(|id| self.catch_up(id));
    }

    /// Sends a session what is durable and was not sent, from the log or the tail alike.
    fn catch_up(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (base, head) = (session.sent, self.state.version());
        if base >= head {
            return;
        }
        session.sent = head;
        let ops = match self.state.tail().since(base) {
            Some(tail) => tail.map(|op| (op.client, op.seq, op.delta.clone())).collect(),
            None => self.log[base as usize..head as usize]
                .iter()
                .map(|op| (op.client, op.seq, read(op)))
                .collect(),
        };
        self.outbox.push_back((id, Down::Ops { base, ops }));
    }

    fn load_client(&mut self, client: ClientId) {
        let clients: &mut Clients = &mut self.state.clients;
        let last = self.log.iter().rev().find(|op| op.client == client);
        let row =
            last.map(|op| ClientRow { user: op.user.clone(), last_seq: op.seq, last_version: op.version });
        clients.load(client, &UserId::guest(client), row);
    }

    pub fn content(&self) -> &Document {
        self.state.content()
    }

    pub fn is_settled(&self) -> bool {
        self.state.is_settled() && self.sessions.values().all(|session| session.sent == self.state.version())
    }
}

pub fn read(op: &LoggedOp) -> Delta {
    let json = std::str::from_utf8(&op.delta).expect("a delta is text");
    Delta::parse(json, &Default::default()).expect("the log holds deltas")
}

fn rehydrate(history: HistoryId, log: &[LoggedOp]) -> DocumentState {
    let mut content = Document::new();
    let mut tail = Vec::new();
    for (index, op) in log.iter().enumerate() {
        content.apply(&read(op)).expect("the log can be replayed");
        if log.len() - index <= 3 {
            tail.push(SequencedOp::from_log(op.clone(), read(op)));
        }
    }
    let from = Rehydrated {
        id: "simulated".parse().expect("an id"),
        history,
        owner: UserId("owner".into()),
        version: log.len() as Version,
        at: log.last().map_or(0, |op| op.at),
        content,
        tail,
        snapshot_version: 0,
        snapshot_bytes: 0,
        unsnapshotted_bytes: 0,
        archived: false,
        preview: String::new(),
        deleted: false,
        poison: Vec::new(),
    };
    DocumentState::new(from, settings())
}
