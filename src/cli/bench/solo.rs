//! One blocking connection, for what is measured one frame at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use socket2::{Domain, Socket, Type};

use super::dialect::{Dialect, client_id};
use super::target::Target;
use super::websocket::{
    Frame, first_frame, put_pong, put_text, put_text_header, upgrade_answer, upgrade_request,
};

/// A server that says nothing for so long is stuck.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes asked of the socket at once.
const READ: usize = 256 << 10;

/// A joined connection.
pub struct Solo {
    stream: TcpStream,
    /// Bytes that were received; those before `used` have been handed out.
    buffer: Vec<u8>,
    used: usize,
    out: Vec<u8>,
    client: [u8; 36],
}

impl Solo {
    /// Connects, upgrades, greets, and returns with the answer, the whole `welcome`; empty from the relay.
    ///
    /// # Errors
    /// The server refuses, or says nothing for 30 s.
    pub fn join(target: &Target, doc: &str) -> anyhow::Result<(Self, Vec<u8>)> {
        let stream = TcpStream::connect(target.address).context("connecting")?;
        Self::join_on(stream, target, doc)
    }

    /// As [`Solo::join`], with a receive buffer of the kernel that is as small as it can be.
    ///
    /// # Errors
    /// As [`Solo::join`].
    pub fn join_narrow(target: &Target, doc: &str) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::for_address(target.address), Type::STREAM, None)?;
        // Before connecting: the window that is announced then can grow no more.
        socket.set_recv_buffer_size(1)?;
        socket.connect(&SocketAddr::into(target.address)).context("connecting")?;
        Ok(Self::join_on(socket.into(), target, doc)?.0)
    }

    fn join_on(stream: TcpStream, target: &Target, doc: &str) -> anyhow::Result<(Self, Vec<u8>)> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let client = client_id(fastrand::u64(..), 0);
        let mut solo = Self { stream, buffer: Vec::new(), used: 0, out: Vec::new(), client };
        solo.upgrade(target.dialect, doc, &target.address.to_string())?;
        let Some(hello) = target.dialect.hello(&client) else { return Ok((solo, Vec::new())) };
        solo.send(&hello)?;
        let welcome = solo.next()?;
        if !welcome.starts_with(br#"{"type":"welcome""#) {
            bail!("not welcomed: {}", String::from_utf8_lossy(&welcome));
        }
        Ok((solo, welcome))
    }

    fn upgrade(&mut self, dialect: Dialect, doc: &str, host: &str) -> anyhow::Result<()> {
        self.stream.write_all(&upgrade_request(host, &dialect.path(doc)))?;
        loop {
            match upgrade_answer(&self.buffer) {
                Some(Ok(length)) => {
                    self.used = length;
                    return Ok(());
                }
                Some(Err(status)) => bail!("the upgrade was refused: {status}"),
                None => self.fill()?,
            }
        }
    }

    /// Returns this client's id.
    pub fn client(&self) -> &[u8; 36] {
        &self.client
    }

    /// Sends a text frame.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.out.clear();
        put_text(&mut self.out, payload);
        self.stream.write_all(&self.out)
    }

    /// Announces a text frame of `length` bytes and sends `bytes` of it, until the server objects.
    ///
    /// # Errors
    /// The server has closed, as it should.
    pub fn announce(&mut self, length: u64, bytes: usize) -> io::Result<()> {
        self.out.clear();
        put_text_header(&mut self.out, length);
        self.stream.write_all(&self.out)?;
        let chunk = [b'x'; 64 << 10];
        for _ in 0..bytes / chunk.len() {
            self.stream.write_all(&chunk)?;
        }
        Ok(())
    }

    /// Waits for the next text frame, answering pings meanwhile.
    ///
    /// # Errors
    /// The server has closed, or says nothing for 30 s.
    pub fn next(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            match first_frame(&self.buffer[self.used..])? {
                None => self.fill()?,
                Some((Frame::Text(payload), length)) => {
                    let payload = payload.to_vec();
                    self.used += length;
                    return Ok(payload);
                }
                Some((Frame::Ping(payload), length)) => {
                    self.out.clear();
                    put_pong(&mut self.out, payload);
                    self.used += length;
                    self.stream.write_all(&self.out)?;
                }
                Some((Frame::Pong, length)) => self.used += length,
                Some((Frame::Close(code), _)) => bail!("closed by the server with {code}"),
            }
        }
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let held = self.buffer.len();
        self.buffer.resize(held + READ, 0);
        let read = self.stream.read(&mut self.buffer[held..]);
        self.buffer.truncate(held + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => bail!("closed by the server"),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error).context("waiting for the server"),
        }
    }
}
