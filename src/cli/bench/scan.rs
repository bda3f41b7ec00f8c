//! Reading `ops` frames without parsing JSON.
//!
//! A load generator that parses every frame measures its own parser. Only three facts are wanted: the version after the
//! frame, whose operations are in it, and their numbers. The scan relies on what JSON guarantees (a quote inside a
//! string is escaped, so `"seq":` is never text that somebody typed) and on the order of the fields as the server writes
//! them; a frame in which that order differs yields nothing and is counted as not understood.

use memchr::memmem;

/// An `ops` frame that has been recognised by its head.
#[derive(Clone, Copy, Debug)]
pub struct OpsFrame<'a> {
    /// The version before the first operation.
    pub base: u64,
    ops: &'a [u8],
}

/// One operation in a frame: who made it, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op<'a> {
    /// The client's UUID as text.
    pub client: &'a [u8; 36],
    pub seq: u64,
}

const HEAD: &[u8] = b"{\"type\":\"ops\",\"base\":";
const CLIENT: &[u8] = b"\"client\":\"";
const SEQ: &[u8] = b"\"seq\":";

impl<'a> OpsFrame<'a> {
    /// Recognises an `ops` frame, or returns `None` for any other.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let rest = payload.strip_prefix(HEAD)?;
        let (base, ops) = number(rest)?;
        Some(Self { base, ops })
    }

    /// Counts the operations.
    pub fn len(&self) -> u64 {
        memmem::find_iter(self.ops, SEQ).count() as u64
    }

    /// Walks the operations in order.
    pub fn iter(&self) -> impl Iterator<Item = Op<'a>> {
        let mut rest = self.ops;
        std::iter::from_fn(move || {
            rest = &rest[memmem::find(rest, CLIENT)? + CLIENT.len()..];
            let client: &[u8; 36] = rest.first_chunk()?;
            rest = &rest[memmem::find(rest, SEQ)? + SEQ.len()..];
            let (seq, after) = number(rest)?;
            rest = after;
            Some(Op { client, seq })
        })
    }

    /// Finds the operation of one client, of which a frame holds at most one in flight.
    pub fn seq_of(&self, client: &[u8; 36]) -> Option<u64> {
        let at = memmem::find(self.ops, client)?;
        let rest = &self.ops[at + client.len()..];
        number(&rest[memmem::find(rest, SEQ)? + SEQ.len()..]).map(|(seq, _)| seq)
    }
}

/// Reads the whole number at the front, and returns it with what follows.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (head, rest) = text.split_at(digits);
    Some((std::str::from_utf8(head).ok()?.parse().ok()?, rest))
}

/// Finds the first whole number under `key` anywhere in a frame; for frames in which no text of a user can stand before
/// it.
pub fn field(payload: &[u8], key: &str) -> Option<u64> {
    let quoted = format!("\"{key}\":");
    let at = memmem::find(payload, quoted.as_bytes())? + quoted.len();
    number(&payload[at..]).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &[u8; 36] = b"00000000-0000-4000-8000-00000000000a";
    const BOB: &[u8; 36] = b"00000000-0000-4000-8000-00000000000b";

    fn frame() -> String {
        let op = |client: &[u8], seq, text: &str| {
            let client = String::from_utf8_lossy(client);
            let text = serde_json::to_string(text).unwrap();
            format!(r#"{{"client":"{client}","seq":{seq},"user":"u","at":5,"delta":[{{"insert":{text}}}]}}"#)
        };
        let ops = [op(ALICE, 7, "\"seq\":9, \"client\":\""), op(BOB, 12, "b")].join(",");
        format!(r#"{{"type":"ops","base":41,"ops":[{ops}],"hash":"00"}}"#)
    }

    #[test]
    fn an_ops_frame_is_read_though_its_text_looks_like_json() {
        let text = frame();
        let ops = OpsFrame::read(text.as_bytes()).unwrap();
        assert_eq!((ops.base, ops.len()), (41, 2));
        let expected = [Op { client: ALICE, seq: 7 }, Op { client: BOB, seq: 12 }];
        assert_eq!(ops.iter().collect::<Vec<_>>(), expected);
        assert_eq!(ops.seq_of(BOB), Some(12));
        assert_eq!(ops.seq_of(b"00000000-0000-4000-8000-00000000000c"), None);
    }

    #[test]
    fn other_frames_and_truncated_ones_yield_nothing() {
        assert!(OpsFrame::read(br#"{"type":"presence","peers":[]}"#).is_none());
        assert!(OpsFrame::read(br#"{"type":"ops","base":"#).is_none());
        let text = frame();
        let cut = OpsFrame::read(&text.as_bytes()[..60]).unwrap();
        assert_eq!(cut.iter().count(), 0);
    }

    #[test]
    fn a_field_is_found_by_its_key() {
        let welcome = br#"{"type":"welcome","session":"1","version":250,"last_seq":3}"#;
        assert_eq!(field(welcome, "version"), Some(250));
        assert_eq!(field(welcome, "absent"), None);
    }
}
