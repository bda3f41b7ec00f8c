//! What may be said to a [`SessionActor`](super::SessionActor).

use actix::Message;

use crate::protocol::Role;

/// Its document has failed: ask the registry for it again. Sent by a `DocumentActor` that ends.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Detached {
    pub incarnation: u64,
}

/// The same client has connected anew. Sent by the document.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Replaced;

/// What the user may do has changed. Sent by the document.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RoleChanged {
    pub role: Role,
}

/// Another node owns the document. Sent by the document.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Moved;

/// The server stops. Sent by the worker's liveness watch.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Draining;

/// No `hello` has come in time. Sent by the worker's liveness watch.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NoHello;

/// Tokens were revoked, or people banned: look whether one is still welcome. Sent by the worker's liveness watch.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LookAgain;

/// The document has ended the session; the close frame is queued.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ended;

/// Everything queued is sent and the session is behind. Sent by its own body.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FetchDue;

/// A frame was refused by its announced length. Sent by its own body.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Oversized;
