//! Who may do what: grants by name and by group, what the address of a document is good for, share links, and groups.
//!
//! What follows from them is not decided here but in [`crate::access`]. Every change counts up `changes` of the documents
//! concerned, in the same transaction: whoever remembers what somebody may do compares that.

mod rules;
pub(super) mod sql;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::rules::{Rule, Rules, Source};
use super::StoreError;
use super::annotations::{Repeat, Reserved};
use crate::ids::{DocumentId, Millis, UserId};
use crate::protocol::Role;

/// Grants of one document at most, of which an actor may have to read all.
pub const MAX_GRANTS: u64 = 1_000;

/// Share links of one document at most, those that have ended not counted. As many of the latter are kept.
pub const MAX_LINKS: u64 = 100;

/// Members of one group at most.
pub const MAX_MEMBERS: u64 = 1_000;

/// Groups that one user makes at most.
pub const MAX_GROUPS: u64 = 1_000;

/// Names a group: a random UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub Uuid);

impl GroupId {
    /// Makes a fresh one.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}

impl GroupId {
    /// Returns what the key of a request that makes it is kept with, where others have a document.
    pub(super) fn as_place(self) -> Result<DocumentId, StoreError> {
        self.0.to_string().parse().map_err(StoreError::unavailable)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who is given something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    User(UserId),
    Group(GroupId),
}

impl Subject {
    /// Returns the kind, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
        }
    }

    /// Returns the id of the user or of the group.
    pub fn id(&self) -> String {
        match self {
            Self::User(user) => user.to_string(),
            Self::Group(group) => group.to_string(),
        }
    }

    /// Reads what is stored.
    pub(super) fn stored(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "user" => Some(Self::User(UserId(id.into()))),
            "group" => Some(Self::Group(GroupId(id.parse().ok()?))),
            _ => None,
        }
    }
}

/// What a user or a group may do with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub subject: Subject,
    pub role: Role,
    pub granted_by: UserId,
    pub granted_at: Millis,
    /// It is over then.
    pub expires_at: Option<Millis>,
}

/// What a share link is recognised by: the SHA-256 of its token, which is not kept. Does not print.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkKey([u8; 32]);

/// The longest text that is taken for a token, in bytes.
const MAX_TOKEN_BYTES: usize = 128;

impl LinkKey {
    /// Makes a token of 244 random bits, and its key.
    pub fn generate() -> (String, Self) {
        let token = format!("ql_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let key = Self(Sha256::digest(token.as_bytes()).into());
        (token, key)
    }

    /// Returns the key of a token that was presented; `None` for what cannot be one.
    pub fn of(token: &str) -> Option<Self> {
        let is_sane = token.len() <= MAX_TOKEN_BYTES && token.starts_with("ql_");
        is_sane.then(|| Self(Sha256::digest(token.as_bytes()).into()))
    }

    /// Reads what is stored.
    pub(super) fn stored(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Returns the bytes, as they are stored.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(link)")
    }
}

/// A share link, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareLink {
    pub id: Uuid,
    pub role: Role,
    pub made_by: UserId,
    pub made_at: Millis,
    pub expires_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
}

/// People who are given documents together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub name: String,
    pub made_by: UserId,
    pub made_at: Millis,
}

/// Somebody in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub user: UserId,
    /// Says who is in the group.
    pub manager: bool,
    pub added_by: UserId,
    pub added_at: Millis,
}

/// By whom a request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    pub user: UserId,
    /// Of the share link that was presented.
    pub link: Option<LinkKey>,
}

/// For whom something is read or changed, of a document or of a group. PostgreSQL shows a request no more than this person may see, and
/// lets it change no more than they may (migrations 0032 to 0034), whatever the statement says; where there is one process and one file,
/// the statement alone decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// For the server itself, or for somebody who looks after it.
    Server,
    Request(Requester),
}

impl Requester {
    /// Returns the user of whom something may have been said: nothing is of a guest.
    pub(super) fn users(&self) -> &[UserId] {
        if self.user.is_guest() { &[] } else { std::slice::from_ref(&self.user) }
    }

    pub(super) fn links(&self) -> &[LinkKey] {
        self.link.as_slice()
    }
}

/// Who may do what.
///
/// What changes a document is `NotFound` where there is none, and `Conflict` past a limit. `now` is the time of the call: what
/// has ended by then is not there.
#[async_trait]
pub trait Permissions: Send + Sync {
    /// Tells whether other processes may change what is here: then [`Permissions::changes`] is worth asking for.
    fn is_shared(&self) -> bool;

    /// Reads what is said of these users, and of whoever presents these links, with the document's own row; the count of
    /// changes is not newer than the rest.
    async fn rules(&self, doc: &DocumentId, users: &[UserId], links: &[LinkKey])
    -> Result<Rules, StoreError>;

    /// Reads what is said of one requester, without the document's own row; `None` where the database itself shows the
    /// document to nobody like that.
    async fn said_of(&self, doc: &DocumentId, requester: &Requester)
    -> Result<Option<Vec<Rule>>, StoreError>;

    /// Returns the counts of changes of those documents that are there.
    async fn changes(&self, docs: &[DocumentId]) -> Result<Vec<(DocumentId, u64)>, StoreError>;

    /// Lists grants in order of kind and id, groups first, after `after`.
    async fn grants(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<&Subject>,
        limit: usize,
        now: Millis,
    ) -> Result<Vec<Grant>, StoreError>;

    /// Gives a role, in place of the one that the subject had. A group has to be there.
    async fn grant(&self, asker: &Asker, doc: &DocumentId, grant: &Grant) -> Result<(), StoreError>;

    /// Takes a role away; returns false when there was none.
    async fn revoke(&self, asker: &Asker, doc: &DocumentId, subject: &Subject) -> Result<bool, StoreError>;

    /// Says what the document's address is good for.
    async fn set_link(&self, asker: &Asker, doc: &DocumentId, role: Option<Role>) -> Result<(), StoreError>;

    /// Gives a document to another owner: nothing else is granted to the new one any more, and the old one, unless it is a
    /// guest, is an editor.
    ///
    /// # Errors
    /// `Conflict` when it does not belong to `from` any more.
    async fn transfer(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        from: &UserId,
        to: &UserId,
        by: &UserId,
        now: Millis,
    ) -> Result<(), StoreError>;

    /// Makes a share link, and with it the key of its request. A key that stands for something is returned, and nothing is made.
    async fn add_link(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        link: &ShareLink,
        key: &LinkKey,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError>;

    /// Lists share links in order of id, those that have ended as well, after `after`.
    async fn links(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ShareLink>, StoreError>;

    /// Ends a share link; returns false when there is none that has not been ended.
    async fn revoke_link(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        link: Uuid,
        now: Millis,
    ) -> Result<bool, StoreError>;

    /// Makes a group, whose maker is its manager, and with it the key of its request, as [`Permissions::add_link`] does.
    async fn create_group(
        &self,
        asker: &Asker,
        group: &Group,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError>;

    /// Reads a group with its members, in order of their ids.
    async fn group(&self, asker: &Asker, group: GroupId) -> Result<Option<(Group, Vec<Member>)>, StoreError>;

    /// Lists the groups that a user is in, in order of id, and whether as a manager, after `after`.
    async fn groups_of(
        &self,
        user: &UserId,
        after: Option<GroupId>,
        limit: usize,
    ) -> Result<Vec<(Group, bool)>, StoreError>;

    /// Gives a group another name; returns false when there is none.
    async fn rename_group(&self, asker: &Asker, group: GroupId, name: &str) -> Result<bool, StoreError>;

    /// Ends a group with all that was given to it; returns false when there is none.
    async fn delete_group(&self, asker: &Asker, group: GroupId) -> Result<bool, StoreError>;

    /// Takes somebody into a group, or makes a member a manager, or not one.
    ///
    /// # Errors
    /// `Conflict` when nobody would manage it any more, or past a limit, or there is no such group.
    async fn set_member(&self, asker: &Asker, group: GroupId, member: &Member) -> Result<(), StoreError>;

    /// Takes somebody out of a group; returns false for somebody who is not in it.
    ///
    /// # Errors
    /// `Conflict` when nobody would manage it any more.
    async fn remove_member(&self, asker: &Asker, group: GroupId, user: &UserId) -> Result<bool, StoreError>;
}

/// As they are shared.
pub type SharedPermissions = Arc<dyn Permissions>;

/// Returns a role as it is stored; that of an address may be `none`.
pub(super) fn role_name(role: Option<Role>) -> &'static str {
    match role {
        None => "none",
        Some(Role::Viewer) => "viewer",
        Some(Role::Commenter) => "commenter",
        Some(Role::Editor) => "editor",
        Some(Role::Owner) => "owner",
    }
}

/// Reads a role that is stored. The outer `None` is for what is none.
pub(super) fn stored_role(name: &str) -> Option<Option<Role>> {
    match name {
        "none" => Some(None),
        "viewer" => Some(Some(Role::Viewer)),
        "commenter" => Some(Some(Role::Commenter)),
        "editor" => Some(Some(Role::Editor)),
        "owner" => Some(Some(Role::Owner)),
        _ => None,
    }
}

/// What is refused past a limit, in words.
pub(super) fn too_many(what: &str, most: u64) -> StoreError {
    StoreError::Conflict { what: format!("there are {most} {what} already, and no more are taken") }
}

/// What is refused since a group needs a manager.
pub(super) fn no_manager() -> StoreError {
    StoreError::Conflict { what: "the group would be left without a manager".to_owned() }
}

/// What is refused since there is no such group.
pub(super) fn no_group() -> StoreError {
    StoreError::Conflict { what: "there is no such group".to_owned() }
}

/// What is refused since the document has gone to another owner meanwhile.
pub(super) fn other_owner() -> StoreError {
    StoreError::Conflict { what: "the document belongs to somebody else by now".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_key_and_does_not_print() {
        let (token, key) = LinkKey::generate();
        assert_eq!(LinkKey::of(&token), Some(key));
        assert_ne!(LinkKey::generate().1, key);
        assert_eq!(LinkKey::stored(key.bytes()), Some(key));
        assert_eq!(format!("{key:?}"), "(link)");
        for bad in ["", "abc", &format!("ql_{}", "x".repeat(128))] {
            assert_eq!(LinkKey::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        for role in [None, Some(Role::Viewer), Some(Role::Commenter), Some(Role::Editor), Some(Role::Owner)] {
            assert_eq!(stored_role(role_name(role)), Some(role));
        }
        assert_eq!(stored_role("admin"), None);
        for subject in [Subject::User(UserId("group:x".into())), Subject::Group(GroupId::generate())] {
            assert_eq!(Subject::stored(subject.kind(), &subject.id()), Some(subject));
        }
    }
}
