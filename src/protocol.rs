//! The frames of protocol version 1, defined once: the TypeScript types are generated from these.
//!
//! The server writes and reads its hot frames by hand (`actors::session::frames`, `actors::document::broadcast`), in
//! exactly these shapes; clients in Rust use them as they stand.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ts_rs::TS;

use crate::actors::error::ErrorCode;
use crate::config::Limits;
use crate::ids::{ClientId, Millis, UserId, Version};

/// The subprotocol that both sides name in the handshake.
pub const SUBPROTOCOL: &str = "quire.v1";

/// Whole numbers on the wire are at most 2^53 - 1, which a 64-bit float holds exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Any JSON value that is passed on as it stands.
pub type RawJson = Box<RawValue>;

/// A frame from client to server (protocol section 3).
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Hello(Hello),
    Op(OpMessage),
    Presence(PresenceMessage),
    Auth(AuthMessage),
    Ping(PingMessage),
}

/// The first frame of a session, within 10 s.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(optional_fields)]
pub struct Hello {
    /// One per replica, kept with its offline queue.
    #[ts(type = "string")]
    pub client: ClientId,
    /// The version that the replica holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub since: Option<Version>,
    /// The history of that version; without it, taken to be the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The name that a guest goes by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether `received` is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipts: Option<bool>,
    /// The version at which the replica's text differed from the server's hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub diverged: Option<Version>,
}

/// An edit: either `delta` or its short form `edit`.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(optional_fields)]
pub struct OpMessage {
    /// Per client and document, rising.
    #[ts(type = "number")]
    pub seq: u64,
    /// The version that the edit was made on.
    #[ts(type = "number")]
    pub base: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "DeltaOp[]")]
    pub delta: Option<RawJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "Edit")]
    pub edit: Option<RawJson>,
}

/// Where this client is and what it does; `null` leaves.
#[derive(Clone, Debug, Serialize, TS)]
pub struct PresenceMessage {
    #[ts(type = "PresenceState | null")]
    pub state: RawJson,
    /// The version whose coordinates the cursor is in.
    #[ts(type = "number")]
    pub base: Version,
}

/// A fresh token of the same user.
#[derive(Clone, Debug, Serialize, TS)]
pub struct AuthMessage {
    pub token: String,
}

/// Asks for `pong`.
#[derive(Clone, Copy, Debug, Serialize, TS)]
pub struct PingMessage {
    /// Any number; it comes back.
    pub t: f64,
}

/// A caret or selection, in UTF-16 code units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Cursor {
    #[ts(type = "number")]
    pub index: u64,
    #[ts(type = "number")]
    pub length: u64,
}

/// A frame from server to client (protocol section 4).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    Welcome(Box<Welcome>),
    Ops(OpsMessage),
    Received(Received),
    Ack(Ack),
    Presence(PeersMessage),
    Role(RoleMessage),
    Reconnect(Reconnect),
    Error(ErrorMessage),
    Pong(Pong),
}

/// The answer to `hello`: nothing precedes it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
pub struct Welcome {
    pub session: String,
    pub doc: String,
    #[ts(type = "'rich-text'")]
    pub kind: String,
    pub history: String,
    /// The durable head, or what `content` is at.
    #[ts(type = "number")]
    pub version: Version,
    pub role: Role,
    pub user: UserInfo,
    /// The last committed `seq` of this client, 0 if none.
    #[ts(type = "number")]
    pub last_seq: u64,
    pub peers: Vec<Peer>,
    pub limits: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub expires_at: Option<Millis>,
    /// The document at `version`; absent when `since` is given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "DeltaOp[]")]
    pub content: Option<RawJson>,
    /// The version from which `ops` follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub since: Option<Version>,
    /// What the client held cannot be continued: `content` replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<bool>,
}

/// What a user may do with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Editor,
    Commenter,
    Viewer,
}

impl Role {
    /// Tells whether this role may do all that `other` may.
    pub fn includes(self, other: Self) -> bool {
        let rank = |role| match role {
            Self::Viewer => 0,
            Self::Commenter => 1,
            Self::Editor => 2,
            Self::Owner => 3,
        };
        rank(self) >= rank(other)
    }

    /// Tells whether the role allows edits.
    pub fn may_edit(self) -> bool {
        matches!(self, Self::Owner | Self::Editor)
    }
}

/// A person as the others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UserInfo {
    #[ts(type = "string")]
    pub id: UserId,
    pub name: String,
    /// `#rrggbb`.
    pub color: String,
}

/// The canonical stream: `ops[0]` takes the document from `base` to `base + 1`, and so on.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
pub struct OpsMessage {
    #[ts(type = "number")]
    pub base: Version,
    pub ops: Vec<CommittedOp>,
    /// xxh3-64 of the text after the last operation, 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A durable operation.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CommittedOp {
    #[ts(type = "string")]
    pub client: ClientId,
    #[ts(type = "number")]
    pub seq: u64,
    pub user: String,
    /// Unix ms, never falling within a document.
    #[ts(type = "number")]
    pub at: Millis,
    #[ts(type = "DeltaOp[]")]
    pub delta: RawJson,
}

/// The server has the operation in memory; it is not yet durable.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct Received {
    #[ts(type = "number")]
    pub seq: u64,
}

/// The answer to a resend of an operation that had been committed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct Ack {
    #[ts(type = "number")]
    pub seq: u64,
    #[ts(type = "number")]
    pub version: Version,
}

/// Changes of presence, coalesced.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct PeersMessage {
    pub peers: Vec<Peer>,
}

/// One session's presence; `state: null` when it is gone.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Peer {
    pub session: String,
    #[ts(type = "string")]
    pub client: ClientId,
    pub user: UserInfo,
    #[ts(type = "PresenceState | null")]
    pub state: Option<RawJson>,
    /// The version whose coordinates the cursor is in.
    #[ts(type = "number")]
    pub base: Version,
}

/// The permission changed while connected, or the answer to `auth`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
pub struct RoleMessage {
    pub role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub expires_at: Option<Millis>,
}

/// The server ends the session and says when to come back.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct Reconnect {
    pub reason: ReconnectReason,
    #[ts(type = "number")]
    pub after_ms: u64,
}

/// Why a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReconnectReason {
    Draining,
    Moved,
    Lagging,
    Replaced,
}

/// A refusal, of the operation `seq` or of a frame.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
pub struct ErrorMessage {
    pub code: ErrorCode,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub retry_after_ms: Option<u64>,
    /// Followed by a close.
    pub fatal: bool,
}

/// The answer to `ping`, with its `t`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct Pong {
    pub t: f64,
}

/// Close codes of protocol section 6 (RFC 6455 section 7.4 and the private range).
pub mod close {
    pub const POLICY: u16 = 1008;
    pub const TOO_LARGE: u16 = 1009;
    pub const INTERNAL: u16 = 1011;
    pub const RESTART: u16 = 1012;
    pub const TRY_LATER: u16 = 1013;
    pub const TOKEN_EXPIRED: u16 = 4401;
    pub const ACCESS_LOST: u16 = 4403;
    pub const DELETED: u16 = 4404;
    pub const REPLACED: u16 = 4409;
}

#[cfg(test)]
mod typescript;
