//! A journal for one writer, without the actor: what the simulation writes with.

use super::batch::Batch;
use super::{Queued, ReplyTo, settle};
use crate::actors::document::AppendRefused;
use crate::ids::{DocumentId, Epoch, HistoryId, SHARDS};
use crate::storage::{LoggedOp, NewDocument, SharedStore, StoreError};

/// Gives operations their places and settles each append before the next, as the actor does with its batches.
pub struct BareJournal {
    store: SharedStore,
    node: String,
    epochs: Box<[Epoch; SHARDS]>,
    positions: Box<[u64; SHARDS]>,
}

impl BareJournal {
    /// Takes all shards.
    ///
    /// # Errors
    /// When storage does not answer.
    pub async fn new(store: SharedStore, node: &str) -> Result<Self, StoreError> {
        let epochs = store.claim_all(node).await?;
        let positions = store.last_positions().await?;
        Ok(Self { store, node: node.to_owned(), epochs, positions })
    }

    /// Appends to a document, or makes it; returns how many operations are durable, and why the rest is not.
    pub async fn append(
        &mut self,
        doc: DocumentId,
        create: Option<NewDocument>,
        ops: Vec<LoggedOp>,
    ) -> (usize, Option<AppendRefused>) {
        let mut batch = Batch::new(&self.epochs, &self.positions);
        let history = create.as_ref().map_or(HistoryId(uuid::Uuid::nil()), |new| new.history);
        batch.push(Queued {
            doc,
            history,
            create,
            ops,
            touch: false,
            preview: None,
            reply: ReplyTo::Creator(None),
        });
        let mut outcome = settle::commit(self.store.clone(), self.node.clone(), batch, || {}).await;
        self.epochs = outcome.epochs;
        self.positions = outcome.positions;
        outcome.answers.pop().map_or((0, None), |(_, durable, refused)| (durable, refused))
    }
}
