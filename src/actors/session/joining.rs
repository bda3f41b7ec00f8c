//! How a session comes to its document, and back to it when it was lost.

use std::sync::Arc;
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use bytes::Bytes;

use super::frames::HelloFrame;
use super::{Ctx, Identity, SessionActor, Stage, wire};
use crate::actors::document::messages::{Join, Joined, Resume, Start};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::people;
use crate::actors::registry::Open;
use crate::ids::{Millis, UserId};
use crate::metrics::METRICS;
use crate::protocol::{ReconnectReason, ServerMessage, Welcome, close};

/// Times that a session looks for its lost document, the pause before the second being [`FIRST_PAUSE`], then doubled:
/// 6 s in all, and what the registry takes.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl SessionActor {
    pub(super) fn say_hello(&mut self, hello: HelloFrame, ctx: &mut Ctx) {
        if let Some(version) = hello.diverged {
            METRICS.divergences.inc();
            tracing::error!(document_id = %self.doc, client = %hello.client, version, "a client's text differed");
        }
        let visitor = self.visitor.as_ref();
        let user = visitor.map_or_else(|| UserId::guest(hello.client), |visitor| visitor.user.clone());
        let name = visitor.and_then(|visitor| visitor.name.clone()).or(hello.name);
        let person = Arc::new(people::person(&user, name.as_deref()));
        let receipts = hello.receipts;
        if let Some(opening) = self.opening.take() {
            tokio::spawn(opening.said_hello(hello.client));
        }
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
            pass: self.pass.as_deref().cloned(),
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
            ErrorCode::Unauthorized => return self.finish([wire::close(close::ACCESS_LOST, "access lost")]),
            ErrorCode::Internal => close::INTERNAL,
            _ => close::TRY_LATER,
        };
        self.end_with_error(why, code);
    }

    fn welcome(&mut self, joined: Joined, ctx: &mut Ctx) {
        self.role = self.allowed(joined.role);
        let Some(identity) = &mut self.identity else { return };
        identity.person = joined.person;
        self.link.end_wait();
        self.stage = Stage::Joined;
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
            role: self.role,
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
    pub(super) fn expires_at(&self) -> Option<Millis> {
        self.visitor.as_ref()?.expires_at
    }

    /// Closes the session when its token ends, unless a fresh one has come by then.
    pub(super) fn watch_expiry(&self, ctx: &mut Ctx) {
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
    pub(super) fn reattach(&mut self, ctx: &mut Ctx) {
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
