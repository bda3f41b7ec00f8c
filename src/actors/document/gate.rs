//! What those who are here may do, and how that changes while they are here.
//!
//! A session comes with what was found out about its user before the upgrade. When the count of changes of the document has
//! moved on, by this server or another, or something ends, one question to storage brings it up to date for all who are here.
//! Edits ask nobody.

use std::collections::HashSet;
use std::time::Duration;

use actix::fut;
use actix::prelude::*;
use tokio::sync::oneshot;

use super::messages::{AccessChanged, Pass};
use super::{Attached, DocumentActor};
use crate::access::{Access, Action, Ground, Standing};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::session::{Ended, RoleChanged, wire};
use crate::ids::{Millis, SessionId, UserId};
use crate::metrics::METRICS;
use crate::protocol::{Role, close};
use crate::storage::StoreError;
use crate::storage::permissions::{LinkKey, Rules};

/// How long to wait before storage that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Gate {
    /// What whoever has the address may do.
    link: Option<Role>,
    /// The count of changes that is known.
    changes: u64,
    /// Storage is being asked …
    asking: bool,
    /// … and has to be once more, since something has changed meanwhile.
    again: bool,
    /// Those who wait for what has changed to hold.
    waiting: Vec<oneshot::Sender<()>>,
    /// When the first thing ends, and what will look then.
    ends: Option<(Millis, SpawnHandle)>,
}

/// Who was asked about.
struct Asked {
    users: HashSet<UserId>,
    keys: HashSet<LinkKey>,
}

impl Asked {
    fn has(&self, attached: &Attached) -> bool {
        (attached.user.is_guest() || self.users.contains(&attached.user))
            && attached.pass.key.is_none_or(|key| self.keys.contains(&key))
    }
}

impl Gate {
    pub(super) fn new(link: Option<Role>, changes: u64) -> Self {
        Self { link, changes, ..Self::default() }
    }
}

impl DocumentActor {
    /// Tells what somebody is to this document.
    fn access_of(&self, user: &UserId, standing: &Standing) -> Access {
        let (owner, archived) = (&self.state.owner, self.state.archived);
        Access::of(user, Ground { owner, link: self.gate.link, archived }, standing)
    }

    /// Tells what a session is to be told of its role; `None` for one that has no access.
    pub(super) fn role_of(&self, user: &UserId, pass: &Pass) -> Option<Role> {
        self.access_of(user, &pass.standing).shown()
    }

    /// Says why a session may not change the text, if it may not.
    pub(super) fn refusal_of_edits(&self, session: SessionId) -> Option<Refusal> {
        let attached = self.sessions.get(&session)?;
        let access = self.access_of(&attached.user, &attached.pass.standing);
        let why = if self.state.archived { "the document is archived" } else { "your role allows no edits" };
        (!access.allows(Action::Edit)).then(|| Refusal::new(ErrorCode::ReadOnly, why))
    }

    /// Tells whether what a session has come with may not be so any more.
    pub(super) fn is_stale(&self, pass: &Pass) -> bool {
        let ended = pass.standing.until.is_some_and(|end| end <= self.shared.clock.now());
        self.shared.permissions.is_some() && (ended || pass.standing.changes != self.gate.changes)
    }

    /// Looks again when what a session has comes to its end, or now if the session knows more than this actor.
    pub(super) fn watch_pass(&mut self, pass: &Pass, ctx: &mut Context<Self>) {
        if self.is_stale(pass) {
            return self.ask_rules(ctx);
        }
        if let Some(end) = pass.standing.until {
            self.watch_end(end, ctx);
        }
    }

    fn watch_end(&mut self, end: Millis, ctx: &mut Context<Self>) {
        if self.gate.ends.is_some_and(|(sooner, _)| sooner <= end) {
            return;
        }
        let left = end.saturating_sub(self.shared.clock.now()).max(0) as u64;
        let handle = ctx.run_later(Duration::from_millis(left), |actor, ctx| {
            actor.gate.ends = None;
            actor.ask_rules(ctx);
        });
        if let Some((_, later)) = self.gate.ends.replace((end, handle)) {
            ctx.cancel_future(later);
        }
    }

    /// Asks storage what is said of all who are here.
    fn ask_rules(&mut self, ctx: &mut Context<Self>) {
        let Some(permissions) = self.shared.permissions.clone() else { return self.tell_waiting() };
        if std::mem::replace(&mut self.gate.asking, true) {
            self.gate.again = true;
            return;
        }
        self.gate.again = false;
        let asked = Asked {
            users: self.sessions.values().map(|a| &a.user).filter(|user| !user.is_guest()).cloned().collect(),
            keys: self.sessions.values().filter_map(|attached| attached.pass.key).collect(),
        };
        let doc = self.state.id.clone();
        let ask = async move {
            let users: Vec<_> = asked.users.iter().cloned().collect();
            let keys: Vec<_> = asked.keys.iter().copied().collect();
            (permissions.rules(&doc, &users, &keys).await, asked)
        };
        ctx.spawn(fut::wrap_future(ask).map(|(rules, asked), actor: &mut Self, ctx| {
            actor.gate.asking = false;
            match rules {
                Ok(rules) => actor.take_rules(&rules, &asked, ctx),
                // It is being purged: its sessions end with that.
                Err(StoreError::NotFound { .. }) => actor.tell_waiting(),
                Err(error) => {
                    tracing::warn!(document_id = %actor.state.id, %error, "who may do what could not be read");
                    ctx.run_later(ASK_AGAIN, Self::ask_rules);
                }
            }
        }));
    }

    fn take_rules(&mut self, rules: &Rules, asked: &Asked, ctx: &mut Context<Self>) {
        self.gate.changes = rules.changes;
        self.gate.link = rules.link;
        self.state.owner.clone_from(&rules.owner);
        let now = self.shared.clock.now();
        let mut again = self.gate.again;
        let mut first_end: Option<Millis> = None;
        for attached in self.sessions.values_mut() {
            // Whoever has come since then has to be asked about, unless what they came with is as new.
            let known = attached.pass.standing.changes;
            if !asked.has(attached) || known > rules.changes {
                again |= known != rules.changes;
                continue;
            }
            let admin = attached.pass.standing.admin;
            let standing = rules.standing(&attached.user, attached.pass.key.as_ref(), admin, now);
            first_end = first_end.into_iter().chain(standing.until).min();
            attached.pass.standing = standing;
        }
        self.tell_roles(ctx);
        if let Some(end) = first_end {
            self.watch_end(end, ctx);
        }
        if again { self.ask_rules(ctx) } else { self.tell_waiting() }
    }

    /// Tells all who are here what they may do now; each says it to its client if it is news. Whoever may not even look any
    /// more is sent away.
    pub(super) fn tell_roles(&mut self, ctx: &mut Context<Self>) {
        let mut lost = Vec::new();
        for (session, attached) in &self.sessions {
            match self.role_of(&attached.user, &attached.pass) {
                Some(role) => attached.notify(RoleChanged { role }),
                None => lost.push(*session),
            }
        }
        for session in lost {
            if let Some(attached) = self.sessions.get(&session) {
                attached.link.outbox.close([wire::close(close::ACCESS_LOST, "access lost")]);
                attached.notify(Ended);
                METRICS.dropped.with_label_values(&["access"]).inc();
            }
            self.remove_session(session);
        }
        self.schedule_presence(ctx);
    }

    fn tell_waiting(&mut self) {
        for waiter in self.gate.waiting.drain(..) {
            // Whoever asked may have given up by now.
            let _ = waiter.send(());
        }
    }
}

impl Handler<AccessChanged> for DocumentActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, changed: AccessChanged, ctx: &mut Self::Context) -> Self::Result {
        if changed.changes == Some(self.gate.changes) && !self.gate.asking {
            return Box::pin(std::future::ready(()));
        }
        let (answer, answered) = oneshot::channel();
        self.gate.waiting.push(answer);
        self.ask_rules(ctx);
        Box::pin(async move {
            // An answer that was dropped: the actor has failed, and the next one reads everything anew.
            let _ = answered.await;
        })
    }
}
