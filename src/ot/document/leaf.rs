//! A leaf of the tree: about a kilobyte of text in one buffer, and the runs that say how it is formatted.

use std::ops::Range;

use smallvec::SmallVec;

use crate::ot::attributes::Attributes;
use crate::ot::op::Embed;
use crate::ot::utf16;

/// Stands for an embed in the text of a leaf: one UTF-16 code unit, as long as an embed.
const EMBED: &str = "\u{fffc}";

/// Most weight of a leaf, in bytes. Smaller leaves make a shared path cheaper to copy, larger ones the tree lower.
pub(super) const MAX_WEIGHT: usize = 1024;
/// Least weight of a leaf that is not alone.
pub(super) const MIN_WEIGHT: usize = MAX_WEIGHT / 4;
/// What a run weighs beside its text: about what it takes in memory.
const RUN_WEIGHT: usize = 32;

/// Characters that are formatted alike, or one embed.
#[derive(Clone)]
pub(super) struct Run {
    /// Length in UTF-16 code units.
    units: u32,
    /// Length in the leaf's text, in bytes.
    bytes: u32,
    pub(super) attributes: Attributes,
    pub(super) embed: Option<Embed>,
}

impl Run {
    /// Whether this and `next`, right after it, are one run in the document.
    pub(super) fn continues_in(&self, next: &Run) -> bool {
        self.embed.is_none() && next.embed.is_none() && self.attributes == next.attributes
    }

    /// Its share of [`Leaf::size`].
    fn size(&self) -> usize {
        self.attributes.json_bytes() + self.embed.as_ref().map_or(self.bytes as usize, Embed::json_bytes)
    }
}

/// A piece of content that is formatted alike: text, or one embed.
#[derive(Clone)]
pub(super) struct Piece<'a> {
    /// The text; [`EMBED`] for an embed.
    pub(super) text: &'a str,
    pub(super) units: usize,
    pub(super) attributes: &'a Attributes,
    pub(super) embed: Option<&'a Embed>,
}

impl<'a> Piece<'a> {
    pub(super) fn text(text: &'a str, units: usize, attributes: &'a Attributes) -> Piece<'a> {
        Piece { text, units, attributes, embed: None }
    }

    pub(super) fn embed(embed: &'a Embed, attributes: &'a Attributes) -> Piece<'a> {
        Piece { text: EMBED, units: 1, attributes, embed: Some(embed) }
    }

    /// The run it makes in a leaf. Leaves are a few kilobytes at most, so their lengths fit.
    fn to_run(&self) -> Run {
        Run {
            units: self.units as u32,
            bytes: self.text.len() as u32,
            attributes: self.attributes.clone(),
            embed: self.embed.cloned(),
        }
    }
}

/// Whether an edit may have changed the first or last run of a leaf: what it is, not how long it is.
pub(super) type EndsChanged = bool;

/// A stretch of a document. Neighbouring runs always differ. Places and ranges are in UTF-16 code units, and never within
/// a surrogate pair.
#[derive(Default)]
pub(super) struct Leaf {
    text: String,
    units: usize,
    /// Text as UTF-8, attributes and embeds as JSON, in bytes.
    size: usize,
    runs: SmallVec<[Run; 1]>,
}

impl Clone for Leaf {
    /// A leaf is copied because it is about to be edited, so the copy has room for a few characters.
    fn clone(&self) -> Leaf {
        let mut text = String::with_capacity(self.text.len() + 32);
        text.push_str(&self.text);
        Leaf { text, units: self.units, size: self.size, runs: self.runs.clone() }
    }
}

impl Leaf {
    pub(super) fn units(&self) -> usize {
        self.units
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The text, with [`EMBED`] for each embed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What it costs to copy it.
    pub(super) fn weight(&self) -> usize {
        self.text.len() + RUN_WEIGHT * self.runs.len()
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Byte offset of the place `at`, or that of the character whose surrogate pair it would cut.
    pub(super) fn byte_at(&self, at: usize) -> Result<usize, usize> {
        if self.units == self.text.len() { Ok(at) } else { utf16::byte_at(&self.text, at) }
    }

    fn byte(&self, at: usize) -> usize {
        self.byte_at(at).unwrap_or_else(|start| start)
    }

    /// Index of the run that the unit at `at` is in, and the units before it. At the end of the leaf: one past the last.
    fn run_at(&self, at: usize) -> (usize, usize) {
        let mut before = 0;
        for (i, run) in self.runs.iter().enumerate() {
            let end = before + run.units as usize;
            if at < end {
                return (i, before);
            }
            before = end;
        }
        (self.runs.len(), before)
    }

    /// Puts `piece` in at `at`.
    pub(super) fn insert(&mut self, at: usize, piece: &Piece<'_>) -> EndsChanged {
        let byte = self.byte(at);
        let extended = self.run_to_extend(at, piece);
        match extended {
            Some(i) => {
                self.runs[i].units += piece.units as u32;
                self.runs[i].bytes += piece.text.len() as u32;
                self.size += piece.text.len();
            }
            None => {
                let run = piece.to_run();
                let i = self.cut_run(at, byte);
                self.size += run.size();
                self.runs.insert(i, run);
            }
        }
        self.reserve(piece.text.len());
        self.text.insert_str(byte, piece.text);
        let is_at_end = at == 0 || at == self.units;
        self.units += piece.units;
        extended.is_none() && is_at_end
    }

    /// The run that grows if `piece` is put in at `at`.
    fn run_to_extend(&self, at: usize, piece: &Piece<'_>) -> Option<usize> {
        let (next, before) = self.run_at(at);
        let first = if before < at { next } else { next.saturating_sub(1) };
        let mut candidates = first..self.runs.len().min(next + 1);
        candidates.find(|&i| {
            let run = &self.runs[i];
            piece.embed.is_none() && run.embed.is_none() && run.attributes == *piece.attributes
        })
    }

    /// Makes room for `bytes` more. Doubling, as a `String` grows by itself, would leave most leaves half empty.
    fn reserve(&mut self, bytes: usize) {
        if self.text.capacity() - self.text.len() < bytes {
            self.text.reserve_exact(bytes + self.text.len() / 4 + 8);
        }
    }

    /// Takes out `range`.
    pub(super) fn delete(&mut self, range: Range<usize>) -> EndsChanged {
        let bytes = self.byte(range.start)..self.byte(range.end);
        let (i, before) = self.run_at(range.start);
        let run = &mut self.runs[i];
        let is_part = range.end <= before + run.units as usize && range.len() < run.units as usize;
        let ends_changed = if is_part {
            run.units -= range.len() as u32;
            run.bytes -= bytes.len() as u32;
            self.size -= bytes.len();
            false
        } else {
            let first = self.cut_run(range.start, bytes.start);
            let end = self.cut_run(range.end, bytes.end);
            let ends_changed = first == 0 || end == self.runs.len();
            self.size -= self.runs.drain(first..end).map(|run| run.size()).sum::<usize>();
            self.heal(first);
            ends_changed
        };
        self.units -= range.len();
        self.text.replace_range(bytes, "");
        ends_changed
    }

    /// Puts `attributes` on top of those of `range`.
    pub(super) fn format(&mut self, range: Range<usize>, attributes: &Attributes) -> EndsChanged {
        let first = self.cut_run(range.start, self.byte(range.start));
        let end = self.cut_run(range.end, self.byte(range.end));
        for run in &mut self.runs[first..end] {
            self.size -= run.attributes.json_bytes();
            run.attributes = run.attributes.compose(attributes, false);
            self.size += run.attributes.json_bytes();
        }
        let ends_changed = first == 0 || end == self.runs.len();
        for i in (first..=end).rev() {
            self.heal(i);
        }
        ends_changed
    }

    /// Cuts the run around `at`, which is at `byte`, and returns the index of the run that begins there.
    fn cut_run(&mut self, at: usize, byte: usize) -> usize {
        let (i, before) = self.run_at(at);
        if before == at {
            return i;
        }
        let bytes_before: usize = self.runs[..i].iter().map(|run| run.bytes as usize).sum();
        let run = &mut self.runs[i];
        let mut tail = run.clone();
        run.units = (at - before) as u32;
        run.bytes = (byte - bytes_before) as u32;
        tail.units -= run.units;
        tail.bytes -= run.bytes;
        self.size += tail.attributes.json_bytes();
        self.runs.insert(i + 1, tail);
        i + 1
    }

    /// Merges the run at `i` into the one before, if they are one.
    fn heal(&mut self, i: usize) {
        if i == 0 || i >= self.runs.len() || !self.runs[i - 1].continues_in(&self.runs[i]) {
            return;
        }
        let run = self.runs.remove(i);
        self.size -= run.attributes.json_bytes();
        self.runs[i - 1].units += run.units;
        self.runs[i - 1].bytes += run.bytes;
    }

    /// Cuts the leaf at `at` and returns what is behind it.
    pub(super) fn split_off(&mut self, at: usize) -> Leaf {
        let byte = self.byte(at);
        let i = self.cut_run(at, byte);
        let runs: SmallVec<[Run; 1]> = self.runs.drain(i..).collect();
        let size = runs.iter().map(Run::size).sum();
        let tail = Leaf { text: self.text.split_off(byte), units: self.units - at, size, runs };
        self.units = at;
        self.size -= tail.size;
        tail
    }

    /// Adds `other` at the end.
    pub(super) fn append(&mut self, other: Leaf) {
        let seam = self.runs.len();
        self.text.push_str(&other.text);
        self.units += other.units;
        self.size += other.size;
        self.runs.extend(other.runs);
        self.heal(seam);
    }

    /// The place that halves the weight, or nearly so.
    pub(super) fn middle(&self) -> usize {
        let mut left = self.weight() / 2;
        let (mut units, mut bytes) = (0, 0);
        for run in &self.runs {
            let weight = run.bytes as usize + RUN_WEIGHT;
            if weight > left {
                let end = self.text.floor_char_boundary(bytes + left.saturating_sub(RUN_WEIGHT));
                return units + utf16::units(&self.text[bytes..end.max(bytes)]);
            }
            left -= weight;
            units += run.units as usize;
            bytes += run.bytes as usize;
        }
        units
    }

    /// Gives the pieces of `range` to `f`, in order.
    pub(super) fn for_each_piece<'a>(&'a self, range: Range<usize>, mut f: impl FnMut(Piece<'a>)) {
        let bytes = self.byte(range.start)..self.byte(range.end);
        let (mut unit, mut byte) = (0, 0);
        for run in &self.runs {
            let units = unit.max(range.start)..(unit + run.units as usize).min(range.end);
            let text = byte.max(bytes.start)..(byte + run.bytes as usize).min(bytes.end);
            if !units.is_empty() {
                let (attributes, embed) = (&run.attributes, run.embed.as_ref());
                f(Piece { text: &self.text[text], units: units.len(), attributes, embed });
            }
            unit += run.units as usize;
            byte += run.bytes as usize;
        }
    }
}
