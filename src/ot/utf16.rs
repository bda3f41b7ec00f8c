//! Counting a UTF-8 string in UTF-16 code units, without converting it.

/// How many bytes are counted at a time before the place is looked for within them.
const STRIDE: usize = 64;

/// Number of UTF-16 code units of `text`: one per character, two for one beyond U+FFFF.
pub(crate) fn units(text: &str) -> usize {
    count(text.as_bytes())
}

/// Byte offset of the place `at` code units into `text`; past the end it is the end.
///
/// `Err` is the byte offset of the character whose surrogate pair the place would cut.
pub(crate) fn byte_at(text: &str, at: usize) -> Result<usize, usize> {
    let bytes = text.as_bytes();
    let mut passed = 0;
    let mut byte = 0;
    while let Some(stride) = bytes.get(byte..byte + STRIDE) {
        let next = passed + count(stride);
        if next > at {
            break;
        }
        passed = next;
        byte += STRIDE;
    }
    for (offset, &b) in bytes[byte..].iter().enumerate() {
        if is_continuation(b) {
            continue;
        }
        if passed == at {
            return Ok(byte + offset);
        }
        let width = 1 + usize::from(b >= 0xf0);
        if passed + width > at {
            return Err(byte + offset);
        }
        passed += width;
    }
    Ok(bytes.len())
}

/// Code units that begin in `bytes`, which may start and end within a character.
fn count(bytes: &[u8]) -> usize {
    bytes.iter().map(|&b| usize::from(!is_continuation(b)) + usize::from(b >= 0xf0)).sum()
}

fn is_continuation(b: u8) -> bool {
    b & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_agree_with_a_conversion_to_utf16() {
        let text = "aé漢😀\u{10ffff}z".repeat(40);
        assert_eq!(units(&text), text.encode_utf16().count());
        let mut at = 0;
        for (byte, c) in text.char_indices() {
            assert_eq!(byte_at(&text, at), Ok(byte));
            if c.len_utf16() == 2 {
                assert_eq!(byte_at(&text, at + 1), Err(byte));
            }
            at += c.len_utf16();
        }
        assert_eq!(byte_at(&text, at), Ok(text.len()));
        assert_eq!(byte_at(&text, at + 5), Ok(text.len()));
    }
}
