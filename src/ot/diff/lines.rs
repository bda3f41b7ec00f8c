//! Aligns long texts by the lines that are unique in both (patience diff, after Bram Cohen), so that scattered edits of a
//! long document are found without comparing all of it with all of it.

use std::collections::HashMap;

use super::{Hunk, myers};

/// Texts that together are shorter are compared as they are, in units.
const LONG: usize = 20_000;

/// A line that is in both texts, and once in each.
struct Anchor {
    old: usize,
    new: usize,
    len: usize,
}

/// Aligns two texts.
pub(super) fn align(old: &[u16], new: &[u16], budget: &mut usize) -> Vec<Hunk> {
    if old.len() + new.len() < LONG || old == new {
        return myers::align(old, new, budget);
    }
    let mut hunks = Vec::new();
    let (mut i, mut j) = (0, 0);
    for anchor in anchors(old, new) {
        hunks.extend(myers::align(&old[i..anchor.old], &new[j..anchor.new], budget));
        hunks.push(Hunk { equal: anchor.len, ..Hunk::default() });
        (i, j) = (anchor.old + anchor.len, anchor.new + anchor.len);
    }
    hunks.extend(myers::align(&old[i..], &new[j..], budget));
    hunks
}

/// The longest sequence of anchors that are in the same order in both texts.
fn anchors(old: &[u16], new: &[u16]) -> Vec<Anchor> {
    let new_lines = unique_lines(new);
    let mut in_old_order: Vec<Anchor> = unique_lines(old)
        .into_iter()
        .filter_map(|(line, old)| Some(Anchor { old: old?, new: (*new_lines.get(line)?)?, len: line.len() }))
        .collect();
    in_old_order.sort_unstable_by_key(|anchor| anchor.old);
    longest_rising(in_old_order)
}

/// The lines with their places; none for a line that is there again.
fn unique_lines(text: &[u16]) -> HashMap<&[u16], Option<usize>> {
    let mut lines = HashMap::new();
    let mut start = 0;
    for line in text.split_inclusive(|&unit| unit == u16::from(b'\n')) {
        lines.entry(line).and_modify(|place| *place = None).or_insert(Some(start));
        start += line.len();
    }
    lines
}

/// The longest subsequence whose places in the new text rise, by piles as in the card game of patience.
fn longest_rising(anchors: Vec<Anchor>) -> Vec<Anchor> {
    // For each length, the anchor that ends such a subsequence earliest; and for each anchor the one before it.
    let mut tops: Vec<usize> = Vec::new();
    let mut before = Vec::with_capacity(anchors.len());
    for (i, anchor) in anchors.iter().enumerate() {
        let pile = tops.partition_point(|&top| anchors[top].new < anchor.new);
        before.push(pile.checked_sub(1).map(|pile| tops[pile]));
        if pile == tops.len() { tops.push(i) } else { tops[pile] = i }
    }
    let mut is_chosen = vec![false; anchors.len()];
    let mut next = tops.last().copied();
    while let Some(i) = next {
        is_chosen[i] = true;
        next = before[i];
    }
    anchors.into_iter().zip(is_chosen).filter_map(|(anchor, is_chosen)| is_chosen.then_some(anchor)).collect()
}
