//! The last look at HTML before it leaves: the belt to the braces of [`html`](super::html).
//!
//! The writer knows what it writes. This reads it again as a browser does, and keeps only elements, attributes and addresses
//! that are on a list, so that a fault of the writer shows as something missing and never as a script.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

use super::url::{safe_image, safe_link};

/// What the writer has use for.
const ELEMENTS: [&str; 23] = [
    "a",
    "blockquote",
    "br",
    "code",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "img",
    "input",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "u",
    "ul",
];

/// Elements that stand for a line, and so may be aligned.
const LINES: [&str; 7] = ["h1", "h2", "h3", "h4", "h5", "h6", "p"];

/// Styles that a line may have.
const ALIGNMENTS: [&str; 3] = ["text-align: center", "text-align: right", "text-align: justify"];

static POLICY: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let set = |names: &[&'static str]| names.iter().copied().collect::<HashSet<_>>();
    let lines = LINES.iter().map(|line| (*line, set(&["dir", "style"])));
    let others = [
        ("a", set(&["href", "rel"])),
        ("code", set(&["class"])),
        ("img", set(&["alt", "src"])),
        ("input", set(&["checked", "disabled", "type"])),
        ("ul", set(&["class"])),
    ];
    let mut policy = Builder::empty();
    policy
        .tags(set(&ELEMENTS))
        .clean_content_tags(set(&["script", "style"]))
        .tag_attributes(lines.chain(others).collect::<HashMap<_, _>>())
        .url_schemes(set(&["data", "http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(None)
        .attribute_filter(attribute);
    policy
});

/// Keeps a value that its attribute may have.
fn attribute<'v>(element: &str, name: &str, value: &'v str) -> Option<Cow<'v, str>> {
    let fine = match (element, name) {
        ("a", "href") => safe_link(value).is_some(),
        ("img", "src") => safe_image(value).is_some(),
        (_, "style") => ALIGNMENTS.contains(&value),
        (_, "dir") => value == "rtl",
        ("ul", "class") => value == "checklist",
        ("code", "class") => value.starts_with("language-"),
        ("input", "type") => value == "checkbox",
        _ => true,
    };
    fine.then_some(Cow::Borrowed(value))
}

/// Returns what of a fragment may be put into any page.
pub fn sanitised(html: &str) -> String {
    POLICY.clean(html).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::generate::{any_document, document};
    use crate::formats::html::to_html;

    #[test]
    fn what_the_writer_writes_stays() {
        let json = r#"[{"insert":"Title"},{"insert":"\n","attributes":{"header":1,"align":"center"}},
            {"insert":"a","attributes":{"link":"https://x/?a&b","bold":true}},{"insert":{"image":"data:image/png;base64,AA"},
            "attributes":{"alt":"b"}},{"insert":"\n","attributes":{"direction":"rtl"}},
            {"insert":"if a < b {"},{"insert":"\n","attributes":{"code-block":"rust"}},{"insert":"x"},
            {"insert":"\n","attributes":{"list":"checked"}},{"insert":"y"},{"insert":"\n","attributes":{"list":"ordered"}}]"#;
        let html = to_html(&document(json));
        // An attribute without value has an empty one, which is the same.
        assert_eq!(sanitised(&html).replace("=\"\"", ""), html);
    }

    #[test]
    fn what_it_would_never_write_goes() {
        for (bad, expected) in [
            ("<script>alert(1)</script>", ""),
            ("<p onclick=\"x\">a</p>", "<p>a</p>"),
            ("<a href=\"javascript:alert(1)\">a</a>", "<a>a</a>"),
            ("<a href=\"data:text/html,x\">a</a>", "<a>a</a>"),
            ("<img src=\"data:image/svg+xml,x\" onerror=\"x\">", "<img>"),
            ("<p style=\"background:url(x)\">a</p>", "<p>a</p>"),
            ("<iframe src=\"https://x\"></iframe><svg><script>x</script></svg>", ""),
            ("<input type=\"password\">", "<input>"),
            ("<ul class=\"menu\"><li>a</li></ul>", "<ul><li>a</li></ul>"),
            ("<form action=\"https://x\">a</form>", "a"),
        ] {
            assert_eq!(sanitised(bad), expected, "{bad}");
        }
    }

    /// Cuts markup into its tags. What stands between quotes does not end one, and begins none.
    fn tags(html: &str) -> Vec<&str> {
        let (mut tags, mut begin, mut quoted) = (Vec::new(), None, false);
        for (at, byte) in html.bytes().enumerate() {
            match (byte, begin) {
                (b'<', None) => begin = Some(at + 1),
                (b'"', Some(_)) => quoted = !quoted,
                (b'>', Some(from)) if !quoted => {
                    tags.push(&html[from..at]);
                    begin = None;
                }
                _ => {}
            }
        }
        tags
    }

    /// Reads every name of an element and of an attribute, and every address.
    fn names(html: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let (mut elements, mut attributes, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        for tag in tags(html).into_iter().filter(|tag| !tag.starts_with('/')) {
            let (name, mut rest) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
            elements.push(name.to_owned());
            while let Some((before, after)) = rest.split_once("=\"") {
                let name = before.rsplit(' ').next().unwrap_or_default();
                let (value, after) = after.split_once('"').unwrap_or((after, ""));
                attributes.push(name.to_owned());
                if ["href", "src"].contains(&name) {
                    addresses.push(value.replace("&amp;", "&"));
                }
                rest = after;
            }
        }
        (elements, attributes, addresses)
    }

    proptest! {
        #[test]
        fn whatever_a_document_holds_no_script_no_handler_and_no_foreign_scheme_comes_out(document in any_document()) {
            let html = sanitised(&to_html(&document));
            let (elements, attributes, addresses) = names(&html);
            for element in elements {
                prop_assert!(ELEMENTS.contains(&&*element), "{element} in {html}");
            }
            for attribute in attributes {
                let known = ["alt", "checked", "class", "dir", "disabled", "href", "rel", "src", "style", "type"];
                prop_assert!(known.contains(&&*attribute), "{attribute} in {html}");
            }
            for address in addresses {
                prop_assert!(safe_link(&address).is_some() || safe_image(&address).is_some(), "{address} in {html}");
            }
        }

        #[test]
        fn whatever_text_it_is_given_it_takes_the_same_twice(html in "[ -~]{0,60}|(<[a-z]{1,6} ?[a-z]{0,7}=?\"?[a-z:]{0,12}\"?>){0,6}") {
            let once = sanitised(&html);
            prop_assert_eq!(sanitised(&once), once.clone());
        }
    }
}
