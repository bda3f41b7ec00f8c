//! The properties of the fuzz target on generated input: near-JSON of documents and edits, with and without flaws.

use proptest::prelude::*;

#[path = "../../fuzz/src/properties.rs"]
mod properties;

fn a_string() -> impl Strategy<Value = String> {
    let unit =
        prop::sample::select(vec!["a", "b", "é", "😀", "\\ud83d\\ude00", "\\n", "\\u00e9", "\u{10400}"]);
    let flaw = prop::sample::select(vec!["\\ud83d", "\\u0000", "\n", "\\x", "\""]);
    prop::collection::vec(prop_oneof![40 => unit, 1 => flaw], 0..8)
        .prop_map(|units| format!("\"{}\"", units.concat()))
}

fn a_value() -> impl Strategy<Value = String> {
    let simple = ["null", "true", "1", "1.0", "-0", "1e2", "9007199254740993", "1e400", "01", "[]", "{}"];
    let leaf =
        prop_oneof![3 => prop::sample::select(simple.to_vec()).prop_map(String::from), 1 => a_string()];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|values| format!("[{}]", values.join(","))),
            an_object(inner),
        ]
    })
}

fn an_object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["bold", "color", "b\\u006fld", "a", "b", "", "名前", "toString"]);
    let entry = (key, value).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    prop::collection::vec(entry, 0..3).prop_map(|entries| format!("{{{}}}", entries.join(", ")))
}

fn an_insert() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => a_string().prop_map(|text| format!("\"insert\":{text}")),
        1 => a_value().prop_map(|value| format!("\"insert\" : {{\"image\":{value}}}")),
    ]
}

fn a_length() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => (0..6u32).prop_map(|len| len.to_string()),
        1 => prop::sample::select(vec!["1.0", "-1", "0.5", "9007199254740991", "1e9"]).prop_map(String::from),
    ]
}

fn a_part(is_document: bool) -> impl Strategy<Value = String> {
    let others = if is_document { 0 } else { 3 };
    let kind = prop_oneof![
        4 => an_insert(),
        others => a_length().prop_map(|len| format!("\"retain\":{len}")),
        others => a_length().prop_map(|len| format!("\"delete\":{len}")),
    ];
    let attributes = prop_oneof![3 => Just(String::new()), 2 => an_object(a_value()).prop_map(|it| format!(",\"attributes\":{it}"))];
    (kind, attributes).prop_map(|(kind, attributes)| format!("{{{kind}{attributes}}}"))
}

fn a_delta(is_document: bool) -> impl Strategy<Value = String> {
    prop::collection::vec(a_part(is_document), 0..6).prop_map(|parts| format!("[{}]", parts.join(",")))
}

fn an_edit() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => a_delta(false),
        1 => a_delta(false).prop_map(|parts| format!("{{\"ops\":{parts}}}")),
        1 => (a_length(), a_string()).prop_map(|(pos, text)| format!("{{\"type\":\"insert\",\"pos\":{pos},\"text\":{text}}}")),
        1 => (a_length(), a_length()).prop_map(|(pos, len)| format!("{{\"type\":\"delete\",\"pos\":{pos},\"len\":{len}}}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_input_breaks_the_kernel(document in a_delta(true), a in an_edit(), b in an_edit()) {
        properties::parse_and_apply(&format!("{document}\n{a}\n{b}"));
    }

    #[test]
    fn no_noise_breaks_the_kernel(text in "([\\[\\]{}\":,\\\\0-9eE.+ud\\-\n ]|insert|retain|delete|\"ops\"|😀){0,40}") {
        properties::parse_and_apply(&text);
        properties::parse_and_apply(&format!("[{{\"insert\":\"ab😀\"}}]\n{text}\n[]"));
    }
}

#[test]
fn seeds_of_the_fuzz_target_hold() {
    properties::parse_and_apply(include_str!("../../fuzz/seeds/parse_apply/hello"));
    properties::parse_and_apply(include_str!("../../fuzz/seeds/parse_apply/formats"));
}
