//! Settings of the archive.

use std::time::Duration;

use clap::{Args, value_parser};

use crate::actors::archiver::ArchivePolicy;

/// When operations leave the database for the object store.
#[derive(Args, Clone, Debug)]
pub struct ArchiveSettings {
    /// Days after which operations move from the database to the object store, compressed; 0 keeps them. They stay part of the
    /// history.
    #[arg(
        long,
        env = "QUIRE_ARCHIVE_AFTER_DAYS",
        default_value_t = 30,
        value_name = "DAYS",
        value_parser = value_parser!(u64).range(..=36_500)
    )]
    pub archive_after_days: u64,

    /// The same in milliseconds, above the days. Tests set it to nothing, so that all is old.
    #[arg(long, env = "QUIRE_WARM_WINDOW_MS", value_name = "MS", hide = true)]
    pub warm_window_ms: Option<u64>,

    /// How long the archiver rests between two rounds, in milliseconds.
    #[arg(long, env = "QUIRE_ARCHIVE_INTERVAL_MS", value_name = "MS", hide = true)]
    pub archive_interval_ms: Option<u64>,

    /// How many operations a segment has at least.
    #[arg(long, env = "QUIRE_SEGMENT_OPS", value_name = "N", hide = true)]
    pub segment_ops: Option<u64>,
}

impl ArchiveSettings {
    /// Returns when what is archived; `None` when nothing is.
    pub fn policy(&self) -> Option<ArchivePolicy> {
        let usual = ArchivePolicy::default();
        let days = (self.archive_after_days > 0).then(|| Duration::from_hours(24 * self.archive_after_days));
        Some(ArchivePolicy {
            window: self.warm_window_ms.map(Duration::from_millis).or(days)?,
            every: self.archive_interval_ms.map_or(usual.every, Duration::from_millis),
            least_ops: self.segment_ops.map_or(usual.least_ops, |ops| ops.max(1)),
            ..usual
        })
    }
}
