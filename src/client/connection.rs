//! A replica on a WebSocket.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::replica::{Event, Replica, ReplicaError};
use super::wire::{self, NotUnderstood};
use crate::ids::{ClientId, DocumentId};
use crate::ot::{Delta, Document};
use crate::protocol::{ClientMessage, ErrorMessage, Hello, Reconnect, SUBPROTOCOL, ServerMessage};

/// Bytes of the largest frame taken: a `welcome` is as large as its document, of 10 MB, with its attributes as JSON.
const MAX_FRAME: usize = 256 << 20;

/// How long an answer may take, and the server be silent: it pings every 5 s.
const SILENCE: Duration = Duration::from_secs(15);

/// Waiting times between attempts to come back, in seconds; the last one repeats.
const BACK_OFF: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0];

/// Who connects, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The name that a guest goes by.
    pub name: Option<String>,
    /// A token, where guests may not.
    pub token: Option<String>,
}

/// Why a client was interrupted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection is gone; [`Client::reconnect`] makes a new one, and nothing that is pending is lost.
    #[error("the connection was lost: {0}")]
    Disconnected(String),
    /// The server refuses this client or document, and would again.
    #[error("the server refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error(transparent)]
    NotUnderstood(#[from] NotUnderstood),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A replica with its connection.
///
/// Nothing happens by itself: [`Client::step`] moves frames, so that whoever calls it knows when the content changes.
pub struct Client {
    /// The socket's address, such as `ws://127.0.0.1:8080/v1/collab/ID`.
    url: String,
    options: Options,
    socket: Socket,
    replica: Replica,
    events: VecDeque<Event>,
    /// When the operation in flight is to be sent again.
    retry: Option<Instant>,
    /// What the server asked to wait before coming back.
    after: Option<Duration>,
}

impl Client {
    /// Joins a document of the server at `url` (`http://HOST:PORT`) as a new client, and loads its content.
    ///
    /// # Errors
    /// `Refused` when the handshake or `hello` is answered with a refusal; `Disconnected` when nobody answers.
    pub async fn connect(url: &str, doc: &DocumentId, options: Options) -> Result<Self, ClientError> {
        let base = url.trim_end_matches('/');
        let base = base.strip_prefix("http").map_or(base.to_owned(), |rest| format!("ws{rest}"));
        let url = format!("{base}/v1/collab/{doc}");
        let mut replica = Replica::new(ClientId::generate());
        let hello = replica.hello(options.name.clone());
        let socket = greet(&url, &options, hello).await?;
        let events = VecDeque::new();
        let mut client = Self { url, options, socket, replica, events, retry: None, after: None };
        while !matches!(client.step().await?, Event::Loaded) {}
        Ok(client)
    }

    /// Comes back after `Disconnected`, with everything that is pending: waits as the server asked or with growing
    /// back-off, and tries until it is welcomed or refused.
    ///
    /// # Errors
    /// `Refused`.
    pub async fn reconnect(&mut self) -> Result<(), ClientError> {
        let mut wait = self.after.take().unwrap_or_else(|| with_jitter(BACK_OFF[0]));
        let mut attempts = 0;
        loop {
            tokio::time::sleep(wait).await;
            let hello = self.replica.hello(self.options.name.clone());
            match greet(&self.url, &self.options, hello).await {
                Ok(socket) => {
                    self.socket = socket;
                    self.retry = None;
                    return Ok(());
                }
                Err(ClientError::Disconnected(_)) => {
                    attempts = (attempts + 1).min(BACK_OFF.len() - 1);
                    wait = with_jitter(BACK_OFF[attempts]);
                }
                Err(refused) => return Err(refused),
            }
        }
    }

    /// The content as its user sees it.
    pub fn content(&self) -> &Document {
        self.replica.content()
    }

    /// The replica itself.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Applies an edit and sends it, or keeps it until the one in flight has come back.
    ///
    /// # Errors
    /// `Replica` for an edit that does not fit, with nothing changed; `Disconnected`, with the edit kept.
    pub async fn edit(&mut self, edit: Delta) -> Result<(), ClientError> {
        self.replica.edit(edit)?;
        self.send_due().await
    }

    /// Waits for the next thing that happens.
    ///
    /// # Errors
    /// See [`ClientError`]. Dropping the future loses nothing.
    pub async fn step(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.send_due().await?;
            let retry = self.retry.unwrap_or_else(|| Instant::now() + SILENCE);
            let frame = tokio::select! {
                frame = timeout(SILENCE, self.socket.next()) => frame,
                () = sleep_until(retry), if self.retry.is_some() => {
                    self.retry = None;
                    self.replica.resend();
                    continue;
                }
            };
            match frame {
                Err(_) => return Err(ClientError::Disconnected("the server says nothing".to_owned())),
                Ok(None) => return Err(ClientError::Disconnected("closed by the server".to_owned())),
                Ok(Some(Err(error))) => return Err(ClientError::Disconnected(error.to_string())),
                Ok(Some(Ok(Message::Text(text)))) => self.understand(&text)?,
                Ok(Some(Ok(Message::Close(frame)))) => {
                    let why =
                        frame.map_or_else(|| "closed by the server".to_owned(), |frame| frame.to_string());
                    return Err(ClientError::Disconnected(why));
                }
                // Pings are answered by the library while the next frame is read.
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    /// Goes on until every edit has been acknowledged.
    ///
    /// # Errors
    /// As [`Client::step`]; an edit that could not be kept is `Refused`.
    pub async fn synchronise(&mut self) -> Result<(), ClientError> {
        while !self.replica.is_synchronised() {
            if let Event::Lost { message, .. } = self.step().await? {
                return Err(ClientError::Refused(message));
            }
        }
        Ok(())
    }

    /// Leaves; what is pending stays pending.
    ///
    /// # Errors
    /// `Disconnected`: the connection was gone already.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.socket.close(None).await.map_err(disconnected)
    }

    async fn send_due(&mut self) -> Result<(), ClientError> {
        let Some(op) = self.replica.next_op() else { return Ok(()) };
        let text = wire::write(&ClientMessage::Op(op)).map_err(NotUnderstood::from)?;
        self.socket.send(Message::text(text)).await.map_err(disconnected)
    }

    fn understand(&mut self, text: &str) -> Result<(), ClientError> {
        let event = match wire::read(text)? {
            Some(ServerMessage::Welcome(welcome)) => self.replica.welcome(&welcome)?,
            Some(ServerMessage::Ops(ops)) => {
                self.events.extend(self.replica.ops(&ops)?);
                return Ok(());
            }
            Some(ServerMessage::Error(error)) => self.refused(error)?,
            Some(ServerMessage::Reconnect(Reconnect { after_ms, .. })) => {
                self.after = Some(Duration::from_millis(after_ms));
                Event::Nothing
            }
            // `ack` settles nothing by itself: the operation is in the stream.
            _ => Event::Nothing,
        };
        self.events.push_back(event);
        Ok(())
    }

    fn refused(&mut self, error: ErrorMessage) -> Result<Event, ClientError> {
        if error.fatal {
            return Err(ClientError::Refused(error.message));
        }
        let event = self.replica.refused(&error)?;
        if let Event::RetryAfter(ms) = &event {
            self.retry = Some(Instant::now() + Duration::from_millis(*ms));
        }
        Ok(event)
    }
}

/// Opens a socket and sends `hello`.
async fn greet(url: &str, options: &Options, hello: Hello) -> Result<Socket, ClientError> {
    let refused = |error: &dyn std::fmt::Display| ClientError::Refused(format!("{url}: {error}"));
    let mut request = url.into_client_request().map_err(|error| refused(&error))?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    if let Some(token) = &options.token {
        let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| refused(&error))?;
        headers.insert("authorization", value);
    }
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    // Small frames must not wait for the acknowledgement of the one before.
    let connecting = connect_async_with_config(request, Some(config), true);
    let mut socket = match timeout(SILENCE, connecting).await {
        Err(_) => return Err(ClientError::Disconnected("nobody answers".to_owned())),
        Ok(Err(SocketError::Http(answer))) if answer.status().is_client_error() && answer.status() != 429 => {
            return Err(refused(&answer.status()));
        }
        Ok(connected) => connected.map_err(disconnected)?.0,
    };
    let text = wire::write(&ClientMessage::Hello(hello)).map_err(NotUnderstood::from)?;
    socket.send(Message::text(text)).await.map_err(disconnected)?;
    Ok(socket)
}

fn disconnected(error: SocketError) -> ClientError {
    ClientError::Disconnected(error.to_string())
}

/// Spreads the clients of a server that has restarted: between half and the whole of `seconds`.
fn with_jitter(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds * (0.5 + fastrand::f64() / 2.0))
}
