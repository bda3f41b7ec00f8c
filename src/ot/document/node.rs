//! Nodes of the tree. All leaves are at one depth; a path that is shared with another version is copied when it is edited.

use std::iter::once;
use std::ops::Range;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::leaf::{Leaf, Piece, Run};

/// Most children of an inner node. Editing a shared path copies that many pointers a level; of 6, 8, 12 and 16, with leaves
/// of 512 to 2048 bytes, 8 and 1024 were the fastest at that.
pub(super) const MAX_CHILDREN: usize = 8;
/// Least children of an inner node other than the root.
pub(super) const MIN_CHILDREN: usize = MAX_CHILDREN / 2;

/// A tree of at least one unit.
#[derive(Clone)]
pub(super) enum Node {
    Leaf(Arc<Leaf>),
    Inner(Arc<Inner>),
}

pub(super) type Children = ArrayVec<Node, MAX_CHILDREN>;

/// At least two trees of one height, with the sums of what is in them.
#[derive(Clone)]
pub(super) struct Inner {
    /// Levels above the leaves.
    height: u8,
    units: usize,
    size: usize,
    /// Units of each child: a place is found without looking into the children.
    child_units: ArrayVec<usize, MAX_CHILDREN>,
    children: Children,
}

/// Which of two neighbours a place between them belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    Left,
    Right,
}

impl Node {
    /// The tree of `leaf`; none if it is empty.
    pub(super) fn leaf(leaf: Leaf) -> Option<Node> {
        (leaf.units() > 0).then(|| Node::Leaf(Arc::new(leaf)))
    }

    /// The tree of `children`, which are of one height; an only one stands for itself.
    pub(super) fn inner(mut children: Children) -> Option<Node> {
        if children.len() > 1 { Some(Node::Inner(Arc::new(Inner::new(children)))) } else { children.pop() }
    }

    /// The reverse of [`Node::inner`]. If the node is shared, so are its children then.
    pub(super) fn into_children(self) -> Children {
        match self {
            Node::Leaf(_) => once(self).collect(),
            Node::Inner(inner) => inner.into_children(),
        }
    }

    pub(super) fn height(&self) -> u8 {
        match self {
            Node::Leaf(_) => 0,
            Node::Inner(inner) => inner.height,
        }
    }

    /// Length in UTF-16 code units.
    pub(super) fn units(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.units(),
            Node::Inner(inner) => inner.units,
        }
    }

    /// Text as UTF-8, attributes and embeds as JSON, in bytes. A run over several leaves counts its attributes once.
    pub(super) fn size(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.size(),
            Node::Inner(inner) => inner.size,
        }
    }

    /// Whether it need not be merged with a neighbour, as an inner node.
    pub(super) fn is_filled(&self) -> bool {
        matches!(self, Node::Inner(inner) if inner.children.len() >= MIN_CHILDREN)
    }

    /// Gives the leaves that `range` overlaps to `f`, in order, each with the range within it.
    pub(super) fn for_each_leaf<'a>(
        &'a self,
        range: Range<usize>,
        f: &mut impl FnMut(&'a Leaf, Range<usize>),
    ) {
        let inner = match self {
            Node::Leaf(leaf) => return f(leaf, range),
            Node::Inner(inner) => inner,
        };
        let mut start = 0;
        for (child, units) in inner.children.iter().zip(&inner.child_units) {
            let end = start + units;
            if end > range.start && start < range.end {
                child.for_each_leaf(range.start.saturating_sub(start)..range.end.min(end) - start, f);
            }
            start = end;
        }
    }

    /// Gives the pieces of `range` to `f`, in order. One run may come as several pieces.
    pub(super) fn for_each_piece<'a>(&'a self, range: Range<usize>, mut f: impl FnMut(Piece<'a>)) {
        self.for_each_leaf(range, &mut |leaf, range| leaf.for_each_piece(range, &mut f));
    }

    /// Whether `at` is no place within a surrogate pair.
    pub(super) fn is_boundary(&self, at: usize) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.byte_at(at).is_ok(),
            Node::Inner(inner) => {
                let (i, within) = inner.child_at(at, Bias::Right);
                inner.children[i].is_boundary(within)
            }
        }
    }

    fn first_run(&self) -> Option<&Run> {
        match self {
            Node::Leaf(leaf) => leaf.runs().first(),
            Node::Inner(inner) => inner.children.first()?.first_run(),
        }
    }

    fn last_run(&self) -> Option<&Run> {
        match self {
            Node::Leaf(leaf) => leaf.runs().last(),
            Node::Inner(inner) => inner.children.last()?.last_run(),
        }
    }
}

impl Inner {
    fn new(children: Children) -> Inner {
        let height = 1 + children.first().map_or(0, Node::height);
        let child_units: ArrayVec<usize, MAX_CHILDREN> = children.iter().map(Node::units).collect();
        let seams: usize = children.windows(2).map(|pair| counted_twice(&pair[0], &pair[1])).sum();
        Inner {
            height,
            units: child_units.iter().sum(),
            size: children.iter().map(Node::size).sum::<usize>() - seams,
            child_units,
            children,
        }
    }

    pub(super) fn into_children(self: Arc<Inner>) -> Children {
        Arc::try_unwrap(self).map_or_else(|shared| shared.children.clone(), |inner| inner.children)
    }

    /// The child that `at` is in, and the place within it.
    pub(super) fn child_at(&self, mut at: usize, bias: Bias) -> (usize, usize) {
        let last = self.child_units.len() - 1;
        for (i, &units) in self.child_units[..last].iter().enumerate() {
            if at < units || (at == units && bias == Bias::Left) {
                return (i, at);
            }
            at -= units;
        }
        (last, at)
    }

    /// Units of the child at `i`.
    pub(super) fn units_of(&self, i: usize) -> usize {
        self.child_units[i]
    }

    /// Edits the child at `i`, and follows how its sums change. If the first or last run of the child changes, the size
    /// is not to be relied upon until the node is made anew.
    pub(super) fn edit_child<T>(&mut self, i: usize, edit: impl FnOnce(&mut Node) -> T) -> T {
        let child = &mut self.children[i];
        let (units, size) = (child.units(), child.size());
        let result = edit(child);
        self.child_units[i] = child.units();
        self.units = self.units - units + child.units();
        self.size = self.size - size + child.size();
        result
    }
}

/// Attributes of a run that ends `left` and goes on in `right`, in bytes: both count them.
fn counted_twice(left: &Node, right: &Node) -> usize {
    let Some(last) = left.last_run().filter(|last| !last.attributes.is_empty()) else { return 0 };
    let goes_on = right.first_run().is_some_and(|first| last.continues_in(first));
    if goes_on { last.attributes.json_bytes() } else { 0 }
}
