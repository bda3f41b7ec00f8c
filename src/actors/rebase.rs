//! Brings what was made on an old version up to a newer one by the log, off the document's actor: operations are transformed
//! over it, and cursors moved through it.
//!
//! The log is read a page at a time, and each page is worked through by a blocking thread: the thread of the document goes
//! on with its other documents. Only so many pages of all documents are worked on at once, in the order in which they came,
//! so that much work leaves room for little work and for everything else that the server does.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::actors::document::operation::Submission;
use crate::actors::document::presence::PresenceState;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{ClientId, DocumentId, Version};
use crate::ot::Delta;
use crate::storage::history::read_delta;
use crate::storage::{LoggedOp, SharedStore, StoreError};

/// Operations read from the log at a time.
const PAGE: usize = 500;
/// Bytes of deltas read at a time.
const PAGE_BYTES: usize = 1 << 20;

/// Parts of one delta times operations of a page: some 10 ms of work, after which others have their turn.
const PAGE_WORK: usize = 500_000;

/// Why something was not brought up to a newer version.
#[derive(Debug)]
pub enum Stuck {
    /// The log cannot be read.
    Refused(Refusal),
    /// Working on it made us fail.
    Panicked,
}

impl From<StoreError> for Stuck {
    fn from(error: StoreError) -> Self {
        Self::Refused(Refusal::from(&error))
    }
}

/// See the module's documentation. Cheap to clone; clones share their turns.
#[derive(Clone)]
pub struct Rebaser {
    store: SharedStore,
    turns: Arc<Semaphore>,
}

impl Rebaser {
    /// Makes one that works on `at_once` pages at a time.
    pub fn new(store: SharedStore, at_once: usize) -> Self {
        Self { store, turns: Arc::new(Semaphore::new(at_once.max(1))) }
    }

    /// Transforms `submission` over the log from its base to `upto`, one operation at a time (docs/invariants.md, O3).
    ///
    /// # Errors
    /// The log cannot be read, or the operation makes us fail.
    pub async fn over_log(
        &self,
        doc: DocumentId,
        mut submission: Submission,
        upto: Version,
    ) -> Result<Submission, Stuck> {
        // What has come to nothing stays nothing.
        if !submission.delta.is_empty() {
            let range = submission.base..upto;
            let limit = |delta: &Delta| PAGE_WORK / delta.ops().len().max(1);
            let over = |delta: &mut Delta, _: &LoggedOp, first: &Delta| *delta = first.transform(delta, true);
            submission.delta = self.walk(doc, range, submission.delta, limit, over).await?;
        }
        submission.base = upto;
        Ok(submission)
    }

    /// Moves the cursor of a client through the operations that take the document from one version to another.
    ///
    /// # Errors
    /// The log cannot be read, or moving makes us fail.
    pub async fn cursor_over_log(
        &self,
        doc: DocumentId,
        client: ClientId,
        state: PresenceState,
        range: Range<Version>,
    ) -> Result<PresenceState, Stuck> {
        let step = move |state: &mut PresenceState, op: &LoggedOp, delta: &Delta| {
            state.move_through(delta, op.client == client);
        };
        self.walk(doc, range, state, |_| PAGE, step).await
    }

    /// Carries something through the operations that take the document from one version to another. `limit` tells how many
    /// of them make a page.
    async fn walk<T: Send + 'static>(
        &self,
        doc: DocumentId,
        range: Range<Version>,
        mut carried: T,
        limit: impl Fn(&T) -> usize,
        step: impl Fn(&mut T, &LoggedOp, &Delta) + Copy + Send + 'static,
    ) -> Result<T, Stuck> {
        let mut at = range.start;
        while at < range.end {
            let limit = limit(&carried).clamp(1, PAGE);
            let page = self.store.read_ops(&doc, at, range.end, limit, PAGE_BYTES).await?;
            let Some(last) = page.last() else {
                let message = format!("the log has no version {}", at + 1);
                return Err(Stuck::Refused(Refusal::new(ErrorCode::Internal, message)));
            };
            at = last.version;
            // The semaphore is never closed.
            let turn = self.turns.acquire().await;
            let doc = doc.clone();
            let worked = spawn_blocking(move || {
                for op in &page {
                    step(&mut carried, op, &read_delta(&doc, op)?);
                }
                Ok::<_, StoreError>(carried)
            });
            carried = worked.await.map_err(|_| Stuck::Panicked)??;
            drop(turn);
        }
        Ok(carried)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::actors::document::presence;
    use crate::ids::{HistoryId, UserId};
    use crate::ot::Attributes;
    use crate::storage::{AppendEntry, MemoryStore, NewDocument, OpLog, OwnershipStore};

    const VERSIONS: u64 = 1_200;

    fn doc() -> DocumentId {
        "doc".parse().unwrap()
    }

    fn client(version: Version) -> ClientId {
        ClientId(uuid::Uuid::from_u128(u128::from(version % 2)))
    }

    /// What makes a version: it is typed here and there, and deleted.
    fn delta(version: Version) -> Delta {
        let at = Delta::new().retain(version * 7 % 50, Attributes::NONE);
        if version.is_multiple_of(3) { at.delete(1) } else { at.insert("ab", Attributes::NONE) }
    }

    /// A log of 1,200 versions, typed by two clients in turn.
    async fn log() -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::new());
        let epochs = store.claim_all("node").await.unwrap();
        let owner = UserId("owner".into());
        let op = |version| LoggedOp {
            version,
            client: client(version),
            seq: version,
            user: owner.clone(),
            at: 0,
            delta: delta(version).to_json().into(),
        };
        let create = NewDocument {
            history: HistoryId::generate(),
            title: "Title".into(),
            owner: owner.clone(),
            created_at: 0,
            preview: String::new(),
            link: Some(crate::protocol::Role::Editor),
        };
        let entry = AppendEntry {
            epoch: epochs[usize::from(doc().shard())],
            first_pos: 1,
            create: Some(create),
            ops: (1..=VERSIONS).map(op).collect(),
            touch: false,
            preview: None,
            doc: doc(),
        };
        store.append(&[entry]).await.unwrap();
        store
    }

    fn submission(base: Version, delta: Delta) -> Submission {
        let client = ClientId::generate();
        let user = UserId::guest(client);
        Submission {
            session: None,
            client,
            seq: 1,
            user,
            base,
            delta,
            received: Instant::now(),
            rebased: None,
        }
    }

    /// Alternating attributes, so that nothing is merged.
    fn formats(parts: u64) -> Delta {
        let value = |n: u64| if n.is_multiple_of(2) { "a" } else { "b" };
        let json: Vec<_> =
            (0..parts).map(|n| format!(r#"{{"retain":1,"attributes":{{"k":"{}"}}}}"#, value(n))).collect();
        Delta::parse(&format!("[{}]", json.join(",")), &Default::default()).unwrap()
    }

    #[tokio::test]
    async fn an_operation_is_transformed_over_each_of_the_log_in_turn() {
        let rebaser = Rebaser::new(log().await, 1);
        // Pages of hundreds of operations, and of few.
        for (parts, base) in [(3, 0), (3, 700), (3_000, 1_000)] {
            let mut expected = formats(parts);
            (base + 1..=VERSIONS).for_each(|version| expected = delta(version).transform(&expected, true));
            let rebased = rebaser.over_log(doc(), submission(base, formats(parts)), VERSIONS).await.unwrap();
            assert_eq!((rebased.base, rebased.delta), (VERSIONS, expected), "{parts} parts from {base}");
        }
    }

    #[tokio::test]
    async fn a_cursor_is_moved_through_the_log_as_through_the_tail() {
        let rebaser = Rebaser::new(log().await, 1);
        let cursor = PresenceState::parse(r#"{"cursor":{"index":20,"length":5},"status":"idle"}"#).unwrap();
        let deltas: Vec<_> = (1..=VERSIONS).map(|version| (delta(version), client(version))).collect();
        // That of one of the authors, whose own edits move it further, and of somebody else.
        for owner in [client(0), ClientId::generate()] {
            let since = deltas.iter().map(|(delta, author)| (delta, *author));
            let expected = presence::catch_up(cursor.clone(), owner, since);
            let moved = rebaser.cursor_over_log(doc(), owner, cursor.clone(), 0..VERSIONS).await.unwrap();
            assert_eq!(moved, expected);
            assert_ne!(moved, cursor);
        }
    }

    #[tokio::test]
    async fn others_go_on_while_there_is_much_to_do() {
        let rebaser = Rebaser::new(log().await, 1);
        let mut rebasing = Box::pin(rebaser.over_log(doc(), submission(900, formats(2_000)), VERSIONS));
        let mut light = Box::pin(rebaser.over_log(doc(), submission(VERSIONS - 1, formats(1)), VERSIONS));
        // This thread is free at once, and little work does not wait until much of it is done.
        tokio::select! {
            biased;
            rebased = &mut rebasing => panic!("it held the thread and the turn: {rebased:?}"),
            rebased = &mut light => assert!(rebased.is_ok()),
        }
        assert_eq!(rebasing.await.unwrap().base, VERSIONS);
    }

    #[tokio::test]
    async fn a_log_with_a_gap_is_an_error() {
        let store = log().await;
        store.lose_op(&doc(), 800);
        let stuck = Rebaser::new(store, 1).over_log(doc(), submission(600, formats(1)), VERSIONS).await;
        assert!(matches!(stuck, Err(Stuck::Refused(why)) if why.code == ErrorCode::Internal));
    }
}
