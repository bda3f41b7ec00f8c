//! A network between a store and its server that loses answers on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WHOLE: u8 = 0;
const LOSES_ANSWERS: u8 = 1;
const SILENT: u8 = 2;

/// Passes bytes on, for as long as it is told to.
pub(super) struct Relay {
    pub(super) port: u16,
    state: Arc<AtomicU8>,
}

impl Relay {
    pub(super) async fn to(server: &str) -> Self {
        let address = server.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(AtomicU8::new(WHOLE));
        let seen = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&address).await else { continue };
                tokio::spawn(pass(client, server, seen.clone()));
            }
        });
        Self { port, state }
    }

    /// What the server answers next is lost, and the connection with it.
    pub(super) fn lose_answers(&self) {
        self.state.store(LOSES_ANSWERS, Ordering::SeqCst);
    }

    /// Nothing gets through from now on, and no connection ends.
    pub(super) fn fall_silent(&self) {
        self.state.store(SILENT, Ordering::SeqCst);
    }

    pub(super) fn mend(&self) {
        self.state.store(WHOLE, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, server: TcpStream, state: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = ([0; 16 << 10], [0; 16 << 10]);
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                if state.load(Ordering::SeqCst) != SILENT && to_server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                match state.load(Ordering::SeqCst) {
                    LOSES_ANSWERS => return,
                    SILENT => {}
                    _ if to_client.write_all(&answered[..count]).await.is_err() => return,
                    _ => {}
                }
            }
        }
    }
}
