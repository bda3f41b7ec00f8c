//! Secrets that this server makes itself: random, long, and kept as hashes only. They are too random to be guessed, so that a
//! plain SHA-256 is enough; for passwords see [`passwords`](super::passwords).

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::storage::accounts::{Hash, RefreshHash};

/// What service tokens begin with: one that has got into a public place can be found there.
pub const SERVICE_PREFIX: &str = "qk_";

const REFRESH_PREFIX: &str = "qr_";
const RESET_PREFIX: &str = "qp_";

/// Bytes of a refresh token that all of its family have; it has as many again, twice, of its own.
const FAMILY: usize = 16;
const REFRESH: usize = 3 * FAMILY;

/// Draws bytes that nobody can foresee.
///
/// # Panics
/// The operating system has no randomness: nothing can be secret then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("the system has no randomness: {error}"));
    bytes
}

/// Returns the SHA-256 of something.
pub fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Makes a service token: 256 random bits. What is kept of it is [`hash`].
pub fn service_token() -> String {
    SERVICE_PREFIX.to_owned() + &BASE64URL_NOPAD.encode(&random::<32>())
}

/// Makes what is sent to somebody to set a password anew. What is kept of it is [`hash`].
pub fn reset_token() -> String {
    RESET_PREFIX.to_owned() + &BASE64URL_NOPAD.encode(&random::<32>())
}

/// A refresh token: 128 random bits that its family has in common, and 256 of its own. Whoever shows the first with others than the
/// last of these has an old one, or guesses at a family that cannot be known without one.
pub struct RefreshToken([u8; REFRESH]);

impl RefreshToken {
    /// Makes the first of a new family.
    pub fn first() -> Self {
        Self(random())
    }

    /// Makes the one that follows in the same family.
    pub fn next(&self) -> Self {
        let mut next: [u8; REFRESH] = random();
        next[..FAMILY].copy_from_slice(&self.0[..FAMILY]);
        Self(next)
    }

    /// Reads one; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(REFRESH_PREFIX)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// Returns it as it is handed out.
    pub fn reveal(&self) -> String {
        REFRESH_PREFIX.to_owned() + &BASE64URL_NOPAD.encode(&self.0)
    }

    /// Returns what is kept of it.
    pub fn hash(&self) -> RefreshHash {
        RefreshHash { family: hash(&self.0[..FAMILY]), token: hash(&self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_read_as_it_was_handed_out_and_keeps_its_family() {
        let first = RefreshToken::first();
        let read = RefreshToken::parse(&first.reveal()).unwrap();
        assert!(read.hash() == first.hash());
        let next = first.next();
        assert!(next.hash().family == first.hash().family && next.hash().token != first.hash().token);
        assert!(RefreshToken::first().hash().family != first.hash().family);
        for bad in ["", "qr_", "qr_AAAA", &first.reveal()[1..], &format!("{}A", first.reveal())] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }
}
