//! Requests that are sent again because their answer was lost.

use super::{CreateDocument, Documents};
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::Millis;
use crate::storage::DocumentRow;
use crate::storage::annotations::RepeatKey;

/// How long a key stands for what it has made.
const REMEMBERED: Millis = 24 * 60 * 60 * 1_000;

impl Documents {
    /// Makes a document, once for each key of its owner's: sent again within a day, it answers with the one that was made.
    /// The key names the document before it is made, so that no crash between the two makes a second one.
    ///
    /// `Conflict` if the id exists or is a tombstone, or the key stands for another id.
    pub async fn create_once(&self, new: CreateDocument, key: String) -> Result<DocumentRow, Refusal> {
        self.may_write()?;
        let key = RepeatKey { user: new.owner.clone(), key };
        let wanted = new.id.clone();
        let doc = wanted.clone().unwrap_or_else(|| self.fresh_id_for(&key));
        let now = self.clock.now();
        let annotations = self.annotations()?;
        let reserved = annotations.reserve(&key, &doc, now, now.saturating_sub(REMEMBERED)).await?;
        if wanted.is_some_and(|wanted| wanted != reserved.doc) {
            let message = format!("the key was used for document {} before", reserved.doc);
            return Err(Refusal::new(ErrorCode::Conflict, message));
        }
        let doc = reserved.doc;
        match self.create(CreateDocument { id: Some(doc.clone()), ..new }).await {
            Err(refusal) if refusal.code == ErrorCode::Conflict && reserved.fresh => {
                // Somebody else's: the key has made nothing.
                annotations.release(&key).await?;
                Err(refusal)
            }
            Err(refusal) if refusal.code == ErrorCode::Conflict => {
                // What is older than the key was not made by it.
                let row = self.store.document(&doc).await.map_err(|_| refusal.clone())?;
                if row.owner == key.user && row.created_at >= reserved.at { Ok(row) } else { Err(refusal) }
            }
            created => created,
        }
    }
}
