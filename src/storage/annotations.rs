//! What people add to a document beside its text: names of versions, and comments. It is not in the log, so it is kept with care
//! of its own: a purge takes it along, and nothing comes after that.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::StoreError;
use super::permissions::Asker;
use crate::ids::{DocumentId, Millis, SHARDS, Shard, UserId, Version};

/// The most names that the versions of one document have.
pub const MAX_NAMES: u64 = 1_000;

/// The most comments on one document, answers included.
pub const MAX_COMMENTS: u64 = 10_000;

/// A version that somebody has given a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedVersion {
    pub version: Version,
    pub name: String,
    /// Who has named it …
    pub user: UserId,
    /// … and when.
    pub named_at: Millis,
    /// When the version was made; 0 at version 0.
    pub made_at: Millis,
}

/// A piece of a document's text at a version, in UTF-16 code units. Nothing is left of the text when its length is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub index: u64,
    pub length: u64,
    pub version: Version,
}

/// A comment, or an answer to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// A UUID of version 7: in order of time.
    pub id: Uuid,
    /// What it answers to; an answer has no anchor and is not resolved by itself.
    pub parent: Option<Uuid>,
    pub user: UserId,
    /// Plain text.
    pub text: String,
    pub created_at: Millis,
    pub edited_at: Option<Millis>,
    /// Counts the changes, from 1.
    pub revision: u64,
    /// Who has settled it, and when.
    pub resolved: Option<(UserId, Millis)>,
    pub anchor: Option<Anchor>,
}

/// A change of a comment; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct CommentPatch {
    /// Another text, and when it was written.
    pub text: Option<(String, Millis)>,
    pub resolved: Option<Option<(UserId, Millis)>>,
    /// The revision that is to be changed, and no other.
    pub only: Option<u64>,
}

/// An anchor that was moved along with the text, from the version before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedAnchor {
    pub comment: Uuid,
    pub from: Version,
    pub anchor: Anchor,
}

/// How long a key stands for what its request has made, in ms: a day.
pub const REMEMBERED: Millis = 24 * 60 * 60 * 1_000;

/// A request that may be sent again, by its caller and the caller's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    pub user: UserId,
    pub key: String,
    /// SHA-256 of the call and its body: a key stands for one request.
    pub digest: [u8; 32],
    /// When it has come.
    pub at: Millis,
}

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    pub doc: DocumentId,
    /// What the request makes in the document: the client of its operation, or its comment. `None` of a key from before this was kept,
    /// as with `digest`.
    pub made: Option<Uuid>,
    pub digest: Option<[u8; 32]>,
    pub at: Millis,
    /// Nobody had it before.
    pub fresh: bool,
}

impl Repeat {
    /// Since when a key has to be there to stand for anything.
    pub(super) fn since(&self) -> Millis {
        self.at.saturating_sub(REMEMBERED)
    }

    /// Returns the shard in which several servers make what the key stands for.
    pub fn shard(&self) -> Shard {
        (xxh3_64(format!("{}\n{}", self.user, self.key).as_bytes()) % SHARDS as u64) as Shard
    }
}

impl Reserved {
    /// A key that this request has just taken.
    pub(super) fn by(repeat: &Repeat, doc: DocumentId, made: Uuid) -> Self {
        Self { doc, made: Some(made), digest: Some(repeat.digest), at: repeat.at, fresh: true }
    }

    /// Tells whether the key stands for this request, as far as is known.
    pub fn is_of(&self, repeat: &Repeat) -> bool {
        self.digest.is_none_or(|digest| digest == repeat.digest)
    }
}

/// Names, comments, and keys of requests.
#[async_trait]
pub trait Annotations: Send + Sync {
    /// Gives a version its name, in place of one that it has.
    ///
    /// # Errors
    /// `NotFound` for a document that is not there; `Conflict` when it has [`MAX_NAMES`] of them.
    async fn name_version(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        named: &NamedVersion,
    ) -> Result<(), StoreError>;

    /// Reads names of versions up to `upto`, the highest first, at most `limit`.
    async fn named_versions(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<NamedVersion>, StoreError>;

    /// Takes a name away; tells whether there was one.
    async fn forget_name(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        version: Version,
    ) -> Result<bool, StoreError>;

    /// Adds a comment, and with it the key of its request. A key that stands for something is returned, and nothing is added.
    ///
    /// # Errors
    /// `NotFound` for a document, or a comment to be answered, that is not there; `Conflict` when there are [`MAX_COMMENTS`].
    async fn add_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        comment: &Comment,
        repeat: Option<&Repeat>,
    ) -> Result<Option<Reserved>, StoreError>;

    /// Reads comments after this one, or from the first on, in order of their ids, at most `limit`.
    async fn comments(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Comment>, StoreError>;

    /// Reads one comment.
    ///
    /// # Errors
    /// `NotFound`.
    async fn comment(&self, asker: &Asker, doc: &DocumentId, id: Uuid) -> Result<Comment, StoreError>;

    /// Changes a comment, and returns it as it is then.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it has another revision than the one to be changed.
    async fn change_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        id: Uuid,
        patch: &CommentPatch,
    ) -> Result<Comment, StoreError>;

    /// Removes a comment with its answers; tells whether it was there.
    ///
    /// # Errors
    /// `Conflict` when it has another revision than `only`.
    async fn remove_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        id: Uuid,
        only: Option<u64>,
    ) -> Result<bool, StoreError>;

    /// Writes anchors that were brought up to date; one that somebody else has moved meanwhile stays as it is.
    async fn move_anchors(&self, doc: &DocumentId, moved: &[MovedAnchor]) -> Result<(), StoreError>;

    /// Takes the key of a request for what it is to make, unless it stands for something. Keys that are older than [`REMEMBERED`] are
    /// forgotten.
    async fn reserve(&self, repeat: &Repeat, doc: &DocumentId, made: Uuid) -> Result<Reserved, StoreError>;

    /// Returns what the key of a request stands for.
    async fn reserved(&self, repeat: &Repeat) -> Result<Option<Reserved>, StoreError>;

    /// Gives a key back whose document was not made.
    async fn release(&self, repeat: &Repeat) -> Result<(), StoreError>;
}

/// Annotations as the actors share them.
pub type SharedAnnotations = Arc<dyn Annotations>;

impl Comment {
    /// Changes it in memory.
    ///
    /// # Errors
    /// `Conflict` when the change is of another revision.
    pub(super) fn change(&mut self, patch: &CommentPatch) -> Result<(), StoreError> {
        self.expect(patch.only)?;
        if let Some((text, at)) = &patch.text {
            self.text.clone_from(text);
            self.edited_at = Some(*at);
        }
        if let Some(resolved) = &patch.resolved {
            self.resolved.clone_from(resolved);
        }
        self.revision += 1;
        Ok(())
    }

    /// Makes sure that it is this revision.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn expect(&self, only: Option<u64>) -> Result<(), StoreError> {
        match only {
            Some(only) if only != self.revision => {
                Err(StoreError::Conflict { what: format!("comment {} was changed", self.id) })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn no_comment(id: Uuid) -> StoreError {
    StoreError::NotFound { what: format!("comment {id}") }
}

pub(super) fn too_many(what: &'static str, doc: &DocumentId, most: u64) -> StoreError {
    StoreError::Conflict { what: format!("document {doc} has {most} {what}, the most there may be") }
}
