//! What can go wrong with storage, named by what the caller can do about it.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use crate::ids::{DocumentId, Version};

/// The cause below a [`StoreError`].
pub type Source = Box<dyn StdError + Send + Sync>;

/// A failure of a read, or of a write that certainly did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such document, or no such version of it.
    #[error("{what} not found")]
    NotFound { what: String },
    /// The id exists already or is a tombstone, or the position in the log is taken.
    #[error("{what}")]
    Conflict { what: String },
    /// The database itself does not let the requester do this: it lays down less than was allowed before it was asked.
    #[error("the database does not allow this")]
    Denied,
    /// Another owner has raised the epoch of the shard: this node must drop it and never retry.
    #[error("shard {shard} belongs to another owner: its epoch is {current}")]
    Fenced { shard: u8, current: u64 },
    /// Storage is down, full or slow: the same call may succeed later.
    #[error("storage is unavailable")]
    Unavailable(#[source] Source),
    /// What was read cannot be trusted. It is never taken for an empty document.
    #[error("document {doc} cannot be read at version {version}: {why}")]
    Corrupt { doc: DocumentId, version: Version, why: String },
}

impl StoreError {
    /// Wraps a cause after which a retry may help.
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable(source.into())
    }

    /// Tells whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// How a batch of appends failed: the other two of the three outcomes of a commit.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing of the batch was written, because of these entries (index in the batch, reason). Without them the
    /// rest may be tried at once.
    #[error("{} entries of the batch were refused", .0.len())]
    Entries(Vec<(usize, StoreError)>),
    /// Nothing of the batch was written.
    #[error("nothing was written")]
    Refused(#[source] StoreError),
    /// The commit was sent and its outcome is not known: the batch may be durable, wholly or not at all.
    #[error("the outcome of the commit is unknown")]
    Unknown(#[source] StoreError),
}

/// Why a data folder or a database cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server uses the folder.
    #[error("{} is in use by {holder}", path.display())]
    Locked { path: PathBuf, holder: String },
    /// There is nothing to look at: nobody has ever served from this folder, or it is not the one that was meant.
    #[error("there is no database in {}", path.display())]
    Missing { path: PathBuf },
    /// The folder cannot be made, read or locked.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is no database, is damaged, or its schema is not one that this program knows.
    #[error("the database {} cannot be used", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: Source,
    },
    /// Nobody has ever served from this database, or it is not the one that was meant.
    #[error("there are no documents in the database {place}, and no tables for them")]
    Empty { place: String },
    /// The address of a database is none. It is not shown: it may hold a password.
    #[error("the address of the database cannot be used: {why}")]
    Address { why: String },
    /// The server cannot be reached, or its database is not one that this program can use.
    #[error("the database {place} cannot be used")]
    Server {
        place: String,
        #[source]
        source: Source,
    },
    /// What is to be encrypted, or is, cannot be.
    #[error("the encryption keys cannot be used: {why}")]
    Keys { why: String },
    /// The place for snapshots cannot be used.
    #[error("the object store cannot be used")]
    Objects(#[source] Source),
}
