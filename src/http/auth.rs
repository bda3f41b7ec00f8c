//! Who calls: a token in the `Authorization` header or, since browsers cannot set that on a WebSocket, in an offered
//! subprotocol. Never in the URL, which ends up in logs and histories.
//!
//! Absent is not the same as invalid: without a token one is a guest, if guests are let in; a token that is presented
//! is checked, and a bad one is refused even where a guest would pass.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::session::Visitor;
use crate::http::problem::Problem;
use crate::http::security::Security;
use crate::http::state::HttpState;
use crate::ids::{Millis, UserId};
use crate::protocol::MAX_INTEGER;

/// Before the token in an offered subprotocol.
const BEARER_SUBPROTOCOL: &str = "bearer.";

/// The longest id of a user in a token, in bytes.
const MAX_USER_BYTES: usize = 128;

/// The longest name in a token that is shown, in characters.
const MAX_NAME_CHARS: usize = 64;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    user: Option<UserId>,
    /// As the token has it.
    pub name: Option<String>,
    /// When the token ends, in Unix ms.
    pub expires_at: Option<Millis>,
    /// Whether it may look after the server itself.
    pub admin: bool,
}

impl Caller {
    /// Somebody without a token.
    pub fn guest() -> Self {
        Self { user: None, name: None, expires_at: None, admin: false }
    }

    /// Lets those pass who look after the server.
    ///
    /// # Errors
    /// `unauthorized` for somebody without a token, else `forbidden`.
    pub fn require_admin(&self) -> Result<(), Problem> {
        match &self.user {
            Some(_) if self.admin => Ok(()),
            Some(_) => Err(Problem::new(ErrorCode::Forbidden, "this is for administrators")),
            None => Err(Problem::unauthorized("a token of an administrator is needed", "Bearer")),
        }
    }

    /// Returns who connects with a token; `None` for a guest, whose id on a socket comes with `hello`.
    pub fn visitor(self) -> Option<Visitor> {
        Some(Visitor { user: self.user?, name: self.name, expires_at: self.expires_at })
    }

    /// Returns the id under which this caller writes by REST.
    pub fn author(&self) -> UserId {
        self.user.clone().unwrap_or_else(UserId::guest_rest)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = match request.app_data::<web::Data<HttpState>>() {
            Some(state) => authenticate(&state.security, request.headers()),
            None => Err(Problem::new(ErrorCode::Internal, "the server is not configured")),
        };
        if let Ok(caller) = &caller {
            // For whoever comes after the handler: the audit log.
            request.extensions_mut().insert(caller.clone());
        }
        ready(caller)
    }
}

/// Tells who makes a request with these headers.
///
/// # Errors
/// `unauthorized`: a token is needed and missing, or one was presented and is bad.
pub fn authenticate(security: &Security, headers: &HeaderMap) -> Result<Caller, Problem> {
    match presented(headers).map_err(invalid)? {
        Some(token) => security.tokens.verify(token).map_err(|refusal| invalid(refusal.message)),
        None if security.guests => Ok(Caller::guest()),
        None => Err(Problem::unauthorized("a token is needed: this server has no guests", "Bearer")),
    }
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::unauthorized(detail, "Bearer error=\"invalid_token\"")
}

/// Finds the one token of a request. Credentials of another kind are not taken for none.
fn presented(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut found = None;
    for value in headers.get_all(AUTHORIZATION) {
        let value = value.to_str().map_err(|_| "the Authorization header is not ASCII")?;
        let (scheme, token) = value.trim().split_once(' ').ok_or("the Authorization header has no token")?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err("credentials are taken as a bearer token only");
        }
        keep_one(&mut found, token.trim())?;
    }
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    for offer in offers.flat_map(|value| value.split(',')) {
        if let Some(token) = offer.trim().strip_prefix(BEARER_SUBPROTOCOL) {
            keep_one(&mut found, token)?;
        }
    }
    Ok(found)
}

fn keep_one<'a>(found: &mut Option<&'a str>, token: &'a str) -> Result<(), &'static str> {
    match found.replace(token) {
        Some(other) if other != token => Err("there is more than one token"),
        _ => Ok(()),
    }
}

/// Checks tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256.
pub struct Tokens {
    /// `None` when there is no secret: then every token is refused.
    key: Option<DecodingKey>,
    validation: Validation,
}

/// What a token says. `exp` may have a fraction (RFC 7519 section 2, NumericDate).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    name: Option<String>,
    #[serde(default)]
    admin: bool,
}

impl Tokens {
    /// Takes the secret; an empty one, as an unset variable in a compose file gives, is none.
    pub fn new(secret: Option<&str>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        // Whoever knows the secret issues tokens for this server: there is no other audience to tell apart.
        validation.validate_aud = false;
        let key = secret
            .filter(|secret| !secret.is_empty())
            .map(|secret| DecodingKey::from_secret(secret.as_bytes()));
        Self { key, validation }
    }

    /// Reads a token: who it is for, and until when.
    ///
    /// # Errors
    /// `unauthorized`, with a reason that tells nothing of the token's content.
    pub fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        let refused = |reason: &str| Refusal::new(ErrorCode::Unauthorized, reason);
        let key = self.key.as_ref().ok_or_else(|| refused("tokens are not configured on this server"))?;
        let claims =
            decode::<Claims>(token, key, &self.validation).map_err(|error| refused(reason(error.kind())))?;
        let Claims { sub, exp, name, admin } = claims.claims;
        let is_id = (1..=MAX_USER_BYTES).contains(&sub.len()) && !sub.chars().any(char::is_control);
        let user = UserId(sub.into());
        if !is_id || user.is_guest() {
            return Err(refused("the token's sub is not the id of a user"));
        }
        // A token without a practical end has one in the far future that every client can hold (protocol section 2).
        let expires_at = (exp * 1_000.0).min(MAX_INTEGER as f64) as Millis;
        Ok(Caller {
            user: Some(user),
            name: name.as_deref().and_then(shown_name),
            expires_at: Some(expires_at),
            admin,
        })
    }
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "the token is not signed with HS256",
        ErrorKind::MissingRequiredClaim(_) => "the token has no exp",
        _ => "the token cannot be read",
    }
}

/// Makes a name presentable: one line of limited length, or none.
fn shown_name(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::http::origin::Origins;

    const SECRET: &str = "a secret of at least 32 bytes, for tests only";

    fn security(secret: Option<&str>, guests: bool) -> Security {
        let origins = Origins::new([127, 0, 0, 1].into(), &[], &[]).unwrap();
        Security { origins, tokens: Tokens::new(secret), guests }
    }

    fn token_with(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    fn token(claims: &Value) -> String {
        token_with(Algorithm::HS256, SECRET, claims)
    }

    fn in_an_hour() -> u64 {
        get_current_timestamp() + 3_600
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        pairs.collect()
    }

    fn with_header(secret: Option<&str>, value: &str) -> Result<Caller, Problem> {
        authenticate(&security(secret, true), &headers(&[(AUTHORIZATION, value)]))
    }

    #[test]
    fn absent_is_a_guest_unless_guests_are_off() {
        assert_eq!(authenticate(&security(None, true), &HeaderMap::new()).unwrap(), Caller::guest());
        let problem = authenticate(&security(Some(SECRET), false), &HeaderMap::new()).unwrap_err();
        assert_eq!(problem.refusal().code, ErrorCode::Unauthorized);
        assert_eq!(Caller::guest().author(), UserId::guest_rest());
    }

    #[test]
    fn a_good_token_names_its_user() {
        let exp = in_an_hour();
        let good = token(&json!({"sub": "ada", "exp": exp, "name": " Ada\n ", "aud": "quire"}));
        let caller = with_header(Some(SECRET), &format!("bearer {good}")).unwrap();
        assert_eq!(caller.author(), UserId("ada".into()));
        assert_eq!(caller.name.as_deref(), Some("Ada"));
        assert_eq!(caller.expires_at, Some(exp as Millis * 1_000));
        let offered = headers(&[(SEC_WEBSOCKET_PROTOCOL, &format!("quire.v1, bearer.{good}"))]);
        assert_eq!(authenticate(&security(Some(SECRET), false), &offered).unwrap(), caller);
    }

    #[test]
    fn the_end_of_a_token_is_a_number_that_every_client_can_hold() {
        for exp in [json!(1e18), json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740.992)] {
            let caller =
                with_header(Some(SECRET), &format!("Bearer {}", token(&json!({"sub": "ada", "exp": exp}))));
            assert_eq!(caller.unwrap().expires_at, Some(MAX_INTEGER as Millis), "{exp}");
        }
    }

    #[test]
    fn a_bad_token_is_refused_even_where_guests_are_let_in() {
        let exp = in_an_hour();
        let bad = [
            token(&json!({"sub": "ada", "exp": get_current_timestamp() - 1})),
            token(&json!({"sub": "ada", "exp": exp, "nbf": exp})),
            token(&json!({"sub": "ada"})),
            token(&json!({"exp": exp})),
            token(&json!({"sub": "", "exp": exp})),
            token(&json!({"sub": "guest:rest", "exp": exp})),
            token(&json!({"sub": "a\nb", "exp": exp})),
            token_with(Algorithm::HS384, SECRET, &json!({"sub": "ada", "exp": exp})),
            token_with(Algorithm::HS256, "another secret", &json!({"sub": "ada", "exp": exp})),
            // {"alg":"none"} with an empty signature
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.".to_owned(),
            "rubbish".to_owned(),
            String::new(),
        ];
        for bad in bad {
            let problem = with_header(Some(SECRET), &format!("Bearer {bad}")).expect_err(&bad);
            assert_eq!(problem.refusal().code, ErrorCode::Unauthorized, "{bad}");
        }
    }

    #[test]
    fn without_a_secret_every_token_is_refused() {
        let good = token(&json!({"sub": "ada", "exp": in_an_hour()}));
        for secret in [None, Some("")] {
            assert!(with_header(secret, &format!("Bearer {good}")).is_err());
        }
    }

    #[test]
    fn other_credentials_are_not_taken_for_none() {
        for value in ["Basic YTpi", "Bearer", ""] {
            assert!(with_header(Some(SECRET), value).is_err(), "{value}");
        }
        let one = token(&json!({"sub": "ada", "exp": in_an_hour()}));
        let other = token(&json!({"sub": "eve", "exp": in_an_hour()}));
        let both = headers(&[
            (AUTHORIZATION, &format!("Bearer {one}")),
            (SEC_WEBSOCKET_PROTOCOL, &format!("quire.v1, bearer.{other}")),
        ]);
        assert!(authenticate(&security(Some(SECRET), true), &both).is_err());
    }
}
