//! Second factors: time-based codes (RFC 6238: HMAC-SHA-1, six digits, steps of 30 s), and codes to get in without.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::secrets::{hash, random};
use crate::ids::Millis;
use crate::storage::accounts::Hash;

/// Milliseconds that a code is shown for.
const STEP: Millis = 30_000;

/// How many steps the clock of a telephone may be away, to either side.
const SKEW: i64 = 1;

/// Bytes of a secret, as RFC 4226 section 4 has it.
const SECRET: usize = 20;

/// Codes to get in without, that somebody gets at once.
const RECOVERY_CODES: usize = 10;

/// Makes a secret.
pub fn secret() -> Vec<u8> {
    random::<SECRET>().to_vec()
}

/// Returns a secret as people type it into an application.
pub fn readable(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// Returns the address that applications read from a picture.
pub fn address(secret: &[u8], account: &str) -> String {
    let escaped: String = account.bytes().map(escape).collect();
    format!("otpauth://totp/quire:{escaped}?secret={}&issuer=quire", readable(secret))
}

fn escape(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte);
    if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

/// Finds the step around `now` whose code this is. The caller makes sure that none is taken twice.
pub fn step_of(secret: &[u8], code: &str, now: Millis) -> Option<i64> {
    let current = now.div_euclid(STEP);
    let mut found = None;
    for step in current - SKEW..=current + SKEW {
        let right = self::code(secret, step)?;
        if bool::from(right.as_bytes().ct_eq(code.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

/// Returns the code of a step (RFC 4226 section 5.3); `None` for a step before 1970.
pub(super) fn code(secret: &[u8], step: i64) -> Option<String> {
    let counter = u64::try_from(step).ok()?;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&counter.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 0xf);
    let bytes: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    Some(format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000))
}

/// Makes codes to get in without: 80 random bits each, good once.
pub fn recovery_codes() -> Vec<String> {
    let code = |_| {
        let text = BASE32_NOPAD.encode(&random::<10>()).to_ascii_lowercase();
        let parts: Vec<_> = text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        parts.join("-")
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// Returns what is kept of such a code, however it is written; `None` when it is none.
pub fn recovery_hash(code: &str) -> Option<Hash> {
    let plain: String = code.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    let bytes = BASE32_NOPAD_NOCASE.decode(plain.as_bytes()).ok()?;
    (bytes.len() == 10).then(|| hash(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step_of(secret, expected, seconds * 1_000), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_a_step_early_and_late_and_no_longer() {
        let (secret, now) = (secret(), 1_700_000_000_000);
        let code = code(&secret, now / STEP).unwrap();
        for (away, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            assert_eq!(step_of(&secret, &code, now + away * STEP).is_some(), good, "{away}");
        }
        for bad in ["", "12345", "1234567", "abcdef"] {
            assert_eq!(step_of(&secret, bad, now), None);
        }
    }

    #[test]
    fn recovery_codes_are_read_however_they_are_written() {
        let codes = recovery_codes();
        assert_eq!(codes.len(), 10);
        let hash = recovery_hash(&codes[0]).unwrap();
        assert_eq!(recovery_hash(&codes[0].to_uppercase().replace('-', " ")), Some(hash));
        assert_ne!(recovery_hash(&codes[1]), Some(hash));
        for bad in ["", "123456", "abcd-abcd", "abcd-abcd-abcd-abc1"] {
            assert_eq!(recovery_hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_holds_no_letter_that_could_end_it() {
        let address = address(b"12345678901234567890", "a&b?c@example.org");
        assert_eq!(
            address,
            "otpauth://totp/quire:a%26b%3Fc@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=quire"
        );
    }
}
