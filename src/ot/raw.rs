//! Deltas out of normal form, to compare the kernel with quill-delta on input that a server would tidy up first. Not for
//! anything else.

use super::attributes::Attributes;
use super::cursor::Cursor;
use super::delta::Delta;
use super::error::DeltaError;
use super::json::Reader;
use super::op::Op;
use super::parse::read_delta;

/// Reads a delta, leaving its parts as they are.
///
/// # Errors
/// As [`Delta::parse`].
pub fn parse(json: &str) -> Result<Delta, DeltaError> {
    read_delta(json, usize::MAX, usize::MAX, Delta::append)
}

/// Reads an attribute map.
///
/// # Errors
/// As [`Delta::parse`] for attributes.
pub fn attributes(json: &str) -> Result<Attributes, DeltaError> {
    Reader::new(json).attributes(usize::MAX).map_err(DeltaError::Form)
}

/// Pushes the parts of `delta` one by one onto an empty delta, as quill-delta does.
pub fn push_all(delta: &Delta) -> Delta {
    let mut pushed = Delta::new();
    for op in delta.ops() {
        pushed.push_as_is(op.clone());
    }
    pushed
}

/// The parts of `a`, then those of `b`, as quill-delta puts them together.
pub fn concat(a: Delta, b: &Delta) -> Delta {
    a.concat_as_is(b.ops().iter().cloned())
}

/// What a walk over `delta` gives for each of `lengths` (`None`: the rest of the part) until it runs out.
pub fn iterate(delta: &Delta, lengths: &[Option<u64>]) -> Vec<Op> {
    let mut cursor = Cursor::new(delta.ops());
    let lengths = lengths.iter().map(|len| len.unwrap_or(u64::MAX));
    lengths.map_while(|len| cursor.has_next().then(|| cursor.next(len))).collect()
}

/// The parts as JSON.
pub fn ops_json(ops: Vec<Op>) -> String {
    let mut delta = Delta::new();
    ops.into_iter().for_each(|op| delta.append(op));
    delta.to_json()
}
