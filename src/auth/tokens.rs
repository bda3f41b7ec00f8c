//! Checks tokens, without waiting for anything: sockets do it in the middle of everything else.
//!
//! Whose key checks a token follows from its header, and which algorithm that key takes from the key alone.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, decode_header};

use super::bearer::{Bearer, Origin, refused, shown_name, user_id};
use super::claims::{Claims, Expected};
use super::foreign::ForeignKeys;
use super::keys::KeyRing;
use super::revoked::Revocations;
use super::service::ServiceTokens;
use crate::actors::clock::Clock;
use crate::actors::error::Refusal;
use crate::storage::accounts::{OWN_ISSUER, OWN_PREFIX};

/// The audience of this server's own access tokens.
pub const OWN_AUDIENCE: &str = "quire";

/// Which tokens are taken.
pub struct Tokens {
    /// Of this server's own accounts.
    pub own: Option<Own>,
    /// HMAC-SHA-256, shared with another application.
    secret: Option<DecodingKey>,
    /// Of another issuer.
    pub foreign: Option<Arc<ForeignKeys>>,
    expected: Expected,
    clock: Clock,
}

/// What belongs to own accounts.
pub struct Own {
    pub keys: Arc<KeyRing>,
    pub service: ServiceTokens,
    pub revoked: Arc<Revocations>,
}

/// Whose key a token is signed with.
enum Signer {
    Own(DecodingKey),
    Elsewhere(DecodingKey),
}

impl Tokens {
    /// Takes the secret; an empty one, as an unset variable in a compose file gives, is none.
    pub fn new(secret: Option<&str>, expected: Expected, clock: Clock) -> Self {
        let secret = secret.filter(|secret| !secret.is_empty());
        let secret = secret.map(|secret| DecodingKey::from_secret(secret.as_bytes()));
        Self { own: None, secret, foreign: None, expected, clock }
    }

    /// Takes own tokens as well.
    pub fn with_own(mut self, own: Option<Own>) -> Self {
        self.own = own;
        self
    }

    /// Takes those of another issuer as well.
    pub fn with_foreign(mut self, foreign: Option<Arc<ForeignKeys>>) -> Self {
        self.foreign = foreign;
        self
    }

    /// Looks up what [`Self::verify`] must not wait for: a service token. Any other needs no such thing.
    ///
    /// # Errors
    /// `unavailable`: storage does not oblige.
    pub async fn prepare(&self, token: &str) -> Result<(), Refusal> {
        match &self.own {
            Some(own) if ServiceTokens::is_one(token) => {
                Ok(own.service.look_up(token, self.clock.now()).await?)
            }
            _ => Ok(()),
        }
    }

    /// Reads a token: who it is for, and until when.
    ///
    /// # Errors
    /// `unauthorized`, with a reason that tells nothing of the token's content.
    pub fn verify(&self, token: &str) -> Result<Bearer, Refusal> {
        let bearer = if ServiceTokens::is_one(token) {
            let found = self.own.as_ref().and_then(|own| own.service.find(token, self.clock.now()));
            found.ok_or_else(|| refused("there is no such service token, or it has ended"))?
        } else {
            self.verify_signed(token)?
        };
        let credential = bearer.credential().map(|id| &**id);
        let revoked = |own: &Own| own.revoked.denies(&bearer.user, credential, bearer.issued_at);
        if self.own.as_ref().is_some_and(revoked) {
            return Err(refused("the token was revoked"));
        }
        Ok(bearer)
    }

    fn verify_signed(&self, token: &str) -> Result<Bearer, Refusal> {
        let header = decode_header(token).map_err(|_| refused("the token cannot be read"))?;
        let now = self.clock.now();
        match self.signer(header.alg, header.kid.as_deref())? {
            Signer::Own(key) => own_bearer(&Claims::read(token, &key, header.alg, now)?),
            Signer::Elsewhere(key) => Claims::read(token, &key, header.alg, now)?.elsewhere(&self.expected),
        }
    }

    fn signer(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Signer, Refusal> {
        match algorithm {
            Algorithm::HS256 => {
                let secret = self
                    .secret
                    .clone()
                    .ok_or_else(|| refused("no secret for tokens is shared with this server"))?;
                return Ok(Signer::Elsewhere(secret));
            }
            Algorithm::HS384 | Algorithm::HS512 => {
                return Err(refused("the token is signed in a way that this server does not take"));
            }
            _ => {}
        }
        let own = self.own.as_ref().filter(|_| algorithm == Algorithm::EdDSA);
        if let Some(key) = own.zip(kid).and_then(|(own, kid)| own.keys.find(kid)) {
            return Ok(Signer::Own(key));
        }
        if let Some(key) = self.foreign.as_ref().and_then(|foreign| foreign.find(kid, algorithm)) {
            return Ok(Signer::Elsewhere(key));
        }
        // It may be new.
        if let (Some(own), Some(_)) = (own, kid) {
            own.keys.wanted.ask();
        }
        if let Some(foreign) = &self.foreign {
            foreign.wanted.ask();
        }
        Err(refused("the token is signed with a key that this server does not know"))
    }
}

fn own_bearer(claims: &Claims) -> Result<Bearer, Refusal> {
    if claims.text("iss") != Some(OWN_ISSUER) || !claims.is_for(OWN_AUDIENCE) {
        return Err(refused("the token is not for this server"));
    }
    let user = claims.text("sub").filter(|id| id.starts_with(OWN_PREFIX)).unwrap_or_default();
    let sign_in = claims.text("sid").ok_or_else(|| refused("the token has no sid"))?;
    Ok(Bearer {
        user: user_id(user)?,
        name: claims.text("name").and_then(shown_name),
        admin: claims.flag("admin"),
        expires_at: Some(claims.expires_at()?),
        issued_at: None,
        origin: Origin::SignIn(sign_in.into()),
    })
}
