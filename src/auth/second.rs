//! Second factors of accounts: shown, confirmed, asked for, and taken away.

use super::accounts::Accounts;
use super::totp;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{Millis, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::{self, Totp};

/// For how long a sign-in proves who somebody is whom a provider signs in, in ms.
pub(super) const FRESH: Millis = 600_000;

/// What somebody puts into an application to have codes made.
pub struct Enrolment {
    /// As it is typed.
    pub secret: String,
    /// As it is read from a picture.
    pub address: String,
}

impl Accounts {
    /// Begins with a second factor: it is asked for once [`Self::confirm_totp`] has seen it work.
    ///
    /// # Errors
    /// `forbidden` when the password is wrong, `conflict` when there is a second factor already.
    pub async fn enrol_totp(&self, user: &UserId, password: &str) -> Result<Enrolment, Refusal> {
        let (account, _) = self.proven(user, password).await?;
        let secret = totp::secret();
        if !self.store.propose_totp(user, &secret).await? {
            return Err(Refusal::new(ErrorCode::Conflict, "there is a second factor already"));
        }
        let address = totp::address(&secret, &account.subject);
        Ok(Enrolment { secret: totp::readable(&secret), address })
    }

    /// Has the second factor asked for from now on, and returns codes to get in without, which are not shown again.
    ///
    /// # Errors
    /// `forbidden` when the code is not that of now, or nothing waits for one; `rate_limited`.
    pub async fn confirm_totp(&self, user: &UserId, code: &str) -> Result<Vec<String>, Refusal> {
        let wrong = || Refusal::new(ErrorCode::Forbidden, "the code is wrong");
        let subject = [super::throttle::Subject::account(user.as_str())];
        self.begin(&subject)?;
        let now = self.clock.now();
        let credentials = self.store.credentials(user).await?;
        let totp = credentials.and_then(|credentials| credentials.totp).ok_or_else(wrong)?;
        let step = totp::step_of(&totp.secret, code, now).ok_or_else(wrong)?;
        let codes = totp::recovery_codes();
        let hashes: Vec<_> = codes.iter().filter_map(|code| totp::recovery_hash(code)).collect();
        if !self.store.confirm_totp(user, step, &hashes, now).await? {
            return Err(wrong());
        }
        self.throttle.succeed(&subject);
        Ok(codes)
    }

    /// Takes the second factor away.
    ///
    /// # Errors
    /// `forbidden` when password or code is wrong; `rate_limited`.
    pub async fn remove_totp(&self, user: &UserId, password: &str, code: &str) -> Result<(), Refusal> {
        self.prove(user, password, code).await?;
        Ok(self.store.remove_totp(user).await?)
    }

    /// Has somebody who has signed in prove who they are with all that signing in takes.
    ///
    /// # Errors
    /// `forbidden` when password or code is wrong; `rate_limited`.
    pub(super) async fn prove(&self, user: &UserId, password: &str, code: &str) -> Result<(), Refusal> {
        let (account, credentials) = self.proven(user, password).await?;
        if let Some(totp) = credentials.totp.filter(|totp| totp.since.is_some()) {
            // Who knows the password has as few codes to try as at a sign-in.
            let subject = [super::throttle::Subject::account(&format!("code of {}", account.subject))];
            self.begin(&subject)?;
            if !take(&*self.store, user, &totp, code, self.clock.now()).await? {
                return Err(Refusal::new(ErrorCode::Forbidden, "the code is wrong, or was used before"));
            }
            self.throttle.succeed(&subject);
        }
        Ok(())
    }

    /// As [`Self::prove`]. Whom a provider signs in, and who so has no password here, proves it there: by a sign-in of at most
    /// [`FRESH`] ms ago.
    ///
    /// # Errors
    /// As [`Self::prove`]; `forbidden` when that sign-in is older.
    pub(super) async fn prove_anew(
        &self,
        user: &UserId,
        sign_in: &str,
        password: &str,
        code: &str,
    ) -> Result<(), Refusal> {
        if self.store.credentials(user).await?.is_some() {
            return self.prove(user, password, code).await;
        }
        let now = self.clock.now();
        let sign_ins = self.store.sign_ins(user, now).await?;
        if sign_ins.iter().any(|one| one.id == sign_in && now - one.created_at <= FRESH) {
            return Ok(());
        }
        let why =
            "this account has no password here: sign in again with its provider, and try within ten minutes";
        Err(Refusal::new(ErrorCode::Forbidden, why))
    }

    /// Tells whether a user has a password, and whether a second factor is asked for.
    ///
    /// # Errors
    /// Storage does not oblige.
    pub async fn has(&self, user: &UserId) -> Result<(bool, bool), Refusal> {
        let Some(credentials) = self.store.credentials(user).await? else { return Ok((false, false)) };
        Ok((true, credentials.totp.is_some_and(|totp| totp.since.is_some())))
    }
}

/// Takes a code, of the second factor or to get in without; tells whether it was good. It is not a second time.
pub(super) async fn take(
    store: &dyn accounts::Accounts,
    user: &UserId,
    totp: &Totp,
    code: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    let code = code.trim();
    if let Some(step) = totp::step_of(&totp.secret, code, now) {
        return store.take_totp_step(user, step).await;
    }
    match totp::recovery_hash(code) {
        Some(hash) => store.take_recovery_code(user, &hash).await,
        None => Ok(false),
    }
}
