//! A collector of traces.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::harness::{Launch, TestServer};

/// A collector that keeps what it is sent.
pub struct Collector {
    pub url: String,
    pub got: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    pub fn start() -> Self {
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

    /// Has a server send it this share of all traces.
    pub fn follow(&self, launch: Launch, share: &str) -> TestServer {
        launch.with("QUIRE_TRACE_ENDPOINT", &self.url).with("QUIRE_TRACE_RATIO", share).start()
    }

    /// Everything that a server had to send, which has ended by then.
    pub fn spans_of(&self, server: TestServer) -> Vec<Span> {
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
