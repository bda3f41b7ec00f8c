//! Attribute maps: the formatting of a piece of text.

use std::fmt;
use std::sync::Arc;

use ecow::EcoString;

use super::value::{Value, write_entries};

/// Formatting by key, sorted by key; `null` on a retain removes the key. Values are opaque: nested objects are neither
/// merged nor transformed.
///
/// One word wide; the empty map allocates nothing and clones share the rest.
#[derive(Clone, Default)]
pub struct Attributes(Option<Arc<Map>>);

struct Map {
    entries: Vec<(EcoString, Value)>,
    /// Length of the whole map as JSON, in bytes.
    json_bytes: usize,
}

impl Attributes {
    /// No attributes.
    pub const NONE: Attributes = Attributes(None);

    pub fn new() -> Attributes {
        Attributes::NONE
    }

    /// The same with `key` set to `value`.
    #[must_use]
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Attributes {
        self.compose(&Attributes::from_sorted(vec![(key.into(), value.into())]), true)
    }

    /// `entries` sorted by key, each key once.
    pub(crate) fn from_sorted(entries: Vec<(EcoString, Value)>) -> Attributes {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
        if entries.is_empty() {
            return Attributes::NONE;
        }
        let mut json = Vec::new();
        write_entries(&mut json, entries.iter().map(|(key, value)| (key.as_str(), value)));
        Attributes(Some(Arc::new(Map { entries, json_bytes: json.len() })))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        let entries = self.entries();
        let found = entries.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
        Some(&entries[found].1)
    }

    /// The entries, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries().iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Appends the map as JSON: `{}` if it is empty.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write_entries(out, self.iter());
    }

    /// Length as JSON in bytes; 0 if there are none, since then nothing is written.
    pub fn json_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.json_bytes)
    }

    /// These attributes, then `after` on top of them. With `keep_null` removals stay in the result (both are of retains);
    /// without, they have been done (these are of an insert).
    #[must_use]
    pub fn compose(&self, after: &Attributes, keep_null: bool) -> Attributes {
        if after.is_empty() {
            return self.clone();
        }
        if self.is_empty() && (keep_null || !after.has_null()) {
            return after.clone();
        }
        self.merge(after, |side| match side {
            Side::Left(value) => Some(value.clone()),
            Side::Right(value) | Side::Both(_, value) => {
                (keep_null || !value.is_null()).then(|| value.clone())
            }
        })
    }

    /// What `later` comes to beside these attributes. With `priority` these were first and win every key that both set.
    #[must_use]
    pub fn transform(&self, later: &Attributes, priority: bool) -> Attributes {
        if !priority || self.is_empty() || later.is_empty() {
            return later.clone();
        }
        self.merge(later, |side| match side {
            Side::Right(value) => Some(value.clone()),
            Side::Left(_) | Side::Both(..) => None,
        })
    }

    /// The attributes that undo these on text formatted as `base`.
    ///
    /// As in quill-delta, a key whose primitive value was already there is left out, an equal object is not.
    #[must_use]
    pub fn invert(&self, base: &Attributes) -> Attributes {
        self.merge(base, |side| match side {
            Side::Left(_) => Some(Value::Null),
            Side::Right(_) => None,
            Side::Both(new, old) => (!new.is_same_primitive(old)).then(|| old.clone()),
        })
    }

    /// The attributes that turn these into `other`.
    #[must_use]
    pub fn diff(&self, other: &Attributes) -> Attributes {
        if self == other {
            return Attributes::NONE;
        }
        self.merge(other, |side| match side {
            Side::Left(_) => Some(Value::Null),
            Side::Right(value) => Some(value.clone()),
            Side::Both(old, new) => (old != new).then(|| new.clone()),
        })
    }

    /// The attributes without their removals.
    #[must_use]
    pub(crate) fn without_null(&self) -> Attributes {
        if !self.has_null() {
            return self.clone();
        }
        Attributes::from_sorted(
            self.entries().iter().filter(|(_, value)| !value.is_null()).cloned().collect(),
        )
    }

    fn has_null(&self) -> bool {
        self.entries().iter().any(|(_, value)| value.is_null())
    }

    fn entries(&self) -> &[(EcoString, Value)] {
        self.0.as_ref().map_or(&[], |map| &map.entries)
    }

    /// Walks the keys of both maps in order; a key goes into the result with the value that `pick` gives, if any.
    fn merge(&self, other: &Attributes, pick: impl Fn(Side<'_>) -> Option<Value>) -> Attributes {
        let (mut left, mut right) = (self.entries(), other.entries());
        let mut merged = Vec::with_capacity(left.len() + right.len());
        loop {
            let (key, side) = match (left, right) {
                ([], []) => return Attributes::from_sorted(merged),
                ([(key, a), rest @ ..], [(other_key, b), other_rest @ ..]) if key == other_key => {
                    (left, right) = (rest, other_rest);
                    (key, Side::Both(a, b))
                }
                ([(key, a), rest @ ..], []) => {
                    left = rest;
                    (key, Side::Left(a))
                }
                ([(key, a), rest @ ..], [(other_key, _), ..]) if key < other_key => {
                    left = rest;
                    (key, Side::Left(a))
                }
                (_, [(key, b), rest @ ..]) => {
                    right = rest;
                    (key, Side::Right(b))
                }
            };
            if let Some(value) = pick(side) {
                merged.push((key.clone(), value));
            }
        }
    }
}

/// Where a key was found, with its values.
enum Side<'a> {
    Left(&'a Value),
    Right(&'a Value),
    Both(&'a Value, &'a Value),
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Attributes) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            // Runs that came from one run share their attributes, so most comparisons end at the pointer.
            (Some(a), Some(b)) => {
                Arc::ptr_eq(a, b) || (a.json_bytes == b.json_bytes && a.entries == b.entries)
            }
            _ => false,
        }
    }
}

impl Eq for Attributes {}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = Vec::new();
        self.write_json(&mut json);
        f.write_str(&String::from_utf8_lossy(&json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_key_wins() {
        let first = Attributes::new().with("bold", true);
        let later = Attributes::new().with("bold", Value::Null).with("color", "red");
        assert_eq!(first.transform(&later, true), Attributes::new().with("color", "red"));
        assert_eq!(first.transform(&later, false), later);
    }

    #[test]
    fn a_removal_is_done_on_an_insert_and_kept_on_a_retain() {
        let bold = Attributes::new().with("bold", true);
        let removal = Attributes::new().with("bold", Value::Null);
        assert_eq!(bold.compose(&removal, false), Attributes::NONE);
        assert_eq!(bold.compose(&removal, true), removal);
    }

    #[test]
    fn one_word_holds_them() {
        assert_eq!(size_of::<Attributes>(), size_of::<usize>());
    }
}
