//! The hot path: a batch of operations in one transaction.

use std::collections::HashSet;

use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::error::{commit_error, store_error};
use super::recent::{Recent, Unknown};
use super::writer::{Writer, WriterGuard};
use super::{Inner, rows, unsettled};
use crate::ids::{ClientId, DocumentId, Epoch, Shard};
use crate::storage::batch::{self, Known, Ledger};
use crate::storage::permissions::role_name;
use crate::storage::{AppendEntry, AppendError, StoreError, search};

const LOOK_UP_DOCUMENTS: &str = include_str!("sql/look_up_documents.sql");
const LOOK_UP_CLIENTS: &str = include_str!("sql/look_up_clients.sql");
const CREATE_DOCUMENTS: &str = include_str!("sql/create_documents.sql");

impl Inner {
    pub(super) async fn append(
        &self,
        mut writer: WriterGuard,
        batch: Vec<AppendEntry>,
    ) -> Result<(), AppendError> {
        self.make_room(&mut writer).await.map_err(AppendError::Refused)?;
        let looked_up = self.look_up(&mut writer, &batch).await.map_err(refused)?;
        let row = {
            let recent = self.recent.lock();
            batch::check(&batch, &View { recent: &recent, looked_up: &looked_up })?;
            recent.next_row()
        };
        match write(&mut writer, &batch, row).await {
            Ok(()) => {}
            Err(AppendError::Unknown(why)) => {
                return Err(self.look_for(&mut writer, &batch, row, why).await);
            }
            Err(error) => return Err(error),
        }
        self.touches.lock().appended(&batch);
        self.recent.lock().appended(batch);
        writer.trust();
        drop(writer);
        self.wake_settler();
        Ok(())
    }

    /// Looks whether a batch is there whose COMMIT has failed with `why`. It only reads: the disk may be full.
    ///
    /// A batch that is not there is refused for certain. Nothing sent to the old connection can be committed once that
    /// is closed; what the failed COMMIT may have left in the write-ahead log is behind the end of the log, and the next
    /// commit overwrites it. (If a crash comes before that, the batch may be back at the next start, as nothing has
    /// followed it; its authors were told to send it again, and it is known by its numbers.) One that can be read is *not* taken for durable, since the fsync behind it may be what has
    /// failed: its outcome stays unknown, until a later commit to the same log has succeeded.
    async fn look_for(
        &self,
        writer: &mut Writer,
        batch: &[AppendEntry],
        row: i64,
        why: StoreError,
    ) -> AppendError {
        let there = async {
            writer.replace(self.database.writer().await?).await;
            is_there(writer.reading()?, batch, row).await
        };
        match there.await {
            Ok(false) => {
                // The database is as it was before, and so is memory.
                writer.trust();
                AppendError::Refused(why)
            }
            Ok(true) => AppendError::Unknown(why),
            Err(error) => {
                tracing::warn!(%error, "the log could not be read after a failed commit");
                AppendError::Unknown(why)
            }
        }
    }

    /// Reads what memory does not hold of what a batch names: nothing, as a rule. Documents and clients are remembered
    /// for the next time.
    async fn look_up(&self, writer: &mut Writer, batch: &[AppendEntry]) -> Result<LookedUp, sqlx::Error> {
        let mut looked_up = LookedUp::default();
        let Unknown { docs, clients, .. } = self.recent.lock().unknown(batch);
        if !docs.is_empty() {
            self.look_up_documents(writer.reading()?, docs, &mut looked_up).await?;
        }
        if !clients.is_empty() {
            self.look_up_clients(writer.reading()?, &clients).await?;
        }
        let Unknown { seqs, .. } = self.recent.lock().unknown(batch);
        for (doc, client, seq) in seqs {
            let unsettled = self.recent.lock().find_op(doc, client, seq);
            if unsettled.is_some() || rows::find_op(writer.reading()?, doc, client, seq).await?.is_some() {
                looked_up.taken.insert((doc.clone(), client, seq));
            }
        }
        Ok(looked_up)
    }

    async fn look_up_documents(
        &self,
        conn: &mut SqliteConnection,
        docs: Vec<&DocumentId>,
        looked_up: &mut LookedUp,
    ) -> Result<(), sqlx::Error> {
        let found = sqlx::query(LOOK_UP_DOCUMENTS).bind(json!(docs).to_string()).fetch_all(conn).await?;
        for row in found {
            let doc = rows::document_id(&row, "id")?;
            if row.try_get("purged")? {
                looked_up.purged.insert(doc);
            } else {
                self.recent.lock().learn_document(doc, rows::number(&row, "head")?);
            }
        }
        Ok(())
    }

    async fn look_up_clients(
        &self,
        conn: &mut SqliteConnection,
        clients: &[(&DocumentId, ClientId)],
    ) -> Result<(), sqlx::Error> {
        let wanted =
            clients.iter().map(|(doc, client)| json!([doc.shard(), doc, client.0.simple().to_string()]));
        let wanted: serde_json::Value = wanted.collect();
        let found = sqlx::query(LOOK_UP_CLIENTS).bind(wanted.to_string()).fetch_all(conn).await?;
        let mut recent = self.recent.lock();
        for row in found {
            let doc = rows::document_id(&row, "doc_id")?;
            recent.learn_client(&doc, rows::client_id(&row, "client_id")?, rows::client_row(&row)?);
        }
        Ok(())
    }
}

/// Writes a checked batch into the row `id`.
async fn write(writer: &mut Writer, batch: &[AppendEntry], id: i64) -> Result<(), AppendError> {
    let ops = unsettled::pack(batch).map_err(refused)?;
    let created = created(batch);
    if let (Some(ops), None) = (&ops, &created) {
        // One statement is a transaction by itself, and one message to the connection's thread instead of three.
        let conn = writer.writing().map_err(refused)?;
        let outcome = unsettled::insert(conn, id, ops).await.map_err(commit_error);
        if matches!(outcome, Err(AppendError::Refused(_))) {
            writer.trust();
        }
        return outcome;
    }
    let conn = writer.begin().await.map_err(AppendError::Refused)?;
    let body = async {
        if let Some(created) = created {
            sqlx::query(CREATE_DOCUMENTS).bind(created).execute(&mut *conn).await?;
        }
        match &ops {
            Some(ops) => unsettled::insert(&mut *conn, id, ops).await,
            None => Ok(()),
        }
    };
    if let Err(error) = body.await {
        let undone = writer.end::<()>(Err(store_error(error))).await;
        return undone.map_err(AppendError::Refused);
    }
    sqlx::query("COMMIT").execute(conn).await.map_err(commit_error)?;
    Ok(())
}

/// Tells whether anything of a batch is in the database. Its row of `recent_batches` is `row`, and the ids of its
/// new documents had not been given before.
async fn is_there(conn: &mut SqliteConnection, batch: &[AppendEntry], row: i64) -> Result<bool, sqlx::Error> {
    let created: Vec<_> = batch.iter().filter(|entry| entry.create.is_some()).map(|e| &e.doc).collect();
    let found = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM recent_batches WHERE id >= ?1)
            OR EXISTS (SELECT 1 FROM documents WHERE id IN (SELECT value FROM json_each(?2)))",
    );
    found.bind(row).bind(json!(created).to_string()).fetch_one(conn).await
}

/// The rows of new documents as JSON, so that any number of them is one statement.
fn created(batch: &[AppendEntry]) -> Option<String> {
    let rows = batch.iter().filter_map(|entry| {
        let new = entry.create.as_ref()?;
        Some(json!({
            "id": entry.doc,
            "shard": entry.doc.shard(),
            "history": new.history,
            "title": new.title,
            "owner": new.owner,
            "created_at": new.created_at,
            "preview": new.preview,
            "search": search::haystack(&new.title, &new.preview),
            "link_role": role_name(new.link),
        }))
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| serde_json::Value::Array(rows).to_string())
}

fn refused(error: sqlx::Error) -> AppendError {
    AppendError::Refused(store_error(error))
}

/// What was read from the database for one batch and is not remembered.
#[derive(Debug, Default)]
struct LookedUp {
    purged: HashSet<DocumentId>,
    /// Of the `(client, seq)` in doubt, those that are in the log.
    taken: HashSet<(DocumentId, ClientId, u64)>,
}

/// Memory and what was looked up, together all that a batch is checked against. Both hold still: the writer is locked.
struct View<'a> {
    recent: &'a Recent,
    looked_up: &'a LookedUp,
}

impl Ledger for View<'_> {
    fn epoch(&self, shard: Shard) -> Epoch {
        self.recent.shard(shard).epoch
    }

    fn last_pos(&self, shard: Shard) -> u64 {
        self.recent.shard(shard).last_pos
    }

    fn document(&self, doc: &DocumentId) -> Known {
        match self.recent.head(doc) {
            Some(head) => Known::Live(head),
            None if self.looked_up.purged.contains(doc) => Known::Purged,
            None => Known::Absent,
        }
    }

    fn has_op(&self, doc: &DocumentId, client: ClientId, seq: u64) -> bool {
        !self.looked_up.taken.is_empty() && self.looked_up.taken.contains(&(doc.clone(), client, seq))
    }
}
