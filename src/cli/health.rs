//! `quire health`: whether the server beside it answers, for images without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::config::{TlsSettings, address};

/// How long it may take in all.
const WITHIN: Duration = Duration::from_secs(2);

/// What `quire health` is told: what the server is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire health                          the server of the same settings, on this machine
  quire health --listen 127.0.0.1:9000

Asks /healthz; of a server with TLS only whether it takes connections. Exit code: 0 if it answers; 1 if not.")]
pub struct HealthOptions {
    /// Address that the server listens on.
    #[arg(long, env = "QUIRE_LISTEN", default_value = "127.0.0.1:8080", value_name = "HOST:PORT", value_parser = address)]
    listen: SocketAddr,

    #[command(flatten)]
    tls: TlsSettings,
}

/// Asks the server.
///
/// # Errors
/// It does not answer, or not with 200.
pub fn run(options: &HealthOptions) -> anyhow::Result<()> {
    let address = reachable(options.listen);
    if options.tls.files()?.is_some() {
        TcpStream::connect_timeout(&address, WITHIN)
            .with_context(|| format!("nothing listens on {address}"))?;
        return Ok(());
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(WITHIN)).build().into();
    agent
        .get(format!("http://{address}/healthz"))
        .call()
        .with_context(|| format!("{address} is not well"))?;
    Ok(())
}

/// An address that stands for all of a machine's is not one to connect to everywhere.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}
