//! Text that knows its length in UTF-16 code units.

use std::fmt;

use ecow::EcoString;

use super::utf16;

/// Well-formed text with its length in UTF-16 code units. Up to 15 bytes are held in place; longer text is shared by its
/// clones.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text {
    string: EcoString,
    units: usize,
}

impl Text {
    pub fn as_str(&self) -> &str {
        &self.string
    }

    /// Length in UTF-16 code units.
    pub fn units(&self) -> u64 {
        self.units as u64
    }

    pub fn is_empty(&self) -> bool {
        self.units == 0
    }

    /// `string`, which is `units` long.
    pub(crate) fn with_units(string: &str, units: usize) -> Text {
        debug_assert_eq!(units, utf16::units(string));
        Text { string: string.into(), units }
    }

    /// Appends `other`.
    pub(crate) fn push(&mut self, other: &Text) {
        self.string.push_str(&other.string);
        self.units += other.units;
    }

    /// The code units from `start` to `end`, which may be past the end of the text.
    ///
    /// A half of a surrogate pair that is cut off becomes U+FFFD, so that lengths stay what they were. Servers never get
    /// there: an edit that cuts a pair is refused by [`Document::check`](super::Document::check).
    pub(crate) fn slice(&self, start: u64, end: u64) -> Text {
        let end = self.units().min(end);
        let start = start.min(end);
        if start == end {
            return Text::default();
        }
        if start == 0 && end == self.units() {
            return self.clone();
        }
        // Both are at most `self.units`, a usize.
        let (start, end) = (start as usize, end as usize);
        let units = end - start;
        if self.units == self.string.len() {
            return Text { string: self.string[start..end].into(), units };
        }
        let mut string = EcoString::new();
        let from = utf16::byte_at(&self.string, start).unwrap_or_else(|cut| {
            string.push(char::REPLACEMENT_CHARACTER);
            cut + 4
        });
        match utf16::byte_at(&self.string, end) {
            Ok(to) => string.push_str(&self.string[from..to]),
            Err(to) => {
                string.push_str(&self.string[from..to]);
                string.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Text { string, units }
    }
}

impl From<&str> for Text {
    fn from(string: &str) -> Text {
        Text { units: utf16::units(string), string: string.into() }
    }
}

impl From<String> for Text {
    fn from(string: String) -> Text {
        Text { units: utf16::units(&string), string: string.into() }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.string.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_pair_keeps_its_length() {
        let text = Text::from("a😀b");
        for start in 0..=4 {
            for end in start..=4 {
                let slice = text.slice(start, end);
                assert_eq!(slice.units(), end - start);
                assert_eq!(slice.units(), utf16::units(slice.as_str()) as u64);
            }
        }
        assert_eq!(text.slice(1, 3).as_str(), "😀");
        assert_eq!(text.slice(2, 9).as_str(), "\u{fffd}b");
        assert_eq!(text.slice(0, 2).as_str(), "a\u{fffd}");
    }
}
