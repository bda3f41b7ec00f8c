//! What a server does again and again to have the shards that it should have, and no others.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix::Addr;
use futures_util::FutureExt;
use tokio::time::Instant;

use super::Cluster;
use super::plan::Plan;
use crate::actors::journal::{Assign, JournalActor};
use crate::actors::registry::{RegistryActor, Release};
use crate::ids::{SHARDS, Shard};
use crate::metrics::METRICS;
use crate::storage::StoreError;
use crate::storage::cluster::Standing;

/// The rest between two rounds.
const EVERY: Duration = Duration::from_secs(1);

/// How often a server says that it is there. Five times it may go unheard.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// Shards that are taken in a round from servers that are there: the people in their documents all reconnect.
const TAKES: usize = 16;

/// After the database was away for so long, everybody seems silent until they have said that they are there: nothing is taken for two
/// turns of that.
const AWAY_FOR: Duration = Duration::from_secs(5);
const LISTENS_FOR: Duration = RENEW_EVERY.saturating_mul(2);

/// A round that has slept in between, because its process was stopped, knows nothing any more.
const FRESH_FOR: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub struct Rounds {
    cluster: Cluster,
    journal: Addr<JournalActor>,
    registry: Addr<RegistryActor>,
    /// What was taken and not let go of: documents of these may be in memory.
    mine: [bool; SHARDS],
    renewed: Option<Instant>,
    /// When it was last known who is there, and until when that is only listened for.
    known: Option<Instant>,
    listens_until: Instant,
}

impl Rounds {
    /// Takes shards for this journal and this registry.
    pub fn new(cluster: Cluster, journal: Addr<JournalActor>, registry: Addr<RegistryActor>) -> Self {
        let (mine, now) = ([false; SHARDS], Instant::now());
        Self { cluster, journal, registry, mine, renewed: None, known: None, listens_until: now }
    }

    /// Goes on until the server has said that it is gone.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.cluster.inner.holdings.news() => {}
            }
            match AssertUnwindSafe(self.round()).catch_unwind().await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return,
                // What it has it keeps: whoever takes it raises the epoch.
                Ok(Err(error)) => tracing::warn!(%error, "it is not known who else is there"),
                // What it was doing it does again: nothing is noted as let go of or taken before it is.
                Err(_) => tracing::error!("a round of the cluster has failed, and the next one begins anew"),
            }
        }
    }

    /// One round. Tells whether there is to be another.
    ///
    /// # Errors
    /// Storage is away.
    pub async fn round(&mut self) -> Result<bool, StoreError> {
        if self.renewed.is_none_or(|renewed| renewed.elapsed() >= RENEW_EVERY) {
            if !self.cluster.renew().await? {
                return Ok(false);
            }
            self.cluster.read_secrets().await?;
            self.renewed = Some(Instant::now());
        }
        let began = Instant::now();
        let standing = self.cluster.look().await?;
        if self.known.replace(began).is_some_and(|known| known.elapsed() >= AWAY_FOR) {
            self.listens_until = Instant::now() + LISTENS_FOR;
        }
        self.let_go(&standing).await;
        if began.elapsed() < FRESH_FOR && self.listens_until <= Instant::now() {
            self.take(&standing).await?;
        }
        METRICS.cluster.shards.set(self.cluster.inner.holdings.count() as i64);
        Ok(true)
    }

    /// Gives up what another server has: its documents stop before anything else is done, so that none of them is there when the shard
    /// comes back.
    async fn let_go(&mut self, standing: &Standing) {
        let (node, holdings) = (&self.cluster.inner.node, &self.cluster.inner.holdings);
        let is_lost = |shard: &Shard| {
            let index = usize::from(*shard);
            self.mine[index] && (standing.holders[index].node != *node || !holdings.has(*shard))
        };
        let lost: Vec<Shard> = (0..=Shard::MAX).filter(is_lost).collect();
        if lost.is_empty() {
            return;
        }
        tracing::info!(shards = lost.len(), "other servers have shards of this one");
        METRICS.cluster.lost.inc_by(lost.len() as u64);
        lost.iter().for_each(|shard| holdings.lose(*shard));
        // Closed mailboxes: the server is ending.
        let _ = self.journal.send(Assign { taken: Vec::new(), lost: lost.clone() }).await;
        let _ = self.registry.send(Release { shards: lost.clone() }).await;
        lost.into_iter().for_each(|shard| self.mine[usize::from(shard)] = false);
    }

    /// Takes what the plan gives to this server.
    async fn take(&mut self, standing: &Standing) -> Result<(), StoreError> {
        let (node, holdings) = (&self.cluster.inner.node, &self.cluster.inner.holdings);
        let wanted = Plan::of(standing).wanted(standing, node, |shard| holdings.has(shard), TAKES);
        if wanted.is_empty() {
            return Ok(());
        }
        let taken = self.cluster.inner.store.claim(node, &wanted).await?;
        let shards: Vec<Shard> = taken.iter().map(|taken| taken.shard).collect();
        tracing::info!(shards = shards.len(), "this server has taken shards");
        METRICS.cluster.taken.inc_by(shards.len() as u64);
        // The journal knows them before a document can be opened.
        if self.journal.send(Assign { taken, lost: Vec::new() }).await.is_ok() {
            for shard in shards {
                self.mine[usize::from(shard)] = true;
                holdings.gain(shard);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actix::{Actor, Arbiter};
    use async_trait::async_trait;

    use super::*;
    use crate::actors::cluster::Holdings;
    use crate::storage::cluster::{ClusterStore, Holder, SECRET_BYTES, SharedSecret, Taken};
    use crate::storage::{MemoryStore, SnapshotBodies};

    /// Members that nobody can read the first time: reading them panics.
    #[derive(Default)]
    struct Brittle {
        looks: AtomicUsize,
    }

    fn secret() -> SharedSecret {
        SharedSecret { current: vec![0; SECRET_BYTES], previous: None, exchanged_for: 0 }
    }

    #[async_trait]
    impl ClusterStore for Brittle {
        async fn shared_secret(&self, _: &[u8; SECRET_BYTES]) -> Result<SharedSecret, StoreError> {
            Ok(secret())
        }

        async fn exchange_secret(&self, _: &[u8; SECRET_BYTES]) -> Result<bool, StoreError> {
            Ok(false)
        }

        async fn secret(&self) -> Result<SharedSecret, StoreError> {
            Ok(secret())
        }

        async fn renew(&self, _: &str, _: &str, _: bool) -> Result<(), StoreError> {
            Ok(())
        }

        async fn leave(&self, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn standing(&self) -> Result<Standing, StoreError> {
            assert_ne!(self.looks.fetch_add(1, Ordering::SeqCst), 0, "the first look panics");
            Ok(Standing { members: Vec::new(), holders: vec![Holder::default(); SHARDS] })
        }

        async fn claim(&self, _: &str, _: &[Shard]) -> Result<Vec<Taken>, StoreError> {
            Ok(Vec::new())
        }

        async fn pin(&self, _: Shard, _: &str) -> Result<(), StoreError> {
            Ok(())
        }

        async fn unpin(&self, _: Shard) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[actix_rt::test]
    async fn a_round_that_panics_is_not_the_last_one() {
        let (store, holdings) = (Arc::new(Brittle::default()), Arc::new(Holdings::nothing()));
        let cluster = Cluster::join(store.clone(), "node".to_owned(), "http://node", holdings).await.unwrap();
        let journal = JournalActor::of_nothing(Arc::new(MemoryStore::new()), "node".to_owned()).start();
        let bodies = Arc::new(SnapshotBodies::in_memory());
        let registry = RegistryActor::new(bodies, &[Arbiter::new()]).start();
        tokio::time::pause();
        let rounds = actix_rt::spawn(Rounds::new(cluster.clone(), journal, registry).run());
        while store.looks.load(Ordering::SeqCst) < 3 {
            assert!(!rounds.is_finished());
            tokio::time::sleep(EVERY).await;
        }
        cluster.leave().await;
        rounds.await.expect("it ends when the server has said that it is gone");
    }
}
