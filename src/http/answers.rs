//! Large answers: handed over in pieces, and no more of them together than there is room for. Whoever reads slowly, or not at all,
//! keeps what was asked for in memory until the connection is cut.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actors::error::Refusal;
use crate::limits::Network;
use crate::limits::shares::{Share, Shares};
use crate::metrics::METRICS;

/// What is handed over at once, in bytes: the connection copies that much, and asks for more when it is sent.
const PIECE: usize = 64 << 10;

/// The part of the room that one network may take.
const SHARE: usize = 4;

/// What large answers may take of memory together.
#[derive(Clone)]
pub struct Answers {
    /// In KiB.
    room: Arc<Semaphore>,
    shares: Arc<Shares>,
}

/// Room for an answer, until this is dropped.
pub struct Room {
    _all: OwnedSemaphorePermit,
    _share: Option<Share>,
}

impl Answers {
    /// Answers of so many bytes together.
    pub fn new(bytes: u64) -> Self {
        let kib = usize::try_from(bytes >> 10).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(kib)), shares: Arc::new(Shares::new(kib / SHARE)) }
    }

    /// Makes the body of an answer to somebody of a network; without one nobody's share is counted.
    ///
    /// # Errors
    /// `unavailable` while others take all the room, or the network its share of it.
    pub fn body(&self, network: Option<Network>, bytes: Vec<u8>) -> Result<BoxBody, Refusal> {
        if bytes.len() <= PIECE {
            return Ok(BoxBody::new(bytes));
        }
        let room = self.room(network, bytes.len() as u64)?;
        Ok(BoxBody::new(Pieces { bytes: bytes.into(), _room: room }))
    }

    /// Takes room for what is written bit by bit, and is never more than so many bytes.
    ///
    /// # Errors
    /// As [`Self::body`].
    pub fn room(&self, network: Option<Network>, bytes: u64) -> Result<Room, Refusal> {
        let kib = usize::try_from(bytes >> 10).unwrap_or(usize::MAX).saturating_add(1);
        let mut share = network.map(|network| self.shares.of(network));
        let has_share = share.as_mut().is_none_or(|share| share.grow(kib));
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let all = self.room.clone().try_acquire_many_owned(kib).ok().filter(|_| has_share);
        let all = all.ok_or_else(|| {
            METRICS.limited.with_label_values(&["answers"]).inc();
            Refusal::unavailable("too much is being read from this server at once; try again")
        })?;
        Ok(Room { _all: all, _share: share })
    }
}

/// What is left of an answer, and the room that it takes until it is sent or nobody wants it any more.
struct Pieces {
    bytes: Bytes,
    _room: Room,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.bytes.len().min(PIECE);
        Poll::Ready(Some(Ok(self.bytes.split_to(piece))))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_rt::test]
    async fn an_answer_arrives_whole_and_gives_its_room_back() {
        let answers = Answers::new(512 << 10);
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        let first = answers.body(None, bytes.clone()).unwrap();
        assert!(answers.body(None, bytes.clone()).is_err(), "two of them are too many");
        assert!(answers.body(None, vec![0; PIECE]).is_ok(), "small ones always pass");
        assert_eq!(to_bytes(first).await.unwrap(), bytes);
        assert!(answers.body(None, bytes).is_ok());
    }

    #[test]
    fn a_network_has_its_share_and_gives_it_back() {
        let answers = Answers::new(8 << 20);
        let of = |text: &str| Some(Network::from(text.parse::<std::net::IpAddr>().unwrap()));
        let (one, other) = (of("192.0.2.1"), of("192.0.2.2"));
        let held = answers.room(one, 1 << 20).unwrap();
        assert!(answers.room(one, 1 << 20).is_err());
        let others = answers.room(other, 1 << 20).unwrap();
        drop((held, others));
        assert!(answers.room(one, 1 << 20).is_ok());
        assert!(answers.room(None, 7 << 20).is_ok(), "what was refused has taken nothing");
    }
}
