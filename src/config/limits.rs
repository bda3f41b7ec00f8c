//! Settings of what people may ask of the server, and by which gateways they come.

use std::time::Duration;

use clap::{Args, value_parser};
use ipnet::IpNet;

use super::{Limits, Switch};
use crate::limits::Quotas;

/// Operations in memory that are not durable take 4 MiB a document at most, so that a frame has to be smaller by far.
const MOST_FRAME_BYTES: u64 = 2 << 20;

/// What is more is refused, or put off until later.
#[derive(Args, Clone, Debug)]
pub struct LimitSettings {
    /// Whether requests, operations, openings, connections and sessions are limited as below; off for load tests.
    #[arg(long, env = "QUIRE_RATE_LIMITS", default_value = "on", value_name = "on|off")]
    pub rate_limits: Switch,

    /// Requests a second of one address (IPv6: of one /64).
    #[arg(long, env = "QUIRE_REQUESTS_PER_SECOND", default_value_t = 100, value_name = "N", value_parser = count())]
    pub requests_per_second: u32,

    /// Operations a second of one user, over all sessions and documents.
    #[arg(long, env = "QUIRE_OPERATIONS_PER_SECOND", default_value_t = 100, value_name = "N", value_parser = count())]
    pub operations_per_second: u32,

    /// Openings a minute of one document by one user, or by the guests of one address.
    #[arg(long, env = "QUIRE_OPENS_PER_MINUTE", default_value_t = 10, value_name = "N", value_parser = count())]
    pub opens_per_minute: u32,

    /// Sockets of one address: a school or an office may come by a single one.
    #[arg(long, env = "QUIRE_SOCKETS_PER_ADDRESS", default_value_t = 1_000, value_name = "N", value_parser = count())]
    pub sockets_per_address: u32,

    /// Sockets of one user with a token, over all documents.
    #[arg(long, env = "QUIRE_SOCKETS_PER_USER", default_value_t = 100, value_name = "N", value_parser = count())]
    pub sockets_per_user: u32,

    /// Documents that one user may own, those in the trash too, unless administrators say otherwise; without it as many as they like.
    #[arg(long, env = "QUIRE_DOCUMENTS_PER_USER", value_name = "N", value_parser = count())]
    pub documents_per_user: Option<u32>,

    /// Sessions in one document.
    #[arg(long, env = "QUIRE_SESSIONS_PER_DOCUMENT", default_value_t = 1_000, value_name = "N", value_parser = count())]
    pub sessions_per_document: u32,

    /// Connections in all.
    #[arg(long, env = "QUIRE_CONNECTIONS", default_value_t = 200_000, value_name = "N", value_parser = value_parser!(u32).range(10..))]
    pub connections: u32,

    /// Bytes of a document: text as UTF-8 plus attributes.
    #[arg(
        long,
        env = "QUIRE_DOCUMENT_BYTES",
        default_value_t = Limits::default().document_bytes,
        value_name = "BYTES",
        value_parser = value_parser!(u64).range(1_000..=20_000_000)
    )]
    pub document_bytes: u64,

    /// Bytes of a client's frame, and of the body of a request that is no document.
    #[arg(
        long,
        env = "QUIRE_FRAME_BYTES",
        default_value_t = Limits::default().frame_bytes as u64,
        value_name = "BYTES",
        value_parser = value_parser!(u64).range(65_536..=MOST_FRAME_BYTES)
    )]
    pub frame_bytes: u64,

    /// Bytes of bodies that are read at the same time: who comes with more waits.
    #[arg(
        long,
        env = "QUIRE_BODIES_BYTES",
        default_value_t = 256 << 20,
        value_name = "BYTES",
        value_parser = value_parser!(u64).range((128 << 20)..=(64 << 30))
    )]
    pub bodies_bytes: u64,

    /// How long the head of a request may take to arrive, in seconds.
    #[arg(long, env = "QUIRE_HEAD_TIMEOUT", default_value_t = 5, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=600))]
    pub head_timeout: u64,

    /// How long its body may take, in seconds.
    #[arg(long, env = "QUIRE_BODY_TIMEOUT", default_value_t = 60, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=3_600))]
    pub body_timeout: u64,

    /// How long a connection is kept for the next request, in seconds.
    #[arg(long, env = "QUIRE_KEEP_ALIVE", default_value_t = 5, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=600))]
    pub keep_alive: u64,

    /// Gateways that are believed where a request comes from, as networks such as 10.0.0.0/8 or addresses (comma separated).
    #[arg(long, env = "QUIRE_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORK", value_parser = network)]
    pub trusted_proxies: Vec<Option<IpNet>>,
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..=1_000_000)
}

/// Reads a network, or an address as the network of it alone; a variable that is set to nothing names none.
fn network(text: &str) -> Result<Option<IpNet>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let alone = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    let read = text.parse::<IpNet>().or_else(|_| alone());
    read.map(Some).map_err(|_| "a network such as 10.0.0.0/8, or an address, is wanted".to_owned())
}

impl LimitSettings {
    /// What callers may ask for; `None`: whatever they like.
    pub fn quotas(&self) -> Option<Quotas> {
        self.rate_limits.is_on().then_some(Quotas {
            requests_per_second: self.requests_per_second,
            operations_per_second: self.operations_per_second,
            opens_per_minute: self.opens_per_minute,
            sockets_per_address: self.sockets_per_address,
            sockets_per_user: self.sockets_per_user,
        })
    }

    /// Sessions in one document.
    pub fn sessions(&self) -> usize {
        if self.rate_limits.is_on() { self.sessions_per_document as usize } else { usize::MAX }
    }

    /// Puts into the limits that clients are told what is set here.
    #[must_use]
    pub fn told(&self, limits: Limits) -> Limits {
        Limits {
            frame_bytes: usize::try_from(self.frame_bytes).unwrap_or(limits.frame_bytes),
            document_bytes: self.document_bytes,
            ops_per_second: self.operations_per_second,
            ..limits
        }
    }

    /// How long the body of a request may take.
    pub fn body_within(&self) -> Duration {
        Duration::from_secs(self.body_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_or_an_address_is_a_gateway_s() {
        assert_eq!(network("10.0.0.0/8").unwrap().unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network(" 192.0.2.7 ").unwrap().unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(network("2001:db8::1").unwrap().unwrap().to_string(), "2001:db8::1/128");
        assert_eq!(network("").unwrap(), None);
        for bad in ["10.0.0.0/33", "gateway", "10.0.0"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }
}
