//! The documents themselves.

use async_trait::async_trait;

use super::error::{read_error, store_error};
use super::log::not_found;
use super::rows::{self, integer, text_of};
use super::sessions::{Session, Sight, statement};
use super::{PostgresStore, forks, purge};
use crate::ids::{DocumentId, HistoryId, Millis};
use crate::storage::permissions::Asker;
use crate::storage::{DocumentPatch, DocumentRow, DocumentStore, Fork, ListQuery, Scope, StoreError, search};

const READ_DOCUMENT: &str = include_str!("sql/read_document.sql");
const LIST_DOCUMENTS: &str = include_str!("sql/list_documents.sql");
const LIST_OWN: &str = include_str!("sql/list_own.sql");
const LIST_LINKED: &str = include_str!("sql/list_linked.sql");
const LIST_IDS: &str = include_str!("sql/list_ids.sql");
const LIST_PURGED: &str =
    "SELECT id FROM documents WHERE purged_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
pub(super) const LOCK_DOCUMENT: &str = include_str!("sql/lock_document.sql");
const PATCH_DOCUMENT: &str = include_str!("sql/patch_document.sql");

#[async_trait]
impl DocumentStore for PostgresStore {
    async fn document(&self, doc: &DocumentId) -> Result<DocumentRow, StoreError> {
        let row = self.sessions.row(statement(READ_DOCUMENT).bind(doc.as_str())).await;
        let row = row.map_err(|error| read_error(doc, 0, error))?.ok_or_else(|| not_found(doc))?;
        rows::document(&row).map_err(|error| read_error(doc, 0, error))
    }

    async fn list_documents(&self, query: &ListQuery) -> Result<Vec<DocumentRow>, StoreError> {
        // No text that is kept has it, see `rows::text_of`, and the database takes none that does.
        if query.text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Ok(Vec::new());
        }
        let (after_time, after_id) = query.after.as_ref().map(|(time, id)| (*time, id.as_str())).unzip();
        let (list, viewer) = match &query.scope {
            Scope::All => (LIST_DOCUMENTS, None),
            Scope::Of(viewer) => (LIST_OWN, Some(viewer)),
            Scope::OfAndLinked(viewer) => (LIST_LINKED, Some(viewer)),
        };
        let list = statement(list)
            .bind(query.trashed)
            .bind(query.text.as_deref().map(search::needle))
            .bind(after_time)
            .bind(after_id)
            .bind(integer(query.limit as u64));
        let found = match viewer {
            Some(viewer) => {
                let list = list.bind(viewer.user.as_str()).bind(viewer.now);
                let linked = matches!(query.scope, Scope::OfAndLinked(_));
                self.sessions.rows_as_seen(Sight::of_list(&viewer.user, linked), list).await
            }
            None => self.sessions.rows(list).await,
        };
        let found = found.map_err(store_error)?;
        found.iter().map(rows::document).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn patch_document(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        patch: &DocumentPatch,
    ) -> Result<DocumentRow, StoreError> {
        let mut session = self.sessions.begin_for(asker, doc).await.map_err(store_error)?;
        let patched = patch_row(&mut session, doc, patch).await;
        self.finish((asker, doc), session, patched).await?;
        self.document(doc).await
    }

    async fn purge_document(&self, doc: &DocumentId, at: Millis) -> Result<HistoryId, StoreError> {
        purge::purge(self.sessions.clone(), doc.clone(), at).await
    }

    async fn document_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let list = statement(LIST_IDS).bind(after.map_or("", DocumentId::as_str)).bind(integer(limit as u64));
        let found = self.sessions.rows(list).await.map_err(store_error)?;
        found.iter().map(|row| rows::document_id(row, "id")).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn purged_ids(
        &self,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let after = after.map_or("", DocumentId::as_str);
        let list = statement(LIST_PURGED).bind(after).bind(integer(limit as u64));
        let found = self.sessions.rows(list).await.map_err(store_error)?;
        found.iter().map(|row| rows::document_id(row, "id")).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn fork_document(&self, doc: &DocumentId, fork: &Fork) -> Result<(), StoreError> {
        let forked = forks::fork(&self.sessions, doc, fork).await;
        let there = forked.map_err(|error| read_error(doc, 0, error))?;
        if there { Ok(()) } else { Err(not_found(doc)) }
    }

    async fn forks(&self, doc: &DocumentId) -> Result<Vec<Fork>, StoreError> {
        forks::read(&self.sessions, doc).await.map_err(|error| read_error(doc, 0, error))
    }
}

impl PostgresStore {
    /// Says why a transaction for `asker` has not found a document: it is not there, or this requester does not see it any more.
    pub(super) async fn out_of_reach(&self, asker: &Asker, doc: &DocumentId) -> StoreError {
        match asker {
            Asker::Server => not_found(doc),
            Asker::Request(_) => self.document(doc).await.map_or_else(|error| error, |_| StoreError::Denied),
        }
    }

    /// Ends a transaction about a document: with what was done, if that has worked.
    pub(super) async fn finish<T>(
        &self,
        (asker, doc): (&Asker, &DocumentId),
        session: Session,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let failed = match done {
            Ok(done) => return session.commit().await.map(|()| done).map_err(store_error),
            Err(failed) => failed,
        };
        // Nobody holds one connection while waiting for another.
        drop(session);
        match failed {
            StoreError::NotFound { .. } => Err(self.out_of_reach(asker, doc).await),
            failed => Err(failed),
        }
    }
}

/// Changes the row: `NotFound` where there is none.
async fn patch_row(session: &mut Session, doc: &DocumentId, patch: &DocumentPatch) -> Result<(), StoreError> {
    let failed = |error| read_error(doc, 0, error);
    let row = session.row(statement(LOCK_DOCUMENT).bind(doc.as_str())).await.map_err(failed)?;
    let mut document = rows::document(&row.ok_or_else(|| not_found(doc))?).map_err(failed)?;
    patch.apply(&mut document)?;
    let (title, preview) = (text_of(&document.title), text_of(&document.preview));
    let update = statement(PATCH_DOCUMENT)
        .bind(doc.as_str())
        .bind(&title)
        .bind(document.archived)
        .bind(document.deleted_at)
        .bind(document.updated_at)
        .bind(search::haystack(&title, &preview))
        .bind(&preview);
    session.run(update).await.map(|_| ()).map_err(failed)
}
