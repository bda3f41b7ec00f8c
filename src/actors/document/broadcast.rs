//! `ops` frames: serialised once for all sessions of a document (protocol sections 2 and 4).

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::operation::{SequencedOp, write_member};
use crate::actors::session::wire;
use crate::ids::Version;
use crate::storage::LoggedOp;

/// At most so many operations stand in one frame …
pub const FRAME_OPS: usize = 1_000;
/// … and so many bytes, unless one operation alone is larger.
pub const FRAME_BYTES: usize = 256 << 10;

/// Bytes around the operations, at most: `{"type":"ops","base":…,"ops":[` and `],"hash":"…"}`.
const OPENING: usize = 48;
const CLOSING: usize = 32;

/// An encoded WebSocket frame that takes a replica from `base` to `upto`.
#[derive(Clone, Debug)]
pub struct OpsFrame {
    pub base: Version,
    pub upto: Version,
    pub bytes: Bytes,
}

/// Makes the frames for consecutive operations, the first of which was made on `base`. `hash` goes into the last one.
pub fn frames(base: Version, ops: &[Arc<SequencedOp>], hash: Option<u64>) -> Vec<OpsFrame> {
    let mut frames = Vec::with_capacity(1);
    let mut base = base;
    let mut rest = ops;
    while !rest.is_empty() {
        let count = fitting(rest.iter().map(|op| op.member().len()));
        let (part, later) = rest.split_at(count);
        let mut json = begin(base, part.iter().map(|op| op.member().len()).sum());
        for (index, op) in part.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            json.extend_from_slice(op.member());
        }
        frames.push(finish(json, base, count, hash.filter(|_| later.is_empty())));
        base += count as Version;
        rest = later;
    }
    frames
}

/// Makes the first frame for operations as the log keeps them; the caller comes again for those beyond `upto`.
pub fn frame_from_log(base: Version, ops: &[LoggedOp]) -> OpsFrame {
    let mut json = begin(base, ops.first().map_or(0, |op| op.delta.len()) + 160);
    let mut count = 0;
    for op in ops.iter().take(FRAME_OPS) {
        let end = json.len();
        if count > 0 {
            json.push(b',');
        }
        write_member(&mut json, op);
        if count > 0 && json.len() + CLOSING > FRAME_BYTES {
            json.truncate(end);
            break;
        }
        count += 1;
    }
    finish(json, base, count, None)
}

/// Counts how many members fit into one frame: at least one.
fn fitting(lengths: impl Iterator<Item = usize>) -> usize {
    let mut bytes = OPENING + CLOSING;
    let fits = |length: &usize| {
        bytes += length + 1;
        bytes <= FRAME_BYTES
    };
    lengths.take(FRAME_OPS).take_while(fits).count().max(1)
}

fn begin(base: Version, members: usize) -> Vec<u8> {
    let mut json = Vec::with_capacity(members + 96);
    let _ = write!(json, r#"{{"type":"ops","base":{base},"ops":["#);
    json
}

fn finish(mut json: Vec<u8>, base: Version, count: usize, hash: Option<u64>) -> OpsFrame {
    let _ = match hash {
        Some(hash) => write!(json, r#"],"hash":"{hash:016x}"}}"#),
        None => write!(json, "]}}"),
    };
    OpsFrame { base, upto: base + count as Version, bytes: wire::text(&json) }
}
