//! What happens when the journal has answered: show what is durable, forget what is not.

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use super::messages::{AppendRefused, LeaveShard};
use super::operation::Key;
use super::state::{Forgotten, IN_DOUBT};
use super::{DocumentActor, broadcast};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::journal::Append;
use crate::actors::registry::Fenced;
use crate::actors::session::{SessionActor, wire};
use crate::ids::{ClientId, Millis, SessionId, Version};
use crate::metrics::METRICS;
use crate::protocol::{ErrorMessage, ServerMessage};
use crate::storage::cache::Place;
use crate::storage::first_line;
use crate::traces;

/// How old `documents.updated_at` may be, in ms: lists stay in order without a write per operation. Each document has its own
/// turns of this length, and writes the time of its first operation in each.
pub(super) const TOUCH_EVERY: i64 = 5_000;

impl DocumentActor {
    /// Hands everything that is speculative to the journal, unless it has an append of this document already.
    pub(super) fn append(&mut self, ctx: &mut Context<Self>) {
        let Some(ops) = self.state.take_append() else { return };
        let at = ops.last().map_or(0, |op| op.at);
        let turn = |at: Millis| self.state.id.turn(at.max(0) as u64, TOUCH_EVERY as u64);
        let touch = turn(at) != turn(self.touched);
        if touch {
            self.touched = at;
        }
        let preview = if touch { self.new_preview() } else { None };
        let append = Append {
            doc: self.state.id.clone(),
            history: self.state.history,
            incarnation: self.incarnation,
            ops,
            touch,
            preview,
            reply: ctx.address().recipient(),
        };
        self.append_since = Some(Instant::now());
        if let Err(error) = self.shared.journal.try_send(append) {
            tracing::warn!(document_id = %self.state.id, %error, "the journal takes no more");
            self.append_since = None;
            self.refuse_pending(&Refusal::unavailable("the journal takes no more operations now"));
        }
    }

    /// The first line of the durable text, if lists show another one; it counts as shown from now on.
    pub(super) fn new_preview(&mut self) -> Option<String> {
        let line = first_line(self.state.content());
        if self.shown.as_ref() == Some(&line) {
            return None;
        }
        self.shown = Some(line.clone());
        Some(line)
    }

    /// Puts everything off until it is known what became of the append that the journal has. REST callers are not kept
    /// waiting for that: the same operation sent again finds its outcome.
    pub(super) fn doubt(&mut self) {
        tracing::warn!(document_id = %self.state.id, "operations wait for storage to answer");
        let why = Refusal::unavailable(IN_DOUBT);
        let forgotten = self.state.doubt();
        self.tell_forgotten(forgotten, &why);
        for waiter in self.waiting.drain().flat_map(|(_, waiting)| waiting) {
            // The caller may be gone.
            let _ = waiter.send(Err(why.clone()));
        }
    }

    /// Tells the REST callers who wait for an operation what became of it.
    pub(super) fn answer_waiting(&mut self, key: Key, outcome: &Result<Version, Refusal>) {
        for waiter in self.waiting.remove(&key).into_iter().flatten() {
            // The caller may be gone; what is durable is so all the same.
            let _ = waiter.send(outcome.clone());
        }
    }

    pub(super) fn settle(&mut self, durable: usize, refused: Option<AppendRefused>, ctx: &mut Context<Self>) {
        let since = self.append_since.take();
        if let Some(since) = since {
            METRICS.commit.observe(since.elapsed().as_secs_f64());
        }
        if durable > 0 {
            let committed = self.guarded(ctx, None, |actor| actor.committed(durable, since));
            if committed.is_none() {
                return;
            }
            self.report_lag();
            self.broadcast(ctx);
        }
        match refused {
            None => {}
            Some(AppendRefused::Unavailable(why)) => self.refuse_pending(&Refusal::unavailable(why)),
            Some(AppendRefused::Conflict(why)) => {
                tracing::error!(document_id = %self.state.id, why, "the log holds another operation: rehydrating");
                return self.crash(ctx, None);
            }
            Some(AppendRefused::Fenced) => return self.leave_shard(ctx),
        }
        self.append(ctx);
        if self.state.snapshot_is_due() && !self.snapshot_rests() {
            self.begin_snapshot(ctx);
        }
        self.finish_drain(ctx);
    }

    /// Moves cursors, answers REST callers, and queues the operations for the next broadcast.
    fn committed(&mut self, count: usize, since: Option<Instant>) {
        let committed = self.state.committed(count);
        if let Some(remote) = &self.shared.remote {
            let ops = committed.iter().map(|durable| durable.op.to_log()).collect();
            remote.cache.committed(Place { doc: &self.state.id, history: self.state.history }, ops);
        }
        for durable in committed {
            let op = durable.op;
            METRICS.operations.inc();
            if let Some((trace, since)) = traces::of(&self.state.id, op.client, op.seq).zip(since) {
                trace.step("commit", since, Vec::new());
            }
            self.board.move_through(&op.delta, op.client);
            self.answer_waiting((op.client, op.seq), &Ok(op.version));
            self.unsent.push((op, durable.received));
        }
    }

    /// Sends what is durable to everybody, now or when the rest after the last broadcast is over.
    pub(super) fn broadcast(&mut self, ctx: &mut Context<Self>) {
        if self.broadcast_due || self.unsent.is_empty() {
            return;
        }
        let now = Instant::now();
        if now < self.rest_until {
            self.broadcast_due = true;
            ctx.run_later(self.rest_until - now, |actor, ctx| {
                actor.broadcast_due = false;
                actor.broadcast(ctx);
            });
            return;
        }
        self.broadcast_now();
    }

    /// Sends what is durable to everybody.
    pub(super) fn broadcast_now(&mut self) {
        let (ops, received): (Vec<Arc<_>>, Vec<_>) = std::mem::take(&mut self.unsent).into_iter().unzip();
        let Some(first) = ops.first() else { return };
        let base = first.version - 1;
        let hash = self.state.due_hash();
        for frame in broadcast::frames(base, &ops, hash) {
            if let Some(remote) = &self.shared.remote {
                remote.channel.publish(&self.state.id, &frame.bytes);
            }
            for attached in self.sessions.values() {
                attached.link.outbox.push_ops(&frame);
            }
        }
        for (op, received) in ops.iter().zip(received) {
            METRICS.propagation.observe(received.elapsed().as_secs_f64());
            if let Some(trace) = traces::of(&self.state.id, op.client, op.seq) {
                trace.edit(received, &self.state.id, op.version);
            }
        }
        self.rest_until = Instant::now() + self.shared.settings.delivery_cost * self.sessions.len() as u32;
    }

    /// Goes back to what is durable and tells everybody concerned to send again.
    pub(super) fn refuse_pending(&mut self, why: &Refusal) {
        let forgotten = self.state.forget_pending();
        self.tell_forgotten(forgotten, why);
    }

    fn tell_forgotten(&mut self, forgotten: Vec<Forgotten>, why: &Refusal) {
        for forgotten in forgotten {
            self.answer_waiting((forgotten.client, forgotten.seq), &Err(why.clone()));
            if let Some(session) = forgotten.session {
                self.refuse(session, forgotten.seq, why);
            }
        }
    }

    /// Answers an operation of a session with an error.
    pub(super) fn refuse(&self, session: SessionId, seq: u64, why: &Refusal) {
        METRICS.refused.with_label_values(&[why.code.as_str()]).inc();
        let Some(attached) = self.sessions.get(&session) else { return };
        let error = ErrorMessage {
            code: why.code,
            message: why.message.clone(),
            seq: Some(seq),
            retry_after_ms: why.retry_after_ms,
            fatal: false,
        };
        attached.tell(&ServerMessage::Error(error));
    }

    /// Another node owns the shard: the sessions are sent there, and this actor ends.
    fn leave_shard(&mut self, ctx: &mut Context<Self>) {
        self.shared.registry.do_send(Fenced { doc: self.state.id.clone(), incarnation: self.incarnation });
        self.leave(ctx);
    }

    /// Sends the sessions away, and ends this actor.
    fn leave(&mut self, ctx: &mut Context<Self>) {
        self.ending = true;
        self.state.forget_pending();
        for attached in self.sessions.values() {
            attached.notify(crate::actors::session::Moved);
        }
        self.sessions.clear();
        self.waiting.clear();
        ctx.stop();
    }

    /// Takes a session out of the set.
    pub(super) fn remove_session(&mut self, session: SessionId) {
        let Some(attached) = self.sessions.remove(&session) else { return };
        self.board.remove(session);
        self.release_client(attached.client, session);
        self.last_used = Instant::now();
    }

    fn release_client(&mut self, client: ClientId, session: SessionId) {
        if let Some(known) = self.state.clients.get_mut(client)
            && known.session == Some(session)
        {
            known.session = None;
        }
        self.state.clients.unload_if_idle(client);
    }
}

impl Handler<LeaveShard> for DocumentActor {
    type Result = ();

    fn handle(&mut self, _: LeaveShard, ctx: &mut Self::Context) {
        if !self.ending {
            self.leave(ctx);
        }
    }
}

impl super::Attached {
    /// Sends the session's actor a message, if it is still there.
    pub(super) fn notify<M: Message<Result = ()> + Send + 'static>(&self, message: M)
    where
        SessionActor: Handler<M>,
    {
        if let Some(session) = self.address.upgrade() {
            session.do_send(message);
        }
    }

    /// Queues a frame that answers this session.
    pub(super) fn tell(&self, message: &ServerMessage) {
        if !self.link.outbox.push_control(wire::message(message)) {
            self.link.cut();
        }
    }
}

/// The refusal of operations that were under way when their document was lost.
pub fn lost() -> Refusal {
    Refusal {
        code: ErrorCode::Internal,
        message: "the document failed while it held this operation; send it again".into(),
        retry_after_ms: Some(500),
    }
}
