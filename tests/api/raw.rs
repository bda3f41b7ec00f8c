//! Bytes on a socket, where a library would keep a test from sending what no library sends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::harness::PATIENCE;

/// The answer to a request, up to its body.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends a request of HTTP/1.1 with exactly these headers, and reads the head of the answer.
pub fn request(address: &str, line: &str, headers: &[(&str, String)]) -> (Head, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
    let mut text = format!("{line} HTTP/1.1\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).expect("the request is sent");
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader).expect("the server answers");
    (head, reader)
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no status line"))?;
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    Ok(Head { status, headers: lines[1..].iter().filter_map(header).collect() })
}

/// The headers of a sound handshake with this server.
pub fn handshake_headers(address: &str) -> Vec<(&'static str, String)> {
    [
        ("Host", address),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", "quire.v1"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Opcodes of RFC 6455, section 5.2.
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// The header of a whole frame that announces `length` bytes, with a mask of zero.
pub fn frame_header(opcode: u8, length: u64) -> Vec<u8> {
    header(0x80 | opcode, length)
}

fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..126 => header.push(0x80 | length as u8),
        126..65_536 => {
            header.push(0x80 | 126);
            header.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend_from_slice(&length.to_be_bytes());
        }
    }
    header.extend_from_slice(&[0; 4]);
    header
}

/// A WebSocket on which any bytes can be sent.
pub struct RawSocket {
    stream: BufReader<TcpStream>,
}

/// What came in.
#[derive(Debug)]
pub enum RawIncoming {
    Frame(Value),
    /// With the code of the close frame, if there was one.
    Closed(Option<u16>),
}

impl RawSocket {
    pub fn open(address: &str, doc: &str) -> Self {
        Self::open_offering(address, doc, "quire.v1")
    }

    /// Opens it with these subprotocols.
    pub fn open_offering(address: &str, doc: &str, subprotocols: &str) -> Self {
        let mut headers = handshake_headers(address);
        headers.retain(|(name, _)| *name != "Sec-WebSocket-Protocol");
        headers.push(("Sec-WebSocket-Protocol", subprotocols.to_owned()));
        let (head, stream) = request(address, &format!("GET /v1/collab/{doc}"), &headers);
        assert_eq!(head.status, 101, "{head:?}");
        Self { stream }
    }

    /// Sends the header of a whole frame that announces `length` bytes. The mask is zero: the payload goes as it is.
    pub fn announce(&mut self, opcode: u8, length: u64) -> io::Result<()> {
        self.send_header(0x80 | opcode, length)
    }

    /// Sends a part of a message; more follow unless it is the last.
    pub fn send_fragment(&mut self, opcode: u8, payload: &[u8], last: bool) -> io::Result<()> {
        self.send_header(u8::from(last) << 7 | opcode, payload.len() as u64)?;
        self.send_bytes(payload)
    }

    fn send_header(&mut self, first: u8, length: u64) -> io::Result<()> {
        self.send_bytes(&header(first, length))
    }

    /// Sends bytes as they are: a part of an announced payload, say.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a whole frame.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        self.announce(opcode, payload.len() as u64)?;
        self.send_bytes(payload)
    }

    /// Whether the server has said something that has not been read yet, or has ended the connection.
    pub fn has_input(&self) -> bool {
        let socket = self.stream.get_ref();
        socket.set_nonblocking(true).expect("a socket");
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false).expect("a socket");
        !self.stream.buffer().is_empty()
            || !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The next text frame, or the end. Pings are answered.
    pub fn next(&mut self) -> RawIncoming {
        loop {
            match self.read_frame() {
                Ok((opcode::TEXT, payload)) => {
                    let text = String::from_utf8(payload).expect("the server sends UTF-8");
                    return RawIncoming::Frame(serde_json::from_str(&text).expect("the server sends JSON"));
                }
                Ok((opcode::CLOSE, payload)) => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return RawIncoming::Closed(code);
                }
                Ok((opcode::PING, payload)) => {
                    // If it cannot be sent, the next read tells why.
                    let _ = self.send(opcode::PONG, &payload);
                }
                Ok((opcode::PONG, _)) => {}
                Ok((other, _)) => panic!("the server sends text frames only, not opcode {other}"),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the server says nothing"),
                Err(_) => return RawIncoming::Closed(None),
            }
        }
    }

    /// A frame of the server: whole, unmasked.
    fn read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start)?;
        assert_eq!(start[0] & 0xf0, 0x80, "the server sends whole frames without extensions");
        let length = match start[1] {
            126 => u64::from(u16::from_be_bytes(self.read_array()?)),
            127 => u64::from_be_bytes(self.read_array()?),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.stream.read_exact(&mut payload)?;
        Ok((start[0] & 0x0f, payload))
    }

    fn read_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
