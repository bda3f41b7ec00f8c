//! Several servers on one database: who has which shard, and where a document is found that is not here.
//!
//! The members are a table that each server renews; who should have which shard follows from it ([`plan`]); in [`rounds`] each server
//! takes what it should have and lets go of what it has lost. None of that is what keeps documents safe: an append is made under the
//! epoch of its shard, whatever anybody believes.

mod holdings;
mod plan;
mod rounds;
mod secrets;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

pub use self::holdings::Holdings;
use self::plan::Plan;
pub use self::rounds::Rounds;
pub use self::secrets::Secrets;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::Shard;
use crate::storage::StoreError;
use crate::storage::cluster::{Member, SECRET_BYTES, SharedCluster, Standing};

/// The table of who has what is read again when somebody is not found in it, but not more often than this.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long whoever moves a document waits for the new owner, and how often it is looked.
const MOVES_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Addresses of servers that are remembered.
const MOST_PEERS: usize = 256;

/// Where a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    Here,
    /// On another server.
    At(Peer),
    /// Nobody has it who is there.
    Nowhere,
}

/// Another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub node: String,
    /// Without a `/` at the end.
    pub url: String,
}

/// This server's part in the cluster. Cheap to clone; safe from any thread.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    store: SharedCluster,
    node: String,
    url: String,
    /// As they were read last.
    secrets: RwLock<Arc<Secrets>>,
    holdings: Arc<Holdings>,
    /// What was read last.
    known: RwLock<Arc<Standing>>,
    /// When; locked by whoever reads it again.
    looked: Mutex<Option<Instant>>,
    /// Whether this server is about to stop, or has said that it is gone. Locked by whoever writes its row.
    says: Mutex<Says>,
    draining: watch::Sender<bool>,
    /// Where other servers have proved to come from.
    met: RwLock<Vec<IpAddr>>,
}

/// What this server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Serves,
    Drains,
    Gone,
}

impl Cluster {
    /// Becomes a server of the database, which others reach at `url`; it has nothing yet.
    ///
    /// # Errors
    /// When storage does not answer.
    pub async fn join(
        store: SharedCluster,
        node: String,
        url: &str,
        holdings: Arc<Holdings>,
    ) -> Result<Self, StoreError> {
        let mut fresh = [0; SECRET_BYTES];
        getrandom::fill(&mut fresh).map_err(|error| StoreError::unavailable(error.to_string()))?;
        let secrets = Secrets::read(store.shared_secret(&fresh).await?, Instant::now());
        let inner = Inner {
            store,
            node,
            url: url.trim_end_matches('/').to_owned(),
            secrets: RwLock::new(Arc::new(secrets)),
            holdings,
            known: RwLock::default(),
            looked: Mutex::default(),
            says: Mutex::new(Says::Serves),
            draining: watch::Sender::new(false),
            met: RwLock::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its name.
    pub fn node(&self) -> &str {
        &self.inner.node
    }

    /// The address at which the others reach it.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// What servers prove to each other with that they are of one cluster.
    pub fn secrets(&self) -> Arc<Secrets> {
        self.inner.secrets.read().clone()
    }

    /// Tells whether this server has a shard.
    pub fn has(&self, shard: Shard) -> bool {
        self.inner.holdings.has(shard)
    }

    /// Finds a shard; in storage, if it is not where it was last.
    pub async fn find(&self, shard: Shard) -> Whereabouts {
        match self.known(shard) {
            Whereabouts::Nowhere => {}
            found => return found,
        }
        if let Err(error) = self.look_again().await {
            tracing::debug!(%error, "it could not be looked who has a shard");
        }
        self.known(shard)
    }

    fn known(&self, shard: Shard) -> Whereabouts {
        if self.has(shard) {
            return Whereabouts::Here;
        }
        let known = self.inner.known.read().clone();
        let holder = known.holders.get(usize::from(shard)).map(|holder| &holder.node);
        let member = holder.and_then(|holder| known.members.iter().find(|member| member.node == *holder));
        // One of its own that it does not have is being taken just now.
        let other = member.filter(|member| member.is_alive() && member.node != self.inner.node);
        other.map_or(Whereabouts::Nowhere, |member| {
            Whereabouts::At(Peer { node: member.node.clone(), url: member.url.clone() })
        })
    }

    /// Lists the other servers that are there, as far as is known.
    pub fn others(&self) -> Vec<Peer> {
        let known = self.inner.known.read().clone();
        let others =
            known.members.iter().filter(|member| member.is_alive() && member.node != self.inner.node);
        others.map(|member| Peer { node: member.node.clone(), url: member.url.clone() }).collect()
    }

    /// Tells whether a server was seen of late.
    pub fn is_alive(&self, node: &str) -> bool {
        let known = self.inner.known.read().clone();
        known.members.iter().any(|member| member.node == node && member.is_alive())
    }

    /// Reads who has what, unless somebody has just done so.
    async fn look_again(&self) -> Result<(), StoreError> {
        let mut looked = self.inner.looked.lock().await;
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN) {
            return Ok(());
        }
        let standing = self.inner.store.standing().await;
        *looked = Some(Instant::now());
        *self.inner.known.write() = Arc::new(standing?);
        Ok(())
    }

    /// Reads who has what.
    async fn look(&self) -> Result<Arc<Standing>, StoreError> {
        let standing = Arc::new(self.inner.store.standing().await?);
        *self.inner.known.write() = standing.clone();
        Ok(standing)
    }

    /// Lists all servers, those that are not there any more for an hour, and how many shards each has.
    ///
    /// # Errors
    /// `unavailable` when storage does not answer.
    pub async fn members(&self) -> Result<Vec<(Member, usize)>, Refusal> {
        let standing = self.look().await?;
        let shards = |node: &str| standing.holders.iter().filter(|holder| holder.node == node).count();
        Ok(standing.members.iter().map(|member| (member.clone(), shards(&member.node))).collect())
    }

    /// Moves a shard to another server, which has it for as long as it is there; returns when it has.
    ///
    /// # Errors
    /// `not_found` when there is no such server, `conflict` when it takes nothing; `unavailable` when it does not take it in time, which
    /// it may do later.
    pub async fn move_shard(&self, shard: Shard, node: &str) -> Result<(), Refusal> {
        let standing = self.look().await?;
        let Some(member) = standing.members.iter().find(|member| member.node == node) else {
            return Err(Refusal::new(ErrorCode::NotFound, format!("there is no server {node:.80}")));
        };
        if !member.is_alive() || member.draining {
            let message = format!("server {node} takes no shards: it is stopping, or was not seen of late");
            return Err(Refusal::new(ErrorCode::Conflict, message));
        }
        self.inner.store.pin(shard, node).await?;
        self.until_taken(shard, |_| Some(node.to_owned())).await?;
        Ok(())
    }

    /// Lets a shard that was moved go where all others do; returns the server that has it, when it has.
    ///
    /// # Errors
    /// `unavailable` when that one does not take it in time, which it may do later.
    pub async fn unpin_shard(&self, shard: Shard) -> Result<String, Refusal> {
        self.inner.store.unpin(shard).await?;
        self.until_taken(shard, |standing| Plan::of(standing).owner(shard).map(str::to_owned)).await
    }

    /// Waits until the server has a shard that should have it.
    async fn until_taken(
        &self,
        shard: Shard,
        owner: impl Fn(&Standing) -> Option<String>,
    ) -> Result<String, Refusal> {
        let deadline = Instant::now() + MOVES_WITHIN;
        loop {
            let standing = self.look().await?;
            let holder = &standing.holders[usize::from(shard)].node;
            if owner(&standing).as_ref() == Some(holder) {
                return Ok(holder.clone());
            }
            if Instant::now() >= deadline {
                let message = "the server that should have the shard has not taken it yet";
                return Err(Refusal::unavailable(message));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Remembers where a server has proved to come from.
    pub fn meet(&self, address: IpAddr) {
        if self.has_met(address) {
            return;
        }
        let mut met = self.inner.met.write();
        if met.len() >= MOST_PEERS {
            met.remove(0);
        }
        met.push(address);
    }

    /// Tells whether another server has come from there: it has many connections.
    pub fn has_met(&self, address: IpAddr) -> bool {
        self.inner.met.read().contains(&address)
    }

    /// Resolves when this server begins to stop.
    pub async fn drained(&self) {
        let mut draining = self.inner.draining.subscribe();
        // The sender lives as long as this.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Tells the others that this server stops: they take what it has.
    pub async fn drain(&self) {
        *self.inner.says.lock().await = Says::Drains;
        self.inner.draining.send_replace(true);
        if let Err(error) = self.renew().await {
            tracing::warn!(%error, "the other servers were not told: they notice it within ten seconds");
        }
    }

    /// Tells the others that this server is gone.
    pub async fn leave(&self) {
        let mut says = self.inner.says.lock().await;
        *says = Says::Gone;
        if let Err(error) = self.inner.store.leave(&self.inner.node).await {
            tracing::warn!(%error, "the other servers were not told: they notice it within ten seconds");
        }
    }

    /// Reads what servers prove themselves with now.
    async fn read_secrets(&self) -> Result<(), StoreError> {
        // Before it is asked for: the time that the answer takes makes the exchange seem longer ago, and nothing is believed for longer.
        let now = Instant::now();
        let secrets = Secrets::read(self.inner.store.secret().await?, now);
        *self.inner.secrets.write() = Arc::new(secrets);
        Ok(())
    }

    /// Says that it is there, unless it has said that it is gone. Tells whether it is.
    async fn renew(&self) -> Result<bool, StoreError> {
        let says = self.inner.says.lock().await;
        if *says == Says::Gone {
            return Ok(false);
        }
        self.inner.store.renew(&self.inner.node, &self.inner.url, *says == Says::Drains).await?;
        Ok(true)
    }
}
