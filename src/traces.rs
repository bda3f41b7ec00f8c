//! Traces of edits, from the socket to the commit and on to whoever reads the log: OpenTelemetry, over OTLP.
//!
//! A trace's id follows from what makes an operation one and the same: its document, its client, and that client's number
//! for it. So nothing has to be carried along: the journal, the publisher, and a publisher that catches up from the log
//! after a restart all find the same trace, and the same answer to whether it is sampled. When traces are off, all of it is
//! one look at an empty cell.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::config::TraceSettings;
use crate::ids::{ClientId, DocumentId};

/// Spans that may wait to be sent; more are dropped, and an edit never waits for them.
const QUEUE: usize = 8_192;

/// How long a collector may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long the last spans may take at a stop.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

static TRACES: OnceLock<Traces> = OnceLock::new();

#[derive(Debug)]
struct Traces {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    sampler: Sampler,
    /// One moment by both clocks, so that the steps of an edit lie within it however the time of day is set meanwhile.
    anchor: (Instant, SystemTime),
}

impl Traces {
    fn time_of(&self, moment: Instant) -> SystemTime {
        let (instant, time) = self.anchor;
        // What came before the anchor came when nothing was served yet.
        time + moment.saturating_duration_since(instant)
    }
}

/// Begins to trace, if the settings say where to; once per process.
///
/// # Errors
/// The collector's address is none.
pub fn begin(settings: &TraceSettings) -> anyhow::Result<()> {
    let endpoint = settings.trace_endpoint.as_ref().filter(|endpoint| !endpoint.is_empty());
    let Some(endpoint) = endpoint else { return Ok(()) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(ANSWER_WITHIN))
                .build()
                .into(),
        ))
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()?;
    let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
    let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    processor.set_resource(&Resource::builder().with_service_name("quire").with_attribute(version).build());
    let scope = InstrumentationScope::builder("quire").build();
    let anchor = (Instant::now(), SystemTime::now());
    let traces = Traces { processor, scope, sampler: Sampler::of(settings.trace_ratio), anchor };
    // A second call in one process (tests) keeps the first.
    let _ = TRACES.set(traces);
    tracing::info!(endpoint, share = settings.trace_ratio, "edits are traced");
    Ok(())
}

/// Sends what waits, for a second at most.
pub fn finish() {
    if let Some(traces) = TRACES.get()
        && let Err(error) = traces.processor.shutdown_with_timeout(FINISH_WITHIN)
    {
        tracing::warn!(%error, "the last spans were not sent");
    }
}

/// Returns the trace of an operation; `None` when traces are off or this one is not sampled.
pub fn of(doc: &DocumentId, client: ClientId, seq: u64) -> Option<EditTrace> {
    let traces = TRACES.get()?;
    let id = trace_id(doc, client, seq);
    traces.sampler.takes(id).then_some(EditTrace { id })
}

/// The trace of one sampled operation.
#[derive(Clone, Copy, Debug)]
pub struct EditTrace {
    id: u128,
}

impl EditTrace {
    /// Returns `00-TRACE-SPAN-01` for the headers of whatever is told of the operation (W3C Trace Context, section 3.2): the span is that of
    /// the whole edit.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-01", self.id, self.edit_span())
    }

    /// Records a step that ends now.
    pub fn step(&self, name: &'static str, began: Instant, attributes: Vec<KeyValue>) {
        let span = fastrand::u64(1..);
        self.record(name, SpanKind::Internal, span, self.edit_span(), began, attributes);
    }

    /// Records that the operation has come into the stream, to which it was handed at `began`: after the edit, and for a publisher that
    /// catches up perhaps long after.
    pub fn published(&self, began: Instant) {
        self.record("publish", SpanKind::Producer, fastrand::u64(1..), self.edit_span(), began, Vec::new());
    }

    /// Records the whole edit, from the arrival of its frame until now.
    pub fn edit(&self, received: Instant, doc: &DocumentId, version: u64) {
        let attributes = vec![
            KeyValue::new("quire.document_id", doc.as_str().to_owned()),
            KeyValue::new("quire.version", i64::try_from(version).unwrap_or(i64::MAX)),
        ];
        self.record("edit", SpanKind::Server, self.edit_span(), 0, received, attributes);
    }

    fn edit_span(&self) -> u64 {
        // Zero is no id.
        xxh3_64_with_seed(&self.id.to_be_bytes(), 1).max(1)
    }

    fn record(
        &self,
        name: &'static str,
        span_kind: SpanKind,
        span: u64,
        parent: u64,
        began: Instant,
        attributes: Vec<KeyValue>,
    ) {
        let Some(traces) = TRACES.get() else { return };
        let context = SpanContext::new(
            TraceId::from(self.id),
            SpanId::from(span),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        traces.processor.on_end(SpanData {
            span_context: context,
            parent_span_id: SpanId::from(parent),
            parent_span_is_remote: false,
            span_kind,
            name: Cow::Borrowed(name),
            start_time: traces.time_of(began),
            end_time: traces.time_of(Instant::now()),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: traces.scope.clone(),
        });
    }
}

fn trace_id(doc: &DocumentId, client: ClientId, seq: u64) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(doc.as_str().as_bytes());
    hash.update(client.0.as_bytes());
    hash.update(&seq.to_be_bytes());
    // Zero is no id.
    hash.digest128().max(1)
}

/// Takes a share of all traces by their id, as every other part of a system would that samples by the same rule.
#[derive(Clone, Copy, Debug)]
struct Sampler {
    /// Ids whose last 7 bytes are below this are taken: W3C has these random.
    below: u64,
}

impl Sampler {
    fn of(share: f64) -> Self {
        Self { below: (share.clamp(0.0, 1.0) * (1u64 << 56) as f64) as u64 }
    }

    fn takes(self, id: u128) -> bool {
        (id as u64) & ((1 << 56) - 1) < self.below
    }
}

/// What sends spans: the batches are sent by a thread of their own, so that it may block.
#[derive(Debug)]
struct Client(ureq::Agent);

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut answer = self.0.run(Request::from_parts(parts, body.as_ref()))?;
        let body = answer.body_mut().with_config().limit(1 << 20).read_to_vec()?;
        let (parts, _) = answer.into_parts();
        Ok(Response::from_parts(parts, body.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_traced_unless_it_is_asked_for() {
        assert!(of(&DocumentId::generate(), ClientId::generate(), 1).is_none());
    }

    #[test]
    fn an_operation_has_the_same_trace_wherever_it_is_looked_at() {
        let (doc, client) = (DocumentId::generate(), ClientId::generate());
        let parent = |seq| EditTrace { id: trace_id(&doc, client, seq) }.traceparent();
        assert_eq!(parent(7), parent(7));
        assert_ne!(parent(7), parent(8));
        let parts: Vec<_> = parent(7).split('-').map(str::len).collect();
        assert_eq!(parts, [2, 32, 16, 2]);
    }

    #[test]
    fn the_share_that_is_asked_for_is_sampled() {
        let (doc, client) = (DocumentId::generate(), ClientId::generate());
        let taken =
            |share| (0..10_000).filter(|&seq| Sampler::of(share).takes(trace_id(&doc, client, seq))).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, 10_000));
        // Six standard deviations.
        assert!((2_240..2_760).contains(&taken(0.25)));
    }
}
