//! Versions that somebody wants to find again: snapshots on demand, and names.

use super::Documents;
use crate::actors::document::Checkpoint;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{DocumentId, Millis, UserId, Version};
use crate::storage::DocumentRow;
use crate::storage::annotations::{NamedVersion, SharedAnnotations};
use crate::storage::permissions::Asker;

/// A version that has a name, or is in a snapshot, or both.
pub struct KeptVersion {
    pub version: Version,
    /// When it was made.
    pub at: Millis,
    pub named: Option<Named>,
    /// Bytes of its snapshot as it is stored.
    pub snapshot_bytes: Option<u64>,
}

/// The name of a version, and who has given it when.
pub struct Named {
    pub name: String,
    pub user: UserId,
    pub at: Millis,
}

impl From<NamedVersion> for KeptVersion {
    fn from(named: NamedVersion) -> Self {
        let NamedVersion { version, name, user, named_at, made_at } = named;
        Self { version, at: made_at, named: Some(Named { name, user, at: named_at }), snapshot_bytes: None }
    }
}

impl Documents {
    pub(super) fn annotations(&self) -> Result<&SharedAnnotations, Refusal> {
        self.annotations
            .as_ref()
            .ok_or_else(|| Refusal::unavailable("this server keeps no names and comments"))
    }

    /// Has the durable head put into a snapshot, unless it is in one, and returns the version that is in it.
    pub async fn checkpoint(&self, doc: &DocumentId) -> Result<Version, Refusal> {
        self.may_write()?;
        self.ask(doc, || Checkpoint).await?
    }

    /// Gives a version a name, in place of one that it has. `head` is the durable head.
    pub async fn name_version(
        &self,
        asker: &Asker,
        row: &DocumentRow,
        head: Version,
        version: Version,
        (name, user): (String, UserId),
    ) -> Result<KeptVersion, Refusal> {
        self.may_write()?;
        let made_at = self.made_at(row, head, version).await?;
        let named = NamedVersion { version, name, user, named_at: self.clock.now(), made_at };
        self.annotations()?.name_version(asker, &row.id, &named).await?;
        Ok(named.into())
    }

    /// When a version was made.
    async fn made_at(&self, row: &DocumentRow, head: Version, version: Version) -> Result<Millis, Refusal> {
        let Some(before) = version.checked_sub(1) else { return Ok(row.created_at) };
        let found = if version > head {
            None
        } else {
            self.store.read_ops(&row.id, before, version, 1, usize::MAX).await?.pop()
        };
        found.map(|op| op.at).ok_or_else(|| super::no_version(&row.id, version, head))
    }

    /// Takes the name of a version away.
    pub async fn forget_name(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        version: Version,
    ) -> Result<(), Refusal> {
        self.may_write()?;
        if self.annotations()?.forget_name(asker, doc, version).await? {
            return Ok(());
        }
        let message = format!("version {version} of document {doc} has no name");
        Err(Refusal::new(ErrorCode::NotFound, message))
    }

    /// Reads versions up to `upto` that have names, and with `snapshots` those that are in one as well: the highest first, at
    /// most `limit`.
    pub async fn kept_versions(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
        snapshots: bool,
    ) -> Result<Vec<KeptVersion>, Refusal> {
        let named = self.annotations()?.named_versions(asker, doc, upto, limit).await?;
        let mut kept: Vec<_> = named.into_iter().map(KeptVersion::from).collect();
        if !snapshots {
            return Ok(kept);
        }
        for meta in self.store.snapshots(doc, upto, limit).await? {
            match kept.iter_mut().find(|version| version.version == meta.version) {
                Some(version) => version.snapshot_bytes = Some(meta.bytes),
                None => kept.push(KeptVersion {
                    version: meta.version,
                    at: meta.at,
                    named: None,
                    snapshot_bytes: Some(meta.bytes),
                }),
            }
        }
        kept.sort_by_key(|version| std::cmp::Reverse(version.version));
        kept.truncate(limit);
        Ok(kept)
    }
}
