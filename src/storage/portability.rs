//! All that is kept of a person, as one JSON text that is written piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc::Sender;

use super::people::{PersonsDocument, SharedPeople};
use super::{SharedStore, SnapshotBodies, StoreError, history};
use crate::ids::UserId;

/// Documents looked up at a time.
const PAGE: usize = 256;

/// Writes what is kept of people; clones share it.
#[derive(Clone)]
pub struct Exporter {
    pub store: SharedStore,
    pub bodies: Arc<SnapshotBodies>,
    pub people: SharedPeople,
}

/// Why an export has ended before its end, which is then missing.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody takes it any more.
    #[error("nobody takes it any more")]
    Closed,
}

impl Exporter {
    /// Writes `{"user", "account": {table: [row]}, "documents": [{…}], "complete": true}` into `out`: a person's own rows, every document
    /// that they own with its content, and those that they have written into with how much. Each content is read by who has what `turn`
    /// returns, and nobody who takes parts slowly keeps that.
    ///
    /// # Errors
    /// Storage does not oblige, there is no turn, or nobody takes it. What was written then lacks its end.
    pub async fn write<T>(
        &self,
        user: &UserId,
        out: &Sender<Bytes>,
        turn: impl AsyncFn() -> Result<T, StoreError>,
    ) -> Result<(), ExportError> {
        let (account, own) = (self.people.person(user).await?, user.clone());
        let head = off_thread(move || {
            format!(r#"{{"user":{},"account":{},"documents":["#, json!(own), json!(account))
        });
        send(out, head.await?.into()).await?;
        let mut after = None;
        let mut first = true;
        loop {
            let page = self.people.documents_of(user, after.as_ref(), PAGE).await?;
            let Some(last) = page.last().map(|last| last.doc.clone()) else { break };
            for document in page {
                match self.document(user, &document, &turn).await {
                    // It went while this was written.
                    Err(StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                    Ok(mut text) => {
                        if !first {
                            text.insert(0, b',');
                        }
                        first = false;
                        send(out, text.into()).await?;
                    }
                }
            }
            after = Some(last);
        }
        send(out, Bytes::from_static(b"],\"complete\":true}\n")).await
    }

    async fn document<T>(
        &self,
        user: &UserId,
        document: &PersonsDocument,
        turn: impl AsyncFn() -> Result<T, StoreError>,
    ) -> Result<Vec<u8>, StoreError> {
        let row = self.store.document(&document.doc).await?;
        let share = self.people.share_of(user, &document.doc).await?;
        let metadata = json!({
            "id": row.id,
            "title": row.title,
            "owned": document.owns,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "deleted_at": row.deleted_at,
            "version": row.version,
            "written": share,
        });
        let mut text = metadata.to_string().into_bytes();
        if !document.owns {
            return Ok(text);
        }
        let _turn = turn().await?;
        let loaded = history::at(&*self.store, &self.bodies, &row.id, row.version).await?;
        off_thread(move || {
            text.pop();
            text.extend_from_slice(b",\"content\":");
            loaded.content.write_json(&mut text);
            text.push(b'}');
            text
        })
        .await
    }
}

/// Does what takes long where nobody is kept waiting by it.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(StoreError::unavailable)
}

async fn send(out: &Sender<Bytes>, part: Bytes) -> Result<(), ExportError> {
    out.send(part).await.map_err(|_| ExportError::Closed)
}
