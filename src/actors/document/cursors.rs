//! How what sessions say of themselves comes onto the board: every cursor in the coordinates of the durable head.

use actix::fut;
use actix::prelude::*;

use super::DocumentActor;
use super::messages::MoveCursor;
use super::presence::{self, PresenceState};
use crate::actors::rebase::Stuck;
use crate::ids::{SessionId, Version};

/// A session's cursor on its way through the log.
#[derive(Default)]
pub(super) struct Walk {
    /// What the session has said since, with the version that it is in: the last of it, which is next.
    next: Option<(PresenceState, Version)>,
    /// Something that the session has said since is on the board already.
    is_outdated: bool,
}

impl Handler<MoveCursor> for DocumentActor {
    type Result = ();

    fn handle(&mut self, moved: MoveCursor, ctx: &mut Self::Context) {
        self.place(moved.session, moved.state, moved.base, ctx);
        self.schedule_presence(ctx);
    }
}

impl DocumentActor {
    /// Puts a session's state, given in the coordinates of `base`, on the board, at once or after a walk through the log.
    /// One from beyond the head is ignored: the next will be in time.
    pub(super) fn place(
        &mut self,
        session: SessionId,
        mut state: Option<PresenceState>,
        base: Option<Version>,
        ctx: &mut Context<Self>,
    ) {
        let Some(attached) = self.sessions.get_mut(&session) else { return };
        if let Some(given) = state.take_if(|state| state.has_cursor()) {
            let head = self.state.version();
            let base = base.unwrap_or(head);
            if base > head {
                return;
            }
            let tail = self.state.tail();
            if base < tail.base() && head - base <= self.shared.settings.limits.base_lag {
                return self.walk(session, given, base, ctx);
            }
            state = Some(match tail.since(base) {
                Some(since) => {
                    presence::catch_up(given, attached.client, since.map(|op| (&op.delta, op.client)))
                }
                // Older than any edit may be: what its owner does counts, where that is nobody looks up.
                None => given.without_cursor(),
            });
        }
        if let Some(walk) = &mut attached.walk {
            **walk = Walk { next: None, is_outdated: true };
        }
        let length = self.state.content().length();
        self.board.set(session, attached.client, &attached.person, state, length);
    }

    /// Moves a cursor through operations that are only in the log, off this actor. A session has one such walk at a time:
    /// of what it says meanwhile the last is walked next.
    fn walk(&mut self, session: SessionId, state: PresenceState, base: Version, ctx: &mut Context<Self>) {
        let Some(attached) = self.sessions.get_mut(&session) else { return };
        if let Some(walk) = &mut attached.walk {
            walk.next = Some((state, base));
            return;
        }
        attached.walk = Some(Box::default());
        let (rebaser, doc, head) = (self.shared.rebaser.clone(), self.state.id.clone(), self.state.version());
        let client = attached.client;
        let walked = async move {
            let moved = rebaser.cursor_over_log(doc, client, state.clone(), base..head).await;
            moved.unwrap_or_else(|stuck| {
                if let Stuck::Panicked = stuck {
                    tracing::error!("moving a cursor through the log failed");
                }
                state.without_cursor()
            })
        };
        ctx.spawn(fut::wrap_future(walked).map(move |moved, actor: &mut Self, ctx| {
            // It may have ended, or have been replaced, meanwhile.
            let walk = actor.sessions.get_mut(&session).and_then(|attached| attached.walk.take());
            let Some(walk) = walk else { return };
            if !walk.is_outdated {
                actor.place(session, Some(moved), Some(head), ctx);
            }
            if let Some((state, base)) = walk.next {
                actor.place(session, Some(state), Some(base), ctx);
            }
            actor.schedule_presence(ctx);
        }));
    }
}
