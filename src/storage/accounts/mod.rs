//! People and scripts: who they are, and what they prove it with.
//!
//! A secret that is compared is here as a hash that its caller has made; what is here itself are signing keys and the secrets of
//! second factors. Only this trait reads them. Times are given by the caller, in Unix ms.

pub mod restraints;
mod rows;
mod statements;
pub(super) mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use self::restraints::Restraints;
use super::StoreError;
use crate::ids::{Millis, UserId};

/// The issuer of this server's own accounts.
pub const OWN_ISSUER: &str = "quire";

/// What the ids of own accounts begin with; no token from elsewhere may be for such an id.
pub const OWN_PREFIX: &str = "usr_";

/// Bytes of a hash (SHA-256).
pub type Hash = [u8; 32];

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// [`OWN_ISSUER`], the address of an OpenID Connect provider, or what says who somebody from elsewhere is.
    pub issuer: String,
    /// What the issuer calls this user; of own accounts the address in lower case.
    pub subject: String,
    pub name: String,
    pub email: Option<String>,
    pub created_at: Millis,
    /// When a token of this user was last seen, an hour late at most.
    pub seen_at: Millis,
    /// From when on nothing of this user is accepted any more.
    pub disabled_at: Option<Millis>,
    /// Whether this user looks after the server. Only of accounts that sign in here: elsewhere the token says so.
    pub admin: bool,
    /// Whether this user may make documents.
    pub may_create: bool,
}

/// A change of a user's row; absent fields stay.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    pub name: Option<String>,
    pub admin: Option<bool>,
    pub may_create: Option<bool>,
    /// `Some(Some(t))` disables, `Some(None)` enables.
    pub disabled_at: Option<Option<Millis>>,
}

/// What somebody with an own account signs in with. It has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// A PHC string.
    pub password: String,
    pub changed_at: Millis,
    pub totp: Option<Totp>,
}

/// A second factor. It has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    pub secret: Vec<u8>,
    /// Since when it is asked for; `None` until it was shown to work.
    pub since: Option<Millis>,
    /// The last step whose code was used: none at or below it is taken again.
    pub step: i64,
}

/// A sign-in: a family of refresh tokens, of which the last one is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignIn {
    pub id: String,
    #[serde(skip)]
    pub user: UserId,
    /// As the browser or program calls itself.
    pub user_agent: String,
    pub created_at: Millis,
    /// When its token was last exchanged.
    pub used_at: Millis,
    pub expires_at: Millis,
}

/// What is kept of a refresh token: which family it is of, and which of it it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshHash {
    pub family: Hash,
    pub token: Hash,
}

/// What came of the exchange of a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was the good one, and the next one is now. With its user as of now.
    Rotated(SignIn, User),
    /// It was an old one of this sign-in: somebody has a copy, and the sign-in is ended.
    Reused(SignIn),
    /// There is no such sign-in, or it has ended, or its user is disabled.
    Unknown,
}

/// A key of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceToken {
    pub id: String,
    pub name: String,
    pub owner: UserId,
    /// Words with a space between them.
    pub scopes: String,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    /// When it was last seen, a minute late at most.
    pub used_at: Option<Millis>,
    pub ended_at: Option<Millis>,
}

/// A key that access tokens are signed with. It has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub kid: String,
    /// The private key (Ed25519).
    pub seed: [u8; 32],
    pub signs_from: Millis,
    pub signs_until: Millis,
    /// When the last token that it has signed has ended.
    pub verifies_until: Millis,
}

/// What is not accepted any more although its tokens have not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// With when they were disabled.
    pub users: Vec<(UserId, Millis)>,
    /// Ids of sign-ins and of service tokens.
    pub credentials: Vec<String>,
}

/// Accounts, sign-ins and keys; and what holds people back.
#[async_trait]
pub trait Accounts: Restraints {
    /// Makes a user, with a password (a PHC string) for an own account.
    ///
    /// # Errors
    /// `Conflict` when the id, or the issuer's name of the user, is taken.
    async fn create_user(&self, user: &User, password: Option<&str>) -> Result<(), StoreError>;

    /// Makes the rows of users that have none, and takes note of when the others were seen.
    async fn see_users(&self, users: &[User]) -> Result<(), StoreError>;

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    async fn user_by_subject(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError>;

    /// Lists users in order of their ids, at most `limit`, after one of them.
    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>, StoreError>;

    /// Changes a user, and returns the row; `None` when there is none. One who is disabled, or is no administrator any more, loses
    /// all sign-ins: what their tokens say is not true any more. With the right to look after the server go the service tokens that
    /// have it: who is connected by one has been let in for what it was.
    async fn patch_user(
        &self,
        id: &UserId,
        patch: &UserPatch,
        at: Millis,
    ) -> Result<Option<User>, StoreError>;

    async fn credentials(&self, user: &UserId) -> Result<Option<Credentials>, StoreError>;

    /// Tells whether any user has a password here.
    async fn has_credentials(&self) -> Result<bool, StoreError>;

    /// Sets the password of a user who has one already, ends all sign-ins but `keep`, and forgets what was sent to set it anew.
    /// Returns the sign-ins that it has ended.
    async fn set_password(
        &self,
        user: &UserId,
        password: &str,
        at: Millis,
        keep: Option<&str>,
    ) -> Result<Vec<String>, StoreError>;

    /// Begins a sign-in, if the user is not disabled and `password` (a PHC string), which was proved, is still the one that holds;
    /// tells whether it has begun. Of the sign-ins that the user has, the `most - 1` used last stay.
    async fn begin_sign_in(
        &self,
        sign_in: &SignIn,
        token: &RefreshHash,
        password: Option<&str>,
        most: usize,
    ) -> Result<bool, StoreError>;

    /// Exchanges a refresh token for the next one of its family.
    async fn rotate(&self, old: &RefreshHash, new: &Hash, at: Millis) -> Result<Rotation, StoreError>;

    /// Lists a user's sign-ins that have not ended, the one used last first.
    async fn sign_ins(&self, user: &UserId, at: Millis) -> Result<Vec<SignIn>, StoreError>;

    /// Ends a sign-in of a user; tells whether there was one.
    async fn end_sign_in(&self, user: &UserId, id: &str, at: Millis) -> Result<bool, StoreError>;

    /// Ends the sign-in of a refresh token, an old one too; returns its id if there was one.
    async fn end_family(&self, family: &Hash, at: Millis) -> Result<Option<String>, StoreError>;

    /// Takes note that a user has shown to read what is sent to the account's address. For the first time, that ends a second
    /// factor: somebody else may have taken the address before, and set it up.
    async fn prove_address(&self, user: &UserId, at: Millis) -> Result<(), StoreError>;

    /// Keeps what was sent to a user to set the password anew, in place of what was sent before.
    async fn put_reset(&self, hash: &Hash, user: &UserId, expires_at: Millis) -> Result<(), StoreError>;

    /// Takes it back: it is good once. Returns whose it was.
    async fn take_reset(&self, hash: &Hash, at: Millis) -> Result<Option<UserId>, StoreError>;

    /// Keeps the secret of a second factor that is not asked for yet; tells whether it has been kept: not in place of one that is.
    async fn propose_totp(&self, user: &UserId, secret: &[u8]) -> Result<bool, StoreError>;

    /// Has it asked for from now on, and keeps the recovery codes; tells whether there was one to be confirmed, and this step is news.
    async fn confirm_totp(
        &self,
        user: &UserId,
        step: i64,
        codes: &[Hash],
        at: Millis,
    ) -> Result<bool, StoreError>;

    /// Takes the code of a step; tells whether it was not used before.
    async fn take_totp_step(&self, user: &UserId, step: i64) -> Result<bool, StoreError>;

    /// Takes a recovery code; tells whether there was one.
    async fn take_recovery_code(&self, user: &UserId, code: &Hash) -> Result<bool, StoreError>;

    /// Forgets the second factor and the recovery codes.
    async fn remove_totp(&self, user: &UserId) -> Result<(), StoreError>;

    /// Takes note that the answer of a provider of sign-ins was used; tells whether it was not before.
    async fn use_answer(&self, state: &Hash, expires_at: Millis) -> Result<bool, StoreError>;

    async fn create_service_token(&self, token: &ServiceToken, hash: &Hash) -> Result<(), StoreError>;

    /// Finds a service token, and its owner, whatever has become of either.
    async fn service_token(&self, hash: &Hash) -> Result<Option<(ServiceToken, User)>, StoreError>;

    /// Lists service tokens, those of one owner or all, the newest first, at most `limit`.
    async fn service_tokens(
        &self,
        owner: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<ServiceToken>, StoreError>;

    /// Ends a service token; tells whether there was one that had not ended.
    async fn end_service_token(&self, id: &str, at: Millis) -> Result<bool, StoreError>;

    /// Takes note that a service token was used.
    async fn see_service_token(&self, id: &str, at: Millis) -> Result<(), StoreError>;

    /// Reads the keys with which tokens of now can be verified, in order of when they begin to sign.
    async fn signing_keys(&self, at: Millis) -> Result<Vec<SigningKey>, StoreError>;

    /// Keeps a key, unless there is one already that signs as long.
    async fn add_signing_key(&self, key: &SigningKey) -> Result<(), StoreError>;

    /// Tells what is not accepted any more: disabled users, and what has ended since `since`.
    async fn revoked(&self, since: Millis) -> Result<Revoked, StoreError>;

    /// Removes what ended before `before` and is of no use: sign-ins, keys, what was sent to set passwords anew, used answers.
    async fn sweep(&self, before: Millis) -> Result<(), StoreError>;
}

/// As it is shared.
pub type SharedAccounts = Arc<dyn Accounts>;
