//! How Kafka is to be used.

/// Which brokers, which topic.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// `HOST:PORT`, separated by commas: some of the cluster's brokers, which name the others.
    pub brokers: String,
    pub topic: String,
}
