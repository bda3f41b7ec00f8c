//! Speaks to a provider: reads what it says of itself, sends people there, exchanges codes, and checks ID tokens. It blocks.
//!
//! What a provider says of itself is kept for some minutes, its keys with it, and read anew when a token names a key that is not
//! there. One that does not answer is asked again after a pause, and what was known of it is used until then.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, SubjectIdentifier,
    TokenResponse as _, UserInfoClaims,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::http::{Method, Request, Response};

use super::{Identity, Provider, Ticket};
use crate::actors::error::{ErrorCode, Refusal};
use crate::auth::bearer::refused;
use crate::auth::fetch::{self, MOST_BYTES};

/// How long what a provider says of itself is used without being read again.
const FRESH: Duration = Duration::from_mins(10);

/// The pause between two readings, whatever they are for.
const PAUSE: Duration = Duration::from_secs(2);

/// How ID tokens may be signed: by a published key. What is signed with the client's secret, or by nobody, is not taken.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The longest name that a provider may have for somebody, in bytes (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;

/// Claims beyond those that are known.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Extra {
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl AdditionalClaims for Extra {}

type Token = IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Claims = IdTokenClaims<Extra, CoreGenderClaim>;
type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Speaker = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why a provider was not heard.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0} would be asked in the clear")]
    Clear(String),
    #[error(transparent)]
    Http(#[from] ureq::Error),
}

/// One provider.
pub(super) struct Client {
    provider: Provider,
    issuer: IssuerUrl,
    /// Where it sends people back to.
    back: RedirectUrl,
    agent: ureq::Agent,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    speaker: Option<Arc<Speaker>>,
    read_at: Option<Instant>,
    failed_at: Option<Instant>,
}

impl Client {
    /// Names the provider, and where it sends people back to.
    ///
    /// # Errors
    /// One of the addresses is none, or the authorities cannot be read.
    pub fn new(provider: &Provider, back: String) -> anyhow::Result<Self> {
        let agent = fetch::agent(provider.authorities.as_deref())?.http_status_as_error(false).build().into();
        Ok(Self {
            issuer: IssuerUrl::new(provider.issuer.clone())?,
            back: RedirectUrl::new(back)?,
            provider: provider.clone(),
            agent,
            known: Mutex::default(),
        })
    }

    /// Returns the address at the provider to send somebody to.
    ///
    /// # Errors
    /// `unavailable` while nothing is known of the provider, and it does not answer.
    pub fn address(&self, ticket: &Ticket) -> Result<String, Refusal> {
        let speaker = self.speaker(FRESH)?;
        let (state, nonce) = (CsrfToken::new(ticket.state.clone()), Nonce::new(ticket.nonce.clone()));
        let verifier = PkceCodeVerifier::new(ticket.verifier.clone());
        let (address, ..) = speaker
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scopes(
                self.provider.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(address.into())
    }

    /// Exchanges a code, and tells whom the provider has signed in.
    ///
    /// # Errors
    /// `unauthorized` when the provider does not take the code, or its token proves nothing; `unavailable` when it does not answer.
    pub fn identity(&self, code: String, verifier: String, nonce: String) -> Result<Identity, Refusal> {
        let speaker = self.speaker(FRESH)?;
        let request =
            speaker.exchange_code(AuthorizationCode::new(code)).map_err(|error| self.away(&error))?;
        let exchanged = request
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request(&|request: HttpRequest| self.fetch(request));
        let tokens = exchanged.map_err(|error| match error {
            RequestTokenError::ServerResponse(_) => {
                self.complain(&error, "a provider does not take a code");
                refused("the provider does not stand by its answer: begin again")
            }
            other => self.away(&other),
        })?;
        let token = tokens.id_token().ok_or_else(|| self.bad("the provider has sent no ID token"))?;
        let claims = self.claims(&speaker, token, &Nonce::new(nonce))?;
        let access = tokens.access_token();
        self.check_hash(token, claims, access)?;
        if claims.authorized_party().is_some_and(|party| party.as_str() != self.provider.client_id) {
            return Err(self.bad("the ID token was made for another program"));
        }
        let (subject, length) = (claims.subject().clone(), claims.subject().len());
        if !(1..=MAX_SUBJECT).contains(&length) || subject.chars().any(char::is_control) {
            return Err(self.bad("the ID token names nobody"));
        }
        let mut who = Identity {
            subject: subject.to_string(),
            name: claims.name().and_then(|names| names.get(None)).map(|name| name.to_string()),
            email: claims.email().map(|email| email.to_string()),
            email_is_proved: claims.email_verified() == Some(true),
            admin: self
                .provider
                .admin
                .as_ref()
                .map(|(name, value)| says(claims.additional_claims(), name, value)),
        };
        if who.name.is_none() || who.email.is_none() {
            self.ask_more(&speaker, access, subject, &mut who)?;
        }
        Ok(who)
    }

    /// Checks an ID token: signature, issuer, audience, time and nonce. A key that is not there may be new.
    fn claims<'a>(&self, speaker: &Speaker, token: &'a Token, nonce: &Nonce) -> Result<&'a Claims, Refusal> {
        let checked = match token.claims(&verifier(speaker), nonce) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let renewed = self.speaker(PAUSE)?;
                token.claims(&verifier(&renewed), nonce)
            }
            checked => checked,
        };
        checked.map_err(|error| {
            self.complain(&error, "the ID token of a provider is not good");
            refused("what the provider says of you cannot be believed: begin again")
        })
    }

    /// Checks that the access token is the one that the ID token was made with, if it says so.
    fn check_hash(&self, token: &Token, claims: &Claims, access: &AccessToken) -> Result<(), Refusal> {
        let Some(wanted) = claims.access_token_hash() else { return Ok(()) };
        let speaker = self.speaker(FRESH)?;
        let verifier = verifier(&speaker);
        let found = token.signing_key(&verifier).ok().zip(token.signing_alg().ok());
        let found =
            found.and_then(|(key, algorithm)| AccessTokenHash::from_token(access, algorithm, key).ok());
        if found.as_ref() == Some(wanted) { Ok(()) } else { Err(self.bad("the access token is another's")) }
    }

    /// Asks for what the ID token does not say; some providers say it only there.
    fn ask_more(
        &self,
        speaker: &Speaker,
        access: &AccessToken,
        subject: SubjectIdentifier,
        who: &mut Identity,
    ) -> Result<(), Refusal> {
        // One that has no such address does not say it at all.
        let Ok(request) = speaker.user_info(access.clone(), Some(subject)) else { return Ok(()) };
        let told = request.request(&|request: HttpRequest| self.fetch(request));
        let told: UserInfoClaims<Extra, CoreGenderClaim> = told.map_err(|error| self.away(&error))?;
        if who.email.is_none() {
            who.email = told.email().map(|email| email.to_string());
            who.email_is_proved = told.email_verified() == Some(true);
        }
        let name = told.name().and_then(|names| names.get(None)).map(|name| name.to_string());
        who.name = who.name.take().or(name);
        Ok(())
    }

    /// Returns what is known of the provider, read no longer ago than `age` unless it does not answer.
    fn speaker(&self, age: Duration) -> Result<Arc<Speaker>, Refusal> {
        // Held while it is asked: who comes meanwhile waits for the same answer, and `AT_ONCE` bounds how many these are.
        let mut known = self.known.lock();
        let within = |at: Option<Instant>, limit| at.is_some_and(|at: Instant| at.elapsed() < limit);
        let recent = within(known.read_at, age) || within(known.failed_at, PAUSE);
        if !recent {
            match self.discover() {
                Ok(speaker) => {
                    *known = Known {
                        speaker: Some(Arc::new(speaker)),
                        read_at: Some(Instant::now()),
                        failed_at: None,
                    };
                }
                Err(error) => {
                    known.failed_at = Some(Instant::now());
                    self.complain(&*error, "a provider cannot be asked what it is");
                }
            }
        }
        known.speaker.clone().ok_or_else(unavailable)
    }

    fn discover(&self) -> Result<Speaker, Box<dyn Error>> {
        let told = CoreProviderMetadata::discover(&self.issuer, &|request: HttpRequest| self.fetch(request))?;
        if !fetch::is_safe(&told.authorization_endpoint().as_str().parse()?) {
            return Err("people would be sent to it in the clear".into());
        }
        let methods = told.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth_type = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        // A secret is no public key: with one in the set a token signed by it would pass.
        let keys = told.jwks().keys().iter().filter(|key| is_public(key)).cloned().collect();
        let told = told.set_jwks(CoreJsonWebKeySet::new(keys));
        let id = ClientId::new(self.provider.client_id.clone());
        let secret = self.provider.client_secret.clone().map(ClientSecret::new);
        let speaker = Speaker::from_provider_metadata(told, id, secret);
        Ok(speaker.set_auth_type(auth_type).set_redirect_uri(self.back.clone()))
    }

    fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        if !fetch::is_safe(request.uri()) {
            return Err(FetchError::Clear(request.uri().to_string()));
        }
        let (head, body) = request.into_parts();
        let answer = match head.method {
            Method::GET => self.agent.run(Request::from_parts(head, ()))?,
            _ => self.agent.run(Request::from_parts(head, body))?,
        };
        let (head, mut body) = answer.into_parts();
        Ok(Response::from_parts(head, body.with_config().limit(MOST_BYTES).read_to_vec()?))
    }

    fn away(&self, error: &dyn Error) -> Refusal {
        self.complain(error, "a provider does not answer as it should");
        unavailable()
    }

    fn bad(&self, why: &'static str) -> Refusal {
        tracing::warn!(provider = self.provider.name, why, "a provider's answer is not good");
        refused(why)
    }

    fn complain(&self, error: &dyn Error, what: &'static str) {
        // Causes and all, of which none has a token or a code.
        let (mut told, mut cause) = (error.to_string(), error.source());
        while let Some(next) = cause {
            told = format!("{told}: {next}");
            cause = next.source();
        }
        tracing::warn!(provider = self.provider.name, error = told, "{what}");
    }
}

fn unavailable() -> Refusal {
    let retry_after_ms = Some(PAUSE.as_millis() as u64);
    let message = "the provider does not answer: try again, or sign in another way".to_owned();
    Refusal { code: ErrorCode::Unavailable, message, retry_after_ms }
}

fn verifier(speaker: &Speaker) -> IdTokenVerifier<'_, CoreJsonWebKey> {
    speaker.id_token_verifier().set_allowed_algs(ALGORITHMS)
}

fn is_public(key: &CoreJsonWebKey) -> bool {
    use openidconnect::JsonWebKey as _;
    *key.key_type() != openidconnect::core::CoreJsonWebKeyType::Symmetric
}

/// Tells whether a claim is this value, or a list that has it.
fn says(claims: &Extra, name: &str, value: &str) -> bool {
    let is = |claim: &Value| match claim {
        Value::String(text) => text == value,
        Value::Bool(on) => on.to_string() == value,
        _ => false,
    };
    claims
        .rest
        .get(name)
        .is_some_and(|claim| claim.as_array().map_or_else(|| is(claim), |list| list.iter().any(is)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_value_or_has_it_in_a_list() {
        let claims: Extra = serde_json::from_str(
            r#"{"role": "admin", "groups": ["users", "ops"], "is_admin": true, "n": 1}"#,
        )
        .unwrap();
        for (name, value) in [("role", "admin"), ("groups", "ops"), ("is_admin", "true")] {
            assert!(says(&claims, name, value), "{name}");
        }
        for (name, value) in [("role", "adm"), ("groups", "op"), ("is_admin", "1"), ("n", "1"), ("x", "")] {
            assert!(!says(&claims, name, value), "{name}");
        }
    }

    #[test]
    fn a_token_signed_with_the_secret_or_by_nobody_is_not_taken() {
        use CoreJwsSigningAlgorithm as Algorithm;
        for algorithm in
            [Algorithm::None, Algorithm::HmacSha256, Algorithm::HmacSha384, Algorithm::HmacSha512]
        {
            assert!(!ALGORITHMS.contains(&algorithm), "{algorithm:?}");
        }
    }
}
