//! Cutting trees in two and joining them, in O(log n). Every edit of more than one leaf is made of these.

use std::cmp::Ordering;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::leaf::{Leaf, MAX_WEIGHT, MIN_WEIGHT};
use super::node::{Bias, Children, MAX_CHILDREN, Node};

/// A tree, or nothing. Nodes other than its root are filled at least to a quarter (leaves) or to the half.
pub(super) type Tree = Option<Node>;

/// Cuts `tree` at `at`.
pub(super) fn split(tree: Tree, at: usize) -> (Tree, Tree) {
    let Some(node) = tree else { return (None, None) };
    if at == 0 {
        return (None, Some(node));
    }
    if at >= node.units() {
        return (Some(node), None);
    }
    match node {
        Node::Leaf(leaf) => {
            let mut leaf = Arc::unwrap_or_clone(leaf);
            let tail = leaf.split_off(at);
            (Node::leaf(leaf), Node::leaf(tail))
        }
        Node::Inner(inner) => {
            let (i, within) = inner.child_at(at, Bias::Left);
            let mut children = inner.into_children();
            let right = children.drain(i + 1..).collect();
            let (head, tail) = split(children.pop(), within);
            (join(Node::inner(children), head), join(tail, Node::inner(right)))
        }
    }
}

/// The tree of `left`, then `right`.
pub(super) fn join(left: Tree, right: Tree) -> Tree {
    Node::inner(join_nodes(left, right))
}

/// Joins two trees into one or two nodes, as high as the higher one; none if both are nothing.
fn join_nodes(left: Tree, right: Tree) -> Children {
    let (left, right) = match (left, right) {
        (Some(left), Some(right)) => (left, right),
        (left, right) => return left.or(right).into_iter().collect(),
    };
    match left.height().cmp(&right.height()) {
        Ordering::Greater => {
            let mut children = left.into_children();
            let last = children.pop();
            group(children.into_iter().chain(join_nodes(last, Some(right))))
        }
        Ordering::Less => {
            let mut children = right.into_children().into_iter();
            let first = children.next();
            group(join_nodes(Some(left), first).into_iter().chain(children))
        }
        Ordering::Equal => match (left, right) {
            (Node::Leaf(left), Node::Leaf(right)) => join_leaves(left, right),
            (left, right) if left.is_filled() && right.is_filled() => [left, right].into_iter().collect(),
            (left, right) => group(left.into_children().into_iter().chain(right.into_children())),
        },
    }
}

/// Puts children of one height into one inner node, or halves them into two.
fn group(children: impl Iterator<Item = Node>) -> Children {
    let mut first: ArrayVec<Node, { 2 * MAX_CHILDREN }> = children.collect();
    let middle = if first.len() > MAX_CHILDREN { first.len() / 2 } else { first.len() };
    let second = first.drain(middle..).collect();
    let first = first.into_iter().collect();
    [first, second].into_iter().filter_map(Node::inner).collect()
}

/// Joins leaves; a light one is merged with its neighbour, or they share their content evenly.
fn join_leaves(left: Arc<Leaf>, right: Arc<Leaf>) -> Children {
    if left.weight() >= MIN_WEIGHT && right.weight() >= MIN_WEIGHT {
        return [Node::Leaf(left), Node::Leaf(right)].into_iter().collect();
    }
    let mut leaf = Arc::unwrap_or_clone(left);
    leaf.append(Arc::unwrap_or_clone(right));
    halve_if_heavy(leaf)
}

/// The nodes of a leaf that may have grown too heavy.
pub(super) fn halve_if_heavy(mut leaf: Leaf) -> Children {
    let tail = if leaf.weight() > MAX_WEIGHT { leaf.split_off(leaf.middle()) } else { Leaf::default() };
    [leaf, tail].into_iter().filter_map(Node::leaf).collect()
}
