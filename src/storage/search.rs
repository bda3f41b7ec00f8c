//! Finding documents by a part of their title or preview, in any case.

/// Stands between title and preview, and in no text that a person looks for.
const SEPARATOR: char = '\u{1f}';

/// Returns what [`needle`] is looked for in.
pub(super) fn haystack(title: &str, preview: &str) -> String {
    let mut text = title.to_lowercase();
    text.push(SEPARATOR);
    text.push_str(&folded(preview));
    text
}

/// Returns a preview in the form that it has in a [`haystack`], behind the title and the separator.
pub(super) fn folded(preview: &str) -> String {
    preview.to_lowercase()
}

/// Returns a searched text in the form that it has in a [`haystack`].
pub(super) fn needle(text: &str) -> String {
    text.replace(SEPARATOR, " ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_beyond_ascii_and_no_match_spans_title_and_preview() {
        let hay = haystack("Über Öl", "ÉTÉ");
        assert!(hay.contains(&needle("über ÖL")));
        assert!(hay.contains(&needle("été")));
        assert!(!hay.contains(&needle("öl\u{1f}é")));
    }
}
