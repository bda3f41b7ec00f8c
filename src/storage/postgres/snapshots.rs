//! The rows of snapshots.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::PostgresStore;
use super::error::{read_error, store_error};
use super::rows::{self, integer, text_of};
use super::sessions::{Session, Statement, statement};
use crate::ids::{DocumentId, HistoryId, Version};
use crate::storage::{SnapshotIndex, SnapshotMeta, StoreError, search};

const LOCK_LIVE: &str = include_str!("sql/lock_live.sql");
const RECORD_SNAPSHOTS: &str = include_str!("sql/record_snapshots.sql");
const SHOW_SNAPSHOTS: &str = include_str!("sql/show_snapshots.sql");
const READ_SNAPSHOTS: &str = include_str!("sql/read_snapshots.sql");
const FORGET_SNAPSHOTS: &str = include_str!("sql/forget_snapshots.sql");
const SET_NEWEST_SNAPSHOT: &str = include_str!("sql/set_newest_snapshot.sql");

#[async_trait]
impl SnapshotIndex for PostgresStore {
    async fn record_snapshots(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, StoreError> {
        self.record_all(snapshots).await.map_err(store_error)
    }

    async fn snapshots(
        &self,
        doc: &DocumentId,
        upto: Version,
        limit: usize,
    ) -> Result<Vec<SnapshotMeta>, StoreError> {
        let read =
            statement(READ_SNAPSHOTS).bind(doc.as_str()).bind(integer(upto)).bind(integer(limit as u64));
        let found = match self.sessions.rows(read).await {
            Ok(found) => found,
            // The page that holds the rows is damaged; `upto` may be anything above them.
            Err(error) => return Err(read_error(doc, upto.min(self.head(doc).await?), error)),
        };
        let decode = |row| {
            // The rest of the row may be damaged, and the key whole.
            let failed = |error| read_error(doc, rows::number(row, "version").unwrap_or(0), error);
            rows::snapshot(row).map_err(failed)
        };
        found.iter().map(decode).collect()
    }

    async fn forget_snapshots(&self, doc: &DocumentId, versions: &[Version]) -> Result<(), StoreError> {
        let forget = async {
            let mut session = self.sessions.begin().await?;
            let versions: Vec<_> = versions.iter().map(|version| integer(*version)).collect();
            session.rows(statement(LOCK_LIVE).bind(vec![doc.as_str()])).await?;
            session.run(statement(FORGET_SNAPSHOTS).bind(doc.as_str()).bind(versions)).await?;
            session.run(statement(SET_NEWEST_SNAPSHOT).bind(doc.as_str())).await?;
            session.commit().await
        };
        forget.await.map_err(store_error)
    }
}

impl PostgresStore {
    /// Returns those that were skipped. The documents are locked, so that none of them is purged meanwhile.
    async fn record_all(&self, snapshots: &[SnapshotMeta]) -> Result<Vec<SnapshotMeta>, sqlx::Error> {
        let mut session = self.sessions.begin().await?;
        let live = lock_live(&mut session, snapshots).await?;
        let (recorded, skipped): (Vec<_>, Vec<_>) =
            snapshots.iter().cloned().partition(|meta| live.get(&meta.doc) == Some(&meta.history));
        // Of one version that is recorded twice the later one stays.
        let recorded: BTreeMap<_, _> =
            recorded.iter().map(|meta| ((&meta.doc, meta.version), meta)).collect();
        let recorded: Vec<&SnapshotMeta> = recorded.into_values().collect();
        session.run(record(&recorded)).await?;
        session.run(show(&recorded)).await?;
        session.commit().await?;
        Ok(skipped)
    }
}

async fn lock_live(
    session: &mut Session,
    snapshots: &[SnapshotMeta],
) -> Result<HashMap<DocumentId, HistoryId>, sqlx::Error> {
    let ids: Vec<_> = snapshots.iter().map(|meta| meta.doc.as_str()).collect();
    let live = session.rows(statement(LOCK_LIVE).bind(ids)).await?;
    live.iter().map(|row| Ok((rows::document_id(row, "id")?, rows::history_id(row, "history")?))).collect()
}

fn record(snapshots: &[&SnapshotMeta]) -> Statement<'static> {
    let each = || snapshots.iter();
    statement(RECORD_SNAPSHOTS)
        .bind(each().map(|meta| meta.doc.as_str()).collect::<Vec<_>>())
        .bind(each().map(|meta| integer(meta.version)).collect::<Vec<_>>())
        .bind(each().map(|meta| meta.history.0).collect::<Vec<_>>())
        .bind(each().map(|meta| meta.at).collect::<Vec<_>>())
        .bind(each().map(|meta| meta.checksum.cast_signed()).collect::<Vec<_>>())
        .bind(each().map(|meta| integer(meta.bytes)).collect::<Vec<_>>())
        .bind(each().map(|meta| meta.inline.as_deref()).collect::<Vec<_>>())
        .bind(each().map(|meta| text_of(&meta.preview)).collect::<Vec<_>>())
}

/// Shows each document's newest snapshot of these, which are in order.
fn show(snapshots: &[&SnapshotMeta]) -> Statement<'static> {
    let newest: BTreeMap<_, _> = snapshots.iter().map(|meta| (&meta.doc, *meta)).collect();
    let each = || newest.values();
    let preview = |meta: &&SnapshotMeta| text_of(&meta.preview).into_owned();
    statement(SHOW_SNAPSHOTS)
        .bind(each().map(|meta| meta.doc.as_str()).collect::<Vec<_>>())
        .bind(each().map(|meta| integer(meta.version)).collect::<Vec<_>>())
        .bind(each().map(|meta| meta.at).collect::<Vec<_>>())
        .bind(each().map(preview).collect::<Vec<_>>())
        .bind(each().map(|meta| search::folded(&preview(meta))).collect::<Vec<_>>())
}
