//! Writers that go on writing, whatever becomes of the server: they come back, resume, and send again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::{PATIENCE, TestServer};
use crate::replica::Replica;

/// How long a writer waits before it tries again where it could not connect.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Nothing may take longer than this while a test waits for writers to get on.
const STALLED: Duration = Duration::from_mins(1);

/// A running load.
pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Writer>>,
}

struct Shared {
    /// Where the server is; it moves when it is started again.
    address: Mutex<String>,
    moved: Condvar,
    stops: AtomicBool,
    /// The server is gone, and the writers are wanted as it has left them.
    halts: AtomicBool,
    acknowledged: AtomicUsize,
    /// Refusals that ask for the same operation again.
    put_off: AtomicUsize,
    /// Between an acknowledgement and the next edit.
    rest: Duration,
}

/// What a writer is left with at the end.
pub struct Writer {
    pub doc: String,
    pub replica: Replica,
}

impl Load {
    /// Starts `count` writers, spread over the documents.
    pub fn start(server: &TestServer, docs: &[String], count: usize) -> Self {
        Self::start_resting(server, docs, count, Duration::ZERO)
    }

    /// The same, with writers who rest between two edits.
    pub fn start_resting(server: &TestServer, docs: &[String], count: usize, rest: Duration) -> Self {
        let docs = docs.iter().cycle().take(count);
        let writers = docs.map(|doc| Writer { doc: doc.clone(), replica: Replica::new() });
        Self::write(server, writers.collect(), rest)
    }

    /// Lets writers go on where they were.
    pub fn go_on(server: &TestServer, writers: Vec<Writer>) -> Self {
        Self::write(server, writers, Duration::ZERO)
    }

    fn write(server: &TestServer, writers: Vec<Writer>, rest: Duration) -> Self {
        let shared = Arc::new(Shared {
            address: Mutex::new(server.address().to_owned()),
            moved: Condvar::new(),
            stops: AtomicBool::new(false),
            halts: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            put_off: AtomicUsize::new(0),
            rest,
        });
        let writers = writers.into_iter().zip(1..).map(|(Writer { doc, replica }, seed)| {
            let shared = shared.clone();
            thread::spawn(move || Writer { replica: write(&shared, &doc, replica, seed), doc })
        });
        Self { writers: writers.collect(), shared }
    }

    /// Waits until so many more operations have been acknowledged.
    pub fn wait_for(&self, more: usize) {
        self.wait(&self.shared.acknowledged, more, "acknowledgements");
    }

    /// Waits until so many more operations have been put off.
    pub fn wait_for_refusals(&self, more: usize) {
        self.wait(&self.shared.put_off, more, "refusals");
    }

    /// How many operations have been put off so far.
    pub fn refusals(&self) -> usize {
        self.shared.put_off.load(Ordering::Relaxed)
    }

    fn wait(&self, counter: &AtomicUsize, more: usize, what: &str) {
        let goal = counter.load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + STALLED;
        while counter.load(Ordering::Relaxed) < goal {
            assert!(self.writers.iter().all(|writer| !writer.is_finished()), "a writer has given up");
            assert!(Instant::now() < deadline, "the writers do not get {more} {what}");
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Tells the writers where the server is now.
    pub fn move_to(&self, server: &TestServer) {
        server.address().clone_into(&mut self.shared.address.lock().expect("no writer panics with it"));
        self.shared.moved.notify_all();
    }

    /// Lets every writer settle what it has in flight, and stop.
    pub fn finish(self) -> Vec<Writer> {
        self.shared.stops.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Takes the writers from a server that is gone, with what they have in flight.
    pub fn halt(self) -> Vec<Writer> {
        self.shared.halts.store(true, Ordering::Relaxed);
        self.shared.moved.notify_all();
        self.join()
    }

    fn join(self) -> Vec<Writer> {
        self.writers.into_iter().map(|writer| writer.join().expect("the writer got through")).collect()
    }
}

/// Writes until it is to stop and nothing is in flight.
fn write(shared: &Shared, doc: &str, mut replica: Replica, seed: u64) -> Replica {
    let mut dice = Dice(seed);
    let mut failures_since = None;
    while !shared.halts.load(Ordering::Relaxed) {
        let address = shared.address.lock().expect("no writer panics with it").clone();
        match TestClient::try_resume(&address, doc, replica) {
            Ok(mut client) => {
                failures_since = None;
                let is_done = write_while_connected(shared, &mut client, &mut dice);
                replica = client.lose_connection();
                if is_done {
                    return replica;
                }
            }
            Err(lost) => {
                let since = *failures_since.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < STALLED, "cannot come back: {}", lost.why);
                replica = lost.replica;
                let address = shared.address.lock().expect("no writer panics with it");
                // Woken early when the server has moved; the time matters only when it was not ready yet.
                drop(shared.moved.wait_timeout(address, AGAIN_AFTER));
            }
        }
    }
    replica
}

/// Writes until the connection has ended, or until it is to stop: then true.
fn write_while_connected(shared: &Shared, client: &mut TestClient, dice: &mut Dice) -> bool {
    loop {
        if client.replica.in_flight.is_none() {
            if !follow(client, shared.rest) {
                return false;
            }
            if shared.stops.load(Ordering::Relaxed) {
                return true;
            }
            let edit = dice.edit(client);
            if client.try_edit(&edit).is_err() {
                return false;
            }
        }
        let acknowledged = client.replica.acknowledged.len();
        let Incoming::Frame(frame) = client.step() else { return false };
        shared.acknowledged.fetch_add(client.replica.acknowledged.len() - acknowledged, Ordering::Relaxed);
        if frame["type"] == "error" && !send_again(shared, client, &frame) {
            return false;
        }
    }
}

/// Takes what comes for so long; false if the connection has ended.
fn follow(client: &mut TestClient, time: Duration) -> bool {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        if let Some(Incoming::Closed(_)) = client.step_within(left) {
            return false;
        }
    }
    true
}

/// Does what section 6 of the protocol asks for a refusal; false if the connection has ended.
fn send_again(shared: &Shared, client: &mut TestClient, error: &Value) -> bool {
    let code = error["code"].as_str().unwrap_or_default();
    assert!(["unavailable", "internal", "rate_limited"].contains(&code), "refused for good: {error}");
    shared.put_off.fetch_add(1, Ordering::Relaxed);
    let again_at = Instant::now() + Duration::from_millis(error["retry_after_ms"].as_u64().unwrap_or(100));
    while let Some(left) =
        again_at.checked_duration_since(Instant::now()).filter(|_| client.replica.in_flight.is_some())
    {
        assert!(left < PATIENCE, "an unreasonable wait: {error}");
        match client.step_within(left) {
            Some(Incoming::Closed(_)) => return false,
            Some(Incoming::Frame(_)) | None => {}
        }
    }
    client.send_in_flight().is_ok()
}

/// A generator of edits that gives the same ones for the same seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % bound
    }

    /// Mostly an insert somewhere; sometimes a deletion or a format. All text is ASCII, so that no pair can be cut.
    fn edit(&mut self, client: &TestClient) -> Value {
        let length = client.replica.content.length();
        let at = self.below(length + 1);
        let within = 3.min(length - at);
        let kind = self.below(10);
        if kind == 0 && within > 0 {
            return json!([{ "retain": at }, { "delete": within }]);
        }
        if kind == 1 && within > 0 {
            return json!([{ "retain": at }, { "retain": within, "attributes": { "bold": at.is_multiple_of(2) } }]);
        }
        insertion(at, &format!("{} ", client.replica.seq + 1))
    }
}
