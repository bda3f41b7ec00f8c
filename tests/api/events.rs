//! The stream of events: who is told of what, how a reader goes on, and how a stream ends.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{Launch, PATIENCE, TestServer};
use crate::rest::{Answer, Rest};
use crate::signed_in::{SECRET, admin_token, call, in_seconds, token, token_until};

/// A reader of a stream of events.
struct Events {
    lines: BufReader<TcpStream>,
    /// The last number that the stream has said.
    last: String,
}

impl Events {
    /// Opens a stream; `path` is what follows `/v1/events`.
    fn open(server: &TestServer, path: &str, token: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let last_id = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let address = server.address();
        let request = format!(
            "GET /v1/events{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{last_id}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it can be written");
        let mut events = Self { lines: BufReader::new(stream), last: String::new() };
        let status = events.line().expect("an answer");
        assert!(status.contains(" 200 "), "{status}");
        let mut head = String::new();
        while let Some(line) = events.line().filter(|line| !line.is_empty()) {
            head.push_str(&line.to_lowercase());
        }
        assert!(head.contains("text/event-stream"), "{head}");
        while events.last.is_empty() {
            let line = events.line().expect("where it begins");
            events.note(&line);
        }
        events
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(read) => (read > 0).then(|| line.trim_end().to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing comes in time: {error}"),
        }
    }

    fn note(&mut self, line: &str) {
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut self.last);
        }
    }

    /// The next event; `None` when the stream has ended.
    fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.line()?;
            self.note(&line);
            // The length of the last part.
            if line == "0" {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("JSON in one line"));
            }
        }
    }

    /// The next event, as type and document.
    fn told(&mut self) -> (String, String) {
        let event = self.next().expect("an event");
        let text = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("{event}")).to_owned();
        assert_eq!(text("id"), self.last);
        (text("type"), text("doc"))
    }

    /// Reads up to an event of this type and document; returns what has come before.
    fn until(&mut self, kind: &str, doc: &str) -> Vec<(String, String)> {
        let mut before = Vec::new();
        loop {
            let told = self.told();
            if told == (kind.to_owned(), doc.to_owned()) {
                return before;
            }
            before.push(told);
        }
    }
}

fn launch() -> Launch {
    Launch::new()
        .with("QUIRE_JWT_SECRET", SECRET)
        .with("QUIRE_GUESTS", "off")
        .with("QUIRE_EVENTS_DEBOUNCE", "0")
}

fn by(server: &TestServer, user: &str, method: &str, path: &str, body: Value) -> Answer {
    let body = (!body.is_null()).then_some(body);
    call(&Rest::of(server), &token(user), method, path, body.as_ref())
}

fn create(server: &TestServer, user: &str, doc: &str) {
    let body = json!({ "id": doc, "content": [{ "insert": "x\n" }] });
    by(server, user, "POST", "/v1/docs", body).expect(201);
}

#[test]
fn what_happens_is_told_in_order_to_those_who_may_read_the_document() {
    let server = launch().start();
    let mut ada = Events::open(&server, "", &token("ada"), None);
    let mut bob = Events::open(&server, "", &token("bob"), None);
    let mut root = Events::open(&server, "", &admin_token("root"), None);
    create(&server, "ada", "d");
    assert_eq!(ada.told(), ("document.created".into(), "d".into()));
    let changed = ada.next().unwrap();
    assert_eq!(changed["type"], "document.changed");
    assert_eq!(changed["data"], json!({ "version": 1, "since": 0 }));
    let edit = json!({ "base": 1, "edit": { "type": "insert", "pos": 0, "text": "y" } });
    by(&server, "ada", "POST", "/v1/docs/d/ops", edit).expect(200);
    assert_eq!(ada.next().unwrap()["data"], json!({ "version": 2, "since": 1 }));
    let comment = json!({ "text": "secret", "anchor": { "index": 0, "length": 1 } });
    let comment = by(&server, "ada", "POST", "/v1/docs/d/comments", comment).expect(201).json();
    let told = ada.next().unwrap();
    assert_eq!((&told["type"], &told["by"]), (&json!("document.commented"), &json!("ada")));
    assert_eq!(told["data"], json!({ "comment": comment["id"] }));
    by(&server, "ada", "PUT", "/v1/docs/d/permissions/bob", json!({ "role": "viewer" })).expect(200);
    assert_eq!(ada.told(), ("document.shared".into(), "d".into()));
    // Nothing of what was before.
    assert_eq!(bob.told(), ("document.shared".into(), "d".into()));
    by(&server, "ada", "DELETE", "/v1/docs/d/permissions/bob", Value::Null).expect(204);
    assert_eq!(ada.told(), ("document.shared".into(), "d".into()));
    by(&server, "ada", "DELETE", "/v1/docs/d", Value::Null).expect(204);
    assert_eq!(ada.told(), ("document.trashed".into(), "d".into()));
    by(&server, "ada", "PATCH", "/v1/docs/d", json!({ "deleted": false })).expect(200);
    assert_eq!(ada.told(), ("document.restored".into(), "d".into()));
    by(&server, "ada", "DELETE", "/v1/docs/d?purge=true", Value::Null).expect(204);
    assert_eq!(ada.told(), ("document.purged".into(), "d".into()));
    create(&server, "bob", "own");
    assert_eq!(bob.told(), ("document.created".into(), "own".into()));
    assert_eq!(root.until("document.created", "own").len(), 9, "an administrator is told of all");
}

#[test]
fn a_reader_goes_on_from_where_it_was_though_the_server_has_crashed() {
    let server = launch().start();
    let mut events = Events::open(&server, "", &token("ada"), None);
    create(&server, "ada", "first");
    assert!(events.until("document.created", "first").is_empty());
    let last = events.last.clone();
    // Nobody is told of these in time.
    create(&server, "ada", "second");
    let server = {
        let data = server.kill();
        Launch::on(data)
            .with("QUIRE_JWT_SECRET", SECRET)
            .with("QUIRE_GUESTS", "off")
            .with("QUIRE_EVENTS_DEBOUNCE", "0")
            .start()
    };
    let mut events = Events::open(&server, "", &token("ada"), Some(&last));
    let mut told = events.until("document.created", "second");
    told.retain(|(kind, _)| kind == "document.created");
    assert!(told.is_empty(), "{told:?}");
    events.until("document.changed", "second");
    // From the beginning, as far as it is kept.
    let mut all = Events::open(&server, "", &token("ada"), Some("0"));
    assert!(all.until("document.created", "first").is_empty());
    all.until("document.changed", "second");
    // A number of another database is none.
    let mut fresh = Events::open(&server, "", &token("ada"), Some("999999999"));
    create(&server, "ada", "third");
    assert!(fresh.until("document.created", "third").is_empty());
    let rest = Rest::of(&server);
    let authorization = format!("Bearer {}", token("ada"));
    let headers = [("authorization", authorization.as_str()), ("last-event-id", "x")];
    rest.call("GET", "/v1/events", &headers, None).expect_problem(400, "bad_request");
}

#[test]
fn one_document_is_listened_to_as_long_as_it_may_be_read() {
    let server = launch().start();
    create(&server, "ada", "d");
    by(&server, "bob", "GET", "/v1/events?doc=d", Value::Null).expect_problem(403, "forbidden");
    by(&server, "bob", "GET", "/v1/events?doc=none", Value::Null).expect_problem(404, "not_found");
    by(&server, "ada", "PUT", "/v1/docs/d/permissions/bob", json!({ "role": "viewer" })).expect(200);
    let mut bob = Events::open(&server, "?doc=d", &token("bob"), None);
    create(&server, "ada", "other");
    by(&server, "ada", "PUT", "/v1/docs/other/permissions/bob", json!({ "role": "viewer" })).expect(200);
    by(&server, "ada", "DELETE", "/v1/docs/d", Value::Null).expect(204);
    assert!(bob.until("document.trashed", "d").iter().all(|(_, doc)| doc == "d"));
    by(&server, "ada", "PATCH", "/v1/docs/d", json!({ "deleted": false })).expect(200);
    by(&server, "ada", "DELETE", "/v1/docs/d/permissions/bob", Value::Null).expect(204);
    while let Some(event) = bob.next() {
        assert_eq!(event["doc"], "d");
    }
}

#[test]
fn a_stream_ends_with_its_token_and_with_the_server() {
    let server = launch().start();
    let mut short = Events::open(&server, "", &token_until("ada", in_seconds(3)), None);
    assert_eq!(short.next(), None);
    let mut events = Events::open(&server, "", &token("ada"), None);
    server.signal(libc::SIGTERM);
    assert_eq!(events.next(), None);
    assert!(server.ended().0.success());
}

#[test]
fn guests_listen_to_a_document_that_they_name_and_to_no_other() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    rest.get("/v1/events").expect_problem(401, "unauthorized");
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let (address, path) = (server.address(), format!("/v1/events?doc={doc}"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.contains(" 200 "), "{line}");
}
