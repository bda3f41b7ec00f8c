//! What other threads hold of a session: its outbox, when it was last heard, and a way to cut its socket.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use socket2::SockRef;

use super::outbox::Outbox;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the milliseconds since the first call: a clock that never goes back.
pub fn now_ms() -> u64 {
    START.elapsed().as_millis() as u64
}

/// A peer silent for so many ms is dropped: 15 s (protocol section 4).
const SILENCE: u64 = 15_000;

/// A session may wait for its document for so many ms without its peer being taken for silent: the longest pause of the
/// registry, and as long again for reading it.
const WAIT: u64 = 60_000;

/// In [`Link::waits_since`]: it does not wait.
const NEVER: u64 = u64::MAX;

/// See the module's documentation.
pub struct Link {
    pub outbox: Outbox,
    heard: AtomicU64,
    /// Since when the session has waited for its document. Nothing that its peer sends is read meanwhile, so that nothing
    /// can be heard of it.
    waits_since: AtomicU64,
    left: AtomicBool,
    /// A duplicate of the connection's socket: when a peer stops reading, nothing of its session is polled any more,
    /// and shutting the socket is the only way to end it.
    socket: Option<OwnedFd>,
}

impl Link {
    /// Makes the link of a connection whose socket's duplicate is `socket`.
    pub fn new(socket: Option<OwnedFd>) -> Self {
        Self {
            outbox: Outbox::default(),
            heard: AtomicU64::new(now_ms()),
            waits_since: AtomicU64::new(NEVER),
            left: AtomicBool::new(false),
            socket,
        }
    }

    /// Takes note that the peer has sent something.
    pub fn hear(&self) {
        self.heard.store(now_ms(), Ordering::Relaxed);
    }

    /// Takes note that the session waits for its document, if it does not already.
    pub fn begin_wait(&self) {
        // Only the session's own thread writes it.
        if !self.waits() {
            self.waits_since.store(now_ms(), Ordering::Relaxed);
        }
    }

    /// Takes note that the session reads on: from now on its peer has to be heard again.
    pub fn end_wait(&self) {
        self.waits_since.store(NEVER, Ordering::Relaxed);
        self.hear();
    }

    /// Tells whether the session waits for its document.
    pub fn waits(&self) -> bool {
        self.waits_since.load(Ordering::Relaxed) != NEVER
    }

    /// Tells whether the peer has been silent for so long that it has to be dropped.
    pub fn is_silent(&self) -> bool {
        self.is_silent_at(now_ms())
    }

    fn is_silent_at(&self, now: u64) -> bool {
        let since = self.waits_since.load(Ordering::Relaxed);
        let waits = since != NEVER && now.saturating_sub(since) <= WAIT;
        !waits && now.saturating_sub(self.heard.load(Ordering::Relaxed)) > SILENCE
    }

    /// Takes note that the session has ended; before the document is told, so that a `Join` still under way there finds
    /// it out.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Tells whether the session has ended.
    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Cuts the connection at once: what is queued is lost.
    pub fn cut(&self) {
        if let Some(socket) = &self.socket {
            // One that is closed already is what we want.
            let _ = SockRef::from(&socket.as_fd()).shutdown(std::net::Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_waits_for_its_document_is_not_taken_for_silent() {
        let link = Link::new(None);
        let after = |ms| now_ms() + ms;
        assert!(!link.is_silent_at(after(SILENCE - 1_000)));
        assert!(link.is_silent_at(after(SILENCE + 1_000)));
        link.begin_wait();
        assert!(!link.is_silent_at(after(WAIT - 1_000)), "longer than the longest pause of the registry");
        assert!(link.is_silent_at(after(WAIT + 1_000)), "but not for ever");
        // It counts from when it began, however often it asks.
        link.waits_since.store(0, Ordering::Relaxed);
        link.begin_wait();
        assert!(link.is_silent_at(WAIT + SILENCE + after(1_000)));
        link.end_wait();
        assert!(!link.is_silent_at(after(SILENCE - 1_000)));
        assert!(link.is_silent_at(after(SILENCE + 1_000)));
    }
}
