//! JSON values of attributes and embeds, in one canonical form.

use ecow::{EcoString, EcoVec};

use super::write;

/// A JSON value. Values are equal as JSON is: objects in any order of keys, numbers by what they are worth (1 and 1.0 are
/// one number, so are 0 and -0). Clones share what is large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(EcoString),
    Array(EcoVec<Value>),
    Object(Object),
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(number.get()),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The value at `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(object) => object.get(key),
            _ => None,
        }
    }

    /// Appends the value as JSON without white space, keys in order of their bytes.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Number(number) => number.write_json(out),
            Value::String(string) => write::string(out, string),
            Value::Array(values) => {
                write::list(out, b'[', b']', values.iter(), |out, value| value.write_json(out));
            }
            Value::Object(object) => write_entries(out, object.iter()),
        }
    }

    /// What JavaScript's `===` says of two values that come from different places: objects and arrays are never the same.
    pub(crate) fn is_same_primitive(&self, other: &Value) -> bool {
        !matches!(self, Value::Array(_) | Value::Object(_)) && self == other
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Number(Number(value.into()))
    }
}

/// The entries of a JSON object, sorted by key; each key is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(EcoVec<(EcoString, Value)>);

impl Object {
    /// `entries` sorted by key, each key once.
    pub(crate) fn from_sorted(entries: EcoVec<(EcoString, Value)>) -> Object {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        Object(entries)
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
        Some(&self.0[found].1)
    }

    /// The entries, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// Appends an object of `entries`.
pub(crate) fn write_entries<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = (&'a str, &'a Value)>) {
    write::list(out, b'{', b'}', entries, |out, (key, value)| {
        write::string(out, key);
        out.push(b':');
        value.write_json(out);
    });
}

/// A finite 64-bit float; zero has no sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(f64);

// Only NaN is unequal to itself, and it cannot get in.
impl Eq for Number {}

impl Number {
    /// `None` for what JSON cannot write: NaN and the infinities.
    pub fn new(value: f64) -> Option<Number> {
        // Adding 0 turns -0 into 0 and changes nothing else.
        value.is_finite().then_some(Number(value + 0.0))
    }

    pub fn get(self) -> f64 {
        self.0
    }

    /// Appends the number so that it is read back as the same float: whole numbers below 10^21 with all their digits (so
    /// that a reader with big integers gets the float's very value), others as JavaScript writes them.
    fn write_json(self, out: &mut Vec<u8>) {
        use std::io::Write;

        let size = self.0.abs();
        // Writing to a Vec does not fail.
        let _ = if size < 1e21 && self.0.fract() == 0.0 {
            write!(out, "{}", self.0 as i128)
        } else if (1e-6..1e21).contains(&size) {
            write!(out, "{}", self.0)
        } else {
            let text = format!("{:e}", self.0);
            write!(out, "{}", if size < 1.0 { text } else { text.replace('e', "e+") })
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: f64) -> String {
        let mut out = Vec::new();
        Number::new(number).unwrap().write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let cases = [
            (1.0, "1"),
            (-0.0, "0"),
            (-12.5, "-12.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (9_007_199_254_740_992.0, "9007199254740992"),
        ];
        for (number, text) in cases {
            assert_eq!(written(number), text);
        }
    }

    #[test]
    fn large_whole_numbers_keep_all_their_digits() {
        assert_eq!(written(18_446_744_073_709_551_616.0), "18446744073709551616");
    }
}
