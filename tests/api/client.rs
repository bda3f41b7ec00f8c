//! A client as a browser would be one: it mirrors the document, has at most one operation in flight, and resumes.

use std::collections::BTreeMap;
use std::time::Duration;

use quire::ot::{Delta, Document, ParseLimits, Selection};
use serde_json::{Value, json};

use super::connection::{Connection, Incoming};
use super::harness::{PATIENCE, TestServer};
use super::replica::{InFlight, Replica, delta};

/// A connection that could not be made, or has ended; what its client has kept.
pub struct Lost {
    pub replica: Replica,
    pub why: String,
}

/// See the module's documentation.
pub struct TestClient {
    pub replica: Replica,
    pub connection: Connection,
    pub welcome: Value,
    /// The others, by session, as `presence` frames have told; their cursors have moved with the text since.
    pub peers: BTreeMap<String, Value>,
    /// What this session has been sent: author and edit of each version after the first one it held.
    stream: Vec<(Value, Delta)>,
    /// The version before the first in `stream`.
    stream_base: u64,
}

impl TestClient {
    /// Joins a document as a new client.
    #[track_caller]
    pub fn join(server: &TestServer, doc: &str) -> Self {
        Self::join_with(server, doc, Replica::new(), json!({}))
    }

    /// Joins with what a client kept; `hello` adds fields to the first frame, or replaces some.
    #[track_caller]
    pub fn join_with(server: &TestServer, doc: &str, replica: Replica, hello: Value) -> Self {
        Self::try_join(server.address(), doc, replica, hello)
            .unwrap_or_else(|lost| panic!("cannot join {doc}: {}", lost.why))
    }

    /// As [`TestClient::join_with`], while the server may be down: then the replica is given back.
    pub fn try_join(address: &str, doc: &str, replica: Replica, hello: Value) -> Result<Self, Box<Lost>> {
        let mut connection = match Connection::open(address, doc) {
            Ok(connection) => connection,
            Err(why) => return Err(Box::new(Lost { replica, why })),
        };
        let mut first = json!({ "type": "hello", "client": replica.client });
        first.as_object_mut().expect("an object").extend(hello.as_object().expect("an object").clone());
        if let Err(why) = connection.send(&first) {
            return Err(Box::new(Lost { replica, why }));
        }
        match connection.next() {
            Incoming::Frame(welcome) if welcome["type"] == "welcome" => {
                Ok(Self::welcomed(connection, replica, welcome))
            }
            other => Err(Box::new(Lost { replica, why: format!("not welcomed: {other:?}") })),
        }
    }

    /// As [`TestClient::try_resume`], of a server that is there.
    #[track_caller]
    pub fn resume(server: &TestServer, doc: &str, replica: Replica) -> Self {
        Self::try_resume(server.address(), doc, replica)
            .unwrap_or_else(|lost| panic!("cannot resume: {}", lost.why))
    }

    /// Comes back with `since`, catches up, and sends again what is still in flight.
    pub fn try_resume(address: &str, doc: &str, replica: Replica) -> Result<Self, Box<Lost>> {
        if replica.history.is_empty() {
            return Self::try_join(address, doc, replica, json!({}));
        }
        let hello = json!({ "since": replica.version, "history": replica.history });
        let mut client = Self::try_join(address, doc, replica, hello)?;
        let head = client.welcome["version"].as_u64().expect("a version");
        while client.replica.version < head {
            if let Incoming::Closed(code) = client.step() {
                return Err(client.lost(format!("closed with {code:?} while catching up")));
            }
        }
        match client.send_in_flight() {
            Ok(()) => Ok(client),
            Err(why) => Err(client.lost(why)),
        }
    }

    fn welcomed(connection: Connection, mut replica: Replica, welcome: Value) -> Self {
        welcome["history"].as_str().expect("a history").clone_into(&mut replica.history);
        if let Some(content) = welcome.get("content") {
            let last_seq = welcome["last_seq"].as_u64().expect("a number");
            // What the content has in it is settled; anything else would have to be handed to a user.
            replica.in_flight.take_if(|op| op.seq <= last_seq);
            assert!(replica.in_flight.is_none(), "a reset of a client with something in flight: {welcome}");
            replica.content = Document::from_delta(&delta(content)).expect("a document");
            replica.version = welcome["version"].as_u64().expect("a version");
        }
        let stream_base = replica.version;
        let mut client =
            Self { replica, connection, welcome, peers: BTreeMap::new(), stream: Vec::new(), stream_base };
        client.take_peers(&client.welcome["peers"].clone());
        client
    }

    fn lost(self, why: String) -> Box<Lost> {
        Box::new(Lost { replica: self.replica, why })
    }

    pub fn session(&self) -> &str {
        self.welcome["session"].as_str().expect("a session")
    }

    /// Reads one frame and mirrors what it says.
    #[track_caller]
    pub fn step(&mut self) -> Incoming {
        self.step_within(PATIENCE).expect("the server says nothing")
    }

    /// As [`TestClient::step`]; `None` if nothing comes in time.
    pub fn step_within(&mut self, time: Duration) -> Option<Incoming> {
        let incoming = self.connection.next_within(time)?;
        if let Incoming::Frame(frame) = &incoming {
            match frame["type"].as_str() {
                Some("ops") => self.take_ops(frame),
                Some("presence") => self.take_peers(&frame["peers"]),
                _ => {}
            }
        }
        Some(incoming)
    }

    fn take_ops(&mut self, frame: &Value) {
        let before = self.replica.version;
        self.replica.take_ops(frame);
        let base = frame["base"].as_u64().expect("a base");
        for (op, version) in frame["ops"].as_array().expect("a list").iter().zip(base + 1..) {
            if version > before {
                self.stream.push((op["client"].clone(), delta(&op["delta"])));
            }
        }
        self.move_peers();
    }

    fn take_peers(&mut self, peers: &Value) {
        for peer in peers.as_array().expect("a list") {
            let session = peer["session"].as_str().expect("a session").to_owned();
            if peer["state"].is_null() {
                self.peers.remove(&session);
            } else {
                self.peers.insert(session, peer.clone());
            }
        }
        self.move_peers();
    }

    /// Moves the cursors of the others through what has come since the version that each was told for.
    fn move_peers(&mut self) {
        for peer in self.peers.values_mut() {
            let base = peer["base"].as_u64().expect("a base");
            let known = usize::try_from(base.saturating_sub(self.stream_base)).expect("a length");
            let Some(cursor) = peer["state"].get("cursor").cloned() else { continue };
            let [index, length] = ["index", "length"].map(|name| cursor[name].as_u64().expect("a number"));
            let mut moved = Selection { index, length };
            for (author, delta) in self.stream.iter().skip(known) {
                moved = moved.transform(delta, *author == peer["client"]);
            }
            peer["state"]["cursor"] = json!({ "index": moved.index, "length": moved.length });
            peer["base"] = json!(base.max(self.replica.version));
        }
    }

    /// Where the cursor of a session is in the content that this client has.
    pub fn cursor_of(&self, session: &str) -> Option<u64> {
        self.peers.get(session)?["state"]["cursor"]["index"].as_u64()
    }

    /// Reads frames until one of this type comes, and returns it.
    #[track_caller]
    pub fn until_frame(&mut self, kind: &str) -> Value {
        loop {
            match self.step() {
                Incoming::Frame(frame) if frame["type"] == kind => return frame,
                Incoming::Frame(frame) => {
                    assert!(frame["type"] != "error", "waiting for {kind}: {frame}");
                }
                Incoming::Closed(code) => panic!("closed with {code:?}, waiting for {kind}"),
            }
        }
    }

    /// Reads frames until the mirror is as wanted.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        while !holds(self) {
            match self.step() {
                Incoming::Frame(frame) => assert!(frame["type"] != "error", "waiting for {what}: {frame}"),
                Incoming::Closed(code) => panic!("closed with {code:?}, waiting for {what}"),
            }
        }
    }

    /// Reads frames until this version is there.
    #[track_caller]
    pub fn until_version(&mut self, version: u64) {
        self.until(&format!("version {version}"), |client| client.replica.version >= version);
    }

    /// Reads frames until nothing is in flight; the version that the last own operation made.
    #[track_caller]
    pub fn until_acknowledged(&mut self) -> u64 {
        self.until("an acknowledgement", |client| client.replica.in_flight.is_none());
        self.replica.acknowledged.last().expect("there was an operation").1
    }

    /// Reads frames until the connection has ended; the code of the close.
    #[track_caller]
    pub fn until_closed(&mut self) -> Option<u16> {
        loop {
            if let Incoming::Closed(code) = self.step() {
                return code;
            }
        }
    }

    /// Reads frames until nothing is in flight (true), or the connection has ended.
    #[track_caller]
    pub fn until_closed_or_acknowledged(&mut self) -> bool {
        while self.replica.in_flight.is_some() {
            if let Incoming::Closed(_) = self.step() {
                return false;
            }
        }
        true
    }

    /// Makes an edit on what the user sees and sends it. Nothing may be in flight.
    #[track_caller]
    pub fn edit(&mut self, delta: &Value) {
        self.try_edit(delta).expect("the connection is open");
    }

    /// As [`TestClient::edit`], while the server may go down.
    #[track_caller]
    pub fn try_edit(&mut self, edit: &Value) -> Result<(), String> {
        assert!(self.replica.in_flight.is_none(), "one operation in flight at a time");
        // Normalised before it is kept or sent, as section 1 of the protocol asks.
        let delta = Delta::parse(&edit.to_string(), &ParseLimits::default()).expect("a sound edit");
        self.replica.seq += 1;
        self.replica.in_flight = Some(InFlight { seq: self.replica.seq, base: self.replica.version, delta });
        self.send_in_flight()
    }

    /// Sends what is in flight as it is by now.
    pub fn send_in_flight(&mut self) -> Result<(), String> {
        let Some(op) = &self.replica.in_flight else { return Ok(()) };
        let delta: Value = serde_json::from_str(&op.delta.to_json()).expect("JSON");
        self.connection.send(&json!({ "type": "op", "seq": op.seq, "base": op.base, "delta": delta }))
    }

    /// Inserts text and waits until that has come back; the version it made.
    #[track_caller]
    pub fn insert(&mut self, at: u64, text: &str) -> u64 {
        self.edit(&insertion(at, text));
        self.until_acknowledged()
    }

    /// Sends any frame.
    #[track_caller]
    pub fn send(&mut self, frame: &Value) {
        self.connection.send(frame).expect("the connection is open");
    }

    /// Sends a frame and waits for the answer that refuses it.
    #[track_caller]
    pub fn refused(&mut self, frame: &Value) -> Value {
        self.send(frame);
        self.until_error()
    }

    /// Reads frames until an error comes.
    #[track_caller]
    pub fn until_error(&mut self) -> Value {
        loop {
            match self.step() {
                Incoming::Frame(frame) if frame["type"] == "error" => return frame,
                Incoming::Frame(_) => {}
                Incoming::Closed(code) => panic!("closed with {code:?}, waiting for an error"),
            }
        }
    }

    /// Asks for a pong and gives everything that came before it: what was sent earlier has been answered by then.
    #[track_caller]
    pub fn frames_before_pong(&mut self) -> Vec<Value> {
        self.send(&json!({ "type": "ping", "t": 4711 }));
        let mut before = Vec::new();
        loop {
            match self.step() {
                Incoming::Frame(frame) if frame["type"] == "pong" && frame["t"] == 4711 => return before,
                Incoming::Frame(frame) => before.push(frame),
                Incoming::Closed(code) => panic!("closed with {code:?}, waiting for a pong"),
            }
        }
    }

    /// The plain text that its user sees.
    pub fn text(&self) -> String {
        self.replica.shown().text()
    }

    /// Leaves as a browser does.
    pub fn leave(self) -> Replica {
        self.connection.close();
        self.replica
    }

    /// Loses the connection: nothing is said to the server.
    pub fn lose_connection(self) -> Replica {
        self.replica
    }
}

/// `text` inserted at `at`.
pub fn insertion(at: u64, text: &str) -> Value {
    if at == 0 { json!([{ "insert": text }]) } else { json!([{ "retain": at }, { "insert": text }]) }
}
