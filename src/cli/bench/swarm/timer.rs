//! Waking up on time: epoll counts in milliseconds, a load of 20,000 operations a second does not.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// A timer of the kernel among the sockets. The alternative, to spin during the last millisecond, would take the whole
/// core and hide how busy the generator is.
#[derive(Debug)]
pub struct Timer {
    descriptor: OwnedFd,
}

impl Timer {
    /// Makes a timer that wakes `registry`'s poll with an event for `token`.
    ///
    /// # Errors
    /// The process has no file descriptor left.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let descriptor =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { descriptor })
    }

    /// Polls for events, at most for `wait`. Events are edge triggered, so that an expiry needs no reading of the timer.
    ///
    /// # Errors
    /// Those of the poll, interruptions aside.
    pub fn poll(&self, poll: &mut Poll, events: &mut Events, wait: Duration) -> io::Result<()> {
        if !wait.is_zero() {
            timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &once(wait))?;
        }
        match poll.poll(events, wait.is_zero().then_some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }
}

fn once(wait: Duration) -> Itimerspec {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let value = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
    Itimerspec { it_interval: never, it_value: value }
}
