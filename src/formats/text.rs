//! Plain text.

use crate::ot::{Delta, Insert, Op};

/// Stands for an embed: U+FFFC, the object replacement character, so that positions in the text are those of the
/// document. The protocol's `hash` counts it the same way.
const EMBED: char = '\u{fffc}';

/// Returns the text of a document without its formatting, line ends as they are.
pub fn to_text(document: &Delta) -> String {
    let mut text = String::new();
    for op in document.ops() {
        match op {
            Op::Insert { insert: Insert::Text(part), .. } => text.push_str(part.as_str()),
            Op::Insert { insert: Insert::Embed(_), .. } => text.push(EMBED),
            Op::Retain { .. } | Op::Delete(_) => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::generate::document;

    #[test]
    fn formatting_is_gone_and_an_embed_keeps_its_place() {
        let rich = document(
            r#"[{"insert":"a😀","attributes":{"bold":true}},{"insert":{"image":"x"}},{"insert":"\n","attributes":{"header":1}}]"#,
        );
        let text = to_text(&rich);
        assert_eq!(text, "a😀\u{fffc}\n");
        assert_eq!(text.encode_utf16().count() as u64, rich.length());
    }

    #[test]
    fn an_empty_document_is_an_empty_text() {
        assert_eq!(to_text(&document("[]")), "");
    }
}
