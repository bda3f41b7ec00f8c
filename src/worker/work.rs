//! What a worker does, second by second.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::lane::Lane;
use crate::actors::clock::Clock;
use crate::config::WorkerOptions;
use crate::ids::{SHARDS, Shard};
use crate::metrics::METRICS;
use crate::projections::{Account, Limits, Part, Projector};
use crate::redis::Redis;
use crate::storage::bus::{BusError, KafkaOptions, Read, StreamReader, decode};
use crate::storage::cache::Cache;
use crate::storage::projections::READER;
use crate::storage::{Reading, ShardOp, StoreError};

/// In which operations gather: a document is written once a second at most.
const EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether the log has what the stream has not brought.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// What one transaction takes.
const LIMITS: Limits = Limits { docs: 256, bytes: 4 << 20 };

/// What waits in memory at most before it is written without waiting for the second to end: operations, and bytes of deltas.
const MOST_OPS: usize = 65_536;
const MOST_BYTES: usize = 32 << 20;

/// Operations read from a shard's log at a time, and bytes of their deltas.
const PAGE: usize = 2_000;
const PAGE_BYTES: usize = 4 << 20;

/// The rest before the brokers, or the database, are asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a worker works with.
pub struct Tools {
    pub projector: Projector,
    pub stream: KafkaOptions,
    /// The group whose members share out the work.
    pub group: String,
    /// Where current content is kept too, if there is a Redis.
    pub cache: Option<Cache>,
    pub clock: Clock,
}

impl Tools {
    /// Those of a worker with these settings.
    ///
    /// # Errors
    /// No stream is named, or the address of Redis is none.
    pub fn of(options: &WorkerOptions, reading: &Reading) -> anyhow::Result<Self> {
        let stream =
            options.kafka.options()?.context("the brokers of the stream are wanted: --kafka-brokers")?;
        let redis = options.redis.options()?.map(|options| Redis::start(&options)).transpose()?;
        let (store, rows) = (reading.store.clone(), reading.projections.clone());
        Ok(Self {
            projector: Projector { store, rows, limits: LIMITS },
            stream,
            group: options.worker_group.clone(),
            cache: redis.map(Cache::new),
            clock: Clock::system(),
        })
    }
}

/// Works until it is told to stop.
///
/// # Errors
/// The stream is not one that can be read. Brokers and databases that are away are waited for.
pub async fn work(tools: Tools, mut stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut stop = stopped.clone();
    let reader = tokio::select! {
        reader = join(&tools) => reader?,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    let mut work = Work {
        tools,
        reader,
        lanes: None,
        generation: 0,
        waiting: 0,
        account: Account::default(),
        swept: Instant::now(),
        before: Box::new([(0, 0); SHARDS]),
    };
    let worked = work.run(&mut stopped).await;
    work.reader.leave().await;
    worked
}

/// Joins the group as soon as brokers answer.
async fn join(tools: &Tools) -> anyhow::Result<StreamReader> {
    let mut told = false;
    loop {
        match StreamReader::join(tools.stream.clone(), &tools.group).await {
            Ok(reader) => return Ok(reader),
            Err(BusError::Unavailable(error)) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "the stream is away; it is asked again");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

struct Work {
    tools: Tools,
    reader: StreamReader,
    /// By shard, those of which something has come; `None` until it is known what is stored.
    lanes: Option<Lanes>,
    /// How often the group had shared out its partitions when this was begun.
    generation: u64,
    /// Operations in the lanes.
    waiting: usize,
    account: Account,
    swept: Instant,
    /// Where each shard stood, and where its log ended, when it was last looked.
    before: Box<[(u64, u64); SHARDS]>,
}

/// See [`Work::lanes`].
struct Lanes {
    /// What was stored when they were begun.
    marks: Box<[u64; SHARDS]>,
    lanes: BTreeMap<Shard, Lane>,
}

impl Lanes {
    fn of(&mut self, shard: Shard) -> &mut Lane {
        self.lanes.entry(shard).or_insert_with(|| Lane::at(self.marks[usize::from(shard)]))
    }

    fn stored(&self, shard: Shard) -> u64 {
        self.lanes.get(&shard).map_or(self.marks[usize::from(shard)], Lane::stored)
    }

    fn bytes(&self) -> usize {
        self.lanes.values().map(Lane::bytes).sum()
    }
}

impl Work {
    async fn run(&mut self, stopped: &mut watch::Receiver<bool>) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                _ = tick.tick() => {
                    if self.round().await {
                        // More is to be read in the log. Whoever waits in the stream has its turn in between.
                        tick.reset_immediately();
                    }
                }
                read = self.reader.next(), if self.lanes.is_some() => match read {
                    Ok(read) => self.take(read).await,
                    Err(error) => return Err(error).context("the worker reads no more"),
                },
            }
        }
        if self.lanes.is_some() {
            self.round().await;
        }
        Ok(())
    }

    /// Stores what has come. Tells whether there is more to be done at once.
    async fn round(&mut self) -> bool {
        match self.try_round().await {
            Ok(more) => more,
            Err(error) => {
                self.account.failed(&error);
                let again = matches!(error, StoreError::Conflict { .. });
                self.forget();
                again
            }
        }
    }

    async fn try_round(&mut self) -> Result<bool, StoreError> {
        let generation = self.reader.generation();
        if generation != self.generation || self.lanes.is_none() {
            self.begin(generation).await?;
        }
        self.store().await?;
        let more = self.read_log().await?;
        if self.swept.elapsed() >= SWEEP_EVERY {
            self.swept = Instant::now();
            self.sweep().await?;
        }
        Ok(more)
    }

    /// Forgets what has come: whoever has the partitions reads it again, in the stream or in the log.
    fn forget(&mut self) {
        (self.lanes, self.waiting) = (None, 0);
    }

    /// Begins with what is stored.
    async fn begin(&mut self, generation: u64) -> Result<(), StoreError> {
        self.forget();
        let marks = self.tools.projector.store.watermarks(READER).await?;
        (self.lanes, self.generation) = (Some(Lanes { marks, lanes: BTreeMap::new() }), generation);
        Ok(())
    }

    async fn take(&mut self, read: Read) {
        if read.generation != self.generation {
            // The partitions were shared out anew, and what has come before that is another's.
            if read.generation < self.generation || !self.begin_anew(read.generation).await {
                return;
            }
        }
        let Some(lanes) = &mut self.lanes else { return };
        match decode(&read.value) {
            Ok(event) => {
                let op = ShardOp::from(event);
                if op.doc.shard() == read.shard {
                    lanes.of(read.shard).take(read.offset, op);
                    self.waiting += 1;
                } else {
                    tracing::error!(document_id = %op.doc, partition = read.shard, "a record is in another's partition");
                }
            }
            // What is missing because of it is read in the log.
            Err(error) => {
                let (partition, offset) = (read.shard, read.offset);
                tracing::error!(partition, offset, %error, "a record cannot be read");
            }
        }
        if self.waiting >= MOST_OPS || self.is_full() {
            self.round().await;
        }
    }

    async fn begin_anew(&mut self, generation: u64) -> bool {
        match self.begin(generation).await {
            Ok(()) => true,
            Err(error) => {
                self.account.failed(&error);
                false
            }
        }
    }

    fn is_full(&self) -> bool {
        self.lanes.as_ref().is_some_and(|lanes| lanes.bytes() >= MOST_BYTES)
    }

    /// Stores what the stream has brought.
    async fn store(&mut self) -> Result<(), StoreError> {
        loop {
            let Some(lanes) = &self.lanes else { return Ok(()) };
            let (mut parts, mut docs) = (Vec::new(), HashSet::new());
            for (shard, lane) in lanes.lanes.iter().filter(|(_, lane)| !lane.ops().is_empty()) {
                docs.extend(lane.ops().iter().map(|op| op.doc.clone()));
                parts.push(lane.part(*shard));
                if docs.len() >= LIMITS.docs {
                    break;
                }
            }
            if parts.is_empty() {
                self.waiting = 0;
                return Ok(());
            }
            self.project(parts).await?;
        }
    }

    /// Reads a page of each log that has what the stream has not brought, and stores it; tells whether there is more.
    async fn read_log(&mut self) -> Result<bool, StoreError> {
        let Some(lanes) = &self.lanes else { return Ok(false) };
        let behind: Vec<_> = lanes
            .lanes
            .iter()
            .filter(|(_, lane)| lane.has_gap())
            .map(|(shard, lane)| (*shard, lane.stored()))
            .collect();
        for (shard, from) in behind {
            let page = self.tools.projector.store.read_shard(shard, from, PAGE, PAGE_BYTES).await?;
            if page.upto > from {
                self.project(vec![Part { shard, from, upto: page.upto, ops: page.ops }]).await?;
            } else if let Some(lanes) = &mut self.lanes {
                tracing::warn!(shard, from, "the stream has what the log has not: it is passed over");
                lanes.of(shard).ends();
            }
        }
        Ok(self.lanes.as_ref().is_some_and(|lanes| lanes.lanes.values().any(Lane::has_gap)))
    }

    async fn project(&mut self, parts: Vec<Part>) -> Result<(), StoreError> {
        self.account.begun(&parts, self.tools.clock.now());
        let outcome = self.tools.projector.project(parts).await?;
        if let Some(lanes) = &mut self.lanes {
            let done =
                outcome.moves.iter().filter_map(|one| Some((one.shard, lanes.of(one.shard).store(one.to)?)));
            self.reader.done(&done.collect::<Vec<_>>());
        }
        self.account.done(&outcome, self.tools.clock.now());
        if let Some(cache) = &self.tools.cache {
            outcome.changes.into_iter().for_each(|change| cache.keep_newer(change.row));
        }
        Ok(())
    }

    /// Looks how far the logs of this worker's shards go. Of what has been there for a while and has not come the log is read.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        let ends = self.tools.projector.store.last_positions().await?;
        let Some(lanes) = &mut self.lanes else { return Ok(()) };
        let mut lag = 0;
        for shard in self.reader.assigned() {
            let (stored, end) = (lanes.stored(shard), ends[usize::from(shard)]);
            let (stood, ended) = std::mem::replace(&mut self.before[usize::from(shard)], (stored, end));
            if stored == stood && stored < ended {
                lanes.of(shard).hear_of(ended);
            }
            lag += end.saturating_sub(stored);
        }
        METRICS.projections.lag_operations.set(lag as i64);
        if lag == 0 {
            METRICS.projections.caught_up();
        }
        Ok(())
    }
}
