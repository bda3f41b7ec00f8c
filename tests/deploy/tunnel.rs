//! The client's end of TLS: a plain address on this machine, behind which everything goes encrypted to another one, so that
//! the clients of other tests can be used as they are.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::net::{TcpListener, TcpStream as AsyncStream};
use tokio_rustls::TlsConnector;

/// Lives as long as the test process.
pub struct Tunnel {
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Tunnel {
    /// To `HOST:PORT`, whose certificate this authority must have signed.
    pub fn to(address: &str, authority: &str) -> Self {
        let connector = TlsConnector::from(config(authority));
        let (bound, is_bound) = std::sync::mpsc::channel();
        let to = address.to_owned();
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                bound.send(listener.local_addr().expect("it is bound")).expect("it is waited for");
                loop {
                    let (plain, _) = listener.accept().await.expect("it listens");
                    tokio::spawn(pass(plain, to.clone(), connector.clone()));
                }
            });
        });
        Self { address: is_bound.recv().expect("the thread runs").to_string() }
    }
}

/// A connection that cannot be made is one that ends at once.
async fn pass(mut plain: AsyncStream, to: String, connector: TlsConnector) {
    let Ok(stream) = AsyncStream::connect(&to).await else { return };
    // As every client does; small frames would wait for each other.
    let _ = (plain.set_nodelay(true), stream.set_nodelay(true));
    let Ok(mut encrypted) = connector.connect(localhost(), stream).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut plain, &mut encrypted).await;
}

/// Shakes hands, and asks for `/healthz`; why that failed, else the answer.
pub fn ask(address: &str, authority: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let mut client = ClientConnection::new(config(authority), localhost()).expect("a sound configuration");
    client.complete_io(&mut stream).map_err(|error| error.to_string())?;
    let mut stream = rustls::StreamOwned::new(client, stream);
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

fn config(authority: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has them");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
