//! How operations come in: from sessions, from REST, and again after a look into the log.

use std::time::Instant;

use actix::fut;
use actix::prelude::*;
use tokio::sync::oneshot;

use super::DocumentActor;
use super::messages::{Submit, SubmitAndWait, SubmitUnreadable};
use super::operation::Submission;
use super::state::{DocumentState, Submitted};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::rebase;
use crate::ids::Version;
use crate::metrics::METRICS;
use crate::protocol::{Ack, Received, ServerMessage};

impl Handler<Submit> for DocumentActor {
    type Result = ();

    fn handle(&mut self, Submit(submission): Submit, ctx: &mut Self::Context) {
        self.take(submission, ctx);
    }
}

impl Handler<SubmitUnreadable> for DocumentActor {
    type Result = ();

    fn handle(&mut self, unreadable: SubmitUnreadable, _: &mut Self::Context) {
        let SubmitUnreadable { session, client, seq, why } = unreadable;
        match self.state.clients.get_mut(client) {
            Some(known) if known.last_seq == seq => {
                let version = known.last_version;
                self.acknowledge(Some(session), (client, seq), version);
            }
            _ => self.refuse(session, seq, &why),
        }
    }
}

impl Handler<SubmitAndWait> for DocumentActor {
    type Result = ResponseActFuture<Self, Result<Version, Refusal>>;

    fn handle(&mut self, SubmitAndWait(submission): SubmitAndWait, _: &mut Self::Context) -> Self::Result {
        let loaded = self.with_client(submission.client, move |actor, ctx, row| {
            let known = actor.state.clients.load(submission.client, &submission.user, row?);
            if !known.lets(&submission.user) {
                return Err(Refusal::new(ErrorCode::Forbidden, "this client id belongs to another user"));
            }
            let (answer, answered) = oneshot::channel();
            let waiting = actor.waiting.entry((submission.client, submission.seq)).or_default();
            waiting.push(answer);
            // The same number is the same operation: whoever sends it again while it is under way shares its outcome.
            if waiting.len() == 1 {
                actor.take(submission, ctx);
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
}

impl DocumentActor {
    /// Puts a submission through the state machine and sees to what it asks for.
    pub(super) fn take(&mut self, submission: Submission, ctx: &mut Context<Self>) {
        let (session, client, seq) = (submission.session, submission.client, submission.seq);
        // A session that was replaced or has left: what it had queued is dropped.
        if session.is_some_and(|session| !self.sessions.contains_key(&session)) {
            return;
        }
        self.last_used = Instant::now();
        let now = self.shared.clock.now();
        let submitted = self.guarded(ctx, Some((client, seq)), |actor| {
            if let Some(probe) = &actor.shared.probe {
                probe(&submission);
            }
            let timer = METRICS.transform.start_timer();
            let submitted = actor.state.submit(submission, now);
            timer.observe_duration();
            submitted
        });
        let Some(submitted) = submitted else { return };
        match submitted {
            Submitted::Accepted(_) => {
                self.confirm_receipt(session, seq);
                self.append(ctx);
            }
            Submitted::InFlight => {}
            Submitted::Committed(version) => self.acknowledge(session, (client, seq), version),
            Submitted::AskLog => self.ask_log(session, (client, seq), ctx),
            Submitted::NeedsHistory(submission, upto) => self.rebase_over_log(*submission, upto, ctx),
            Submitted::Refused(why) => self.answer_refused(session, (client, seq), &why),
        }
    }

    fn confirm_receipt(&self, session: Option<crate::ids::SessionId>, seq: u64) {
        if let Some(attached) = session.and_then(|session| self.sessions.get(&session))
            && attached.receipts
        {
            attached.tell(&ServerMessage::Received(Received { seq }));
        }
    }

    fn acknowledge(
        &mut self,
        session: Option<crate::ids::SessionId>,
        key: super::operation::Key,
        version: Version,
    ) {
        self.answer_waiting(key, &Ok(version));
        if let Some(attached) = session.and_then(|session| self.sessions.get(&session)) {
            attached.tell(&ServerMessage::Ack(Ack { seq: key.1, version }));
        }
    }

    fn answer_refused(
        &mut self,
        session: Option<crate::ids::SessionId>,
        key: super::operation::Key,
        why: &Refusal,
    ) {
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
    fn ask_log(
        &mut self,
        session: Option<crate::ids::SessionId>,
        key: super::operation::Key,
        ctx: &mut Context<Self>,
    ) {
        let (store, doc) = (self.shared.store.clone(), self.state.id.clone());
        let ask = async move { store.find_op(&doc, key.0, key.1).await };
        ctx.spawn(fut::wrap_future(ask).map(move |found, actor: &mut Self, _| match found {
            Ok(Some(version)) => actor.acknowledge(session, key, version),
            Ok(None) => actor.answer_refused(session, key, &DocumentState::unknown_seq(key.1)),
            Err(error) => actor.answer_refused(session, key, &Refusal::from(&error)),
        }));
    }

    /// Transforms a submission over operations that are only in the log, off this actor, and takes it again with the
    /// tail's beginning as its base. What commits meanwhile it is transformed over then.
    fn rebase_over_log(&mut self, submission: Submission, upto: Version, ctx: &mut Context<Self>) {
        let (store, doc) = (self.shared.store.clone(), self.state.id.clone());
        let (session, key) = (submission.session, (submission.client, submission.seq));
        let rebased = rebase::over_log(store, doc, submission, upto);
        ctx.spawn(fut::wrap_future(rebased).then(move |rebased, actor: &mut Self, _| {
            // A client without a session may have been unloaded meanwhile.
            actor.with_client(key.0, move |actor, ctx, row| {
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
}
