//! One WebSocket: reads and checks frames on its own thread, and speaks for its client to the document.
//!
//! What goes out is written to the session's [`Outbox`](outbox::Outbox), by this actor and by the document; the body of
//! the upgraded response ([`body::SessionBody`]) sends it. Liveness is watched from outside ([`liveness`]), because a
//! context whose peer stops reading is not polled any more.

pub mod body;
pub mod frames;
pub mod guard;
mod incoming;
pub mod link;
pub mod liveness;
pub mod outbox;
mod pace;
mod progress;
mod rate;
pub mod wire;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use actix_web_actors::ws::WebsocketContext;
use bytes::{Bytes, BytesMut};

use self::body::Wires;
use self::frames::HelloFrame;
use self::link::Link;
use self::pace::Pace;
use self::rate::Bucket;
use crate::actors::clock::Clock;
use crate::actors::document::broadcast;
use crate::actors::document::messages::{CatchUp, Fetch, Join, Joined, Leave, Resume, Start};
use crate::actors::document::presence::PresenceState;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::people;
use crate::actors::registry::{Open, RegistryActor, SharedAddress};
use crate::config::Limits;
use crate::ids::{ClientId, DocumentId, Millis, SessionId, UserId, Version};
use crate::metrics::METRICS;
use crate::protocol::{
    ErrorMessage, Reconnect, ReconnectReason, Role, ServerMessage, UserInfo, Welcome, close,
};
use crate::storage::SharedStore;

/// What every session of this server shares.
pub struct Setting {
    pub registry: Addr<RegistryActor>,
    pub store: SharedStore,
    pub limits: Limits,
    pub rate_limited: bool,
    pub clock: Clock,
    pub check_token: TokenCheck,
    /// Set when the server stops.
    pub draining: Arc<AtomicBool>,
}

/// Reads a token that a session sends to renew its own; the refusal's message says what is wrong with it.
pub type TokenCheck = Arc<dyn Fn(&str) -> Result<Option<Visitor>, Refusal> + Send + Sync>;

/// Who has connected or renews a session, as the token told.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub user: UserId,
    pub name: Option<String>,
    /// When its token ends, in Unix ms.
    pub expires_at: Option<Millis>,
}

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
    /// Of somebody with a token.
    visitor: Option<Box<Visitor>>,
    identity: Option<Box<Identity>>,
    stage: Stage,
    /// Frames that were not this protocol.
    strikes: u8,
    /// The parts of a fragmented message, so far.
    fragments: Option<Box<BytesMut>>,
    bucket: Bucket,
    /// The highest `seq` handed to the document, 0 for none.
    submitted: u64,
    /// From the first presence on.
    said: Option<Box<Said>>,
    role: Role,
    /// Attempts in a row to find the document again.
    attempts: u32,
}

type Ctx = WebsocketContext<SessionActor>;

/// Times that a session looks for its lost document, the pause before the second being [`FIRST_PAUSE`], then doubled:
/// 6 s in all, and what the registry takes.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

impl SessionActor {
    /// Makes the session of a connection that has just been upgraded. A guest has no `visitor`.
    pub fn new(
        doc: DocumentId,
        document: SharedAddress,
        visitor: Option<Visitor>,
        setting: Arc<Setting>,
        link: Arc<Link>,
        wires: Rc<Wires>,
    ) -> Self {
        let rate = setting.rate_limited.then_some(setting.limits.ops_per_second);
        Self {
            id: SessionId(NEXT_SESSION.fetch_add(1, Ordering::Relaxed)),
            doc,
            document,
            setting,
            link,
            wires,
            visitor: visitor.map(Box::new),
            identity: None,
            stage: Stage::Fresh,
            strikes: 0,
            fragments: None,
            bucket: Bucket::new(rate),
            submitted: 0,
            said: None,
            role: Role::Viewer,
            attempts: 0,
        }
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
            // The document forgets a session at once; a closed mailbox has forgotten it already.
            self.document.do_send(Leave { session: self.id });
        }
    }

    fn say_hello(&mut self, hello: HelloFrame, ctx: &mut Ctx) {
        if let Some(version) = hello.diverged {
            METRICS.divergences.inc();
            tracing::error!(document_id = %self.doc, client = %hello.client, version, "a client's text differed");
        }
        let visitor = self.visitor.as_ref();
        let user = visitor.map_or_else(|| UserId::guest(hello.client), |visitor| visitor.user.clone());
        let name = visitor.and_then(|visitor| visitor.name.clone()).or(hello.name);
        let person = Arc::new(people::person(&user, name.as_deref()));
        let receipts = hello.receipts;
        self.identity = Some(Box::new(Identity { client: hello.client, user, person, receipts }));
        let resume = match hello.since {
            Some(since) => Resume::From { since, history: hello.history },
            None => Resume::Nothing,
        };
        self.join(resume, ctx);
    }

    /// Joins the document; frames that arrive meanwhile wait.
    fn join(&mut self, resume: Resume, ctx: &mut Ctx) {
        let Some(identity) = &self.identity else { return };
        let join = Join {
            session: self.id,
            address: ctx.address().downgrade(),
            link: self.link.clone(),
            client: identity.client,
            user: identity.user.clone(),
            person: identity.person.clone(),
            receipts: identity.receipts,
            resume,
        };
        let again = matches!(join.resume, Resume::Reattach { .. });
        let resume = (!again).then(|| join.resume.clone());
        self.link.begin_wait();
        let asked = fut::wrap_future::<_, Self>(self.document.send(join));
        ctx.wait(asked.map(move |answer, actor, ctx| match answer {
            Ok(Ok(joined)) if again => actor.attached_again(&joined),
            Ok(Ok(joined)) => actor.welcome(joined, ctx),
            Ok(Err(why)) if why.code == ErrorCode::Unavailable && again => actor.try_again(ctx),
            Ok(Err(why)) => actor.refuse_hello(&why),
            // The actor has just left memory: the registry makes a new one.
            Err(_) => actor.find_document(resume, ctx),
        }));
    }

    fn refuse_hello(&mut self, why: &Refusal) {
        let code = match why.code {
            ErrorCode::Forbidden => close::POLICY,
            ErrorCode::NotFound => return self.finish([wire::close(close::DELETED, "document deleted")]),
            ErrorCode::Internal => close::INTERNAL,
            _ => close::TRY_LATER,
        };
        self.end_with_error(why, code);
    }

    fn welcome(&mut self, joined: Joined, ctx: &mut Ctx) {
        let Some(identity) = &mut self.identity else { return };
        identity.person = joined.person;
        self.link.end_wait();
        self.stage = Stage::Joined;
        self.role = joined.role;
        METRICS.sessions.inc();
        let head = joined.version;
        let (content, version, since, reset) = match joined.start {
            Start::Content { json, at, reset } => (Some(json), at, None, reset.then_some(true)),
            Start::Since(since) => (None, head, Some(since), None),
        };
        let welcome = Welcome {
            session: self.id.to_string(),
            doc: self.doc.to_string(),
            kind: "rich-text".into(),
            history: joined.history.to_string(),
            version,
            role: joined.role,
            user: (*identity.person).clone(),
            last_seq: joined.last_seq,
            peers: joined.peers,
            limits: self.setting.limits,
            expires_at: self.expires_at(),
            content: None,
            since,
            reset,
        };
        self.link.outbox.open(welcome_frame(welcome, content), head);
        self.watch_expiry(ctx);
    }

    /// When its token ends, in Unix ms; a guest has none.
    fn expires_at(&self) -> Option<Millis> {
        self.visitor.as_ref()?.expires_at
    }

    /// Closes the session when its token ends, unless a fresh one has come by then.
    fn watch_expiry(&self, ctx: &mut Ctx) {
        let Some(expires_at) = self.expires_at() else { return };
        let left = expires_at.saturating_sub(self.setting.clock.now()).max(0) as u64;
        ctx.run_later(Duration::from_millis(left), move |actor, _| {
            if actor.expires_at() == Some(expires_at) && actor.stage != Stage::Over {
                actor.finish([wire::close(close::TOKEN_EXPIRED, "token expired")]);
            }
        });
    }

    fn attached_again(&mut self, joined: &Joined) {
        self.link.end_wait();
        self.stage = Stage::Joined;
        self.attempts = 0;
        self.take_role(joined.role);
        self.link.outbox.fall_behind();
        // The operation in flight was lost with the actor, or is in the log: its resend tells.
        if self.submitted > joined.last_seq {
            self.refuse(&crate::actors::document::lost(), Some(self.submitted));
        }
    }

    /// Asks the registry for the document again and joins where the session was.
    fn reattach(&mut self, ctx: &mut Ctx) {
        if self.stage == Stage::Joined {
            self.stage = Stage::Detached;
        }
        if self.stage == Stage::Detached {
            self.find_document(None, ctx);
        }
    }

    /// Looks for the document again after a pause, a few times: then the client is to come back later.
    fn try_again(&mut self, ctx: &mut Ctx) {
        // Between the attempts its peer is heard.
        self.link.end_wait();
        self.attempts += 1;
        if self.attempts > ATTEMPTS {
            return self.end_with_reconnect(ReconnectReason::Lagging, close::TRY_LATER, people::pause_ms());
        }
        let pause = FIRST_PAUSE * 2u32.pow(self.attempts - 1);
        ctx.run_later(pause, SessionActor::reattach);
    }

    /// Asks the registry for the document and joins it: as `resume` says, or where the session was.
    fn find_document(&mut self, resume: Option<Resume>, ctx: &mut Ctx) {
        let open = Open { doc: self.doc.clone() };
        self.link.begin_wait();
        let asked = fut::wrap_future::<_, Self>(self.setting.registry.send(open));
        ctx.wait(asked.map(move |answer, actor, ctx| {
            let why = match answer {
                Ok(Ok(document)) => {
                    actor.document = document;
                    let resume = resume.unwrap_or_else(|| Resume::Reattach {
                        sent: actor.link.outbox.sent(),
                        presence: actor.said.as_ref().and_then(|said| said.presence.clone()),
                    });
                    return actor.join(resume, ctx);
                }
                Ok(Err(why)) => why,
                Err(error) => Refusal::unavailable(error.to_string()),
            };
            if why.code == ErrorCode::Unavailable && actor.stage == Stage::Detached {
                // Storage that cannot be read just now is a pause, too, for one that was there already.
                return actor.try_again(ctx);
            }
            actor.refuse_hello(&why);
        }));
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

/// Writes the welcome around the content, which a thousand sessions may share.
fn welcome_frame(mut welcome: Welcome, content: Option<Bytes>) -> Vec<Bytes> {
    let Some(content) = content else {
        return vec![wire::message(&ServerMessage::Welcome(Box::new(welcome)))];
    };
    welcome.content = None;
    let mut head = serde_json::to_vec(&ServerMessage::Welcome(Box::new(welcome))).unwrap_or_default();
    // `{…}` becomes `{…,"content":` + content + `}`.
    head.pop();
    head.extend_from_slice(b",\"content\":");
    let length = head.len() + content.len() + 1;
    vec![wire::text_header(length), head.into(), content, Bytes::from_static(b"}")]
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
        liveness::watch(self.link.clone(), address, &self.setting.draining);
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
