//! The laws of the algebra, with generated documents and edits (tests). What an edit leads to is computed beside the
//! kernel: see `model.rs`.

use proptest::prelude::*;

use super::model::{Model, a_document, an_edit};
use super::{Delta, Document, MAX_LENGTH, Op, ParseLimits, Selection, raw};

/// The delta built anew must be the same: it was in normal form.
fn assert_normal(delta: &Delta) {
    let mut again = Delta::new();
    delta.ops().iter().for_each(|op| again.push(op.clone()));
    again.chop();
    assert_eq!(delta, &again);
}

fn tree(model: &Model) -> Document {
    Document::from_delta(&model.to_delta()).unwrap()
}

/// Size of a document by its definition.
fn size(document: &Delta) -> usize {
    let size_of = |op: &Op| {
        let Op::Insert { insert, attributes } = op else { panic!("no document") };
        let content = match insert {
            super::Insert::Text(text) => text.as_str().len(),
            super::Insert::Embed(embed) => format!("{embed:?}").len(),
        };
        content + if attributes.is_empty() { 0 } else { format!("{attributes:?}").len() }
    };
    document.ops().iter().map(size_of).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_edit_leads_where_its_author_saw_it_lead(doc in a_document(20), steps in an_edit(8)) {
        let (edit, after) = doc.edit(&steps);
        prop_assert_eq!(doc.to_delta().compose(&edit), after.to_delta());
        let mut document = tree(&doc);
        document.apply(&edit).unwrap();
        prop_assert_eq!(document.to_delta(), after.to_delta());
        prop_assert_eq!(document.length(), after.units());
        prop_assert_eq!(document.text(), after.text());
        prop_assert_eq!(document.size() as usize, size(&after.to_delta()));
        prop_assert_eq!(edit.change_length(), after.units() as i64 - doc.units() as i64);
        prop_assert!(edit.base_length() <= doc.units());
    }

    #[test]
    fn composing_is_applying_one_after_the_other(doc in a_document(15), a in an_edit(6), b in an_edit(6)) {
        let (a, after_a) = doc.edit(&a);
        let (b, after_b) = after_a.edit(&b);
        let both = a.compose(&b);
        assert_normal(&both);
        prop_assert_eq!(doc.to_delta().compose(&both), after_b.to_delta());
    }

    #[test]
    fn composing_is_associative(doc in a_document(12), a in an_edit(5), b in an_edit(5), c in an_edit(5)) {
        let (a, after_a) = doc.edit(&a);
        let (b, after_b) = after_a.edit(&b);
        let (c, _) = after_b.edit(&c);
        prop_assert_eq!(a.compose(&b).compose(&c), a.compose(&b.compose(&c)));
    }

    #[test]
    fn the_diamond_closes(doc in a_document(15), a in an_edit(6), b in an_edit(6)) {
        let (a, after_a) = doc.edit(&a);
        let (b, after_b) = doc.edit(&b);
        let (a2, b2) = (b.transform(&a, false), a.transform(&b, true));
        assert_normal(&a2);
        assert_normal(&b2);
        prop_assert_eq!(after_a.to_delta().compose(&b2), after_b.to_delta().compose(&a2));
        prop_assert_eq!(a.compose(&b2), b.compose(&a2));
    }

    #[test]
    fn an_inverse_undoes(doc in a_document(20), steps in an_edit(8)) {
        let (edit, after) = doc.edit(&steps);
        let undo = edit.invert(&doc.to_delta());
        assert_normal(&undo);
        prop_assert_eq!(after.to_delta().compose(&undo), doc.to_delta());
        prop_assert_eq!(tree(&doc).invert(&edit), undo.clone());
        // Undoing the undoing is doing it again.
        let redo = undo.invert(&after.to_delta());
        prop_assert_eq!(doc.to_delta().compose(&redo), after.to_delta());
    }

    #[test]
    fn a_difference_leads_to_its_target(doc in a_document(20), steps in an_edit(8), other in a_document(20)) {
        for target in [&doc.edit(&steps).1, &other] {
            let difference = doc.to_delta().diff(&target.to_delta()).unwrap();
            assert_normal(&difference);
            let mut document = tree(&doc);
            document.apply(&difference).unwrap();
            prop_assert_eq!(document.to_delta(), target.to_delta());
        }
    }

    #[test]
    fn a_place_goes_where_an_insert_there_goes(doc in a_document(15), steps in an_edit(6), place in 0..40u64) {
        let (edit, _) = doc.edit(&steps);
        for stays_left in [true, false] {
            let place = place.min(doc.units());
            let typed = Delta::new().retain(place, Default::default()).insert("x", Default::default());
            let moved = edit.transform(&typed, !stays_left);
            let lands_at = moved.length() - 1;
            prop_assert_eq!(edit.transform_position(place, stays_left), lands_at);
        }
    }

    #[test]
    fn a_selection_stays_within_the_document(
        doc in a_document(15), steps in an_edit(6), index in 0..30u64, length in 0..9u64, own: bool,
    ) {
        let (edit, after) = doc.edit(&steps);
        let index = index.min(doc.units());
        let selection = Selection { index, length: length.min(doc.units() - index) }.transform(&edit, own);
        prop_assert!(selection.index + selection.length <= after.units());
    }

    #[test]
    fn slices_put_together_are_the_whole(doc in a_document(15), at in 0..40u64) {
        let whole = doc.to_delta();
        let joined = whole.slice(0, at).concat(&whole.slice(at, MAX_LENGTH));
        prop_assert_eq!(joined.length(), whole.length());
        if Document::from_delta(&whole).unwrap().check(&Delta::new().delete(at.min(whole.length()))).is_ok() {
            prop_assert_eq!(joined, whole);
        }
    }

    #[test]
    fn what_is_written_is_read_back(doc in a_document(20), steps in an_edit(8)) {
        let (edit, after) = doc.edit(&steps);
        let json = edit.to_json();
        prop_assert_eq!(Delta::parse(&json, &ParseLimits::default()), Ok(edit.clone()));
        prop_assert_eq!(Delta::parse_stored(&format!(" {{\"ops\" : {json} }}\n")), Ok(edit));
        let mut json = Vec::new();
        tree(&after).write_json(&mut json);
        let json = String::from_utf8(json).unwrap();
        prop_assert_eq!(&json, &after.to_delta().to_json());
        prop_assert_eq!(Document::from_json(&json).unwrap().to_delta(), after.to_delta());
    }

    #[test]
    fn any_parts_are_put_into_normal_form(doc in a_document(10), a in an_edit(4), b in an_edit(4)) {
        // Two edits one behind the other as parts of one: neighbours that merge, deletes before inserts.
        let parts = doc.edit(&a).0.ops().iter().chain(doc.edit(&b).0.ops()).cloned().collect();
        let delta = Delta::parse(&raw::ops_json(parts), &ParseLimits::default()).unwrap();
        assert_normal(&delta);
    }
}
