//! The tree under many and large edits: its content against the model, its balance, and that versions do not touch.

use proptest::prelude::*;

use super::Document;
use super::leaf::{Leaf, MAX_WEIGHT, MIN_WEIGHT};
use super::node::{MIN_CHILDREN, Node};
use crate::ot::model::{Model, Step, a_document, an_edit_of};
use crate::ot::{Attributes, Delta, DeltaError};

/// The height, after all that must hold of a tree has been seen to hold.
fn checked_height(node: &Node, is_root: bool) -> u8 {
    match node {
        Node::Leaf(leaf) => {
            assert!(leaf.units() > 0 && leaf.weight() <= MAX_WEIGHT);
            assert!(is_root || leaf.weight() >= MIN_WEIGHT, "a leaf weighs {}", leaf.weight());
            assert!(leaf.runs().windows(2).all(|pair| !pair[0].continues_in(&pair[1])));
            assert_eq!(rebuilt(leaf), (leaf.units(), leaf.size(), leaf.text().to_owned()));
        }
        Node::Inner(_) => {
            let children = node.clone().into_children();
            assert!(is_root || children.len() >= MIN_CHILDREN, "a node has {} children", children.len());
            let heights: Vec<_> = children.iter().map(|child| checked_height(child, false)).collect();
            assert!(heights.iter().all(|&height| height + 1 == node.height()));
            let again = Node::inner(children).unwrap();
            assert_eq!((again.units(), again.size()), (node.units(), node.size()));
        }
    }
    node.height()
}

/// Units, size and text of `leaf`, if they are computed anew.
fn rebuilt(leaf: &Leaf) -> (usize, usize, String) {
    let mut again = Leaf::default();
    leaf.for_each_piece(0..leaf.units(), |piece| {
        again.insert(again.units(), &piece);
    });
    (again.units(), again.size(), again.text().to_owned())
}

fn check(document: &Document) {
    if let Some(tree) = &document.tree {
        checked_height(tree, true);
    }
}

fn apply_all(mut model: Model, edits: &[Vec<Step>], keep_versions: bool) {
    let mut document = Document::from_delta(&model.to_delta()).unwrap();
    let mut versions = Vec::new();
    for steps in edits {
        let (edit, after) = model.edit(steps);
        if keep_versions {
            versions.push((document.clone(), document.to_delta()));
        }
        document.apply(&edit).unwrap();
        check(&document);
        model = after;
        assert_eq!(document.to_delta(), model.to_delta());
        assert_eq!(document.size(), Document::from_delta(&model.to_delta()).unwrap().size());
    }
    for (version, content) in versions {
        check(&version);
        assert_eq!(version.to_delta(), content);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_large_document_follows_its_edits(
        model in a_document(40), edits in prop::collection::vec(an_edit_of(2000, 200), 1..12),
    ) {
        apply_all(model, &edits, false);
    }

    #[test]
    fn versions_of_a_document_do_not_touch(
        model in a_document(40), edits in prop::collection::vec(an_edit_of(500, 50), 1..12),
    ) {
        apply_all(model, &edits, true);
    }

    #[test]
    fn many_small_edits_keep_the_balance(
        model in a_document(300), edits in prop::collection::vec(an_edit_of(12, 4), 40..100),
    ) {
        apply_all(model, &edits, false);
    }
}

fn plain(text: &str) -> Delta {
    Delta::new().insert(text, Attributes::NONE)
}

#[test]
fn typing_at_one_place_keeps_the_tree_low() {
    let mut document = Document::new();
    for i in 0..50_000 {
        let place = document.length() / 2 + u64::from(i % 2 == 0);
        let place = place.min(document.length());
        document.apply(&Delta::new().retain(place, Attributes::NONE).insert("x", Attributes::NONE)).unwrap();
    }
    check(&document);
    assert_eq!(document.text(), "x".repeat(50_000));
    while document.length() > 1 {
        document.apply(&Delta::new().retain(document.length() / 3, Attributes::NONE).delete(1)).unwrap();
    }
    check(&document);
    assert_eq!(document.tree.as_ref().map(Node::height), Some(0));
}

#[test]
fn a_refused_edit_changes_nothing() {
    let mut document = Document::from_delta(&plain("ab😀cd")).unwrap();
    let before = document.to_delta();
    let cuts = plain("x").retain(3, Attributes::NONE).delete(1);
    assert_eq!(document.apply(&cuts), Err(DeltaError::CutsPair { at: 3 }));
    assert_eq!(document.apply(&plain("x").delete(7)), Err(DeltaError::PastEnd { span: 7, length: 6 }));
    assert_eq!(document.to_delta(), before);
}

#[test]
fn an_empty_document_takes_two_words() {
    assert_eq!(size_of::<Document>(), 2 * size_of::<usize>());
    assert!(Document::from_json("[]").unwrap().is_empty());
}

#[test]
fn only_inserts_make_a_document() {
    assert_eq!(Document::from_delta(&plain("a").delete(1)).unwrap_err(), DeltaError::NotADocument);
    assert_eq!(Document::from_json(r#"[{"retain":1}]"#).unwrap_err(), DeltaError::NotADocument);
}

#[test]
fn a_document_can_be_sent_to_another_thread() {
    fn assert_send_and_sync<T: Send + Sync>() {}
    assert_send_and_sync::<Document>();
    assert_send_and_sync::<Delta>();
}
