//! Encryption of what lies in the object store, and of snapshots that stay in the database.
//!
//! Every object has a data key of its own, drawn for it, and is encrypted with that (AES-256-GCM). The data key lies in
//! front of it, wrapped with a master key that only a [`KeyRing`] has. Where an object belongs is authenticated with it
//! ([`Place`]), so that one cannot be put in another's place.

mod envelope;
mod keys;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

pub use self::envelope::{HEADER_BYTES, Part, Sealer, Unsealer, is_sealed, key_of};
pub use self::keys::{KeyError, KeyId, KeyRing, LocalKeys};
use super::StoreError;
use crate::ids::{DocumentId, HistoryId, Version};

/// A key that is used for one object. It is wiped from memory after that.
pub type DataKey = Zeroizing<[u8; 32]>;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Snapshot,
    Segment,
    /// What the deliveries of a webhook are signed with.
    Webhook,
    /// A file of `quire backup`.
    Backup,
}

/// Where an object belongs: nothing else opens it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub kind: Kind,
    pub doc: &'a DocumentId,
    pub history: HistoryId,
    /// The versions that it has; of a snapshot both are its own.
    pub versions: (Version, Version),
}

impl Place<'_> {
    /// Writes it so that no two places look alike: everything but the id, which is the last, has a length of its own.
    fn bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Snapshot => b's',
            Kind::Segment => b'o',
            Kind::Webhook => b'w',
            Kind::Backup => b'b',
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(self.history.0.as_bytes());
        bytes.extend_from_slice(&self.versions.0.to_le_bytes());
        bytes.extend_from_slice(&self.versions.1.to_le_bytes());
        bytes.extend_from_slice(self.doc.as_str().as_bytes());
        bytes
    }
}

/// Why an object is not opened. None of it names content or keys, except by their ids.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    #[error("it is encrypted with key {0}, and this process has no encryption keys")]
    NoKeys(KeyId),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("what it is encrypted in is damaged")]
    Envelope,
    #[error("it was changed after it was encrypted with key {0}, or belongs somewhere else")]
    Changed(KeyId),
}

impl Unopened {
    /// Makes a storage error of it: `Unavailable` when the keys may be there later, else `Corrupt` for this place.
    pub(super) fn into_error(self, doc: &DocumentId, version: Version, what: &str) -> StoreError {
        match self {
            Self::Key(KeyError::Away { .. }) => StoreError::unavailable(self),
            why => {
                let why = format!("its {what} cannot be read: {why}");
                StoreError::Corrupt { doc: doc.clone(), version, why }
            }
        }
    }
}

/// Whether objects are encrypted, and with whose keys. Clones share the keys.
#[derive(Clone, Default)]
pub struct Vault {
    ring: Option<Arc<dyn KeyRing>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.current()).finish()
    }
}

impl Vault {
    /// Encrypts what is written with the current key of a ring, and opens what any of its keys opens.
    pub fn new(ring: Arc<dyn KeyRing>) -> Self {
        Self { ring: Some(ring) }
    }

    /// Encrypts nothing, and opens nothing that is encrypted.
    pub fn plain() -> Self {
        Self::default()
    }

    /// Returns the key that new objects are encrypted with; `None` when they are not.
    pub fn current(&self) -> Option<KeyId> {
        self.ring.as_ref().map(|ring| ring.current())
    }

    /// Draws a key for an object that is to be written; `None` when it is to stay plain.
    ///
    /// # Errors
    /// `Unavailable` when the ring is, or has no randomness.
    pub(super) async fn sealer(&self, place: &Place<'_>) -> Result<Option<Sealer>, StoreError> {
        let Some(ring) = &self.ring else { return Ok(None) };
        let mut key = DataKey::default();
        getrandom::fill(&mut *key).map_err(|error| StoreError::unavailable(error.to_string()))?;
        let place = place.bytes();
        let (id, wrapped) = ring.wrap(&key, &place).await.map_err(StoreError::unavailable)?;
        Sealer::new(&id, &wrapped, &key, place).map(Some).map_err(StoreError::unavailable)
    }

    /// Finds the key of an object that was read, from its beginning; `None` when it is plain.
    ///
    /// # Errors
    /// There is no key for it, or it belongs somewhere else.
    pub(super) async fn unsealer(
        &self,
        place: &Place<'_>,
        object: &[u8],
    ) -> Result<Option<Unsealer>, Unopened> {
        if !is_sealed(object) {
            return Ok(None);
        }
        let header = envelope::Header::read(object).ok_or(Unopened::Envelope)?;
        let Some(ring) = &self.ring else { return Err(Unopened::NoKeys(header.key)) };
        let place = place.bytes();
        let key = ring.unwrap(&header.key, header.wrapped, &place).await?;
        Ok(Some(Unsealer::new(header, &key, place)))
    }
}

#[cfg(test)]
pub(super) mod tests;
