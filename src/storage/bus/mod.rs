//! The stream: committed operations as others can read them while they come, each document's in order.
//!
//! The log is the truth and stays so; a bus is fed from it, at least once, and may be behind. It has a partition for each
//! shard. [`InProcessBus`] keeps everything in memory; Kafka is there when quire is built with the feature `kafka`.
//! `docs/stream.md` has the format.

mod error;
mod in_process;
#[cfg(feature = "kafka")]
mod kafka;
mod options;
#[cfg(feature = "kafka")]
mod reader;
mod record;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use self::error::BusError;
pub use self::in_process::InProcessBus;
pub use self::options::{KafkaLogin, KafkaMechanism, KafkaOptions, KafkaTls};
#[cfg(feature = "kafka")]
pub use self::reader::{Read, StreamReader};
pub use self::record::{Event, FORMAT, MAGIC, Undecodable, decode};
use crate::ids::{DocumentId, Shard};

/// Where committed operations go. Whoever sends holds a [`Producer`], of which there is one at a time.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Connects, and checks that there is a partition for each shard; makes them if there are none at all.
    ///
    /// # Errors
    /// `Unavailable` when nobody answers, and the same call may succeed later; `Misconfigured` when somebody has to do
    /// something first.
    async fn connect(&self) -> Result<Connected, BusError>;
}

/// A bus as it is shared.
pub type SharedBus = Arc<dyn Bus>;

/// A connection to a bus.
pub struct Connected {
    pub producer: Box<dyn Producer>,
    /// What has become of the records that were sent, in order for each shard: one for each, and so no more than the sender
    /// lets be under way at once.
    pub deliveries: mpsc::UnboundedReceiver<Delivery>,
}

/// Sends records.
///
/// What is sent to a shard becomes part of the stream in the order of sending and without a gap: when one record fails, none
/// after it gets through. Whoever drops a producer does not know what has become of the records that are not reported.
pub trait Producer: Send {
    /// Takes a record, without waiting for anybody.
    ///
    /// # Errors
    /// The record was not taken, and no other one will be: the sender has to connect anew.
    fn send(&mut self, record: Record) -> Result<(), BusError>;
}

/// One operation on its way. Kafka's consumers find the same: key, headers and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The partition.
    pub shard: Shard,
    /// The position in the log of the shard.
    pub pos: u64,
    pub key: DocumentId,
    /// Names and values: `doc`, `version`, `epoch`, and `traceparent` if there is one.
    pub headers: Vec<(&'static str, String)>,
    /// See [`Event`].
    pub value: Vec<u8>,
}

/// What has become of a record.
#[derive(Debug)]
pub struct Delivery {
    pub shard: Shard,
    pub pos: u64,
    /// Part of the stream for good, or not known to be.
    pub result: Result<(), BusError>,
}

/// Makes a bus over Kafka. Nobody is asked before [`Bus::connect`].
///
/// # Errors
/// `Misconfigured` when this quire was built without it.
#[cfg(feature = "kafka")]
pub fn kafka(options: KafkaOptions) -> Result<SharedBus, BusError> {
    Ok(Arc::new(kafka::KafkaBus::new(options)))
}

/// Makes a bus over Kafka, or would: this quire was built without it.
///
/// # Errors
/// `Misconfigured`, always.
#[cfg(not(feature = "kafka"))]
pub fn kafka(_: KafkaOptions) -> Result<SharedBus, BusError> {
    let why = "this quire was built without Kafka: `cargo build --profile production --features kafka` makes one with it";
    Err(BusError::Misconfigured { why: why.to_owned() })
}
