//! Public keys of whoever else issues tokens for this server: a JWK set (RFC 7517) at an address or in a file.
//!
//! A key takes the algorithms of its own kind and no other, so that a token cannot choose; symmetric keys are no public ones and are
//! left out.

use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::RwLock;
use serde::Deserialize;

use super::fetch::{self, MOST_BYTES};
use super::wanted::Wanted;

/// Keys of a set at most.
const MOST_KEYS: usize = 100;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Where a set is.
pub enum Source {
    /// `https://…`, or `http://…` on this very machine.
    Url(String, Box<ureq::Agent>),
    File(PathBuf),
}

/// The keys of the set, as they were last read.
pub struct ForeignKeys {
    source: Source,
    keys: RwLock<Arc<[ForeignKey]>>,
    /// A token has named a key that is not here.
    pub wanted: Wanted,
}

struct ForeignKey {
    kid: Option<String>,
    algorithms: &'static [Algorithm],
    key: DecodingKey,
}

/// A set, whose members are read one by one: what is not known is left out.
#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl Source {
    /// Names an address; certificates are checked by the authorities of a file, or of the system.
    ///
    /// # Errors
    /// It is none, or would come over the network in the clear; or there are no authorities.
    pub fn url(url: &str, authorities: Option<&std::path::Path>) -> anyhow::Result<Self> {
        let safe = fetch::is_safe(&url.parse()?);
        anyhow::ensure!(safe, "keys are fetched from https:// alone, or from this machine");
        let config = fetch::agent(authorities)?.build();
        Ok(Self::Url(url.to_owned(), Box::new(config.into())))
    }

    fn read(&self) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::File(path) => Ok(std::fs::read(path)?),
            Self::Url(url, agent) => {
                let mut answer = agent.get(url).call()?;
                Ok(answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec()?)
            }
        }
    }
}

impl ForeignKeys {
    /// Names the set; [`Self::refresh`] reads it.
    pub fn new(source: Source) -> Self {
        Self { source, keys: RwLock::default(), wanted: Wanted::default() }
    }

    /// Reads the set, and blocks until it has.
    ///
    /// # Errors
    /// It cannot be had, or is none; the keys are then those from before.
    pub fn refresh(&self) -> anyhow::Result<()> {
        let set: Set = serde_json::from_slice(&self.source.read()?)?;
        let keys: Arc<[_]> = set.keys.iter().filter_map(ForeignKey::read).take(MOST_KEYS).collect();
        anyhow::ensure!(!keys.is_empty(), "there is no key in it that this server knows");
        *self.keys.write() = keys;
        Ok(())
    }

    /// Reads the set at the start. An address that does not answer is asked again later; a file that cannot be read is a mistake.
    ///
    /// # Errors
    /// As [`Self::refresh`], of a file.
    pub fn first(&self) -> anyhow::Result<()> {
        match (self.refresh(), &self.source) {
            (Err(error), Source::File(path)) => {
                Err(error.context(format!("--jwks-file: {}", path.display())))
            }
            (Err(error), Source::Url(..)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the keys of another issuer could not be read yet"
                );
                Ok(())
            }
            (Ok(()), _) => Ok(()),
        }
    }

    /// Tells whether there is any key yet.
    pub fn is_empty(&self) -> bool {
        self.keys.read().is_empty()
    }

    /// Finds the key that a token names, if that is one for its algorithm. A token without a name is for the only one of its kind.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let keys = self.keys.read().clone();
        let mut fitting = keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        match kid {
            Some(kid) => fitting.find(|key| key.kid.as_deref() == Some(kid)).map(|key| key.key.clone()),
            None => fitting.next().filter(|_| fitting.next().is_none()).map(|key| key.key.clone()),
        }
    }
}

impl ForeignKey {
    fn read(value: &serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
            return None;
        }
        let algorithms: &[Algorithm] = match (&jwk.algorithm, jwk.common.key_algorithm) {
            (AlgorithmParameters::RSA(_), None) => RSA,
            (AlgorithmParameters::RSA(_), Some(named)) => {
                let at = RSA.iter().position(|one| names(*one) == named)?;
                &RSA[at..=at]
            }
            (AlgorithmParameters::EllipticCurve(params), named) => {
                let own: &[_] = match params.curve {
                    EllipticCurve::P256 => &[Algorithm::ES256],
                    EllipticCurve::P384 => &[Algorithm::ES384],
                    EllipticCurve::P521 | EllipticCurve::Ed25519 => return None,
                };
                own_alone(own, named)?
            }
            (AlgorithmParameters::OctetKeyPair(params), named) => {
                // The library takes the first 32 bytes of whatever there are, and fails hard where there are fewer.
                let bytes = data_encoding::BASE64URL_NOPAD.decode(params.x.as_bytes()).ok()?;
                if params.curve != EllipticCurve::Ed25519 || bytes.len() != 32 {
                    return None;
                }
                own_alone(&[Algorithm::EdDSA], named)?
            }
            (AlgorithmParameters::OctetKey(_), _) => return None,
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { kid: jwk.common.key_id, algorithms, key })
    }
}

/// The one algorithm of a kind of key, if the key does not say that it is for another.
fn own_alone(own: &'static [Algorithm], named: Option<KeyAlgorithm>) -> Option<&'static [Algorithm]> {
    named.is_none_or(|named| own.iter().any(|one| names(*one) == named)).then_some(own)
}

fn names(algorithm: Algorithm) -> KeyAlgorithm {
    match algorithm {
        Algorithm::HS256 => KeyAlgorithm::HS256,
        Algorithm::HS384 => KeyAlgorithm::HS384,
        Algorithm::HS512 => KeyAlgorithm::HS512,
        Algorithm::ES256 => KeyAlgorithm::ES256,
        Algorithm::ES384 => KeyAlgorithm::ES384,
        Algorithm::RS256 => KeyAlgorithm::RS256,
        Algorithm::RS384 => KeyAlgorithm::RS384,
        Algorithm::RS512 => KeyAlgorithm::RS512,
        Algorithm::PS256 => KeyAlgorithm::PS256,
        Algorithm::PS384 => KeyAlgorithm::PS384,
        Algorithm::PS512 => KeyAlgorithm::PS512,
        Algorithm::EdDSA => KeyAlgorithm::EdDSA,
    }
}
