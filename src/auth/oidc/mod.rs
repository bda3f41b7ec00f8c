//! Signing in with an account of another provider (OpenID Connect Core 1.0, authorisation code with PKCE).
//!
//! | module | what is in it |
//! |---|---|
//! | `ticket` | what a browser keeps while somebody is at the provider |
//! | `client` | speaks to a provider; `absent` stands for it in a quire without the feature `oidc` |
//! | `admission` | whose account it is that somebody comes to |
//!
//! A provider says who somebody is, once; from then on the sign-in is one of this server, as any other.

#[cfg(not(feature = "oidc"))]
#[path = "absent.rs"]
mod client;

mod admission;
#[cfg(feature = "oidc")]
mod client;
mod ticket;

use std::path::PathBuf;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use self::client::Client;
use self::ticket::Ticket;
use super::accounts::{Accounts, Peer, SignedIn, count};
use super::bearer::refused;
use super::fetch::is_safe;
use super::secrets::hash;
use super::throttle::Subject;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::Millis;
use crate::storage::accounts::User;

/// How long somebody may be at the provider, in ms.
pub const AWAY: Millis = 600_000;

/// Providers are asked on so many threads at once; who comes beyond that is told to come again.
const AT_ONCE: usize = 16;

/// Bytes of a place to go to afterwards, at most: it is in a cookie.
const MAX_PLACE: usize = 1_024;

/// The longest code or state that is looked at, in bytes.
const MAX_ANSWER: usize = 4_096;

/// Somebody who vouches for people. It has no `Debug`: there is a secret in it.
#[derive(Clone)]
pub struct Provider {
    /// Lower-case letters and digits; part of addresses.
    pub name: String,
    /// For people.
    pub label: String,
    /// As its tokens name it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    pub scopes: Vec<String>,
    /// Domains of proved mail addresses, in lower case; none: whoever has an account there.
    pub domains: Vec<String>,
    /// Whether somebody who comes for the first time gets an account.
    pub creates: bool,
    /// The claim, and the value of it, that make an administrator; `None`: that is said here alone.
    pub admin: Option<(String, String)>,
    /// Who has signed its certificate, if that is not known to the system.
    pub authorities: Option<PathBuf>,
}

/// What a provider says of somebody, once it has been checked.
struct Identity {
    subject: String,
    name: Option<String>,
    email: Option<String>,
    /// Whether the provider has made sure of the address.
    email_is_proved: bool,
    /// Whether the claim is there; `None` where none is asked for.
    admin: Option<bool>,
}

/// What a browser brings back from a provider (RFC 6749 section 4.1.2, RFC 9207).
pub struct Answer {
    pub state: Option<String>,
    pub code: Option<String>,
    pub error: Option<String>,
    pub issuer: Option<String>,
}

/// Where to send somebody, and what the browser has to bring back.
pub struct Begun {
    pub address: String,
    /// A secret of the browser.
    pub ticket: String,
}

/// The providers of this server.
pub struct Oidc {
    providers: Vec<Known>,
    threads: Arc<Semaphore>,
}

struct Known {
    provider: Provider,
    client: Arc<Client>,
}

impl Oidc {
    /// Takes the providers; nobody is asked before somebody wants to sign in. `None` if there are none.
    ///
    /// # Errors
    /// Addresses would be reached in the clear, or are none; or this quire was built without OpenID Connect.
    pub fn new(providers: Vec<Provider>, public_url: Option<&str>) -> anyhow::Result<Option<Self>> {
        if providers.is_empty() {
            return Ok(None);
        }
        let Some(base) = public_url.map(|url| url.trim_end_matches('/')) else {
            anyhow::bail!("--public-url is missing: OpenID Connect providers send people back to it");
        };
        anyhow::ensure!(
            is_safe(&base.parse()?),
            "--public-url has to be https:// with OpenID Connect, or this machine"
        );
        let known = providers.into_iter().map(|provider| {
            anyhow::ensure!(
                is_safe(&provider.issuer.parse()?),
                "[oidc.{}]: the issuer is reached by https:// alone, or on this machine",
                provider.name
            );
            let back = format!("{base}/v1/auth/oidc/{}/callback", provider.name);
            let client = Arc::new(Client::new(&provider, back)?);
            Ok(Known { provider, client })
        });
        let (providers, threads) = (known.collect::<anyhow::Result<_>>()?, Arc::new(Semaphore::new(AT_ONCE)));
        Ok(Some(Self { providers, threads }))
    }

    /// Lists the providers, with their labels.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().map(|known| (&*known.provider.name, &*known.provider.label))
    }

    /// Begins a sign-in that ends at the path `to` of this server.
    ///
    /// # Errors
    /// `not_found` for a provider that is not there, `bad_request` for a place that is no path, `unavailable` while the provider
    /// does not answer.
    pub async fn begin(&self, accounts: &Accounts, name: &str, to: Option<&str>) -> Result<Begun, Refusal> {
        let known = self.find(name)?;
        let place = to.unwrap_or("/");
        if !is_local(place) {
            return Err(Refusal::new(ErrorCode::BadRequest, "to is not a path of this server"));
        }
        let ticket = Arc::new(Ticket::new(name, place, accounts.clock.now()));
        let (client, asked) = (known.client.clone(), ticket.clone());
        let address = self.on_a_thread(move || client.address(&asked)).await?;
        Ok(Begun { address, ticket: ticket.seal(&accounts.keys)? })
    }

    /// Ends it: signs in whom the provider names, and tells where to go.
    ///
    /// # Errors
    /// `unauthorized` for an answer that is not one to this browser, or that proves nothing; `forbidden` where the provider or this
    /// server does not let somebody in; `unavailable` while the provider or storage do not answer; `rate_limited`.
    pub async fn finish(
        &self,
        accounts: &Accounts,
        peer: &Peer,
        name: &str,
        ticket: Option<&str>,
        answer: Answer,
    ) -> Result<(SignedIn, String), Refusal> {
        let known = self.find(name)?;
        let address = [Subject::address(peer.address)];
        accounts.begin(&address)?;
        let named = self.named(accounts, known, ticket, answer).await;
        let (user, place) = named.inspect_err(|refusal| {
            if matches!(refusal.code, ErrorCode::Unauthorized | ErrorCode::Forbidden) {
                count("refused");
            }
        })?;
        let signed_in = accounts.begin_sign_in(peer, user).await?;
        accounts.throttle.succeed(&address);
        count("signed_in");
        Ok((signed_in, place))
    }

    /// Tells whom the provider has named, and where they were to go.
    async fn named(
        &self,
        accounts: &Accounts,
        known: &Known,
        ticket: Option<&str>,
        answer: Answer,
    ) -> Result<(User, String), Refusal> {
        let (name, now) = (&*known.provider.name, accounts.clock.now());
        let stale = || refused("this sign-in was begun elsewhere, or is over: begin again");
        let ticket =
            ticket.and_then(|text| Ticket::open(text, &accounts.keys, name, now)).ok_or_else(stale)?;
        let state = answer.state.as_deref().filter(|state| state.len() <= MAX_ANSWER).unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(ticket.state.as_bytes())) {
            return Err(stale());
        }
        // Before anything comes of it: a copy of the whole request is good for nothing, whatever the provider thinks of its code.
        if !accounts.store.use_answer(&hash(state.as_bytes()), now + AWAY).await? {
            return Err(stale());
        }
        if answer.issuer.is_some_and(|issuer| issuer != known.provider.issuer) {
            return Err(refused("the answer is another provider's"));
        }
        if let Some(error) = answer.error {
            return Err(declined(&error));
        }
        let code = answer.code.filter(|code| code.len() <= MAX_ANSWER);
        let code = code.ok_or_else(|| refused("the provider has sent no code"))?;
        let (client, asked, place) = (known.client.clone(), ticket.nonce, ticket.place);
        let verifier = ticket.verifier;
        let who = self.on_a_thread(move || client.identity(code, verifier, asked)).await?;
        Ok((accounts.admit(&known.provider, who).await?, place))
    }

    fn find(&self, name: &str) -> Result<&Known, Refusal> {
        let found = self.providers.iter().find(|known| known.provider.name == name);
        found.ok_or_else(|| Refusal::new(ErrorCode::NotFound, "there is no such provider"))
    }

    /// Asks a provider, which blocks.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let busy = |_| Refusal::unavailable("too many people sign in with providers just now");
        let permit = self.threads.clone().try_acquire_owned().map_err(busy)?;
        let asked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            ask()
        });
        asked.await.unwrap_or_else(|_| Err(Refusal::new(ErrorCode::Internal, "the sign-in has failed")))
    }
}

/// What a provider's refusal means (RFC 6749 section 4.1.2.1). Its own words are not repeated: whoever makes a link can choose them.
fn declined(error: &str) -> Refusal {
    match error {
        "access_denied" => {
            Refusal::new(ErrorCode::Forbidden, "the provider was told not to let this server know")
        }
        "server_error" | "temporarily_unavailable" => {
            Refusal::unavailable("the provider cannot sign anybody in now")
        }
        _ => refused("the provider has not signed anybody in"),
    }
}

/// Tells whether a place is a path of this server, and nothing that a browser takes for an address elsewhere.
fn is_local(place: &str) -> bool {
    let is_path = place.starts_with('/') && !place.starts_with("//");
    is_path && place.len() <= MAX_PLACE && place.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_paths_of_this_server_alone() {
        for local in ["/", "/d/a", "/d/a?x=//evil.example#y", "/a//b"] {
            assert!(is_local(local), "{local}");
        }
        let long = format!("/{}", "x".repeat(MAX_PLACE));
        for elsewhere in [
            "",
            "d/a",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " /",
            "/ü",
            "/a b",
            &long,
        ] {
            assert!(!is_local(elsewhere), "{elsewhere:?}");
        }
    }

    #[test]
    fn what_a_provider_declines_is_told_in_our_words() {
        assert_eq!(declined("access_denied").code, ErrorCode::Forbidden);
        assert_eq!(declined("server_error").code, ErrorCode::Unavailable);
        let other = declined("<script>");
        assert_eq!(other.code, ErrorCode::Unauthorized);
        assert!(!other.message.contains('<'));
    }

    #[cfg(not(feature = "oidc"))]
    #[test]
    fn without_the_feature_a_provider_is_refused_with_a_sentence() {
        let provider = Provider {
            name: "a".into(),
            label: "A".into(),
            issuer: "https://id.example".into(),
            client_id: "q".into(),
            client_secret: None,
            scopes: Vec::new(),
            domains: Vec::new(),
            creates: true,
            admin: None,
            authorities: None,
        };
        let refused = Oidc::new(vec![provider], Some("https://docs.example")).err().expect("it is refused");
        assert!(refused.to_string().contains("--features oidc"), "{refused}");
    }
}
