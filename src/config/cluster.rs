//! Settings of one of several servers.

use std::path::PathBuf;

use actix_web::http::Uri;
use clap::Args;
use rustls::ClientConfig;

use super::tls::{named, path};
use crate::tls::{self, TlsError};

/// Several servers on one database.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterSettings {
    /// Address at which the other servers of the same PostgreSQL database reach this one, http://HOST:PORT or https://HOST:PORT: the
    /// documents are shared out among all that have one. Without it a server takes all documents for itself.
    #[arg(long, env = "QUIRE_NODE_URL", value_name = "URL", value_parser = url)]
    pub node_url: Option<String>,

    /// Authority (PEM) that has signed the certificates of servers with an https address; without one those of the system are trusted.
    #[arg(long, env = "QUIRE_NODE_CA", value_name = "FILE", value_parser = path())]
    pub node_ca: Option<PathBuf>,
}

/// Why other servers cannot be reached as they are to be.
#[derive(Debug, thiserror::Error)]
pub enum NodeSettingsError {
    #[error("--node-ca")]
    Authority(#[source] TlsError),
    #[error("--node-ca is given, and the address of --node-url does not begin with https://")]
    Plain,
    #[error("--node-url is https")]
    Trust(#[source] TlsError),
}

/// Why there is no cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotShared {
    #[error("--node-url is for several servers on one PostgreSQL database: --database-url is missing")]
    Database,
    #[error(
        "--node-url is for several servers, which share larger snapshots and archived operations: --object-store-url is missing"
    )]
    Objects,
}

impl ClusterSettings {
    /// Returns the address; `None` for a server that is alone. A variable that is set to nothing is not set.
    pub fn url(&self) -> Option<&str> {
        self.node_url.as_deref().filter(|url| !url.is_empty())
    }

    /// Returns whom to believe to be another server: where this one is reached by http, nobody who speaks https.
    ///
    /// # Errors
    /// The authority cannot be read, or is named where nothing is encrypted; the system has none.
    pub fn trust(&self) -> Result<ClientConfig, NodeSettingsError> {
        let is_secure = self.url().is_some_and(|url| url.starts_with("https://"));
        match named(self.node_ca.as_ref()) {
            Some(_) if !is_secure => Err(NodeSettingsError::Plain),
            Some(authority) => tls::client_config(Some(authority)).map_err(NodeSettingsError::Authority),
            None if is_secure => tls::client_config(None).map_err(NodeSettingsError::Trust),
            None => tls::trusting_nobody().map_err(NodeSettingsError::Trust),
        }
    }
}

fn url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let wanted = || "http://HOST:PORT or https://HOST:PORT is wanted, and nothing after it".to_owned();
    let uri: Uri = text.parse().map_err(|_| wanted())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_bare = uri.path() == "/" && uri.query().is_none() && !text.contains(['@', '#']);
    let is_address = uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16() != Some(0);
    if is_web && is_bare && is_address { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wanted()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_a_server_and_of_nothing_on_it() {
        for good in ["http://10.0.0.7:8080", "https://quire-0.quire.example", "http://[2001:db8::7]:80"] {
            assert_eq!(url(good).as_deref(), Ok(good));
        }
        assert_eq!(url("http://a:1/").as_deref(), Ok("http://a:1"));
        for bad in [
            "10.0.0.7:8080",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://u:p@a",
            "http://a:0",
            "a",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
        let unset = ClusterSettings { node_url: Some(String::new()), node_ca: Some(PathBuf::new()) };
        assert_eq!(unset.url(), None);
        assert!(unset.trust().is_ok());
    }

    #[test]
    fn an_authority_is_one_that_can_be_read_and_is_needed() {
        let told = |url: &str| ClusterSettings {
            node_url: Some(url.to_owned()),
            node_ca: Some("/nowhere/ca.pem".into()),
        };
        assert!(matches!(told("http://a").trust(), Err(NodeSettingsError::Plain)));
        assert!(matches!(told("https://a").trust(), Err(NodeSettingsError::Authority(_))));
    }
}
