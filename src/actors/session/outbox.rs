//! The bounded queue to one reader, and what happens when it is slow.
//!
//! Frames are pushed from a document's thread and taken by the connection's own thread, whenever its socket can be
//! written. A reader that falls behind never costs more than [`BUDGET`]: it is marked lagging, gets no live frames, and
//! catches up from history once it has drained what it has. The outbox knows the version that was queued for the
//! session, so a frame that begins later is never sent over a gap.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use crate::actors::document::broadcast::OpsFrame;
use crate::ids::Version;

/// Bytes that may wait for one reader before it is lagging. One frame may exceed it.
pub const BUDGET: usize = 1 << 20;

/// Frames that answer the client itself (errors, pongs) may go over the budget by this much; then the session is cut.
const CONTROL_RESERVE: usize = 256 << 10;

/// Small frames are handed to the socket together, up to so many bytes.
pub const CHUNK: usize = 16 << 10;

/// How live frames are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The document does not know the session yet: only answers to the client go out.
    Fresh,
    /// The welcome has not been written: frames wait behind it.
    Held,
    /// Frames go out as they come.
    Live,
    /// Frames are left out; the session fetches them from history.
    Lagging,
    /// The last frame is queued: nothing follows.
    Closing,
}

/// See the module's documentation.
pub struct Outbox {
    inner: Mutex<Inner>,
}

struct Inner {
    queue: VecDeque<Bytes>,
    /// Bytes in the queue, but for the welcome's.
    bytes: usize,
    /// Bytes of the welcome still in the queue. They do not count against the budget: a welcome is as large as its
    /// document, and its content is shared by all that join at one version.
    welcome: usize,
    mode: Mode,
    /// The version up to which operations are queued or sent.
    sent: Version,
    /// The reader of the queue waits.
    waker: Option<Waker>,
    /// Lagging, and the session has been told to fetch.
    fetching: bool,
    /// Held, and something was left out already: lagging once the welcome is written.
    missed: bool,
}

/// What the connection finds when it looks for something to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Bytes of one or more frames.
    Frames(Bytes),
    /// Everything is sent and the session is behind: it shall fetch from history.
    FetchDue,
    /// Everything is sent and nothing will follow.
    Finished,
}

impl Default for Outbox {
    fn default() -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            bytes: 0,
            welcome: 0,
            mode: Mode::Fresh,
            sent: 0,
            waker: None,
            fetching: false,
            missed: false,
        };
        Self { inner: Mutex::new(inner) }
    }
}

impl Outbox {
    /// Says which version the welcome will give the reader; live frames queue up from there.
    pub fn begin(&self, sent: Version) {
        let mut inner = self.inner.lock();
        inner.sent = sent;
        if inner.mode == Mode::Fresh {
            inner.mode = Mode::Held;
        }
    }

    /// Queues the welcome, before everything that has come since [`Self::begin`], and lets live frames through, unless
    /// the reader is behind `head`: then it fetches first.
    pub fn open(&self, welcome: Vec<Bytes>, head: Version) {
        let mut inner = self.inner.lock();
        for part in welcome.into_iter().rev() {
            inner.welcome += part.len();
            inner.queue.push_front(part);
        }
        if inner.mode == Mode::Held {
            inner.mode = if inner.sent < head || inner.missed { Mode::Lagging } else { Mode::Live };
        }
        inner.wake();
    }

    /// Queues a frame of the canonical stream for a live reader; returns false when the reader is behind.
    pub fn push_ops(&self, frame: &OpsFrame) -> bool {
        let mut inner = self.inner.lock();
        match inner.mode {
            Mode::Closing => return true,
            Mode::Lagging | Mode::Fresh => return false,
            Mode::Held | Mode::Live => {}
        }
        if frame.upto <= inner.sent {
            return true;
        }
        let over = inner.bytes > 0 && inner.bytes + frame.bytes.len() > BUDGET;
        if frame.base > inner.sent || over {
            inner.miss();
            return false;
        }
        inner.queue_ops(frame);
        true
    }

    /// Queues a frame from history for a reader that is behind. `last` when it reaches the head: live frames follow.
    pub fn push_history(&self, frame: &OpsFrame) {
        let mut inner = self.inner.lock();
        if inner.mode == Mode::Lagging && frame.base <= inner.sent && frame.upto > inner.sent {
            inner.queue_ops(frame);
        }
    }

    /// Lets live frames through again, if the reader has reached `head`. Called on the document's thread, between two
    /// broadcasts, so that none falls into the gap.
    pub fn resume_live(&self, head: Version) -> bool {
        let mut inner = self.inner.lock();
        let caught_up = inner.mode == Mode::Lagging && inner.sent >= head;
        if caught_up {
            inner.mode = Mode::Live;
        }
        inner.fetching = false;
        inner.wake();
        caught_up
    }

    /// Queues an answer to the client itself. Returns false when too much waits: the session is to be cut.
    pub fn push_control(&self, frame: Bytes) -> bool {
        let mut inner = self.inner.lock();
        if inner.mode == Mode::Closing {
            return true;
        }
        if inner.bytes + frame.len() > BUDGET + CONTROL_RESERVE && inner.bytes > CONTROL_RESERVE {
            return false;
        }
        inner.bytes += frame.len();
        inner.queue.push_back(frame);
        inner.wake();
        true
    }

    /// Queues presence for a live reader; returns false when the reader is behind, or is so now because it has half a
    /// budget waiting: it is told the whole when it has caught up.
    pub fn push_presence(&self, frame: &Bytes) -> bool {
        let mut inner = self.inner.lock();
        match inner.mode {
            Mode::Closing => return true,
            Mode::Lagging | Mode::Fresh => return false,
            // Behind the welcome it might be ahead of what the reader has by then.
            Mode::Held => {
                inner.miss();
                return false;
            }
            Mode::Live => {}
        }
        if inner.bytes > 0 && inner.bytes + frame.len() > BUDGET / 2 {
            inner.miss();
            return false;
        }
        inner.bytes += frame.len();
        inner.queue.push_back(frame.clone());
        inner.wake();
        true
    }

    /// Queues the last frames of the session.
    pub fn close(&self, frames: impl IntoIterator<Item = Bytes>) {
        let mut inner = self.inner.lock();
        if inner.mode == Mode::Closing {
            return;
        }
        for frame in frames {
            inner.bytes += frame.len();
            inner.queue.push_back(frame);
        }
        inner.mode = Mode::Closing;
        inner.wake();
    }

    /// Returns the version up to which operations are queued or sent.
    pub fn sent(&self) -> Version {
        self.inner.lock().sent
    }

    /// Returns how many bytes of the welcome have not been sent.
    pub fn welcome_left(&self) -> usize {
        self.inner.lock().welcome
    }

    /// Tells whether the last frame is queued or sent.
    pub fn is_closing(&self) -> bool {
        self.inner.lock().mode == Mode::Closing
    }

    /// Tells whether the client has not said hello yet.
    pub fn is_fresh(&self) -> bool {
        self.inner.lock().mode == Mode::Fresh
    }

    /// Marks the reader as behind, so that it fetches what it misses: after its document was lost and came back.
    pub fn fall_behind(&self) {
        let mut inner = self.inner.lock();
        if inner.mode == Mode::Live {
            inner.mode = Mode::Lagging;
        }
        inner.fetching = false;
        inner.wake();
    }

    /// Takes what can be sent now.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Next> {
        let mut inner = self.inner.lock();
        if inner.mode != Mode::Held
            && let Some(bytes) = inner.take_chunk()
        {
            return Poll::Ready(Next::Frames(bytes));
        }
        if inner.mode == Mode::Closing {
            return Poll::Ready(Next::Finished);
        }
        if inner.mode == Mode::Lagging && !inner.fetching {
            inner.fetching = true;
            return Poll::Ready(Next::FetchDue);
        }
        match &mut inner.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Inner {
    /// Takes note that the reader was not given something.
    fn miss(&mut self) {
        if self.mode == Mode::Held {
            self.missed = true;
        } else {
            self.mode = Mode::Lagging;
        }
        self.wake();
    }

    fn queue_ops(&mut self, frame: &OpsFrame) {
        self.sent = frame.upto;
        self.bytes += frame.bytes.len();
        self.queue.push_back(frame.bytes.clone());
        self.wake();
    }

    fn wake(&mut self) {
        if self.mode != Mode::Held
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    /// One large frame's next piece, or many small frames together: the socket's buffer copies what it is given.
    fn take_chunk(&mut self) -> Option<Bytes> {
        let mut first = self.queue.pop_front()?;
        if first.len() > CHUNK {
            let piece = first.split_to(CHUNK);
            self.queue.push_front(first);
            self.taken(piece.len());
            return Some(piece);
        }
        if self.queue.front().is_none_or(|next| first.len() + next.len() > CHUNK) {
            self.taken(first.len());
            // Most sessions have nothing to send most of the time.
            if self.queue.is_empty() {
                self.queue = VecDeque::new();
            }
            return Some(first);
        }
        let mut chunk = BytesMut::with_capacity((self.bytes + self.welcome).min(CHUNK));
        chunk.extend_from_slice(&first);
        while let Some(next) = self.queue.pop_front_if(|next| chunk.len() + next.len() <= CHUNK) {
            chunk.extend_from_slice(&next);
        }
        self.taken(chunk.len());
        Some(chunk.freeze())
    }

    /// Counts bytes out of the queue, at the front of which the welcome stands while there is some of it.
    fn taken(&mut self, bytes: usize) {
        let of_welcome = bytes.min(self.welcome);
        self.welcome -= of_welcome;
        self.bytes -= bytes - of_welcome;
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
