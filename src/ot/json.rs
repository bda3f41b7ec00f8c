//! Reads JSON strictly, one token after the other, and refuses what replicas in other languages would read otherwise.
//!
//! Nothing is read twice, and memory stays within a small multiple of the text. Nesting is bounded, so the recursion of
//! [`Reader::value`] is too.

use std::borrow::Cow;

use ecow::{EcoString, EcoVec};

use super::attributes::Attributes;
use super::error::Flaw;
use super::value::{Number, Object, Value};
use super::write::plain_prefix;

/// Longest key of an attribute map, an embed or an object within, in bytes.
const KEY_BYTES: usize = 256;
/// Deepest nesting of an attribute map or embed, itself counted.
const DEPTH: usize = 16;
/// Most digits of a whole number within the range of a 64-bit float.
const WHOLE_DIGITS: usize = 309;
/// How much of an offending key or number is quoted in a message, in characters.
const QUOTED: usize = 40;

/// Properties that every JavaScript object has: `a[key]` finds them on an empty one, so JavaScript replicas lose such keys.
const PROTOTYPE_KEYS: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// A place in a JSON text.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// The first byte of the next token.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Takes `token` if it is next.
    pub(crate) fn take(&mut self, token: u8) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    /// Takes `token`, which must be next.
    pub(crate) fn expect(&mut self, token: u8, name: &'static str) -> Result<(), Flaw> {
        if self.take(token) { Ok(()) } else { Err(self.not_json(name)) }
    }

    /// The text from here on.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes `len` bytes, which are known.
    pub(crate) fn skip(&mut self, len: usize) {
        self.at += len;
    }

    /// Nothing may follow.
    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        if self.peek().is_none() { Ok(()) } else { Err(self.not_json("the end of the text")) }
    }

    /// After an item of a list that `close` ends: whether another one follows.
    pub(crate) fn another(&mut self, close: u8) -> Result<bool, Flaw> {
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(close) { Ok(false) } else { Err(self.not_json("a comma or the end of the list")) }
    }

    /// The key of an object's entry, and the colon after it.
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, Flaw> {
        let key = self.string()?;
        self.expect(b':', "a colon")?;
        Ok(key)
    }

    /// A string. It is borrowed if it has no escapes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Flaw> {
        self.expect(b'"', "a string")?;
        let plain = self.plain();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut string = String::with_capacity(plain.len() + 16);
        string.push_str(plain);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(string));
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                _ => return Err(self.not_json("the end of a string")),
            }
            string.push_str(self.plain());
        }
    }

    /// The characters up to the next quote, backslash or control character.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        self.at += plain_prefix(&self.text.as_bytes()[start..]);
        // What ends it is ASCII, so it is no part of a character.
        &self.text[start..self.at]
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Flaw> {
        let Some(kind) = self.byte() else { return Err(self.not_json("an escape")) };
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(self.not_json("an escape")),
        })
    }

    /// What follows `\u`: one code unit, or a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, Flaw> {
        let unit = self.code_unit()?;
        match unit {
            0 => Err(Flaw::Nul),
            0xd800..0xdc00 => {
                if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                    return Err(Flaw::LoneSurrogate);
                }
                self.at += 2;
                let low = self.code_unit()?;
                char::decode_utf16([unit, low]).next().and_then(Result::ok).ok_or(Flaw::LoneSurrogate)
            }
            _ => char::from_u32(unit.into()).ok_or(Flaw::LoneSurrogate),
        }
    }

    /// Four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u16, Flaw> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let unit = digits.and_then(|digits| {
            digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
        });
        let Some(unit) = unit else { return Err(self.not_json("four hexadecimal digits")) };
        self.at += 4;
        // Four hexadecimal digits are 16 bits.
        Ok(unit as u16)
    }

    /// A number, as it is written.
    fn number_text(&mut self) -> Result<&'a str, Flaw> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Flaw> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { Err(self.not_json("a digit")) } else { Ok(()) }
    }

    /// A length or position called `name`.
    pub(crate) fn length(&mut self, name: &'static str) -> Result<u64, Flaw> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(Flaw::BadLength(name));
        }
        let text = self.number_text()?;
        if text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(text.bytes().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        }
        let value: f64 = text.parse().map_err(|_| Flaw::BadLength(name))?;
        if value.fract() == 0.0 && (0.0..=super::MAX_LENGTH as f64).contains(&value) {
            Ok(value as u64)
        } else {
            Err(Flaw::BadLength(name))
        }
    }

    fn number(&mut self) -> Result<Number, Flaw> {
        let text = self.number_text()?;
        let is_whole = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if is_whole && text.len() > WHOLE_DIGITS + 1 {
            return Err(Flaw::HugeNumber);
        }
        let value: f64 = text.parse().map_err(|_| Flaw::HugeNumber)?;
        // Formatting with a precision gives the float's exact value; up to 15 digits every whole number has one.
        if is_whole && text.len() > 15 && value.is_finite() && format!("{value:.0}") != text {
            return Err(Flaw::InexactNumber(quoted(text)));
        }
        Number::new(value).ok_or(Flaw::HugeNumber)
    }

    /// A value, `depth` levels within an attribute map or embed.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Value, Flaw> {
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.checked_string()?)),
            Some(b'{') => {
                let entries = self.entries(depth + 1, usize::MAX)?;
                Ok(Value::Object(Object::from_sorted(entries.into_iter().collect())))
            }
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.not_json("a value")),
        }
    }

    /// Takes `word`, which stands for `value`.
    pub(crate) fn word<T>(&mut self, word: &'static str, value: T) -> Result<T, Flaw> {
        self.peek();
        if !self.text[self.at..].starts_with(word) {
            return Err(self.not_json("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn checked_string(&mut self) -> Result<EcoString, Flaw> {
        Ok(EcoString::from(self.string()?.as_ref()))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Flaw> {
        check_depth(depth)?;
        self.expect(b'[', "an array")?;
        let mut values = EcoVec::new();
        if self.take(b']') {
            return Ok(Value::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            if !self.another(b']')? {
                return Ok(Value::Array(values));
            }
        }
    }

    /// An attribute map of at most `limit` keys.
    pub(crate) fn attributes(&mut self, limit: usize) -> Result<Attributes, Flaw> {
        Ok(Attributes::from_sorted(self.entries(1, limit)?))
    }

    /// The one entry of an embed.
    pub(crate) fn embed_entry(&mut self) -> Result<(EcoString, Value), Flaw> {
        let entries = self.entries(1, 1).map_err(|flaw| match flaw {
            Flaw::TooManyAttributes { .. } => Flaw::BadEmbed,
            flaw => flaw,
        })?;
        entries.into_iter().next().ok_or(Flaw::BadEmbed)
    }

    /// The entries of an object, sorted by key, at most `limit`.
    fn entries(&mut self, depth: usize, limit: usize) -> Result<Vec<(EcoString, Value)>, Flaw> {
        check_depth(depth)?;
        self.expect(b'{', "an object")?;
        let mut entries = Vec::new();
        if self.take(b'}') {
            return Ok(entries);
        }
        loop {
            let key = self.key()?;
            check_key(&key)?;
            if entries.len() == limit {
                return Err(Flaw::TooManyAttributes { limit });
            }
            entries.push((EcoString::from(key.as_ref()), self.value(depth)?));
            if !self.another(b'}')? {
                break;
            }
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        match entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(Flaw::DuplicateKey(quoted(&pair[0].0))),
            None => Ok(entries),
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn not_json(&self, expected: &'static str) -> Flaw {
        Flaw::NotJson { at: self.at, expected }
    }
}

/// The beginning of `text`, for a message.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

fn check_depth(depth: usize) -> Result<(), Flaw> {
    if depth > DEPTH { Err(Flaw::TooDeep { limit: DEPTH }) } else { Ok(()) }
}

fn check_key(key: &str) -> Result<(), Flaw> {
    if key.len() > KEY_BYTES {
        return Err(Flaw::LongKey { limit: KEY_BYTES });
    }
    if PROTOTYPE_KEYS.contains(&key) {
        return Err(Flaw::PrototypeKey(key.to_owned()));
    }
    Ok(())
}
