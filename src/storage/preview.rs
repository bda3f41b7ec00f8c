//! What lists show of a document's text.

use crate::ot::Document;

/// Returns the first line of a document's text that is not blank, at most 120 characters. It is looked for in the first
/// few thousand code units only.
pub fn first_line(content: &Document) -> String {
    let text = content.leading_text(2_000);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    line.chars().map(|c| if c == '\u{fffc}' { ' ' } else { c }).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_first_that_says_something() {
        let content =
            Document::from_json(r#"[{"insert":"\n  \n  Hello"},{"insert":" world\nmore"}]"#).unwrap();
        assert_eq!(first_line(&content), "Hello world");
        assert_eq!(first_line(&Document::new()), "");
    }
}
