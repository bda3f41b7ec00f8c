//! Accounts of this server's own: signing in and out, and passwords. Second factors are beside it ([`second`](super::second)).
//!
//! Nobody learns here whether an account exists: answers are the same, and take as long.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::keys::{ACCESS_LIFETIME, KeyRing};
use super::mail::{Mail, Mailer};
use super::passwords::{Passwords, check_choice};
use super::revoked::Revocations;
use super::secrets::{self, RefreshToken};
use super::throttle::{Subject, Throttle};
use super::tokens::OWN_AUDIENCE;
use super::{bearer, second};
use crate::actors::clock::Clock;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{Millis, UserId};
use crate::metrics::METRICS;
use crate::storage::StoreError;
use crate::storage::accounts::{
    Credentials, OWN_ISSUER, OWN_PREFIX, Rotation, SharedAccounts, SignIn, User, UserPatch,
};

/// How long a sign-in lasts, in ms, however often its token is exchanged: 30 days.
pub const SIGN_IN_LIFETIME: Millis = 30 * 24 * 3_600_000;

/// How long a password may be set anew with what was sent for it, in ms.
const RESET_LIFETIME: Millis = 3_600_000;

/// Sign-ins of one user at a time; the one used last ends when there is one more.
const MOST_SIGN_INS: usize = 50;

/// Characters of a user agent that are kept.
const MAX_AGENT_CHARS: usize = 200;

/// The longest address, in bytes (RFC 5321 section 4.5.3.1.3, without the brackets).
const MAX_EMAIL_BYTES: usize = 254;

/// What accounts are made of.
pub struct Accounts {
    pub(super) store: SharedAccounts,
    pub(super) passwords: Passwords,
    pub(super) throttle: Throttle,
    pub(super) clock: Clock,
    pub(super) keys: Arc<KeyRing>,
    revoked: Arc<Revocations>,
    mailer: Arc<dyn Mailer>,
    /// Whether people may make accounts for themselves.
    pub registration: bool,
    /// Where people reach this server, for links in mails.
    public_url: Option<String>,
}

/// Who asks, as far as one can tell.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: IpAddr,
    pub user_agent: String,
}

/// What somebody gets who has signed in.
pub struct SignedIn {
    pub user: User,
    pub access_token: String,
    /// When it ends, in Unix ms.
    pub expires_at: Millis,
    pub refresh_token: String,
    pub refresh_expires_at: Millis,
}

/// Why nobody was signed in.
#[derive(Debug)]
pub enum SignInError {
    Refused(Refusal),
    /// The password is right, and a code of the second factor is wanted.
    SecondFactor(Refusal),
}

impl<T: Into<Refusal>> From<T> for SignInError {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

/// What is told to make them.
pub struct Parts {
    pub store: SharedAccounts,
    pub keys: Arc<KeyRing>,
    pub revoked: Arc<Revocations>,
    pub mailer: Arc<dyn Mailer>,
    pub clock: Clock,
    pub registration: bool,
    pub public_url: Option<String>,
}

impl Accounts {
    /// Puts them together.
    ///
    /// # Errors
    /// Passwords cannot be hashed at all.
    pub fn new(parts: Parts) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let Parts { store, keys, revoked, mailer, clock, registration, public_url } = parts;
        // The other half is for documents.
        let passwords = Passwords::new(cores / 2)?;
        let throttle = Throttle::default();
        Ok(Self { store, passwords, throttle, clock, keys, revoked, mailer, registration, public_url })
    }

    /// Makes an account. Where there is one already nothing changes, and its owner gets a mail.
    ///
    /// # Errors
    /// `forbidden` when people may not; `bad_request` for what can be no address or password; `rate_limited`.
    pub async fn register(
        &self,
        peer: &Peer,
        email: &str,
        password: &str,
        name: Option<&str>,
    ) -> Result<(), Refusal> {
        if !self.registration {
            return Err(Refusal::new(ErrorCode::Forbidden, "accounts are made by an administrator here"));
        }
        // Each attempt counts, whatever comes of it: an address makes no thousand accounts.
        self.begin(&[Subject::address(peer.address)])?;
        let user = new_user(email, name, self.clock.now())?;
        check_choice(password, &user.subject).map_err(bad_request)?;
        let hash = self.passwords.hash(password).await?;
        match self.store.create_user(&user, Some(&hash)).await {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => self.send(Mail {
                to: user.subject,
                subject: "You have an account already",
                body: "Somebody, perhaps you, has tried to make an account with this address. It has one: nothing was changed.".into(),
            }),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Signs somebody in, with a code too if the account has a second factor.
    ///
    /// # Errors
    /// `unauthorized`, the same for a wrong address and a wrong password; `rate_limited` after too many of these.
    pub async fn sign_in(
        &self,
        peer: &Peer,
        email: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<SignedIn, SignInError> {
        let email = normal(email);
        let subjects = [Subject::account(&email), Subject::address(peer.address)];
        self.begin(&subjects)?;
        let user = self.store.user_by_subject(OWN_ISSUER, &email).await?;
        // Of nobody, too: it takes as long to find nothing.
        let id = user.as_ref().map_or_else(|| UserId("".into()), |user| user.id.clone());
        let credentials = self.store.credentials(&id).await?;
        let hash = credentials.as_ref().map(|credentials| &*credentials.password);
        let right = self.passwords.verify(password, hash).await?;
        let who = user.zip(credentials).filter(|(user, _)| right && user.disabled_at.is_none());
        let Some((user, credentials)) = who else {
            count("refused");
            return Err(bearer::refused("the address or the password is wrong").into());
        };
        if let Some(totp) = credentials.totp.as_ref().filter(|totp| totp.since.is_some()) {
            let Some(code) = code else {
                count("second_factor");
                let why = bearer::refused("a code of the second factor is wanted");
                return Err(SignInError::SecondFactor(why));
            };
            if !second::take(&*self.store, &user.id, totp, code, self.clock.now()).await? {
                count("refused");
                let why = bearer::refused("the code is wrong, or was used before");
                return Err(SignInError::SecondFactor(why));
            }
        }
        self.throttle.succeed(&subjects);
        count("signed_in");
        let begun = self.begin_unless_changed(peer, user, Some(&credentials.password)).await?;
        Ok(begun.ok_or_else(|| bearer::refused("the address or the password is wrong"))?)
    }

    /// Tells whose account an address is the name of, for the record of an attempt. It takes as long where there is none.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn known_as(&self, email: &str) -> Result<Option<UserId>, Refusal> {
        Ok(self.store.user_by_subject(OWN_ISSUER, &normal(email)).await?.map(|user| user.id))
    }

    /// Begins a sign-in of somebody who has proved elsewhere who they are.
    ///
    /// # Errors
    /// `unauthorized` for somebody who is disabled. Storage does not oblige.
    pub async fn begin_sign_in(&self, peer: &Peer, user: User) -> Result<SignedIn, Refusal> {
        let begun = self.begin_unless_changed(peer, user, None).await?;
        begun.ok_or_else(|| bearer::refused("this account is disabled"))
    }

    /// Begins a sign-in, unless the user was disabled or the password changed since they were looked at.
    async fn begin_unless_changed(
        &self,
        peer: &Peer,
        user: User,
        password: Option<&str>,
    ) -> Result<Option<SignedIn>, Refusal> {
        let (now, token) = (self.clock.now(), RefreshToken::first());
        let agent = peer.user_agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT_CHARS);
        let sign_in = SignIn {
            id: Uuid::new_v4().simple().to_string(),
            user: user.id.clone(),
            user_agent: agent.collect(),
            created_at: now,
            used_at: now,
            expires_at: now + SIGN_IN_LIFETIME,
        };
        if !self.store.begin_sign_in(&sign_in, &token.hash(), password, MOST_SIGN_INS).await? {
            return Ok(None);
        }
        self.signed_in(&sign_in, user, &token).map(Some)
    }

    /// Exchanges a refresh token for a fresh pair.
    ///
    /// # Errors
    /// `unauthorized`; if it was an old one, the whole sign-in has ended by that.
    pub async fn refresh(&self, peer: &Peer, token: &str) -> Result<SignedIn, Refusal> {
        let refused = || bearer::refused("the refresh token is not good, or not any more");
        let address = [Subject::refreshing(peer.address)];
        self.begin(&address)?;
        let old = RefreshToken::parse(token).ok_or_else(refused)?;
        let (new, now) = (old.next(), self.clock.now());
        match self.store.rotate(&old.hash(), &new.hash().token, now).await? {
            Rotation::Rotated(sign_in, user) => {
                self.throttle.succeed(&address);
                count("refreshed");
                self.signed_in(&sign_in, user, &new)
            }
            Rotation::Reused(sign_in) => {
                let (id, user) = (&sign_in.id, &sign_in.user);
                count("reused");
                tracing::warn!(sign_in = id, %user, "a refresh token was used twice: its sign-in has ended");
                self.revoked.end([sign_in.id], now);
                Err(refused())
            }
            Rotation::Unknown => Err(refused()),
        }
    }

    fn signed_in(&self, sign_in: &SignIn, user: User, token: &RefreshToken) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let expires_at = (now + ACCESS_LIFETIME).min(sign_in.expires_at);
        let access_token = self.keys.sign(&json!({
            "iss": OWN_ISSUER, "aud": OWN_AUDIENCE, "sub": user.id, "sid": sign_in.id, "name": user.name,
            "admin": user.admin, "iat": now / 1_000, "exp": expires_at / 1_000,
        }))?;
        Ok(SignedIn {
            user,
            access_token,
            expires_at: expires_at / 1_000 * 1_000,
            refresh_token: token.reveal(),
            refresh_expires_at: sign_in.expires_at,
        })
    }

    /// Ends the sign-in of a refresh token. One that is none changes nothing.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn sign_out(&self, token: &str) -> Result<(), Refusal> {
        let Some(token) = RefreshToken::parse(token) else { return Ok(()) };
        let now = self.clock.now();
        let ended = self.store.end_family(&token.hash().family, now).await?;
        self.revoked.end(ended, now);
        Ok(())
    }

    /// Returns the row of a user.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, Refusal> {
        Ok(self.store.user(id).await?)
    }

    /// Tells whether there is anybody with a password here.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn any(&self) -> Result<bool, Refusal> {
        Ok(self.store.has_credentials().await?)
    }

    /// Gives a user another name. The next access token has it.
    ///
    /// # Errors
    /// `bad_request` when it is none; `forbidden` when there is no such account any more.
    pub async fn rename(&self, id: &UserId, name: &str) -> Result<User, Refusal> {
        let name = bearer::shown_name(name).ok_or_else(|| bad_request("the name is empty"))?;
        let patch = UserPatch { name: Some(name), ..UserPatch::default() };
        let user = self.store.patch_user(id, &patch, self.clock.now()).await?;
        user.ok_or_else(|| Refusal::new(ErrorCode::Forbidden, "there is no such account any more"))
    }

    /// Tells whether a user may make documents.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn may_create(&self, id: &UserId) -> Result<bool, Refusal> {
        Ok(self.store.user(id).await?.is_none_or(|user| user.may_create))
    }

    /// Lists a user's sign-ins.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn sign_ins(&self, user: &UserId) -> Result<Vec<SignIn>, Refusal> {
        Ok(self.store.sign_ins(user, self.clock.now()).await?)
    }

    /// Ends one of a user's sign-ins.
    ///
    /// # Errors
    /// `not_found`, also for one of somebody else.
    pub async fn end_sign_in(&self, user: &UserId, id: &str) -> Result<(), Refusal> {
        let now = self.clock.now();
        if !self.store.end_sign_in(user, id, now).await? {
            return Err(Refusal::new(ErrorCode::NotFound, "there is no such sign-in"));
        }
        self.revoked.end([id], now);
        Ok(())
    }

    /// Changes a password; all sign-ins but the one that asks end.
    ///
    /// # Errors
    /// `forbidden` when the old one is wrong; `bad_request`; `rate_limited`.
    pub async fn change_password(
        &self,
        user: &UserId,
        sign_in: &str,
        old: &str,
        new: &str,
    ) -> Result<(), Refusal> {
        let (account, _) = self.proven(user, old).await?;
        check_choice(new, &account.subject).map_err(bad_request)?;
        let hash = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let ended = self.store.set_password(user, &hash, now, Some(sign_in)).await?;
        self.revoked.end(ended, now);
        Ok(())
    }

    /// Has somebody who has signed in prove who they are once more, before something that an open browser shall not do.
    ///
    /// # Errors
    /// `forbidden` when the password is wrong, `rate_limited` after too many of these.
    pub(super) async fn proven(&self, user: &UserId, password: &str) -> Result<(User, Credentials), Refusal> {
        let gone = || Refusal::new(ErrorCode::Forbidden, "there is no such account any more");
        let account = self.store.user(user).await?.ok_or_else(gone)?;
        let credentials = self.store.credentials(user).await?;
        let credentials = credentials.ok_or_else(|| {
            Refusal::new(ErrorCode::Forbidden, "this account has no password here: its provider signs it in")
        })?;
        let subject = [Subject::account(&account.subject)];
        self.begin(&subject)?;
        if !self.passwords.verify(password, Some(&credentials.password)).await? {
            return Err(Refusal::new(ErrorCode::Forbidden, "the password is wrong"));
        }
        self.throttle.succeed(&subject);
        Ok((account, credentials))
    }

    /// Sends somebody what it takes to set a password anew, if there is such an account; the answer does not tell, and does not wait.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn forget_password(self: &Arc<Self>, peer: &Peer, email: &str) -> Result<(), Refusal> {
        let email = normal(email);
        // Apart from what signing in counts: mails are no way to keep somebody out.
        let mails = Subject::account(&format!("mail to {email}"));
        self.begin(&[mails, Subject::address(peer.address)])?;
        let accounts = self.clone();
        tokio::spawn(async move {
            if let Err(error) = accounts.send_reset(&email).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a password could not be made to be set anew");
            }
        });
        Ok(())
    }

    async fn send_reset(&self, email: &str) -> Result<(), StoreError> {
        let found = self.store.user_by_subject(OWN_ISSUER, email).await?;
        let Some(user) = found.filter(|user| user.disabled_at.is_none()) else { return Ok(()) };
        let token = secrets::reset_token();
        let expires_at = self.clock.now() + RESET_LIFETIME;
        self.store.put_reset(&secrets::hash(token.as_bytes()), &user.id, expires_at).await?;
        // In the fragment, which no server is sent and no log has.
        let place = match &self.public_url {
            Some(url) => format!("{}/reset#{token}", url.trim_end_matches('/')),
            None => token,
        };
        self.send(Mail {
            to: user.subject,
            subject: "Set a new password",
            body: format!(
                "Somebody, perhaps you, wants to set a new password for this account. Within an hour, and once, it can be done with\n\n{place}\n\nIf it was not you, nothing needs to be done."
            ),
        });
        Ok(())
    }

    /// Sets a password anew with what was sent for it; all sign-ins end.
    ///
    /// # Errors
    /// `unauthorized` when it is none, was used, or is too old; `bad_request`; `rate_limited`.
    pub async fn reset_password(&self, peer: &Peer, token: &str, new: &str) -> Result<(), Refusal> {
        let address = [Subject::address(peer.address)];
        self.begin(&address)?;
        // Before the token is taken: it is good once. The address is not known yet.
        check_choice(new, "").map_err(bad_request)?;
        // And before there is no turn for it.
        let hash = self.passwords.hash(new).await?;
        let now = self.clock.now();
        let taken = self.store.take_reset(&secrets::hash(token.as_bytes()), now).await?;
        let user = taken.ok_or_else(|| bearer::refused("this is not good, or not any more"))?;
        self.store.prove_address(&user, now).await?;
        let ended = self.store.set_password(&user, &hash, now, None).await?;
        self.revoked.end(ended, now);
        self.throttle.succeed(&address);
        Ok(())
    }

    /// Counts an attempt.
    pub(super) fn begin(&self, subjects: &[Subject]) -> Result<(), Refusal> {
        self.throttle.begin(subjects, self.clock.now()).map_err(|wait| {
            count("limited");
            let message = "too many attempts".to_owned();
            Refusal { code: ErrorCode::RateLimited, message, retry_after_ms: Some(wait) }
        })
    }

    /// Sends a mail in the background. What fails is logged.
    fn send(&self, mail: Mail) {
        let mailer = self.mailer.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = mailer.send(&mail) {
                tracing::error!(%error, subject = mail.subject, "a mail was not sent");
            }
        });
    }
}

/// Makes the row of a new account.
///
/// # Errors
/// `bad_request`: it is no address, or the name is too long.
pub fn new_user(email: &str, name: Option<&str>, now: Millis) -> Result<User, Refusal> {
    let subject = normal(email);
    check_email(&subject).map_err(bad_request)?;
    let own_name = subject.split('@').next().unwrap_or_default();
    let name = bearer::shown_name(name.unwrap_or(own_name)).unwrap_or_else(|| own_name.to_owned());
    Ok(User {
        id: UserId(format!("{OWN_PREFIX}{}", Uuid::new_v4().simple()).into()),
        issuer: OWN_ISSUER.to_owned(),
        email: Some(email.trim().to_owned()),
        subject,
        name,
        created_at: now,
        seen_at: now,
        disabled_at: None,
        admin: false,
        may_create: true,
    })
}

/// Returns an address as accounts are told apart by it.
pub fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Whether it is a real address only a mail can tell; what cannot be one is refused.
pub(super) fn check_email(email: &str) -> Result<(), &'static str> {
    let parts = email.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
    let printable =
        !email.chars().any(|c| c.is_control() || c.is_whitespace() || "<>,;:\"()[]\\".contains(c));
    let one_at = parts.is_some_and(|(_, host)| !host.contains('@'));
    if one_at && printable && email.len() <= MAX_EMAIL_BYTES {
        Ok(())
    } else {
        Err("this is no mail address")
    }
}

pub(super) fn count(outcome: &str) {
    METRICS.sign_ins.with_label_values(&[outcome]).inc();
}

fn bad_request(why: &'static str) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_line_with_one_at() {
        for good in ["a@b", "ada.lovelace+x@example.org", "ünï@dömain.example"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a\r\nBcc:x@b",
            "<a@b>",
            &format!("{}@b", "x".repeat(254)),
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
        let user = new_user(" Ada@Example.org ", None, 7).unwrap();
        assert_eq!((&*user.subject, &*user.name), ("ada@example.org", "ada"));
        assert_eq!(user.email.as_deref(), Some("Ada@Example.org"));
        assert!(user.id.as_str().starts_with("usr_"));
    }
}
