//! Refuses a frame by its announced length, before it is buffered (protocol section 2).
//!
//! The WebSocket codec buffers a frame until it is whole. This guard reads frame headers (RFC 6455 section 5.2) as the
//! bytes pass and stops handing them on when a frame, or the fragments of one message together, exceed the limit. What
//! follows is read and thrown away, so that the peer, which is still sending, can read why it was refused. What came before
//! it is handed on: those frames are answered first.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::{Buf, Bytes};
use futures_util::Stream;

use super::body::Wires;
use super::link::Link;

/// See the module's documentation.
pub struct FrameGuard<S> {
    payload: S,
    limit: u32,
    /// Bytes of the current frame's payload that are still to come, at most the limit.
    body: u32,
    /// Payload bytes of the unfinished message's earlier frames, at most the limit.
    message: u32,
    header: Header,
    wires: Rc<Wires>,
    link: Arc<Link>,
}

/// The bytes of a frame header that have arrived.
#[derive(Default)]
struct Header {
    bytes: [u8; 10],
    have: u8,
    /// Of the mask, which follows the length.
    mask_left: u8,
}

impl<S> FrameGuard<S> {
    /// Guards `payload`, all of which is a sign of life to `link`: a large frame on a slow line takes its time. When a frame is
    /// refused, `wires.refused` becomes true and the codec sees no more bytes.
    pub fn new(payload: S, limit: usize, wires: Rc<Wires>, link: Arc<Link>) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        Self { payload, limit, body: 0, message: 0, header: Header::default(), wires, link }
    }

    /// Reads through a chunk and returns how many bytes of it may pass: all, or those before the header of a frame that is
    /// refused.
    fn admit(&mut self, chunk: &[u8]) -> usize {
        let mut rest = chunk;
        loop {
            let skipped = rest.len().min(self.body as usize);
            self.body -= skipped as u32;
            rest.advance(skipped);
            if rest.is_empty() {
                return chunk.len();
            }
            // A header that began in an earlier chunk has been passed on in part, and nothing of this one is.
            let before = chunk.len() - rest.len();
            match self.header.read(&mut rest) {
                None => return chunk.len(),
                Some((first, length)) => {
                    let control = first & 0x08 != 0;
                    let earlier = if control { 0 } else { self.message };
                    let room = u64::from(self.limit - earlier);
                    if length > room {
                        self.wires.refused.set(true);
                        return before;
                    }
                    // At most the limit.
                    self.body = length as u32;
                    let finished = first & 0x80 != 0;
                    if !control {
                        self.message = if finished { 0 } else { earlier + self.body };
                    }
                    self.wires.passed.set(self.wires.passed.get() + 1);
                }
            }
        }
    }
}

impl Header {
    /// Takes bytes until a header is whole, and returns its first byte and the payload's length.
    fn read(&mut self, chunk: &mut &[u8]) -> Option<(u8, u64)> {
        while self.mask_left == 0 {
            let byte = *chunk.first()?;
            chunk.advance(1);
            self.bytes[usize::from(self.have)] = byte;
            self.have += 1;
            if self.have >= 2 && self.have == self.needed() {
                let masked = self.bytes[1] & 0x80 != 0;
                if !masked {
                    return Some(self.take());
                }
                self.mask_left = 4;
            }
        }
        let masked = chunk.len().min(usize::from(self.mask_left));
        chunk.advance(masked);
        self.mask_left -= masked as u8;
        (self.mask_left == 0).then(|| self.take())
    }

    /// Bytes before the mask.
    fn needed(&self) -> u8 {
        match self.bytes[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn take(&mut self) -> (u8, u64) {
        let length = match self.bytes[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.bytes[2], self.bytes[3]])),
            127 => (&self.bytes[2..10]).get_u64(),
            short => u64::from(short),
        };
        let first = self.bytes[0];
        *self = Self::default();
        (first, length)
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for FrameGuard<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    self.link.hear();
                    if self.wires.refused.get() {
                        continue;
                    }
                    let passed = self.admit(&chunk);
                    if passed > 0 {
                        return Poll::Ready(Some(Ok(chunk.slice(..passed))));
                    }
                }
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// A masked frame's header, announcing `length`.
    fn header(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(0x80 | length as u8),
            126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[1, 2, 3, 4]);
        bytes
    }

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = header(first, length as u64);
        bytes.resize(bytes.len() + length, b'x');
        bytes
    }

    /// Passes the bytes in chunks of `step` and returns how many got through and whether the guard refused.
    async fn pass(bytes: &[u8], step: usize, limit: usize) -> (usize, bool) {
        let wires = Rc::new(Wires::default());
        let chunks: Vec<_> = bytes.chunks(step).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let guard = FrameGuard::new(stream::iter(chunks), limit, wires.clone(), Arc::new(Link::new(None)));
        let passed = guard.map(|chunk| chunk.map_or(0, |bytes| bytes.len())).collect::<Vec<_>>().await;
        (passed.iter().sum(), wires.refused.get())
    }

    #[actix_rt::test]
    async fn frames_within_the_limit_pass_however_they_are_cut() {
        let bytes = [frame(0x81, 10), frame(0x81, 1_000), frame(0x89, 3), frame(0x81, 70_000)].concat();
        for step in [1, 7, 4_096, bytes.len()] {
            assert_eq!(pass(&bytes, step, 70_000).await, (bytes.len(), false));
        }
    }

    #[actix_rt::test]
    async fn an_announced_length_over_the_limit_is_refused_at_the_header() {
        let (passed, refused) = pass(&header(0x81, 100 << 20), 1, 1 << 20).await;
        assert!(refused && passed < 14);
    }

    #[actix_rt::test]
    async fn what_came_before_a_refused_frame_passes_however_they_are_cut() {
        let before = [frame(0x81, 10), frame(0x89, 0), frame(0x81, 300)].concat();
        let bytes = [before.clone(), header(0x81, 1_001), vec![b'x'; 50]].concat();
        for step in [1, 7, 300, bytes.len()] {
            let (passed, refused) = pass(&bytes, step, 1_000).await;
            // Of its header what came in an earlier chunk, and never a whole one.
            assert!(refused && (before.len()..before.len() + 8).contains(&passed), "{step}: {passed}");
        }
    }

    #[actix_rt::test]
    async fn fragments_count_together_and_control_frames_between_them_do_not() {
        let fits = [frame(0x01, 600), frame(0x89, 100), frame(0x80, 400), frame(0x81, 900)].concat();
        assert_eq!(pass(&fits, 5, 1_000).await, (fits.len(), false));
        let over = [frame(0x01, 600), frame(0x80, 401)].concat();
        assert!(pass(&over, 5, 1_000).await.1);
    }
}
