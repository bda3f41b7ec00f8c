//! What other threads hold of a session: its outbox, when it was last heard, and a way to cut its socket.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use socket2::SockRef;

use super::outbox::Outbox;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns the milliseconds since the first call: a clock that never goes back.
pub fn now_ms() -> u64 {
    START.elapsed().as_millis() as u64
}

/// See the module's documentation.
pub struct Link {
    pub outbox: Outbox,
    heard: AtomicU64,
    left: AtomicBool,
    /// A duplicate of the connection's socket: when a peer stops reading, nothing of its session is polled any more,
    /// and shutting the socket is the only way to end it.
    socket: Option<Arc<OwnedFd>>,
}

impl Link {
    /// Makes the link of a connection whose socket's duplicate is `socket`.
    pub fn new(socket: Option<Arc<OwnedFd>>) -> Self {
        Self {
            outbox: Outbox::default(),
            heard: AtomicU64::new(now_ms()),
            left: AtomicBool::new(false),
            socket,
        }
    }

    /// Takes note that the peer has sent something.
    pub fn hear(&self) {
        self.heard.store(now_ms(), Ordering::Relaxed);
    }

    /// Returns for how many milliseconds the peer has been silent.
    pub fn silent_for(&self) -> u64 {
        now_ms().saturating_sub(self.heard.load(Ordering::Relaxed))
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
