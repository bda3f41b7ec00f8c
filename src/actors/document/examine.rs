//! What whoever looks after the server may see of a document in memory, and do with it.

use std::time::Duration;

use actix::prelude::*;

use super::DocumentActor;
use crate::actors::registry::Passivate;
use crate::actors::session::Moved;
use crate::ids::{ClientId, Millis, SessionId, UserId, Version};

/// How long a document that is sent away waits before it looks again whether everything is durable.
const SETTLE_PAUSE: Duration = Duration::from_millis(20);

/// Somebody wants to know everything that can be told cheaply.
#[derive(Message)]
#[rtype(result = "Examined")]
pub struct Examine;

/// The answer to [`Examine`].
#[derive(Clone, Debug)]
pub struct Examined {
    /// The durable head, and `at` of the operation that made it.
    pub version: Version,
    pub at: Millis,
    /// Operations that are applied and not yet durable.
    pub speculative: usize,
    /// The version of the newest snapshot.
    pub snapshot_version: Version,
    /// Bytes of text as UTF-8, plus attributes.
    pub bytes: u64,
    pub archived: bool,
    /// Milliseconds since somebody used it.
    pub idle_ms: u64,
    pub sessions: Vec<ExaminedSession>,
}

/// One session of a document.
#[derive(Clone, Debug)]
pub struct ExaminedSession {
    pub session: SessionId,
    pub client: ClientId,
    pub user: UserId,
    /// As the others see the user.
    pub name: String,
    /// The version up to which it has been sent everything.
    pub sent: Version,
}

/// A session is to leave, and may come back: it is told to reconnect. Answered with whether there was one.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Dismiss {
    pub session: SessionId,
}

/// The document is to leave memory as soon as everything is durable. Its sessions are told to reconnect, and find it again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retire;

impl DocumentActor {
    fn examined(&self) -> Examined {
        let sessions = self.sessions.iter().map(|(session, attached)| ExaminedSession {
            session: *session,
            client: attached.client,
            user: attached.user.clone(),
            name: attached.person.name.clone(),
            sent: attached.link.outbox.sent(),
        });
        let mut sessions: Vec<_> = sessions.collect();
        sessions.sort_unstable_by_key(|session| session.session.0);
        Examined {
            version: self.state.version(),
            at: self.state.at(),
            speculative: self.state.speculative(),
            snapshot_version: self.snapshotted,
            bytes: self.state.content().size(),
            archived: self.state.archived,
            idle_ms: self.last_used.elapsed().as_millis() as u64,
            sessions,
        }
    }

    fn retire(&mut self, ctx: &mut Context<Self>) {
        if !self.state.is_settled() || self.rebasing > 0 {
            ctx.run_later(SETTLE_PAUSE, Self::retire);
            return;
        }
        // The registry forgets it first: whoever comes from now on is given another actor, which reads what is durable.
        let passivate = Passivate { doc: self.state.id.clone(), incarnation: self.incarnation };
        let asked = self.shared.registry.send(passivate).into_actor(self);
        ctx.wait(asked.map(|answer, actor, ctx| {
            if answer.is_ok() {
                actor.ending = true;
                for (_, attached) in actor.sessions.drain() {
                    attached.notify(Moved);
                }
                ctx.stop();
            }
        }));
    }
}

impl Handler<Examine> for DocumentActor {
    type Result = MessageResult<Examine>;

    fn handle(&mut self, _: Examine, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.examined())
    }
}

impl Handler<Dismiss> for DocumentActor {
    type Result = bool;

    fn handle(&mut self, Dismiss { session }: Dismiss, _: &mut Self::Context) -> bool {
        let attached = self.sessions.get(&session);
        // It leaves by itself when it has closed.
        attached.inspect(|attached| attached.notify(Moved)).is_some()
    }
}

impl Handler<Retire> for DocumentActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        self.retire(ctx);
    }
}
