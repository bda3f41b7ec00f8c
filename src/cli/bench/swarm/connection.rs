//! One non-blocking socket: bytes in, frames out, and what the kernel did not take yet.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;

/// A socket with its buffers, which are empty nearly always: 10,000 of them must be cheap.
#[derive(Debug)]
pub struct Connection {
    pub stream: TcpStream,
    open: bool,
    /// The beginning of a frame of which the rest is on its way.
    partial: Vec<u8>,
    unsent: Vec<u8>,
}

impl Connection {
    /// Connects, which on loopback takes no time worth a state of its own.
    ///
    /// # Errors
    /// Nobody listens, or the process has no file descriptor left.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Self { stream, open: true, partial: Vec::new(), unsent: Vec::new() })
    }

    /// Reads all that has arrived. `understand` is given the bytes that wait, what was left over included, and returns
    /// how many of them it used up.
    ///
    /// # Errors
    /// `UnexpectedEof` when the server has closed, and whatever `understand` objects to.
    pub fn receive(
        &mut self,
        scratch: &mut [u8],
        mut understand: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        loop {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let fresh = &scratch[..count];
            if self.partial.is_empty() {
                let used = understand(fresh)?;
                self.partial.extend_from_slice(&fresh[used..]);
            } else {
                self.partial.extend_from_slice(fresh);
                let used = understand(&self.partial)?;
                self.partial.drain(..used);
                if self.partial.is_empty() {
                    self.partial = Vec::new();
                }
            }
            if count < scratch.len() {
                // The socket is empty; to ask again would be a system call for nothing.
                return Ok(());
            }
        }
    }

    /// Sends bytes after all that wait; what the kernel does not take waits for [`Connection::flush`].
    ///
    /// # Errors
    /// The connection is broken.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.unsent.is_empty() {
            let taken = self.write(bytes)?;
            self.unsent.extend_from_slice(&bytes[taken..]);
        } else {
            self.unsent.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Goes on sending when the socket takes bytes again.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let taken = self.write(&unsent)?;
            self.unsent = unsent[taken..].to_vec();
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.stream.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Tells whether it has not been closed.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Ends the connection; errors of a socket that is broken already are of no interest.
    pub fn close(&mut self) {
        self.open = false;
        let _ = self.stream.shutdown(Shutdown::Both);
        self.partial = Vec::new();
        self.unsent = Vec::new();
    }
}
