//! How a session that is behind gets what it missed, without a gap before the live frames.

use std::sync::Arc;

use actix::prelude::*;

use super::messages::{CatchUp, Fetch};
use super::{DocumentActor, broadcast};
use crate::protocol::{PeersMessage, ServerMessage};

/// Operations queued in one go for a session that is behind; it comes again when it has sent them.
const STEP: usize = broadcast::FRAME_OPS;

impl Handler<Fetch> for DocumentActor {
    type Result = MessageResult<Fetch>;

    fn handle(&mut self, fetch: Fetch, _: &mut Self::Context) -> Self::Result {
        let Some(attached) = self.sessions.get_mut(&fetch.session) else {
            return MessageResult(CatchUp::Queued);
        };
        let outbox = &attached.link.outbox;
        let sent = outbox.sent();
        let Some(missed) = self.state.tail().since(sent) else {
            return MessageResult(CatchUp::ReadLog { upto: self.state.tail().base() });
        };
        let step: Vec<Arc<_>> = missed.take(STEP).cloned().collect();
        // One frame at a time, so that even large operations stay within what one reader may cost.
        if let Some(frame) = broadcast::frames(sent, &step, None).first() {
            outbox.push_history(frame);
        }
        // No broadcast can come between the last frame and this: both are done on this thread.
        if outbox.resume_live(self.state.version()) {
            // It has missed presence meanwhile: who is gone, and where the others are now.
            let mut peers = std::mem::take(&mut attached.gone);
            peers.extend(self.board.peers(self.state.version()));
            if !peers.is_empty() {
                attached.tell(&ServerMessage::Presence(PeersMessage { peers }));
            }
        }
        MessageResult(CatchUp::Queued)
    }
}
