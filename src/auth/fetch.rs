//! Asking others over HTTP: TLS by this program's rules, answers of bounded time and size, and no redirects.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// How long another server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of an answer at most.
pub const MOST_BYTES: u64 = 1 << 20;

/// Tells whether what comes from an address cannot be changed on its way: https, or this very machine.
pub fn is_safe(uri: &Uri) -> bool {
    let local = ["127.0.0.1", "localhost", "[::1]"].contains(&uri.host().unwrap_or_default());
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => local,
        _ => false,
    }
}

/// Begins an agent; certificates are checked by the authorities of a file, or of the system.
///
/// # Errors
/// The file cannot be read.
pub fn agent(authorities: Option<&Path>) -> anyhow::Result<ConfigBuilder<AgentScope>> {
    let found = match authorities {
        Some(path) => crate::tls::read_certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let roots: Vec<_> = found.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).max_redirects(0).tls_config(tls);
    Ok(config)
}
