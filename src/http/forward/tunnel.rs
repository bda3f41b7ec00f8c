//! A socket of a document that another server has: bytes both ways, as they come.
//!
//! Neither end is read faster than the other takes it, and nothing is kept but what was read last. Frames are followed on their way to the
//! client only to know where one ends: if the other server goes, or this one stops, the client is told by a close frame of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::dev::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf};

use crate::actors::cluster::Cluster;
use crate::metrics::METRICS;
use crate::protocol::close;

/// Bytes that are read of the other server at once.
const CHUNK: usize = 16 << 10;

/// How often it is looked whether the other server is still there: a machine that is gone says nothing.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A client has to take what it is sent within this time, some 100 KiB at once. The document's server drops who does not read, and until
/// all of what it has sent has been passed on nobody would know of it here.
const TAKES_WITHIN: Duration = Duration::from_secs(25);

/// Joins a client, whose bytes are in `payload` and whose connection is `socket`, with the other server; returns what the client is sent.
pub(super) fn join<T>(
    payload: Payload,
    socket: Option<OwnedFd>,
    peer: T,
    cluster: Cluster,
    node: String,
) -> impl Stream<Item = Result<Bytes, Error>> + use<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (from_peer, mut to_peer) = tokio::io::split(peer);
    actix_web::rt::spawn(async move {
        // Either end may go at any time.
        let _ = carry(payload, &mut to_peer).await;
        let _ = to_peer.shutdown().await;
    });
    let waits = Arc::new(Waits::default());
    if let Some(socket) = socket {
        actix_web::rt::spawn(cut_when_it_does_not_read(Arc::downgrade(&waits), socket));
    }
    let stops = Box::pin({
        let cluster = cluster.clone();
        async move { cluster.drained().await }
    });
    let down = Down {
        from_peer,
        cluster,
        node,
        stops,
        looks: tokio::time::interval(LOOK_EVERY),
        frames: Frames::default(),
        buffer: BytesMut::new(),
        waits,
        _counted: Counted::new(),
    };
    let chunks = stream::unfold(Some(down), |down| async move {
        let mut down = down?;
        *down.waits.since.lock() = None;
        match down.next().await {
            Some(chunk) => {
                *down.waits.since.lock() = Some(Instant::now());
                Some((Ok(chunk), Some(down)))
            }
            None => down.frames.farewell().map(|frame| (Ok(frame), None)),
        }
    });
    Box::pin(chunks)
}

async fn carry(mut payload: Payload, to_peer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    while let Some(chunk) = payload.next().await {
        to_peer.write_all(&chunk.map_err(io::Error::other)?).await?;
    }
    Ok(())
}

/// Since when something waits to be taken by the client.
#[derive(Default)]
struct Waits {
    since: Mutex<Option<Instant>>,
}

/// Cuts a connection whose client takes nothing: nothing of the tunnel is polled then that could end it.
async fn cut_when_it_does_not_read(waits: Weak<Waits>, socket: OwnedFd) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(waits) = waits.upgrade() else { return };
        if waits.since.lock().is_some_and(|since| since.elapsed() > TAKES_WITHIN) {
            METRICS.dropped.with_label_values(&["slow"]).inc();
            // One that is closed already is what we want.
            let _ = SockRef::from(&socket).shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

/// The way to the client.
struct Down<T> {
    from_peer: ReadHalf<T>,
    cluster: Cluster,
    node: String,
    /// Resolves when this server stops.
    stops: Pin<Box<dyn Future<Output = ()>>>,
    looks: tokio::time::Interval,
    frames: Frames,
    buffer: BytesMut,
    waits: Arc<Waits>,
    _counted: Counted,
}

impl<T: AsyncRead + AsyncWrite> Down<T> {
    /// Returns what the other server has sent; `None` when it is gone, or this one stops.
    async fn next(&mut self) -> Option<Bytes> {
        self.buffer.reserve(CHUNK);
        loop {
            tokio::select! {
                read = self.from_peer.read_buf(&mut self.buffer) => {
                    read.ok().filter(|read| *read > 0)?;
                    let chunk = self.buffer.split().freeze();
                    self.frames.pass(&chunk);
                    return Some(chunk);
                }
                () = &mut self.stops => return None,
                _ = self.looks.tick() => {
                    if !self.cluster.is_alive(&self.node) {
                        METRICS.cluster.failed.with_label_values(&["silent"]).inc();
                        return None;
                    }
                }
            }
        }
    }
}

/// One tunnel in the metric, for as long as it is.
struct Counted;

impl Counted {
    fn new() -> Self {
        METRICS.cluster.tunnels.inc();
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        METRICS.cluster.tunnels.dec();
    }
}

/// Where the frames of a server end (RFC 6455 section 5.2): they are not masked.
#[derive(Default)]
struct Frames {
    header: [u8; 10],
    have: usize,
    /// Bytes of the current frame that are still to come.
    body: u64,
    /// A close frame has begun: nothing may follow it.
    closed: bool,
}

impl Frames {
    fn pass(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            let skipped = (chunk.len() as u64).min(self.body);
            self.body -= skipped;
            chunk = &chunk[skipped as usize..];
            let Some((&byte, rest)) = chunk.split_first() else { return };
            self.header[self.have] = byte;
            (self.have, chunk) = (self.have + 1, rest);
            let length = self.header[1] & 0x7f;
            let needed = match (self.have, length) {
                (1, _) => continue,
                (_, 126) => 4,
                (_, 127) => 10,
                _ => 2,
            };
            if self.have == needed {
                let long = self.header[2..needed].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                self.body = if needed == 2 { u64::from(length) } else { long };
                self.closed |= self.header[0] & 0x0f == 0x08;
                self.have = 0;
            }
        }
    }

    /// A close frame that tells the client to come again, if one may follow.
    fn farewell(&self) -> Option<Bytes> {
        let [high, low] = close::RESTART.to_be_bytes();
        let may_follow = self.body == 0 && self.have == 0 && !self.closed;
        may_follow.then(|| Bytes::copy_from_slice(&[0x88, 2, high, low]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(parts: &[&[u8]]) -> bool {
        let mut frames = Frames::default();
        parts.iter().for_each(|part| frames.pass(part));
        frames.farewell().is_some()
    }

    #[test]
    fn a_frame_follows_where_another_has_ended() {
        let large = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65_536]].concat();
        let medium = [&[0x81, 126, 0, 200][..], &[b'x'; 200]].concat();
        for frames in [&[0x81, 2, b'h', b'i'][..], &[0x8a, 0], &medium, &large] {
            for at in [0, 1, 2, 3, frames.len() / 2, frames.len()].map(|at| at.min(frames.len())) {
                assert!(after(&[&frames[..at], &frames[at..]]));
                assert_eq!(
                    after(&[&frames[..at]]),
                    at == 0 || at == frames.len(),
                    "{at} of {}",
                    frames.len()
                );
            }
            assert!(after(&[frames, frames]));
        }
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        assert!(!after(&[&[0x81, 0], &[0x88, 2, 3, 232]]));
        assert_eq!(&Frames::default().farewell().unwrap()[..], [0x88, 2, 3, 244], "1012");
    }
}
