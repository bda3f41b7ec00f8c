//! Edits of a tree. One that stays within a leaf is done in place; any other by cutting the tree and joining the pieces.

use std::ops::Range;
use std::sync::Arc;

use super::build::Builder;
use super::join::{Tree, halve_if_heavy, join, split};
use super::leaf::{EndsChanged, Leaf, MAX_WEIGHT, MIN_WEIGHT, Piece};
use super::node::{Bias, Node};
use crate::ot::attributes::Attributes;

/// Longest text that is put into a leaf as it is, in bytes. A leaf that it makes too heavy is halved once.
const IN_PLACE: usize = MAX_WEIGHT / 2;

/// Puts `piece` in at `at`.
pub(super) fn insert(tree: &mut Tree, at: usize, piece: &Piece<'_>) {
    let in_place = piece.text.len() <= IN_PLACE
        && edit_leaf(tree, at..at, Bias::Left, |leaf, range| leaf.insert(range.start, piece));
    if !in_place {
        let mut builder = Builder::default();
        builder.push(piece.clone());
        replace(tree, at..at, |_| builder.finish());
    }
}

/// Takes `range` out.
pub(super) fn delete(tree: &mut Tree, range: Range<usize>) {
    if !edit_leaf(tree, range.clone(), Bias::Right, Leaf::delete) {
        replace(tree, range, |_| None);
    }
}

/// Puts `attributes` on top of those of `range`.
pub(super) fn format(tree: &mut Tree, range: Range<usize>, attributes: &Attributes) {
    if !edit_leaf(tree, range.clone(), Bias::Right, |leaf, range| leaf.format(range, attributes)) {
        replace(tree, range, |old| format_all(old, attributes));
    }
}

/// Puts what `edit` makes of `range` in its place.
fn replace(tree: &mut Tree, range: Range<usize>, edit: impl FnOnce(Tree) -> Tree) {
    let (left, rest) = split(tree.take(), range.start);
    let (old, right) = split(rest, range.len());
    *tree = join(join(left, edit(old)), right);
}

/// The tree built anew with `attributes` on top of its own.
fn format_all(tree: Tree, attributes: &Attributes) -> Tree {
    let tree = tree?;
    let mut builder = Builder::default();
    // Neighbouring pieces are often formatted alike: they then share the result.
    let mut last: Option<(&Attributes, Attributes)> = None;
    tree.for_each_piece(0..tree.units(), |piece| {
        let (_, composed) = match last.take().filter(|(old, _)| *old == piece.attributes) {
            Some(known) => last.insert(known),
            None => last.insert((piece.attributes, piece.attributes.compose(attributes, false))),
        };
        builder.push(Piece { attributes: composed, ..piece });
    });
    builder.finish()
}

/// Does `edit` on `range` within one leaf, and restores the balance around it. False if `range` is not a part of one leaf;
/// then nothing has happened.
fn edit_leaf(
    tree: &mut Tree,
    range: Range<usize>,
    bias: Bias,
    edit: impl FnOnce(&mut Leaf, Range<usize>) -> EndsChanged,
) -> bool {
    let Some(node) = tree else { return false };
    let is_alone = node.height() == 0;
    let Some(edited) = edit_leaf_of(node, range, bias, edit) else { return false };
    let is_out_of_order =
        edited.weight > MAX_WEIGHT || !is_alone && (edited.ends_changed || edited.weight < MIN_WEIGHT);
    if is_out_of_order {
        replace(tree, edited.range, halve);
    }
    true
}

/// What became of a leaf.
struct Edited {
    /// Where it is now.
    range: Range<usize>,
    weight: usize,
    ends_changed: EndsChanged,
}

fn edit_leaf_of(
    node: &mut Node,
    range: Range<usize>,
    bias: Bias,
    edit: impl FnOnce(&mut Leaf, Range<usize>) -> EndsChanged,
) -> Option<Edited> {
    match node {
        // Taking all of a leaf would leave an empty one.
        Node::Leaf(leaf) if range.len() == leaf.units() => None,
        Node::Leaf(leaf) => {
            let leaf = Arc::make_mut(leaf);
            let ends_changed = edit(leaf, range);
            Some(Edited { range: 0..leaf.units(), weight: leaf.weight(), ends_changed })
        }
        Node::Inner(inner) => {
            let (i, within) = inner.child_at(range.start, bias);
            let end = within + range.len();
            if end > inner.units_of(i) {
                return None;
            }
            let before = range.start - within;
            let edited =
                Arc::make_mut(inner).edit_child(i, |child| edit_leaf_of(child, within..end, bias, edit))?;
            Some(Edited { range: edited.range.start + before..edited.range.end + before, ..edited })
        }
    }
}

/// Halves the only leaf of `tree`, if it is too heavy.
fn halve(tree: Tree) -> Tree {
    match tree? {
        Node::Leaf(leaf) => Node::inner(halve_if_heavy(Arc::unwrap_or_clone(leaf))),
        inner @ Node::Inner(_) => Some(inner),
    }
}
