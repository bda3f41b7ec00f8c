//! The publisher's work: one loop over what the journal hands on, what the log has, and what the bus reports.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lanes::Lanes;
use super::window::Window;
use crate::actors::clock::Clock;
use crate::ids::{Epoch, Shard};
use crate::metrics::METRICS;
use crate::storage::bus::{BusError, Connected, Delivery, Record, SharedBus};
use crate::storage::{SharedStore, StoreError};

/// The publisher's name among the readers of the log.
pub const READER: &str = "publisher";

/// What is taken of the window, and read of one shard's log, at once.
const AT_ONCE: usize = 1_024;
const BYTES_AT_ONCE: usize = 1 << 20;

/// With more than so many records under way there is no hurry: it looks again after this time.
const BUSY: usize = 256;
const GATHER: Duration = Duration::from_millis(2);

/// How often watermarks are written. What a server that dies has published since is published again.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether anything is due.
const TICK: Duration = Duration::from_millis(250);

/// Rests after a failure: the first one, and the longest after several in a row.
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The longest before a bus that did not answer is asked again: it may be back.
const LONGEST_WITHOUT_BUS: Duration = Duration::from_secs(4);

/// What a publisher works with.
#[derive(Clone)]
pub(super) struct Tools {
    pub store: SharedStore,
    pub bus: SharedBus,
    pub window: Arc<Window>,
    /// Under which this server owns its shards.
    pub node: String,
    pub clock: Clock,
}

/// Somebody waits until everything that is committed by now is published, or cannot be.
pub(super) type Waiter = oneshot::Sender<u64>;

/// A publisher at work.
pub(super) struct Work {
    tools: Tools,
    lanes: Lanes,
    line: Line,
    /// How often in a row connecting has failed.
    tries: u32,
    /// The shards of this server, as far as the log is read.
    owned: Vec<(Shard, Epoch)>,
    owned_until: Instant,
    /// The log is not read before this moment: storage did not answer.
    log_rests_until: Instant,
    store_at: Instant,
    waiters: Vec<Waiter>,
}

/// The connection to the bus.
enum Line {
    Up(Connected),
    Connecting(JoinHandle<Result<Connected, BusError>>),
    Down { again_at: Instant },
}

/// What the loop waits for.
enum Event {
    Connected(Result<Connected, BusError>),
    Delivery(Delivery),
    Waiter(Waiter),
    /// The journal has handed something on, or it is time to look.
    Time,
}

impl Work {
    /// Begins where the last one has come to by its watermarks.
    ///
    /// # Errors
    /// When storage does not answer.
    pub async fn begin(tools: Tools) -> Result<Self, StoreError> {
        let watermarks = tools.store.watermarks(READER).await?;
        let now = Instant::now();
        let lanes = Lanes::new(&watermarks, tools.window.flight_limits());
        Ok(Self {
            tools,
            lanes,
            line: Line::Down { again_at: now },
            tries: 0,
            owned: Vec::new(),
            owned_until: now,
            log_rests_until: now,
            store_at: now + STORE_EVERY,
            waiters: Vec::new(),
        })
    }

    /// Publishes for ever.
    pub async fn run(mut self, waiters: &mut mpsc::UnboundedReceiver<Waiter>) {
        loop {
            self.lanes.wake(Instant::now());
            self.connect_if_due();
            self.take_deliveries();
            self.take_over().await;
            self.publish_from_memory();
            self.publish_from_log().await;
            self.store_watermarks().await;
            self.show();
            self.answer_waiters();
            match self.wait(waiters).await {
                Event::Connected(result) => self.connected(result),
                Event::Delivery(delivery) => self.take(delivery),
                Event::Waiter(waiter) => self.waiters.push(waiter),
                Event::Time => {}
            }
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.line, Line::Up(_))
    }

    fn connect_if_due(&mut self) {
        if matches!(self.line, Line::Down { again_at } if again_at <= Instant::now()) {
            let bus = self.tools.bus.clone();
            self.line = Line::Connecting(tokio::spawn(async move { bus.connect().await }));
        }
    }

    fn connected(&mut self, result: Result<Connected, BusError>) {
        match result {
            Ok(connected) => {
                tracing::info!("connected to the stream");
                METRICS.publisher.connected.set(1);
                self.tries = 0;
                self.line = Line::Up(connected);
            }
            Err(error) => {
                // Once for each outage, and not for each try.
                if self.tries == 0 {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "nothing is published, and editors go on; trying again");
                }
                let rests = match error {
                    BusError::Unavailable(_) => rest(self.tries).min(LONGEST_WITHOUT_BUS),
                    // Somebody has to do something, and that takes its time.
                    BusError::Misconfigured { .. } => LONGEST_REST,
                };
                self.hang_up(rests);
                self.tries += 1;
            }
        }
    }

    /// Gives the producer up. What it had under way is sent again by the next one.
    fn hang_up(&mut self, rests: Duration) {
        METRICS.publisher.connected.set(0);
        self.line = Line::Down { again_at: Instant::now() + rests };
        self.lanes.go_back();
    }

    fn take_deliveries(&mut self) {
        while let Line::Up(connected) = &mut self.line
            && let Ok(delivery) = connected.deliveries.try_recv()
        {
            self.take(delivery);
        }
    }

    fn take(&mut self, Delivery { shard, pos, result }: Delivery) {
        match result {
            Ok(()) if self.lanes.delivered(shard, pos) => METRICS.publisher.published.inc(),
            Ok(()) => self.failed(shard, pos, &BusError::unavailable("it came out of order")),
            Err(error) => self.failed(shard, pos, &error),
        }
    }

    /// A record has failed. Its shard rests; all go back to what is known to have arrived, since the producer has failed
    /// with it.
    fn failed(&mut self, shard: Shard, pos: u64, why: &BusError) {
        METRICS.publisher.failures.inc();
        let lane = self.lanes.of(shard);
        let rests = rest(lane.failures);
        lane.failures += 1;
        lane.rests_until = Some(Instant::now() + rests);
        tracing::error!(
            shard,
            pos,
            ?rests,
            error = why as &dyn std::error::Error,
            "an operation was not published; its shard rests, and begins again there"
        );
        self.hang_up(FIRST_REST);
    }

    /// Begins shards that were taken from other servers where those have come to. If storage does not tell, they begin where they were
    /// here, and something may be published twice.
    async fn take_over(&mut self) {
        let taken = self.tools.window.take_taken();
        if taken.is_empty() {
            return;
        }
        match self.tools.store.watermarks(READER).await {
            Ok(watermarks) => {
                for shard in taken {
                    self.lanes.begin_again(shard, watermarks[usize::from(shard)]);
                }
                self.owned_until = Instant::now();
            }
            Err(error) => {
                tracing::warn!(%error, "the watermarks of shards that were taken cannot be read; trying again");
                self.tools.window.give_back(taken);
            }
        }
    }

    /// Sends what the journal has handed on. Without a connection it stays where it is, which is bounded.
    fn publish_from_memory(&mut self) {
        let (room, bytes) = match self.line {
            Line::Up(_) if self.lanes.has_room() => self.lanes.room(),
            _ => (0, 0),
        };
        let taken = self.tools.window.take(room.min(AT_ONCE), bytes.min(BYTES_AT_ONCE));
        for committed in &taken.ops {
            if !self.is_up() {
                // It failed at one before. They are in the log.
                break;
            }
            if let Some(record) = self.lanes.next_record(committed) {
                METRICS.publisher.from_memory.inc();
                self.send(record);
            }
        }
        self.lanes.end_at(&taken.ends, taken.all, self.tools.clock.now());
    }

    fn send(&mut self, record: Record) {
        let (shard, pos) = (record.shard, record.pos);
        if let Line::Up(Connected { producer, .. }) = &mut self.line
            && let Err(error) = producer.send(record)
        {
            self.failed(shard, pos, &error);
        }
    }

    /// Reads a page of one shard that has something in the log only, and sends it.
    async fn publish_from_log(&mut self) {
        if !self.may_read() {
            return;
        }
        if let Err(error) = self.read_and_send().await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the log cannot be read for the stream; trying again");
            self.log_rests_until = Instant::now() + FIRST_REST;
        }
    }

    fn may_read(&self) -> bool {
        self.is_up()
            && self.lanes.has_room()
            && self.log_rests_until <= Instant::now()
            && self.lanes.any_behind()
    }

    async fn read_and_send(&mut self) -> Result<(), StoreError> {
        self.look_what_is_owned().await?;
        let Some(shard) = self.lanes.next_behind() else { return Ok(()) };
        let Some(&(_, epoch)) = self.owned.iter().find(|(owned, _)| *owned == shard) else { return Ok(()) };
        let (room, bytes) = self.lanes.room();
        let after = self.lanes.of(shard).sent;
        let store = &self.tools.store;
        let read = store.read_shard(shard, after, room.min(AT_ONCE), bytes.min(BYTES_AT_ONCE)).await;
        let page = read.inspect_err(|error| {
            // One that cannot be read must not keep the others waiting.
            if !error.is_transient() {
                self.lanes.of(shard).rests_until = Some(Instant::now() + LONGEST_REST);
            }
        })?;
        for placed in &page.ops {
            if !self.is_up() {
                return Ok(());
            }
            let record = self.lanes.record(shard, epoch, placed);
            METRICS.publisher.from_log.inc();
            self.send(record);
        }
        if self.is_up() {
            let lane = self.lanes.of(shard);
            lane.read(page.upto);
            if lane.behind && page.upto <= after {
                // The log ends before what was committed: somebody has changed it by hand.
                lane.rests_until = Some(Instant::now() + LONGEST_REST);
            }
        }
        Ok(())
    }

    /// Only the owner of a shard publishes it. What the journal hands on was committed as its owner; before the log is read,
    /// storage is asked, now and then.
    async fn look_what_is_owned(&mut self) -> Result<(), StoreError> {
        if self.owned_until <= Instant::now() {
            self.owned = self.tools.store.owned(&self.tools.node).await?;
            self.owned_until = Instant::now() + STORE_EVERY;
            self.lanes.keep_only(&self.owned);
        }
        Ok(())
    }

    /// Writes how far everything has come, if it is time.
    async fn store_watermarks(&mut self) {
        if self.store_at > Instant::now() && self.waiters.is_empty() {
            return;
        }
        self.store_at = Instant::now() + STORE_EVERY;
        let marks = self.lanes.to_store();
        if marks.is_empty() {
            return;
        }
        match self.tools.store.advance_watermarks(READER, &marks).await {
            Ok(()) => self.lanes.stored(&marks),
            // They are written the next time, and until then more is published twice after a crash.
            Err(error) => tracing::warn!(%error, "the publisher's watermarks were not written"),
        }
    }

    fn show(&self) {
        let (lag, since) = self.lanes.lag();
        let seconds = since.map_or(0.0, |since| (self.tools.clock.now() - since).max(0) as f64 / 1000.0);
        METRICS.publisher.lag_operations.set(lag as i64);
        METRICS.publisher.lag_seconds.set(seconds);
    }

    /// Tells those who wait that everything is published, or that nobody takes it, with the number of what is missing.
    fn answer_waiters(&mut self) {
        let is_away = self.tries > 0;
        let is_through = self.lanes.is_through() && self.lanes.to_store().is_empty();
        if self.waiters.is_empty() || !is_away && !is_through {
            return;
        }
        let (lag, _) = self.lanes.lag();
        for waiter in self.waiters.drain(..) {
            // It may have given up.
            let _ = waiter.send(lag);
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, waiters: &mut mpsc::UnboundedReceiver<Waiter>) -> Event {
        if self.may_read() {
            // A turn for the others on this thread.
            tokio::task::yield_now().await;
            return Event::Time;
        }
        if self.lanes.flying() > BUSY {
            tokio::time::sleep(GATHER).await;
            return Event::Time;
        }
        // Without a connection or room what is committed waits in the window, and need not be looked at.
        let wants_more = self.is_up() && self.lanes.has_room();
        tokio::select! {
            event = self.line.event() => event,
            () = self.tools.window.news(), if wants_more => Event::Time,
            Some(waiter) = waiters.recv() => Event::Waiter(waiter),
            () = tokio::time::sleep(TICK) => Event::Time,
        }
    }
}

impl Line {
    async fn event(&mut self) -> Event {
        match self {
            Self::Up(connected) => match connected.deliveries.recv().await {
                Some(delivery) => Event::Delivery(delivery),
                // The producer holds the other end.
                None => pending().await,
            },
            Self::Connecting(task) => {
                let result = task.await;
                Event::Connected(result.unwrap_or_else(|ended| Err(BusError::unavailable(ended))))
            }
            Self::Down { .. } => pending().await,
        }
    }
}

/// Returns how long to rest after so many failures in a row.
fn rest(failures: u32) -> Duration {
    LONGEST_REST.min(FIRST_REST.saturating_mul(2u32.saturating_pow(failures)))
}
