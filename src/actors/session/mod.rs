//! One WebSocket: reads and checks frames on its own thread, and speaks for its client to the document.
//!
//! What goes out is written to the session's [`Outbox`](outbox::Outbox), by this actor and by the document; the body of
//! the upgraded response ([`body::SessionBody`]) sends it. Liveness is watched from outside ([`liveness`]), because a
//! context whose peer stops reading is not polled any more.

pub mod body;
pub mod frames;
pub mod guard;
mod incoming;
mod joining;
pub mod link;
pub mod liveness;
mod messages;
pub mod outbox;
mod pace;
mod progress;
mod wheel;
pub mod wire;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::fut;
use actix::prelude::*;
use actix_web_actors::ws::WebsocketContext;
use bytes::{Bytes, BytesMut};

use self::body::Wires;
use self::link::Link;
pub use self::messages::*;
use self::pace::Pace;
use crate::actors::clock::Clock;
use crate::actors::document::broadcast;
use crate::actors::document::messages::{CatchUp, Fetch, Leave, Pass};
use crate::actors::document::presence::PresenceState;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::people;
use crate::actors::registry::{RegistryActor, SharedAddress};
use crate::config::Limits;
use crate::formats::AllowedFormats;
use crate::ids::{ClientId, DocumentId, Millis, SessionId, UserId, Version};
use crate::limits::Limiter;
use crate::limits::opens::Opening;
use crate::metrics::METRICS;
use crate::protocol::{ErrorMessage, Reconnect, ReconnectReason, Role, ServerMessage, UserInfo, close};
use crate::storage::SharedStore;

/// What every session of this server shares.
pub struct Setting {
    pub registry: Addr<RegistryActor>,
    pub store: SharedStore,
    pub limits: Limits,
    /// What documents may be made of.
    pub formats: AllowedFormats,
    /// How much users may ask for; `None`: whatever they like.
    pub limiter: Option<Arc<Limiter>>,
    pub clock: Clock,
    pub check_token: TokenCheck,
    /// Tells whether somebody is still welcome who was let in.
    pub standing: StandingCheck,
    /// Rises whenever more tokens are not accepted any more although they have not ended.
    pub revocations: Arc<AtomicU64>,
    /// Rises whenever more are banned.
    pub bans: Arc<AtomicU64>,
    /// Set when the server stops.
    pub draining: Arc<AtomicBool>,
}

/// Reads a token that a session sends to renew its own; the refusal's message says what is wrong with it.
pub type TokenCheck = Arc<dyn Fn(&str) -> Result<Option<Visitor>, Refusal> + Send + Sync>;

/// Looks up what has become of somebody with a token, or a guest, who comes from an address.
pub type StandingCheck = Arc<dyn Fn(Option<&Visitor>, IpAddr) -> Standing + Send + Sync>;

/// Whether somebody who was let in is still welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// The token is not accepted any more.
    Revoked,
    /// This server does not serve them any more.
    Banned,
}

/// Who has connected or renews a session, as the token told.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub user: UserId,
    pub name: Option<String>,
    /// When its token ends, in Unix ms.
    pub expires_at: Option<Millis>,
    /// The sign-in or service token that it is of, if it may be revoked alone.
    pub credential: Option<Arc<str>>,
    /// When a token that is of neither was made, in Unix ms, if it says so.
    pub issued_at: Option<Millis>,
    /// Whether the token is good for reading alone.
    pub reads_only: bool,
    /// Whether it is an administrator's.
    pub admin: bool,
}

/// How far a session has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for `hello`.
    Fresh,
    /// Takes part.
    Joined,
    /// Its document was lost; asks for it again.
    Detached,
    /// Nothing is read any more.
    Over,
}

/// Who the session speaks for, from `hello` on.
struct Identity {
    client: ClientId,
    user: UserId,
    person: Arc<UserInfo>,
    receipts: bool,
}

/// What a client says of where it is.
#[derive(Default)]
struct Said {
    /// With the version that its positions are in.
    presence: Option<(PresenceState, Option<Version>)>,
    pace: Pace,
}

/// See the module's documentation. An idle one is small: what only some sessions need is boxed.
pub struct SessionActor {
    id: SessionId,
    doc: DocumentId,
    document: SharedAddress,
    setting: Arc<Setting>,
    link: Arc<Link>,
    wires: Rc<Wires>,
    /// Where it comes from.
    address: IpAddr,
    /// Of somebody with a token.
    visitor: Option<Box<Visitor>>,
    /// Of somebody with a token or a share link.
    pass: Option<Box<Pass>>,
    identity: Option<Box<Identity>>,
    stage: Stage,
    /// Frames that were not this protocol.
    strikes: u8,
    /// The parts of a fragmented message, so far.
    fragments: Option<Box<BytesMut>>,
    /// Until hello tells whether it counts.
    opening: Option<Box<Opening>>,
    /// The highest `seq` handed to the document, 0 for none.
    submitted: u64,
    /// From the first presence on.
    said: Option<Box<Said>>,
    role: Role,
    /// Attempts in a row to find the document again.
    attempts: u32,
}

/// How somebody has come in.
pub struct Admission {
    /// Where somebody comes from, as far as trusted gateways tell.
    pub address: IpAddr,
    /// `None` for a guest.
    pub visitor: Option<Visitor>,
    /// `None` where nobody is asked what he may do.
    pub pass: Option<Pass>,
    /// `None` where openings are not counted.
    pub opening: Option<Opening>,
}

type Ctx = WebsocketContext<SessionActor>;

static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

impl SessionActor {
    /// Makes the session of a connection that has just been upgraded.
    pub fn new(
        doc: DocumentId,
        document: SharedAddress,
        admission: Admission,
        setting: Arc<Setting>,
        link: Arc<Link>,
        wires: Rc<Wires>,
    ) -> Self {
        let Admission { address, visitor, pass, opening } = admission;
        Self {
            id: SessionId(NEXT_SESSION.fetch_add(1, Ordering::Relaxed)),
            doc,
            document,
            setting,
            link,
            wires,
            address,
            visitor: visitor.map(Box::new),
            pass: pass.map(Box::new),
            identity: None,
            stage: Stage::Fresh,
            strikes: 0,
            fragments: None,
            opening: opening.map(Box::new),
            submitted: 0,
            said: None,
            role: Role::Viewer,
            attempts: 0,
        }
    }

    fn standing(&self) -> Standing {
        (self.setting.standing)(self.visitor.as_deref(), self.address)
    }

    /// Sends a message of the protocol; a reader that lets too much pile up is cut.
    fn tell(&self, message: &ServerMessage) {
        self.push(wire::message(message));
    }

    fn push(&self, frame: Bytes) {
        if !self.link.outbox.push_control(frame) {
            METRICS.dropped.with_label_values(&["overflow"]).inc();
            self.link.cut();
        }
    }

    /// Answers a refused operation or frame.
    fn refuse(&self, why: &Refusal, seq: Option<u64>) {
        METRICS.refused.with_label_values(&[why.code.as_str()]).inc();
        self.tell(&error_message(why, seq, false));
    }

    /// Says why, closes, and reads nothing more.
    fn end_with_error(&mut self, why: &Refusal, code: u16) {
        self.end_with_error_of(why, None, code);
    }

    fn end_with_error_of(&mut self, why: &Refusal, seq: Option<u64>, code: u16) {
        METRICS.refused.with_label_values(&[why.code.as_str()]).inc();
        self.finish([wire::message(&error_message(why, seq, true)), wire::close(code, why.code.as_str())]);
    }

    fn end_with_reconnect(&mut self, reason: ReconnectReason, code: u16, after_ms: u64) {
        let message = ServerMessage::Reconnect(Reconnect { reason, after_ms });
        self.finish([wire::message(&message), wire::close(code, "reconnect")]);
    }

    fn finish(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        self.link.outbox.close(frames);
        self.leave();
    }

    fn leave(&mut self) {
        if matches!(self.stage, Stage::Joined | Stage::Detached) {
            METRICS.sessions.dec();
        }
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.link.leave();
            if let (Some(limiter), Some(identity)) = (&self.setting.limiter, &self.identity) {
                limiter.opens.saw(&self.doc, identity.client);
            }
            // The document forgets a session at once; a closed mailbox has forgotten it already.
            self.document.do_send(Leave { session: self.id });
        }
    }

    /// Reads a page of the log for a reader that is behind what its document has in memory.
    fn fetch_from_log(&mut self, upto: Version, ctx: &mut Ctx) {
        let (store, doc, link) = (self.setting.store.clone(), self.doc.clone(), self.link.clone());
        let sent = link.outbox.sent();
        let page = async move {
            store.read_ops(&doc, sent, upto, broadcast::FRAME_OPS, broadcast::FRAME_BYTES).await
        };
        ctx.spawn(fut::wrap_future::<_, Self>(page).map(move |page, actor, _| match page {
            Ok(ops) if !ops.is_empty() => {
                link.outbox.push_history(&broadcast::frame_from_log(sent, &ops));
                // Not live yet: when this is sent, the rest is due.
                link.outbox.fall_behind();
            }
            Ok(_) => actor.end_with_reconnect(ReconnectReason::Lagging, close::TRY_LATER, people::pause_ms()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(document_id = %actor.doc, error, "history could not be read for a session");
                actor.end_with_reconnect(ReconnectReason::Lagging, close::TRY_LATER, people::pause_ms());
            }
        }));
    }
}

fn error_message(why: &Refusal, seq: Option<u64>, fatal: bool) -> ServerMessage {
    ServerMessage::Error(ErrorMessage {
        code: why.code,
        message: why.message.clone(),
        seq,
        retry_after_ms: why.retry_after_ms,
        fatal,
    })
}

impl Actor for SessionActor {
    type Context = Ctx;

    fn started(&mut self, ctx: &mut Ctx) {
        METRICS.connections.inc();
        // Nobody has set it before: an actor starts once.
        // Weak addresses: each strong one is two allocations, for as long as the session lives.
        let address = ctx.address().downgrade();
        let _ = self.wires.session.set(address.clone());
        liveness::watch(self.link.clone(), address, self.visitor.is_some(), &self.setting);
        // What has changed between the look at the request and now is news to nobody else.
        if self.standing() != Standing::Good {
            ctx.notify(LookAgain);
        }
    }

    fn stopped(&mut self, _: &mut Ctx) {
        self.leave();
    }
}

impl Drop for SessionActor {
    fn drop(&mut self) {
        // A connection that is torn down drops its actor without stopping it; leaving twice is harmless.
        self.leave();
        METRICS.connections.dec();
    }
}

impl Handler<FetchDue> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: FetchDue, ctx: &mut Ctx) {
        if self.stage != Stage::Joined {
            return;
        }
        METRICS.lagging.inc();
        let asked = fut::wrap_future::<_, Self>(self.document.send(Fetch { session: self.id }));
        ctx.spawn(asked.map(|answer, actor, ctx| match answer {
            Ok(CatchUp::ReadLog { upto }) => actor.fetch_from_log(upto, ctx),
            Ok(CatchUp::Queued) => {}
            Err(_) => actor.reattach(ctx),
        }));
    }
}

impl Handler<Detached> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Detached, ctx: &mut Ctx) {
        self.reattach(ctx);
    }
}

impl Handler<Replaced> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Replaced, _: &mut Ctx) {
        self.end_with_reconnect(ReconnectReason::Replaced, close::REPLACED, 0);
    }
}

impl Handler<RoleChanged> for SessionActor {
    type Result = ();

    fn handle(&mut self, RoleChanged { role }: RoleChanged, _: &mut Ctx) {
        self.take_role(role);
    }
}

impl Handler<Moved> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Moved, _: &mut Ctx) {
        self.end_with_reconnect(ReconnectReason::Moved, close::RESTART, people::pause_ms());
    }
}

impl Handler<Draining> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Draining, _: &mut Ctx) {
        self.end_with_reconnect(ReconnectReason::Draining, close::RESTART, people::pause_ms());
    }
}

impl Handler<NoHello> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: NoHello, _: &mut Ctx) {
        if self.stage == Stage::Fresh {
            let why = Refusal::new(ErrorCode::BadRequest, "hello did not come within 10 s");
            self.end_with_error(&why, close::POLICY);
        }
    }
}

impl Handler<Ended> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Ended, _: &mut Ctx) {
        self.leave();
    }
}

impl Handler<LookAgain> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: LookAgain, _: &mut Ctx) {
        let (reason, code, text) = match self.standing() {
            Standing::Good => return,
            Standing::Revoked => ("revoked", close::TOKEN_EXPIRED, "token revoked"),
            Standing::Banned => ("banned", close::ACCESS_LOST, "banned"),
        };
        if self.stage != Stage::Over {
            METRICS.dropped.with_label_values(&[reason]).inc();
            self.finish([wire::close(code, text)]);
        }
    }
}

impl Handler<Oversized> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Oversized, _: &mut Ctx) {
        let message = format!("a frame has at most {} bytes", self.setting.limits.frame_bytes);
        self.end_with_error(&Refusal::new(ErrorCode::TooLarge, message), close::TOO_LARGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands of sessions do nothing most of the time. What is around one (its context, the codec) takes 376 bytes, and
    /// beyond 512 together the allocator would give it 640.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<SessionActor>() <= 136, "{} bytes", size_of::<SessionActor>());
    }
}
