//! A live document as a plain state machine: no actix, no I/O, no clock.
//!
//! It holds two contents. The *durable* one is what the log holds and all that anybody may see; the *speculative* one
//! has the operations applied that are on their way into the log. Going back from the second to the first is dropping
//! a list, and needs no storage, since it happens just when storage is down.
//!
//! Invariants (docs/invariants.md): D1 `tail.head() == version`; D2 `pending[i]` makes version `version + 1 + i`;
//! D3 a client's `speculative` names its last pending operation; D4 nothing pending is ever returned to be shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use xxhash_rust::xxh3::Xxh3;

use super::clients::Clients;
use super::operation::{SequencedOp, Submission};
use super::tail::Tail;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::session::frames::refuse_delta;
use crate::config::DocumentSettings;
use crate::ids::{ClientId, DocumentId, HistoryId, Millis, SessionId, UserId, Version};
use crate::ot::Document;
use crate::protocol::Role;
use crate::storage::LoggedOp;

/// Work that a submission may cause here, in parts of deltas: some 10 ms of it (docs/performance.md). What takes more is done
/// off the actor, so that one stale edit does not hold up the document, nor the others of its thread.
const MAX_TRANSFORM_WORK: u64 = 500_000;

/// Why operations are put off while the outcome of a commit is not known.
pub const IN_DOUBT: &str = "storage does not answer; send it again";

/// What is known of a document when it comes into memory.
pub struct Rehydrated {
    pub id: DocumentId,
    pub history: HistoryId,
    pub owner: UserId,
    pub version: Version,
    /// `at` of the operation that made the version, 0 at version 0.
    pub at: Millis,
    pub content: Document,
    /// The last operations, in order.
    pub tail: Vec<SequencedOp>,
    pub snapshot_version: Version,
    /// Stored bytes of that snapshot, 0 without one.
    pub snapshot_bytes: u64,
    /// Bytes of the operations since that snapshot, of which `tail` may have the last ones only.
    pub unsnapshotted_bytes: u64,
    /// The first line that lists show.
    pub preview: String,
    pub archived: bool,
    /// What whoever has the address may do, and the count of changes when that was read.
    pub link: Option<Role>,
    pub access_changes: u64,
    /// In the trash: nobody may join.
    pub deleted: bool,
    /// Operations that made the server panic twice.
    pub poison: Vec<(ClientId, u64)>,
}

/// An operation that is applied and not yet durable.
struct Pending {
    op: Arc<SequencedOp>,
    session: Option<SessionId>,
    received: Instant,
    /// The content with it: becomes the durable one.
    content: Document,
}

/// What became of a submission.
#[derive(Debug)]
pub enum Submitted {
    /// It will make this version, if it commits.
    Accepted(Version),
    /// It is under way already; its outcome goes to the client's current session.
    InFlight,
    /// It had been committed as this version.
    Committed(Version),
    /// Only the log can tell whether it had been committed: `find_op`, then [`DocumentState::unknown_seq`].
    AskLog,
    /// Its base is older than the tail, or there is much to do: to be transformed over the log up to this version, the
    /// durable head, off the actor, and submitted again with that as its base.
    NeedsHistory(Box<Submission>, Version),
    /// Nothing was changed.
    Refused(Refusal),
}

/// An operation that has become durable.
pub struct Durable {
    pub op: Arc<SequencedOp>,
    pub received: Instant,
    pub session: Option<SessionId>,
}

/// An operation that certainly is not durable, and was forgotten.
#[derive(Debug)]
pub struct Forgotten {
    pub client: ClientId,
    pub seq: u64,
    /// The client's current session.
    pub session: Option<SessionId>,
}

/// See the module's documentation.
pub struct DocumentState {
    pub id: DocumentId,
    pub history: HistoryId,
    pub owner: UserId,
    pub archived: bool,
    /// In the trash: nobody may join.
    pub deleted: bool,
    pub clients: Clients,
    settings: Arc<DocumentSettings>,
    version: Version,
    at: Millis,
    durable: Document,
    tail: Tail,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    /// How many of `pending`, from the front, the journal has.
    appending: usize,
    /// The outcome of what the journal has is not known, and storage does not tell.
    in_doubt: bool,
    hashed: Version,
    snapshot_version: Version,
    snapshot_bytes: u64,
    /// Bytes committed since that snapshot.
    unsnapshotted_bytes: u64,
    /// Bytes that are in the snapshot which is being written.
    snapshotting_bytes: u64,
    poison: Vec<(ClientId, u64)>,
}

impl DocumentState {
    /// Begins with what storage knows.
    pub fn new(from: Rehydrated, settings: impl Into<Arc<DocumentSettings>>) -> Self {
        let settings = settings.into();
        let mut tail = Tail::starting_at(from.version - from.tail.len() as Version);
        from.tail.into_iter().for_each(|op| tail.push(Arc::new(op)));
        tail.trim(settings.tail_ops, settings.tail_bytes);
        Self {
            id: from.id,
            history: from.history,
            owner: from.owner,
            archived: from.archived,
            deleted: from.deleted,
            clients: Clients::default(),
            settings,
            version: from.version,
            at: from.at,
            durable: from.content,
            tail,
            pending: VecDeque::new(),
            pending_bytes: 0,
            appending: 0,
            in_doubt: false,
            hashed: from.version,
            snapshot_version: from.snapshot_version,
            snapshot_bytes: from.snapshot_bytes,
            unsnapshotted_bytes: from.unsnapshotted_bytes,
            snapshotting_bytes: 0,
            poison: from.poison,
        }
    }

    /// The durable head.
    pub fn version(&self) -> Version {
        self.version
    }

    /// When the durable head was made.
    pub fn at(&self) -> Millis {
        self.at
    }

    /// The durable content.
    pub fn content(&self) -> &Document {
        &self.durable
    }

    /// The durable operations still in memory.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The version of the newest snapshot.
    pub fn snapshot_version(&self) -> Version {
        self.snapshot_version
    }

    /// Tells whether nobody knows what became of what the journal has.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Returns how many operations are applied and not yet durable.
    pub fn speculative(&self) -> usize {
        self.pending.len()
    }

    /// Tells whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Checks, transforms and applies an operation. It is shown to nobody until [`Self::committed`].
    ///
    /// Whoever calls has loaded the client into `clients`.
    pub fn submit(&mut self, submission: Submission, now: Millis) -> Submitted {
        match self.admit(&submission) {
            Ok(()) => self.transform(submission, now),
            Err(answer) => answer,
        }
    }

    /// Answers a `seq` below the client's last one that the log does not hold.
    pub fn unknown_seq(seq: u64) -> Refusal {
        let message = format!("seq {seq} is below the last committed one and was never committed itself");
        Refusal::new(ErrorCode::BadOp, message)
    }

    /// Tells what is known of an operation by its number alone, whatever it may be; `None` when it has not been here.
    ///
    /// Whoever calls has loaded the client into `clients`.
    pub fn recall(&mut self, client: ClientId, seq: u64) -> Option<Submitted> {
        let known = self.clients.get_mut(client)?;
        if seq <= known.last_seq {
            let last = seq == known.last_seq;
            return Some(if last { Submitted::Committed(known.last_version) } else { Submitted::AskLog });
        }
        if known.speculative.is_none_or(|(last, _)| seq > last) {
            return None;
        }
        let under_way = self.pending.iter().any(|p| p.op.client == client && p.op.seq == seq);
        Some(if under_way { Submitted::InFlight } else { Submitted::Refused(Self::unknown_seq(seq)) })
    }

    /// Everything that can be said without looking at the delta; nothing is changed.
    fn admit(&mut self, submission: &Submission) -> Result<(), Submitted> {
        let refuse = |code, message: String| Err(Submitted::Refused(Refusal::new(code, message)));
        let (client, seq, base) = (submission.client, submission.seq, submission.base);
        if let Some(answer) = self.recall(client, seq) {
            return Err(answer);
        }
        let Some(known) = self.clients.get_mut(client) else {
            return refuse(ErrorCode::Internal, "the client is not known to the document".into());
        };
        let own = known.last_own_version();
        if self.archived {
            return refuse(ErrorCode::ReadOnly, "the document is archived".into());
        }
        if self.poison.contains(&(client, seq)) {
            return refuse(ErrorCode::BadOp, "the server failed twice on this operation".into());
        }
        if base > self.version {
            return refuse(ErrorCode::FutureBase, format!("base {base} is above the head, {}", self.version));
        }
        let is_first = submission.rebased.is_none();
        if is_first && base < own {
            return refuse(
                ErrorCode::StaleBase,
                format!("base {base} is below your own last operation, {own}"),
            );
        }
        let lag = self.version - base;
        if is_first && lag > self.settings.limits.base_lag {
            return refuse(
                ErrorCode::StaleBase,
                format!("base {base} is {lag} versions behind; rebase and send again"),
            );
        }
        if self.in_doubt {
            return Err(Submitted::Refused(Refusal::unavailable(IN_DOUBT)));
        }
        let full = self.pending.len() >= self.settings.speculative_ops
            || self.pending_bytes >= self.settings.speculative_bytes;
        if full {
            return Err(Submitted::Refused(Refusal::unavailable("too many operations wait for storage")));
        }
        Ok(())
    }

    /// Tells how much work it is to transform a submission over the tail; `None` when the tail begins after its base.
    fn work(&self, submission: &Submission) -> Option<u64> {
        let parts = submission.delta.ops().len() as u64;
        Some(self.tail.since(submission.base)?.map(|op| parts + op.delta.ops().len() as u64).sum())
    }

    /// Gives a submission away to be transformed up to the durable head. Each time there has to be less to do, which is what
    /// was committed meanwhile: so it comes to an end.
    fn needs_history(&self, mut submission: Submission) -> Submitted {
        let lag = self.version - submission.base;
        if submission.rebased.is_some_and(|before| lag >= before) {
            let message = "the document changes faster than this operation can be transformed";
            return Submitted::Refused(Refusal::unavailable(message));
        }
        submission.rebased = Some(lag);
        Submitted::NeedsHistory(Box::new(submission), self.version)
    }

    fn transform(&mut self, submission: Submission, now: Millis) -> Submitted {
        let is_short = self.work(&submission).is_some_and(|work| work <= MAX_TRANSFORM_WORK);
        let Some(since) = self.tail.since(submission.base).filter(|_| is_short) else {
            return self.needs_history(submission);
        };
        // One by one, never over a composed range: composing changes how ties fall (docs/invariants.md, O3).
        let concurrent = since.chain(self.pending.iter().map(|pending| &pending.op));
        let mut delta = submission.delta;
        for op in concurrent {
            if delta.is_empty() {
                break;
            }
            delta = op.delta.transform(&delta, true);
        }
        let head = self.pending.back().map_or(&self.durable, |pending| &pending.content);
        let mut content = head.clone();
        if let Err(error) = content.apply(&delta) {
            return Submitted::Refused(refuse_delta(&error));
        }
        let limit = self.settings.limits.document_bytes;
        if content.size() > limit && content.size() > head.size() {
            let message = format!("the document would have {} bytes, more than {limit}", content.size());
            return Submitted::Refused(Refusal::new(ErrorCode::TooLarge, message));
        }
        let version = self.version + self.pending.len() as Version + 1;
        let at = now.max(self.pending.back().map_or(self.at, |pending| pending.op.at));
        let (client, seq) = (submission.client, submission.seq);
        let op = SequencedOp::new(version, client, seq, submission.user, at, delta);
        if let Err(why) = op.check_bytes() {
            return Submitted::Refused(why);
        }
        let op = Arc::new(op);
        self.pending_bytes += op.member().len();
        self.pending.push_back(Pending {
            op,
            session: submission.session,
            received: submission.received,
            content,
        });
        if let Some(known) = self.clients.get_mut(client) {
            known.speculative = Some((seq, version));
        }
        Submitted::Accepted(version)
    }

    /// Takes what the journal shall append next, unless it still has an append of this document. One at a time: an
    /// append that is refused takes everything after it with it, and so nothing after it is ever on its way.
    pub fn take_append(&mut self) -> Option<Vec<LoggedOp>> {
        if self.appending > 0 || self.pending.is_empty() {
            return None;
        }
        self.appending = self.pending.len();
        Some(self.pending.iter().map(|pending| pending.op.to_log()).collect())
    }

    /// Takes note that the first `count` pending operations are durable, and returns them, to be shown.
    pub fn committed(&mut self, count: usize) -> Vec<Durable> {
        let count = count.min(self.pending.len());
        self.appending = 0;
        self.in_doubt = false;
        let mut durable = Vec::with_capacity(count);
        for Pending { op, session, received, content } in self.pending.drain(..count) {
            self.pending_bytes -= op.member().len();
            self.unsnapshotted_bytes += op.member().len() as u64;
            self.version = op.version;
            self.at = op.at;
            self.durable = content;
            if let Some(client) = self.clients.get_mut(op.client) {
                client.last_seq = op.seq;
                client.last_version = op.version;
                client.speculative = client.speculative.filter(|(_, version)| *version > op.version);
            }
            self.tail.push(op.clone());
            durable.push(Durable { op, received, session });
        }
        for done in &durable {
            self.clients.unload_if_idle(done.op.client);
        }
        self.tail.trim(self.settings.tail_ops, self.settings.tail_bytes);
        durable
    }

    /// Goes back to the durable content, after the journal refused; returns what was forgotten.
    pub fn forget_pending(&mut self) -> Vec<Forgotten> {
        self.appending = 0;
        self.in_doubt = false;
        self.forget_from(0)
    }

    /// Takes nothing more until the append that the journal has is settled, and forgets what stands behind it; returns
    /// what was forgotten.
    pub fn doubt(&mut self) -> Vec<Forgotten> {
        self.in_doubt = true;
        self.forget_from(self.appending)
    }

    /// Forgets the pending operations from the one with this index on.
    fn forget_from(&mut self, first: usize) -> Vec<Forgotten> {
        let mut forgotten = Vec::with_capacity(self.pending.len() - first);
        for pending in self.pending.drain(first..) {
            self.pending_bytes -= pending.op.member().len();
            let (client, seq) = (pending.op.client, pending.op.seq);
            let session = self.clients.get_mut(client).and_then(|known| known.session);
            forgotten.push(Forgotten { client, seq, session });
        }
        let kept = self.pending.iter().map(|pending| &pending.op);
        self.clients.keep_speculative(kept.map(|op| (op.client, op.seq, op.version)));
        forgotten
    }

    /// Returns the hash of the durable text when one is due in the next frame: about every
    /// max(100 versions, size / 10 KB), so that hashing costs little beside what was typed.
    pub fn due_hash(&mut self) -> Option<u64> {
        let every = (self.durable.size() / 10_000).max(100);
        if self.version - self.hashed < every {
            return None;
        }
        self.hashed = self.version;
        Some(text_hash(&self.durable))
    }

    /// Tells whether a snapshot is due: one for every so many versions, and when so many bytes were typed that all
    /// snapshots together stay a small multiple of what was typed. The tail is bounded in any case.
    pub fn snapshot_is_due(&self) -> bool {
        let every = self.settings.snapshot_every;
        let turn = |version: Version| self.id.turn(version, every);
        let operations = self.version - self.snapshot_version;
        let estimate = self.snapshot_bytes.max(self.durable.size() / 4);
        turn(self.version) != turn(self.snapshot_version)
            && (self.unsnapshotted_bytes * 2 >= estimate || operations >= 50 * every)
    }

    /// Takes note of a snapshot, so that the next one is counted from it. Called when it is asked for.
    pub fn snapshot_begun(&mut self) {
        self.snapshot_version = self.version;
        self.snapshotting_bytes = std::mem::take(&mut self.unsnapshotted_bytes);
    }

    /// Takes note of how large the newest snapshot came out.
    pub fn snapshot_written(&mut self, bytes: u64) {
        self.snapshot_bytes = bytes;
    }

    /// Takes note that the snapshot was not written: it will be due again at once.
    pub fn snapshot_failed(&mut self, previous: Version) {
        self.snapshot_version = self.snapshot_version.min(previous);
        self.unsnapshotted_bytes += std::mem::take(&mut self.snapshotting_bytes);
    }

    /// Gives memory back while nobody writes: late bases are then served from the log.
    pub fn shrink(&mut self) {
        self.tail.trim(0, 0);
    }
}

/// xxh3-64 (seed 0) of the plain text in UTF-8; an embed counts as U+FFFC.
pub fn text_hash(content: &Document) -> u64 {
    let mut hasher = Xxh3::new();
    content.for_each_text(|part| hasher.update(part.as_bytes()));
    hasher.digest()
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
