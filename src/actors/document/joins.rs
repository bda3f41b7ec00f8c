//! How sessions come to take part.

use std::sync::Arc;

use actix::fut;
use actix::prelude::*;

use super::messages::{Join, Joined, Pass, Resume, Start};
use super::{Attached, DocumentActor};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::people;
use crate::actors::session::Replaced;
use crate::ids::{ClientId, HistoryId, Version};
use crate::metrics::METRICS;
use crate::protocol::UserInfo;
use crate::storage::{ClientRow, common_version};

/// When somebody may try again for whom there is no room in a document: nobody knows when one leaves.
const FULL_MS: u64 = 10_000;

impl Handler<Join> for DocumentActor {
    type Result = ResponseActFuture<Self, Result<Joined, Refusal>>;

    fn handle(&mut self, join: Join, ctx: &mut Self::Context) -> Self::Result {
        let asks_beyond_head = match &join.resume {
            Resume::From { since, .. } => *since > self.state.version(),
            Resume::Reattach { sent, .. } => *sent > self.state.version(),
            Resume::Nothing => false,
        };
        let left = self.left_history(&join.resume);
        let stale = join.pass.clone().filter(|pass| self.is_stale(pass)).zip(self.shared.permissions.clone());
        let knows = self.state.clients.knows(join.client);
        if knows && !asks_beyond_head && left.is_none() && stale.is_none() {
            // At once: a message behind this one may unload the client.
            return Box::pin(fut::ready(self.join(join, None, None, ctx)));
        }
        self.state.clients.ask(join.client);
        let (store, doc, client) = (self.shared.store.clone(), self.state.id.clone(), join.client);
        let head = self.state.version();
        let (user, clock) = (join.user.clone(), self.shared.clock.clone());
        let ask = async move {
            let pass = match stale {
                Some((Pass { standing, key }, permissions)) => {
                    let keys: Vec<_> = key.into_iter().collect();
                    let rules = permissions.rules(&doc, std::slice::from_ref(&user), &keys).await?;
                    let standing = rules.standing(&user, key.as_ref(), standing.admin, clock.now());
                    Some(Pass { standing, key })
                }
                None => None,
            };
            let row = store.client(&doc, client).await?;
            // A client that holds more than this actor knows, or something else: the log decides which of the two is wrong.
            let beyond = (asks_beyond_head || left.is_some())
                && !store.read_ops(&doc, head, head + 1, 1, 0).await?.is_empty();
            let common = match left {
                Some(left) => common_version(&store.forks(&doc).await?, left),
                None => None,
            };
            Ok::<_, crate::storage::StoreError>((row, beyond, common, pass))
        };
        Box::pin(fut::wrap_future(ask).map(move |answer, actor: &mut Self, ctx| {
            actor.state.clients.answered(client);
            let (row, beyond, common, pass) = answer.map_err(|error| Refusal::from(&error))?;
            if beyond && actor.state.version() == head && actor.state.is_settled() {
                tracing::error!(document_id = %actor.state.id, head, "the log is ahead of its owner: rehydrating");
                actor.crash(ctx, None);
                return Err(Refusal::unavailable("the document is being read again"));
            }
            let join = Join { pass: pass.or(join.pass), ..join };
            actor.join(join, row, common, ctx)
        }))
    }
}

impl DocumentActor {
    /// Returns the history that a client comes with, if it is another than the document's: one that it had before, perhaps.
    fn left_history(&self, resume: &Resume) -> Option<HistoryId> {
        let Resume::From { history: Some(history), .. } = resume else { return None };
        let history = HistoryId(history.parse().ok()?);
        (history != self.state.history).then_some(history)
    }

    /// Lets somebody take part. `common` is the last version that the document has in common with the history which the
    /// client comes with, if that is one that the document had before.
    fn join(
        &mut self,
        join: Join,
        row: Option<ClientRow>,
        common: Option<Version>,
        ctx: &mut Context<Self>,
    ) -> Result<Joined, Refusal> {
        if self.state.deleted {
            return Err(Refusal::new(ErrorCode::NotFound, "the document was deleted"));
        }
        let pass = join.pass.clone().unwrap_or_default();
        let Some(role) = self.role_of(&join.user, &pass) else {
            return Err(Refusal::new(ErrorCode::Unauthorized, "there is no access any more"));
        };
        // Before an older session of the same client goes, whose colour it keeps.
        let person = self.colored(join.person.clone());
        let known = self.state.clients.load(join.client, &join.user, row);
        if join.link.has_left() {
            // Its `Leave` has been handled already, or will find nothing.
            self.state.clients.unload_if_idle(join.client);
            return Err(Refusal::unavailable("the session has ended"));
        }
        if !known.lets(&join.user) {
            self.state.clients.unload_if_idle(join.client);
            return Err(Refusal::new(ErrorCode::Forbidden, "this client id belongs to another user"));
        }
        let (last_seq, own) = (known.last_seq, known.last_version);
        let comes_back = known.session.is_some() || matches!(join.resume, Resume::Reattach { .. });
        if self.sessions.len() >= self.shared.settings.sessions && !comes_back {
            self.state.clients.unload_if_idle(join.client);
            METRICS.limited.with_label_values(&["document"]).inc();
            let message = format!("there are {} sessions in this document already", self.sessions.len());
            return Err(Refusal::rate_limited(message, people::pause_ms() + FULL_MS));
        }
        let start = match self.start_of(&join, own, common) {
            Ok(start) => start,
            Err(why) => {
                self.state.clients.unload_if_idle(join.client);
                return Err(why);
            }
        };
        let known = self.state.clients.get_mut(join.client);
        if let Some(older) = known.and_then(|known| known.session.replace(join.session))
            && older != join.session
        {
            self.replace(older);
        }
        self.last_used = std::time::Instant::now();
        let version = self.state.version();
        join.link.outbox.begin(match start {
            Start::Content { at, .. } => at,
            Start::Since(since) => since,
        });
        let peers = self.board.peers(version);
        let attached = Box::new(Attached {
            address: join.address,
            link: join.link,
            client: join.client,
            user: join.user,
            person: person.clone(),
            receipts: join.receipts,
            pass,
            rebasing: None,
            walk: None,
            gone: Vec::new(),
        });
        self.sessions.insert(join.session, attached);
        if let Resume::Reattach { presence: Some((state, base)), .. } = join.resume {
            self.place(join.session, Some(state), base, ctx);
        }
        self.schedule_presence(ctx);
        if let Some(pass) = &join.pass {
            self.watch_pass(pass, ctx);
        }
        Ok(Joined { history: self.state.history, version, role, last_seq, peers, start, person })
    }

    /// Gives somebody the colour that they have here already, or one that nobody else here has: everybody sees the same.
    fn colored(&self, person: Arc<UserInfo>) -> Arc<UserInfo> {
        let here = || self.sessions.values().map(|attached| &attached.person);
        let color = match here().find(|known| known.id == person.id) {
            Some(known) => known.color.clone(),
            None => people::free_color(&person.color, &here().map(|known| known.color.as_str()).collect()),
        };
        if color == person.color { person } else { Arc::new(UserInfo { color, ..(*person).clone() }) }
    }

    /// Ends the older session of a client that has come again; what it still sends is ignored.
    fn replace(&mut self, older: crate::ids::SessionId) {
        if let Some(attached) = self.sessions.remove(&older) {
            self.board.remove(older);
            attached.notify(Replaced);
            METRICS.dropped.with_label_values(&["replaced"]).inc();
        }
    }

    /// Decides where a session begins whose client's last operation made the version `own`.
    fn start_of(&mut self, join: &Join, own: Version, common: Option<Version>) -> Result<Start, Refusal> {
        let version = self.state.version();
        let start = match &join.resume {
            Resume::Nothing => self.content_since(own, false)?,
            Resume::From { since, history } => {
                let same =
                    history.as_ref().is_none_or(|h| h.eq_ignore_ascii_case(&self.state.history.to_string()));
                let shared = same || common.is_some_and(|common| *since <= common);
                if shared && *since <= version {
                    METRICS.reconnects.inc();
                    Start::Since(*since)
                } else {
                    self.content_since(own, true)?
                }
            }
            Resume::Reattach { sent, .. } => Start::Since((*sent).min(version)),
        };
        Ok(start)
    }

    fn content_since(&mut self, own: Version, reset: bool) -> Result<Start, Refusal> {
        let (at, json) = self.contents.since(own, self.state.content(), self.state.tail())?;
        Ok(Start::Content { json, at, reset })
    }

    /// Calls `then` with this actor once what storage knows of a client is at hand. For a client that is loaded there is
    /// no row to bring, and `then` is called at once: a message behind this one may unload the client, and it would seem
    /// to be a new one, whose every number is news.
    pub(super) fn with_client<T: 'static>(
        &mut self,
        client: ClientId,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, &mut Context<Self>, Result<Option<ClientRow>, Refusal>) -> T + 'static,
    ) -> ResponseActFuture<Self, T> {
        if self.state.clients.knows(client) {
            let result = then(self, ctx, Ok(None));
            self.state.clients.unload_if_idle(client);
            return Box::pin(fut::ready(result));
        }
        let (store, doc) = (self.shared.store.clone(), self.state.id.clone());
        self.state.clients.ask(client);
        let ask = async move { store.client(&doc, client).await };
        Box::pin(fut::wrap_future(ask).map(move |row, actor: &mut Self, ctx| {
            actor.state.clients.answered(client);
            let result = then(actor, ctx, row.map_err(|error| Refusal::from(&error)));
            actor.state.clients.unload_if_idle(client);
            result
        }))
    }
}
