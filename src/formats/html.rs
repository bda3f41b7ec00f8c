//! HTML: a fragment of semantic elements, safe to put into any page.

use super::lines::{Block, Content, Line, Marker, Span, Style, lines};
use super::lists::depths;
use super::url::{safe_image, safe_link};
use crate::ot::{Delta, Embed};

/// Returns a document as an HTML fragment, one line for each block.
///
/// Text and attribute values are escaped, addresses other than `http`, `https`, `mailto`, relative ones and (for images)
/// `data:image/` are left out, and no value of the document becomes a name of an element, an attribute or a style.
pub fn to_html(document: &Delta) -> String {
    let lines = lines(document);
    let mut out = String::new();
    for run in lines.chunk_by(Line::continues) {
        match run[0].block() {
            Block::Paragraph => element(&mut out, "p", &run[0]),
            Block::Heading(level) => element(&mut out, HEADINGS[usize::from(level) - 1], &run[0]),
            Block::Quote => quote(&mut out, run),
            Block::Code(language) => code(&mut out, run, language),
            Block::Item(_) => list(&mut out, run),
        }
    }
    out
}

const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];

/// Writes a line as an element of its own. An empty one keeps its height.
fn element(out: &mut String, name: &str, line: &Line<'_>) {
    out.push('<');
    out.push_str(name);
    if line.attribute("direction") == Some("rtl") {
        out.push_str(" dir=\"rtl\"");
    }
    if let Some(align) =
        line.attribute("align").filter(|align| ["center", "right", "justify"].contains(align))
    {
        out.push_str(" style=\"text-align: ");
        out.push_str(align);
        out.push('"');
    }
    out.push('>');
    if line.spans.is_empty() {
        out.push_str("<br>");
    }
    inline(out, &line.spans);
    close(out, name);
    out.push('\n');
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn quote(out: &mut String, lines: &[Line<'_>]) {
    out.push_str("<blockquote>\n");
    for line in lines {
        element(out, "p", line);
    }
    out.push_str("</blockquote>\n");
}

fn code(out: &mut String, lines: &[Line<'_>], language: Option<&str>) {
    match language {
        None => out.push_str("<pre><code>"),
        Some(name) => {
            out.push_str("<pre><code class=\"language-");
            escape(out, name);
            out.push_str("\">");
        }
    }
    let mut text = String::new();
    for line in lines {
        line.write_text(&mut text);
        text.push('\n');
    }
    escape(out, &text);
    out.push_str("</code></pre>\n");
}

/// Writes items as nested lists: a deeper list stands inside the item above it.
fn list(out: &mut String, items: &[Line<'_>]) {
    let mut open: Vec<Marker> = Vec::new();
    for (item, depth) in items.iter().zip(depths(items)) {
        let Block::Item(marker) = item.block() else { continue };
        while open.len() > depth + 1 {
            close_list(out, open.pop());
        }
        if open.len() == depth + 1 {
            if open.last().is_some_and(|of| tags(*of) == tags(marker)) {
                out.push_str("</li>\n");
            } else {
                close_list(out, open.pop());
            }
        }
        if open.len() == depth {
            if depth > 0 {
                out.push('\n');
            }
            out.push_str(tags(marker).0);
            open.push(marker);
        }
        out.push_str("<li>");
        if let Marker::Box(checked) = marker {
            out.push_str(if checked {
                "<input type=\"checkbox\" disabled checked> "
            } else {
                "<input type=\"checkbox\" disabled> "
            });
        }
        inline(out, &item.spans);
    }
    while !open.is_empty() {
        close_list(out, open.pop());
    }
}

/// How a list opens and closes.
fn tags(marker: Marker) -> (&'static str, &'static str) {
    match marker {
        Marker::Bullet => ("<ul>\n", "</ul>\n"),
        Marker::Number => ("<ol>\n", "</ol>\n"),
        Marker::Box(_) => ("<ul class=\"checklist\">\n", "</ul>\n"),
    }
}

fn close_list(out: &mut String, list: Option<Marker>) {
    if let Some(marker) = list {
        out.push_str("</li>\n");
        out.push_str(tags(marker).1);
    }
}

/// Writes the spans of a line; neighbours with one link become one link.
fn inline(out: &mut String, spans: &[Span<'_>]) {
    for run in spans.chunk_by(|a, b| a.link() == b.link()) {
        let link = run[0].link();
        if let Some(href) = link {
            open_link(out, href);
        }
        for span in run {
            styled(out, span, link.is_some());
        }
        if link.is_some() {
            out.push_str("</a>");
        }
    }
}

fn open_link(out: &mut String, href: &str) {
    out.push_str("<a href=\"");
    escape(out, href);
    out.push_str("\" rel=\"noopener noreferrer nofollow\">");
}

/// Elements of styles, from the outside in.
const STYLES: [(Style, &str); 5] = [
    (Style::Bold, "strong"),
    (Style::Italic, "em"),
    (Style::Underline, "u"),
    (Style::Strike, "s"),
    (Style::Code, "code"),
];

fn styled(out: &mut String, span: &Span<'_>, in_link: bool) {
    let script = match span.attribute("script") {
        Some("sub") => Some("sub"),
        Some("super") => Some("sup"),
        _ => None,
    };
    let styles = STYLES.iter().filter(|(style, _)| span.has(*style)).map(|(_, name)| *name);
    let names: Vec<&str> = styles.chain(script).collect();
    for name in &names {
        out.push('<');
        out.push_str(name);
        out.push('>');
    }
    match span.content {
        Content::Text(text) => escape(out, text),
        Content::Embed(object) => embed(out, object, span, in_link),
    }
    for name in names.iter().rev() {
        close(out, name);
    }
}

/// Writes an image as such, a video as a link, a formula as its source, and anything else as its name in brackets.
fn embed(out: &mut String, embed: &Embed, span: &Span<'_>, in_link: bool) {
    match (embed.kind(), embed.value().as_str()) {
        ("image", Some(source)) if safe_image(source).is_some() => {
            out.push_str("<img src=\"");
            escape(out, safe_image(source).unwrap_or_default());
            out.push_str("\" alt=\"");
            escape(out, span.attribute("alt").unwrap_or_default());
            out.push_str("\">");
        }
        ("video", Some(source)) if !in_link && safe_link(source).is_some() => {
            let href = safe_link(source).unwrap_or_default();
            open_link(out, href);
            escape(out, href);
            out.push_str("</a>");
        }
        ("formula", Some(source)) => {
            out.push_str("<code>");
            escape(out, source);
            out.push_str("</code>");
        }
        (kind, _) => {
            out.push('[');
            escape(out, kind);
            out.push(']');
        }
    }
}

/// Appends text so that it is text wherever it stands: between tags and within quotes.
fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::generate::{any_document, document};
    use proptest::prelude::*;

    fn html(json: &str) -> String {
        to_html(&document(json))
    }

    #[test]
    fn lines_become_blocks() {
        let json = r#"[{"insert":"Title"},{"insert":"\n","attributes":{"header":1}},{"insert":"a "},
            {"insert":"b","attributes":{"bold":true,"italic":true}},{"insert":"\n\nquote"},
            {"insert":"\n","attributes":{"blockquote":true}},{"insert":"if a < b {"},
            {"insert":"\n","attributes":{"code-block":"rust"}},{"insert":"}"},
            {"insert":"\n","attributes":{"code-block":"rust"}},{"insert":"end"}]"#;
        let expected = "<h1>Title</h1>\n<p>a <strong><em>b</em></strong></p>\n<p><br></p>\n\
            <blockquote>\n<p>quote</p>\n</blockquote>\n\
            <pre><code class=\"language-rust\">if a &lt; b {\n}\n</code></pre>\n<p>end</p>\n";
        assert_eq!(html(json), expected);
    }

    #[test]
    fn lists_nest_inside_the_item_above() {
        let item = |text: &str, kind: &str, indent: u8| {
            format!(
                r#"{{"insert":"{text}"}},{{"insert":"\n","attributes":{{"list":"{kind}","indent":{indent}}}}}"#
            )
        };
        let items = [
            item("a", "bullet", 0),
            item("b", "ordered", 1),
            item("c", "ordered", 1),
            item("d", "bullet", 0),
        ];
        assert_eq!(
            html(&format!("[{}]", items.join(","))),
            "<ul>\n<li>a\n<ol>\n<li>b</li>\n<li>c</li>\n</ol>\n</li>\n<li>d</li>\n</ul>\n"
        );
        let items = [item("a", "ordered", 0), item("b", "checked", 0), item("c", "unchecked", 0)];
        assert_eq!(
            html(&format!("[{}]", items.join(","))),
            "<ol>\n<li>a</li>\n</ol>\n<ul class=\"checklist\">\n\
             <li><input type=\"checkbox\" disabled checked> b</li>\n\
             <li><input type=\"checkbox\" disabled> c</li>\n</ul>\n"
        );
    }

    #[test]
    fn neighbours_with_one_link_are_one_link() {
        let json = r#"[{"insert":"a","attributes":{"link":"https://x/?a&b"}},
            {"insert":"b","attributes":{"link":"https://x/?a&b","bold":true}},{"insert":"c\n"}]"#;
        assert_eq!(
            html(json),
            "<p><a href=\"https://x/?a&amp;b\" rel=\"noopener noreferrer nofollow\">a<strong>b</strong></a>c</p>\n"
        );
    }

    #[test]
    fn images_and_other_embeds() {
        let json = r#"[{"insert":{"image":"data:image/png;base64,AA"},"attributes":{"alt":"a \"b\""}},
            {"insert":{"video":"https://v"}},{"insert":{"formula":"a<b"}},{"insert":{"poll":{"x":1}}}]"#;
        assert_eq!(
            html(json),
            "<p><img src=\"data:image/png;base64,AA\" alt=\"a &quot;b&quot;\">\
             <a href=\"https://v\" rel=\"noopener noreferrer nofollow\">https://v</a>\
             <code>a&lt;b</code>[poll]</p>\n"
        );
    }

    #[test]
    fn nothing_in_a_document_becomes_script() {
        let hostile = [
            r#"[{"insert":"<script>alert(1)</script>\n"}]"#,
            r#"[{"insert":"x","attributes":{"link":"javascript:alert(1)"}}]"#,
            r#"[{"insert":"x","attributes":{"link":"java\tscript:alert(1)"}}]"#,
            r#"[{"insert":"x","attributes":{"link":"https://a\" onmouseover=\"alert(1)"}}]"#,
            r#"[{"insert":{"image":"x\" onerror=\"alert(1)"}}]"#,
            r#"[{"insert":{"image":"javascript:alert(1)"}}]"#,
            r#"[{"insert":{"image":"data:text/html,<script>alert(1)</script>"}}]"#,
            r#"[{"insert":{"image":"a.png"},"attributes":{"alt":"\"><script>alert(1)</script>"}}]"#,
            r#"[{"insert":{"video":"javascript:alert(1)"}}]"#,
            r#"[{"insert":{"<script>alert(1)</script>":1}}]"#,
            r#"[{"insert":"\n","attributes":{"code-block":"\"><script>"}}]"#,
            r#"[{"insert":"\n","attributes":{"align":"left;background:url(x)","direction":"\"x"}}]"#,
            r#"[{"insert":"</code></pre><script>x</script>\n","attributes":{"code-block":true}}]"#,
        ];
        for json in hostile {
            let html = html(json);
            assert_eq!(check_markup(&html), Ok(()), "{json} became {html}");
            assert!(!html.contains("javascript:"), "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_document_is_known_markup_and_escaped_text(document in any_document()) {
            let html = to_html(&document);
            prop_assert_eq!(check_markup(&html), Ok(()), "{}", html);
        }
    }

    /// Reads markup as strictly as we write it: known elements with known attributes, properly nested, safe addresses,
    /// no other `<`, and no `&` that is not one of our five.
    fn check_markup(html: &str) -> Result<(), String> {
        let mut open = Vec::new();
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            check_escaped(&rest[..at])?;
            let (tag, after) = rest[at + 1..].split_once('>').ok_or("a tag without end")?;
            rest = after;
            let name = tag.split(' ').next().unwrap_or_default();
            if let Some(closed) = tag.strip_prefix('/') {
                if open.pop() != Some(closed.to_owned()) {
                    return Err(format!("{closed} is closed out of turn"));
                }
                continue;
            }
            let known =
                "p h1 h2 h3 h4 h5 h6 blockquote pre code ul ol li strong em u s sub sup a img br input";
            if !known.split(' ').any(|element| element == name) {
                return Err(format!("unknown element {name}"));
            }
            check_attributes(&tag[name.len()..])?;
            if !["br", "img", "input"].contains(&name) {
                open.push(name.to_owned());
            }
        }
        check_escaped(rest)?;
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?} stay open")) }
    }

    fn check_escaped(text: &str) -> Result<(), String> {
        let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        let all_known =
            text.split('&').skip(1).all(|rest| entities.iter().any(|entity| rest.starts_with(entity)));
        if all_known && !text.contains('>') { Ok(()) } else { Err(format!("not escaped: {text}")) }
    }

    fn check_attributes(mut rest: &str) -> Result<(), String> {
        while !rest.is_empty() {
            rest = rest.strip_prefix(' ').ok_or("attributes are not separated")?;
            if let Some(after) = rest.strip_prefix("disabled").or_else(|| rest.strip_prefix("checked")) {
                rest = after;
                continue;
            }
            let (name, after) = rest.split_once("=\"").ok_or("an attribute without value")?;
            let (value, after) = after.split_once('"').ok_or("a value without end")?;
            rest = after;
            check_escaped(value)?;
            let value = value.replace("&amp;", "&");
            let fine = match name {
                "href" => safe_link(&value).is_some(),
                "src" => safe_image(&value).is_some(),
                "style" => {
                    ["text-align: center", "text-align: right", "text-align: justify"].contains(&&*value)
                }
                "alt" | "rel" | "class" | "type" | "dir" => true,
                _ => false,
            };
            if !fine {
                return Err(format!("attribute {name}={value}"));
            }
        }
        Ok(())
    }
}
