//! Writing JSON: strings, and lists with commas.

/// Appends `text` as a JSON string, with the escapes of JavaScript's `JSON.stringify`.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    string_content(out, text);
    out.push(b'"');
}

/// Appends `text` as it stands within the quotes of a JSON string.
pub(crate) fn string_content(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len());
    loop {
        let plain = plain_prefix(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&special) = rest.get(plain) else { return };
        escape(out, special);
        rest = &rest[plain + 1..];
    }
}

/// Number of leading bytes that stand for themselves in a JSON string: neither quote, backslash nor control character.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let is_special = |b: u8| b < 0x20 || b == b'"' || b == b'\\';
    let mut plain = 0;
    // Sixteen at a time: the compiler turns the inner test into a few vector instructions.
    while let Some(block) = bytes.get(plain..plain + 16) {
        if block.iter().fold(false, |found, &b| found | is_special(b)) {
            break;
        }
        plain += 16;
    }
    plain + bytes[plain..].iter().position(|&b| is_special(b)).unwrap_or(bytes.len() - plain)
}

fn escape(out: &mut Vec<u8>, special: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match special {
        b'"' | b'\\' => special,
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let (high, low) = (HEX[usize::from(special >> 4)], HEX[usize::from(special & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends `items` between `open` and `close`, with commas between them.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    open: u8,
    close: u8,
    items: impl Iterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(open);
    for (i, it) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        item(out, it);
    }
    out.push(close);
}

/// Appends a whole number in decimal digits.
pub(crate) fn whole(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_serde_json_writes_them() {
        let every_ascii: String = (0..=127).map(char::from).collect();
        for text in
            ["", "a", "a\"b\\c", "0123456789abcdef\n", "é😀\u{2028}", &every_ascii, &"long ".repeat(20)]
        {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn whole_numbers_are_written_to_the_last_digit() {
        for number in [0, 7, 10, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            whole(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
