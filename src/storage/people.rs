//! What is kept of one person: given out, and taken away.
//!
//! Everywhere but in `users` a person is an id. One that the server made says nothing, and stays in documents' logs when the
//! person goes; one that comes from elsewhere may be a name, and is replaced.

mod places;
mod statements;

use std::sync::Arc;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::accounts::OWN_PREFIX;
use crate::ids::{DocumentId, Millis, UserId};

/// The issuer of the rows that are left of accounts: they name nobody, and nothing of theirs is accepted.
pub const ERASED: &str = "erased";

/// What the ids of [`tombstone_of`] begin with.
const TOMBSTONE_PREFIX: &str = "erased:";

/// Which of a person's documents go with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Those that are shared with nobody; the others stay under another id.
    Private,
    /// All that they own.
    Owned,
}

impl Fate {
    /// Returns it as the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Owned => "owned",
        }
    }

    /// Reads what the database has; what it cannot have is the lesser one.
    pub(super) fn read(text: &str) -> Self {
        if text == "owned" { Self::Owned } else { Self::Private }
    }
}

/// Somebody who is being erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasing {
    pub user: UserId,
    /// The id that takes its place; the same one where the old one says nothing.
    pub pseudonym: UserId,
    pub fate: Fate,
    /// What was made later is of somebody who has come back.
    pub begun_at: Millis,
}

impl Erasing {
    /// Draws another id, unless the user's own tells nothing of anybody.
    pub fn new(user: UserId, fate: Fate, begun_at: Millis) -> Self {
        let drawn = || UserId(format!("erased_{}", uuid::Uuid::new_v4().simple()).into());
        let pseudonym = if is_opaque(&user) { user.clone() } else { drawn() };
        Self { user, pseudonym, fate, begun_at }
    }

    /// Tells whether the id has to be replaced.
    pub fn renames(&self) -> bool {
        self.user != self.pseudonym
    }
}

/// Tells whether an id is a UUID behind some prefix, such as `u_`: nobody can be told by it.
pub fn is_opaque(user: &UserId) -> bool {
    let tail = user.0.rsplit(['_', ':', '|']).next().unwrap_or_default();
    uuid::Uuid::try_parse(tail).is_ok()
}

/// Tells whether an id is that of an account of this server, which nobody gets a second time.
pub fn is_own(user: &UserId) -> bool {
    user.0.starts_with(OWN_PREFIX)
}

/// Returns the id of the row that is left of somebody from elsewhere, by which tokens from before the erasure are known. It is a hash of
/// theirs: who has the id finds the row, and who has the row does not find the id unless it can be guessed.
pub fn tombstone_of(user: &UserId) -> UserId {
    UserId(format!("{TOMBSTONE_PREFIX}{}", HEXLOWER.encode(&Sha256::digest(user.0.as_bytes()))).into())
}

/// Tells whether an id is one of [`tombstone_of`].
pub fn is_tombstone(user: &UserId) -> bool {
    user.0.starts_with(TOMBSTONE_PREFIX)
}

/// An erasure that is durable: but for documents nothing is left of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// As it is noted, with the id of an earlier one that has not ended.
    pub erasing: Erasing,
    /// Rows that were the person's own.
    pub rows: u64,
    /// Sign-ins and service tokens that have ended by it.
    pub ended: Vec<String>,
}

/// A document that a person owns or is named in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonsDocument {
    pub doc: DocumentId,
    pub owns: bool,
}

/// What a person has written into a document, as far as it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Share {
    pub operations: u64,
    /// Bytes of the deltas as JSON.
    pub bytes: u64,
}

/// Rows about people, wherever they are.
#[async_trait]
pub trait People: Send + Sync {
    /// Reads a person's own rows, and what they have written beside text, by table; tables without any are left out.
    async fn person(&self, user: &UserId) -> Result<Map<String, Value>, StoreError>;

    /// Lists the documents that a person owns or is named in after `after`, in order of id, at most `limit`.
    async fn documents_of(
        &self,
        user: &UserId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<PersonsDocument>, StoreError>;

    /// Counts what a person has written into a document.
    async fn share_of(&self, user: &UserId, doc: &DocumentId) -> Result<Share, StoreError>;

    /// Begins to erase somebody, in one transaction: notes it, and which documents are to go; ends sign-ins and service tokens; takes
    /// away rights and memberships, counted as changes of the documents concerned; removes the person's own rows; and replaces the
    /// id wherever it is not in a log. A group whose only manager goes is the oldest member's then, and one without any ends.
    ///
    /// Of an own account a row stays that names nobody and is disabled; of somebody from elsewhere one under [`tombstone_of`] them.
    async fn begin_erasure(&self, erasing: &Erasing) -> Result<Begun, StoreError>;

    /// Returns who is being erased.
    async fn erasures(&self) -> Result<Vec<Erasing>, StoreError>;

    /// Lists documents that are to go with somebody, at most `limit`.
    async fn doomed(&self, user: &UserId, limit: usize) -> Result<Vec<DocumentId>, StoreError>;

    /// Takes note that one of them is gone.
    async fn is_gone(&self, user: &UserId, doc: &DocumentId) -> Result<(), StoreError>;

    /// Puts the other id in the place of a person's in what the log of a document has in the database, as far as it was made until
    /// the erasure began, in one transaction; tells whether there was anything. No server may have the document in memory.
    async fn rename_in(&self, doc: &DocumentId, erasing: &Erasing) -> Result<bool, StoreError>;

    /// Forgets that somebody was being erased.
    async fn end_erasure(&self, user: &UserId) -> Result<(), StoreError>;
}

/// As it is shared.
pub type SharedPeople = Arc<dyn People>;

#[cfg(test)]
mod tests;
