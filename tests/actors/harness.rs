//! A whole server in this process, on a store that fails on command, and a client with few words.

use std::sync::Arc;

use actix::prelude::*;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use quire::actors::clock::Clock;
use quire::actors::document::{Probe, Shared};
use quire::actors::journal::{Create, JournalActor};
use quire::actors::rebase::Rebaser;
use quire::actors::registry::{Equip, RegistryActor};
use quire::actors::snapshot::SnapshotActor;
use quire::app::{Application, Parts};
use quire::config::{DocumentSettings, ServeOptions};
use quire::ids::{DocumentId, HistoryId, UserId};
use quire::storage::{LoggedOp, NewDocument, OwnershipStore, SharedStore, SnapshotBodies};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::faulty::FaultyStore;

pub use super::faulty::PATIENCE;

/// An empty store.
pub fn memory() -> SharedStore {
    Arc::new(quire::storage::MemoryStore::default())
}

/// The actors behind a document, without HTTP: on the test's own thread, but for the documents that the registry opens.
pub struct Actors {
    pub store: Arc<FaultyStore>,
    pub bodies: Arc<SnapshotBodies>,
    pub shared: Arc<Shared>,
    _folder: tempfile::TempDir,
}

impl Actors {
    pub async fn start(settings: DocumentSettings) -> Self {
        let store = FaultyStore::over(memory());
        let folder = tempfile::tempdir().unwrap();
        let bodies = Arc::new(SnapshotBodies::local(folder.path()).unwrap());
        let epochs = store.claim_all("node").await.unwrap();
        let journal = JournalActor::new(store.clone(), "node".into(), epochs).await.unwrap();
        let shared = Arc::new(Shared {
            store: store.clone(),
            journal: journal.start(),
            snapshots: SnapshotActor::new(store.clone(), bodies.clone()).start(),
            registry: RegistryActor::new(bodies.clone(), &[Arbiter::new()]).start(),
            rebaser: Rebaser::new(store.clone(), 1),
            settings: Arc::new(settings),
            clock: Clock::system(),
            remote: None,
            permissions: None,
            probe: None,
        });
        shared.registry.send(Equip(shared.clone())).await.unwrap();
        Self { store, bodies, shared, _folder: folder }
    }

    /// Makes a document, with its first operation if there is one.
    pub async fn create(&self, doc: &DocumentId, first: Option<LoggedOp>) {
        let new = NewDocument {
            history: HistoryId::generate(),
            title: String::new(),
            owner: UserId::guest_rest(),
            created_at: 1,
            preview: String::new(),
            link: Some(quire::protocol::Role::Editor),
        };
        self.shared.journal.send(Create { doc: doc.clone(), new, first }).await.unwrap().unwrap();
    }
}

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    serve: ServeOptions,
}

pub struct Server {
    pub address: String,
    pub store: Arc<FaultyStore>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<actix_rt::task::JoinHandle<anyhow::Result<()>>>,
    _bodies: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(DocumentSettings::default(), None).await
    }

    pub async fn with(settings: DocumentSettings, probe: Option<Probe>) -> Self {
        let store = FaultyStore::over(memory());
        let folder = tempfile::tempdir().unwrap();
        let bodies = Arc::new(SnapshotBodies::local(folder.path()).unwrap());
        let options = Options::parse_from([
            "quire",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
            "--rate-limits",
            "off",
        ])
        .serve;
        let parts = Parts {
            store: store.clone(),
            bodies,
            settings,
            stream: None,
            archive: None,
            projections: None,
            permissions: None,
            annotations: None,
            accounts: None,
            audit: None,
            people: None,
            events: None,
            cluster: None,
            probe,
        };
        let application = Application::assemble(options, parts).await.unwrap();
        let address = application.address().to_string();
        let (stop, stopping) = oneshot::channel::<()>();
        let run = application.run_until(async {
            let _ = stopping.await;
        });
        let stopped = Some(actix_rt::spawn(run));
        Self { address, store, stop: Some(stop), stopped, _bodies: folder }
    }

    /// Makes a document with a text.
    pub async fn document(&self, id: &str, text: &str) {
        assert_eq!(self.try_document(id, text).await, 201);
    }

    /// Asks for a document with a text; returns the status of the answer.
    pub async fn try_document(&self, id: &str, text: &str) -> u16 {
        let body = json!({"id": id, "title": id, "content": [{"insert": text}]});
        self.request("POST", "/v1/docs", Some(body)).await.status
    }

    /// Sends a request, at once; what it is answered comes with the returned future.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = Answer> + use<> {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build(),
        );
        let body = body.map_or(Vec::new(), |body| body.to_string().into_bytes());
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let asked = tokio::task::spawn_blocking(move || {
            let mut answer = agent.run(request).expect("an answer");
            let retry_after = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
            let body = answer.body_mut().read_to_string().unwrap();
            Answer { status: answer.status().as_u16(), retry_after, body }
        });
        async move { asked.await.unwrap() }
    }

    /// Submits an insert at the beginning of version 1 by REST, under this key; the status and the body of the answer.
    pub fn submit(&self, id: &str, key: &str, text: &str) -> tokio::task::JoinHandle<(u16, Value)> {
        let url = format!("http://{}/v1/docs/{id}/ops", self.address);
        let body = json!({"base": 1, "delta": [{"insert": text}]});
        let key = key.to_owned();
        tokio::task::spawn_blocking(move || {
            let config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(PATIENCE))
                .build();
            let agent = ureq::Agent::from(config);
            let mut answer = agent.post(&url).header("idempotency-key", key).send_json(body).unwrap();
            (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
        })
    }

    pub async fn text(&self, id: &str) -> String {
        let url = format!("http://{}/v1/docs/{id}/content?format=text", self.address);
        let read = move || ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    pub async fn join(&self, id: &str) -> Client {
        let mut client = self.say_hello(id).await;
        client.welcome = client.expect("welcome").await;
        client.version = client.welcome["version"].as_u64().unwrap();
        client
    }

    /// Joins without waiting for the answer.
    pub async fn say_hello(&self, id: &str) -> Client {
        self.try_hello(id).await.expect("it is let in")
    }

    /// As [`Self::say_hello`], or returns the status with which the handshake was refused.
    pub async fn try_hello(&self, id: &str) -> Result<Client, u16> {
        let url = format!("ws://{}/v1/collab/{id}", self.address);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "quire.v1".parse().unwrap());
        let socket = match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(refused)) => return Err(refused.status().as_u16()),
            Err(error) => panic!("no handshake: {error}"),
        };
        let mut client = Client { socket, version: 0, welcome: Value::Null };
        client.send(json!({"type": "hello", "client": uuid::Uuid::new_v4()})).await;
        Ok(client)
    }

    /// Tells it to stop, and does not wait for that.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops it gracefully.
    pub async fn stop(mut self) {
        self.begin_stop();
        self.ended().await.unwrap();
    }

    /// Waits until it has ended; what it says is what the process would exit with.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let stopped = self.stopped.take().expect("it has not ended before");
        tokio::time::timeout(PATIENCE, stopped).await.expect("it stops in time").unwrap()
    }
}

/// What REST has answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: String,
}

#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub version: u64,
    pub welcome: Value,
}

impl Client {
    pub async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Inserts a text at the beginning.
    pub async fn insert(&mut self, seq: u64, text: &str) {
        let edit = json!({"type": "insert", "pos": 0, "text": text});
        self.send(json!({"type": "op", "seq": seq, "base": self.version, "edit": edit})).await;
    }

    /// Returns the next frame, whatever it is; pings are passed over.
    pub async fn next(&mut self) -> Value {
        // Over all that is passed over: the server pings for ever.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let next = timeout_at(deadline, self.socket.next()).await.expect("an answer in time");
            match next.expect("the connection is open").unwrap() {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] == "ops" {
                        let upto =
                            frame["base"].as_u64().unwrap() + frame["ops"].as_array().unwrap().len() as u64;
                        self.version = self.version.max(upto);
                    }
                    return frame;
                }
                Message::Close(close) => panic!("closed: {close:?}"),
                _ => {}
            }
        }
    }

    /// Waits until the connection is closed, and returns the code.
    pub async fn closed(&mut self) -> Option<u16> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match timeout_at(deadline, self.socket.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(close))) => return close.map(|close| close.code.into()),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    }

    /// Returns the next frame, which is of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// Inserts, and waits until it has come back.
    pub async fn write(&mut self, seq: u64, text: &str) {
        self.insert(seq, text).await;
        loop {
            let frame = self.expect("ops").await;
            if frame["ops"].as_array().unwrap().iter().any(|op| op["seq"] == seq) {
                return;
            }
        }
    }
}
