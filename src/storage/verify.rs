//! Replays the log of a document and compares it with everything that was derived from it.

use std::collections::HashMap;

use super::history::{corrupt, read_delta, read_snapshot};
use super::{LoggedOp, SnapshotBodies, SnapshotMeta, Store, StoreError};
use crate::ids::{ClientId, DocumentId, HistoryId, Millis, Version};
use crate::ot::Document;

/// Operations read at a time.
const PAGE: usize = 2_000;
/// Bytes of deltas read at a time.
const PAGE_BYTES: usize = 4 << 20;

/// What was found in one document.
#[derive(Debug, Default)]
pub struct Verified {
    /// Versions that were replayed.
    pub versions: Version,
    /// Snapshots that were looked at.
    pub snapshots: usize,
    /// A sentence each, with the document and the version; none is good news.
    pub complaints: Vec<String>,
}

/// Replays the whole log of `doc` and compares it with each of its snapshots and with what is known of its clients.
///
/// Holds the document's content, one snapshot's, a page of operations, and a few numbers for each client that has ever
/// written.
///
/// # Errors
/// When storage does not answer. What cannot be read is a complaint, not an error; after a gap in the log nothing more
/// is compared, since nothing is known of it.
pub async fn verify(
    store: &dyn Store,
    bodies: &SnapshotBodies,
    doc: &DocumentId,
) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    match verified.replay(store, bodies, doc).await {
        Err(error @ StoreError::Corrupt { .. }) => verified.complaints.push(error.to_string()),
        replayed => replayed?,
    }
    Ok(verified)
}

/// Where the replay of a log has come to.
struct Replay {
    history: HistoryId,
    content: Document,
    at: Millis,
    /// The highest `seq` of each client, and the version that it made.
    clients: HashMap<ClientId, (u64, Version)>,
}

impl Verified {
    async fn replay(
        &mut self,
        store: &dyn Store,
        bodies: &SnapshotBodies,
        doc: &DocumentId,
    ) -> Result<(), StoreError> {
        let history = store.document(doc).await?.history;
        // Newest first, so that the next one is at the end.
        let mut snapshots = store.snapshots(doc, Version::MAX, usize::MAX).await?;
        let mut replay =
            Replay { history, content: Document::new(), at: Millis::MIN, clients: HashMap::new() };
        loop {
            while let Some(meta) = snapshots.pop_if(|meta| meta.version == self.versions) {
                self.compare_snapshot(bodies, &meta, &replay).await?;
            }
            // No further than the next snapshot, so that each is met.
            let next = snapshots.last().map_or(Version::MAX, |meta| meta.version);
            let page = store.read_ops(doc, self.versions, next, PAGE, PAGE_BYTES).await?;
            if page.is_empty() {
                break;
            }
            for op in page {
                self.apply(doc, &op, &mut replay)?;
            }
        }
        for meta in snapshots.iter().rev() {
            let (version, end) = (meta.version, self.versions);
            self.complain(
                doc,
                format!("there is a snapshot at version {version}, but the log ends at {end}"),
            );
        }
        self.compare_clients(store, doc, &replay.clients).await
    }

    fn apply(&mut self, doc: &DocumentId, op: &LoggedOp, replay: &mut Replay) -> Result<(), StoreError> {
        let delta = read_delta(doc, op)?;
        replay.content.apply(&delta).map_err(|error| corrupt(doc, op.version, &error))?;
        if op.at < replay.at {
            self.complain(doc, format!("version {} is older than the one before it", op.version));
        }
        replay.at = op.at;
        let last = replay.clients.entry(op.client).or_default();
        *last = (*last).max((op.seq, op.version));
        self.versions = op.version;
        Ok(())
    }

    async fn compare_snapshot(
        &mut self,
        bodies: &SnapshotBodies,
        meta: &SnapshotMeta,
        replay: &Replay,
    ) -> Result<(), StoreError> {
        self.snapshots += 1;
        match read_snapshot(bodies, meta).await {
            Ok(_) if meta.history != replay.history => {
                self.complain(
                    &meta.doc,
                    format!("the snapshot at version {} is of another history", meta.version),
                );
            }
            Ok(snapshot) if is_same(&snapshot, &replay.content) => {}
            Ok(_) => {
                let version = meta.version;
                self.complain(
                    &meta.doc,
                    format!("the snapshot at version {version} is not what the log leads to"),
                );
            }
            Err(error @ StoreError::Corrupt { .. }) => self.complaints.push(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn compare_clients(
        &mut self,
        store: &dyn Store,
        doc: &DocumentId,
        clients: &HashMap<ClientId, (u64, Version)>,
    ) -> Result<(), StoreError> {
        for (client, (seq, version)) in clients {
            let known = store.client(doc, *client).await?.map(|row| (row.last_seq, row.last_version));
            if known == Some((*seq, *version)) {
                continue;
            }
            let known =
                known.map_or("nothing".to_owned(), |(seq, version)| format!("seq {seq}, version {version}"));
            self.complain(
                doc,
                format!("client {client} ends with seq {seq}, version {version} in the log; known of it is {known}"),
            );
        }
        Ok(())
    }

    fn complain(&mut self, doc: &DocumentId, what: impl std::fmt::Display) {
        self.complaints.push(format!("document {doc}: {what}"));
    }
}

fn is_same(a: &Document, b: &Document) -> bool {
    a.length() == b.length() && a.to_delta() == b.to_delta()
}
