//! Tells the servers that do not have this document who is in it.

use std::time::{Duration, Instant};

use actix::prelude::*;

use super::DocumentActor;

/// How often, at most: cursors move ten times a second, and whoever asks another server wants to know who is there.
const REST: Duration = Duration::from_secs(1);

/// What was told so far.
#[derive(Default)]
pub(super) struct Telling {
    told: Option<Instant>,
    /// Whether anybody was there when it was told last.
    anybody: bool,
    due: bool,
}

impl DocumentActor {
    /// Says who is there, soon. Called when that has changed, and by every look at whether the document is in use, since what
    /// was told is believed for 10 s only: sessions whose peers are silent are gone from the board by then.
    pub(super) fn share_presence(&mut self, ctx: &mut Context<Self>) {
        let idle = self.board.is_empty() && !self.telling.anybody;
        if self.shared.remote.is_none() || self.telling.due || idle {
            return;
        }
        let rest = self.telling.told.map_or(Duration::ZERO, |told| REST.saturating_sub(told.elapsed()));
        if rest.is_zero() {
            return self.share_presence_now();
        }
        self.telling.due = true;
        ctx.run_later(rest, |actor, _| {
            actor.telling.due = false;
            actor.share_presence_now();
        });
    }

    fn share_presence_now(&mut self) {
        let Some(remote) = &self.shared.remote else { return };
        let peers = self.board.peers(self.state.version());
        self.telling.told = Some(Instant::now());
        self.telling.anybody = !peers.is_empty();
        remote.presence.tell(&self.state.id, self.state.history, peers);
    }
}
