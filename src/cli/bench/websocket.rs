//! Just enough of RFC 6455 for a load generator: whole frames out of a buffer, frames into a buffer, and the upgrade.
//!
//! A general client parses, copies and checks far more than one core has time for at 40,000 frames a second. What is
//! left out: extensions, fragmented messages (the servers measured here send none) and the check of UTF-8.

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Text(&'a [u8]),
    /// To be answered by a pong with the same bytes, else the server drops the connection.
    Ping(&'a [u8]),
    /// The close code, 1005 when there is none.
    Close(u16),
    /// A pong.
    Pong,
}

/// Why a byte stream is not one of frames from a server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("a masked frame came from the server")]
    Masked,
    #[error("the server sent a fragmented or reserved frame (first byte {0:#04x})")]
    Unsupported(u8),
}

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Takes the first whole frame off the front of `buffer`; returns it and its length, or `None` if it is not whole yet.
///
/// # Errors
/// The stream cannot be understood from here on.
pub fn first_frame(buffer: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let &[first, second, ..] = buffer else { return Ok(None) };
    if second & MASKED != 0 {
        return Err(FrameError::Masked);
    }
    let Some((header, length)) = header_and_length(buffer, second) else { return Ok(None) };
    let Some(payload) = buffer.get(header..header + length) else { return Ok(None) };
    let frame = match first {
        b if b == FIN | TEXT => Frame::Text(payload),
        b if b == FIN | PING => Frame::Ping(payload),
        b if b == FIN | PONG => Frame::Pong,
        b if b == FIN | CLOSE => Frame::Close(match payload {
            &[high, low, ..] => u16::from_be_bytes([high, low]),
            _ => 1005,
        }),
        other => return Err(FrameError::Unsupported(other)),
    };
    Ok(Some((frame, header + length)))
}

fn header_and_length(buffer: &[u8], second: u8) -> Option<(usize, usize)> {
    match second {
        126 => Some((4, usize::from(u16::from_be_bytes([*buffer.get(2)?, *buffer.get(3)?])))),
        127 => {
            let bytes: [u8; 8] = buffer.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(bytes)).ok()?))
        }
        short => Some((2, usize::from(short))),
    }
}

/// Appends a text frame as a client sends it.
pub fn put_text(out: &mut Vec<u8>, payload: &[u8]) {
    put_header(out, TEXT, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Appends the answer to a ping.
pub fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    put_header(out, PONG, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Appends the header of a text frame of `length` bytes without any of them: what a hostile client announces.
pub fn put_text_header(out: &mut Vec<u8>, length: u64) {
    put_header(out, TEXT, length);
}

/// The masking key is zero: the server has the same work undoing it, the generator has none doing it. (A browser must
/// draw keys at random to protect proxies on the way; on loopback there are none.)
fn put_header(out: &mut Vec<u8>, opcode: u8, length: u64) {
    out.push(FIN | opcode);
    match length {
        0..126 => out.push(MASKED | length as u8),
        126..65_536 => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
}

/// Returns the request that opens a WebSocket of subprotocol `quire.v1` at `path`.
pub fn upgrade_request(host: &str, path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: quire.v1\r\n\r\n"
    )
    .into_bytes()
}

/// Looks for the end of the answer to [`upgrade_request`]: `Some(Ok(bytes))` once it is whole and says 101,
/// `Some(Err(status line))` if it says something else, `None` while it is not whole.
pub fn upgrade_answer(buffer: &[u8]) -> Option<Result<usize, String>> {
    let end = memchr::memmem::find(buffer, b"\r\n\r\n")? + 4;
    if buffer.starts_with(b"HTTP/1.1 101") {
        return Some(Ok(end));
    }
    let line = buffer.split(|b| *b == b'\r').next().unwrap_or_default();
    Some(Err(String::from_utf8_lossy(line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            n @ 0..126 => out.push(n as u8),
            n @ 126..65_536 => {
                out.push(126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                out.push(127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn a_frame_of_each_length_form_is_read_once_it_is_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let payload = vec![b'x'; length];
            let mut bytes = server_frame(0x81, &payload);
            assert_eq!(first_frame(&bytes[..bytes.len() - 1]), Ok(None), "{length}");
            let whole = bytes.len();
            bytes.extend_from_slice(b"\x81");
            assert_eq!(first_frame(&bytes), Ok(Some((Frame::Text(&payload), whole))), "{length}");
        }
    }

    #[test]
    fn control_frames_are_told_apart() {
        assert_eq!(first_frame(&server_frame(0x89, b"hi")), Ok(Some((Frame::Ping(b"hi"), 4))));
        assert_eq!(first_frame(&server_frame(0x8A, b"hi")), Ok(Some((Frame::Pong, 4))));
        assert_eq!(first_frame(&server_frame(0x88, &[0x03, 0xF0])), Ok(Some((Frame::Close(1008), 4))));
        assert_eq!(first_frame(&server_frame(0x88, b"")), Ok(Some((Frame::Close(1005), 2))));
    }

    #[test]
    fn what_the_generator_does_not_speak_is_an_error() {
        assert_eq!(first_frame(&server_frame(0x01, b"part")), Err(FrameError::Unsupported(0x01)));
        assert_eq!(first_frame(&[0x81, 0x80, 0, 0, 0, 0]), Err(FrameError::Masked));
    }

    #[test]
    fn frames_are_written_masked_with_the_shortest_length() {
        for (length, header) in [(0, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            let mut out = Vec::new();
            put_text(&mut out, &vec![b'x'; length]);
            assert_eq!(out.len(), header + length, "{length}");
            assert_eq!(out[1] & 0x80, 0x80, "masked");
        }
    }

    #[test]
    fn an_upgrade_is_accepted_or_refused_when_its_answer_is_whole() {
        assert_eq!(upgrade_answer(b"HTTP/1.1 101 Switching Protocols\r\n"), None);
        assert_eq!(upgrade_answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81"), Some(Ok(36)));
        let refused = upgrade_answer(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(refused, Some(Err("HTTP/1.1 404 Not Found".to_owned())));
    }
}
