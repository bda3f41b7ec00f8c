//! What whoever looks after a server sees of it, and does with it: documents in memory, their sessions, the process itself.

use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, MailboxError};
use futures_util::future::join_all;

use crate::actors::clock::Clock;
use crate::actors::document::{Dismiss, Examine, Examined, Retire};
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::registry::{ListSlots, Listed, Peek, RegistryActor, SharedAddress, Whereabouts};
use crate::actors::service::stopping;
use crate::actors::turnstile::Turnstile;
use crate::ids::{DocumentId, Millis, SessionId};
use crate::storage::verify::{Verified, verify};
use crate::storage::{SharedStore, SnapshotBodies};

/// Documents that are verified at a time, and how many may wait for that: each replays a whole log.
const VERIFIES: usize = 1;
const WAITING_VERIFIES: usize = 8;

/// How long one waits for its turn.
const VERIFY_PATIENCE: Duration = Duration::from_secs(10);

/// This process.
#[derive(Clone, Debug)]
pub struct Node {
    /// New at every start.
    pub name: String,
    /// In Unix ms.
    pub started_at: Millis,
}

/// A document that this server has in memory.
#[derive(Clone, Debug)]
pub struct Known {
    pub doc: DocumentId,
    pub state: KnownState,
}

/// See [`Known`].
#[derive(Clone, Debug)]
pub enum KnownState {
    /// It is being read.
    Opening,
    Live(Examined),
    /// Reading it has failed: it is left alone for a while.
    Quarantined,
}

/// The verbs. Cheap to clone; safe from any thread.
#[derive(Clone)]
pub struct Administration {
    registry: Addr<RegistryActor>,
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    node: Arc<Node>,
    verifies: Arc<Turnstile>,
}

impl Administration {
    /// Looks after the server whose registry this is.
    pub fn new(
        registry: Addr<RegistryActor>,
        store: SharedStore,
        bodies: Arc<SnapshotBodies>,
        name: String,
        clock: &Clock,
    ) -> Self {
        let node = Arc::new(Node { name, started_at: clock.now() });
        let verifies = Arc::new(Turnstile::new(VERIFIES, WAITING_VERIFIES, VERIFY_PATIENCE));
        Self { registry, store, bodies, node, verifies }
    }

    /// Returns what this process calls itself.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Lists the documents in memory, in order of id, after this one and at most so many. One that leaves memory meanwhile is
    /// left out.
    pub async fn documents(&self, after: Option<DocumentId>, limit: usize) -> Result<Vec<Known>, Refusal> {
        let listed = self.registry.send(ListSlots { after, limit }).await.map_err(stopped)?;
        let asked = listed.into_iter().map(|Listed { doc, whereabouts }| async move {
            let state = match whereabouts {
                Whereabouts::Opening => KnownState::Opening,
                Whereabouts::Live(address) => KnownState::Live(address.send(Examine).await.ok()?),
                Whereabouts::Quarantined => KnownState::Quarantined,
            };
            Some(Known { doc, state })
        });
        Ok(join_all(asked).await.into_iter().flatten().collect())
    }

    /// Sends a document away from memory: its sessions are told to reconnect, and find it again.
    ///
    /// # Errors
    /// `not_found` when it is not in memory.
    pub async fn passivate(&self, doc: &DocumentId) -> Result<(), Refusal> {
        // A closed mailbox means that it is gone already.
        let _ = self.live(doc).await?.send(Retire).await;
        Ok(())
    }

    /// Tells one session to reconnect.
    ///
    /// # Errors
    /// `not_found` when the document is not in memory, or has no such session.
    pub async fn dismiss(&self, doc: &DocumentId, session: SessionId) -> Result<(), Refusal> {
        let was_there = self.live(doc).await?.send(Dismiss { session }).await.unwrap_or(false);
        if was_there {
            return Ok(());
        }
        Err(Refusal::new(ErrorCode::NotFound, format!("document {doc} has no session {session}")))
    }

    /// Replays a document's log and compares it with its snapshots and with what is known of its clients.
    ///
    /// # Errors
    /// `not_found`; `unavailable` when storage does not answer, or too many wait.
    pub async fn verify(&self, doc: &DocumentId) -> Result<Verified, Refusal> {
        let _turn = self.verifies.enter().await?;
        // Beside others, since it replays without a pause.
        let (store, bodies, doc) = (self.store.clone(), self.bodies.clone(), doc.clone());
        let verified = tokio::spawn(async move { verify(&*store, &bodies, &doc).await }).await;
        Ok(verified.map_err(|_| Refusal::new(ErrorCode::Internal, "verifying has failed"))??)
    }

    async fn live(&self, doc: &DocumentId) -> Result<SharedAddress, Refusal> {
        let found = self.registry.send(Peek { docs: vec![doc.clone()] }).await.map_err(stopped)?;
        found
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(|| Refusal::new(ErrorCode::NotFound, format!("document {doc} is not in memory here")))
    }
}

fn stopped(_: MailboxError) -> Refusal {
    stopping()
}
