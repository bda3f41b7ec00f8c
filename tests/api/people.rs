//! People who are something to a document, each in another way, and what they do.

use std::time::{Duration, Instant, SystemTime};

use quire::access::{Access, Action};
use quire::protocol::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Launch, PATIENCE, TestServer};
use crate::raw::{RawIncoming, RawSocket, handshake_headers, opcode, request};
use crate::rest::{Answer, Rest};
use crate::signed_in::{SECRET, admin_token, token};

/// A server that lets guests in, and on which an address by itself is good for nothing.
pub fn reserved() -> TestServer {
    launch_reserved().start()
}

pub fn launch_reserved() -> Launch {
    Launch::new().with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_LINK_ROLE", "none")
}

/// Somebody who calls.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: &'static str,
    token: Option<String>,
    /// The token of a share link.
    pub link: Option<String>,
}

impl Person {
    /// Somebody who has signed in under this name.
    pub fn user(name: &'static str) -> Self {
        Self { name, token: Some(token(name)), link: None }
    }

    pub fn admin() -> Self {
        Self { name: "root", token: Some(admin_token("root")), link: None }
    }

    pub fn guest() -> Self {
        Self { name: "a guest", token: None, link: None }
    }

    pub fn with_link(self, link: &str) -> Self {
        Self { link: Some(link.to_owned()), ..self }
    }

    pub fn call(&self, rest: &Rest, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.call_with(rest, method, path, &[], body)
    }

    pub fn call_with(
        &self,
        rest: &Rest,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let authorization = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = headers.to_vec();
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        headers.extend(self.link.as_deref().map(|value| ("quire-link", value)));
        rest.call(method, path, &headers, body.map(Value::to_string))
    }

    /// Makes a document and returns its id.
    pub fn create(&self, rest: &Rest) -> String {
        let body = json!({ "content": [{ "insert": "text\n" }] });
        let made = self.call(rest, "POST", "/v1/docs", Some(&body)).expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    fn offers(&self) -> String {
        let token = self.token.as_ref().map(|token| format!(", bearer.{token}"));
        let link = self.link.as_ref().map(|link| format!(", link.{link}"));
        format!("quire.v1{}{}", token.unwrap_or_default(), link.unwrap_or_default())
    }

    /// How a handshake is answered.
    pub fn handshake(&self, server: &TestServer, doc: &str) -> u16 {
        let mut headers = handshake_headers(server.address());
        headers.retain(|(name, _)| *name != "Sec-WebSocket-Protocol");
        headers.push(("Sec-WebSocket-Protocol", self.offers()));
        request(server.address(), &format!("GET /v1/collab/{doc}"), &headers).0.status
    }

    /// Opens a socket and says nothing.
    pub fn open(&self, server: &TestServer, doc: &str) -> Session {
        let socket = RawSocket::open_offering(server.address(), doc, &self.offers());
        Session { socket, client: Uuid::new_v4(), seq: 0, version: 0, role: Value::Null }
    }

    /// Joins; the welcome has been read.
    #[track_caller]
    pub fn join(&self, server: &TestServer, doc: &str) -> Session {
        let mut session = self.open(server, doc);
        session.hello();
        let welcome = session.frame("welcome");
        session.version = welcome["version"].as_u64().expect("a version");
        session.role = welcome["role"].clone();
        session
    }
}

/// A session of theirs.
pub struct Session {
    socket: RawSocket,
    pub client: Uuid,
    pub seq: u64,
    pub version: u64,
    pub role: Value,
}

impl Session {
    pub fn hello(&mut self) {
        self.send(&json!({ "type": "hello", "client": self.client }));
    }

    pub fn send(&mut self, frame: &Value) {
        self.socket.send(opcode::TEXT, frame.to_string().as_bytes()).expect("open");
    }

    /// The next frame of this type.
    #[track_caller]
    pub fn frame(&mut self, kind: &str) -> Value {
        loop {
            match self.socket.next() {
                RawIncoming::Frame(frame) if frame["type"] == kind => return frame,
                RawIncoming::Frame(_) => {}
                RawIncoming::Closed(code) => panic!("closed with {code:?}, waiting for {kind}"),
            }
        }
    }

    /// How the connection ends.
    pub fn closed(&mut self) -> Option<u16> {
        loop {
            if let RawIncoming::Closed(code) = self.socket.next() {
                return code;
            }
        }
    }

    /// Sends an operation, and returns what comes of it: its own, an `ack`, or an `error`.
    #[track_caller]
    pub fn edit(&mut self) -> Value {
        self.seq += 1;
        self.send_again()
    }

    /// Sends the last operation once more.
    #[track_caller]
    pub fn send_again(&mut self) -> Value {
        let (seq, base) = (self.seq, self.version);
        self.send(&json!({ "type": "op", "seq": seq, "base": base, "delta": [{ "insert": "x" }] }));
        let client = self.client.to_string();
        loop {
            match self.socket.next() {
                RawIncoming::Frame(frame) if frame["type"] == "ops" => {
                    let ops = frame["ops"].as_array().expect("a list");
                    self.version = frame["base"].as_u64().expect("a version") + ops.len() as u64;
                    if ops.iter().any(|op| op["client"] == client && op["seq"] == seq) {
                        return frame;
                    }
                }
                RawIncoming::Frame(frame) if frame["seq"] == seq => return frame,
                RawIncoming::Frame(_) => {}
                RawIncoming::Closed(code) => panic!("closed with {code:?}, waiting for an answer"),
            }
        }
    }
}

/// A document of `ada`'s, and all the ways to be something to it.
pub struct Scene {
    pub rest: Rest,
    pub doc: String,
    /// Each with the role that has come of it.
    pub people: Vec<(Person, Option<Role>)>,
}

impl Scene {
    pub fn new(server: &TestServer) -> Self {
        let rest = Rest::of(server);
        let ada = Person::user("ada");
        let doc = ada.create(&rest);
        let at = |rest: &str| format!("/v1/docs/{doc}{rest}");
        let put = |path: String, body: Value| ada.call(&rest, "PUT", &path, Some(&body)).expect(200);
        for (name, role) in [("otto", "owner"), ("eda", "editor"), ("cleo", "commenter"), ("vic", "viewer")] {
            put(at(&format!("/permissions/{name}")), json!({ "role": role }));
        }
        let group =
            ada.call(&rest, "POST", "/v1/groups", Some(&json!({ "name": "Team" }))).expect(201).json();
        let group = group["id"].as_str().expect("an id");
        put(format!("/v1/groups/{group}/members/gus"), json!({}));
        put(at(&format!("/permissions/group:{group}")), json!({ "role": "editor" }));
        let link = |role: &str| {
            let made =
                ada.call(&rest, "POST", &at("/links"), Some(&json!({ "role": role }))).expect(201).json();
            (
                made["id"].as_str().expect("an id").to_owned(),
                made["token"].as_str().expect("a token").to_owned(),
            )
        };
        let (editing, viewing, revoked) = (link("editor").1, link("viewer").1, link("editor"));
        ada.call(&rest, "DELETE", &at(&format!("/links/{}", revoked.0)), None).expect(204);
        let people = vec![
            (ada, Some(Role::Owner)),
            (Person::user("otto"), Some(Role::Owner)),
            (Person::user("eda"), Some(Role::Editor)),
            (Person::user("cleo"), Some(Role::Commenter)),
            (Person::user("vic"), Some(Role::Viewer)),
            (Person::user("gus"), Some(Role::Editor)),
            (Person::guest().with_link(&editing), Some(Role::Editor)),
            (Person::user("cleo").with_link(&viewing), Some(Role::Commenter)),
            (Person::user("lin").with_link(&viewing), Some(Role::Viewer)),
            (Person::guest().with_link(&revoked.1), None),
            (Person::user("nobody"), None),
            (Person::guest(), None),
            (Person::admin(), None),
        ];
        Self { rest, doc, people }
    }

    /// And somebody to whom it was something for a time that is over.
    pub fn with_expired(server: &TestServer) -> Self {
        let mut scene = Self::new(server);
        let body = json!({ "role": "editor", "expires_at": in_ms(2_000) });
        let path = scene.path("/permissions/exa");
        Person::user("ada").call(&scene.rest, "PUT", &path, Some(&body)).expect(200);
        let exa = Person::user("exa");
        let deadline = Instant::now() + PATIENCE;
        while exa.call(&scene.rest, "GET", &scene.path(""), None).status == 200 {
            assert!(Instant::now() < deadline, "what was granted for a while does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        scene.people.push((exa, None));
        scene
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/docs/{}{rest}", self.doc)
    }

    /// What somebody here is by the table.
    pub fn access(person: &Person, role: Option<Role>, archived: bool) -> Access {
        Access { role, archived, owns: person.name == "ada", unowned: false, admin: person.name == "root" }
    }
}

/// The time so many milliseconds from now, in Unix ms.
pub fn in_ms(ms: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("a time") + ms
}

/// A call, what it does with the document, and its body.
pub type Call = (&'static str, &'static str, Action, Option<Value>);
