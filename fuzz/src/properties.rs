//! What must hold for any text that comes in.

use crate::ot::{Delta, Document, ParseLimits, from_edit};

/// Takes `text` for a document and two edits of it, a line each: nothing may panic, what is refused changes nothing, what
/// is taken can be undone, and the two edits converge.
pub fn parse_and_apply(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let Ok(document) = Document::from_json(next()) else { return };
    let (Some(a), Some(b)) = (edit(next(), &document), edit(next(), &document)) else { return };

    let (b_after_a, a_after_b) = (a.transform(&b, true), b.transform(&a, false));
    let mut one = document.clone();
    let mut other = document.clone();
    let fits = "an edit that fits, fits after another one";
    one.apply(&a).and_then(|()| one.apply(&b_after_a)).expect(fits);
    other.apply(&b).and_then(|()| other.apply(&a_after_b)).expect(fits);
    assert_eq!(one.to_delta(), other.to_delta());
    assert_eq!(document.to_delta().compose(&a).compose(&b_after_a), one.to_delta());
}

/// The edit that `text` is, if it is one of `document`.
fn edit(text: &str, document: &Document) -> Option<Delta> {
    let delta = Delta::parse(text, &ParseLimits::default()).or_else(|_| from_edit(text)).ok()?;
    assert_eq!(Delta::parse(&delta.to_json(), &ParseLimits::default()).as_ref(), Ok(&delta));

    let before = document.to_delta();
    let mut edited = document.clone();
    let applied = edited.apply(&delta);
    assert_eq!(document.to_delta(), before);
    if applied.is_err() {
        assert_eq!(edited.to_delta(), before);
        return None;
    }
    let mut json = Vec::new();
    edited.write_json(&mut json);
    assert_eq!(json, edited.to_delta().to_json().into_bytes());
    edited.apply(&document.invert(&delta)).expect("the inverse fits");
    assert_eq!(edited.to_delta(), before);
    Some(delta)
}
