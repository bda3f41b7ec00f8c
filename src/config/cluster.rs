//! Settings of one of several servers.

use actix_web::http::Uri;
use clap::Args;

/// Several servers on one database.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterSettings {
    /// Address at which the other servers of the same PostgreSQL database reach this one, http://HOST:PORT or https://HOST:PORT: the
    /// documents are shared out among all that have one. Without it a server takes all documents for itself.
    #[arg(long, env = "QUIRE_NODE_URL", value_name = "URL", value_parser = url)]
    pub node_url: Option<String>,
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
        assert_eq!(ClusterSettings { node_url: Some(String::new()) }.url(), None);
    }
}
