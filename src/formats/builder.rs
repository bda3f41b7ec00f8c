//! A document as it is put together line by line, from formats that nest.

use crate::ot::{Attributes, Delta, Embed};

/// A delta that grows at its end. White space is set as HTML does it: a row of it is one space, and at the edges of a line it
/// is nothing.
#[derive(Default)]
pub struct Builder {
    delta: Delta,
    /// Something stands in the line that has not been ended yet.
    is_open: bool,
    /// A space that will be written once something follows it in the line.
    space: Option<Attributes>,
}

impl Builder {
    /// Tells whether something stands in the line.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Adds text to the line, its white space collapsed.
    pub fn flow(&mut self, text: &str, attributes: &Attributes) {
        for (i, word) in text.split(is_space).enumerate() {
            if i > 0 && self.is_open && self.space.is_none() {
                self.space = Some(attributes.clone());
            }
            if !word.is_empty() {
                self.write_space();
                self.write(word, attributes);
            }
        }
    }

    /// Adds text to the line as it is; it has no line end in it.
    pub fn verbatim(&mut self, text: &str, attributes: &Attributes) {
        if !text.is_empty() {
            self.write_space();
            self.write(text, attributes);
        }
    }

    /// Adds an object to the line.
    pub fn embed(&mut self, embed: Embed, attributes: Attributes) {
        self.write_space();
        self.delta = std::mem::take(&mut self.delta).insert_embed(embed, attributes);
        self.is_open = true;
    }

    /// Ends the line, also an empty one, and says what it is.
    pub fn end_line(&mut self, attributes: Attributes) {
        self.space = None;
        self.is_open = false;
        self.delta = std::mem::take(&mut self.delta).insert("\n", attributes);
    }

    /// Adds the lines of another document.
    pub fn append(&mut self, lines: &Delta) {
        self.delta = std::mem::take(&mut self.delta).concat(lines);
    }

    /// Returns what was put together.
    pub fn finish(mut self) -> Delta {
        if self.is_open {
            self.end_line(Attributes::NONE);
        }
        self.delta
    }

    fn write_space(&mut self) {
        if let Some(attributes) = self.space.take() {
            self.write(" ", &attributes);
        }
    }

    fn write(&mut self, text: &str, attributes: &Attributes) {
        self.delta = std::mem::take(&mut self.delta).insert(text, attributes.clone());
        self.is_open = true;
    }
}

/// White space of HTML (<https://infra.spec.whatwg.org/#ascii-whitespace>): no other is collapsed.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Returns text with one kind of line end, and without U+0000, which no document has.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}")
}
