//! Kafka through librdkafka.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, NoCustomPartitioner, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message as _};
use tokio::sync::{mpsc, oneshot};

use super::{Bus, BusError, Connected, Delivery, KafkaOptions, Producer, Record};
use crate::ids::{SHARDS, Shard};

/// How long to wait for an answer to a question about the topic.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How often to look for a topic that was just made: the brokers hear of it one after the other.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// The largest record: an operation that makes a document of 10 MB whose characters all have to be escaped.
const LARGEST_RECORD: &str = "67108864";

/// How long the topic keeps what is in it: a week. Whoever comes later reads the log.
const RETENTION_MS: &str = "604800000";

/// Everything is left to librdkafka that makes a partition's records one sequence without a gap: numbers that the broker
/// checks, and resending.
const PRODUCER: [(&str, &str); 10] = [
    ("enable.idempotence", "true"),
    // When a record fails all the same, everything after it fails too, instead of getting ahead of it.
    ("enable.gapless.guarantee", "true"),
    ("acks", "all"),
    // A record is tried for as long as it takes: one that was given up could have got through after all.
    ("message.timeout.ms", "0"),
    // A partition's records of so long go together. There are 256 of them, and a request costs more than a record.
    ("linger.ms", "5"),
    ("compression.type", "lz4"),
    ("message.max.bytes", LARGEST_RECORD),
    // Both are beyond what the publisher lets be under way, which is the bound that counts.
    ("queue.buffering.max.messages", "1000000"),
    ("queue.buffering.max.kbytes", "262144"),
    // librdkafka partitions nothing by itself here, and waits for nobody to do it.
    ("sticky.partitioning.linger.ms", "0"),
];

/// A topic of a Kafka cluster.
pub(super) struct KafkaBus {
    options: KafkaOptions,
}

impl KafkaBus {
    pub(super) fn new(options: KafkaOptions) -> Self {
        Self { options }
    }

    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.options.brokers)
            .set("client.id", "quire")
            .set("reconnect.backoff.ms", "100")
            // A broker that is back is found soon, also after a long outage.
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.keepalive.enable", "true")
            .set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    /// Looks at the topic, and makes it if there is none.
    pub(super) async fn check_topic(&self) -> Result<(), BusError> {
        let admin = Admin::new(&self.config())?;
        let topic = &self.options.topic;
        let mut found = admin.partitions(topic).await?;
        if found == 0 {
            admin.create(topic).await?;
            found = admin.await_topic(topic).await?;
        }
        if found == SHARDS {
            return Ok(());
        }
        Err(BusError::Misconfigured {
            why: format!(
                "the topic {topic} has {found} partitions, and one for each of the {SHARDS} shards is wanted: name another \
                 topic (--kafka-topic), or delete this one and let it be made anew"
            ),
        })
    }
}

/// Asks about the topic.
struct Admin {
    /// `None` once it is being closed.
    client: Option<Arc<AdminClient<DefaultClientContext>>>,
}

impl Admin {
    fn new(config: &ClientConfig) -> Result<Self, BusError> {
        Ok(Self { client: Some(Arc::new(config.create().map_err(failure)?)) })
    }

    fn client(&self) -> Result<&Arc<AdminClient<DefaultClientContext>>, BusError> {
        self.client.as_ref().ok_or_else(|| BusError::unavailable("it is closed"))
    }

    /// Returns how many partitions the topic has, 0 when there is none. All topics are asked for: asking for one by name
    /// would make the broker make it, with its own number of partitions.
    async fn partitions(&self, topic: &str) -> Result<usize, BusError> {
        let client = Arc::clone(self.client()?);
        let metadata = apart(move || client.inner().fetch_metadata(None, ANSWER_WITHIN)).await?;
        let metadata = metadata.map_err(failure)?;
        let topic = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(topic.map_or(0, |topic| topic.partitions().len()))
    }

    async fn create(&self, name: &str) -> Result<(), BusError> {
        // As many replicas as the brokers make by default.
        let topic = NewTopic::new(name, SHARDS as i32, TopicReplication::Fixed(-1))
            .set("retention.ms", RETENTION_MS)
            .set("cleanup.policy", "delete")
            .set("max.message.bytes", LARGEST_RECORD);
        let options =
            AdminOptions::new().operation_timeout(Some(ANSWER_WITHIN)).request_timeout(Some(ANSWER_WITHIN));
        let made = self.client()?.create_topics([&topic], &options).await.map_err(failure)?;
        match made.into_iter().next() {
            // Another server may have been faster.
            Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(BusError::Misconfigured {
                why: format!(
                    "the topic {name} does not exist, and the broker does not let it be made ({code}): make it with \
                     {SHARDS} partitions"
                ),
            }),
            None => Err(BusError::unavailable("the broker does not say whether it has made the topic")),
        }
    }

    async fn await_topic(&self, topic: &str) -> Result<usize, BusError> {
        for _ in 0..LOOKS {
            let found = self.partitions(topic).await?;
            if found > 0 {
                return Ok(found);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(BusError::unavailable("the topic was made and is not there"))
    }
}

impl Drop for Admin {
    /// Closing waits for librdkafka's threads, and nobody waits for that.
    fn drop(&mut self) {
        let client = self.client.take();
        thread::spawn(move || drop(client));
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn connect(&self) -> Result<Connected, BusError> {
        self.check_topic().await?;
        let (reports, deliveries) = mpsc::unbounded_channel();
        let mut config = self.config();
        for (name, value) in PRODUCER {
            config.set(name, value);
        }
        let producer = config.create_with_context(Reports(reports)).map_err(failure)?;
        let producer = KafkaProducer { topic: self.options.topic.clone(), producer: Some(producer) };
        Ok(Connected { producer: Box::new(producer), deliveries })
    }
}

/// Runs what blocks on a thread of its own. Not on one of the runtime's: that would wait for it when it ends.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BusError> {
    let (done, result) = oneshot::channel();
    let thread = thread::Builder::new().name("kafka-admin".to_owned());
    thread
        .spawn(move || {
            let _ = done.send(work());
        })
        .map_err(BusError::unavailable)?;
    result.await.map_err(BusError::unavailable)
}

/// What librdkafka tells, on its own thread.
struct Reports(mpsc::UnboundedSender<Delivery>);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // That a broker is away is no news for the log each time: the publisher says what it means.
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = Box<(Shard, u64)>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Self::DeliveryOpaque) {
        let (shard, pos) = *place;
        let result = match result {
            Ok(message) if message.partition() == i32::from(shard) => Ok(()),
            Ok(message) => {
                Err(BusError::unavailable(format!("it has come into partition {}", message.partition())))
            }
            Err((error, _)) => Err(failure(error.clone())),
        };
        // Whoever sent it may have given this producer up.
        let _ = self.0.send(Delivery { shard, pos, result });
    }
}

struct KafkaProducer {
    topic: String,
    /// `None` once it is being closed.
    producer: Option<ThreadedProducer<Reports>>,
}

impl Producer for KafkaProducer {
    fn send(&mut self, record: Record) -> Result<(), BusError> {
        let Some(producer) = &self.producer else { return Err(BusError::unavailable("it is closed")) };
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value.as_str()) });
        }
        let place = Box::new((record.shard, record.pos));
        let message = BaseRecord::with_opaque_to(&self.topic, place)
            .partition(i32::from(record.shard))
            .key(record.key.as_str())
            .payload(&record.value[..])
            .headers(headers);
        producer.send(message).map_err(|(error, _)| failure(error))
    }
}

impl Drop for KafkaProducer {
    /// Gives up what is under way. Closing waits for librdkafka's threads, and nobody waits for that.
    fn drop(&mut self) {
        let producer = self.producer.take();
        thread::spawn(move || drop(producer));
    }
}

pub(super) fn failure(error: KafkaError) -> BusError {
    match error {
        KafkaError::ClientConfig(_, why, name, _) => {
            BusError::Misconfigured { why: format!("Kafka cannot be used: {name}: {why}") }
        }
        other => BusError::unavailable(other),
    }
}
