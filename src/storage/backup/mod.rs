//! Documents with their logs, and what is beside them, as one stream of bytes: for backups, and for moving from one database to
//! another.
//!
//! Only what cannot be derived is in it: accounts and groups; each document's row, who may do what with it, names of its versions,
//! comments, its forks and its operations; and the ids that were purged. Clients, positions and snapshots are made anew by whoever
//! reads it.
//!
//! The log is only added to, and documents have nothing to do with each other, so nothing needs to stand still: of each
//! document the stream has what was durable when it came to it, which is all that was acknowledged before the stream began. The
//! same holds of every row by itself: one that changes meanwhile is there as before or as after.
//!
//! **Format.** `QBAK`, a byte for the version (2), and one zstd frame with a checksum, which is encrypted where there are keys
//! ([`sealed`]). In it are lines, each a JSON object with one member that names what it is ([`Record`]): a `row` for each of the
//! accounts and groups; a `document`, its `row`s, the `head` that it has come to since, then its operations, an `op` each, and so
//! on; `purged` for each tombstone, which may be that of a document before; a `row` for each erasure that has not ended; and the
//! `end`, which counts them: a stream without it was cut off.
//!
//! Version 1 has documents, their operations and what was purged, is never encrypted, and is still read.

mod current;
mod read;
mod restore;
pub mod rows;
mod sealed;
mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::read::{BackupError, Reader};
pub use self::restore::{Restore, RestoreError, Target, Until};
use self::rows::Row;
pub use self::write::{Backup, WriteError};
use super::{DocumentRow, Fork, LoggedOp};
use crate::ids::{ClientId, DocumentId, HistoryId, Millis, UserId, Version};
use crate::protocol::Role;

const MAGIC: [u8; 4] = *b"QBAK";
const FORMAT: u8 = 2;

/// The format that had documents alone.
const DOCUMENTS_ALONE: u8 = 1;

/// How many there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub documents: u64,
    pub operations: u64,
    pub purged: u64,
    /// Accounts, groups, rights, names of versions, comments.
    #[serde(default)]
    pub rows: u64,
}

/// One line of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    Document(DocumentRecord),
    /// Of the document before it, or of no document.
    Row(RowRecord),
    /// What the document before it has come to: the version of its last operation.
    Head(Version),
    /// Of the document before it, with the version after that of the operation before it.
    Op(OpRecord),
    Purged(DocumentId),
    End(Counts),
}

/// A document without its content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DocumentRecord {
    pub id: DocumentId,
    pub history: HistoryId,
    pub title: String,
    pub owner: UserId,
    pub created_at: Millis,
    pub updated_at: Millis,
    /// How many operations follow, unless a `head` says so.
    pub version: Version,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preview: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Millis>,
    #[serde(default)]
    pub archived: bool,
    /// What the address is good for; before there were others, to edit.
    #[serde(default = "editor")]
    pub link: Option<Role>,
    /// The newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forks: Vec<Fork>,
}

/// A row of a table beside the log.
#[derive(Debug, Serialize, Deserialize)]
pub struct RowRecord {
    pub table: String,
    pub row: Row,
}

/// An operation, as it was committed.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpRecord {
    pub version: Version,
    pub client: ClientId,
    pub seq: u64,
    pub user: UserId,
    pub at: Millis,
    /// Byte by byte as in the log.
    pub delta: Box<RawValue>,
}

impl OpRecord {
    /// Makes the record of an operation.
    ///
    /// # Errors
    /// Its delta is no JSON.
    pub(super) fn of(op: &LoggedOp) -> serde_json::Result<Self> {
        let delta = serde_json::from_slice::<&RawValue>(&op.delta)?.to_owned();
        let LoggedOp { version, client, seq, at, .. } = *op;
        Ok(Self { version, client, seq, user: op.user.clone(), at, delta })
    }

    /// Makes the operation of its record.
    pub(super) fn into_op(self) -> LoggedOp {
        let Self { version, client, seq, user, at, delta } = self;
        let delta = Bytes::from(Box::<str>::from(delta).into_string());
        LoggedOp { version, client, seq, user, at, delta }
    }
}

impl DocumentRecord {
    fn new(row: DocumentRow, forks: Vec<Fork>) -> Self {
        let DocumentRow { id, history, title, owner, created_at, updated_at, version, .. } = row;
        let (preview, deleted_at, archived, link) = (row.preview, row.deleted_at, row.archived, row.link);
        Self {
            id,
            history,
            title,
            owner,
            created_at,
            updated_at,
            version,
            preview,
            deleted_at,
            archived,
            link,
            forks,
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is the value of a field")]
fn editor() -> Option<Role> {
    Some(Role::Editor)
}
