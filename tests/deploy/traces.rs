//! Traces of edits, as a collector gets them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

use crate::client::TestClient;
use crate::harness::{Launch, TestServer};
use crate::rest::Rest;

/// A collector that keeps what it is sent.
struct Collector {
    url: String,
    got: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = got.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = kept.clone();
                thread::spawn(move || while take(stream.as_ref().expect("it is taken"), &kept).is_some() {});
            }
        });
        Self { url, got }
    }

    fn launch(&self, share: &str) -> TestServer {
        Launch::new().with("QUIRE_TRACE_ENDPOINT", &self.url).with("QUIRE_TRACE_RATIO", share).start()
    }

    /// Everything that a server had to send, which has ended by then.
    fn spans_of(&self, server: TestServer) -> Vec<Span> {
        server.signal(libc::SIGTERM);
        assert!(server.ended().0.success());
        let got = self.got.lock().expect("nobody panics with it");
        let resources = got.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// Takes one request of a connection; `None` when it has ended.
fn take(stream: &TcpStream, kept: &Mutex<Vec<ExportTraceServiceRequest>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
        if line == "\r\n" {
            break;
        }
        head.push(line.trim().to_lowercase());
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).ok()?;
    kept.lock()
        .expect("nobody panics with it")
        .push(ExportTraceServiceRequest::decode(&*body).expect("protobuf"));
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    let mut stream = stream;
    stream.write_all(answer.as_bytes()).ok()
}

#[test]
fn an_edit_is_one_trace_from_its_arrival_to_its_broadcast() {
    let collector = Collector::start();
    let server = collector.launch("1");
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
    let server = collector.launch("0");
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
