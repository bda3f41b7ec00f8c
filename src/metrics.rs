//! The metrics of one server process, in the Prometheus text format. Units are in the names; no document id is a label.

use std::sync::LazyLock;

use prometheus::{
    Counter, Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::actors::error::ErrorCode;
use crate::platform;
use crate::storage::Sizes;

/// Every handle, registered once.
pub struct Metrics {
    registry: Registry,
    /// For how long processors have worked; brought up to date when somebody asks.
    processor: Counter,
    /// WebSocket sessions that said hello and are connected.
    pub sessions: IntGauge,
    /// WebSocket connections, those before hello included.
    pub connections: IntGauge,
    /// Documents in memory.
    pub documents: IntGauge,
    /// Documents that are not opened, because reading them made the server fail.
    pub quarantined: IntGauge,
    /// Operations made durable.
    pub operations: IntCounter,
    /// Operations and other frames refused, by code.
    pub refused: IntCounterVec,
    /// What was put off or refused as too much, by what there was too much of.
    pub limited: IntCounterVec,
    /// From the arrival of an operation's frame to the hand-over of its broadcast.
    pub propagation: Histogram,
    /// From hand-over to the journal to its answer.
    pub commit: Histogram,
    /// Transforming one operation over those since its base.
    pub transform: Histogram,
    /// Bringing a document into memory.
    pub load: Histogram,
    /// Operations in one commit.
    pub batch: Histogram,
    /// Appends that wait for the journal.
    pub journal_queue: IntGauge,
    /// Snapshots that wait to be written.
    pub snapshot_queue: IntGauge,
    /// Operations that are durable and in no snapshot, over live documents.
    pub snapshot_lag: IntGauge,
    /// Snapshots written, and their bytes.
    pub snapshots: IntCounter,
    pub snapshot_bytes: IntCounter,
    /// Sessions that came back with the version they hold.
    pub reconnects: IntCounter,
    /// Sessions told to reconnect or dropped, by reason.
    pub dropped: IntCounterVec,
    /// Attempts to sign in or to go on, by what came of them.
    pub sign_ins: IntCounterVec,
    /// Sessions that fell behind and caught up from history.
    pub lagging: IntCounter,
    /// Clients whose text differed from the server's.
    pub divergences: IntCounter,
    /// Document actors that ended by a panic.
    pub crashes: IntCounter,
    /// Commits whose outcome was not known at first.
    pub unknown_commits: IntCounter,
    /// Whether Redis is spoken to: 0 yes, 1 it is being looked for, 2 no.
    pub redis_breaker: IntGauge,
    /// Exchanges with Redis that came to nothing, by reason.
    pub redis_failures: IntCounterVec,
    /// Writes to Redis that were not made, by reason.
    pub redis_dropped: IntCounterVec,
    /// What was looked for in Redis, by what became of it.
    pub cache_reads: IntCounterVec,
    /// Snapshots that could not be written.
    pub snapshot_failures: IntCounter,
    /// What leaves the database.
    pub archive: ArchiveMetrics,
    /// What goes into the stream.
    pub publisher: PublisherMetrics,
    /// What is made of the log.
    pub projections: ProjectionMetrics,
    /// Who has done what.
    pub audit: AuditMetrics,
    /// What is told of documents.
    pub events: EventMetrics,
    /// What other servers have to do with.
    pub cluster: ClusterMetrics,
}

/// Of the archiver: all 0 before its first round, and where nothing is archived.
pub struct ArchiveMetrics {
    /// Segments there are, and the operations in them.
    pub segments: IntGauge,
    pub archived: IntGauge,
    /// Operations that this process has archived.
    pub operations: IntCounter,
    /// How long the oldest operation is overdue that should have been archived by now.
    pub lag_seconds: Gauge,
    /// Documents and rounds that failed.
    pub failures: IntCounter,
    /// Bytes by tier: the log in the database, snapshots, segments.
    log_bytes: IntGauge,
    snapshot_bytes: IntGauge,
    segment_bytes: IntGauge,
}

/// Of the publisher: all 0 where there is no stream.
pub struct PublisherMetrics {
    /// 1 with a connection to the stream.
    pub connected: IntGauge,
    /// Committed operations that are not in the stream.
    pub lag_operations: IntGauge,
    /// Since when the oldest of them waits; a little more after a restart.
    pub lag_seconds: Gauge,
    /// Operations that the stream has taken.
    pub published: IntCounter,
    /// Operations that were sent, by where they came from.
    pub from_memory: IntCounter,
    pub from_log: IntCounter,
    /// Operations that failed, and all after them in their shard.
    pub failures: IntCounter,
    /// Operations that wait in memory.
    pub window: IntGauge,
    /// Operations that did not fit there.
    pub overflowed: IntCounter,
}

/// Of whoever projects: all 0 in a server that leaves it to `quire worker`.
pub struct ProjectionMetrics {
    /// Committed operations that are not projected.
    pub lag_operations: IntGauge,
    /// The age of the oldest one that is being projected.
    pub lag_seconds: Gauge,
    /// Operations that were projected.
    pub operations: IntCounter,
    /// Rows of documents that were written.
    pub documents: IntCounter,
    /// Documents and transactions that failed.
    pub failures: IntCounter,
    /// Transactions that somebody else was faster with.
    pub conflicts: IntCounter,
    /// Partitions of the stream that a worker has.
    pub partitions: IntGauge,
    /// Minutes in which a user wrote, or a document was written to, far more than usual.
    pub users: IntCounter,
    pub written_to: IntCounter,
}

/// Of the audit log.
pub struct AuditMetrics {
    /// Records that were written.
    pub records: IntCounter,
    /// Those that there was no room for.
    pub lost: IntCounter,
    /// Acts that were not taken because they could not have been recorded.
    pub refused: IntCounter,
    /// Transactions that failed.
    pub failures: IntCounter,
}

/// Of one of several servers: all 0 in one that is alone.
pub struct ClusterMetrics {
    /// Shards that it has.
    pub shards: IntGauge,
    /// Shards that it has taken, and those that others have taken from it.
    pub taken: IntCounter,
    pub lost: IntCounter,
    /// What was forwarded to other servers, by kind.
    pub forwarded: IntCounterVec,
    /// What could not be, by reason.
    pub failed: IntCounterVec,
    /// Sockets that go through here to other servers.
    pub tunnels: IntGauge,
}

/// Of events, their streams and webhooks.
pub struct EventMetrics {
    /// Events that this process has numbered.
    pub numbered: IntCounter,
    /// Rounds that failed.
    pub failures: IntCounter,
    /// Streams that are open here.
    pub streams: IntGauge,
    /// Streams that have ended, by reason.
    pub ended: IntCounterVec,
    /// Tries of deliveries, by what came of them.
    pub deliveries: IntCounterVec,
    /// Deliveries that are not made yet, of all servers of the database, and those that were given up.
    pub pending: IntGauge,
    pub dead_letters: IntGauge,
}

/// The handles of this process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// Returns all metrics in the text format, version 0.0.4.
pub fn render() -> String {
    if let Some(seconds) = platform::processor_seconds() {
        // Two who ask at once may both add the same; what is too much is not added again.
        METRICS.processor.inc_by((seconds - METRICS.processor.get()).max(0.0));
    }
    let mut out = Vec::new();
    // Writing into a vector cannot fail, and an encoder that could not name a metric would have refused it below.
    let _ = TextEncoder::new().encode(&METRICS.registry.gather(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Powers of two from 100 µs to 6.5 s.
fn seconds() -> Vec<f64> {
    (0..17).map(|n| 0.0001 * f64::from(1u32 << n)).collect()
}

/// Powers of two from 1 µs to 65 ms.
fn microseconds() -> Vec<f64> {
    (0..17).map(|n| 0.000_001 * f64::from(1u32 << n)).collect()
}

impl Metrics {
    fn new() -> Self {
        let registry = Registry::new();
        let make = Maker { registry: &registry };
        let processor = make.keep(Counter::new(
            "quire_processor_seconds_total",
            "Seconds for which processors have worked for this process",
        ));
        let refused = make.counters(
            "quire_operations_refused_total",
            "Operations and other frames refused, by code",
            "code",
        );
        for code in ErrorCode::ALL {
            refused.with_label_values(&[code.as_str()]);
        }
        let limited = make.counters("quire_limited_total", "Put off or refused as too much, by kind", "kind");
        for kind in [
            "requests",
            "operations",
            "opens",
            "address",
            "connections",
            "user",
            "document",
            "bodies",
            "answers",
            "acts",
        ] {
            limited.with_label_values(&[kind]);
        }
        let redis_failures = make.counters(
            "quire_redis_failures_total",
            "Exchanges with Redis that came to nothing, by reason",
            "reason",
        );
        for reason in ["declined", "lost", "timeout", "busy"] {
            redis_failures.with_label_values(&[reason]);
        }
        let redis_dropped =
            make.counters("quire_redis_writes_dropped_total", "Writes to Redis that were not made", "reason");
        for reason in ["open", "full", "failed", "declined"] {
            redis_dropped.with_label_values(&[reason]);
        }
        let cache_reads = make.counters("quire_cache_reads_total", "Reads through the cache", "outcome");
        for outcome in ["hit", "miss", "stale", "skipped"] {
            cache_reads.with_label_values(&[outcome]);
        }
        let dropped = make.counters(
            "quire_sessions_dropped_total",
            "Sessions ended by the server, by reason",
            "reason",
        );
        // A rate is wrong that begins with the first of them.
        for reason in
            ["silent", "slow", "overflow", "no_hello", "replaced", "deleted", "access", "revoked", "banned"]
        {
            dropped.with_label_values(&[reason]);
        }
        let sign_ins = make.counters("quire_sign_ins_total", "Attempts to sign in, by outcome", "outcome");
        for outcome in ["signed_in", "refreshed", "refused", "second_factor", "limited", "reused"] {
            sign_ins.with_label_values(&[outcome]);
        }
        Self {
            sessions: make.gauge("quire_sessions", "WebSocket sessions that said hello"),
            connections: make.gauge("quire_websocket_connections", "WebSocket connections"),
            documents: make.gauge("quire_documents", "Documents in memory"),
            quarantined: make
                .gauge("quire_documents_quarantined", "Documents that are not opened: reading them failed"),
            operations: make.counter("quire_operations_total", "Operations made durable"),
            refused,
            limited,
            propagation: make.histogram(
                "quire_propagation_seconds",
                "From the arrival of an operation to the hand-over of its broadcast",
                seconds(),
            ),
            commit: make.histogram(
                "quire_commit_seconds",
                "From hand-over to the journal to its answer",
                seconds(),
            ),
            transform: make.histogram(
                "quire_transform_seconds",
                "Transforming one operation",
                microseconds(),
            ),
            load: make.histogram("quire_load_seconds", "Bringing a document into memory", seconds()),
            batch: make.histogram(
                "quire_batch_operations",
                "Operations in one commit",
                (0..13).map(|n| f64::from(1u32 << n)).collect(),
            ),
            journal_queue: make.gauge("quire_journal_queue_length", "Appends that wait for the journal"),
            snapshot_queue: make.gauge("quire_snapshot_queue_length", "Snapshots that wait to be written"),
            snapshot_lag: make
                .gauge("quire_snapshot_lag_operations", "Durable operations in no snapshot yet"),
            snapshots: make.counter("quire_snapshots_total", "Snapshots written"),
            snapshot_bytes: make
                .counter("quire_snapshot_bytes_total", "Compressed bytes of snapshots written"),
            reconnects: make.counter("quire_reconnects_total", "Sessions that resumed from a version"),
            dropped,
            sign_ins,
            lagging: make.counter("quire_sessions_lagging_total", "Sessions that fell behind and caught up"),
            divergences: make.counter("quire_divergences_total", "Clients that reported another text"),
            crashes: make.counter("quire_document_crashes_total", "Document actors ended by a panic"),
            unknown_commits: make
                .counter("quire_commits_unknown_total", "Commits whose outcome had to be found out"),
            redis_breaker: make.gauge("quire_redis_breaker_state", "0 closed, 1 half open, 2 open"),
            redis_failures,
            redis_dropped,
            cache_reads,
            snapshot_failures: make
                .counter("quire_snapshot_failures_total", "Snapshots that could not be written"),
            archive: ArchiveMetrics::new(&make),
            publisher: PublisherMetrics::new(&make),
            projections: ProjectionMetrics::new(&make),
            audit: AuditMetrics::new(&make),
            events: EventMetrics::new(&make),
            cluster: ClusterMetrics::new(&make),
            registry,
            processor,
        }
    }
}

impl ClusterMetrics {
    fn new(make: &Maker<'_>) -> Self {
        let forwarded = make.counters(
            "quire_forwarded_total",
            "Forwarded to the servers that have the documents",
            "kind",
        );
        for kind in ["request", "socket"] {
            forwarded.with_label_values(&[kind]);
        }
        let failed = make.counters("quire_forward_failures_total", "Not forwarded, by reason", "reason");
        for reason in ["nowhere", "unreachable", "silent"] {
            failed.with_label_values(&[reason]);
        }
        Self {
            shards: make.gauge("quire_shards", "Shards that this server has, in a cluster"),
            taken: make.counter("quire_shards_taken_total", "Shards that this server has taken"),
            lost: make.counter("quire_shards_lost_total", "Shards that other servers have taken from it"),
            forwarded,
            failed,
            tunnels: make.gauge("quire_tunnels", "Sockets that go through this server to others"),
        }
    }
}

impl ArchiveMetrics {
    fn new(make: &Maker) -> Self {
        let bytes = make.gauges("quire_storage_bytes", "What is stored, by tier", "tier");
        Self {
            segments: make.gauge("quire_segments", "Cold segments"),
            archived: make.gauge("quire_archived_operations", "Operations in cold segments"),
            operations: make.counter("quire_archived_operations_total", "Operations archived"),
            lag_seconds: make
                .seconds("quire_archive_lag_seconds", "How long the oldest operation is overdue"),
            failures: make
                .counter("quire_archive_failures_total", "Documents and rounds of archiving that failed"),
            log_bytes: bytes.with_label_values(&["log"]),
            snapshot_bytes: bytes.with_label_values(&["snapshots"]),
            segment_bytes: bytes.with_label_values(&["segments"]),
        }
    }

    /// Shows what was measured.
    pub fn show(&self, sizes: &Sizes) {
        let shown = [
            (&self.segments, sizes.segments),
            (&self.archived, sizes.archived),
            (&self.log_bytes, sizes.log),
            (&self.snapshot_bytes, sizes.snapshots),
            (&self.segment_bytes, sizes.segment_bytes),
        ];
        shown.into_iter().for_each(|(gauge, value)| gauge.set(value as i64));
    }
}

impl PublisherMetrics {
    fn new(make: &Maker) -> Self {
        let sent =
            make.counters("quire_publisher_sent_total", "Operations sent to the stream, by source", "source");
        Self {
            connected: make.gauge("quire_publisher_connected", "1 with a connection to the stream"),
            lag_operations: make
                .gauge("quire_publisher_lag_operations", "Committed operations that are not in the stream"),
            lag_seconds: make
                .seconds("quire_publisher_lag_seconds", "Time that the oldest of them has waited"),
            published: make.counter("quire_published_total", "Operations that the stream has taken"),
            from_memory: sent.with_label_values(&["memory"]),
            from_log: sent.with_label_values(&["log"]),
            failures: make
                .counter("quire_publisher_failures_total", "Operations that the stream did not take"),
            window: make.gauge("quire_publisher_window_operations", "Operations that wait in memory"),
            overflowed: make.counter(
                "quire_publisher_overflowed_total",
                "Operations that did not fit there, and are read from the log",
            ),
        }
    }
}

impl ProjectionMetrics {
    fn new(make: &Maker) -> Self {
        let anomalies =
            make.counters("quire_anomalies_total", "Minutes with far more operations than usual", "kind");
        Self {
            lag_operations: make
                .gauge("quire_projections_lag_operations", "Committed operations that are not projected"),
            lag_seconds: make
                .seconds("quire_projections_lag_seconds", "Age of the oldest one that is being projected"),
            operations: make.counter("quire_projected_operations_total", "Operations projected"),
            documents: make.counter("quire_projected_rows_total", "Rows of documents written by projecting"),
            failures: make.counter(
                "quire_projection_failures_total",
                "Documents and transactions of projecting that failed",
            ),
            conflicts: make.counter(
                "quire_projection_conflicts_total",
                "Transactions that somebody else was faster with",
            ),
            partitions: make
                .gauge("quire_worker_partitions", "Partitions of the stream that this worker has"),
            users: anomalies.with_label_values(&["user"]),
            written_to: anomalies.with_label_values(&["document"]),
        }
    }

    /// Nothing is left to be projected.
    pub fn caught_up(&self) {
        self.lag_operations.set(0);
        self.lag_seconds.set(0.0);
    }
}

impl AuditMetrics {
    fn new(make: &Maker) -> Self {
        Self {
            records: make.counter("quire_audit_records_total", "Records written to the audit log"),
            lost: make.counter("quire_audit_lost_total", "Records that there was no room for"),
            refused: make.counter(
                "quire_audit_refused_total",
                "Acts not taken, because they could not have been recorded",
            ),
            failures: make.counter("quire_audit_failures_total", "Transactions of the audit log that failed"),
        }
    }
}

impl EventMetrics {
    fn new(make: &Maker) -> Self {
        let ended =
            make.counters("quire_event_streams_ended_total", "Streams of events that ended", "reason");
        for reason in ["left", "lagging", "revoked", "closed"] {
            ended.with_label_values(&[reason]);
        }
        let deliveries = make.counters(
            "quire_webhook_deliveries_total",
            "Tries of deliveries to webhooks, by outcome",
            "outcome",
        );
        for outcome in ["delivered", "failed", "dead"] {
            deliveries.with_label_values(&[outcome]);
        }
        Self {
            numbered: make.counter("quire_events_total", "Events of documents that were numbered here"),
            failures: make
                .counter("quire_event_failures_total", "Rounds of numbering and delivering that failed"),
            streams: make.gauge("quire_event_streams", "Open streams of events"),
            ended,
            deliveries,
            pending: make.gauge("quire_webhook_pending", "Deliveries that wait, of all servers"),
            dead_letters: make.gauge("quire_webhook_dead_letters", "Deliveries that were given up"),
        }
    }
}

/// Makes and registers handles. Names and labels are constants, so a refusal is a bug that the first test finds.
struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn keep<T: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<T>) -> T {
        let metric = made.expect("metric names are constants and valid");
        self.registry.register(Box::new(metric.clone())).expect("metric names are registered once");
        metric
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::new(name, help))
    }

    fn seconds(&self, name: &str, help: &str) -> Gauge {
        self.keep(Gauge::new(name, help))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(name, help), &[label]))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Opts::new(name, help), &[label]))
    }

    fn histogram(&self, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
        self.keep(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    #[test]
    fn the_time_of_processors_goes_on_while_something_is_done() {
        let told = || -> f64 {
            let text = super::render();
            let line = text.lines().find_map(|line| line.strip_prefix("quire_processor_seconds_total "));
            line.expect("it is there").parse().expect("a number")
        };
        let (before, deadline) = (told(), Instant::now() + Duration::from_secs(20));
        assert!(before > 0.0);
        // Rendering is work.
        while told() <= before {
            assert!(Instant::now() < deadline, "it stands still");
        }
    }

    #[test]
    fn every_metric_is_rendered_before_it_has_a_value() {
        let text = super::render();
        assert!(text.contains("quire_propagation_seconds_bucket"));
        assert!(text.contains("quire_operations_refused_total{code=\"bad_op\"} 0"));
    }
}
