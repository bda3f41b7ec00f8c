//! The keys with which this server signs access tokens (RFC 8037: EdDSA with Ed25519), shared by all servers of one database.
//!
//! A key is made some time before it signs, so that every server knows it by then, and is kept until the last token that it has
//! signed has ended.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey as Ed25519;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use parking_lot::RwLock;
use serde_json::{Value, json};

use super::secrets::random;
use super::wanted::Wanted;
use crate::actors::clock::Clock;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::Millis;
use crate::storage::StoreError;
use crate::storage::accounts::{SharedAccounts, SigningKey};

/// How long an access token is good, in ms.
pub const ACCESS_LIFETIME: Millis = 3_600_000;

/// How long before it signs a key is made, in ms: many times what a server takes to hear of it.
const AHEAD: Millis = 600_000;

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410 section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The keys that this server knows.
pub struct KeyRing {
    store: SharedAccounts,
    clock: Clock,
    /// How long a key signs, in ms.
    period: Millis,
    keys: RwLock<Arc<[Key]>>,
    /// A token has named a key that is not here.
    pub wanted: Wanted,
}

struct Key {
    kid: String,
    signs: EncodingKey,
    verifies: DecodingKey,
    /// The public key, as text.
    public: String,
    signs_from: Millis,
    signs_until: Millis,
    verifies_until: Millis,
}

impl KeyRing {
    /// Reads the keys, and makes the first one.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    pub async fn open(store: SharedAccounts, clock: Clock, period: Duration) -> Result<Self, StoreError> {
        let period = period.as_millis() as Millis;
        let ring = Self { store, clock, period, keys: RwLock::default(), wanted: Wanted::default() };
        ring.refresh().await?;
        Ok(ring)
    }

    /// Reads the keys anew, and makes the next one when it is due.
    ///
    /// # Errors
    /// Storage does not oblige; the keys are then those from before.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut kept = self.store.signing_keys(now).await?;
        let end = kept.iter().map(|key| key.signs_until).max();
        if end.is_none_or(|end| end - AHEAD.min(self.period / 2) <= now) {
            // From where the last one ends: servers that do this at once make the same one, and one of them keeps it.
            let signs_from = end.filter(|end| *end > now).unwrap_or(now);
            let signs_until = signs_from + self.period;
            let key = SigningKey {
                kid: uuid::Uuid::new_v4().simple().to_string(),
                seed: random(),
                signs_from,
                signs_until,
                verifies_until: signs_until + ACCESS_LIFETIME,
            };
            self.store.add_signing_key(&key).await?;
            kept = self.store.signing_keys(now).await?;
        }
        *self.keys.write() = kept.iter().map(Key::new).collect();
        Ok(())
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// `unavailable` while there is no key to sign with.
    pub fn sign(&self, claims: &Value) -> Result<String, Refusal> {
        let (now, keys) = (self.clock.now(), self.keys.read().clone());
        let signs = |key: &&Key| key.signs_from <= now && now < key.signs_until;
        let key = keys.iter().rev().find(signs);
        let key = key.ok_or_else(|| Refusal::unavailable("there is no key to sign with"))?;
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &key.signs)
            .map_err(|error| Refusal::new(ErrorCode::Internal, error.to_string()))
    }

    /// Finds the key that a token names.
    pub fn find(&self, kid: &str) -> Option<DecodingKey> {
        let (now, keys) = (self.clock.now(), self.keys.read().clone());
        let found = keys.iter().find(|key| key.kid == kid && now < key.verifies_until);
        found.map(|key| key.verifies.clone())
    }

    /// Returns the public keys (RFC 7517), those that do not sign yet among them.
    pub fn jwks(&self) -> Value {
        let (now, keys) = (self.clock.now(), self.keys.read().clone());
        let known = keys.iter().filter(|key| now < key.verifies_until);
        let keys: Vec<_> = known.map(Key::jwk).collect();
        json!({ "keys": keys })
    }
}

impl Key {
    fn new(kept: &SigningKey) -> Self {
        let public = Ed25519::from_bytes(&kept.seed).verifying_key().to_bytes();
        let pkcs8 = [&PKCS8[..], &kept.seed].concat();
        Self {
            kid: kept.kid.clone(),
            signs: EncodingKey::from_ed_der(&pkcs8),
            verifies: DecodingKey::from_ed_der(&public),
            public: BASE64URL_NOPAD.encode(&public),
            signs_from: kept.signs_from,
            signs_until: kept.signs_until,
            verifies_until: kept.verifies_until,
        }
    }

    fn jwk(&self) -> Value {
        let Self { kid, public, .. } = self;
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": public })
    }
}
