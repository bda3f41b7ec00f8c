//! Markdown: CommonMark 0.31, with strikethrough and task lists as GitHub has them.
//!
//! Underline, colours, alignment and the like have no Markdown and are left out; empty lines too, since in Markdown they
//! only separate. Everything that is text in the document is text in Markdown: what would be markup is escaped.

mod inline;

use self::inline::inline;
use super::lines::{Block, Line, Marker, lines};
use super::lists::depths;
use crate::ot::Delta;

/// A comment that shows nothing. It keeps two things apart that Markdown would take for one.
const NOTHING: &str = "<!-- -->";

/// Returns a document as Markdown.
pub fn to_markdown(document: &Delta) -> String {
    let lines = lines(document);
    let mut out = String::new();
    let mut after_list = false;
    for run in lines.chunk_by(Line::continues) {
        let is_list = matches!(run[0].block(), Block::Item(_));
        if run[0].block() == Block::Paragraph && run[0].is_blank() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        if is_list && after_list {
            out.push_str(NOTHING);
            out.push_str("\n\n");
        }
        block(&mut out, run);
        after_list = is_list;
    }
    out
}

/// Writes lines that are one block, each with its line end.
fn block(out: &mut String, run: &[Line<'_>]) {
    match run[0].block() {
        Block::Paragraph => text_line(out, &run[0]),
        Block::Heading(level) => {
            out.push_str(&"######"[..usize::from(level)]);
            out.push(' ');
            out.push_str(&heading_text(inline(&run[0].spans)));
            out.push('\n');
        }
        Block::Quote => quote(out, run),
        Block::Code(language) => code(out, run, language),
        Block::Item(_) => list(out, run),
    }
}

/// A row of `#` at the end of a heading would vanish, were its last one not escaped.
fn heading_text(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    if let Some(before) = text.strip_suffix('#') {
        let backslashes = before.bytes().rev().take_while(|b| *b == b'\\').count();
        if backslashes % 2 == 0 {
            text.insert(text.len() - 1, '\\');
        }
    }
    text
}

fn text_line(out: &mut String, line: &Line<'_>) {
    out.push_str(&inline(&line.spans));
    out.push('\n');
}

/// Writes the lines of a quote as its paragraphs.
fn quote(out: &mut String, lines: &[Line<'_>]) {
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push_str(">\n");
        }
        out.push_str("> ");
        text_line(out, line);
    }
}

/// Writes code between fences that are longer than any row of backticks in it.
fn code(out: &mut String, lines: &[Line<'_>], language: Option<&str>) {
    let mut text = String::new();
    for line in lines {
        line.write_text(&mut text);
        text.push('\n');
    }
    let fence = "`".repeat(longest_row(&text, '`').max(2) + 1);
    out.push_str(&fence);
    out.push_str(language.unwrap_or_default());
    out.push('\n');
    out.push_str(&text);
    out.push_str(&fence);
    out.push('\n');
}

/// Returns the length of the longest row of `letter` in `text`.
fn longest_row(text: &str, letter: char) -> usize {
    text.split(|other| other != letter).map(str::len).max().unwrap_or(0)
}

/// A list that is open: what its items are marked with, and how far their text is indented.
struct OpenList {
    numbered: bool,
    count: u64,
    indent: usize,
}

fn list(out: &mut String, items: &[Line<'_>]) {
    let mut open: Vec<OpenList> = Vec::new();
    for (item, depth) in items.iter().zip(depths(items)) {
        let Block::Item(marker) = item.block() else { continue };
        let numbered = marker == Marker::Number;
        open.truncate(depth + 1);
        if open.len() == depth + 1 && open[depth].numbered != numbered {
            // Bullets and numbers are different lists; only where no list is around them a blank line sets them apart.
            open.truncate(depth);
            if depth == 0 {
                out.push('\n');
            }
        }
        if open.len() == depth {
            open.push(OpenList { numbered, count: 0, indent: 0 });
        }
        let indent = if depth == 0 { 0 } else { open[depth - 1].indent };
        let list = &mut open[depth];
        list.count += 1;
        let label = if numbered { format!("{}. ", list.count) } else { "- ".to_owned() };
        list.indent = indent + label.len();
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(&label);
        match marker {
            Marker::Box(true) => out.push_str("[x] "),
            Marker::Box(false) => out.push_str("[ ] "),
            Marker::Bullet | Marker::Number => {}
        }
        if item.is_blank() {
            // A bare `-` below text would make a heading of that.
            out.push_str(NOTHING);
            out.push('\n');
        } else {
            text_line(out, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::generate::{any_document, document};
    use proptest::prelude::*;

    fn markdown(json: &str) -> String {
        to_markdown(&document(json))
    }

    fn item(text: &str, kind: &str, indent: u8) -> String {
        format!(
            r#"{{"insert":"{text}"}},{{"insert":"\n","attributes":{{"list":"{kind}","indent":{indent}}}}}"#
        )
    }

    #[test]
    fn lines_become_blocks() {
        let json = r#"[{"insert":"Title #"},{"insert":"\n","attributes":{"header":2}},{"insert":"one\n\n\ntwo\nquote"},
            {"insert":"\n","attributes":{"blockquote":true}},{"insert":"more"},
            {"insert":"\n","attributes":{"blockquote":true}},{"insert":"a `\nb"},
            {"insert":"\n","attributes":{"code-block":"js"}}]"#;
        assert_eq!(
            markdown(json),
            "## Title \\#\n\none\n\ntwo\n\n> quote\n>\n> more\n\na \\`\n\n```js\nb\n```\n"
        );
        assert_eq!(markdown("[]"), "");
        assert_eq!(markdown(r#"[{"insert":"\n \n"}]"#), "");
    }

    #[test]
    fn fences_are_longer_than_what_they_enclose() {
        let json = r#"[{"insert":"````"},{"insert":"\n","attributes":{"code-block":true}}]"#;
        assert_eq!(markdown(json), "`````\n````\n`````\n");
    }

    #[test]
    fn lists_nest_by_the_width_of_what_is_above() {
        let items = [
            item("a", "ordered", 0),
            item("b", "bullet", 1),
            item("c", "checked", 2),
            item("", "unchecked", 2),
            item("d", "ordered", 0),
            item("e", "bullet", 0),
        ];
        assert_eq!(
            markdown(&format!("[{}]", items.join(","))),
            "1. a\n   - b\n     - [x] c\n     - [ ] <!-- -->\n2. d\n\n- e\n"
        );
    }

    #[test]
    fn two_lists_with_an_empty_line_between_stay_two() {
        let json =
            format!("[{},{{\"insert\":\"\\n\"}},{}]", item("a", "ordered", 0), item("b", "ordered", 0));
        assert_eq!(markdown(&json), "1. a\n\n<!-- -->\n\n1. b\n");
    }

    proptest! {
        #[test]
        fn any_document_can_be_written(document in any_document()) {
            let markdown = to_markdown(&document);
            prop_assert!(markdown.is_empty() || markdown.ends_with('\n'));
            prop_assert!(!markdown.contains("](javascript:"));
        }
    }
}
