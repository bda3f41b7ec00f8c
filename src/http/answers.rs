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
use crate::http::problem::Problem;
use crate::metrics::METRICS;

/// What is handed over at once, in bytes: the connection copies that much, and asks for more when it is sent.
const PIECE: usize = 64 << 10;

/// What large answers may take of memory together.
#[derive(Clone)]
pub struct Answers {
    /// In KiB.
    room: Arc<Semaphore>,
}

impl Answers {
    /// Answers of so many bytes together.
    pub fn new(bytes: u64) -> Self {
        let kib = usize::try_from(bytes >> 10).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(kib)) }
    }

    /// Makes the body of an answer.
    ///
    /// # Errors
    /// `unavailable` while others take all the room.
    pub fn body(&self, bytes: Vec<u8>) -> Result<BoxBody, Problem> {
        if bytes.len() <= PIECE {
            return Ok(BoxBody::new(bytes));
        }
        let kib = u32::try_from((bytes.len() >> 10) + 1).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| {
            METRICS.limited.with_label_values(&["answers"]).inc();
            Refusal::unavailable("too much is being read from this server at once; try again")
        })?;
        Ok(BoxBody::new(Pieces { bytes: bytes.into(), _room: room }))
    }
}

/// What is left of an answer, and the room that it takes until it is sent or nobody wants it any more.
struct Pieces {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
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
        let first = answers.body(bytes.clone()).unwrap();
        assert!(answers.body(bytes.clone()).is_err(), "two of them are too many");
        assert!(answers.body(vec![0; PIECE]).is_ok(), "small ones always pass");
        assert_eq!(to_bytes(first).await.unwrap(), bytes);
        assert!(answers.body(bytes).is_ok());
    }
}
