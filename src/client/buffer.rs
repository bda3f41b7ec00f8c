//! Edits that wait behind the one in flight: composed, in pieces that are each small enough to be sent.

use std::collections::VecDeque;

use crate::config::Limits;
use crate::ot::Delta;

/// Bytes of an `op` frame beside its delta, at most.
const FRAME_HEAD: usize = 100;

/// A list of edits, each made on the document after the one before.
#[derive(Debug, Default)]
pub struct Buffer {
    pieces: VecDeque<Delta>,
}

impl Buffer {
    /// Adds an edit: composed into the last piece while that stays under half of the limits, for transforming makes
    /// pieces grow before they are sent (protocol section 3).
    pub fn push(&mut self, edit: Delta, limits: &Limits) {
        if let Some(last) = self.pieces.back_mut() {
            let composed = last.compose(&edit);
            if is_small(&composed, limits) {
                *last = composed;
                return;
            }
        }
        self.pieces.push_back(edit);
    }

    /// Takes the piece that is to be sent next. One that has composed to nothing is skipped: a client starts no empty
    /// operation.
    pub fn take_first(&mut self) -> Option<Delta> {
        loop {
            let first = self.pieces.pop_front()?;
            if !first.is_empty() {
                return Some(first);
            }
        }
    }

    /// Rebases all pieces over an edit of the history, and returns that edit as it is after them.
    pub fn rebase(&mut self, mut history: Delta) -> Delta {
        for piece in &mut self.pieces {
            let rebased = history.transform(piece, true);
            history = piece.transform(&history, false);
            *piece = rebased;
        }
        history
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(Delta::is_empty)
    }

    /// Hands everything out.
    pub fn drain(&mut self) -> impl Iterator<Item = Delta> {
        std::mem::take(&mut self.pieces).into_iter()
    }
}

/// Tells whether an edit is under half of the limits on parts and bytes.
pub fn is_small(edit: &Delta, limits: &Limits) -> bool {
    edit.ops().len() < limits.ops / 2 && edit.to_json().len() < limits.frame_bytes / 2
}

/// Tells whether an edit may be sent as it is. A frame has a little beside its delta.
pub fn fits(edit: &Delta, limits: &Limits) -> bool {
    edit.ops().len() <= limits.ops && edit.to_json().len() + FRAME_HEAD <= limits.frame_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Attributes;

    fn insert(at: u64, text: &str) -> Delta {
        Delta::new().retain(at, Attributes::new()).insert(text, Attributes::new())
    }

    #[test]
    fn edits_are_composed_until_a_piece_is_large() {
        let limits = Limits { frame_bytes: 80, ..Limits::default() };
        let mut buffer = Buffer::default();
        for at in 0..6 {
            buffer.push(insert(at, "abcdef"), &limits);
        }
        let pieces: Vec<_> = buffer.drain().collect();
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| is_small(piece, &limits)), "{pieces:?}");
    }

    #[test]
    fn rebasing_moves_pieces_right_of_the_history_and_the_history_over_the_pieces() {
        let mut buffer = Buffer::default();
        let limits = Limits { frame_bytes: 60, ..Limits::default() };
        buffer.push(insert(0, "b"), &limits);
        buffer.push(insert(1, "c"), &limits);
        let history = buffer.rebase(insert(0, "a"));
        assert_eq!(history, insert(0, "a"));
        assert_eq!(buffer.take_first(), Some(insert(1, "bc")));
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_was_typed_and_deleted_again_is_not_sent() {
        let mut buffer = Buffer::default();
        buffer.push(insert(0, "a"), &Limits::default());
        buffer.push(Delta::new().delete(1), &Limits::default());
        assert!(buffer.is_empty());
        assert_eq!(buffer.take_first(), None);
    }
}
