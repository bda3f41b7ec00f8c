//! Snapshot + operation tail -> [`Rehydrated`].

use std::collections::VecDeque;
use std::sync::Arc;

use super::operation::SequencedOp;
use super::state::Rehydrated;
use crate::config::DocumentSettings;
use crate::ids::{ClientId, DocumentId};
use crate::storage::{SharedStore, SnapshotBodies, StoreError, history};

/// Reads a document, with as much of its tail as `settings` keep. `poison` are operations that made the server panic
/// twice: they will be refused.
///
/// # Errors
/// `NotFound` when there is no such document; what cannot be read is named, and is never an empty document.
pub async fn read(
    store: SharedStore,
    bodies: Arc<SnapshotBodies>,
    doc: DocumentId,
    poison: Vec<(ClientId, u64)>,
    settings: DocumentSettings,
) -> Result<Rehydrated, StoreError> {
    let mut tail = Recall::new(settings.tail_ops, settings.tail_bytes);
    let mut unsnapshotted_bytes = 0;
    let loaded = history::head(&*store, &bodies, &doc, |op, delta| {
        let op = SequencedOp::from_log(op, delta);
        unsnapshotted_bytes += op.member().len() as u64;
        tail.push(op);
    });
    let loaded = loaded.await?;
    Ok(Rehydrated {
        id: doc,
        history: loaded.row.history,
        owner: loaded.row.owner,
        version: loaded.version,
        at: loaded.at,
        content: loaded.content,
        tail: tail.ops.into(),
        snapshot_version: loaded.snapshot_version,
        snapshot_bytes: loaded.snapshot_bytes,
        unsnapshotted_bytes,
        archived: loaded.row.archived,
        link: loaded.row.link,
        access_changes: loaded.row.access_changes,
        preview: loaded.row.preview,
        deleted: loaded.row.deleted_at.is_some(),
        poison,
    })
}

/// The last operations read so far, within the bounds of a tail.
struct Recall {
    ops: VecDeque<SequencedOp>,
    bytes: usize,
    max_ops: usize,
    max_bytes: usize,
}

impl Recall {
    fn new(max_ops: usize, max_bytes: usize) -> Self {
        Self { ops: VecDeque::new(), bytes: 0, max_ops, max_bytes }
    }

    fn push(&mut self, op: SequencedOp) {
        self.bytes += op.member().len();
        self.ops.push_back(op);
        while self.ops.len() > self.max_ops || self.bytes > self.max_bytes {
            let Some(oldest) = self.ops.pop_front() else { return };
            self.bytes -= oldest.member().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{HistoryId, UserId, Version};
    use crate::storage::{AppendEntry, LoggedOp, MemoryStore, NewDocument, OpLog};

    fn op(version: Version) -> LoggedOp {
        let client = ClientId(uuid::Uuid::from_u128(1));
        let delta = r#"[{"insert":"x"}]"#.into();
        LoggedOp { version, client, seq: version, user: UserId::guest(client), at: 1, delta }
    }

    #[tokio::test]
    async fn of_a_long_tail_the_end_is_kept_and_all_is_counted() {
        let store = MemoryStore::new();
        let doc: DocumentId = "doc".parse().unwrap();
        let owner = UserId("owner".into());
        let new = NewDocument {
            history: HistoryId::generate(),
            title: String::new(),
            owner,
            created_at: 1,
            preview: String::new(),
            link: Some(crate::protocol::Role::Editor),
        };
        let ops = (1..=50).map(op).collect();
        let entry = AppendEntry {
            doc: doc.clone(),
            epoch: 0,
            first_pos: 1,
            create: Some(new),
            ops,
            touch: false,
            preview: None,
        };
        store.append(&[entry]).await.unwrap();
        let store: SharedStore = Arc::new(store);
        let member = SequencedOp::from_log(op(50), crate::ot::Delta::new().insert("x", Default::default()))
            .member()
            .len();
        for (tail_ops, tail_bytes, kept) in
            [(5, usize::MAX, 5), (1_000, 3 * member, 3), (1_000, usize::MAX, 50)]
        {
            let settings = DocumentSettings { tail_ops, tail_bytes, ..DocumentSettings::default() };
            let bodies = Arc::new(SnapshotBodies::in_memory());
            let read = read(store.clone(), bodies, doc.clone(), Vec::new(), settings).await.unwrap();
            let versions: Vec<_> = read.tail.iter().map(|op| op.version).collect();
            assert_eq!(versions, (51 - kept..=50).collect::<Vec<_>>());
            assert_eq!((read.version, read.content.length()), (50, 50));
            assert!(read.unsnapshotted_bytes >= 49 * member as u64, "{} bytes", read.unsnapshotted_bytes);
        }
    }
}
