//! What the rows of `documents` are to show of operations: noted in memory, written for many documents at once.
//!
//! A row and its place in the index are pages of their own for nearly every document: written with each append they were
//! half of all pages that went to the write-ahead log. Readers see what is noted as if it were written, and a crash loses
//! nothing: operations carry it in `recent_batches` too.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::Inner;
use super::error::store_error;
use super::writer::{Writer, WriterGuard};
use crate::ids::{DocumentId, Millis};
use crate::storage::{AppendEntry, DocumentRow, SnapshotMeta, StoreError, search};

const TOUCH_DOCUMENTS: &str = include_str!("sql/touch_documents.sql");

/// Rows that change in one transaction, for which an append may have to wait: about 2 ms.
const AT_ONCE: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Touch {
    at: Millis,
    preview: Option<String>,
}

/// See the module's documentation. At most one note for each document that has operations to settle.
#[derive(Debug, Default)]
pub(super) struct Touches(HashMap<DocumentId, Touch>);

impl Touches {
    /// Notes what a durable batch asks for.
    pub(super) fn appended(&mut self, batch: &[AppendEntry]) {
        for entry in batch.iter().filter(|entry| entry.touch) {
            if let Some(last) = entry.ops.last() {
                self.note(entry.doc.clone(), last.at, entry.preview.clone());
            }
        }
    }

    /// Notes a time, which only goes forward, and a first line, unless the one that is there stays.
    pub(super) fn note(&mut self, doc: DocumentId, at: Millis, preview: Option<String>) {
        let touch = self.0.entry(doc).or_insert(Touch { at, preview: None });
        touch.at = touch.at.max(at);
        touch.preview = preview.or_else(|| touch.preview.take());
    }

    /// Writes all that is noted, as a part of a transaction.
    pub(super) async fn write(self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        write(conn, &Vec::from_iter(self.0)).await
    }

    /// Changes a row that was read as what is noted will.
    pub(super) fn show(&self, row: &mut DocumentRow) {
        let Some(touch) = self.0.get(&row.id) else { return };
        row.updated_at = row.updated_at.max(touch.at);
        if let Some(preview) = &touch.preview {
            row.preview.clone_from(preview);
        }
    }

    /// Forgets what is noted of a document.
    pub(super) fn forget(&mut self, doc: &DocumentId) {
        self.0.remove(doc);
    }

    /// Forgets what is older than a snapshot that was recorded.
    pub(super) fn recorded(&mut self, snapshot: &SnapshotMeta) {
        if self.0.get(&snapshot.doc).is_some_and(|touch| touch.at <= snapshot.at) {
            self.forget(&snapshot.doc);
        }
    }

    /// Lists the documents of which something is noted, the last one first.
    pub(super) fn documents(&self) -> Vec<DocumentId> {
        let mut documents: Vec<_> = self.0.keys().cloned().collect();
        documents.sort_unstable_by(|a, b| b.cmp(a));
        documents
    }

    fn get(&self, documents: Vec<DocumentId>) -> Vec<(DocumentId, Touch)> {
        let noted = |doc: DocumentId| {
            let touch = self.0.get(&doc)?.clone();
            Some((doc, touch))
        };
        documents.into_iter().filter_map(noted).collect()
    }

    /// Forgets what was written, unless something was added meanwhile.
    fn written(&mut self, written: &[(DocumentId, Touch)]) {
        for (doc, touch) in written {
            if self.0.get(doc) == Some(touch) {
                self.forget(doc);
            }
        }
        if self.0.is_empty() {
            self.0.shrink_to_fit();
        }
    }
}

async fn write(conn: &mut SqliteConnection, noted: &[(DocumentId, Touch)]) -> Result<(), sqlx::Error> {
    let rows = noted.iter().map(|(doc, touch)| {
        let folded = touch.preview.as_deref().map(search::folded);
        json!([doc, touch.at, touch.preview, folded])
    });
    let rows = serde_json::Value::from_iter(rows).to_string();
    sqlx::query(TOUCH_DOCUMENTS).bind(rows).execute(conn).await?;
    Ok(())
}

/// Takes so many documents as are written at once from the end of a list.
pub(super) fn last(documents: &mut Vec<DocumentId>) -> Vec<DocumentId> {
    documents.split_off(documents.len().saturating_sub(AT_ONCE))
}

impl Inner {
    /// Writes what is noted of some documents, in one transaction.
    pub(super) async fn write_touches(
        &self,
        writer: &mut Writer,
        documents: Vec<DocumentId>,
    ) -> Result<(), StoreError> {
        let noted = self.touches.lock().get(documents);
        if noted.is_empty() {
            return Ok(());
        }
        let written = write(writer.begin().await?, &noted).await.map_err(store_error);
        writer.end(written).await?;
        self.touches.lock().written(&noted);
        Ok(())
    }

    /// Writes all that is noted, on behalf of a caller.
    pub(super) async fn write_all_touches(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut documents = self.touches.lock().documents();
        while !documents.is_empty() {
            let some = last(&mut documents);
            let write = async move |inner: Arc<Self>, mut writer: WriterGuard| {
                inner.write_touches(&mut writer, some).await
            };
            self.detached(write).await?;
        }
        Ok(())
    }
}
