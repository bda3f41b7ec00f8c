//! What may be said to a [`DocumentActor`](super::DocumentActor).

use std::sync::Arc;

use actix::{Message, WeakAddr};
use bytes::Bytes;

use super::operation::Submission;
use super::presence::PresenceState;
use super::state::Rehydrated;
use crate::access::Standing;
use crate::actors::error::Refusal;
use crate::actors::service::{Live, Reading};
use crate::actors::session::SessionActor;
use crate::actors::session::link::Link;
use crate::ids::{ClientId, HistoryId, SessionId, UserId, Version};
use crate::protocol::{Peer, Role, UserInfo};
use crate::storage::permissions::LinkKey;

/// A session wants to take part. Sent by a `SessionActor` after `hello`, and again after its document was lost.
///
/// The document begins the session's outbox; the session opens it with the welcome. Refused with `forbidden` when the
/// client belongs to another user, `unauthorized` when the user has lost access meanwhile, `rate_limited` when all sessions are
/// taken, `unavailable` when storage does not answer, or when those who take the content too
/// slowly have too much of it.
#[derive(Message)]
#[rtype(result = "Result<Joined, Refusal>")]
pub struct Join {
    pub session: SessionId,
    pub address: WeakAddr<SessionActor>,
    pub link: Arc<Link>,
    pub client: ClientId,
    pub user: UserId,
    /// As the others see the user.
    pub person: Arc<UserInfo>,
    pub receipts: bool,
    pub resume: Resume,
    /// Of a guest without a share link nothing can be said, and there is none.
    pub pass: Option<Pass>,
}

/// What a session's role follows from, beside the document's row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// As it was before the upgrade.
    pub standing: Standing,
    /// Of the share link that was presented.
    pub key: Option<LinkKey>,
}

/// What a session holds already.
#[derive(Clone)]
pub enum Resume {
    /// Nothing: it gets the content.
    Nothing,
    /// `since` of `hello`, with the history that it belongs to (`None`: taken to be the document's).
    From { since: Version, history: Option<String> },
    /// It was attached to an actor that was lost, and has been sent everything up to this version.
    /// Its presence is in the coordinates of the version beside it.
    Reattach { sent: Version, presence: Option<(PresenceState, Option<Version>)> },
}

/// The answer to [`Join`].
#[derive(Debug)]
pub struct Joined {
    pub history: HistoryId,
    /// The durable head.
    pub version: Version,
    pub role: Role,
    pub last_seq: u64,
    pub peers: Vec<Peer>,
    pub start: Start,
    /// The user with the colour that everybody sees.
    pub person: Arc<UserInfo>,
}

/// How a session that joins gets the document.
#[derive(Debug)]
pub enum Start {
    /// The content, as JSON, at a version up to the head; then `ops` from there on.
    Content { json: Bytes, at: Version, reset: bool },
    /// `ops` from here on.
    Since(Version),
}

/// A session has ended. Sent when its connection is gone; the others learn it with the next presence frame.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave {
    pub session: SessionId,
}

/// An operation from a session. The outcome goes into the session's outbox: `ops`, `ack` or `error`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Submit(pub Submission);

/// An operation of a session whose delta cannot be read. A number that was committed before is acknowledged all the
/// same, and one that is under way has its outcome; any other is refused for this reason.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SubmitUnreadable {
    pub session: SessionId,
    pub client: ClientId,
    pub seq: u64,
    pub why: Refusal,
}

/// An operation by REST; answered when it is durable.
#[derive(Message)]
#[rtype(result = "Result<Version, Refusal>")]
pub struct SubmitAndWait(pub Submission);

/// An operation by REST whose delta cannot be read, under a number of its client's own; answered as [`SubmitUnreadable`],
/// and one that is under way when it is durable.
#[derive(Message)]
#[rtype(result = "Result<Version, Refusal>")]
pub struct RecallAndWait {
    pub client: ClientId,
    pub seq: u64,
    pub user: UserId,
    pub why: Refusal,
}

/// A session says where it is. A cursor of a `base` above the head is ignored; one that is older than the tail is moved
/// through the log, and left out if it is older than `limits.base_lag` or cannot be moved.
#[derive(Message)]
#[rtype(result = "()")]
pub struct MoveCursor {
    pub session: SessionId,
    pub state: Option<PresenceState>,
    pub base: Option<Version>,
}

/// A session that is behind wants what it has missed. What is in memory goes into its outbox at once.
#[derive(Message)]
#[rtype(result = "CatchUp")]
pub struct Fetch {
    pub session: SessionId,
}

/// The answer to [`Fetch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// The outbox has all, or as much as fits for now.
    Queued,
    /// The session shall read the log, up to this version at least, and come again.
    ReadLog { upto: Version },
}

/// Somebody wants to read the durable content.
#[derive(Message)]
#[rtype(result = "Reading")]
pub struct Read;

/// Somebody wants to know how the document fares.
#[derive(Message)]
#[rtype(result = "Live")]
pub struct Inspect;

/// Somebody wants to know who is there: the sessions that have said where they are.
#[derive(Message)]
#[rtype(result = "Vec<Peer>")]
pub struct Who;

/// The document's row has changed: sent by the service after a `PATCH`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RowChanged {
    pub archived: bool,
    /// Its sessions end with 4404, and so does the actor.
    pub deleted: bool,
}

/// What somebody may do has changed: sent by the service after a change, and when another server has changed something.
/// Answered when it holds for all who are here.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AccessChanged {
    /// The document's count of changes, if it is known: whoever knows that one has nothing to ask.
    pub changes: Option<u64>,
}

/// The server stops: commit, snapshot, and answer when both are done; `false` when storage does not take the snapshot.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Drain;

/// Somebody wants the durable head in a snapshot; answered with the version of one that has it, once it is written.
#[derive(Message)]
#[rtype(result = "Result<Version, Refusal>")]
pub struct Checkpoint;

/// The document is about to be purged: its sessions end with 4404, and the actor stops without a snapshot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Another server has the document: its sessions are told to reconnect, and the actor stops. Sent by the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LeaveShard;

/// What the journal says of an append: [`Report::Settled`], always, and perhaps [`Report::InDoubt`] before.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Reported {
    pub incarnation: u64,
    pub report: Report,
}

/// See [`Reported`].
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// The outcome of its commit is not known, and storage does not tell: what stands in it has to wait, and nothing else
    /// is written until it is settled.
    InDoubt,
    /// So many operations are durable, and this is why the rest is not.
    Settled { durable: usize, refused: Option<AppendRefused> },
}

/// Why operations were not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendRefused {
    /// Storage cannot take them now.
    Unavailable(String),
    /// The log holds something else at that place: this actor is behind and has to rehydrate.
    Conflict(String),
    /// Another node owns the shard.
    Fenced,
}

/// The snapshot actor's answer.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct SnapshotDone {
    pub version: Version,
    pub outcome: SnapshotOutcome,
}

/// See [`SnapshotDone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    Written {
        /// As it is stored.
        bytes: u64,
    },
    /// Storage did not take it.
    Failed,
    /// Too many wait already: it was not tried.
    Refused,
}

/// What the registry starts an actor with.
pub struct Birth {
    pub incarnation: u64,
    pub state: Rehydrated,
}
