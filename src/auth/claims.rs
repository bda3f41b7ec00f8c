//! What is in a JSON Web Token (RFC 7519), once its signature has been checked.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

use super::bearer::{Bearer, Origin, refused, shown_name, user_id};
use crate::actors::error::Refusal;
use crate::ids::Millis;
use crate::protocol::MAX_INTEGER;
use crate::storage::accounts::OWN_PREFIX;

/// The members of a token.
pub struct Claims(Map<String, Value>);

/// What tokens from elsewhere have to say, and by which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `iss`, if it matters.
    pub issuer: Option<String>,
    /// One of `aud`, if it matters.
    pub audience: Option<String>,
    /// The member that is the user's id …
    pub id: String,
    /// … name …
    pub name: String,
    /// … and right to look after the server.
    pub admin: String,
}

impl Default for Expected {
    fn default() -> Self {
        let [id, name, admin] = ["sub", "name", "admin"].map(str::to_owned);
        Self { issuer: None, audience: None, id, name, admin }
    }
}

impl Claims {
    /// Reads a token that is signed with `key` by `algorithm` and no other, and is valid at `now`.
    ///
    /// # Errors
    /// `unauthorized`, with a reason that tells nothing of the token's content.
    pub fn read(token: &str, key: &DecodingKey, algorithm: Algorithm, now: Millis) -> Result<Self, Refusal> {
        let mut validation = Validation::new(algorithm);
        // By the clock of this server, below, and not by the library's.
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation.required_spec_claims.clear();
        let read = decode::<Map<String, Value>>(token, key, &validation);
        let claims = Self(read.map_err(|error| refused(reason(error.kind())))?.claims);
        let now = now as f64;
        if claims.time("exp")?.ok_or_else(|| refused("the token has no exp"))? <= now {
            return Err(refused("the token has expired"));
        }
        match claims.time("nbf")? {
            Some(from) if from > now => Err(refused("the token is not valid yet")),
            _ => Ok(claims),
        }
    }

    /// Returns who a token from elsewhere is for.
    ///
    /// # Errors
    /// `unauthorized`: it is from or for somebody else, or for a user of this server's own.
    pub fn elsewhere(&self, expected: &Expected) -> Result<Bearer, Refusal> {
        if expected.issuer.as_deref().is_some_and(|issuer| self.text("iss") != Some(issuer)) {
            return Err(refused("the token's iss is not one that this server trusts"));
        }
        if expected.audience.as_deref().is_some_and(|audience| !self.is_for(audience)) {
            return Err(refused("the token's aud is not this server"));
        }
        let id = self.text(&expected.id).filter(|id| !id.starts_with(OWN_PREFIX));
        Ok(Bearer {
            user: user_id(id.unwrap_or_default())?,
            name: self.text(&expected.name).and_then(shown_name),
            admin: self.0.get(&expected.admin) == Some(&Value::Bool(true)),
            expires_at: Some(self.expires_at()?),
            issued_at: self.time("iat")?.map(|issued_at| issued_at as Millis),
            origin: Origin::Elsewhere,
        })
    }

    /// Returns a member that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Tells whether a member is `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// Tells whether the token is for this audience, among others perhaps.
    pub fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            _ => false,
        }
    }

    /// When it ends, in Unix ms: a token without a practical end has one in the far future that every client can hold (protocol
    /// section 2).
    ///
    /// # Errors
    /// It has no end.
    pub fn expires_at(&self) -> Result<Millis, Refusal> {
        let exp = self.time("exp")?.ok_or_else(|| refused("the token has no exp"))?;
        Ok(exp.min(MAX_INTEGER as f64) as Millis)
    }

    /// Reads a NumericDate, which may have a fraction (RFC 7519 section 2), as Unix ms.
    fn time(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = value.as_f64().ok_or_else(|| refused("the token cannot be read"))?;
        Ok(Some(seconds * 1_000.0))
    }
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "the token is signed in a way that this server does not take"
        }
        _ => "the token cannot be read",
    }
}
