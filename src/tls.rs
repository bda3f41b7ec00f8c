//! TLS 1.3 for the server's own address, with a certificate that can be exchanged while it runs; and whom to trust at the
//! other end of connections that the server makes.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Where certificate and key are.
#[derive(Clone, Debug)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{given} is given without {missing}")]
    Half { given: &'static str, missing: &'static str },
    #[error("{} cannot be read", path.display())]
    File { path: PathBuf, source: pem::Error },
    #[error("{} has no certificate in it", path.display())]
    Empty { path: PathBuf },
    #[error("key and certificate cannot be used")]
    Key(#[from] rustls::Error),
    #[error("{} has a certificate that cannot be used", path.display())]
    Authority { path: PathBuf, source: rustls::Error },
    #[error("the system has no authorities to trust")]
    NoAuthorities,
}

/// The certificate of the moment, shared with every connection that begins.
#[derive(Debug)]
pub struct Identity {
    files: Files,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A file cannot be read, or the two do not belong together.
    pub fn read(files: Files) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(certified(&files)?));
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads them again, for connections that begin from now on.
    ///
    /// # Errors
    /// As [`Self::read`]; the certificate is then the one from before.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(certified(&self.files)?);
        *self.current.write() = fresh;
        Ok(())
    }

    /// Returns how connections are to be accepted.
    ///
    /// # Errors
    /// The library has no TLS 1.3.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
        Ok(builder.with_no_client_auth().with_cert_resolver(self.clone()))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().clone())
    }
}

/// Returns how to connect to servers whose certificates one of these authorities has signed: those of a file (PEM), or of the
/// system.
///
/// # Errors
/// The file cannot be read, or there is no authority.
pub fn client_config(authorities: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let roots = match authorities {
        Some(path) => read_authorities(path)?,
        None => system_authorities()?,
    };
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Returns how to connect where nothing is encrypted: whoever is spoken to by TLS all the same is not believed.
///
/// # Errors
/// The library has no protocol to speak.
pub fn trusting_nobody() -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Reads the authorities of a file (PEM).
///
/// # Errors
/// It cannot be read, or has no certificate in it, or one that cannot be used.
pub fn read_authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for cert in read_certificates(path)? {
        roots.add(cert).map_err(|source| TlsError::Authority { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

/// What cannot be read of them is left out: among a hundred there may be one that is none.
fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certified(files: &Files) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_reader(open(&files.key)?)
        .map_err(|source| TlsError::File { path: files.key.clone(), source })?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

/// Reads the certificates of a file (PEM), of which there is one at least.
///
/// # Errors
/// It cannot be read, or has none in it.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_reader_iter(open(path)?)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    if certificates.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(certificates) }
}

fn open(path: &Path) -> Result<BufReader<File>, TlsError> {
    let failed = |error| TlsError::File { path: path.to_owned(), source: pem::Error::Io(error) };
    File::open(path).map(BufReader::new).map_err(failed)
}
