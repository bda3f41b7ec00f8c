//! Input that must not get as far as quill-delta: refused, or tidied up first.

use quire::ot::{Delta, DeltaError, Document, ParseLimits, raw};

use crate::case::{Case, equal, lines, to_value};
use crate::vectors::{answer, without_null};

const QUIRKS: &str = include_str!("../corpora/delta-quirks.jsonl");

/// Whether one of the deltas is refused, by itself or for where it cuts.
fn is_refused(case: &Case) -> bool {
    case.delta_texts().iter().any(|text| Delta::parse(text, &ParseLimits::default()).is_err())
        || cuts_or_exceeds(case)
}

/// Whether an edit does not fit its document, or the difference of documents would cut a pair if taken as quill-delta
/// gives it.
fn cuts_or_exceeds(case: &Case) -> bool {
    let fits =
        |doc: &Delta, delta: &Delta| Document::from_delta(doc).is_ok_and(|doc| doc.check(delta).is_ok());
    match case.function.as_str() {
        "apply" => !fits(&case.raw_delta("doc").unwrap(), &case.raw_delta("delta").unwrap()),
        "invert" => !fits(&case.raw_delta("base").unwrap(), &case.raw_delta("delta").unwrap()),
        "composeAll" => {
            let mut doc = Document::new();
            case.raw_deltas("deltas").unwrap().iter().any(|delta| doc.apply(delta).is_err())
        }
        _ => false,
    }
}

/// Reads `text` and checks that nothing untidy is left of it.
fn tidied_up(text: &str) -> Result<Delta, DeltaError> {
    let delta = Delta::parse(text, &ParseLimits::default())?;
    assert!(delta.ops().iter().all(|op| op.units() > 0), "{delta:?}");
    assert!(!delta.to_json().contains(r#""attributes":{}"#), "{delta:?}");
    let mut again = raw::push_all(&delta);
    again.chop();
    assert_eq!(delta, again);
    Ok(delta)
}

/// Where a pair is cut without a document to say so, lengths stay right; a difference cuts none.
fn check_whole(case: &Case) {
    match case.function.as_str() {
        "slice" => {
            let ops = case.raw_delta("ops").unwrap();
            let (start, end) = (case.arg::<u64>("start"), case.arg::<Option<u64>>("end"));
            let end = end.unwrap_or(u64::MAX).min(ops.length());
            assert_eq!(ops.slice(start, end).length(), end - start, "{}", case.id);
        }
        "diff" => {
            let (a, b) = (case.raw_delta("a").unwrap(), case.raw_delta("b").unwrap());
            let mut document = Document::from_delta(&a).unwrap();
            document.apply(&a.diff(&b).unwrap()).unwrap();
            assert_eq!(document.to_delta(), b, "{}", case.id);
        }
        "transform" => {
            let (a, b) = (case.raw_delta("a").unwrap(), case.raw_delta("b").unwrap());
            let transformed = a.transform(&b, case.arg("priority"));
            assert!(equal(&to_value(&transformed), &case.expected), "{}: {transformed:?}", case.id);
        }
        function => panic!("{}: {function} is not refused", case.id),
    }
}

#[test]
fn quirks_are_refused_or_matched_or_tidied_up() {
    for case in lines::<Case>(QUIRKS) {
        match case.advice.as_str() {
            // A slice, a difference and a transform have no document that they could be put to; they are not refused.
            "refuse" if case.cat == "split-pair" && !is_refused(&case) => check_whole(&case),
            "refuse" => {
                assert!(is_refused(&case), "{} ({} {}) is not refused", case.id, case.function, case.cat);
            }
            // Numbers that are one only as floats are not even let in.
            "normalise" if case.cat == "numbers" => assert!(is_refused(&case), "{}", case.id),
            "normalise" => case.delta_texts().iter().for_each(|text| {
                tidied_up(text).unwrap_or_else(|error| panic!("{}: {error}", case.id));
            }),
            "same" => {
                let answer = answer(&case).unwrap();
                assert!(equal(&answer, &without_null(&case.expected)), "{}: {answer}", case.id);
            }
            advice => panic!("{}: unknown advice {advice}", case.id),
        }
    }
}
