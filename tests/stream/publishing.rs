//! What is published while nothing fails.

use serde_json::json;

use crate::broker;
use crate::collector::Collector;
use crate::harness::{DataFolder, Launch};
use crate::load::Load;
use crate::rest::Rest;
use crate::scene::{Scene, documents, edit};
use crate::topic::{self, metric};

const WRITERS: usize = 20;

#[test]
fn every_version_of_every_document_is_published_in_order() {
    let scene = Scene::at(&broker::shared());
    let server = scene.launch(DataFolder::new()).start();
    let docs = documents(&server, 8);
    let load = Load::start(&server, &docs, WRITERS);
    load.wait_for(1_000);
    let writers = load.finish();
    let doubles = scene.check(&server, &docs, writers);
    assert_eq!(doubles, 0, "nothing has failed");
    topic::wait_for_metric(&server, "quire_publisher_lag_seconds", |lag| lag == 0.0);
    let (memory, log) = (sent(&server, "memory"), sent(&server, "log"));
    assert!(memory >= 1_000.0 && log == 0.0, "{memory} from memory, {log} from the log");
}

fn sent(server: &crate::harness::TestServer, source: &str) -> f64 {
    metric(server, &format!("quire_publisher_sent_total{{source=\"{source}\"}}"))
}

/// One operation that makes a document is as large as the document, and larger than what a topic takes by default.
#[test]
fn a_document_that_is_made_with_megabytes_of_text_is_published() {
    let scene = Scene::at(&broker::shared());
    let server = scene.launch(DataFolder::new()).start();
    let text = "one line of many\n".repeat(200_000);
    let docs = [Rest::of(&server).create(&json!([{ "insert": text }]))];
    edit(&server, &docs[0]);
    assert_eq!(scene.check(&server, &docs, Vec::new()), 0);
}

#[test]
fn a_server_that_stops_in_order_leaves_nothing_to_be_published() {
    let scene = Scene::at(&broker::shared());
    let server = scene.launch(DataFolder::new()).start();
    let docs = documents(&server, 4);
    topic::wait_for_metric(&server, "quire_published_total", |published| published == 4.0);
    for _ in 0..3 {
        docs.iter().for_each(|doc| edit(&server, doc));
    }
    server.signal(libc::SIGTERM);
    let (status, data) = server.ended();
    assert!(status.success(), "{status}");
    let published = topic::read(&scene.brokers, &scene.topic);
    // To compare with; it publishes nothing.
    let server = Launch::on(data).start();
    assert_eq!(topic::check(&server, &published, &docs), 0);
}

/// What was written before there was a stream is published, too.
#[test]
fn the_first_server_with_a_stream_publishes_the_whole_log() {
    let scene = Scene::at(&broker::shared());
    let server = Launch::new().start();
    let docs = documents(&server, 3);
    let load = Load::start(&server, &docs, 6);
    load.wait_for(200);
    let writers = load.finish();
    let server = scene.launch(server.kill()).start();
    assert_eq!(scene.check(&server, &docs, writers), 0);
    assert!(sent(&server, "log") >= 200.0);
}

#[test]
fn a_trace_goes_on_into_the_stream() {
    let (scene, collector) = (Scene::at(&broker::shared()), Collector::start());
    let server = collector.follow(scene.launch(DataFolder::new()), "1");
    let docs = documents(&server, 1);
    edit(&server, &docs[0]);
    topic::wait_for_metric(&server, "quire_published_total", |published| published == 2.0);
    let spans = collector.spans_of(server);
    let published = topic::read(&scene.brokers, &scene.topic);
    let told = &published.iter().find(|record| record.version == 2).expect("the edit").headers["traceparent"];
    let hex = |id: &[u8]| id.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let edit = spans.iter().find(|span| span.name == "edit").expect("the span of the edit");
    assert_eq!(*told, format!("00-{}-{}-01", hex(&edit.trace_id), hex(&edit.span_id)));
    let publish = spans.iter().find(|span| span.name == "publish" && span.trace_id == edit.trace_id);
    let publish = publish.expect("the record's own span");
    assert_eq!(publish.parent_span_id, edit.span_id);
    assert!(publish.start_time_unix_nano >= edit.start_time_unix_nano, "{publish:?} {edit:?}");
}
