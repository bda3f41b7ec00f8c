//! Building trees from content, bottom up, in linear time.

use std::vec::IntoIter;

use super::join::{Tree, join};
use super::leaf::{Leaf, MAX_WEIGHT, Piece};
use super::node::{Children, MAX_CHILDREN, Node};
use crate::ot::utf16;

/// How heavy leaves are made: full to three quarters, so that the first edits do not halve them.
const FILL: usize = MAX_WEIGHT / 4 * 3;

/// Takes the content of a tree from left to right.
#[derive(Default)]
pub(super) struct Builder {
    full: Vec<Node>,
    leaf: Leaf,
}

impl Builder {
    /// Adds `piece` at the end, which may be long.
    pub(super) fn push(&mut self, mut piece: Piece<'_>) {
        while piece.units > 0 {
            if self.leaf.weight() >= FILL {
                self.full.extend(Node::leaf(std::mem::take(&mut self.leaf)));
            }
            let head = take_head(&mut piece, FILL - self.leaf.weight());
            self.leaf.insert(self.leaf.units(), &head);
        }
    }

    pub(super) fn finish(self) -> Tree {
        // Only the last leaf may be light: joining takes care of it.
        join(group(self.full), Node::leaf(self.leaf))
    }
}

/// Takes about `bytes` off the front of `piece`: a whole number of characters, and at least one.
fn take_head<'a>(piece: &mut Piece<'a>, bytes: usize) -> Piece<'a> {
    if piece.text.len() <= bytes {
        let rest = Piece { text: "", units: 0, ..*piece };
        return std::mem::replace(piece, rest);
    }
    let (head, tail) = piece.text.split_at(piece.text.ceil_char_boundary(bytes));
    let is_ascii = piece.units == piece.text.len();
    let units = if is_ascii { head.len() } else { utf16::units(head) };
    let rest = Piece { text: tail, units: piece.units - units, ..*piece };
    *piece = rest;
    Piece { text: head, units, ..*piece }
}

/// The tree of `level`, nodes of one height none of which is light.
fn group(mut level: Vec<Node>) -> Tree {
    while level.len() > 1 {
        let groups = level.len().div_ceil(MAX_CHILDREN);
        let mut nodes = level.into_iter();
        level = (1..=groups).rev().filter_map(|left| Node::inner(take_share(&mut nodes, left))).collect();
    }
    level.pop()
}

/// The first of `shares` even shares of `nodes`.
fn take_share(nodes: &mut IntoIter<Node>, shares: usize) -> Children {
    let share = nodes.len().div_ceil(shares);
    nodes.take(share).collect()
}
