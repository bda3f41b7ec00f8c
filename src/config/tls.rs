//! Settings of TLS for the server's own address.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::tls::{Files, TlsError};

/// With what the server proves who it is.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsSettings {
    /// Certificate chain (PEM, the server's own first) to serve https and wss with; read again on SIGHUP.
    #[arg(long, env = "QUIRE_TLS_CERT", value_name = "FILE", value_parser = path())]
    pub tls_cert: Option<PathBuf>,

    /// Private key (PEM) of that certificate.
    #[arg(long, env = "QUIRE_TLS_KEY", value_name = "FILE", value_parser = path())]
    pub tls_key: Option<PathBuf>,

    /// Seconds for which browsers that came by TLS use nothing else for this host (Strict-Transport-Security); 0: not told.
    #[arg(long, env = "QUIRE_HSTS", default_value_t = 0, value_name = "SECONDS")]
    pub hsts: u64,
}

/// Takes what is empty too: a variable that is set to nothing.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A variable that is set to nothing is not set.
pub(super) fn named(path: Option<&PathBuf>) -> Option<&Path> {
    path.map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty())
}

impl TlsSettings {
    /// Returns what browsers are told about TLS: `None` for nothing.
    pub fn hsts(&self) -> Option<String> {
        (self.hsts > 0).then(|| format!("max-age={}", self.hsts))
    }

    /// Returns the files; `None` when the server is to speak plain HTTP.
    ///
    /// # Errors
    /// One is named without the other.
    pub fn files(&self) -> Result<Option<Files>, TlsError> {
        match (named(self.tls_cert.as_ref()), named(self.tls_key.as_ref())) {
            (Some(cert), Some(key)) => Ok(Some(Files { cert: cert.to_owned(), key: key.to_owned() })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(TlsError::Half { given: "--tls-cert", missing: "--tls-key" }),
            (None, Some(_)) => Err(TlsError::Half { given: "--tls-key", missing: "--tls-cert" }),
        }
    }
}
