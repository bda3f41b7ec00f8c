//! The servers that share one database: who is there, who has which shard, and how one takes it.
//!
//! The table of members is a hint of who should try. Whoever is wrong about it loses nothing but time: an append is taken under the
//! epoch of its shard or not at all ([`OwnershipStore`](super::OwnershipStore)).

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::ids::{Epoch, Millis, Shard};

/// Bytes of the secret that the servers of a database share.
pub const SECRET_BYTES: usize = 32;

/// A server that has not been seen for so long by the clock of the database does not count as one, in ms.
pub const ALIVE_FOR: Millis = 10_000;

/// A server of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// New at every start.
    pub node: String,
    /// At which the others reach it.
    pub url: String,
    /// By the clock of the database, in Unix ms.
    pub started_at: Millis,
    /// For how long it has said nothing, in ms.
    pub silent_for: Millis,
    /// It is about to stop, and gives its shards away.
    pub draining: bool,
}

impl Member {
    /// Tells whether it was seen of late.
    pub fn is_alive(&self) -> bool {
        self.silent_for < ALIVE_FOR
    }
}

/// Who has a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Empty for one that nobody has.
    pub node: String,
    /// Whom it was moved to by hand.
    pub pinned: Option<String>,
}

/// What there is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// In order of their names.
    pub members: Vec<Member>,
    /// Of each shard, in order.
    pub holders: Vec<Holder>,
}

/// A shard that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub shard: Shard,
    pub epoch: Epoch,
    /// The last position of its log.
    pub position: u64,
}

/// What the servers of a database prove to each other with that they are of one cluster.
pub struct SharedSecret {
    pub current: Vec<u8>,
    /// What it was before, if it was exchanged.
    pub previous: Option<Vec<u8>>,
    /// How long ago, in ms.
    pub exchanged_for: Millis,
}

/// What servers of one database tell each other by it.
#[async_trait]
pub trait ClusterStore: Send + Sync {
    /// Returns the secret of all servers; the first one's `fresh` becomes it.
    async fn shared_secret(&self, fresh: &[u8; SECRET_BYTES]) -> Result<SharedSecret, StoreError>;

    /// Puts another secret in the place of the current one. Tells whether it did: not within two minutes after the last time, and not
    /// before a server has made the first one.
    async fn exchange_secret(&self, fresh: &[u8; SECRET_BYTES]) -> Result<bool, StoreError>;

    /// Reads the secret.
    ///
    /// # Errors
    /// `NotFound` when no server has made one.
    async fn secret(&self) -> Result<SharedSecret, StoreError>;

    /// Says that a server is there, and forgets those that have not been seen for an hour, with what was moved to them.
    async fn renew(&self, node: &str, url: &str, draining: bool) -> Result<(), StoreError>;

    /// Says that a server is gone, and that nobody has what it had. Epochs stay: whoever takes a shard raises it.
    async fn leave(&self, node: &str) -> Result<(), StoreError>;

    /// Reads who is there and who has what.
    async fn standing(&self) -> Result<Standing, StoreError>;

    /// Takes shards from whoever has them, raising their epochs, and returns them. Waits for the appends before; later ones of the
    /// owners before are fenced. A server that drains, or does not count as alive by now, takes none.
    async fn claim(&self, node: &str, shards: &[Shard]) -> Result<Vec<Taken>, StoreError>;

    /// Has a server own a shard for as long as it is there.
    ///
    /// # Errors
    /// `NotFound` when there is no such server.
    async fn pin(&self, shard: Shard, node: &str) -> Result<(), StoreError>;

    /// Undoes that; nothing happens to a shard that nobody has moved.
    async fn unpin(&self, shard: Shard) -> Result<(), StoreError>;
}

/// As it is shared.
pub type SharedCluster = Arc<dyn ClusterStore>;
