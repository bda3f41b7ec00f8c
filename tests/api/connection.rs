//! One WebSocket to a server under test: frames of the protocol out and in, and how it ended.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client_with_config};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::harness::PATIENCE;

/// See the module's documentation.
pub struct Connection {
    socket: WebSocket<TcpStream>,
    /// WebSocket pings of the server so far.
    pub pings: usize,
}

/// A frame, or the end of the connection.
#[derive(Debug)]
pub enum Incoming {
    Frame(Value),
    /// With the code of the close frame, if there was one.
    Closed(Option<u16>),
}

impl Connection {
    /// Opens `/v1/collab/{doc}` at `HOST:PORT`.
    ///
    /// # Errors
    /// What kept it from opening: the server may be down.
    pub fn open(address: &str, doc: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        Self::open_over(stream, address, doc)
    }

    /// As [`Connection::open`], over a socket whose buffer takes next to nothing, for who is not going to read.
    pub fn open_narrow(address: &str, doc: &str) -> Result<Self, String> {
        let connect = || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.set_recv_buffer_size(4096)?;
            socket.connect(&address.parse::<std::net::SocketAddr>().expect("an address").into())?;
            Ok::<_, std::io::Error>(socket.into())
        };
        Self::open_over(connect().map_err(|error| error.to_string())?, address, doc)
    }

    fn open_over(stream: TcpStream, address: &str, doc: &str) -> Result<Self, String> {
        let mut request =
            format!("ws://{address}/v1/collab/{doc}").into_client_request().expect("an address");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("quire.v1"));
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        // A welcome is as large as the document.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match client_with_config(request, stream, Some(config)) {
            Ok((socket, _)) => Ok(Self { socket, pings: 0 }),
            Err(HandshakeError::Failure(error)) => Err(error.to_string()),
            Err(HandshakeError::Interrupted(_)) => Err("no answer in time".into()),
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn send(&mut self, frame: &Value) -> Result<(), String> {
        self.send_text(frame.to_string())
    }

    /// Sends a text, a frame of the protocol or not.
    pub fn send_text(&mut self, text: String) -> Result<(), String> {
        self.socket.send(Message::text(text)).map_err(|error| error.to_string())
    }

    /// The next frame, within the patience of a test.
    #[track_caller]
    pub fn next(&mut self) -> Incoming {
        self.next_within(PATIENCE).expect("the server says nothing")
    }

    /// The next frame; `None` if there is none in time.
    pub fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.get_ref().set_read_timeout(Some(left)).expect("not zero");
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let frame = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
                    return Some(Incoming::Frame(frame));
                }
                Ok(Message::Close(frame)) => return Some(Incoming::Closed(self.finish(frame))),
                // Answered by the library.
                Ok(Message::Ping(_)) => self.pings += 1,
                Ok(other) => panic!("the server sends text frames only, not {other:?}"),
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return None;
                    }
                }
                Err(_) => return Some(Incoming::Closed(None)),
            }
        }
    }

    /// Completes the closing handshake.
    fn finish(&mut self, frame: Option<CloseFrame>) -> Option<u16> {
        // The server may be gone already.
        let _ = self.socket.flush();
        frame.map(|frame| frame.code.into())
    }

    /// Closes it as a browser does that leaves the page.
    pub fn close(mut self) {
        // It may be closed already.
        let _ = self.socket.close(None);
        while matches!(self.next_within(PATIENCE), Some(Incoming::Frame(_))) {}
    }
}
