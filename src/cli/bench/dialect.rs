//! What the generator says to quire, and to the relay beside it.

use std::io::Write as _;

/// Which of the two servers is spoken to. The frames have the same size and the load is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The protocol: `hello`, `welcome`, `op`, and the operation comes back in an `ops` frame.
    Quire,
    /// No greeting; whatever is sent comes back to everybody in the room as it is. It is sent in the form of an `ops`
    /// frame, so that receivers do the same work for both.
    Relay,
}

/// One insertion.
#[derive(Clone, Copy, Debug)]
pub struct Typing<'a> {
    pub client: &'a [u8; 36],
    pub seq: u64,
    /// The version that the writer holds.
    pub base: u64,
    /// Where, in UTF-16 code units.
    pub position: u64,
    /// Letters, spaces and newlines: nothing else that JSON would have to escape.
    pub text: &'a str,
}

impl Dialect {
    /// Returns the path of a document's socket.
    pub fn path(self, doc: &str) -> String {
        format!("/v1/collab/{doc}")
    }

    /// Returns the first frame of a session, if there is one; then `welcome` is waited for.
    pub fn hello(self, client: &[u8; 36]) -> Option<Vec<u8>> {
        let client = String::from_utf8_lossy(client);
        (self == Self::Quire).then(|| format!(r#"{{"type":"hello","client":"{client}"}}"#).into_bytes())
    }

    /// Writes an operation into `out`, replacing what was there.
    pub fn write_op(self, out: &mut Vec<u8>, typing: Typing<'_>) {
        let Typing { client, seq, base, position, text } = typing;
        let text = text.replace('\n', "\\n");
        out.clear();
        let head = match self {
            Self::Quire => write!(out, r#"{{"type":"op","seq":{seq},"base":{base},"#),
            Self::Relay => {
                let client = std::str::from_utf8(client).unwrap_or_default();
                write!(out, r#"{{"type":"ops","base":{base},"ops":[{{"client":"{client}","seq":{seq},"#)
            }
        };
        let delta = match position {
            0 => write!(out, r#""delta":[{{"insert":"{text}"}}]"#),
            _ => write!(out, r#""delta":[{{"retain":{position}}},{{"insert":"{text}"}}]"#),
        };
        let tail: &[u8] = if self == Self::Quire { b"}" } else { b"}]}" };
        debug_assert!(head.is_ok() && delta.is_ok(), "writing to memory does not fail");
        out.extend_from_slice(tail);
    }
}

/// Makes the client id of writer `index`: a UUID from which every receiver can read the index back.
///
/// `salt` is drawn for each, since a server may know an earlier writer of that index, whose `seq` would be taken.
pub fn client_id(salt: u64, index: u32) -> [u8; 36] {
    let text = format!("{:08x}-{:04x}-4000-8000-{index:012x}", salt as u32, (salt >> 32) as u16);
    let mut id = [0; 36];
    id.copy_from_slice(text.as_bytes());
    id
}

/// Reads the writer's index out of a client id, or `None` for one that [`client_id`] did not make.
pub fn writer_index(client: &[u8; 36]) -> Option<u32> {
    let digits = std::str::from_utf8(&client[24..]).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::super::scan::OpsFrame;
    use super::*;

    #[test]
    fn the_index_of_a_writer_can_be_read_back_from_its_id() {
        for index in [0, 9, 0xABCDE, u32::MAX] {
            assert_eq!(writer_index(&client_id(0x1234_5678_9ABC, index)), Some(index));
        }
        assert_eq!(client_id(0x1234_5678_9ABC, 0)[..13], *b"56789abc-1234");
    }

    #[test]
    fn what_the_relay_echoes_is_read_like_a_frame_of_the_server() {
        let client = client_id(1, 3);
        let mut out = Vec::new();
        Dialect::Relay
            .write_op(&mut out, Typing { client: &client, seq: 5, base: 2, position: 9, text: "a\nb" });
        let ops = OpsFrame::read(&out).unwrap();
        assert_eq!((ops.base, ops.len(), ops.seq_of(&client)), (2, 1, Some(5)));
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
    }

    #[test]
    fn an_operation_is_the_protocols() {
        let client = client_id(1, 3);
        let mut out = Vec::new();
        Dialect::Quire
            .write_op(&mut out, Typing { client: &client, seq: 5, base: 2, position: 0, text: "x" });
        assert_eq!(out, br#"{"type":"op","seq":5,"base":2,"delta":[{"insert":"x"}]}"#);
    }
}
