//! Tidies an alignment up, so that it reads as a person would have edited. After diff-match-patch, as in fast-diff.

use super::Hunk;
use super::search::{common_prefix, common_suffix, is_high, is_low, overlap};

/// Most passes of [`merge`]. Each one that is not the last makes two equal stretches one, mostly many at once.
const PASSES: usize = 64;

/// The texts of a hunk.
#[derive(Clone, Copy)]
struct Texts<'a> {
    deleted: &'a [u16],
    inserted: &'a [u16],
    equal: &'a [u16],
}

/// The hunks with their texts. The equal text is that of `old`.
fn with_texts<'a>(
    mut old: &'a [u16],
    mut new: &'a [u16],
    hunks: &[Hunk],
) -> impl Iterator<Item = (Hunk, Texts<'a>)> {
    hunks.iter().map(move |&hunk| {
        let (deleted, rest) = old.split_at(hunk.delete);
        let (inserted, new_rest) = new.split_at(hunk.insert);
        let equal;
        (equal, old) = rest.split_at(hunk.equal);
        new = &new_rest[hunk.equal..];
        (hunk, Texts { deleted, inserted, equal })
    })
}

/// Joins what no equal stretch separates, takes what is deleted and inserted again out of edits, and moves single edits over
/// equal stretches that thereby vanish: `A <ins>BA</ins> C` becomes `<ins>AB</ins> AC`.
pub(super) fn merge(old: &[u16], new: &[u16], hunks: &mut Vec<Hunk>) {
    for _ in 0..PASSES {
        factor(old, new, hunks);
        if !shift_whole(old, new, hunks) {
            return;
        }
    }
    join(hunks);
}

/// Joins neighbours that no equal stretch separates.
fn join(hunks: &mut Vec<Hunk>) {
    let mut joined: Vec<Hunk> = Vec::with_capacity(hunks.len());
    for hunk in hunks.drain(..) {
        match joined.last_mut() {
            Some(last) if last.equal == 0 || hunk.delete + hunk.insert == 0 => {
                // Nothing lies between: either no equal stretch, or no edit.
                last.delete += hunk.delete;
                last.insert += hunk.insert;
                last.equal += hunk.equal;
            }
            _ => joined.push(hunk),
        }
    }
    *hunks = joined;
}

/// Joins neighbours, and moves what edits have in common at their ends into the equal stretches around them.
pub(super) fn factor(old: &[u16], new: &[u16], hunks: &mut Vec<Hunk>) {
    join(hunks);
    let mut factored = Vec::with_capacity(hunks.len() + 1);
    for (mut hunk, Texts { deleted, inserted, .. }) in with_texts(old, new, hunks) {
        let prefix = common_prefix(deleted, inserted);
        let suffix = common_suffix(&deleted[prefix..], &inserted[prefix..]);
        if prefix > 0 {
            factored.push(Hunk { equal: prefix, ..Hunk::default() });
        }
        hunk.delete -= prefix + suffix;
        hunk.insert -= prefix + suffix;
        hunk.equal += suffix;
        factored.push(hunk);
    }
    *hunks = factored;
    join(hunks);
}

/// Moves each edit that only deletes or only inserts over an equal stretch beside it, if it ends or begins with that.
/// Whether one was moved.
fn shift_whole(old: &[u16], new: &[u16], hunks: &mut [Hunk]) -> bool {
    let mut shifted = false;
    let mut places = (0, 0);
    for i in 0..hunks.len() {
        let Hunk { delete, insert, equal } = hunks[i];
        let before = if i > 0 { hunks[i - 1].equal } else { 0 };
        if let Some((text, at, len)) =
            single_edit(old, new, places, hunks[i]).filter(|_| before > 0 && equal > 0)
        {
            let edit = &text[at..at + len];
            if edit.ends_with(&text[at - before..at]) {
                hunks[i].equal += before;
                hunks[i - 1].equal = 0;
                shifted = true;
            } else if edit.starts_with(&text[at + len..at + len + equal]) {
                hunks[i - 1].equal += equal;
                hunks[i].equal = 0;
                shifted = true;
            }
        }
        places = (places.0 + delete + equal, places.1 + insert + equal);
    }
    shifted
}

/// For a hunk that begins at `places` and only deletes or only inserts: the text that it edits, with place and length.
fn single_edit<'a>(
    old: &'a [u16],
    new: &'a [u16],
    places: (usize, usize),
    hunk: Hunk,
) -> Option<(&'a [u16], usize, usize)> {
    match (hunk.delete, hunk.insert) {
        (0, 0) => None,
        (len, 0) => Some((old, places.0, len)),
        (0, len) => Some((new, places.1, len)),
        _ => None,
    }
}

/// Makes surrogate pairs that an edit would cut part of the edit.
pub(super) fn keep_pairs(old: &[u16], new: &[u16], hunks: &mut Vec<Hunk>) {
    join(hunks);
    let mut kept: Vec<Hunk> = Vec::with_capacity(hunks.len() + 1);
    let mut carried = 0;
    let last = hunks.len();
    for (i, (mut hunk, Texts { equal, .. })) in with_texts(old, new, hunks).enumerate() {
        hunk.delete += carried;
        hunk.insert += carried;
        carried = 0;
        if equal.first().is_some_and(|&unit| is_low(unit)) {
            hunk.delete += 1;
            hunk.insert += 1;
            hunk.equal -= 1;
        }
        if i + 1 < last && equal.last().is_some_and(|&unit| is_high(unit)) {
            hunk.equal -= 1;
            carried = 1;
        }
        kept.push(hunk);
    }
    *hunks = kept;
    join(hunks);
}

/// Makes fewer and larger edits of many small ones, and puts them where words and lines begin.
pub(super) fn simplify(old: &[u16], new: &[u16], hunks: &mut Vec<Hunk>) {
    drop_trivial_equalities(hunks);
    merge(old, new, hunks);
    align_to_words(old, new, hunks);
    join(hunks);
    extract_overlaps(old, new, hunks);
}

/// Gives up equal stretches that are no longer than the edits on both sides of them.
fn drop_trivial_equalities(hunks: &mut Vec<Hunk>) {
    let mut kept: Vec<Hunk> = Vec::with_capacity(hunks.len());
    for mut hunk in hunks.drain(..) {
        while let Some(before) = kept.pop_if(|before| {
            let shortest = before.delete.max(before.insert).min(hunk.delete.max(hunk.insert));
            (1..=shortest).contains(&before.equal)
        }) {
            hunk.delete += before.delete + before.equal;
            hunk.insert += before.insert + before.equal;
        }
        kept.push(hunk);
    }
    *hunks = kept;
}

/// Moves single edits sideways to where they look best: `The c<ins>at c</ins>ame` becomes `The <ins>cat </ins>came`.
fn align_to_words(old: &[u16], new: &[u16], hunks: &mut [Hunk]) {
    let mut places = (0, 0);
    for i in 0..hunks.len() {
        let Hunk { delete, insert, equal } = hunks[i];
        let before = if i > 0 { hunks[i - 1].equal } else { 0 };
        if let Some((text, at, len)) =
            single_edit(old, new, places, hunks[i]).filter(|_| before > 0 && equal > 0)
        {
            let best = best_place(&text[at - before..at + len + equal], before, len);
            hunks[i - 1].equal = best;
            hunks[i].equal = before + equal - best;
        }
        places = (places.0 + delete + equal, places.1 + insert + equal);
    }
}

/// Where in `text` an edit of `len` units looks best that may as well be anywhere around `at`.
fn best_place(text: &[u16], at: usize, len: usize) -> usize {
    let mut place = at - common_suffix(&text[..at], &text[at..at + len]);
    let score = |place: usize| {
        let (before, edit, after) = (&text[..place], &text[place..place + len], &text[place + len..]);
        boundary_score(before, edit) + boundary_score(edit, after)
    };
    let (mut best, mut best_score) = (place, score(place));
    while place + len < text.len() && text[place] == text[place + len] {
        place += 1;
        // Of equals the last: white space then trails.
        if score(place) >= best_score {
            (best, best_score) = (place, score(place));
        }
    }
    best
}

/// How well the place between two texts separates them: from 6, an end of the text, to 0, within a word.
fn boundary_score(one: &[u16], two: &[u16]) -> u8 {
    let (Some(&last), Some(&first)) = (one.last(), two.first()) else { return 6 };
    let is_space =
        |unit| char::from_u32(u32::from(unit)).is_some_and(|c| c.is_whitespace() || c == '\u{feff}');
    let is_word = |unit| u8::try_from(unit).is_ok_and(|byte: u8| byte.is_ascii_alphanumeric());
    let is_break = |unit| unit == u16::from(b'\n') || unit == u16::from(b'\r');
    if is_break(last) && ends_with_blank_line(one) || is_break(first) && begins_with_blank_line(two) {
        5
    } else if is_break(last) || is_break(first) {
        4
    } else if !is_word(last) && !is_space(last) && is_space(first) {
        3
    } else if is_space(last) || is_space(first) {
        2
    } else {
        u8::from(!is_word(last) || !is_word(first))
    }
}

const LF: u16 = 10;
const CR: u16 = 13;

fn ends_with_blank_line(text: &[u16]) -> bool {
    text.ends_with(&[LF, LF]) || text.ends_with(&[LF, CR, LF])
}

fn begins_with_blank_line(text: &[u16]) -> bool {
    let text = text.strip_prefix(&[CR]).unwrap_or(text);
    text.starts_with(&[LF, LF]) || text.starts_with(&[LF, CR, LF])
}

/// Keeps what is both at the end of a deletion and at the beginning of its insertion, or the other way round, if that is at
/// least half of one of them.
fn extract_overlaps(old: &[u16], new: &[u16], hunks: &mut Vec<Hunk>) {
    let mut extracted = Vec::with_capacity(hunks.len());
    for (hunk, Texts { deleted, inserted, .. }) in with_texts(old, new, hunks) {
        let forward = overlap(deleted, inserted);
        let backward = overlap(inserted, deleted);
        let len = forward.max(backward);
        if len == 0 || len * 2 < hunk.delete.min(hunk.insert) {
            extracted.push(hunk);
            continue;
        }
        let deletion = Hunk { delete: hunk.delete - len, ..Hunk::default() };
        let insertion = Hunk { insert: hunk.insert - len, ..Hunk::default() };
        let (first, second) = if forward >= backward { (deletion, insertion) } else { (insertion, deletion) };
        extracted.push(Hunk { equal: len, ..first });
        extracted.push(Hunk { equal: hunk.equal, ..second });
    }
    *hunks = extracted;
}
