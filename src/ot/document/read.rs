//! Reading a document out: as a delta, as JSON, as plain text, and what undoes an edit of it.

use super::Document;
use super::leaf::Piece;
use crate::ot::attributes::Attributes;
use crate::ot::delta::Delta;
use crate::ot::invert::undo;
use crate::ot::op::{Insert, Op, write_attributes_and_close};
use crate::ot::text::Text;
use crate::ot::write;

impl Document {
    /// The document as a delta of inserts. Linear.
    pub fn to_delta(&self) -> Delta {
        let mut delta = Delta::new();
        self.for_each_piece(0..self.units(), |piece| {
            delta.push_as_is(piece.to_op());
        });
        delta
    }

    /// Appends the document as JSON: the same bytes as [`Delta::write_json`] of [`Document::to_delta`], without making it.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.reserve(self.size() as usize + 64);
        out.push(b'[');
        let mut writer = JsonWriter { out, open: None, is_first: true };
        self.for_each_piece(0..self.units(), |piece| writer.piece(&piece));
        writer.close_text();
        out.push(b']');
    }

    /// Gives the plain text to `f`, in order and in pieces of any length. An embed counts as U+FFFC.
    pub fn for_each_text(&self, mut f: impl FnMut(&str)) {
        if let Some(tree) = &self.tree {
            tree.for_each_leaf(0..tree.units(), &mut |leaf, _| f(leaf.text()));
        }
    }

    /// The plain text; an embed counts as U+FFFC.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.for_each_text(|piece| text.push_str(piece));
        text
    }

    /// The plain text's beginning: at least `units` code units of it, or all, without walking the rest.
    pub fn leading_text(&self, units: u64) -> String {
        let mut text = String::new();
        if let Some(tree) = &self.tree {
            let end = usize::try_from(units).unwrap_or(usize::MAX).min(tree.units());
            tree.for_each_leaf(0..end, &mut |leaf, _| text.push_str(leaf.text()));
        }
        text
    }

    /// Whether the last unit is a line end.
    pub fn ends_line(&self) -> bool {
        let mut last = false;
        if let Some(tree) = &self.tree {
            let units = tree.units();
            if tree.is_boundary(units - 1) {
                self.for_each_piece(units - 1..units, |piece| {
                    last = piece.embed.is_none() && piece.text == "\n";
                });
            }
        }
        last
    }

    /// The edit that undoes `delta`, which fits this document and has not been applied to it yet. O(log n) for each part,
    /// and linear in what it deletes or formats.
    pub fn invert(&self, delta: &Delta) -> Delta {
        let mut inverted = Delta::new();
        let mut at = 0;
        for op in delta.ops() {
            // Past the end there is nothing to restore.
            let end = usize::try_from(op.units()).unwrap_or(usize::MAX).saturating_add(at).min(self.units());
            match op {
                Op::Insert { insert, .. } => {
                    inverted.push_as_is(Op::Delete(insert.units()));
                    continue;
                }
                Op::Retain { attributes, .. } if attributes.is_empty() => {
                    inverted.push_as_is(op.clone());
                }
                Op::Retain { .. } | Op::Delete(_) => self.for_each_piece(at..end, |piece| {
                    inverted.push_as_is(undo(op, piece.to_op()));
                }),
            }
            at = end;
        }
        inverted.chop();
        inverted
    }

    fn for_each_piece<'a>(&'a self, range: std::ops::Range<usize>, f: impl FnMut(Piece<'a>)) {
        if let Some(tree) = &self.tree {
            tree.for_each_piece(range, f);
        }
    }
}

impl Piece<'_> {
    fn to_op(&self) -> Op {
        let insert = match self.embed {
            Some(embed) => Insert::Embed(embed.clone()),
            None => Insert::Text(Text::with_units(self.text, self.units)),
        };
        Op::Insert { insert, attributes: self.attributes.clone() }
    }
}

/// Writes the parts of a document, joining pieces that are one run.
struct JsonWriter<'out, 'doc> {
    out: &'out mut Vec<u8>,
    /// Attributes of the text whose string has not been closed yet.
    open: Option<&'doc Attributes>,
    is_first: bool,
}

impl<'doc> JsonWriter<'_, 'doc> {
    fn piece(&mut self, piece: &Piece<'doc>) {
        if piece.embed.is_none() && self.open == Some(piece.attributes) {
            write::string_content(self.out, piece.text);
            return;
        }
        self.close_text();
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
        self.out.extend_from_slice(b"{\"insert\":");
        if let Some(embed) = piece.embed {
            embed.write_json(self.out);
            write_attributes_and_close(self.out, piece.attributes);
        } else {
            self.out.push(b'"');
            write::string_content(self.out, piece.text);
            self.open = Some(piece.attributes);
        }
    }

    fn close_text(&mut self) {
        if let Some(attributes) = self.open.take() {
            self.out.push(b'"');
            write_attributes_and_close(self.out, attributes);
        }
    }
}
