//! Markdown as a document: CommonMark, with strikethrough and task lists as [`to_markdown`](super::to_markdown) writes them.
//!
//! What a document cannot say is left out: rules, and elements of HTML but those that are known. A piece of HTML between
//! paragraphs is read as HTML. A line may be an item, a quote or a heading, and not several of them: the innermost counts.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::builder::{Builder, plain};
use super::from_html::{Tangled, from_html_within};
use super::lines::is_language;
use super::url::{safe_image, safe_link};
use super::work::Work;
use crate::ot::{Attributes, Delta, Embed, Value};

/// The most that an item can be indented, as in Quill.
const MAX_INDENT: usize = 8;

/// Reads Markdown.
///
/// # Errors
/// The HTML in it takes too much work.
pub fn from_markdown(text: &str) -> Result<Delta, Tangled> {
    let text = plain(text);
    let work = Work::begin();
    let mut reader = Reader::default();
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for event in Parser::new_ext(&text, options) {
        if let Event::End(TagEnd::HtmlBlock) = event {
            reader.html_block(&work)?;
        } else {
            reader.take(event);
        }
    }
    Ok(reader.out.finish())
}

#[derive(Default)]
struct Reader {
    out: Builder,
    /// How often each style is on.
    styles: [u32; STYLES.len()],
    /// Where the text leads to, the innermost last; `None` where it is not safe to go.
    links: Vec<Option<String>>,
    /// Whether each list around is numbered.
    lists: Vec<bool>,
    /// The items around, each with its kind until its first line has been written.
    items: Vec<Option<&'static str>>,
    quotes: u32,
    /// The images around, of which the outermost is one: its address, and what stands for it.
    images: u32,
    image: (String, String),
    /// What the lines of the code that is being read are.
    code: Option<Value>,
    /// A piece of HTML that is being read.
    html: Option<String>,
}

/// A style: its key, its value unless that is `true`, and the elements that stand for it.
type Style = (&'static str, Option<&'static str>, &'static [&'static str]);

const STYLES: [Style; 7] = [
    ("bold", None, &["strong", "b"]),
    ("italic", None, &["em", "i"]),
    ("strike", None, &["s", "del", "strike"]),
    ("underline", None, &["u", "ins"]),
    ("code", None, &["code"]),
    ("script", Some("sub"), &["sub"]),
    ("script", Some("super"), &["sup"]),
];
const BOLD: usize = 0;
const ITALIC: usize = 1;
const STRIKE: usize = 2;

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => self.code_span(&text),
            Event::Html(html) | Event::InlineHtml(html) => match &mut self.html {
                Some(all) => all.push_str(&html),
                None => self.inline_html(&html),
            },
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.end_line(),
            Event::TaskListMarker(checked) => {
                if let Some(item) = self.items.last_mut() {
                    *item = Some(if checked { "checked" } else { "unchecked" });
                }
            }
            Event::Rule | Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Strong => self.styles[BOLD] += 1,
            Tag::Emphasis => self.styles[ITALIC] += 1,
            Tag::Strikethrough => self.styles[STRIKE] += 1,
            Tag::Link { dest_url, .. } => self.links.push(safe_link(&dest_url).map(str::to_owned)),
            Tag::Image { dest_url, .. } => {
                if self.images == 0 {
                    self.image = (dest_url.into_string(), String::new());
                }
                self.images += 1;
            }
            Tag::BlockQuote(_) => {
                self.end_open_line();
                self.quotes += 1;
            }
            Tag::List(start) => {
                self.end_open_line();
                self.lists.push(start.is_some());
            }
            Tag::Item => {
                let numbered = self.lists.last() == Some(&true);
                self.items.push(Some(if numbered { "ordered" } else { "bullet" }));
            }
            Tag::CodeBlock(kind) => {
                self.end_open_line();
                self.code = Some(match &kind {
                    CodeBlockKind::Fenced(info) => language_of(info),
                    CodeBlockKind::Indented => Value::Bool(true),
                });
            }
            Tag::HtmlBlock => {
                self.end_open_line();
                self.html = Some(String::new());
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        let lower = |count: &mut u32| *count = count.saturating_sub(1);
        match tag {
            TagEnd::Strong => lower(&mut self.styles[BOLD]),
            TagEnd::Emphasis => lower(&mut self.styles[ITALIC]),
            TagEnd::Strikethrough => lower(&mut self.styles[STRIKE]),
            TagEnd::Link => {
                self.links.pop();
            }
            TagEnd::Image => {
                lower(&mut self.images);
                if self.images == 0 {
                    self.end_image();
                }
            }
            TagEnd::Paragraph => {
                self.end_line();
                self.end_styles();
            }
            TagEnd::Heading(level) => {
                self.begin_item();
                self.end_styles();
                self.out.end_line(Attributes::NONE.with("header", level_of(level)));
            }
            TagEnd::BlockQuote(_) => {
                self.end_open_line();
                lower(&mut self.quotes);
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item => {
                if self.out.is_open() || self.items.last().is_some_and(Option::is_some) {
                    self.end_line();
                }
                self.items.pop();
                self.end_styles();
            }
            TagEnd::CodeBlock => self.code = None,
            _ => {}
        }
    }

    fn html_block(&mut self, work: &Work) -> Result<(), Tangled> {
        let html = self.html.take().unwrap_or_default();
        let lines = match from_html_within(&html, work) {
            Err(tangled) if work.is_too_much() => return Err(tangled),
            // What is nested too deeply for HTML is no HTML.
            read => read.unwrap_or_default(),
        };
        self.out.append(&lines);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.images > 0 {
            self.image.1.push_str(text);
        } else if let Some(language) = self.code.clone() {
            self.begin_item();
            for line in text.split_inclusive('\n') {
                self.out.verbatim(line.trim_end_matches('\n'), &Attributes::NONE);
                if line.ends_with('\n') {
                    self.out.end_line(Attributes::NONE.with("code-block", language.clone()));
                }
            }
        } else {
            let attributes = self.attributes();
            self.out.verbatim(&text.replace('\n', " "), &attributes);
        }
    }

    fn code_span(&mut self, text: &str) {
        if self.images > 0 {
            self.image.1.push_str(text);
        } else {
            self.out.verbatim(text, &self.attributes().with("code", true));
        }
    }

    /// An element that is known switches its style; of any other, and of comments, nothing is left.
    fn inline_html(&mut self, html: &str) {
        let name = html.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/').trim();
        let (name, opens) = name.strip_prefix('/').map_or((name, true), |name| (name, false));
        let name = name.to_ascii_lowercase();
        if name == "br" {
            self.end_line();
        } else if let Some(style) = STYLES.iter().position(|(_, _, names)| names.contains(&&*name)) {
            let count = &mut self.styles[style];
            *count = if opens { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    fn end_image(&mut self) {
        let (address, text) = std::mem::take(&mut self.image);
        let attributes = self.attributes();
        match safe_image(&address) {
            Some(address) => {
                let attributes =
                    if text.is_empty() { attributes } else { attributes.with("alt", text.as_str()) };
                self.out.embed(Embed::new("image", address), attributes);
            }
            None => self.out.verbatim(&text.replace('\n', " "), &attributes),
        }
    }

    /// What letters are here.
    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::NONE;
        for ((key, value, _), _) in STYLES.iter().zip(self.styles).filter(|(_, count)| *count > 0) {
            attributes = match value {
                Some(value) => attributes.with(key, *value),
                None => attributes.with(key, true),
            };
        }
        match self.links.last() {
            Some(Some(link)) => attributes.with("link", link.as_str()),
            _ => attributes,
        }
    }

    /// Takes the mark of an item, which its first line has and the others have not.
    fn begin_item(&mut self) -> Option<&'static str> {
        self.items.last_mut().and_then(Option::take)
    }

    /// An element that was left open ends with its block.
    fn end_styles(&mut self) {
        self.styles = Default::default();
    }

    fn end_open_line(&mut self) {
        if self.out.is_open() {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let attributes = match self.begin_item() {
            Some(kind) => {
                let indent = self.lists.len().saturating_sub(1).min(MAX_INDENT);
                let list = Attributes::NONE.with("list", kind);
                if indent > 0 { list.with("indent", indent as u32) } else { list }
            }
            None if self.quotes > 0 => Attributes::NONE.with("blockquote", true),
            None => Attributes::NONE,
        };
        self.out.end_line(attributes);
    }
}

fn language_of(info: &str) -> Value {
    match info.split_whitespace().next().filter(|name| is_language(name)) {
        Some(name) => name.into(),
        None => true.into(),
    }
}

fn level_of(level: HeadingLevel) -> u32 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::generate::document;
    use crate::formats::to_markdown;

    #[test]
    fn what_was_exported_comes_back() {
        for json in [
            r#"[{"insert":"Title #"},{"insert":"\n","attributes":{"header":2}},{"insert":"one *two*\n<b>&amp;\n"}]"#,
            r#"[{"insert":"a "},{"insert":"b","attributes":{"bold":true}},{"insert":" and "},
                {"insert":"c","attributes":{"bold":true,"italic":true}},{"insert":" "},
                {"insert":"d","attributes":{"strike":true}},{"insert":" "},
                {"insert":"e`","attributes":{"code":true}},{"insert":"\n"}]"#,
            r#"[{"insert":"to "},{"insert":"there","attributes":{"link":"https://a/(b)?c&d"}},{"insert":"\n"}]"#,
            r#"[{"insert":{"image":"https://a/b.png"},"attributes":{"alt":"a [b]"}},{"insert":"\n"}]"#,
            r#"[{"insert":"if a < b {"},{"insert":"\n","attributes":{"code-block":"rust"}},
                {"insert":"    }"},{"insert":"\n","attributes":{"code-block":"rust"}}]"#,
            r#"[{"insert":"x"},{"insert":"\n\n","attributes":{"code-block":true}},
                {"insert":"y"},{"insert":"\n","attributes":{"code-block":true}}]"#,
            r#"[{"insert":"said"},{"insert":"\n","attributes":{"blockquote":true}},
                {"insert":"more"},{"insert":"\n","attributes":{"blockquote":true}},{"insert":"after\n"}]"#,
            r#"[{"insert":"a"},{"insert":"\n","attributes":{"list":"ordered"}},
                {"insert":"b"},{"insert":"\n","attributes":{"indent":1,"list":"bullet"}},
                {"insert":"c"},{"insert":"\n","attributes":{"indent":2,"list":"checked"}},
                {"insert":"\n","attributes":{"indent":2,"list":"unchecked"}},
                {"insert":"d"},{"insert":"\n","attributes":{"list":"ordered"}}]"#,
            r#"[{"insert":"a","attributes":{"italic":true}},{"insert":"b","attributes":{"bold":true,"italic":true}},
                {"insert":"\n"}]"#,
        ] {
            let before = document(json);
            let markdown = to_markdown(&before);
            assert_eq!(from_markdown(&markdown).unwrap().to_json(), before.to_json(), "by way of {markdown}");
        }
    }

    #[test]
    fn what_leads_astray_and_what_runs_is_left_out() {
        let read = |text: &str| from_markdown(text).unwrap().to_json();
        assert_eq!(read("[a](javascript:x) ![b](javascript:y)"), r#"[{"insert":"a b\n"}]"#);
        assert_eq!(read("<script>alert(1)</script>\n\na <x>b</x>\n\n---"), r#"[{"insert":"a b\n"}]"#);
        assert_eq!(
            read("<p align=center>in <b>HTML</b></p>"),
            r#"[{"insert":"in "},{"insert":"HTML","attributes":{"bold":true}},{"insert":"\n","attributes":{"align":"center"}}]"#
        );
        assert_eq!(
            read("<b>a\n\nb"),
            r#"[{"insert":"a","attributes":{"bold":true}},{"insert":"\nb\n"}]"#,
            "an element ends with its block"
        );
        assert_eq!(read("a  \nb\nc"), r#"[{"insert":"a\nb c\n"}]"#);
        assert_eq!(read(""), "[]");
    }

    proptest! {
        #[test]
        fn any_text_is_a_document_of_whole_lines(text in "([ \\-*_`~<>\\[\\]()!#\\\\0-9a-c.+|\n\t&;:/\"=é]|<b>|</b>|- \\[x\\] |\\*\\*){0,60}") {
            let delta = from_markdown(&text).unwrap();
            prop_assert!(delta.is_document());
            prop_assert!(delta.is_empty() || delta.to_json().contains(r"\n"));
            prop_assert!(!delta.to_json().contains("javascript:"));
        }
    }
}
