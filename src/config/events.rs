//! Settings of events and webhooks.

use std::time::Duration;

use clap::{Args, value_parser};

use crate::actors::events::webhooks::Tries;
use crate::actors::events::{EventPolicy, Targets};

/// How events are told, and to whom.
#[derive(Args, Clone, Debug)]
pub struct EventSettings {
    /// Seconds between two events of one document's text while it is written to, and after which the last one comes.
    #[arg(
        long,
        env = "QUIRE_EVENTS_DEBOUNCE",
        default_value_t = 2,
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(..=3_600)
    )]
    pub events_debounce: u64,

    /// Hours for which events are kept for those who come back to a stream; the last 100,000 at most.
    #[arg(
        long,
        env = "QUIRE_EVENTS_KEEP",
        default_value_t = 24,
        value_name = "HOURS",
        value_parser = value_parser!(u64).range(1..=720)
    )]
    pub events_keep: u64,

    /// Which addresses webhooks may have: public (the public internet, by https), any (also this machine and its networks, also by http),
    /// or networks that may be called besides, such as 10.1.0.0/16,fd00:1::/64.
    #[arg(long, env = "QUIRE_WEBHOOK_TARGETS", default_value = "public", value_name = "public|any|CIDR,...")]
    pub webhook_targets: Targets,

    /// How long a webhook's receiver may take to answer.
    #[arg(
        long,
        env = "QUIRE_WEBHOOK_TIMEOUT",
        default_value_t = 10,
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=60)
    )]
    pub webhook_timeout: u64,

    /// Wait before a delivery is tried again; each further wait is four times the one before, until the eighth try.
    #[arg(
        long,
        env = "QUIRE_WEBHOOK_RETRY",
        default_value_t = 15,
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=3_600)
    )]
    pub webhook_retry: u64,

    /// The same in milliseconds, above the seconds: for tests.
    #[arg(long, env = "QUIRE_WEBHOOK_RETRY_MS", value_name = "MS", hide = true)]
    pub webhook_retry_ms: Option<u64>,
}

impl EventSettings {
    /// Returns how events are told.
    pub fn policy(&self) -> EventPolicy {
        let base = self.webhook_retry_ms.map(Duration::from_millis);
        EventPolicy {
            debounce: Duration::from_secs(self.events_debounce),
            keep: Duration::from_hours(self.events_keep),
            tries: Tries {
                base: base.unwrap_or(Duration::from_secs(self.webhook_retry)),
                timeout: Duration::from_secs(self.webhook_timeout),
            },
            targets: self.webhook_targets.clone(),
        }
    }
}
