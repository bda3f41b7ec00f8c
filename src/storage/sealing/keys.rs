//! Master keys, and who has them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce};
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use super::DataKey;
use crate::storage::Source;

/// Bytes of a nonce of AES-GCM, which lies in front of a wrapped key.
const NONCE: usize = 12;

/// The name of a master key. It is no secret: it is in every object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Bytes that it has at most.
    pub const MAX_BYTES: usize = 64;

    /// Makes one of 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn new(id: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_BYTES).contains(&id.len());
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        (fits && id.chars().all(known)).then(|| Self(id.into()))
    }

    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a data key was not wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("it is encrypted with key {0}, which is not among the keys of this process")]
    Unknown(KeyId),
    #[error("key {0} does not open it: it is another key of that name, or the object belongs somewhere else")]
    Refused(KeyId),
    /// The same call may succeed later.
    #[error("key {key} cannot be asked")]
    Away {
        key: KeyId,
        #[source]
        source: Source,
    },
}

/// Whoever has master keys: a key management service, or this process itself ([`LocalKeys`]). They never leave it.
#[async_trait]
pub trait KeyRing: Send + Sync {
    /// Returns the key that wraps.
    fn current(&self) -> KeyId;

    /// Wraps a data key with the current key for a context, without which it is not unwrapped.
    ///
    /// # Errors
    /// `Away`.
    async fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<(KeyId, Vec<u8>), KeyError>;

    /// Unwraps a data key.
    ///
    /// # Errors
    /// `Unknown`, `Refused` and `Away`.
    async fn unwrap(&self, id: &KeyId, wrapped: &[u8], context: &[u8]) -> Result<DataKey, KeyError>;
}

/// Keys that are in memory, from a file or the environment.
///
/// A key wraps with nonces that are drawn. After 2^32 objects the chance that one has come twice is 2^-32: more than that
/// should not be written under one key (NIST SP 800-38D, section 8.3).
pub struct LocalKeys {
    current: KeyId,
    keys: HashMap<KeyId, Aes256Gcm>,
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeys").field("current", &self.current).finish_non_exhaustive()
    }
}

impl LocalKeys {
    /// Reads lines of `id:base64`, of 32 bytes each; the first is the current one. Empty lines and those that begin with `#`
    /// are left out; in a variable, commas separate as line ends do.
    ///
    /// # Errors
    /// In words, for the operator, with the number of the line and nothing of the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut current = None;
        let mut keys = HashMap::new();
        for (number, line) in text.split(['\n', ',']).map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let failed = |why: &str| format!("key {}: {why}", number + 1);
            let (id, key) = line.split_once(':').ok_or_else(|| failed("ID:BASE64 is wanted"))?;
            let id = KeyId::new(id.trim())
                .ok_or_else(|| failed("its id has to be 1 to 64 of A-Z a-z 0-9 . _ -"))?;
            let mut bytes = Zeroizing::new([0; 33]);
            let length = BASE64_STANDARD.decode_slice(key.trim(), &mut *bytes);
            let key: &[u8; 32] = match length {
                Ok(32) => bytes.first_chunk().ok_or_else(|| failed("32 bytes are wanted"))?,
                _ => return Err(failed("32 bytes are wanted, in base64")),
            };
            if keys.insert(id.clone(), Aes256Gcm::new(key.into())).is_some() {
                return Err(failed("its id is there twice"));
            }
            current.get_or_insert(id);
        }
        let current = current.ok_or("there are no keys in it")?;
        Ok(Self { current, keys })
    }
}

#[async_trait]
impl KeyRing for LocalKeys {
    fn current(&self) -> KeyId {
        self.current.clone()
    }

    async fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<(KeyId, Vec<u8>), KeyError> {
        let id = self.current.clone();
        let away = |source: Source| KeyError::Away { key: id.clone(), source };
        let cipher = self.keys.get(&id).ok_or_else(|| KeyError::Unknown(id.clone()))?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| away(error.to_string().into()))?;
        let mut wrapped = key.to_vec();
        let sealed = cipher.encrypt_in_place(&nonce.into(), context, &mut wrapped);
        if sealed.is_err() {
            wrapped.zeroize();
            return Err(away("the context is too long".into()));
        }
        Ok((id, [&nonce[..], &wrapped].concat()))
    }

    async fn unwrap(&self, id: &KeyId, wrapped: &[u8], context: &[u8]) -> Result<DataKey, KeyError> {
        let cipher = self.keys.get(id).ok_or_else(|| KeyError::Unknown(id.clone()))?;
        let refused = || KeyError::Refused(id.clone());
        let (nonce, wrapped) = wrapped.split_first_chunk::<NONCE>().ok_or_else(refused)?;
        let mut key = Zeroizing::new(wrapped.to_vec());
        let nonce = Nonce::from(*nonce);
        cipher.decrypt_in_place(&nonce, context, &mut *key).map_err(|_| refused())?;
        let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| refused())?;
        Ok(Zeroizing::new(*key))
    }
}
