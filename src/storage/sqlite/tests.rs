//! What SQLite adds to the conformance list: files, restarts, and writes that end nobody knows how.

use std::ops::{Deref, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::AssertSqlSafe;

use super::{SettleLimits, SqliteOptions, SqliteStore};
use crate::ids::{ClientId, DocumentId, HistoryId, UserId, Version};
use crate::storage::people::{Erasing, Fate};
use crate::storage::permissions::Asker;
use crate::storage::{
    AppendEntry, AppendError, DataDir, DocumentPatch, DocumentStore, LoggedOp, NewDocument, NewSnapshot,
    OpLog, OpenError, Opened, OwnershipStore, Reading, SnapshotBodies, SnapshotIndex, StoreError, history,
};

/// A store in a folder of its own, which can be left and opened again.
pub(in crate::storage) struct TestStore {
    store: Option<SqliteStore>,
    folder: tempfile::TempDir,
    limits: SettleLimits,
}

impl TestStore {
    /// One that settles only when told to.
    pub(in crate::storage) async fn new() -> Self {
        let hour = Duration::from_hours(1);
        Self::settling(SettleLimits { after: hour, ..SettleLimits::default() }).await
    }

    async fn settling(limits: SettleLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Some(open(folder.path(), limits).await.unwrap());
        Self { store, folder, limits }
    }

    /// Leaves the store as a crash would, without closing it, and opens it again.
    pub(in crate::storage) async fn reopen(&mut self) {
        self.try_reopen().await.unwrap();
    }

    async fn try_reopen(&mut self) -> Result<(), OpenError> {
        self.store = None;
        self.store = Some(open(self.folder.path(), self.limits).await?);
        Ok(())
    }

    /// Changes the database behind the store's back.
    async fn execute(&self, sql: impl Into<String>) -> u64 {
        let mut writer = self.inner.writer().await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql.into())).execute(writer.reading().unwrap()).await;
        done.unwrap().rows_affected()
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&self.inner.readers).await.unwrap()
    }

    /// What the log says of itself in every way there is, as its head.
    async fn head(&self) -> Version {
        let position = self.last_positions().await.unwrap()[usize::from(doc().shard())];
        let ops = self.read_ops(&doc(), 0, Version::MAX, usize::MAX, usize::MAX).await.unwrap();
        assert_eq!(ops.len() as u64, position);
        assert_eq!(self.document(&doc()).await.unwrap().version, position);
        let last = self.client(&doc(), author()).await.unwrap();
        assert_eq!(last.map_or((0, 0), |row| (row.last_seq, row.last_version)), (position, position));
        position
    }
}

impl Deref for TestStore {
    type Target = SqliteStore;

    fn deref(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }
}

async fn open(folder: &Path, settle: SettleLimits) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(DataDir::lock(folder)?, &SqliteOptions { settle, ..SqliteOptions::default() }).await
}

/// The one document of a test: the positions of its shard are its versions.
fn doc() -> DocumentId {
    "doc".parse().unwrap()
}

fn history_of_doc() -> HistoryId {
    HistoryId(uuid::Uuid::from_u128(7))
}

fn author() -> ClientId {
    ClientId(uuid::Uuid::from_u128(1))
}

/// An append of these versions, whose numbers are the author's own too.
fn entry(versions: RangeInclusive<Version>) -> AppendEntry {
    let first_pos = *versions.start();
    let op = |version| LoggedOp {
        version,
        client: author(),
        seq: version,
        user: UserId::guest(author()),
        at: 1,
        delta: r#"[{"insert":"x"}]"#.into(),
    };
    let new = NewDocument {
        history: history_of_doc(),
        title: String::new(),
        owner: UserId("owner".into()),
        created_at: 1,
        preview: String::new(),
        link: Some(crate::protocol::Role::Editor),
    };
    AppendEntry {
        doc: doc(),
        epoch: 0,
        first_pos,
        create: (first_pos == 1).then_some(new),
        ops: versions.map(op).collect(),
        touch: false,
        preview: None,
    }
}

/// Text that no compression makes small enough to stay in the database.
fn noise() -> Vec<u8> {
    (0..100_000_u64).map(|n| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) as u8).collect()
}

fn snapshot(version: Version, content: Vec<u8>) -> NewSnapshot {
    NewSnapshot { doc: doc(), history: history_of_doc(), version, at: 1, preview: String::new(), content }
}

#[tokio::test]
async fn what_a_crash_has_left_in_both_tables_is_there_once() {
    let mut store = TestStore::new().await;
    store.append(&[entry(1..=5)]).await.unwrap();
    let columns = "shard, doc_id, version, pos, client_id, seq, user_id, at, format, delta";
    let settle_some =
        format!("INSERT INTO ops ({columns}) SELECT {columns} FROM unsettled_ops WHERE version <= 3");
    assert_eq!(store.execute(settle_some).await, 3);

    store.reopen().await;
    assert_eq!((store.count("recent_batches").await, store.count("ops").await), (0, 5));
    assert_eq!(store.head().await, 5);
    store.append(&[entry(6..=7)]).await.unwrap();
    assert_eq!(store.head().await, 7);
}

/// Polls a write so many times at most, and leaves it as a caller does who hangs up.
async fn begin_and_leave<T>(write: impl Future<Output = T>, polls: usize) {
    let mut write = std::pin::pin!(write);
    for _ in 0..polls {
        if write.as_mut().now_or_never().is_some() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Whoever recovers settles all that waits: as long as they are all there, nobody had to.
#[tokio::test]
async fn callers_who_hang_up_leave_nothing_to_recover_from() {
    let store = TestStore::new().await;
    store.append(&[entry(1..=5)]).await.unwrap();
    let meta = SnapshotBodies::in_memory().write(snapshot(5, b"[]".to_vec())).await.unwrap();
    let metas = [meta];
    for polls in 1..=12 {
        let title = Some(format!("after {polls} polls"));
        let patch = DocumentPatch { title: title.clone(), ..DocumentPatch::default() };
        begin_and_leave(store.patch_document(&Asker::Server, &doc(), &patch), polls).await;
        begin_and_leave(store.record_snapshots(&metas), polls).await;
        begin_and_leave(store.forget_snapshots(&doc(), &[5]), polls).await;
        begin_and_leave(store.claim_all("node"), polls).await;
        begin_and_leave(store.raise("node", &[(doc().shard(), 1)]), polls).await;
        begin_and_leave(store.purge_document(&"another".parse().unwrap(), 1), polls).await;
        let head = store.head().await;
        let epoch = store.claim_all("node").await.unwrap()[usize::from(doc().shard())];
        let next = AppendEntry { epoch, ..entry(head + 1..=head + 1) };
        begin_and_leave(store.append(std::slice::from_ref(&next)), polls).await;
        store.last_positions().await.unwrap();
        assert_eq!(
            store.count("unsettled_ops").await as u64,
            store.head().await,
            "recovered after {polls} polls"
        );
    }
    // Begun, it is carried to its end.
    store.settle_now().await.unwrap();
    begin_and_leave(store.purge_document(&doc(), 1), 2).await;
    let mut writer = store.inner.writer().await.unwrap();
    while sqlx::query("SELECT 1 FROM ops UNION SELECT 1 FROM clients")
        .fetch_optional(writer.reading().unwrap())
        .await
        .unwrap()
        .is_some()
    {
        drop(writer);
        writer = store.inner.writer().await.unwrap();
    }
    drop(writer);
    assert!(matches!(store.document(&doc()).await, Err(StoreError::NotFound { .. })));
}

/// What it has sent to the connection is carried out all the same, or nothing of it was sent.
#[tokio::test]
async fn an_append_whose_future_is_dropped_is_there_wholly_or_not_at_all() {
    let mut store = TestStore::new().await;
    let mut head = 0;
    for polls in 1..=12 {
        begin_and_leave(store.append(&[entry(head + 1..=head + 2)]), polls).await;

        let position = store.last_positions().await.unwrap()[usize::from(doc().shard())];
        assert!(position == head || position == head + 2, "{position} after {head}");
        if position == 0 {
            // The document went with its first operations.
            let missing = store.document(&doc()).await;
            assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
        } else {
            head = store.head().await;
        }
    }
    store.append(&[entry(head + 1..=head + 1)]).await.unwrap();
    store.reopen().await;
    assert_eq!(store.head().await, head + 1);
}

#[tokio::test]
async fn an_append_of_unknown_outcome_is_found_in_the_database() {
    let store = TestStore::new().await;
    store.append(&[entry(1..=2)]).await.unwrap();
    // What the append is about to write is there before it, as if its own COMMIT had been carried out unheard.
    let ghost = "INSERT INTO recent_batches
        SELECT id + 1, json_array(json_set(ops -> 1, '$[2]', 3, '$[3]', 3, '$[5]', 3)) FROM recent_batches";
    assert_eq!(store.execute(ghost).await, 1);
    let appended = store.append(&[entry(3..=3)]).await;
    assert!(matches!(appended, Err(AppendError::Unknown(_))), "{appended:?}");

    assert_eq!(store.head().await, 3);
    let again = store.append(&[entry(3..=3)]).await;
    assert!(matches!(again, Err(AppendError::Entries(_))), "{again:?}");
    store.append(&[entry(4..=4)]).await.unwrap();
    assert_eq!(store.head().await, 4);
}

/// Operations that wait to be settled carry first lines, of which a snapshot may have brought a newer one.
#[tokio::test]
async fn a_crash_does_not_bring_back_a_first_line_from_before_a_snapshot() {
    let mut store = TestStore::new().await;
    let touching = |versions| AppendEntry { touch: true, preview: Some("old".into()), ..entry(versions) };
    store.append(&[touching(1..=2)]).await.unwrap();
    store.reopen().await;
    assert_eq!(store.document(&doc()).await.unwrap().preview, "old");

    store.append(&[touching(3..=3)]).await.unwrap();
    let bodies = SnapshotBodies::local(store.folder.path()).unwrap();
    let new = NewSnapshot { preview: "new".into(), ..snapshot(3, b"[]".to_vec()) };
    let meta = bodies.write(new).await.unwrap();
    store.record_snapshots(&[meta]).await.unwrap();
    assert_eq!(store.count("unsettled_ops").await, 1);
    store.reopen().await;
    assert_eq!(store.document(&doc()).await.unwrap().preview, "new");
}

/// Whoever asks for what lies beyond the head, as a client does that is ahead of a restored server, finds nothing: also
/// when the head comes by just then.
#[tokio::test]
async fn what_is_appended_during_a_read_is_not_missing_from_it() {
    let mut store = TestStore::new().await;
    store.append(&[entry(1..=5)]).await.unwrap();
    for (head, is_held) in [(5, true), (6, false)] {
        if !is_held {
            store.reopen().await;
        }
        store.settle_now().await.unwrap();
        let document = doc();
        // The database has been asked, and has not answered yet.
        let read = loop {
            let mut read = store.read_ops(&document, head, Version::MAX, 10, usize::MAX);
            if (&mut read).now_or_never().is_none() {
                break read;
            }
        };
        store.append(&[entry(head + 1..=head + 1)]).await.unwrap();
        let read = read.await.unwrap();
        let versions: Vec<_> = read.iter().map(|op| op.version).collect();
        assert!(versions.is_empty() || versions == [head + 1], "{versions:?}");
    }
}

#[tokio::test]
async fn an_append_settles_by_itself_what_nobody_else_does() {
    let hour = Duration::from_hours(1);
    let limits = SettleLimits { ops: 10, after: hour, ..SettleLimits::default() };
    let mut store = TestStore::settling(limits).await;
    store.settler.abort();
    for first in (1..=491).step_by(10) {
        store.append(&[entry(first..=first + 9)]).await.unwrap();
        let unsettled = store.inner.recent.lock().unsettled();
        assert!(unsettled <= 50, "{unsettled} operations wait");
    }
    assert!(store.count("ops").await >= 450);
    assert_eq!(store.head().await, 500);
    store.reopen().await;
    assert_eq!(store.head().await, 500);
}

#[tokio::test]
async fn clients_that_write_no_more_are_forgotten_but_not_what_they_wrote() {
    const CLIENTS: u64 = 3_000;
    let store = TestStore::new().await;
    let mut first = entry(1..=CLIENTS);
    for op in &mut first.ops {
        op.client = ClientId(uuid::Uuid::from_u128(op.version.into()));
        op.seq = 9;
    }
    store.append(&[first]).await.unwrap();
    assert_eq!(store.inner.recent.lock().clients(), 3_000);
    store.settle_now().await.unwrap();
    let held = store.inner.recent.lock().clients();
    assert!(held <= 1_024, "{held} clients are held in memory");
    assert_eq!(store.count("clients").await, 3_000);

    let known = ClientId(uuid::Uuid::from_u128(1_500));
    let mut next = entry(CLIENTS + 1..=CLIENTS + 1);
    (next.ops[0].client, next.ops[0].seq) = (known, 9);
    let again = store.append(&[next.clone()]).await;
    assert!(matches!(again, Err(AppendError::Entries(_))), "the same seq is taken twice: {again:?}");
    (next.ops[0].seq, next.ops[0].user) = (10, UserId::guest(known));
    store.append(&[next]).await.unwrap();
    store.settle_now().await.unwrap();
    let row = store.client(&doc(), known).await.unwrap().unwrap();
    assert_eq!((row.user, row.last_seq, row.last_version), (UserId::guest(author()), 10, CLIENTS + 1));
}

#[tokio::test]
async fn a_log_that_has_lost_its_end_is_no_shorter_document() {
    for (kept, witness) in [(3, "clients"), (0, "clients"), (3, "snapshots"), (0, "snapshots")] {
        let mut store = TestStore::new().await;
        let bodies = SnapshotBodies::in_memory();
        store.append(&[entry(1..=5)]).await.unwrap();
        store.settle_now().await.unwrap();
        if witness == "snapshots" {
            let meta = bodies.write(snapshot(5, br#"[{"insert":"xxxxx"}]"#.to_vec())).await.unwrap();
            store.record_snapshots(&[meta]).await.unwrap();
            store.execute("DELETE FROM clients").await;
        }
        assert_eq!(history::head(&*store, &bodies, &doc(), |_, _| {}).await.unwrap().version, 5);

        store.execute(format!("DELETE FROM ops WHERE version > {kept}")).await;
        store.reopen().await;
        let loaded = history::head(&*store, &bodies, &doc(), |_, _| {}).await;
        let why = loaded.err().map(|error| error.to_string()).unwrap_or_default();
        let place = format!("document doc cannot be read at version {}", kept + 1);
        assert!(why.starts_with(&place), "{kept} {witness}: {why}");
        if witness == "snapshots" {
            let read = history::at(&*store, &bodies, &doc(), 0).await;
            assert!(matches!(read.err(), Some(StoreError::Corrupt { version, .. }) if version == kept + 1));
        }
    }
}

#[tokio::test]
async fn a_snapshots_row_that_cannot_be_read_is_passed_over() {
    let store = TestStore::new().await;
    let bodies = SnapshotBodies::in_memory();
    store.append(&[entry(1..=5)]).await.unwrap();
    for version in [2, 4] {
        let text = "x".repeat(version);
        let content = format!(r#"[{{"insert":"{text}"}}]"#).into_bytes();
        let meta = bodies.write(snapshot(version as u64, content)).await.unwrap();
        store.record_snapshots(&[meta]).await.unwrap();
    }
    for (damage, used) in [
        ("UPDATE snapshots SET history = 'not-a-uuid' WHERE version = 4", 2),
        ("UPDATE snapshots SET bytes = -1 WHERE version = 2", 0),
    ] {
        assert_eq!(store.execute(damage).await, 1);
        let loaded = history::head(&*store, &bodies, &doc(), |_, _| {}).await.unwrap();
        assert_eq!((loaded.version, loaded.snapshot_version), (5, used), "{damage}");
        assert_eq!(loaded.content.length(), 5, "{damage}");
    }
    let read = store.snapshots(&doc(), Version::MAX, 9).await;
    assert!(matches!(read, Err(StoreError::Corrupt { version: 4, .. })), "{read:?}");
    store.purge_document(&doc(), 1).await.unwrap();
}

#[tokio::test]
async fn a_purge_that_a_crash_has_interrupted_ends_with_the_next_start() {
    let mut store = TestStore::new().await;
    store.append(&[entry(1..=5)]).await.unwrap();
    store.settle_now().await.unwrap();
    store.execute("UPDATE documents SET purged_at = 1, purge_pending = TRUE").await;
    store.reopen().await;
    assert_eq!((store.count("ops").await, store.count("clients").await), (0, 0));
    assert!(matches!(store.document(&doc()).await, Err(StoreError::NotFound { .. })));
}

/// Those that were there, and one that was on its way while its document was purged.
#[tokio::test]
async fn no_body_outlives_its_document_whenever_the_process_dies() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
    opened.store.append(&[entry(1..=5)]).await.unwrap();
    let early = opened.bodies.write(snapshot(4, noise())).await.unwrap();
    opened.store.record_snapshots(std::slice::from_ref(&early)).await.unwrap();
    opened.store.purge_document(&doc(), 1).await.unwrap();
    drop(opened);

    let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
    assert!(opened.bodies.read(&early).await.is_ok(), "a command takes nothing away");
    opened.finish().await.unwrap();
    assert!(opened.bodies.read(&early).await.is_err(), "left by a purge that was cut short");
    assert_eq!(opened.purges().await.unwrap(), []);
    drop(opened);

    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
    opened.store.append(&[entry(1..=5)]).await.unwrap();
    let history = opened.store.purge_document(&doc(), 1).await.unwrap();
    opened.bodies.purge(&doc(), history).await.unwrap();
    let late = opened.bodies.write(snapshot(5, noise())).await.unwrap();
    drop(opened);

    let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
    opened.finish().await.unwrap();
    assert!(opened.bodies.read(&late).await.is_err(), "written after the purge, and never recorded");
}

#[tokio::test]
async fn who_reads_beside_a_server_finishes_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
    opened.store.append(&[entry(1..=5)]).await.unwrap();
    // Only what is settled is archived.
    opened.close().await.unwrap();
    let opened = Opened::at(folder.path(), SqliteOptions::default()).await.unwrap();
    let ops = opened.store.read_ops(&doc(), 0, 4, 9, usize::MAX).await.unwrap();
    let author = ops[0].user.clone();
    let history = opened.store.document(&doc()).await.unwrap().history;
    let segment = opened.tiers.segments.write(&doc(), history, ops.clone().into()).await.unwrap();
    opened.store.record_segment(entry(1..=1).epoch, &segment).await.unwrap();
    let erasing =
        Erasing { pseudonym: UserId("erased".into()), ..Erasing::new(author, Fate::Private, i64::MAX) };
    opened.people.begin_erasure(&erasing).await.unwrap();

    let reading = Reading::from(folder.path(), SqliteOptions::default()).await.unwrap();
    assert!(reading.store.read_ops(&doc(), 0, 5, 9, usize::MAX).await.is_ok());
    let _ = reading.store.purge_document(&doc(), 1).await;
    reading.close().await.unwrap();
    opened.tiers.segments.compare(&segment, ops.into()).await.unwrap();
    assert_eq!(opened.people.erasures().await.unwrap(), [erasing]);
}

#[tokio::test]
async fn a_database_that_is_not_this_programs_own_is_refused() {
    let mut store = TestStore::new().await;
    let altered = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 3";
    assert_eq!(store.execute(altered).await, 1);
    let refused = store.try_reopen().await.unwrap_err();
    let OpenError::Database { path, source } = &refused else { panic!("{refused:?}") };
    assert!(path.ends_with("quire.db") && source.to_string().contains('3'), "{refused}: {source}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("quire.db"), noise()).unwrap();
    let refused = open(folder.path(), SettleLimits::default()).await.unwrap_err();
    assert!(matches!(refused, OpenError::Database { .. }), "{refused:?}");
}
