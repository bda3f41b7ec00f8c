//! Requests that are sent again because their answer was lost.

use uuid::Uuid;

use super::{CreateDocument, Documents};
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{ClientId, DocumentId};
use crate::storage::DocumentRow;
use crate::storage::annotations::Repeat;

/// Why a request was not done that may be sent again.
#[derive(Debug)]
pub enum RepeatError {
    /// Its key stands for another request.
    Differs,
    Refused(Refusal),
}

impl<T: Into<Refusal>> From<T> for RepeatError {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Documents {
    /// Makes a document, once for each key of its owner's: sent again within a day, it answers with the one that was made.
    /// The key names the document before it is made, so that no crash between the two makes a second one.
    ///
    /// `Conflict` if the id exists or is a tombstone.
    pub async fn create_once(
        &self,
        new: CreateDocument,
        repeat: &Repeat,
    ) -> Result<DocumentRow, RepeatError> {
        self.may_write()?;
        let wanted = new.id.clone();
        let doc = wanted.clone().unwrap_or_else(|| self.fresh_id_for(repeat));
        let annotations = self.annotations()?;
        let reserved = annotations.reserve(repeat, &doc, Uuid::new_v4()).await?;
        if !reserved.is_of(repeat) || wanted.is_some_and(|wanted| wanted != reserved.doc) {
            return Err(RepeatError::Differs);
        }
        let doc = reserved.doc;
        let refusal = match self.create(CreateDocument { id: Some(doc.clone()), ..new }).await {
            Err(refusal) if refusal.code == ErrorCode::Conflict => refusal,
            created => return Ok(created?),
        };
        // The same request may have been faster, sent again; what is older than the key was not made by it.
        if let Ok(row) = self.store.document(&doc).await
            && row.owner == repeat.user
            && row.created_at >= reserved.at
        {
            return Ok(row);
        }
        if reserved.fresh {
            // Somebody else's: the key has made nothing.
            annotations.release(repeat).await?;
        }
        Err(refusal.into())
    }

    /// Returns the client that a request's operation is made by, as its number 1: the same whenever the request is sent again, so that
    /// the log tells whether it was done.
    pub(super) async fn client_of(
        &self,
        doc: &DocumentId,
        repeat: Option<&Repeat>,
    ) -> Result<ClientId, RepeatError> {
        let client = ClientId::generate();
        let Some(repeat) = repeat else { return Ok(client) };
        let reserved = self.annotations()?.reserve(repeat, doc, client.0).await?;
        reserved.made.filter(|_| reserved.is_of(repeat)).map(ClientId).ok_or(RepeatError::Differs)
    }
}
