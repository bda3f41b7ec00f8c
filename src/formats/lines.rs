//! A document as lines: what Quill's model makes of a delta.

use crate::ot::{Attributes, Delta, Embed, Insert, Op, Value};

use super::url::safe_link;

/// The most that a line can be indented, as in Quill.
const MAX_INDENT: f64 = 8.0;

/// One line, without the `\n` that ends it.
pub struct Line<'a> {
    pub spans: Vec<Span<'a>>,
    /// What is on the `\n`; nothing for a last line that has none.
    attributes: &'a Attributes,
}

/// A piece of a line with one formatting.
pub struct Span<'a> {
    pub content: Content<'a>,
    attributes: &'a Attributes,
}

/// What a span holds.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// Not empty, without `\n`.
    Text(&'a str),
    Embed(&'a Embed),
}

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    Paragraph,
    /// Level 1 to 6.
    Heading(u8),
    Quote,
    /// The language, if it is known.
    Code(Option<&'a str>),
    Item(Marker),
}

/// What stands before an item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    Bullet,
    Number,
    /// A box, ticked or not.
    Box(bool),
}

/// Formatting of letters that more than one format knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Bold,
    Italic,
    Underline,
    Strike,
    Code,
}

impl Style {
    fn key(self) -> &'static str {
        match self {
            Self::Bold => "bold",
            Self::Italic => "italic",
            Self::Underline => "underline",
            Self::Strike => "strike",
            Self::Code => "code",
        }
    }
}

/// Splits a document into its lines. The empty document has none, and so has the place behind the last `\n`.
pub fn lines(document: &Delta) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut spans = Vec::new();
    for op in document.ops() {
        let Op::Insert { insert, attributes } = op else { continue };
        match insert {
            Insert::Embed(embed) => spans.push(Span { content: Content::Embed(embed), attributes }),
            Insert::Text(text) => {
                let mut parts = text.as_str().split('\n');
                let last = parts.next_back().unwrap_or_default();
                for part in parts {
                    push_text(&mut spans, part, attributes);
                    lines.push(Line { spans: std::mem::take(&mut spans), attributes });
                }
                push_text(&mut spans, last, attributes);
            }
        }
    }
    if !spans.is_empty() {
        lines.push(Line { spans, attributes: &Attributes::NONE });
    }
    lines
}

fn push_text<'a>(spans: &mut Vec<Span<'a>>, text: &'a str, attributes: &'a Attributes) {
    if !text.is_empty() {
        spans.push(Span { content: Content::Text(text), attributes });
    }
}

impl<'a> Line<'a> {
    /// Returns what kind of line it is. Quill gives a line one kind; of several, the first known one counts here.
    pub fn block(&self) -> Block<'a> {
        let attributes = self.attributes;
        match attributes.get("code-block") {
            Some(Value::Bool(true)) => return Block::Code(None),
            Some(Value::String(language)) => {
                return Block::Code(Some(language.as_str()).filter(|name| is_language(name)));
            }
            _ => {}
        }
        if let Some(level) = attributes.get("header").and_then(Value::as_f64)
            && (1..=6).any(|known| level == f64::from(known))
        {
            return Block::Heading(level as u8);
        }
        match attributes.get("list").and_then(Value::as_str) {
            Some("bullet") => return Block::Item(Marker::Bullet),
            Some("ordered") => return Block::Item(Marker::Number),
            Some("checked") => return Block::Item(Marker::Box(true)),
            Some("unchecked") => return Block::Item(Marker::Box(false)),
            _ => {}
        }
        if attributes.get("blockquote").and_then(Value::as_bool) == Some(true) {
            Block::Quote
        } else {
            Block::Paragraph
        }
    }

    /// Returns how far it is indented: 0 to 8.
    pub fn indent(&self) -> u8 {
        let indent = self.attributes.get("indent").and_then(Value::as_f64).unwrap_or(0.0);
        indent.clamp(0.0, MAX_INDENT) as u8
    }

    /// Returns the value of an attribute of the line that is a string.
    pub fn attribute(&self, key: &str) -> Option<&'a str> {
        self.attributes.get(key)?.as_str()
    }

    /// Tells whether this line and the `next` are written as one block: items of a list, a quote, a piece of code.
    pub fn continues(&self, next: &Line<'_>) -> bool {
        match (self.block(), next.block()) {
            (Block::Item(_), Block::Item(_)) | (Block::Quote, Block::Quote) => true,
            (Block::Code(language), Block::Code(other)) => language == other,
            _ => false,
        }
    }

    /// Tells whether nothing of it is to be seen.
    pub fn is_blank(&self) -> bool {
        self.spans.iter().all(|span| matches!(span.content, Content::Text(text) if text.trim().is_empty()))
    }

    /// Appends the text of the line alone, as code is written; embeds have no place in it.
    pub fn write_text(&self, out: &mut String) {
        for span in &self.spans {
            if let Content::Text(text) = span.content {
                out.push_str(text);
            }
        }
    }
}

/// What is told as the language of code ends up in class names and info strings.
pub fn is_language(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'#' | b'.' | b'_');
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

impl<'a> Span<'a> {
    /// Tells whether a style is on.
    pub fn has(&self, style: Style) -> bool {
        self.attributes.get(style.key()).and_then(Value::as_bool) == Some(true)
    }

    /// Returns where it links to, if that is safe to follow.
    pub fn link(&self) -> Option<&'a str> {
        safe_link(self.attribute("link")?)
    }

    /// Returns the value of an attribute that is a string.
    pub fn attribute(&self, key: &str) -> Option<&'a str> {
        self.attributes.get(key)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::generate::document;

    fn shapes(json: &str) -> Vec<(String, String)> {
        let document = document(json);
        let shape = |line: &Line<'_>| {
            let mut text = String::new();
            line.write_text(&mut text);
            (text, format!("{:?}", line.block()))
        };
        lines(&document).iter().map(shape).collect()
    }

    #[test]
    fn the_line_end_says_what_a_line_is() {
        let json = r#"[{"insert":"Title"},{"insert":"\n","attributes":{"header":2}},{"insert":"a\n\nb"}]"#;
        let expected = [("Title", "Heading(2)"), ("a", "Paragraph"), ("", "Paragraph"), ("b", "Paragraph")];
        assert_eq!(shapes(json), expected.map(|(text, block)| (text.into(), block.into())));
    }

    #[test]
    fn one_text_may_hold_many_line_ends() {
        assert_eq!(shapes(r#"[{"insert":"a\nb\n","attributes":{"list":"bullet"}}]"#).len(), 2);
        assert!(shapes("[]").is_empty());
    }

    #[test]
    fn values_of_the_wrong_kind_count_as_absent() {
        for value in [r#""2""#, "7", "0", "1.5", "null", "true", "{}"] {
            let json = format!(r#"[{{"insert":"\n","attributes":{{"header":{value},"bold":true}}}}]"#);
            assert_eq!(shapes(&json)[0].1, "Paragraph", "{value}");
        }
        let json = r#"[{"insert":"\n","attributes":{"code-block":"x\" onload=\"y"}}]"#;
        assert_eq!(shapes(json)[0].1, "Code(None)");
    }

    #[test]
    fn indents_are_bounded() {
        for (value, indent) in [("3", 3), ("-1", 0), ("1e300", 8), ("\"2\"", 0)] {
            let document = document(&format!(r#"[{{"insert":"\n","attributes":{{"indent":{value}}}}}]"#));
            assert_eq!(lines(&document)[0].indent(), indent, "{value}");
        }
    }
}
