//! What a browser keeps while somebody is at the provider: in a cookie, signed by this server, so that nothing has to be kept for
//! people who never come back, and any server of the same database knows it.
//!
//! It binds the answer to the browser (`state`), the ID token to the sign-in (`nonce`) and the code to this server (`verifier`).

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, decode_header};
use serde_json::json;

use super::AWAY;
use crate::actors::error::Refusal;
use crate::auth::claims::Claims;
use crate::auth::keys::KeyRing;
use crate::auth::secrets::random;
use crate::ids::Millis;

/// What tickets are for; access tokens are for something else, so that neither is ever taken for the other.
const AUDIENCE: &str = "quire:oidc";

/// A sign-in that was begun. It has no `Debug`: these are secrets.
pub(super) struct Ticket {
    provider: String,
    pub state: String,
    pub nonce: String,
    /// Of PKCE (RFC 7636): 43 letters.
    pub verifier: String,
    /// Where to go afterwards.
    pub place: String,
    expires_at: Millis,
}

impl Ticket {
    /// Begins one.
    pub fn new(provider: &str, place: &str, now: Millis) -> Self {
        let [state, nonce, verifier] = std::array::from_fn(|_| BASE64URL_NOPAD.encode(&random::<32>()));
        let (provider, place) = (provider.to_owned(), place.to_owned());
        Self { provider, state, nonce, verifier, place, expires_at: now + AWAY }
    }

    /// Returns it as the browser keeps it.
    ///
    /// # Errors
    /// `unavailable` while there is no key to sign with.
    pub fn seal(&self, keys: &KeyRing) -> Result<String, Refusal> {
        let Self { provider, state, nonce, verifier, place, expires_at } = self;
        keys.sign(&json!({
            "aud": AUDIENCE, "provider": provider, "state": state, "nonce": nonce, "verifier": verifier, "place": place,
            "exp": expires_at / 1_000,
        }))
    }

    /// Reads what a browser has brought back; `None` if it is not good for this provider now.
    pub fn open(text: &str, keys: &KeyRing, provider: &str, now: Millis) -> Option<Self> {
        let key = keys.find(&decode_header(text).ok()?.kid?)?;
        let claims = Claims::read(text, &key, Algorithm::EdDSA, now).ok()?;
        let member = |name| claims.text(name).map(str::to_owned);
        (claims.is_for(AUDIENCE) && claims.text("provider") == Some(provider)).then_some(())?;
        Some(Self {
            provider: provider.to_owned(),
            state: member("state")?,
            nonce: member("nonce")?,
            verifier: member("verifier")?,
            place: member("place")?,
            expires_at: claims.expires_at().ok()?,
        })
    }
}
