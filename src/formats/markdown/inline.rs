//! The inside of a line of Markdown: emphasis, code, links, images, and escapes for everything else.
//!
//! The hard part is emphasis. Whether a row of `*` opens or closes depends on the characters on both sides of it
//! (CommonMark 0.31 section 6.2): white space may not stand inside of it, and where punctuation does, a letter may not
//! stand outside. So white space at an edge is moved out of the emphasis, and a letter outside is written as a numeric
//! entity, which begins with `&` and ends with `;` and so counts as punctuation.

use std::fmt::Write;

use super::{NOTHING, longest_row};
use crate::formats::lines::{Content, Span, Style};
use crate::formats::url::{safe_image, safe_link};
use crate::ot::Embed;

/// What is written around text.
struct Mark {
    opens: &'static str,
    closes: &'static str,
}

impl Mark {
    fn is_stars(&self) -> bool {
        self.opens.starts_with('*')
    }

    /// A tag stands where it likes.
    fn is_tag(&self) -> bool {
        self.opens.starts_with('<')
    }
}

const BOLD: usize = 0;
const ITALIC: usize = 1;
const ITALIC_TAG: usize = 2;
const STRIKE: usize = 3;

const MARKS: [Mark; 4] = [
    Mark { opens: "**", closes: "**" },
    Mark { opens: "*", closes: "*" },
    Mark { opens: "<em>", closes: "</em>" },
    Mark { opens: "~~", closes: "~~" },
];

/// A set of [`MARKS`] by index.
type Marks = [bool; MARKS.len()];

fn marks_of(span: &Span<'_>) -> Marks {
    let mut marks = Marks::default();
    marks[BOLD] = span.has(Style::Bold);
    marks[ITALIC] = span.has(Style::Italic);
    marks[STRIKE] = span.has(Style::Strike);
    marks
}

/// A piece of a line.
struct Piece {
    marks: Marks,
    content: PieceContent,
}

enum PieceContent {
    /// Text to be escaped.
    Text(String),
    /// Text to be shown as code.
    Code(String),
    /// Markdown of a kind that begins and ends with punctuation.
    Ready(String),
}

/// Returns the spans of a line as Markdown, without a line end.
pub fn inline(spans: &[Span<'_>]) -> String {
    let mut writer = Writer::default();
    for run in spans.chunk_by(|a, b| a.link() == b.link()) {
        match run[0].link() {
            None => writer.pieces(pieces(run, false)),
            Some(href) => writer.link(run, href),
        }
    }
    writer.out
}

/// Makes pieces of spans: neighbours that look the same become one, white space stands apart.
fn pieces(spans: &[Span<'_>], in_link: bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for span in spans {
        let marks = marks_of(span);
        match span.content {
            Content::Text(text) if span.has(Style::Code) => {
                pieces.push(Piece { marks, content: PieceContent::Code(text.to_owned()) });
            }
            Content::Text(text) => push_text(&mut pieces, marks, text),
            Content::Embed(embed) => pieces.push(embed_piece(embed, span, marks, in_link)),
        }
    }
    bare_spaces(&mut pieces);
    let mut pieces = join_texts(pieces);
    untangle(&mut pieces);
    pieces
}

/// Writes italics as a tag where bold begins or ends inside of them, or beside them.
///
/// Bold and italics share a character, and a row of it within a word may open and close: `***a*b*c***` is not what it
/// seems. Only text that is bold and italic from end to end goes without a tag.
fn untangle(pieces: &mut [Piece]) {
    let stars = |piece: &Piece| (piece.marks[BOLD], piece.marks[ITALIC]);
    for run in pieces.chunk_by_mut(|a, b| (stars(a) == (false, false)) == (stars(b) == (false, false))) {
        if run.iter().any(|piece| stars(piece) != stars(&run[0])) {
            for piece in run {
                piece.marks.swap(ITALIC, ITALIC_TAG);
            }
        }
    }
}

/// Adds text with the white space at its edges as pieces of its own.
fn push_text(pieces: &mut Vec<Piece>, marks: Marks, text: &str) {
    let core = text.trim_matches(is_space);
    let start = text.len() - text.trim_start_matches(is_space).len();
    let parts = [&text[..start], core, &text[start + core.len()..]];
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        pieces.push(Piece { marks, content: PieceContent::Text(part.to_owned()) });
    }
}

/// Gives white space only the marks that both the text before and the text behind it have.
fn bare_spaces(pieces: &mut [Piece]) {
    let mut before: Marks = Marks::default();
    for i in 0..pieces.len() {
        if !pieces[i].is_space() {
            before = pieces[i].marks;
            continue;
        }
        let behind = pieces[i..]
            .iter()
            .find(|piece| !piece.is_space())
            .map_or_else(Marks::default, |piece| piece.marks);
        pieces[i].marks = std::array::from_fn(|mark| before[mark] && behind[mark]);
    }
}

/// Joins neighbouring texts with the same marks, so that escapes see what stands together.
fn join_texts(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (
            joined.last_mut().filter(|last| last.marks == piece.marks).map(|last| &mut last.content),
            &piece.content,
        ) {
            (Some(PieceContent::Text(text)), PieceContent::Text(more))
            | (Some(PieceContent::Code(text)), PieceContent::Code(more)) => text.push_str(more),
            _ => joined.push(piece),
        }
    }
    joined
}

impl Piece {
    fn is_space(&self) -> bool {
        matches!(&self.content, PieceContent::Text(text) if text.chars().all(is_space))
    }
}

/// What CommonMark calls Unicode white space. A line end cannot come here, a carriage return can.
fn is_space(c: char) -> bool {
    let zs = matches!(
        c,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    );
    zs || matches!(c, '\t' | '\u{c}' | '\r')
}

/// Whether a character certainly is neither white space nor punctuation. Circled letters are letters to Unicode's
/// `Alphabetic`, and symbols to CommonMark.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}')
}

/// Whether a character certainly is white space or punctuation.
fn is_gap(c: char) -> bool {
    c.is_ascii_punctuation() || is_space(c)
}

/// Writes code between rows of backticks that do not occur in it.
fn code_span(text: &str) -> String {
    let text = text.replace('\r', " ");
    let fence = "`".repeat(shortest_absent_row(&text));
    // One space on each side is taken off by the reader, if there is one on both and something else between.
    let strippable = text.starts_with(' ') && text.ends_with(' ') && !text.trim_matches(' ').is_empty();
    let pad = if strippable || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn shortest_absent_row(text: &str) -> usize {
    let rows: Vec<usize> = text.split(|c| c != '`').map(str::len).collect();
    (1..).find(|length| !rows.contains(length)).unwrap_or_else(|| longest_row(text, '`') + 1)
}

/// Writes an image as such, a video as a link, a formula as code, and anything else as its name in brackets.
fn embed_piece(embed: &Embed, span: &Span<'_>, marks: Marks, in_link: bool) -> Piece {
    let value = embed.value().as_str();
    let content = match (embed.kind(), value) {
        ("image", Some(source)) if safe_image(source).is_some() => {
            let alt = escaped(span.attribute("alt").unwrap_or_default(), false);
            PieceContent::Ready(format!("![{alt}]({})", destination(safe_image(source).unwrap_or_default())))
        }
        ("video", Some(source)) if !in_link && safe_link(source).is_some() => {
            let href = safe_link(source).unwrap_or_default();
            PieceContent::Ready(format!("[{}]({})", escaped(href, false), destination(href)))
        }
        ("formula", Some(source)) if !source.is_empty() => PieceContent::Code(source.replace('\n', " ")),
        (kind, _) => PieceContent::Ready(escaped(&format!("[{kind}]"), false)),
    };
    Piece { marks, content }
}

/// Writes an address so that it stays one: what no address has is percent-encoded, what ends it is escaped.
fn destination(url: &str) -> String {
    let mut out = String::new();
    for c in url.chars() {
        match c {
            '(' | ')' | '&' => out.extend(['\\', c]),
            '<' | '>' | '"' | '\\' | '`' | '^' | '{' | '|' | '}' => {
                // Writing into a string cannot fail.
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            c if c.is_whitespace() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// Returns text as Markdown that shows it, with more escapes where a line begins.
fn escaped(text: &str, at_line_start: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    if at_line_start {
        rest = escape_line_start(&mut out, text);
    }
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '~' => out.extend(['\\', c]),
            '&' if chars.peek().is_some_and(|next| *next == '#' || next.is_ascii_alphanumeric()) => {
                out.push_str("\\&");
            }
            // Markdown takes them for line ends; embeds' names and alternative texts may have them.
            '\r' | '\n' => entity(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// Writes what would make a line a heading, a quote, an item or code if it stood there bare, and returns the rest.
fn escape_line_start<'a>(out: &mut String, text: &'a str) -> &'a str {
    let line = text.trim_start_matches(is_space);
    for space in text[..text.len() - line.len()].chars() {
        entity(out, space);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line[digits..].chars().next() {
        Some(mark @ ('.' | ')')) if digits > 0 => {
            out.push_str(&line[..digits]);
            out.extend(['\\', mark]);
            &line[digits + 1..]
        }
        Some(mark @ ('#' | '+' | '-' | '>' | '=')) if digits == 0 => {
            out.extend(['\\', mark]);
            &line[1..]
        }
        _ => line,
    }
}

fn entity(out: &mut String, c: char) {
    // Writing into a string cannot fail.
    let _ = write!(out, "&#{};", u32::from(c));
}

/// Writes pieces of one line and knows which marks are open.
#[derive(Default)]
struct Writer {
    out: String,
    /// Indices of the open marks, outermost first.
    open: Vec<usize>,
    /// Where in `out` marks were opened together: from, to.
    opened: Vec<(usize, usize)>,
}

impl Writer {
    /// Writes a link; no mark reaches over its edge.
    fn link(&mut self, spans: &[Span<'_>], href: &str) {
        self.push("[");
        self.pieces(pieces(spans, true));
        self.out.push_str("](");
        self.out.push_str(&destination(href));
        self.out.push(')');
    }

    fn pieces(&mut self, pieces: Vec<Piece>) {
        for (i, piece) in pieces.iter().enumerate() {
            let mut text = match &piece.content {
                PieceContent::Text(text) => escaped(text, self.out.is_empty()),
                PieceContent::Code(text) => code_span(text),
                PieceContent::Ready(markdown) => markdown.clone(),
            };
            self.close(&piece.marks, &mut text);
            // Marks that had to be closed are opened again behind the space, where it stands first.
            let body = text.trim_start_matches(is_space);
            self.out.push_str(&text[..text.len() - body.len()]);
            if !body.is_empty() {
                self.open(&pieces[i..], body);
                self.push(body);
            }
        }
        self.close(&Marks::default(), &mut String::new());
    }

    /// Appends Markdown so that it is not read together with what stands before it.
    fn push(&mut self, markdown: &str) {
        if self.out.ends_with('!') && markdown.starts_with('[') {
            // Or the link would be an image.
            self.out.pop();
            self.out.push_str("\\!");
        } else if self.out.ends_with('`') && markdown.starts_with('`') {
            // Or two rows of backticks would be one.
            self.out.push_str(NOTHING);
        }
        self.out.push_str(markdown);
    }

    /// Closes the open marks that are not `wanted`, and those inside of them. `next` is what follows.
    fn close(&mut self, wanted: &Marks, next: &mut String) {
        let Some(outermost) = self.open.iter().position(|&mark| !wanted[mark]) else { return };
        let closing = self.open.split_off(outermost);
        let opens_again = (0..MARKS.len()).any(|mark| wanted[mark] && !self.open.contains(&mark));
        if !opens_again
            && !stands_anywhere(&closing, self.out.chars().next_back())
            && let Some(outside) = next.chars().next().filter(|c| !is_gap(*c))
        {
            let mut escaped = String::new();
            entity(&mut escaped, outside);
            next.replace_range(..outside.len_utf8(), &escaped);
        }
        for &mark in closing.iter().rev() {
            self.out.push_str(MARKS[mark].closes);
        }
    }

    /// Opens the marks that the first of `pieces` has, those that last longest outermost. `next` is what follows.
    fn open(&mut self, pieces: &[Piece], next: &str) {
        let lasts = |mark: usize| pieces.iter().take_while(|piece| piece.marks[mark]).count();
        let mut opening: Vec<usize> =
            (0..MARKS.len()).filter(|&mark| pieces[0].marks[mark] && !self.open.contains(&mark)).collect();
        opening.sort_by_key(|&mark| std::cmp::Reverse(lasts(mark)));
        if !stands_anywhere(&opening, next.chars().next()) {
            self.escape_before(self.out.len());
        }
        let start = self.out.len();
        for &mark in &opening {
            self.out.push_str(MARKS[mark].opens);
        }
        self.opened.push((start, self.out.len()));
        self.open.extend(opening);
    }

    /// Writes the letter that ends at `end` as an entity. If marks were opened right before it, a letter no longer stands
    /// inside of them, so that none may stand outside of them either.
    fn escape_before(&mut self, end: usize) {
        let Some(outside) = self.out[..end].chars().next_back().filter(|c| !is_gap(*c)) else { return };
        let start = end - outside.len_utf8();
        let mut escaped = String::new();
        entity(&mut escaped, outside);
        self.out.replace_range(start..end, &escaped);
        let opened = self.opened.iter().find(|(from, to)| from < to && *to == start);
        if let Some(&(from, _)) = opened {
            self.escape_before(from);
        }
    }
}

/// Whether marks, outermost first, are read as such whatever stands outside of them: a tag is, and so is one row of
/// stars with a letter inside.
fn stands_anywhere(marks: &[usize], inside: Option<char>) -> bool {
    match marks.first() {
        None => true,
        Some(&outermost) if MARKS[outermost].is_tag() => true,
        Some(_) => marks.iter().all(|&mark| MARKS[mark].is_stars()) && inside.is_some_and(is_letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::generate::{document, styled_line};
    use crate::formats::lines::lines;
    use crate::ot::Delta;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    fn written(json: &str) -> String {
        line(&document(json))
    }

    fn line(document: &Delta) -> String {
        lines(document).iter().map(|line| inline(&line.spans)).collect()
    }

    #[test]
    fn styles_become_marks() {
        let json = r#"[{"insert":"a "},{"insert":"b","attributes":{"bold":true}},{"insert":"c "},
            {"insert":"d","attributes":{"italic":true,"strike":true}},{"insert":" e","attributes":{"code":true}}]"#;
        assert_eq!(written(json), "a **b**c *~~d~~*` e`");
    }

    #[test]
    fn white_space_stays_out_of_marks() {
        let json = r#"[{"insert":"a"},{"insert":" b ","attributes":{"bold":true}},{"insert":"c"}]"#;
        assert_eq!(written(json), "a **b** c");
        let json = r#"[{"insert":"a ","attributes":{"bold":true}},{"insert":"b","attributes":{"bold":true,"italic":true}}]"#;
        assert_eq!(written(json), "**a <em>b</em>**");
    }

    #[test]
    fn letters_beside_marks_with_punctuation_inside_become_entities() {
        let json = r#"[{"insert":"a"},{"insert":"\"b\"","attributes":{"bold":true}},{"insert":"c"}]"#;
        assert_eq!(written(json), "&#97;**\"b\"**&#99;");
    }

    #[test]
    fn a_letter_that_becomes_an_entity_inside_of_marks_takes_the_one_outside_along() {
        let json = r#"[{"insert":"a"},{"insert":"b","attributes":{"italic":true}},
            {"insert":"c","attributes":{"italic":true,"strike":true}}]"#;
        assert_eq!(written(json), "&#97;*&#98;~~c~~*");
    }

    #[test]
    fn marks_that_overlap_are_opened_again() {
        let json = r#"[{"insert":"a","attributes":{"bold":true}},{"insert":"b","attributes":{"bold":true,"italic":true}},
            {"insert":"c","attributes":{"italic":true}}]"#;
        assert_eq!(written(json), "**a<em>b</em>**<em>c</em>");
    }

    #[test]
    fn markup_in_text_is_escaped() {
        let cases = [
            (r"*a* _b_ `c` [d](e) <f> ~g~ \", r"\*a\* \_b\_ \`c\` \[d\](e) \<f> \~g\~ \\"),
            ("# a #", r"\# a #"),
            ("1. a", r"1\. a"),
            ("12) a", r"12\) a"),
            ("- a", r"\- a"),
            ("+ a", r"\+ a"),
            ("> a", r"\> a"),
            ("    a", "&#32;&#32;&#32;&#32;a"),
            ("&amp; & &#1;", r"\&amp; & \&#1;"),
            ("3.5", r"3\.5"),
        ];
        for (text, expected) in cases {
            assert_eq!(escaped(text, true), expected);
        }
    }

    #[test]
    fn code_is_fenced_by_what_it_does_not_hold() {
        for (text, expected) in
            [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), (" a ", "`  a  `"), (" ", "` `")]
        {
            assert_eq!(code_span(text), expected);
        }
    }

    #[test]
    fn links_and_images() {
        let json = r#"[{"insert":"see! "},{"insert":"wow!"},{"insert":"a]","attributes":{"link":"https://x/(y) z"}},
            {"insert":"b","attributes":{"link":"https://x/(y) z","bold":true}},
            {"insert":"c","attributes":{"link":"javascript:alert(1)"}},
            {"insert":{"image":"/i.png"},"attributes":{"alt":"[i]"}},{"insert":{"image":"javascript:x"}}]"#;
        assert_eq!(written(json), r"see! wow\![a\]**b**](https://x/\(y\)%20z)c![\[i\]](/i.png)\[image\]");
    }

    /// A character with its styles; white space has none.
    type Styled = (char, [bool; 4]);

    fn trimmed(mut line: Vec<Styled>) -> Vec<Styled> {
        for (c, styles) in &mut line {
            if c.is_whitespace() {
                *styles = [false; 4];
            }
        }
        let start = line.iter().take_while(|(c, _)| c.is_whitespace()).count();
        line.drain(..start);
        while line.last().is_some_and(|(c, _)| c.is_whitespace()) {
            line.pop();
        }
        line
    }

    fn meant(document: &Delta) -> Vec<Styled> {
        let mut styled = Vec::new();
        for span in lines(document).iter().flat_map(|line| &line.spans) {
            let styles =
                [Style::Bold, Style::Italic, Style::Strike, Style::Code].map(|style| span.has(style));
            if let Content::Text(text) = span.content {
                styled.extend(text.chars().map(|c| (c, styles)));
            }
        }
        trimmed(styled)
    }

    /// What another program reads in it.
    fn read(markdown: &str) -> Vec<Styled> {
        let mut now = [false; 4];
        let mut styled = Vec::new();
        for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Start(Tag::Strong) => now[0] = true,
                Event::End(TagEnd::Strong) => now[0] = false,
                Event::Start(Tag::Emphasis) => now[1] = true,
                Event::End(TagEnd::Emphasis) => now[1] = false,
                Event::Start(Tag::Strikethrough) => now[2] = true,
                Event::End(TagEnd::Strikethrough) => now[2] = false,
                Event::InlineHtml(tag) if &*tag == "<em>" => now[1] = true,
                Event::InlineHtml(tag) if &*tag == "</em>" => now[1] = false,
                Event::Text(text) => styled.extend(text.chars().map(|c| (c, now))),
                Event::Code(text) => styled.extend(text.chars().map(|c| (c, [now[0], now[1], now[2], true]))),
                Event::InlineHtml(_) | Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
                other => styled.extend(format!("{other:?}").chars().map(|c| (c, now))),
            }
        }
        trimmed(styled)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn another_program_reads_the_same_text_and_styles(document in styled_line()) {
            let markdown = line(&document);
            prop_assert_eq!(read(&markdown), meant(&document), "{}", markdown);
        }
    }
}
