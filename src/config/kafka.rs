//! Settings of Kafka.

use clap::Args;

use crate::actors::publisher::WindowLimits;
use crate::storage::bus::{self, BusError, KafkaOptions, SharedBus};

/// The stream of committed operations, for others to follow.
#[derive(Args, Clone, Debug)]
pub struct KafkaSettings {
    /// Kafka brokers to publish every operation to (comma separated); editors do not wait for them.
    #[arg(long, env = "QUIRE_KAFKA_BROKERS", value_name = "HOST:PORT,…")]
    pub kafka_brokers: Option<String>,

    /// Topic to publish to, made with 256 partitions if there is none.
    #[arg(long, env = "QUIRE_KAFKA_TOPIC", default_value = "document-edits", value_name = "NAME")]
    pub kafka_topic: String,

    /// How many operations may wait in memory for Kafka. Tests set it low, so that outages are long.
    #[arg(long, env = "QUIRE_KAFKA_WINDOW", value_name = "N", hide = true)]
    pub kafka_window: Option<usize>,
}

impl KafkaSettings {
    /// Returns the stream to publish to; `None` when there is none.
    ///
    /// # Errors
    /// This quire was built without Kafka.
    pub fn bus(&self) -> Result<Option<SharedBus>, BusError> {
        // A variable that is set to nothing is not set.
        let Some(brokers) = self.kafka_brokers.clone().filter(|brokers| !brokers.is_empty()) else {
            return Ok(None);
        };
        bus::kafka(KafkaOptions { brokers, topic: self.kafka_topic.clone() }).map(Some)
    }

    /// Returns how much may wait in memory for the stream.
    pub fn window(&self) -> WindowLimits {
        let usual = WindowLimits::default();
        WindowLimits { ops: self.kafka_window.unwrap_or(usual.ops), ..usual }
    }
}
