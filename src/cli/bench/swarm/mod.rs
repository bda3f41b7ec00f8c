//! The load itself: thousands of connections on one thread, driven by one epoll loop.
//!
//! A task per connection and a general WebSocket library cost several times what a frame costs here; on one core that
//! would measure the generator. So the loop is written out: bytes are read into one buffer for all, whole frames are
//! understood where they lie ([`traffic`]), and what is due is written straight to its socket ([`connection`]).

mod connection;
mod recorder;
mod timer;
mod traffic;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::{Events, Interest, Poll, Token};

use self::connection::Connection;
pub use self::recorder::Recorder;
use self::timer::Timer;
use self::traffic::{Phase, Traffic};
use super::dialect::Dialect;
use super::schedule::{Nanos, Schedule};
use super::target::Target;
use super::websocket::upgrade_request;

/// Upgrades that are under way at a time: below every listen backlog, so that no connect is delayed by a second.
const OPENING: usize = 128;

/// How long an upgrade with its `welcome` may take before the server counts as stuck.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes read from a socket at once, over all of them.
const READ_BUFFER: usize = 256 << 10;

const TIMER: Token = Token(usize::MAX);

/// A load on the members `0..writers`.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub writers: usize,
    /// Operations a second of each.
    pub per_second: f64,
    /// Every so many-th of the writers is a sampled receiver.
    pub sample_step: usize,
    pub warm_up: Duration,
    pub measure: Duration,
}

/// All connections of the generator to one server.
pub struct Swarm {
    address: SocketAddr,
    dialect: Dialect,
    poll: Poll,
    events: Events,
    timer: Timer,
    started: Instant,
    connections: Vec<Connection>,
    traffic: Traffic,
    scratch: Vec<u8>,
    out: Vec<u8>,
}

impl Swarm {
    /// Prepares for a server without connecting yet.
    ///
    /// # Errors
    /// The process has no file descriptor left.
    pub fn new(address: SocketAddr, dialect: Dialect) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        Ok(Self {
            address,
            dialect,
            poll,
            events: Events::with_capacity(1_024),
            timer,
            started: Instant::now(),
            connections: Vec::new(),
            traffic: Traffic::new(dialect),
            scratch: vec![0; READ_BUFFER],
            out: Vec::new(),
        })
    }

    /// Prepares for one of the measured servers.
    ///
    /// # Errors
    /// As [`Swarm::new`].
    pub fn for_target(target: &Target) -> io::Result<Self> {
        Self::new(target.address, target.dialect)
    }

    /// Closes all connections but the first `keep`.
    pub fn shrink(&mut self, keep: usize) {
        for mut connection in self.connections.drain(keep.min(self.connections.len())..) {
            connection.close();
        }
        self.traffic.shrink(keep);
    }

    /// Returns how many connections there are, open or lost.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Opens one connection to each of the documents, in order, and returns when all have been welcomed.
    ///
    /// # Errors
    /// One was refused or lost, or none made progress for 30 s.
    pub fn open<'a>(&mut self, docs: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
        let first = self.connections.len();
        let mut docs = docs.into_iter().peekable();
        let mut ready = first;
        let mut progress = Instant::now();
        while docs.peek().is_some() || ready < self.connections.len() {
            while self.connections.len() - ready < OPENING
                && let Some(doc) = docs.next()
            {
                self.connect(doc)?;
            }
            self.turn(self.now() + 100_000_000)?;
            while ready < self.connections.len() && self.traffic.phase(ready) == Phase::Ready {
                ready += 1;
                progress = Instant::now();
            }
            self.check()?;
            if progress.elapsed() > OPEN_TIMEOUT {
                bail!("connection {ready} was not welcomed within {OPEN_TIMEOUT:?}");
            }
        }
        Ok(())
    }

    /// Puts a load on the server, waits until what was due has come back (at most 10 s), and returns what was recorded.
    /// `at_edge` is called when the measurement begins and when it ends, to read other clocks.
    ///
    /// # Errors
    /// The loop itself broke; lost connections and refusals are counted instead, see [`Swarm::fault`].
    pub fn run(&mut self, load: Load, mut at_edge: impl FnMut()) -> anyhow::Result<Recorder> {
        let begin = self.now();
        let from = begin + nanos(load.warm_up);
        let until = from + nanos(load.measure);
        self.traffic.sample(load.writers, load.sample_step);
        self.traffic.recorder = Recorder::new(from..until);
        let mut schedule =
            Schedule::new(0..load.writers as u32, load.per_second, begin, &mut fastrand::Rng::new());
        self.keep_typing(&mut schedule, from)?;
        at_edge();
        self.keep_typing(&mut schedule, until)?;
        at_edge();
        self.settle(Duration::from_secs(10))?;
        Ok(std::mem::replace(&mut self.traffic.recorder, Recorder::off()))
    }

    /// Answers pings and takes what comes, for so long.
    ///
    /// # Errors
    /// As [`Swarm::run`].
    pub fn listen(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = self.now() + nanos(time);
        while self.now() < until {
            self.turn(until)?;
        }
        Ok(())
    }

    /// Waits until nothing is in flight, at most for `limit`; tells whether that came about.
    ///
    /// # Errors
    /// As [`Swarm::run`].
    pub fn settle(&mut self, limit: Duration) -> anyhow::Result<bool> {
        let until = self.now() + nanos(limit);
        while !self.traffic.is_settled() && self.now() < until {
            self.turn((self.now() + 20_000_000).min(until))?;
        }
        Ok(self.traffic.is_settled())
    }

    /// Returns how often something went wrong so far: refusals and lost connections.
    pub fn faults(&self) -> u64 {
        self.traffic.faults
    }

    /// Fails if anything went wrong so far.
    ///
    /// # Errors
    /// Says what it was.
    pub fn check(&self) -> anyhow::Result<()> {
        match &self.traffic.fault {
            None => Ok(()),
            Some(first) => bail!("{} faults, the first one: {first}", self.traffic.faults),
        }
    }

    fn keep_typing(&mut self, schedule: &mut Schedule, until: Nanos) -> anyhow::Result<()> {
        loop {
            let now = self.now();
            while let Some((due, writer)) = schedule.take_due(now.min(until)) {
                self.type_one(writer as usize, due);
            }
            if now >= until {
                return Ok(());
            }
            self.turn(schedule.next_due().min(until))?;
        }
    }

    fn type_one(&mut self, index: usize, due: Nanos) {
        self.out.clear();
        // The clock is read anew: with many due at once the last of them leaves later than the first.
        let now = self.now();
        self.traffic.due(index, due, now, &mut self.out);
        self.send(index);
    }

    fn connect(&mut self, doc: &str) -> anyhow::Result<()> {
        let mut connection =
            Connection::open(self.address).with_context(|| format!("connecting to {}", self.address))?;
        let index = self.traffic.add();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut connection.stream, Token(index), interest)?;
        connection.send(&upgrade_request(&self.address.to_string(), &self.dialect.path(doc)))?;
        self.connections.push(connection);
        Ok(())
    }

    /// Waits for events until `wake` and handles them.
    fn turn(&mut self, wake: Nanos) -> io::Result<()> {
        let wait = Duration::from_nanos(wake.saturating_sub(self.now()));
        self.timer.poll(&mut self.poll, &mut self.events, wait)?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(index) = event.token();
            if event.token() == TIMER || !self.connections[index].is_open() {
                continue;
            }
            if event.is_writable()
                && let Err(error) = self.connections[index].flush()
            {
                self.lose(index, &error);
                continue;
            }
            if event.is_readable() {
                self.receive(index);
            }
        }
        self.events = events;
        Ok(())
    }

    fn receive(&mut self, index: usize) {
        self.out.clear();
        let Self { connections, traffic, scratch, out, started, .. } = self;
        let received = connections[index]
            .receive(scratch, |bytes| traffic.understand(index, bytes, nanos(started.elapsed()), out));
        self.send(index);
        if let Err(error) = received {
            self.lose(index, &error);
        }
    }

    fn send(&mut self, index: usize) {
        if self.out.is_empty() {
            return;
        }
        if let Err(error) = self.connections[index].send(&self.out) {
            self.lose(index, &error);
        }
    }

    fn lose(&mut self, index: usize, error: &io::Error) {
        self.connections[index].close();
        self.traffic.lost(index, error);
    }

    fn now(&self) -> Nanos {
        nanos(self.started.elapsed())
    }
}

fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos() as Nanos
}
