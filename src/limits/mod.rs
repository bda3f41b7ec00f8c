//! How much anybody may ask of this server: requests of an address, operations of a user, openings of a document, and
//! connections of both. What is too much is put off and told when to come again; nobody else feels it.
//!
//! Every limit is kept here, in memory that is bounded ([`table`]), and decides at once; where there is a Redis, servers share
//! what they have counted ([`rates`]). Without Redis each server limits for itself.

pub mod bucket;
pub mod network;
pub mod opens;
pub mod places;
pub mod rates;
pub mod shares;
pub mod table;

use std::sync::Arc;

pub use self::network::Network;
use self::opens::Opens;
use self::places::Places;
use self::rates::Rates;
use crate::ids::UserId;
use crate::metrics::METRICS;
use crate::redis::buckets::{Buckets, Rate};

/// Addresses, users, and users with documents that are remembered at once, each kind for itself: some 64 bytes each.
const REMEMBERED: usize = 1 << 16;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Requests a second of an address; as many at once.
    pub requests_per_second: u32,
    /// Operations a second of a user, over all sessions and documents; as many at once.
    pub operations_per_second: u32,
    /// Openings a minute of a document by a user, or by the guests of an address; as many at once.
    pub opens_per_minute: u32,
    /// Sockets of an address.
    pub sockets_per_address: u32,
    /// Sockets of a user with a token.
    pub sockets_per_user: u32,
}

/// Whom a limit is about: guests go by their address, since they can call themselves anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    User(UserId),
    Guests(Network),
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Guests(network) => write!(f, "guest:{network}"),
        }
    }
}

/// All limits of a server. Shared by its threads.
pub struct Limiter {
    pub requests: Arc<Rates>,
    pub operations: Arc<Rates>,
    pub opens: Opens,
    /// Sockets by the address of their client.
    pub by_address: Arc<Places>,
    /// Connections by the address of their peer, unless that is a gateway. There may be twice as many as sockets, so that one
    /// too many is mostly told why.
    pub by_peer: Arc<Places>,
    /// Sockets by user.
    pub by_user: Arc<Places>,
}

impl Limiter {
    /// Keeps to these quotas, and shares what is counted through `buckets`, if there are any.
    pub fn new(quotas: &Quotas, buckets: Option<&Buckets>) -> Self {
        let rate = |name, per_second: f64, burst: u32| {
            let rate = Rate { per_second, burst: burst.into() };
            let refused = METRICS.limited.with_label_values(&[name]);
            Arc::new(Rates::new(name, rate, REMEMBERED, buckets.cloned(), refused))
        };
        let places = |name, most| Arc::new(Places::new(most, METRICS.limited.with_label_values(&[name])));
        let opens = quotas.opens_per_minute;
        Self {
            requests: rate("requests", quotas.requests_per_second.into(), quotas.requests_per_second),
            operations: rate("operations", quotas.operations_per_second.into(), quotas.operations_per_second),
            opens: Opens::new(rate("opens", f64::from(opens) / 60.0, opens), REMEMBERED, buckets.cloned()),
            by_address: places("address", quotas.sockets_per_address),
            by_peer: places("connections", quotas.sockets_per_address.saturating_mul(2)),
            by_user: places("user", quotas.sockets_per_user),
        }
    }
}
