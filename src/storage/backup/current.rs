//! A document that is being restored.

use super::restore::{Restore, RestoreError, Until};
use super::rows::{NAMES, Row, Table, is_a_right};
use super::{DocumentRecord, OpRecord};
use crate::ids::{DocumentId, HistoryId, Millis, UserId, Version};
use crate::ot::{Delta, Document};
use crate::storage::{AppendError, LoggedOp, NewDocument, StoreError, first_line};

/// The document whose operations are being read.
pub(super) struct Current {
    pub(super) record: DocumentRecord,
    /// Under which it is restored.
    pub(super) id: DocumentId,
    pub(super) content: Document,
    /// The last version that was read.
    pub(super) read: Version,
    /// The last one that is restored, and when it was made.
    pub(super) version: Version,
    pub(super) at: Millis,
    /// What is not written yet.
    pub(super) ops: Vec<LoggedOp>,
    pub(super) bytes: usize,
    pub(super) rows: Vec<(&'static Table, Row)>,
    pub(super) created: bool,
}

impl Current {
    pub(super) fn new(record: DocumentRecord, id: DocumentId) -> Self {
        Self {
            record,
            id,
            content: Document::new(),
            read: 0,
            version: 0,
            at: 0,
            ops: Vec::new(),
            bytes: 0,
            rows: Vec::new(),
            created: false,
        }
    }

    /// Takes the next operation; says what is wrong with it if something is.
    pub(super) fn take(&mut self, op: OpRecord, until: Option<Until>) -> Result<(), String> {
        let named = |why: &dyn std::fmt::Display| {
            format!("has version {} of document {}, which {why}", op.version, self.record.id)
        };
        if op.version != self.read + 1 {
            return Err(named(&format!("does not follow version {}", self.read)));
        }
        let json = op.delta.get();
        let delta = Delta::parse_stored(json).map_err(|error| named(&format!("cannot be read: {error}")))?;
        if until.is_none_or(|until| until.has(op.version, op.at)) {
            self.content.apply(&delta).map_err(|error| named(&format!("cannot be applied: {error}")))?;
            self.bytes += json.len();
            (self.version, self.at) = (op.version, op.at);
            let delta = json.as_bytes().to_vec().into();
            let (version, client, seq, user, at) = (op.version, op.client, op.seq, op.user, op.at);
            self.ops.push(LoggedOp { version, client, seq, user, at, delta });
        }
        self.read = op.version;
        Ok(())
    }

    /// Takes a row that belongs to the document, unless it is of what is not restored. Of one that gets another id the rights are not:
    /// it is a new document, and whoever makes it says whose it is to be. Of one that ends at an earlier version comments are not: their
    /// anchors have gone on with the text.
    pub(super) fn take_row(&mut self, table: &'static Table, row: Row, how: &Restore) {
        let wanted = if is_a_right(table) {
            how.renamed.is_none()
        } else if table.name() == NAMES.name() {
            how.until.is_none_or(|until| row.named().is_some_and(|(version, at)| until.has(version, at)))
        } else {
            how.until.is_none()
        };
        if wanted {
            self.rows.push((table, row));
        }
    }

    /// A document of which only the id is known.
    pub(super) fn nothing(doc: &DocumentId) -> Self {
        let record = DocumentRecord {
            id: doc.clone(),
            history: HistoryId::generate(),
            title: String::new(),
            owner: UserId::guest_rest(),
            created_at: 0,
            updated_at: 0,
            version: 0,
            preview: String::new(),
            deleted_at: None,
            archived: false,
            link: None,
            forks: Vec::new(),
        };
        Self::new(record, doc.clone())
    }

    pub(super) fn new_document(&self, how: &Restore) -> NewDocument {
        let is_same = how.renamed.is_none();
        NewDocument {
            history: if is_same { self.record.first_history() } else { HistoryId::generate() },
            title: self.record.title.clone(),
            owner: self.record.owner.clone(),
            created_at: self.record.created_at,
            preview: first_line(&self.content),
            link: self.record.link,
        }
    }

    pub(super) fn refused(&self, source: AppendError) -> RestoreError {
        let doc = self.id.clone();
        match &source {
            AppendError::Entries(entries)
                if !self.created
                    && entries.iter().any(|(_, why)| matches!(why, StoreError::Conflict { .. })) =>
            {
                RestoreError::Exists(doc)
            }
            _ => RestoreError::Append { doc, source },
        }
    }
}

impl DocumentRecord {
    /// The history that the document was made with.
    pub(super) fn first_history(&self) -> HistoryId {
        self.forks.last().map_or(self.history, |fork| fork.parent)
    }
}
