//! Hostile and malformed deltas: each with the verdict that a server must come to.

use quire::ot::{Delta, DeltaError, Document, ParseLimits};
use serde::Deserialize;
use serde_json::Value;

use crate::case::{equal, lines, to_value};

const BAD_OPS: &str = include_str!("../corpora/bad-ops.jsonl");

/// What the deltas of the corpus are put to.
const CONTENT: &str = r#"[{"insert":"Hello 😀 world"},{"insert":{"image":"a.png"}},{"insert":"\n"}]"#;

#[derive(Deserialize)]
struct BadOp {
    id: String,
    level: String,
    raw: Option<String>,
    #[serde(rename = "gen")]
    generator: Option<Generator>,
    verdict: String,
    normalised: Option<Value>,
    doc_after: Option<Value>,
}

/// A text too long to be written out.
#[derive(Deserialize)]
struct Generator {
    prefix: String,
    repeat: String,
    count: usize,
    join: Option<String>,
    #[serde(default)]
    middle: String,
    #[serde(default)]
    close: String,
    suffix: String,
}

impl Generator {
    fn text(&self) -> String {
        let repeated = match &self.join {
            Some(join) => {
                let items = (0..self.count).map(|i| self.repeat.replace("%d", &i.to_string()));
                items.collect::<Vec<_>>().join(join)
            }
            None => self.repeat.repeat(self.count),
        };
        [&self.prefix, &repeated, &self.middle, &self.close.repeat(self.count), &self.suffix]
            .map(String::as_str)
            .concat()
    }
}

fn submit(text: &str, document: &mut Document) -> Result<Delta, DeltaError> {
    let delta = Delta::parse(text, &ParseLimits::default())?;
    document.apply(&delta)?;
    Ok(delta)
}

#[test]
fn every_delta_gets_its_verdict() {
    for case in lines::<BadOp>(BAD_OPS).into_iter().filter(|case| case.level == "delta") {
        let text = case.raw.or_else(|| Some(case.generator?.text())).unwrap();
        let before = Document::from_json(CONTENT).unwrap();
        let mut document = before.clone();
        let verdict = submit(&text, &mut document);
        if case.verdict == "refuse" {
            // The limit on a frame's bytes is the server's, and it bites before the kernel sees the text.
            let is_stopped_before = text.len() > 1 << 20;
            assert!(verdict.is_err() || is_stopped_before, "{} is taken", case.id);
            assert!(
                verdict.is_ok() || document.to_delta() == before.to_delta(),
                "{} leaves something",
                case.id
            );
            continue;
        }
        let delta = verdict.unwrap_or_else(|error| panic!("{}: {error}", case.id));
        if let Some(normalised) = &case.normalised {
            assert!(equal(&to_value(&delta), normalised), "{}: {delta:?}", case.id);
        }
        if let Some(after) = &case.doc_after {
            assert!(equal(&to_value(&document.to_delta()), after), "{}: {document:?}", case.id);
        }
    }
}

#[test]
fn too_many_parts_are_told_from_malformed_ones() {
    let limits = ParseLimits { ops: 2 };
    let parse = |text| Delta::parse(text, &limits);
    assert!(parse(r#"[{"insert":"a"},{"insert":"b"}]"#).is_ok());
    let too_many = parse(r#"[{"insert":"a"},{"insert":"b"},{"insert":"c"}]"#);
    assert_eq!(too_many.unwrap_err(), DeltaError::TooLarge { limit: 2 });
    assert!(matches!(parse(r#"[{"insert":"a"},{}]"#), Err(DeltaError::Part { part: 1, .. })));
}
