//! Documents for tests: written down, and generated ones that go after what formats could stumble over.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::ot::{Attributes, Delta, Embed, ParseLimits, Value};

/// Reads a document that a test has written down.
pub fn document(json: &str) -> Delta {
    let delta = Delta::parse(json, &ParseLimits::default()).expect("tests write valid deltas");
    assert!(delta.is_document(), "{json} is no document");
    delta
}

/// Any document: every known attribute with values of the right and of the wrong kind, every kind of embed, texts full
/// of markup.
pub fn any_document() -> impl Strategy<Value = Delta> {
    vec((any_content(), vec(any_attribute(), 0..4)), 0..24).prop_map(|parts| {
        parts.into_iter().fold(Delta::new(), |delta, (content, attributes)| {
            let attributes =
                attributes.into_iter().fold(Attributes::NONE, |all, (key, value)| all.with(key, value));
            match content {
                Ok(text) => delta.insert(text, attributes),
                Err(embed) => delta.insert_embed(embed, attributes),
            }
        })
    })
}

/// A document whose lines have no leading or trailing white space in them and whose text is what a person might write,
/// with the styles that Markdown knows.
pub fn styled_line() -> impl Strategy<Value = Delta> {
    let style = proptest::sample::select(vec!["bold", "italic", "strike", "code", "underline"]);
    vec((styled_text(), vec(style, 0..3)), 1..7).prop_map(|parts| {
        parts.into_iter().fold(Delta::new(), |delta, (text, styles)| {
            delta.insert(text, styles.into_iter().fold(Attributes::NONE, |all, key| all.with(key, true)))
        })
    })
}

fn styled_text() -> impl Strategy<Value = String> {
    let letters = vec![
        "a", "b", " ", "é", "字", "\"", "*", "_", "~", "`", "(", ".", "!", "1", "&", "\\", "<", "[", "😀",
        "Ⓐ",
    ];
    vec(proptest::sample::select(letters), 1..5).prop_map(|letters| letters.concat())
}

fn any_content() -> impl Strategy<Value = Result<String, Embed>> {
    let kinds = vec!["image", "video", "formula", "poll", "<b>"];
    let embed =
        (proptest::sample::select(kinds), any_value()).prop_map(|(kind, value)| Err(Embed::new(kind, value)));
    let hostile = vec![
        "<script>", "\"'&>", "```", "~~~", "- x", "1. x", "# x", "> x", "    x", "---", "&amp;", "](x)",
        "\r", "\t",
    ];
    prop_oneof![
        4 => Just(Ok("\n".to_owned())),
        2 => proptest::sample::select(hostile).prop_map(|text| Ok(text.to_owned())),
        2 => "[ -~\n]{1,12}".prop_map(Ok),
        2 => "[^\u{0}]{1,6}".prop_map(Ok),
        1 => embed,
    ]
}

fn any_attribute() -> impl Strategy<Value = (&'static str, Value)> {
    let keys = vec![
        "bold",
        "italic",
        "underline",
        "strike",
        "code",
        "script",
        "link",
        "alt",
        "header",
        "list",
        "indent",
        "blockquote",
        "code-block",
        "align",
        "direction",
        "color",
    ];
    (proptest::sample::select(keys), any_value())
}

fn any_value() -> impl Strategy<Value = Value> {
    let strings = vec![
        "bullet",
        "ordered",
        "checked",
        "unchecked",
        "sub",
        "super",
        "center",
        "rtl",
        "rust",
        "https://a/(b)?c&d",
        "x",
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "\" onload=\"x",
        "<i>",
        "a`b",
        "a b",
        "",
    ];
    prop_oneof![
        3 => Just(Value::from(true)),
        2 => (0u32..9).prop_map(Value::from),
        4 => proptest::sample::select(strings).prop_map(Value::from),
        1 => Just(Value::from(false)),
    ]
}
