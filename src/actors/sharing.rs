//! Who may do what, as `http` asks and changes it. What has changed holds for those who are in the document before the call
//! is answered, and within a second for those who are in it on other servers, which look every half a second whether anything has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

use crate::access::Standing;
use crate::actors::clock::Clock;
use crate::actors::document::{AccessChanged, Stop};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::registry::{Find, ListLive, RegistryActor, SharedAddress};
use crate::actors::service::RepeatError;
use crate::ids::{DocumentId, Millis, UserId};
use crate::protocol::Role;
use crate::storage::annotations::{Repeat, Reserved};
use crate::storage::permissions::{
    Asker, Grant, Group, GroupId, LinkKey, Member, Requester, Rules, ShareLink, SharedPermissions, Subject,
};
use crate::storage::{DocumentRow, StoreError};

/// How often a server looks whether another has changed something.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Documents whose counts are asked for in one question.
const AT_ONCE: usize = 5_000;

/// How long a change waits for the documents that are in memory here: storage that is slow just then is asked again by
/// them, and by nobody who waits.
const HOLDS_WITHIN: Duration = Duration::from_secs(2);

/// See the module's documentation. Cheap to clone; safe from any thread.
#[derive(Clone)]
pub struct Sharing {
    /// Without it there are owners and addresses alone.
    permissions: Option<SharedPermissions>,
    registry: Addr<RegistryActor>,
    clock: Clock,
    /// The counts of changes that documents in memory have been told.
    told: Arc<Mutex<HashMap<DocumentId, u64>>>,
}

/// Tells what a key stands for that was taken before.
fn made(repeat: Option<Repeat>, reserved: Option<Reserved>) -> Result<Option<Uuid>, RepeatError> {
    let Some((repeat, reserved)) = repeat.zip(reserved) else { return Ok(None) };
    let made = reserved.made.filter(|_| reserved.is_of(&repeat));
    made.map(Some).ok_or(RepeatError::Differs)
}

impl Sharing {
    /// Joins what the application has started.
    pub fn new(permissions: Option<SharedPermissions>, registry: Addr<RegistryActor>, clock: Clock) -> Self {
        Self { permissions, registry, clock, told: Arc::default() }
    }

    fn permissions(&self) -> Result<&SharedPermissions, Refusal> {
        let nothing = || Refusal::new(ErrorCode::NotFound, "this server keeps no permissions");
        self.permissions.as_ref().ok_or_else(nothing)
    }

    /// The time by which things end.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Reads somebody's standing towards a document whose row was just read.
    pub async fn standing(
        &self,
        row: &DocumentRow,
        user: &UserId,
        key: Option<&LinkKey>,
        admin: bool,
    ) -> Result<Standing, Refusal> {
        let plain = Standing { admin, changes: row.access_changes, ..Standing::default() };
        let Some(permissions) = &self.permissions else { return Ok(plain) };
        let requester = Requester { user: user.clone(), link: key.copied() };
        let Some(rules) = permissions.said_of(&row.id, &requester).await? else {
            return Ok(Standing { unseen: true, ..plain });
        };
        // The count is that of the row, which was read before.
        let rules = Rules { owner: row.owner.clone(), link: row.link, changes: row.access_changes, rules };
        Ok(rules.standing(user, key, admin, self.clock.now()))
    }

    /// Lists grants, see [`Permissions::grants`](crate::storage::permissions::Permissions::grants).
    pub async fn grants(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<&Subject>,
        limit: usize,
    ) -> Result<Vec<Grant>, Refusal> {
        Ok(self.permissions()?.grants(asker, doc, after, limit, self.clock.now()).await?)
    }

    /// Gives a role, in place of the one that the subject had.
    pub async fn grant(&self, asker: &Asker, doc: &DocumentId, grant: Grant) -> Result<(), Refusal> {
        self.change(asker, doc, async move |permissions, asker, doc| {
            permissions.grant(&asker, &doc, &grant).await
        })
        .await
    }

    /// Takes a role away; returns false when there was none.
    pub async fn revoke(&self, asker: &Asker, doc: &DocumentId, subject: Subject) -> Result<bool, Refusal> {
        self.change(asker, doc, async move |permissions, asker, doc| {
            permissions.revoke(&asker, &doc, &subject).await
        })
        .await
    }

    /// Says what the document's address is good for.
    pub async fn set_link(&self, asker: &Asker, doc: &DocumentId, role: Option<Role>) -> Result<(), Refusal> {
        self.change(asker, doc, async move |permissions, asker, doc| {
            permissions.set_link(&asker, &doc, role).await
        })
        .await
    }

    /// Gives the document to another owner; the old one stays an editor.
    pub async fn transfer(
        &self,
        asker: &Asker,
        row: &DocumentRow,
        to: UserId,
        by: UserId,
    ) -> Result<(), Refusal> {
        let (from, now) = (row.owner.clone(), self.clock.now());
        self.change(asker, &row.id, async move |permissions, asker, doc| {
            permissions.transfer(&asker, &doc, &from, &to, &by, now).await
        })
        .await
    }

    /// Makes a share link, which changes nothing for those who are there. Returns the one that was made when the request has come
    /// before.
    ///
    /// `NotFound` for one that has been forgotten since.
    pub async fn add_link(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        link: ShareLink,
        key: LinkKey,
        repeat: Option<Repeat>,
    ) -> Result<Option<ShareLink>, RepeatError> {
        let kept = repeat.clone();
        let add = async move |permissions: SharedPermissions, asker: Asker, doc: DocumentId| {
            permissions.add_link(&asker, &doc, &link, &key, kept.as_ref()).await
        };
        let Some(made) = made(repeat, self.change(asker, doc, add).await?)? else { return Ok(None) };
        // Lists go on after an id: the one before it is that of nothing.
        let before = Uuid::from_u128(made.as_u128().saturating_sub(1));
        let link = self.links(asker, doc, Some(before), 1).await?.into_iter().find(|link| link.id == made);
        let gone = || Refusal::new(ErrorCode::NotFound, "the link has been forgotten since");
        Ok(Some(link.ok_or_else(gone)?))
    }

    /// Lists share links.
    pub async fn links(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ShareLink>, Refusal> {
        Ok(self.permissions()?.links(asker, doc, after, limit).await?)
    }

    /// Ends a share link; returns false when there is none to end.
    pub async fn revoke_link(&self, asker: &Asker, doc: &DocumentId, link: Uuid) -> Result<bool, Refusal> {
        let now = self.clock.now();
        self.change(asker, doc, async move |permissions, asker, doc| {
            permissions.revoke_link(&asker, &doc, link, now).await
        })
        .await
    }

    /// Makes a group, and returns its id: that of the one that was made when the request has come before.
    pub async fn create_group(
        &self,
        asker: &Asker,
        group: Group,
        repeat: Option<Repeat>,
    ) -> Result<GroupId, RepeatError> {
        let reserved = self.permissions()?.create_group(asker, &group, repeat.as_ref()).await?;
        Ok(made(repeat, reserved)?.map_or(group.id, GroupId))
    }

    /// Reads a group with its members.
    pub async fn group(
        &self,
        asker: &Asker,
        group: GroupId,
    ) -> Result<Option<(Group, Vec<Member>)>, Refusal> {
        Ok(self.permissions()?.group(asker, group).await?)
    }

    /// Lists the groups that a user is in, and whether as a manager.
    pub async fn groups_of(
        &self,
        user: &UserId,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<(Group, bool)>, Refusal> {
        Ok(self.permissions()?.groups_of(user, after, limit).await?)
    }

    /// Gives a group another name; returns false when there is none.
    pub async fn rename_group(&self, asker: &Asker, group: GroupId, name: &str) -> Result<bool, Refusal> {
        Ok(self.permissions()?.rename_group(asker, group, name).await?)
    }

    /// Ends a group; returns false when there is none.
    pub async fn delete_group(&self, asker: &Asker, group: GroupId) -> Result<bool, Refusal> {
        self.change_group(asker, async move |permissions, asker| {
            permissions.delete_group(&asker, group).await
        })
        .await
    }

    /// Takes somebody into a group, or says whether a member manages it.
    pub async fn set_member(&self, asker: &Asker, group: GroupId, member: Member) -> Result<(), Refusal> {
        self.change_group(asker, async move |permissions, asker| {
            permissions.set_member(&asker, group, &member).await
        })
        .await
    }

    /// Takes somebody out of a group; returns false for somebody who is not in it.
    pub async fn remove_member(&self, asker: &Asker, group: GroupId, user: UserId) -> Result<bool, Refusal> {
        self.change_group(asker, async move |permissions, asker| {
            permissions.remove_member(&asker, group, &user).await
        })
        .await
    }

    /// Changes something about one document, and has its actor know.
    async fn change<T: Send + 'static, W>(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        change: impl FnOnce(SharedPermissions, Asker, DocumentId) -> W + Send + 'static,
    ) -> Result<T, Refusal>
    where
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (permissions, sharing) = (self.permissions()?.clone(), self.clone());
        let (asker, doc) = (asker.clone(), doc.clone());
        super::service::to_its_end(async move {
            let changed = change(permissions, asker, doc.clone()).await?;
            if let Ok(Some(address)) = sharing.registry.send(Find { doc }).await {
                to_hold(tell(address, None)).await;
            }
            Ok(changed)
        })
        .await
    }

    /// Changes something about a group, and has the actors of its documents know.
    async fn change_group<T: Send + 'static, W>(
        &self,
        asker: &Asker,
        change: impl FnOnce(SharedPermissions, Asker) -> W + Send + 'static,
    ) -> Result<T, Refusal>
    where
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (permissions, sharing, asker) = (self.permissions()?.clone(), self.clone(), asker.clone());
        super::service::to_its_end(async move {
            let changed = change(permissions, asker).await?;
            to_hold(async move { sharing.look().await }).await;
            Ok(changed)
        })
        .await
    }

    /// Has changes that were made beside this hold for those who are here.
    pub async fn look_now(&self) {
        let sharing = self.clone();
        to_hold(async move { sharing.look().await }).await;
    }

    /// Has those documents in memory ask again whose count of changes is another than they were told. One that is left in the
    /// middle of this is told once more by the next.
    async fn look(&self) {
        let Some(permissions) = &self.permissions else { return };
        let mut told = self.told.lock().await;
        let live = self.registry.send(ListLive).await.unwrap_or_default();
        let (mut counts, mut changed) = (HashMap::with_capacity(live.len()), Vec::new());
        let mut live: HashMap<DocumentId, SharedAddress> = live.into_iter().collect();
        let docs: Vec<DocumentId> = live.keys().cloned().collect();
        for docs in docs.chunks(AT_ONCE) {
            let found = match permissions.changes(docs).await {
                Ok(found) => found,
                Err(error) => {
                    return tracing::debug!(%error, "changes of permissions could not be looked for");
                }
            };
            for (doc, count) in found {
                let address = live.remove(&doc);
                if told.get(&doc) != Some(&count)
                    && let Some(address) = address
                {
                    changed.push(tell(address, Some(count)));
                }
                counts.insert(doc, count);
            }
        }
        join_all(changed).await;
        // What is left is not there any more: another server has purged it. Whoever asks for it again does not find it.
        live.into_values().for_each(|address| address.do_send(Stop));
        *told = counts;
    }

    /// Looks again and again, where other servers may change something.
    pub async fn watch(self) {
        if !self.permissions.as_ref().is_some_and(|permissions| permissions.is_shared()) {
            return;
        }
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // A document that asks storage in vain does not hold up the others' turn.
            let _ = timeout(HOLDS_WITHIN, self.look()).await;
        }
    }
}

/// Waits for a change to hold, but not for ever; it goes on to do so.
async fn to_hold(telling: impl Future<Output = ()> + Send + 'static) {
    let _ = timeout(HOLDS_WITHIN, tokio::spawn(telling)).await;
}

/// Tells an actor; one that has just left memory reads everything when it comes back.
async fn tell(address: SharedAddress, changes: Option<u64>) {
    let _ = address.send(AccessChanged { changes }).await;
}
