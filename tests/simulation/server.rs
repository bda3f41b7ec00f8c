//! The server's side: the real state machine, the real way back into memory, and what the real journal does to settle an
//! append, over a store that survives crashes and fails on command.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use quire::actors::document::AppendRefused;
use quire::actors::document::operation::Submission;
use quire::actors::document::rehydrate;
use quire::actors::document::state::{DocumentState, Submitted};
use quire::actors::error::ErrorCode;
use quire::actors::journal::BareJournal;
use quire::config::DocumentSettings;
use quire::ids::{ClientId, DocumentId, HistoryId, SessionId, UserId, Version};
use quire::ot::{Delta, Document};
use quire::storage::{
    ClientRow, LoggedOp, MemoryStore, NewDocument, NewSnapshot, OpLog as _, SnapshotBodies,
    SnapshotIndex as _,
};
use tokio::runtime::Runtime;

use super::faulty::{Fault, FaultyStore};
use super::replica::Down;
use super::world::Flaw;

/// What the journal does with an append, decided when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Durable,
    Refused,
    /// Committed, but reported as failed: the log tells.
    UnknownCommitted,
    /// The same with the first half only.
    UnknownPartly,
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

/// A session whose client is being looked up.
struct Joining {
    id: SessionId,
    client: ClientId,
    since: Option<Version>,
    /// As it was when storage was asked.
    row: Option<ClientRow>,
    /// What the session has sent meanwhile.
    early: Vec<(u64, Version, Delta)>,
    has_left: bool,
}

pub struct Server {
    history: HistoryId,
    /// What survives.
    store: Arc<FaultyStore>,
    journal: BareJournal,
    bodies: Arc<SnapshotBodies>,
    /// The log in the store, as a list.
    pub log: Vec<LoggedOp>,
    state: DocumentState,
    joining: Vec<Joining>,
    /// Sessions that were ended because their client has come again.
    pub closed: Vec<SessionId>,
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
        let store = FaultyStore::over(Arc::new(MemoryStore::new()));
        let journal = now(BareJournal::new(store.clone(), "node"));
        let mut journal = journal.expect("it is kept in memory");
        let owner = UserId("owner".into());
        let new = NewDocument {
            history,
            title: String::new(),
            owner,
            created_at: 0,
            preview: String::new(),
            link: Some(quire::protocol::Role::Editor),
        };
        assert_eq!(now(journal.append(doc(), Some(new), Vec::new())), (0, None));
        let bodies = Arc::new(SnapshotBodies::in_memory());
        let state = rehydrate(&store, &bodies);
        Self {
            history,
            store,
            journal,
            bodies,
            log: Vec::new(),
            state,
            joining: Vec::new(),
            closed: Vec::new(),
            sessions: HashMap::new(),
            appending: None,
            outbox: VecDeque::new(),
            flaw,
        }
    }

    /// The journal settles an append: how many of its operations are durable, and why the rest is not.
    fn commit(&mut self, Appending { ops, fate }: Appending) -> (usize, Option<AppendRefused>) {
        let fault = match fate {
            Fate::Durable => None,
            Fate::Refused => Some(Fault::Refused),
            Fate::UnknownCommitted => Some(Fault::UnknownCommitted),
            Fate::UnknownPartly => Some(Fault::UnknownPartly),
            Fate::UnknownLost => Some(Fault::UnknownLost),
        };
        fault.into_iter().for_each(|fault| self.store.fail_next(fault));
        let (durable, refused) = now(self.journal.append(doc(), None, ops.clone()));
        let conflict = matches!(refused, Some(AppendRefused::Conflict(_)));
        assert!(!conflict, "the log holds another operation: {refused:?}");
        self.log.extend(ops.into_iter().take(durable));
        (durable, refused)
    }

    /// Writes a snapshot of what is durable.
    pub fn snapshot(&mut self) {
        let mut content = Vec::new();
        self.state.content().write_json(&mut content);
        let late = u64::from(self.flaw == Some(Flaw::MislabelsSnapshots));
        let (history, at, preview) = (self.history, self.state.at(), String::new());
        let version = self.state.version().saturating_sub(late);
        let snapshot = NewSnapshot { doc: doc(), history, version, at, preview, content };
        let meta = now(self.bodies.write(snapshot)).expect("it is kept in memory");
        now(self.store.record_snapshots(&[meta])).expect("it is kept in memory");
    }

    /// The actor is lost. Sessions stay connected and attach to the next one, at the version that they were sent; an
    /// append that was under way is settled first (the journal's barrier).
    pub fn crash(&mut self) {
        if let Some(appending) = self.appending.take() {
            self.commit(appending);
        }
        self.state = rehydrate(&self.store, &self.bodies);
        for (id, session) in std::mem::take(&mut self.sessions) {
            self.load_client(session.client);
            if let Some(client) = self.state.clients.get_mut(session.client) {
                client.session = Some(id);
            }
            self.sessions.insert(id, session);
            self.catch_up(id);
        }
        // Those who were about to join ask the next actor.
        for joining in std::mem::take(&mut self.joining).into_iter().filter(|joining| !joining.has_left) {
            self.hello(joining.id, joining.client, joining.since);
            joining
                .early
                .into_iter()
                .for_each(|(seq, base, delta)| self.submit(joining.id, seq, base, delta));
        }
    }

    /// A session wants to join: at once if its client is known, else when storage has told of it.
    pub fn hello(&mut self, id: SessionId, client: ClientId, since: Option<Version>) {
        if self.state.clients.knows(client) {
            return self.join(id, client, since);
        }
        if self.flaw != Some(Flaw::ForgetsQuestions) {
            self.state.clients.ask(client);
        }
        let row = now(self.store.client(&doc(), client)).expect("it is kept in memory");
        self.joining.push(Joining { id, client, since, row, early: Vec::new(), has_left: false });
    }

    /// Storage answers one of those who have asked about a client.
    pub fn answer(&mut self, which: u64) {
        if self.joining.is_empty() {
            return;
        }
        let joining = self.joining.remove(which as usize % self.joining.len());
        let (id, client) = (joining.id, joining.client);
        if self.flaw != Some(Flaw::ForgetsQuestions) {
            self.state.clients.answered(client);
        }
        self.state.clients.load(client, &UserId::guest(client), joining.row);
        if joining.has_left {
            return self.state.clients.unload_if_idle(client);
        }
        self.join(id, client, joining.since);
        joining.early.into_iter().for_each(|(seq, base, delta)| self.submit(id, seq, base, delta));
    }

    fn join(&mut self, id: SessionId, client: ClientId, since: Option<Version>) {
        let known = self.state.clients.get_mut(client).expect("it was loaded");
        if let Some(older) = known.session.replace(id) {
            self.sessions.remove(&older);
            self.closed.push(older);
        }
        let version = self.state.version();
        let content = since.is_none().then(|| self.state.content().to_delta());
        self.outbox.push_back((id, Down::Welcome { version, content }));
        self.sessions.insert(id, Session { client, sent: since.unwrap_or(version) });
        self.catch_up(id);
    }

    pub fn leave(&mut self, id: SessionId) {
        if let Some(joining) = self.joining.iter_mut().find(|joining| joining.id == id) {
            joining.has_left = true;
        }
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Some(client) = self.state.clients.get_mut(session.client)
            && client.session == Some(id)
        {
            client.session = None;
        }
        self.state.clients.unload_if_idle(session.client);
    }

    pub fn submit(&mut self, id: SessionId, seq: u64, base: Version, delta: Delta) {
        if let Some(joining) = self.joining.iter_mut().find(|joining| joining.id == id) {
            joining.early.push((seq, base, delta));
            return;
        }
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
                let there =
                    now(self.store.find_op(&doc(), client, seq)).expect("it is kept in memory").is_some();
                let refused = || Down::Refused { seq, message: DocumentState::unknown_seq(seq).message };
                self.outbox.push_back((id, if there { Down::Ack { seq } } else { refused() }));
            }
            Submitted::NeedsHistory(mut submission, upto) => {
                for op in self.read_log(submission.base, upto) {
                    submission.delta = read(&op).transform(&submission.delta, true);
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
        let appending = self.appending.take()?;
        let fate = appending.fate;
        let (mut durable, refused) = self.commit(appending);
        let reported_lost = fate == Fate::UnknownCommitted && self.flaw == Some(Flaw::UnknownIsRefused);
        if reported_lost {
            durable = 0;
        }
        self.state.committed(durable);
        if reported_lost || refused.is_some() {
            for forgotten in self.state.forget_pending() {
                if let Some(session) = forgotten.session {
                    self.outbox.push_back((session, Down::SendAgain { seq: forgotten.seq }));
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
            None => self.read_log(base, head).iter().map(|op| (op.client, op.seq, read(op))).collect(),
        };
        self.outbox.push_back((id, Down::Ops { base, ops }));
    }

    fn load_client(&mut self, client: ClientId) {
        let row = now(self.store.client(&doc(), client)).expect("it is kept in memory");
        self.state.clients.load(client, &UserId::guest(client), row);
    }

    fn read_log(&self, after: Version, upto: Version) -> Vec<LoggedOp> {
        now(self.store.read_ops(&doc(), after, upto, usize::MAX, usize::MAX)).expect("it is kept in memory")
    }

    pub fn content(&self) -> &Document {
        self.state.content()
    }

    pub fn is_settled(&self) -> bool {
        self.state.is_settled()
            && self.joining.is_empty()
            && self.sessions.values().all(|session| session.sent == self.state.version())
    }
}

pub fn read(op: &LoggedOp) -> Delta {
    let json = std::str::from_utf8(&op.delta).expect("a delta is text");
    Delta::parse(json, &Default::default()).expect("the log holds deltas")
}

fn rehydrate(store: &Arc<FaultyStore>, bodies: &Arc<SnapshotBodies>) -> DocumentState {
    let read = rehydrate::read(store.clone(), bodies.clone(), doc(), Vec::new(), settings());
    DocumentState::new(now(read).expect("the log can be replayed"), settings())
}

fn doc() -> DocumentId {
    "simulated".parse().expect("an id")
}

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime of one thread");
}

/// Waits for storage, which is in memory and answers at once.
fn now<T>(answer: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(answer))
}
