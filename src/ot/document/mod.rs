//! The content of a document as a balanced tree, so that an edit costs the same in a long document as in a short one.
//!
//! A B-tree over runs of text: leaves hold about a kilobyte each, inner nodes know how long their children are. Nodes are
//! shared between versions: [`Document::clone`] copies a pointer, and an edit copies the path to its leaf, if it is shared,
//! or else edits in place. The rope of xi-editor and `ropey` are relatives; this one also carries formatting and embeds,
//! and counts in UTF-16 code units.

mod build;
mod edit;
mod join;
mod leaf;
mod node;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;

use self::build::Builder;
use self::join::Tree;
use self::leaf::Piece;
use super::attributes::Attributes;
use super::delta::Delta;
use super::error::DeltaError;
use super::op::{Insert, Op};
use super::parts::{Kind, read_parts};
use super::utf16;

/// The content of a document. Positions and lengths are in UTF-16 code units.
///
/// It is canonical: neighbouring text with equal attributes is one run, whatever edits led to it. Clones are snapshots that
/// cost nothing to take; an empty document allocates nothing.
#[derive(Clone, Default)]
pub struct Document {
    tree: Tree,
}

impl Document {
    /// The empty document.
    pub fn new() -> Document {
        Document::default()
    }

    /// The document that `delta` is.
    ///
    /// # Errors
    /// [`DeltaError::NotADocument`] if it has other parts than inserts.
    pub fn from_delta(delta: &Delta) -> Result<Document, DeltaError> {
        let mut builder = Builder::default();
        for op in delta.ops() {
            let Op::Insert { insert, attributes } = op else { return Err(DeltaError::NotADocument) };
            builder.push(piece_of(insert, attributes));
        }
        Ok(Document { tree: builder.finish() })
    }

    /// Reads a document as [`Document::write_json`] writes it, of any size, without a delta in between.
    ///
    /// # Errors
    /// As [`Delta::parse`] for the form of the parts; [`DeltaError::NotADocument`] if there are others than inserts.
    pub fn from_json(json: &str) -> Result<Document, DeltaError> {
        let mut builder = Builder::default();
        read_parts(json, usize::MAX, usize::MAX, |part| {
            let attributes = part.attributes.without_null();
            match &part.kind {
                Kind::Text(text) => builder.push(Piece::text(text, utf16::units(text), &attributes)),
                Kind::Embed(embed) => builder.push(Piece::embed(embed, &attributes)),
                Kind::Retain(_) | Kind::Delete(_) => return Err(DeltaError::NotADocument),
            }
            Ok(())
        })?;
        Ok(Document { tree: builder.finish() })
    }

    /// Length in UTF-16 code units.
    pub fn length(&self) -> u64 {
        self.units() as u64
    }

    fn units(&self) -> usize {
        self.tree.as_ref().map_or(0, node::Node::units)
    }

    /// Size in bytes: text as UTF-8, attributes and embeds as JSON. It depends on the content alone.
    pub fn size(&self) -> u64 {
        self.tree.as_ref().map_or(0, node::Node::size) as u64
    }

    pub fn is_empty(&self) -> bool {
        self.tree.is_none()
    }

    /// Whether `delta` fits this document. O(log n) for each of its parts.
    ///
    /// # Errors
    /// [`DeltaError::PastEnd`] and [`DeltaError::CutsPair`].
    pub fn check(&self, delta: &Delta) -> Result<(), DeltaError> {
        let (span, length) = (delta.base_length(), self.length());
        if span > length {
            return Err(DeltaError::PastEnd { span, length });
        }
        let mut at = 0;
        for op in delta.ops() {
            self.check_place(at)?;
            if !matches!(op, Op::Insert { .. }) {
                at += op.units();
            }
        }
        self.check_place(at)
    }

    /// `at` is at most the length.
    fn check_place(&self, at: u64) -> Result<(), DeltaError> {
        let is_boundary = at == 0 || self.tree.as_ref().is_none_or(|tree| tree.is_boundary(at as usize));
        if is_boundary { Ok(()) } else { Err(DeltaError::CutsPair { at }) }
    }

    /// Applies `delta`. O(log n) for each of its parts, and linear in the text that it touches.
    ///
    /// # Errors
    /// As [`Document::check`]; then nothing has changed.
    pub fn apply(&mut self, delta: &Delta) -> Result<(), DeltaError> {
        self.check(delta)?;
        let mut at = 0;
        for op in delta.ops() {
            // What fits a document is no longer than that: its lengths are usize.
            let units = op.units() as usize;
            match op {
                Op::Insert { insert, attributes } => {
                    edit::insert(&mut self.tree, at, &piece_of(insert, attributes));
                }
                Op::Retain { attributes, .. } if attributes.is_empty() => {}
                Op::Retain { attributes, .. } => edit::format(&mut self.tree, at..at + units, attributes),
                Op::Delete(_) => {
                    edit::delete(&mut self.tree, at..at + units);
                    continue;
                }
            }
            at += units;
        }
        Ok(())
    }
}

fn piece_of<'a>(insert: &'a Insert, attributes: &'a Attributes) -> Piece<'a> {
    match insert {
        // The text is in memory: its length is a usize.
        Insert::Text(text) => Piece::text(text.as_str(), text.units() as usize, attributes),
        Insert::Embed(embed) => Piece::embed(embed, attributes),
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_delta().fmt(f)
    }
}
