//! Traces of edits, as a collector gets them.

use std::collections::HashMap;
use std::net::TcpListener;

use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
use serde_json::json;

use crate::client::TestClient;
use crate::collector::Collector;
use crate::harness::Launch;
use crate::rest::Rest;

#[test]
fn an_edit_is_one_trace_from_its_arrival_to_its_broadcast() {
    let collector = Collector::start();
    let server = collector.follow(Launch::new(), "1");
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    let mut client = TestClient::join(&server, &doc);
    for _ in 0..5 {
        client.insert(0, "a");
    }
    let spans = collector.spans_of(server);
    let edits: Vec<_> = spans.iter().filter(|span| span.name == "edit").collect();
    assert_eq!(edits.len(), 5, "{spans:?}");
    let mut traces: HashMap<_, Vec<_>> = HashMap::new();
    for span in &spans {
        traces.entry(span.trace_id.clone()).or_default().push(span);
    }
    for edit in edits {
        assert!(edit.parent_span_id.is_empty() || edit.parent_span_id == [0; 8], "{edit:?}");
        let value = edit
            .attributes
            .iter()
            .find(|one| one.key == "quire.document_id")
            .and_then(|one| one.value.clone());
        assert_eq!(value.and_then(|value| value.value), Some(StringValue(doc.clone())));
        let steps = &traces[&edit.trace_id];
        let mut names: Vec<_> = steps.iter().map(|span| &*span.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["commit", "edit", "transform"]);
        for step in steps.iter().filter(|span| span.name != "edit") {
            assert_eq!(step.parent_span_id, edit.span_id);
            assert!(step.start_time_unix_nano >= edit.start_time_unix_nano, "{step:?} {edit:?}");
            assert!(step.end_time_unix_nano <= edit.end_time_unix_nano, "{step:?} {edit:?}");
        }
    }
    let got = collector.got.lock().expect("nobody panics with it");
    let resource = got[0].resource_spans[0].resource.clone().expect("a resource");
    let name =
        resource.attributes.iter().find(|one| one.key == "service.name").and_then(|one| one.value.clone());
    assert_eq!(name.and_then(|value| value.value), Some(StringValue("quire".into())));
}

#[test]
fn a_share_of_nothing_is_nothing_and_a_collector_that_is_away_is_not_felt() {
    let collector = Collector::start();
    let server = collector.follow(Launch::new(), "0");
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    TestClient::join(&server, &doc).insert(0, "a");
    assert_eq!(collector.spans_of(server), []);
    let nowhere = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    let url = format!("http://{nowhere}");
    let server = Launch::new().with("QUIRE_TRACE_ENDPOINT", url).with("QUIRE_TRACE_RATIO", "1").start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    TestClient::join(&server, &doc).insert(0, "a");
    server.signal(libc::SIGTERM);
    assert!(server.ended().0.success());
}
