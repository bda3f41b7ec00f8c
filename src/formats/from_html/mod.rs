//! HTML as a document: the elements that [`to_html`](super::to_html) writes, and those that mean the same.
//!
//! HTML is read as browsers read it, so that whatever is pasted comes in. What a document cannot say is left out: scripts and
//! styles with all that is in them, of other elements their names. Addresses pass by the same rule as on the way out.

mod tree;

use std::rc::Rc;

use html5ever::{Attribute, QualName, ns};

pub use self::tree::Tangled;
use self::tree::{Content, Tree};
use super::builder::{Builder, plain};
use super::lines::is_language;
use super::url::{safe_image, safe_link};
use super::work::Work;
use crate::ot::{Attributes, Delta, Embed};

/// The most that an item can be indented, as in Quill.
const MAX_INDENT: u32 = 8;

/// Reads HTML.
///
/// # Errors
/// It is nested too deeply, or takes too much work.
pub fn from_html(html: &str) -> Result<Delta, Tangled> {
    from_html_within(html, &Work::begin())
}

/// The same, as a part of more work.
pub fn from_html_within(html: &str, work: &Work) -> Result<Delta, Tangled> {
    let tree = Tree::parse(&plain(html), work)?;
    let mut reader = Reader { out: Builder::default(), items: Vec::new(), is_broken: false };
    // A stack of our own, so that no nesting is too deep for that of the thread.
    let mut todo = vec![Step::Enter(0, Rc::new(Place::default()))];
    while let Some(step) = todo.pop() {
        match step {
            Step::Leave(block, place) => reader.leave(block, &place),
            Step::Enter(node, place) => match tree.content(node) {
                Content::Text(text) => reader.text(text, &place),
                Content::Element { name, attributes } => {
                    let Some((block, inside)) = reader.enter(name, attributes, &place) else { continue };
                    let inside = Rc::new(inside);
                    todo.push(Step::Leave(block, inside.clone()));
                    let children = tree.children(node).iter().rev();
                    todo.extend(children.map(|child| Step::Enter(*child, inside.clone())));
                }
                Content::Nothing => {
                    let children = tree.children(node).iter().rev();
                    todo.extend(children.map(|child| Step::Enter(*child, place.clone())));
                }
            },
        }
    }
    Ok(reader.out.finish())
}

enum Step {
    Enter(usize, Rc<Place>),
    Leave(Block, Rc<Place>),
}

/// How an element stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// In a line.
    Inline,
    /// As lines of its own.
    Lines,
    Item,
}

/// What text is where it stands.
#[derive(Clone, Default)]
struct Place {
    /// Of letters.
    style: Attributes,
    /// Of lines.
    line: Attributes,
    is_code: bool,
    /// How many lists are around.
    lists: u32,
    /// What items of the innermost one are.
    kind: Option<&'static str>,
}

struct Reader {
    out: Builder,
    /// The items around, each with its kind until its first line has been written.
    items: Vec<Option<&'static str>>,
    /// A `<br>` stood here. The last one of a line is the line's own end.
    is_broken: bool,
}

impl Reader {
    fn text(&mut self, text: &str, place: &Place) {
        if place.is_code {
            for line in text.split_inclusive('\n') {
                let letters = line.trim_end_matches('\n');
                if !letters.is_empty() {
                    self.resolve_break(place);
                }
                self.out.verbatim(letters, &Attributes::NONE);
                if line.ends_with('\n') {
                    self.end_line(place);
                }
            }
        } else if text.chars().any(|c| !c.is_ascii_whitespace()) {
            self.resolve_break(place);
            self.out.flow(text, &place.style);
        } else if !self.is_broken {
            self.out.flow(text, &place.style);
        }
    }

    /// Begins an element: tells how it stands and what text in it is; `None` when nothing in it is to be read.
    fn enter(&mut self, name: &QualName, attributes: &[Attribute], place: &Place) -> Option<(Block, Place)> {
        if name.ns != ns!(html) {
            return None;
        }
        let value = |key: &str| {
            let found = attributes.iter().find(|attribute| &*attribute.name.local == key);
            found.map(|attribute| &*attribute.value)
        };
        let mut inside = place.clone();
        let style = |key: &str, value: &str| place.style.with(key, value);
        let flag = |key: &str| place.style.with(key, true);
        let block = match &*name.local {
            "script" | "style" | "head" | "title" | "template" | "noscript" | "iframe" | "object"
            | "select" | "textarea" | "audio" | "video" | "canvas" => return None,
            "br" => {
                if place.is_code || self.is_broken {
                    self.end_line(place);
                }
                self.is_broken = !place.is_code;
                return None;
            }
            "img" => {
                self.image(value("src").unwrap_or_default(), value("alt").unwrap_or_default(), place);
                return None;
            }
            "input" => {
                if value("type") == Some("checkbox")
                    && let Some(Some(kind)) = self.items.last_mut()
                {
                    *kind = if value("checked").is_some() { "checked" } else { "unchecked" };
                }
                return None;
            }
            "strong" | "b" => {
                inside.style = flag("bold");
                Block::Inline
            }
            "em" | "i" => {
                inside.style = flag("italic");
                Block::Inline
            }
            "u" | "ins" => {
                inside.style = flag("underline");
                Block::Inline
            }
            "s" | "del" | "strike" => {
                inside.style = flag("strike");
                Block::Inline
            }
            "sub" => {
                inside.style = style("script", "sub");
                Block::Inline
            }
            "sup" => {
                inside.style = style("script", "super");
                Block::Inline
            }
            "code" if place.is_code => {
                let languages = value("class").unwrap_or_default().split_ascii_whitespace();
                let mut languages = languages.filter_map(|class| class.strip_prefix("language-"));
                if let Some(language) = languages.find(|language| is_language(language)) {
                    inside.line = Attributes::NONE.with("code-block", language);
                }
                Block::Lines
            }
            "code" | "kbd" | "samp" | "tt" => {
                inside.style = flag("code");
                Block::Inline
            }
            "a" => {
                if let Some(link) = value("href").and_then(safe_link) {
                    inside.style = style("link", link);
                }
                Block::Inline
            }
            "pre" => {
                inside.line = Attributes::NONE.with("code-block", true);
                inside.is_code = true;
                Block::Lines
            }
            "blockquote" => {
                inside.line = Attributes::NONE.with("blockquote", true);
                Block::Lines
            }
            "ul" | "ol" => {
                let is_checklist = value("class").is_some_and(|class| class.contains("checklist"));
                inside.kind = Some(match &*name.local {
                    "ol" => "ordered",
                    _ if is_checklist => "unchecked",
                    _ => "bullet",
                });
                inside.lists += 1;
                Block::Lines
            }
            "li" => Block::Item,
            local => {
                let level = local.strip_prefix('h').and_then(|level| level.parse::<u32>().ok());
                if let Some(level) = level.filter(|level| (1..=6).contains(level)) {
                    inside.line = Attributes::NONE.with("header", level);
                    Block::Lines
                } else if is_block(local) {
                    Block::Lines
                } else {
                    Block::Inline
                }
            }
        };
        if block != Block::Inline {
            if let Some(align) =
                value("style").and_then(alignment).or_else(|| value("align").and_then(known_alignment))
            {
                inside.line = inside.line.with("align", align);
            }
            if value("dir").is_some_and(|dir| dir.eq_ignore_ascii_case("rtl")) {
                inside.line = inside.line.with("direction", "rtl");
            }
            self.end_open_line(place);
        }
        match block {
            Block::Item => self.items.push(Some(inside.kind.unwrap_or("bullet"))),
            // A list within an item that has no text of its own.
            Block::Lines if inside.lists > place.lists => {
                self.begin_item();
            }
            _ => {}
        }
        Some((block, inside))
    }

    fn leave(&mut self, block: Block, place: &Place) {
        match block {
            Block::Inline => {}
            Block::Lines => self.end_open_line(place),
            Block::Item => {
                if self.items.last().is_some_and(Option::is_some) {
                    self.end_line(place);
                } else {
                    self.end_open_line(place);
                }
                self.items.pop();
            }
        }
    }

    fn image(&mut self, source: &str, text: &str, place: &Place) {
        if let Some(source) = safe_image(source) {
            self.resolve_break(place);
            let style = if text.is_empty() { place.style.clone() } else { place.style.with("alt", text) };
            self.out.embed(Embed::new("image", source), style);
        } else if !text.is_empty() {
            self.text(text, place);
        }
    }

    /// Something follows in the line: a `<br>` before it has ended one.
    fn resolve_break(&mut self, place: &Place) {
        if self.is_broken {
            self.end_line(place);
        }
    }

    fn end_open_line(&mut self, place: &Place) {
        if self.out.is_open() || self.is_broken {
            self.end_line(place);
        }
    }

    /// Takes the mark of an item, which its first line has and the others have not.
    fn begin_item(&mut self) -> Option<&'static str> {
        self.items.last_mut().and_then(Option::take)
    }

    fn end_line(&mut self, place: &Place) {
        self.is_broken = false;
        let line = match self.begin_item() {
            Some(kind) => {
                let indent = place.lists.saturating_sub(1).min(MAX_INDENT);
                let list = Attributes::NONE.with("list", kind);
                if indent > 0 { list.with("indent", indent) } else { list }
            }
            None => place.line.clone(),
        };
        self.out.end_line(line);
    }
}

/// Elements that stand on lines of their own, beside those with a meaning.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "body"
            | "center"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "header"
            | "hr"
            | "html"
            | "main"
            | "nav"
            | "p"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
    )
}

/// Reads how a style has lines aligned.
fn alignment(style: &str) -> Option<&'static str> {
    let declarations = style.split(';').filter_map(|declaration| declaration.split_once(':'));
    let mut aligns = declarations.filter(|(name, _)| name.trim().eq_ignore_ascii_case("text-align"));
    known_alignment(aligns.next_back()?.1)
}

fn known_alignment(name: &str) -> Option<&'static str> {
    ["center", "right", "justify"].into_iter().find(|known| name.trim().eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::generate::document;
    use crate::formats::to_html;

    fn read(html: &str) -> String {
        from_html(html).unwrap().to_json()
    }

    #[test]
    fn what_was_exported_comes_back() {
        for json in [
            r#"[{"insert":"Title"},{"insert":"\n","attributes":{"header":1}},{"insert":"a "},
                {"insert":"b","attributes":{"bold":true,"italic":true}},{"insert":"\n\n<script>&amp;\n"}]"#,
            r#"[{"insert":"quote"},{"insert":"\n","attributes":{"blockquote":true}},
                {"insert":"more"},{"insert":"\n","attributes":{"blockquote":true}},{"insert":"after\n"}]"#,
            r#"[{"insert":"if a < b {"},{"insert":"\n","attributes":{"code-block":"rust"}},
                {"insert":"    }"},{"insert":"\n\n","attributes":{"code-block":"rust"}}]"#,
            r#"[{"insert":"a"},{"insert":"\n","attributes":{"list":"bullet"}},
                {"insert":"b"},{"insert":"\n","attributes":{"indent":1,"list":"ordered"}},
                {"insert":"\n","attributes":{"indent":1,"list":"ordered"}},
                {"insert":"c"},{"insert":"\n","attributes":{"list":"bullet"}},
                {"insert":"d"},{"insert":"\n","attributes":{"list":"checked"}},
                {"insert":"e"},{"insert":"\n","attributes":{"list":"unchecked"}}]"#,
            r#"[{"insert":"a","attributes":{"link":"https://x/?a&b"}},
                {"insert":"b","attributes":{"link":"https://x/?a&b","bold":true}},{"insert":"c\n"}]"#,
            r#"[{"insert":{"image":"data:image/png;base64,AA"},"attributes":{"alt":"a \"b\""}},{"insert":"\n"}]"#,
            r#"[{"insert":"H"},{"insert":"2","attributes":{"script":"sub"}},{"insert":"O","attributes":{"underline":true}},
                {"insert":"s","attributes":{"strike":true}},{"insert":"c","attributes":{"code":true}},
                {"insert":"\n","attributes":{"align":"right","direction":"rtl"}}]"#,
        ] {
            let before = document(json);
            let html = to_html(&before);
            assert_eq!(read(&html), before.to_json(), "by way of {html}");
        }
    }

    #[test]
    fn what_runs_and_what_leads_astray_is_left_out() {
        for hostile in [
            "a<script>alert(1)</script>",
            "a<style>b{}</style>",
            "<a href=\"javascript:x\">a</a>",
            "<a href=\"java\nscript:x\">a</a>",
            "<img src=\"javascript:x\" alt=a>",
            "<svg><text>b</text></svg>a",
            "<template>b</template>a",
            "<p onclick=x>a",
        ] {
            assert_eq!(read(hostile), r#"[{"insert":"a\n"}]"#, "{hostile}");
        }
    }

    #[test]
    fn white_space_is_what_a_browser_makes_of_it() {
        assert_eq!(
            read("<p>a\n  b <b> c</b> </p>\n <p>d</p>"),
            r#"[{"insert":"a b "},{"insert":"c","attributes":{"bold":true}},{"insert":"\nd\n"}]"#
        );
        assert_eq!(read("a<br>b<br><br>c<br>"), r#"[{"insert":"a\nb\n\nc\n"}]"#);
        assert_eq!(read("<div>a<div>b</div>c</div>"), r#"[{"insert":"a\nb\nc\n"}]"#);
        assert_eq!(
            read("<li>a<li>b"),
            r#"[{"insert":"a"},{"insert":"\n","attributes":{"list":"bullet"}},{"insert":"b"},{"insert":"\n","attributes":{"list":"bullet"}}]"#
        );
    }

    #[test]
    fn what_would_take_long_is_refused() {
        assert_eq!(from_html(&"<div>".repeat(100_000)), Err(Tangled));
        let reopened: String =
            (0..20_000).fold(String::new(), |html, n| html + &format!("<p><font size={n}>"));
        assert_eq!(from_html(&reopened), Err(Tangled));
    }

    proptest! {
        #[test]
        fn any_text_is_a_document(html in "(</?(p|b|i|a|ul|ol|li|pre|code|h1|table|tr|td|br|div|svg|template|select)( [a-z]=\"?x\"?)?>|[a-c \n<>&/;\"]){0,40}") {
            if let Ok(delta) = from_html(&html) {
                prop_assert!(delta.is_document());
            }
        }
    }
}
