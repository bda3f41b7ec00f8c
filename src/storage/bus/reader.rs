//! Reading the stream as a member of a consumer group: of all its members each partition has one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::kafka::{KafkaBus, failure};
use super::{BusError, KafkaOptions};
use crate::ids::{SHARDS, Shard};
use crate::metrics::METRICS;

/// How long one look for the next record takes at most: so late it is seen that the reader is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Records that wait for whoever reads, and bytes of them, beyond the first; then the reader waits, and is out of the group after
/// five minutes of that.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 16 << 20;

/// Only what is stored elsewhere counts as read, so the group is told by hand. Records of so few kilobytes are fetched ahead.
const CONSUMER: [(&str, &str); 6] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Whoever begins late reads what there is, and the rest in the log.
    ("auto.offset.reset", "earliest"),
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "16384"),
    ("session.timeout.ms", "10000"),
];

/// A record of the stream.
#[derive(Debug)]
pub struct Read {
    pub shard: Shard,
    pub offset: i64,
    /// See [`super::decode`].
    pub value: Vec<u8>,
    /// Counts the times at which the group has shared out its partitions anew: what was read before is read again by somebody.
    pub generation: u64,
    /// Its part of what may wait.
    _room: OwnedSemaphorePermit,
}

/// A member of a group. Dropped, it leaves.
pub struct StreamReader {
    consumer: Arc<BaseConsumer<Membership>>,
    topic: String,
    ended: Arc<AtomicBool>,
    records: mpsc::Receiver<Read>,
    /// Resolves when the group has been left.
    left: Option<oneshot::Receiver<()>>,
}

impl StreamReader {
    /// Joins a group, after the topic was looked at.
    ///
    /// # Errors
    /// As [`super::Bus::connect`].
    pub async fn join(options: KafkaOptions, group: &str) -> Result<Self, BusError> {
        let (topic, config) = (options.topic.clone(), config(&options, group));
        KafkaBus::new(options).check_topic().await?;
        let consumer: BaseConsumer<Membership> =
            config.create_with_context(Membership::default()).map_err(failure)?;
        consumer.subscribe(&[&topic]).map_err(failure)?;
        let (consumer, ended) = (Arc::new(consumer), Arc::new(AtomicBool::new(false)));
        let (sender, records) = mpsc::channel(WAITING);
        let (polled, over) = (consumer.clone(), ended.clone());
        let polling = thread::Builder::new().name("kafka-reader".to_owned());
        let runtime = Handle::current();
        let (leaving, left) = oneshot::channel();
        let polled = move || {
            poll(&polled, &over, &sender, &runtime);
            // The last hold on it: the group is left.
            drop(polled);
            let _ = leaving.send(());
        };
        polling.spawn(polled).map_err(BusError::unavailable)?;
        Ok(Self { consumer, topic, ended, records, left: Some(left) })
    }

    /// Leaves the group, whose other members have its partitions then.
    pub async fn leave(mut self) {
        let left = self.left.take();
        drop(self);
        if let Some(left) = left {
            // Gone is gone.
            let _ = left.await;
        }
    }

    /// Returns the next record. May be given up at any time.
    pub async fn next(&mut self) -> Result<Read, BusError> {
        self.records.recv().await.ok_or_else(|| BusError::unavailable("reading the stream has ended"))
    }

    /// Returns the partitions that this member has.
    pub fn assigned(&self) -> BTreeSet<Shard> {
        self.consumer.context().assigned.lock().clone()
    }

    /// Returns how often partitions were shared out, see [`Read::generation`].
    pub fn generation(&self) -> u64 {
        self.consumer.context().generation.load(Ordering::SeqCst)
    }

    /// Tells the group up to and with which offset each partition is done with. What it does not hear of is read again.
    pub fn done(&self, upto: &[(Shard, i64)]) {
        let mut offsets = TopicPartitionList::new();
        for (shard, offset) in upto {
            let next = Offset::Offset(offset + 1);
            // A partition, and an offset, that came from Kafka.
            let _ = offsets.add_partition_offset(&self.topic, i32::from(*shard), next);
        }
        if !upto.is_empty()
            && let Err(error) = self.consumer.commit(&offsets, CommitMode::Async)
        {
            tracing::debug!(%error, "the group does not hear what was read");
        }
    }
}

impl Drop for StreamReader {
    /// The thread sees it; closing waits for librdkafka, and nobody waits for that.
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

fn config(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = options.client_config();
    config.set("group.id", group);
    for (name, value) in CONSUMER {
        config.set(name, value);
    }
    config
}

/// Reads until nobody wants it any more.
fn poll(
    consumer: &BaseConsumer<Membership>,
    ended: &AtomicBool,
    records: &mpsc::Sender<Read>,
    runtime: &Handle,
) {
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    let mut told = String::new();
    while !ended.load(Ordering::SeqCst) {
        let message = match consumer.poll(LOOK) {
            None => continue,
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                // It is tried again by librdkafka, and told once.
                let error = error.to_string();
                if error != told {
                    tracing::warn!(error, "the stream cannot be read");
                    told = error;
                }
                thread::sleep(LOOK);
                continue;
            }
        };
        let Ok(shard) = Shard::try_from(message.partition()) else { continue };
        let value = message.payload().unwrap_or_default();
        let bytes = value.len().clamp(1, WAITING_BYTES) as u32;
        // Never closed.
        let Ok(room) = runtime.block_on(room.clone().acquire_many_owned(bytes)) else { return };
        told.clear();
        let read = Read {
            shard,
            offset: message.offset(),
            value: value.to_vec(),
            _room: room,
            generation: consumer.context().generation.load(Ordering::SeqCst),
        };
        if records.blocking_send(read).is_err() {
            return;
        }
    }
}

/// What the group has given to this member.
#[derive(Default)]
struct Membership {
    assigned: Mutex<BTreeSet<Shard>>,
    generation: AtomicU64,
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut assigned = self.assigned.lock();
        match rebalance {
            Rebalance::Assign(partitions) => {
                assigned.extend(
                    partitions.elements().iter().filter_map(|one| Shard::try_from(one.partition()).ok()),
                );
            }
            Rebalance::Revoke(_) | Rebalance::Error(_) => assigned.clear(),
        }
        debug_assert!(assigned.len() <= SHARDS);
        self.generation.fetch_add(1, Ordering::SeqCst);
        METRICS.projections.partitions.set(assigned.len() as i64);
        tracing::info!(partitions = assigned.len(), "the group has shared out its partitions");
    }
}
