//! Plain text as a document.

use super::builder::plain;
use crate::ot::{Attributes, Delta};

/// Reads plain text. Editors end a document with a line end: a text without one gets it. Windows' line ends become plain ones.
pub fn from_text(text: &str) -> Delta {
    let mut text = plain(text);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Delta::new().insert(text, Attributes::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_document_that_ends_with_a_newline() {
        let text = |text| from_text(text).to_json();
        assert_eq!(text("a\r\nb"), r#"[{"insert":"a\nb\n"}]"#);
        assert_eq!(text("a\n"), r#"[{"insert":"a\n"}]"#);
        assert_eq!(text(""), r#"[{"insert":"\n"}]"#);
        assert_eq!(text("a\0\rb"), "[{\"insert\":\"a\u{fffd}\\nb\\n\"}]");
    }
}
