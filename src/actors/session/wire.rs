//! WebSocket frames as a server sends them: unmasked and in one piece (RFC 6455 section 5.2).
//!
//! Encoding them ourselves lets every session of a document send the same bytes, header included.

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

/// Encodes a text frame.
pub fn text(payload: &[u8]) -> Bytes {
    encode(payload, OpCode::Text)
}

/// Encodes the header of a text frame whose payload of `length` bytes follows in pieces.
pub fn text_header(length: usize) -> Bytes {
    let mut header = BytesMut::with_capacity(10);
    header.put_u8(0x81);
    match length {
        0..126 => header.put_u8(length as u8),
        126..65_536 => {
            header.put_u8(126);
            header.put_u16(length as u16);
        }
        _ => {
            header.put_u8(127);
            header.put_u64(length as u64);
        }
    }
    header.freeze()
}

/// Encodes a message of the protocol as a text frame.
pub fn message<T: Serialize>(message: &T) -> Bytes {
    // Our own message types have string keys and finite numbers only, which always serialise.
    text(&serde_json::to_vec(message).unwrap_or_default())
}

/// Returns the payload of a frame that was encoded here.
pub fn payload(frame: &Bytes) -> Bytes {
    let header = match frame.get(1) {
        None => 0,
        Some(..126) => 2,
        Some(126) => 4,
        Some(_) => 10,
    };
    frame.slice(header.min(frame.len())..)
}

/// Encodes a ping.
pub fn ping() -> Bytes {
    encode(b"", OpCode::Ping)
}

/// Encodes the answer to a peer's ping.
pub fn pong(payload: &[u8]) -> Bytes {
    encode(payload, OpCode::Pong)
}

/// Encodes a close frame. The reason has at most 123 bytes.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut out = BytesMut::new();
    let description = (!reason.is_empty()).then(|| reason.to_owned());
    Parser::write_close(&mut out, Some(CloseReason { code: CloseCode::from(code), description }), false);
    out.freeze()
}

fn encode(payload: &[u8], op: OpCode) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 10);
    Parser::write_message(&mut out, payload, op, true, false);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_and_its_payload_are_what_the_library_writes_and_come_apart_again() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let whole = text(&payload);
            assert_eq!([&text_header(length)[..], &payload[..]].concat(), whole);
            assert_eq!(super::payload(&whole), payload);
        }
    }
}
