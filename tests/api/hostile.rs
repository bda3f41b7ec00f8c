//! Every line of `tests/corpora/bad-ops.jsonl`, put to a real server as its `level` says.
//!
//! For each line there is a fresh document, a session that sends it, and a bystander on the same document who must notice
//! nothing but what was committed, and who goes on writing afterwards.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use serde_json::{Value, json};

use self::corpus::{Level, Line};
use crate::client::TestClient;
use crate::harness::TestServer;
use crate::raw::{RawIncoming, RawSocket, opcode};
use crate::replica::delta;
use crate::rest::Rest;

mod corpus;

/// Lines that are tried at the same time.
const AT_ONCE: usize = 6;

/// The client that sends the lines.
const CLIENT: &str = "00000000-0000-4000-8000-0000000000c1";

/// While a line longer than this is sent, the server may answer.
const LONG: u64 = 1 << 20;

#[test]
fn every_hostile_input_gets_its_verdict_and_the_others_notice_nothing() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora/bad-ops.jsonl");
    let text = fs::read_to_string(path).expect("the corpus is there");
    let lines: VecDeque<Line> = text.lines().map(Line::read).collect();
    assert_eq!(lines.len(), 235, "lines of the corpus");
    let server = TestServer::start();
    let lines = Mutex::new(lines);
    let failures = Mutex::new(Vec::new());
    let next = || lines.lock().expect("no thread panics with it").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(line) = next() {
                    let name = format!("{} {}", line.id, line.name);
                    if let Err(why) = Trial::begin(&server, line).run() {
                        failures.lock().expect("no thread panics with it").push(format!("{name}: {why}"));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no thread has panicked");
    failures.sort();
    assert!(failures.is_empty(), "{} of 235 lines:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(crashes(&server), 0, "document actors that panicked");
}

/// How many document actors have ended by a panic.
fn crashes(server: &TestServer) -> u64 {
    let metrics = Rest::of(server).get("/metrics").expect(200).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("quire_document_crashes_total "));
    line.and_then(|count| count.parse().ok()).expect("the counter is there")
}

/// One line, its document, and the two sessions.
struct Trial {
    line: Line,
    rest: Rest,
    doc: String,
    bystander: TestClient,
    sender: RawSocket,
    /// What the sender has been sent since the line itself.
    answers: Vec<Value>,
    closed: Option<Option<u16>>,
}

impl Trial {
    fn begin(server: &TestServer, line: Line) -> Self {
        let rest = Rest::of(server);
        let doc = rest.create(&json!([
            { "insert": "Hello 😀 world" }, { "insert": { "image": "a.png" } }, { "insert": "\n" },
        ]));
        let bystander = TestClient::join(server, &doc);
        let sender = RawSocket::open(server.address(), &doc);
        Self { line, rest, doc, bystander, sender, answers: Vec::new(), closed: None }
    }

    fn run(mut self) -> Result<(), String> {
        if !self.line.fresh {
            let hello = json!({ "type": "hello", "client": CLIENT });
            self.sender
                .send(opcode::TEXT, hello.to_string().as_bytes())
                .map_err(|error| error.to_string())?;
            self.sender_until("welcome")?;
        }
        self.set_up()?;
        self.send_line();
        self.until_answered();
        self.check_answers()?;
        self.check_document()?;
        self.check_bystander()
    }

    /// Commits what the line's `setup` asks for, by the sender or by the bystander.
    fn set_up(&mut self) -> Result<(), String> {
        for frame in std::mem::take(&mut self.line.setup) {
            self.sender.send(opcode::TEXT, frame.as_bytes()).map_err(|error| error.to_string())?;
            self.sender_until("ops")?;
        }
        for frame in std::mem::take(&mut self.line.setup_other) {
            let edit: Value = serde_json::from_str(&frame).expect("the corpus is JSON");
            self.bystander.edit(&edit["delta"]);
            self.bystander.until_acknowledged();
        }
        Ok(())
    }

    /// Reads the sender's frames up to one of this type.
    fn sender_until(&mut self, kind: &str) -> Result<Value, String> {
        loop {
            match self.sender.next() {
                RawIncoming::Frame(frame) if frame["type"] == kind => return Ok(frame),
                RawIncoming::Frame(frame) if frame["type"] == "error" => {
                    return Err(format!("{frame} instead of {kind}"));
                }
                RawIncoming::Frame(_) => {}
                RawIncoming::Closed(code) => return Err(format!("closed with {code:?} instead of {kind}")),
            }
        }
    }

    /// Sends the line, as far as the server takes it.
    fn send_line(&mut self) {
        let opcode = if self.line.binary { opcode::BINARY } else { opcode::TEXT };
        let payload = &self.line.payload;
        // A server that refuses a frame at its header may close before the rest is sent: what it said is read later.
        let length = payload.length();
        let mut sent = self.sender.announce(opcode, length);
        for piece in payload.pieces() {
            if sent.is_err() || (length > LONG && self.sender.has_input()) {
                return;
            }
            sent = self.sender.send_bytes(&piece);
        }
    }

    /// Reads until the line has certainly been dealt with: an answer to it, a close, or a pong to a ping after it.
    fn until_answered(&mut self) {
        // Before hello there is no pong to be had: the error is the answer.
        let mut pong = self.line.fresh && !self.line.accepted;
        if !pong {
            // It cannot be sent on a connection that has ended; then the end is what is read.
            let _ = self.sender.send(opcode::TEXT, br#"{"type":"ping","t":4711}"#);
        }
        while self.closed.is_none() && !(pong && self.is_answered()) {
            match self.sender.next() {
                RawIncoming::Frame(frame) if frame["type"] == "pong" && frame["t"] == 4711 => pong = true,
                RawIncoming::Frame(frame) => self.answers.push(frame),
                RawIncoming::Closed(code) => self.closed = Some(code),
            }
        }
    }

    /// Operations are answered after they are durable, which may be after the pong; everything else before it.
    fn is_answered(&self) -> bool {
        let waits = self.line.level == Level::Delta || self.line.is_op || self.line.fresh;
        let answers = |frame: &Value| {
            let kind = frame["type"].as_str().unwrap_or_default();
            ["error", "ack", "welcome"].contains(&kind) || frame["ops"][0]["client"] == CLIENT
        };
        !waits || self.answers.iter().any(answers)
    }

    fn check_answers(&self) -> Result<(), String> {
        let errors: Vec<&Value> = self.answers.iter().filter(|frame| frame["type"] == "error").collect();
        if self.line.accepted {
            return match (&errors[..], self.closed) {
                ([], None) => self.check_acceptance(),
                _ => Err(format!("should be accepted: {errors:?}, closed: {:?}", self.closed)),
            };
        }
        let codes = &self.line.codes;
        match (&errors[..], self.closed) {
            ([error], _) if codes.iter().any(|code| error["code"] == **code) => Ok(()),
            // Too large to be read at all, and not UTF-8: RFC 6455 has codes of its own for these.
            ([], Some(Some(1009))) if self.line.reason == "too_large" => Ok(()),
            ([], Some(Some(1007))) if self.line.reason == "bad_utf8" => Ok(()),
            // A position that is not there yet may be dropped quietly, says the corpus.
            ([], None) if self.line.name == "presence-future-base" => Ok(()),
            _ => Err(format!("should be refused with {codes:?}: {errors:?}, closed: {:?}", self.closed)),
        }
    }

    /// What was committed is what the corpus says it is, and a committed number is answered by `ack`.
    fn check_acceptance(&self) -> Result<(), String> {
        let found = |kind: &str| self.answers.iter().find(|frame| frame["type"] == kind);
        if self.line.reason == "duplicate" && found("ack").is_none() {
            return Err(format!("no ack: {:?}", self.answers));
        }
        if self.line.reason == "reset" && found("welcome").is_none_or(|welcome| welcome["reset"] != true) {
            return Err(format!("no reset: {:?}", self.answers));
        }
        let Some(normalised) = &self.line.normalised else { return Ok(()) };
        let committed = found("ops").map(|frame| &frame["ops"][0]["delta"]);
        match committed {
            Some(committed) if delta(committed) == delta(normalised) => Ok(()),
            _ => Err(format!("committed as {committed:?}, not as {normalised}")),
        }
    }

    fn check_document(&self) -> Result<(), String> {
        let (version, content) = self.rest.content(&self.doc);
        if version != 1 + self.line.versions {
            return Err(format!("{} versions ahead, not {}", version - 1, self.line.versions));
        }
        match &self.line.doc_after {
            Some(after) if delta(after) != delta(&content) => {
                Err(format!("the document is {content}, not {after}"))
            }
            _ => Ok(()),
        }
    }

    /// The bystander has seen what was committed and nothing else, and writes on; so does the sender's own session.
    fn check_bystander(mut self) -> Result<(), String> {
        let head = 1 + self.line.versions;
        self.bystander.until_version(head);
        let others = self.bystander.frames_before_pong();
        if let Some(frame) = others.iter().find(|frame| frame["type"] != "presence") {
            return Err(format!("the bystander was sent {frame}"));
        }
        if self.bystander.insert(0, "on we go ") != head + 1 {
            return Err("the bystander's edit is not the next version".into());
        }
        let (_, content) = self.rest.content(&self.doc);
        if delta(&content) != self.bystander.replica.content.to_delta() {
            return Err(format!(
                "the bystander holds {:?}, the server {content}",
                self.bystander.replica.content
            ));
        }
        let is_in_session = !self.line.fresh || self.line.accepted;
        if self.closed.is_none() && is_in_session {
            let frame = self.sender_until("ops")?;
            if frame["base"].as_u64() > Some(head) {
                return Err(format!("the sender's session has missed something: {frame}"));
            }
        }
        Ok(())
    }
}
