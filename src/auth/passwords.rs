//! Passwords: argon2id, on threads that may block, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::secrets::random;
use crate::actors::error::{ErrorCode, Refusal};

/// The shortest and the longest password, in characters.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 10..=256;

/// How long one waits for its turn, at most. Each takes some 20 ms and 19 MiB (the parameters are the library's: m = 19 MiB, t = 2,
/// p = 1, which are OWASP's).
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Works that may be waiting; more are refused at once.
const WAITING: usize = 256;

/// Hashes and compares passwords.
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Of no password: what is compared where nobody has one, so that it takes as long.
    dummy: String,
}

impl Passwords {
    /// Lets `at_once` be worked on together.
    ///
    /// # Errors
    /// The library refuses its own parameters.
    pub fn new(at_once: usize) -> anyhow::Result<Self> {
        let dummy = hash_now(&random::<32>()).map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
        let turns = Arc::new(Semaphore::new(at_once.max(1)));
        Ok(Self { turns, queue: Arc::new(Semaphore::new(WAITING)), dummy })
    }

    /// Hashes a password: a PHC string.
    ///
    /// # Errors
    /// `unavailable` when too many others are waiting.
    pub async fn hash(&self, password: &str) -> Result<String, Refusal> {
        let (turn, password) = (self.turn().await?, password.to_owned());
        let hashed = spawn_blocking(move || {
            let _turn = turn;
            hash_now(password.as_bytes())
        });
        let internal = |error: &dyn std::fmt::Display| Refusal::new(ErrorCode::Internal, error.to_string());
        hashed.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
    }

    /// Compares a password with a hash. Without one it takes as long, and is never right.
    ///
    /// # Errors
    /// `unavailable` when too many others are waiting.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Refusal> {
        let (turn, password) = (self.turn().await?, password.to_owned());
        let (is_real, hash) = (hash.is_some(), hash.unwrap_or(&self.dummy).to_owned());
        let verified = spawn_blocking(move || {
            let _turn = turn;
            let parsed = PasswordHash::new(&hash);
            parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        });
        let verified = verified.await;
        Ok(verified.map_err(|error| Refusal::new(ErrorCode::Internal, error.to_string()))? && is_real)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let busy = || Refusal::unavailable("too many passwords are being checked");
        let _waiting = self.queue.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(TURN_WITHIN, self.turns.clone().acquire_owned()).await;
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }
}

/// Checks a password that somebody chooses.
///
/// # Errors
/// In words: it is too short or too long, or the address itself.
pub fn check_choice(password: &str, email: &str) -> Result<(), &'static str> {
    if !LENGTHS.contains(&password.chars().count()) {
        return Err("a password has 10 to 256 characters");
    }
    let same = password.eq_ignore_ascii_case(email)
        || email.split_once('@').is_some_and(|(name, _)| password.eq_ignore_ascii_case(name));
    if same { Err("a password is not the address") } else { Ok(()) }
}

/// Hashes on this very thread, for commands.
///
/// # Errors
/// The library's.
pub fn hash_now(password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    let hashed: PasswordHash = Argon2::default().hash_password_with_salt(password, &random::<16>())?;
    Ok(hashed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let passwords = Passwords::new(2).unwrap();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap());
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        for (password, hash) in [("Correct horse", Some(&*hash)), ("x", Some("rubbish")), ("", None)] {
            assert!(!passwords.verify(password, hash).await.unwrap(), "{password}");
        }
    }

    #[test]
    fn a_choice_is_long_enough_and_not_the_address() {
        assert!(check_choice("ten charac", "ada@example.org").is_ok());
        for bad in ["nine char", &"x".repeat(257), "ADA.LOVELACE", "ada.lovelace@example.org"] {
            assert!(check_choice(bad, "ada.lovelace@example.org").is_err(), "{bad}");
        }
    }
}
