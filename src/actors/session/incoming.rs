//! What a client's frames lead to.

use std::time::Instant;

use actix::prelude::*;
use actix_http::ws::Item;
use actix_web_actors::ws::{Message, ProtocolError};
use bytes::BytesMut;
use bytestring::ByteString;

use super::frames::{self, BadFrame, ClientFrame};
use super::pace::Turn;
use super::{Ctx, SessionActor, Stage, Visitor, wire};
use crate::actors::document::messages::{MoveCursor, Submit, SubmitUnreadable};
use crate::actors::document::operation::Submission;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::Version;
use crate::limits::Who;
use crate::ot::Delta;
use crate::protocol::{Role, RoleMessage, ServerMessage, close};

/// The frame that is not this protocol which ends a session.
const LAST_STRIKE: u8 = 3;

impl StreamHandler<Result<Message, ProtocolError>> for SessionActor {
    fn handle(&mut self, item: Result<Message, ProtocolError>, ctx: &mut Ctx) {
        self.wires.read.set(self.wires.read.get() + 1);
        if self.stage == Stage::Over {
            return;
        }
        match item {
            Ok(Message::Text(text)) => self.read(&text, ctx),
            Ok(Message::Binary(_)) => self.strike(&bad_request("frames are text, not binary"), None),
            Ok(Message::Ping(payload)) => self.push(wire::pong(&payload)),
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Close(reason)) => {
                let code = reason.map_or(1000, |reason| u16::from(reason.code));
                self.finish([wire::close(code, "")]);
            }
            Ok(Message::Continuation(item)) => self.assemble(item, ctx),
            Err(ProtocolError::Io(error)) if error.to_string().contains("utf-8") => {
                self.strike(&bad_request("the frame is not UTF-8"), None);
            }
            // The connection is gone: nobody is left to be told.
            Err(ProtocolError::Io(_)) => self.leave(),
            Err(error) => {
                let why = bad_request(format!("not the WebSocket protocol: {error}"));
                self.end_with_error(&why, 1002);
            }
        }
    }

    fn finished(&mut self, ctx: &mut Ctx) {
        ctx.stop();
    }
}

impl SessionActor {
    /// Puts a fragmented message together (RFC 6455 section 5.4). The guard has bounded its length.
    fn assemble(&mut self, item: Item, ctx: &mut Ctx) {
        match item {
            Item::FirstText(part) => self.fragments = Some(Box::new(BytesMut::from(&part[..]))),
            Item::FirstBinary(_) => {
                self.fragments = None;
                self.strike(&bad_request("frames are text, not binary"), None);
            }
            Item::Continue(part) => {
                if let Some(fragments) = &mut self.fragments {
                    fragments.extend_from_slice(&part);
                }
            }
            Item::Last(part) => {
                let Some(mut whole) = self.fragments.take() else { return };
                whole.extend_from_slice(&part);
                match ByteString::try_from(whole.freeze()) {
                    Ok(text) => self.read(&text, ctx),
                    Err(_) => self.strike(&bad_request("the frame is not UTF-8"), None),
                }
            }
        }
    }

    fn read(&mut self, text: &str, ctx: &mut Ctx) {
        let received = Instant::now();
        let parsed = frames::parse(text, &self.setting.limits);
        if self.stage == Stage::Fresh {
            return self.read_first(parsed, ctx);
        }
        let frame = match parsed {
            Ok(frame) => frame,
            Err(BadFrame { refusal, seq: Some(seq) }) if refusal.code != ErrorCode::BadRequest => {
                return self.refuse_unreadable(seq, refusal, ctx);
            }
            Err(bad) => return self.strike(&bad.refusal, bad.seq),
        };
        match frame {
            ClientFrame::Hello(_) => self.strike(&bad_request("hello was said already"), None),
            ClientFrame::Op { seq, base, delta } => match self.setting.formats.check(&delta) {
                Ok(()) => self.submit(seq, base, delta, received, ctx),
                Err(why) => self.refuse_unreadable(seq, frames::refuse_format(&why), ctx),
            },
            ClientFrame::Presence { state, base } => {
                let said = self.said.get_or_insert_default();
                said.presence = state.map(|state| (state, base));
                match said.pace.take(received) {
                    Turn::Now => self.tell_presence(ctx),
                    Turn::After(pause) => {
                        ctx.run_later(pause, |actor, ctx| {
                            actor.said.get_or_insert_default().pace.go(Instant::now());
                            actor.tell_presence(ctx);
                        });
                    }
                    Turn::Waits => {}
                }
            }
            ClientFrame::Ping { t } => {
                self.push(wire::text(format!(r#"{{"type":"pong","t":{}}}"#, t.get()).as_bytes()));
            }
            ClientFrame::Auth { token } => self.renew(&token, ctx),
        }
    }

    /// Reads a frame of somebody who has not said hello: anything else, sound or not, is a strike.
    fn read_first(&mut self, parsed: Result<ClientFrame, BadFrame>, ctx: &mut Ctx) {
        let early = bad_request("the first frame is hello");
        match parsed {
            Ok(ClientFrame::Hello(hello)) => self.say_hello(hello, ctx),
            Ok(ClientFrame::Op { seq, .. }) => self.strike(&early, Some(seq)),
            Ok(_) => self.strike(&early, None),
            Err(bad) if bad.refusal.code == ErrorCode::BadRequest => self.strike(&bad.refusal, bad.seq),
            // A delta that cannot be read, or too much presence: there is no document yet that would refuse it.
            Err(bad) => self.strike(&early, bad.seq),
        }
    }

    fn tell_presence(&mut self, ctx: &mut Ctx) {
        if self.stage != Stage::Joined {
            return;
        }
        let presence = self.said.as_ref().and_then(|said| said.presence.clone());
        let (state, base) = presence.map_or((None, None), |(state, base)| (Some(state), base));
        let told = self.document.try_send(MoveCursor { session: self.id, state, base });
        // A full mailbox may lose presence: the next one replaces it.
        if let Err(SendError::Closed(_)) = told {
            self.reattach(ctx);
        }
    }

    /// Answers a frame that is refused; the third that is not this protocol ends the session.
    fn strike(&mut self, why: &Refusal, seq: Option<u64>) {
        if why.code == ErrorCode::BadRequest {
            self.strikes += 1;
        }
        if self.strikes < LAST_STRIKE || why.code != ErrorCode::BadRequest {
            // Before the welcome nothing else is sent: the outbox lets errors of a fresh session through by itself.
            return self.refuse(why, seq);
        }
        self.end_with_error_of(why, seq, close::POLICY);
    }

    /// A delta that cannot be read is refused by the document, which knows whether its number was committed before.
    fn refuse_unreadable(&mut self, seq: u64, why: Refusal, ctx: &mut Ctx) {
        if !self.is_within_rate(seq) {
            return;
        }
        let Some(identity) = &self.identity else { return };
        let unreadable = SubmitUnreadable { session: self.id, client: identity.client, seq, why };
        match self.document.try_send(unreadable) {
            Ok(()) => {}
            Err(SendError::Full(_)) => self.refuse_for_now(seq),
            Err(SendError::Closed(_)) => {
                // The document's next actor may know it, but is not asked by itself: nothing was handed over.
                self.refuse(&crate::actors::document::lost(), Some(seq));
                self.reattach(ctx);
            }
        }
    }

    /// Counts an operation, and refuses it when its user's come too fast.
    fn is_within_rate(&self, seq: u64) -> bool {
        let (Some(limiter), Some(identity)) = (&self.setting.limiter, &self.identity) else { return true };
        // A guest counts as the client that he is: behind one address there may be many.
        let who = Who::User(identity.user.clone());
        let Err(retry_after_ms) = limiter.operations.take(&who) else { return true };
        let message = "more operations a second than limits.ops_per_second";
        self.refuse(&Refusal::rate_limited(message, retry_after_ms), Some(seq));
        false
    }

    fn refuse_for_now(&self, seq: u64) {
        self.refuse(&Refusal::unavailable("the document has too many operations waiting"), Some(seq));
    }

    fn submit(&mut self, seq: u64, base: Version, delta: Delta, received: Instant, ctx: &mut Ctx) {
        if self.reads_only() {
            return self.refuse(&Refusal::new(ErrorCode::ReadOnly, "the token may only read"), Some(seq));
        }
        if !self.is_within_rate(seq) {
            return;
        }
        let Some(identity) = &self.identity else { return };
        let submission = Submission {
            session: Some(self.id),
            client: identity.client,
            seq,
            user: identity.user.clone(),
            base,
            delta,
            received,
            rebased: None,
        };
        self.submitted = self.submitted.max(seq);
        match self.document.try_send(Submit(submission)) {
            Ok(()) => {}
            Err(SendError::Full(_)) => self.refuse_for_now(seq),
            // `Detached` may be on its way, or was missed: either leads to the document's next actor, and that to the
            // answer for this operation.
            Err(SendError::Closed(_)) => self.reattach(ctx),
        }
    }

    /// A fresh token of the same user; answered by `role`. Guests have none to renew, and none ends.
    fn renew(&mut self, token: &str, ctx: &mut Ctx) {
        let renewed = (self.setting.check_token)(token);
        match (&mut self.visitor, renewed) {
            // What an administrator may see was looked up when the session began: it begins again.
            (Some(visitor), Ok(Some(fresh)))
                if visitor.user == fresh.user && visitor.admin && !fresh.admin =>
            {
                self.finish([wire::close(close::TOKEN_EXPIRED, "not an administrator any more")]);
            }
            (Some(visitor), Ok(Some(fresh))) if visitor.user == fresh.user => {
                let fresh = Visitor { reads_only: visitor.reads_only || fresh.reads_only, ..fresh };
                **visitor = fresh;
                self.role = self.allowed(self.role);
                self.watch_expiry(ctx);
                self.tell_role();
            }
            (_, Ok(_)) => {
                self.refuse(&Refusal::new(ErrorCode::Forbidden, "the token is another user's"), None);
            }
            // `unauthorized` is a code of REST and the handshake only: what to do about it differs.
            (_, Err(why)) => self.refuse(&Refusal::new(ErrorCode::Forbidden, why.message), None),
        }
    }
}

impl SessionActor {
    /// Takes note of what the user may do, and says so if that is news.
    pub(super) fn take_role(&mut self, role: Role) {
        let role = self.allowed(role);
        if std::mem::replace(&mut self.role, role) != role {
            self.tell_role();
        }
    }

    /// Returns what the token lets be of a role.
    pub(super) fn allowed(&self, role: Role) -> Role {
        if self.reads_only() { Role::Viewer } else { role }
    }

    fn reads_only(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.reads_only)
    }

    /// Says what the user may do, and until when.
    fn tell_role(&self) {
        let role = RoleMessage { role: self.role, expires_at: self.expires_at() };
        self.tell(&ServerMessage::Role(role));
    }
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}
