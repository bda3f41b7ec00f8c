//! How operations come in: from sessions, from REST, and again after a look into the log.

use std::time::Instant;

use actix::fut;
use actix::prelude::*;
use tokio::sync::oneshot;

use super::DocumentActor;
use super::messages::{RecallAndWait, Submit, SubmitAndWait, SubmitUnreadable};
use super::operation::{Key, Submission};
use super::state::{DocumentState, IN_DOUBT, Submitted};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::rebase::Stuck;
use crate::ids::{SessionId, UserId, Version};
use crate::metrics::METRICS;
use crate::protocol::{Ack, Received, ServerMessage};
use crate::traces;

impl Handler<Submit> for DocumentActor {
    type Result = ();

    fn handle(&mut self, Submit(submission): Submit, ctx: &mut Self::Context) {
        self.take(submission, ctx);
    }
}

impl Handler<SubmitUnreadable> for DocumentActor {
    type Result = ();

    fn handle(&mut self, unreadable: SubmitUnreadable, ctx: &mut Self::Context) {
        let SubmitUnreadable { session, client, seq, why } = unreadable;
        // As in `take`: one that was replaced or has left.
        if self.sessions.contains_key(&session) {
            self.recall(Some(session), (client, seq), &why, ctx);
        }
    }
}

impl Handler<SubmitAndWait> for DocumentActor {
    type Result = ResponseActFuture<Self, Result<Version, Refusal>>;

    fn handle(&mut self, SubmitAndWait(submission): SubmitAndWait, ctx: &mut Self::Context) -> Self::Result {
        let (key, user) = ((submission.client, submission.seq), submission.user.clone());
        self.wait_for(key, user, ctx, move |actor, ctx| actor.take(submission, ctx))
    }
}

impl Handler<RecallAndWait> for DocumentActor {
    type Result = ResponseActFuture<Self, Result<Version, Refusal>>;

    fn handle(&mut self, recalled: RecallAndWait, ctx: &mut Self::Context) -> Self::Result {
        let RecallAndWait { client, seq, user, why } = recalled;
        let key = (client, seq);
        self.wait_for(key, user, ctx, move |actor, ctx| actor.recall(None, key, &why, ctx))
    }
}

impl DocumentActor {
    /// Answers a REST caller when the outcome of an operation is known. `begin` sees to it, unless it is under way for
    /// another caller: the same number is the same operation, and whoever sends it again shares its outcome.
    fn wait_for(
        &mut self,
        key: Key,
        user: UserId,
        ctx: &mut Context<Self>,
        begin: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) -> ResponseActFuture<Self, Result<Version, Refusal>> {
        let loaded = self.with_client(key.0, ctx, move |actor, ctx, row| {
            if !actor.state.clients.load(key.0, &user, row?).lets(&user) {
                return Err(Refusal::new(ErrorCode::Forbidden, "this client id belongs to another user"));
            }
            let (answer, answered) = oneshot::channel();
            let waiting = actor.waiting.entry(key).or_default();
            waiting.push(answer);
            if waiting.len() == 1 {
                begin(actor, ctx);
            }
            Ok(answered)
        });
        Box::pin(loaded.then(|waiting, _, _| {
            fut::wrap_future(async move {
                // An answer that was dropped: the actor failed, and nobody knows whether it had been appended.
                waiting?.await.unwrap_or_else(|_| Err(super::commits::lost()))
            })
        }))
    }

    /// Answers an operation whose delta cannot be read by what is known of its number, or refuses it for `why`.
    fn recall(&mut self, session: Option<SessionId>, key: Key, why: &Refusal, ctx: &mut Context<Self>) {
        self.last_used = Instant::now();
        match self.state.recall(key.0, key.1) {
            Some(Submitted::Committed(version)) => self.acknowledge(session, key, version),
            Some(Submitted::AskLog) => self.ask_log(session, key, ctx),
            Some(Submitted::InFlight) => self.leave_in_flight(session, key),
            None if self.is_rebasing(session, key.1) => {}
            _ => self.answer_refused(session, key, why),
        }
    }

    /// Puts a submission through the state machine and sees to what it asks for.
    pub(super) fn take(&mut self, submission: Submission, ctx: &mut Context<Self>) {
        let (session, client, seq) = (submission.session, submission.client, submission.seq);
        // A session that was replaced or has left: what it had queued is dropped.
        if session.is_some_and(|session| !self.sessions.contains_key(&session)) {
            return;
        }
        // What was committed before is acknowledged all the same.
        if let Some(why) = session.and_then(|session| self.refusal_of_edits(session)) {
            return self.recall(session, (client, seq), &why, ctx);
        }
        self.last_used = Instant::now();
        let now = self.shared.clock.now();
        let submitted = self.guarded(ctx, Some((client, seq)), |actor| {
            if let Some(probe) = &actor.shared.probe {
                probe(&submission);
            }
            let began = Instant::now();
            let submitted = actor.state.submit(submission, now);
            METRICS.transform.observe(began.elapsed().as_secs_f64());
            if let Some(trace) = traces::of(&actor.state.id, client, seq) {
                trace.step("transform", began, Vec::new());
            }
            submitted
        });
        let Some(submitted) = submitted else { return };
        match submitted {
            Submitted::Accepted(_) => {
                self.confirm_receipt(session, seq);
                self.append(ctx);
            }
            Submitted::InFlight => self.leave_in_flight(session, (client, seq)),
            Submitted::Committed(version) => self.acknowledge(session, (client, seq), version),
            Submitted::AskLog => self.ask_log(session, (client, seq), ctx),
            Submitted::NeedsHistory(..) if self.is_rebasing(session, seq) => {}
            Submitted::NeedsHistory(submission, upto) => self.rebase_over_log(*submission, upto, ctx),
            Submitted::Refused(why) => self.answer_refused(session, (client, seq), &why),
        }
    }

    /// An operation that is sent again while it is under way: its outcome is told then. A REST caller is not kept waiting
    /// while nobody knows when that will be.
    fn leave_in_flight(&mut self, session: Option<SessionId>, key: Key) {
        if session.is_none() && self.state.is_in_doubt() {
            self.answer_refused(None, key, &Refusal::unavailable(IN_DOUBT));
        }
    }

    fn confirm_receipt(&self, session: Option<SessionId>, seq: u64) {
        if let Some(attached) = session.and_then(|session| self.sessions.get(&session))
            && attached.receipts
        {
            attached.tell(&ServerMessage::Received(Received { seq }));
        }
    }

    fn acknowledge(&mut self, session: Option<SessionId>, key: Key, version: Version) {
        self.answer_waiting(key, &Ok(version));
        if let Some(attached) = session.and_then(|session| self.sessions.get(&session)) {
            attached.tell(&ServerMessage::Ack(Ack { seq: key.1, version }));
        }
    }

    fn answer_refused(&mut self, session: Option<SessionId>, key: Key, why: &Refusal) {
        match session {
            Some(session) => self.refuse(session, key.1, why),
            None => {
                METRICS.refused.with_label_values(&[why.code.as_str()]).inc();
                self.answer_waiting(key, &Err(why.clone()));
                self.state.clients.unload_if_idle(key.0);
            }
        }
    }

    /// A number below the client's last one: committed once, or never.
    fn ask_log(&mut self, session: Option<SessionId>, key: Key, ctx: &mut Context<Self>) {
        let (store, doc) = (self.shared.store.clone(), self.state.id.clone());
        let ask = async move { store.find_op(&doc, key.0, key.1).await };
        ctx.spawn(fut::wrap_future(ask).map(move |found, actor: &mut Self, _| match found {
            Ok(Some(version)) => actor.acknowledge(session, key, version),
            Ok(None) => actor.answer_refused(session, key, &DocumentState::unknown_seq(key.1)),
            Err(error) => actor.answer_refused(session, key, &Refusal::from(&error)),
        }));
    }

    /// Transforms a submission over operations of the log, off this actor, and takes it again with the version that was the
    /// head as its base. What commits meanwhile it is transformed over then.
    fn rebase_over_log(&mut self, submission: Submission, upto: Version, ctx: &mut Context<Self>) {
        let (session, key) = (submission.session, (submission.client, submission.seq));
        if let Err(why) = self.begin_rebase(session, key.1) {
            return self.answer_refused(session, key, &why);
        }
        let (rebaser, doc) = (self.shared.rebaser.clone(), self.state.id.clone());
        let rebased = async move { rebaser.over_log(doc, submission, upto).await };
        ctx.spawn(fut::wrap_future(rebased).then(move |rebased, actor: &mut Self, ctx| {
            actor.end_rebase(session);
            let rebased = match rebased {
                Ok(submission) => Ok(submission),
                Err(Stuck::Refused(why)) => Err(why),
                Err(Stuck::Panicked) => {
                    actor.crash(ctx, Some(key));
                    return Box::pin(fut::ready(())) as ResponseActFuture<Self, ()>;
                }
            };
            // A client without a session may have been unloaded meanwhile.
            actor.with_client(key.0, ctx, move |actor, ctx, row| {
                match rebased.and_then(|submission| row.map(|row| (submission, row))) {
                    Ok((submission, row)) => {
                        actor.state.clients.load(key.0, &submission.user, row);
                        actor.take(submission, ctx);
                    }
                    Err(why) => actor.answer_refused(session, key, &why),
                }
            })
        }));
    }

    /// Takes note that an operation is being transformed off this actor, unless there are too many already. A session has
    /// one in flight (protocol section 3).
    fn begin_rebase(&mut self, session: Option<SessionId>, seq: u64) -> Result<(), Refusal> {
        if self.rebasing >= self.shared.settings.speculative_ops {
            return Err(Refusal::unavailable("too many operations wait to be transformed"));
        }
        if let Some(attached) = session.and_then(|session| self.sessions.get_mut(&session)) {
            if attached.rebasing.is_some() {
                return Err(Refusal::unavailable("an operation before this one is being transformed"));
            }
            attached.rebasing = Some(seq);
        }
        self.rebasing += 1;
        Ok(())
    }

    fn end_rebase(&mut self, session: Option<SessionId>) {
        self.rebasing -= 1;
        if let Some(attached) = session.and_then(|session| self.sessions.get_mut(&session)) {
            attached.rebasing = None;
        }
    }

    /// Tells whether a session's operation is being transformed off this actor: sent again, it is in flight.
    fn is_rebasing(&self, session: Option<SessionId>, seq: u64) -> bool {
        let attached = session.and_then(|session| self.sessions.get(&session));
        attached.is_some_and(|attached| attached.rebasing == Some(seq))
    }
}
