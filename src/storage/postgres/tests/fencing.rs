//! Two servers and one log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Held, Owner, TestDatabase, doc, is_fenced, op};
use crate::ids::{DocumentId, Version};
use crate::storage::permissions::Asker;
use crate::storage::postgres::Asked;
use crate::storage::{
    AppendError, DocumentPatch, DocumentStore, OpLog, OwnershipStore, SnapshotBodies, SnapshotIndex,
    SnapshotMeta, StoreError, history,
};

#[tokio::test]
async fn the_old_owner_is_refused_though_the_new_one_has_only_read() {
    let (database, old) = Owner::alone().await;
    old.append(1..=3).await.unwrap();

    let new = Owner::new(database.open().await, "node-2").await;
    let bodies = SnapshotBodies::in_memory();
    let loaded = history::head(&new.store, &bodies, &doc(), |_, _| {}).await.unwrap();
    assert_eq!(loaded.version, 3);

    let late = old.append(4..=4).await;
    assert!(is_fenced(&late), "{late:?}");
    assert!(matches!(
        old.store.raise("node-1", &[(doc().shard(), old.epoch())]).await,
        Err(StoreError::Fenced { .. })
    ));
    assert_eq!(new.head().await.unwrap(), 3);
    new.append(4..=4).await.unwrap();
    assert_eq!(new.head().await.unwrap(), 4);
}

#[tokio::test]
async fn a_new_owner_waits_for_the_appends_of_the_old_one_and_reads_them() {
    let (database, old) = Owner::alone().await;
    old.append(1..=3).await.unwrap();
    let held = Held::clients(&database).await;
    let (old, store) = (Arc::new(old), database.open().await);
    let last = tokio::spawn({
        let old = old.clone();
        async move { old.append(4..=4).await }
    });
    database.wait_for_waiting(1).await;
    let claim = tokio::spawn(Owner::new(store, "node-2"));
    database.wait_for_waiting(2).await;
    held.release().await;
    last.await.unwrap().unwrap();
    let new = claim.await.unwrap();
    assert_eq!(new.head().await.unwrap(), 4, "what was durable before the epoch was raised");
    let late = old.append(5..=5).await;
    assert!(is_fenced(&late), "{late:?}");
}

/// Whoever looked before it waited would see the epoch that was.
#[tokio::test]
async fn an_append_that_has_waited_for_a_new_owner_is_refused() {
    let (database, old) = Owner::alone().await;
    old.append(1..=3).await.unwrap();
    let held = Held::by(&database, "UPDATE shards SET epoch = epoch + 1, node = 'node-2'").await;
    let (late, ()) = tokio::join!(old.append(4..=4), async {
        database.wait_for_waiting(1).await;
        held.release().await;
    });
    assert!(is_fenced(&late), "{late:?}");
    assert_eq!(old.head().await.unwrap(), 3);
}

/// The owner remembers where the log ends, and must not go on from there.
#[tokio::test]
async fn an_append_that_has_waited_for_a_purge_finds_nothing() {
    let (database, owner) = Owner::alone().await;
    owner.append(1..=3).await.unwrap();
    let other = database.open().await;
    // Behind the tombstone, and before its commit.
    let held = Held::by(&database, "LOCK TABLE snapshots IN EXCLUSIVE MODE").await;
    let purge = tokio::spawn(async move { other.purge_document(&doc(), 1).await });
    database.wait_for_waiting(1).await;
    let (late, ()) = tokio::join!(owner.append(4..=4), async {
        database.wait_for_waiting(2).await;
        held.release().await;
    });
    purge.await.unwrap().unwrap();
    let Err(AppendError::Entries(refused)) = late else { panic!("{late:?}") };
    assert!(matches!(refused[..], [(0, StoreError::NotFound { .. })]), "{refused:?}");
    let positions = owner.store.last_positions().await.unwrap();
    assert_eq!(positions[usize::from(doc().shard())], 3);
}

/// A document and its neighbour in the shard, the last positions of which are the neighbour's.
#[tokio::test]
async fn a_purge_by_another_server_does_not_hold_up_the_owner() {
    let (database, owner) = Owner::alone().await;
    let neighbour = (0..).map(|n| format!("doc-{n}").parse::<DocumentId>().unwrap());
    let neighbour = { neighbour }.find(|id| id.shard() == doc().shard()).unwrap();
    owner.append(1..=3).await.unwrap();
    let mut beside = owner.entry(1..=2);
    (beside.doc, beside.first_pos) = (neighbour.clone(), 4);
    owner.store.append(&[beside]).await.unwrap();
    database.open().await.purge_document(&neighbour, 1).await.unwrap();
    let mut next = owner.entry(4..=4);
    next.first_pos = 6;
    owner.store.append(&[next]).await.unwrap();
    let ops = owner.store.read_ops(&doc(), 0, Version::MAX, 9, usize::MAX).await.unwrap();
    assert_eq!(ops.len(), 4);
}

#[tokio::test]
async fn a_purge_that_a_crash_has_interrupted_ends_with_the_next_start() {
    let (database, owner) = Owner::alone().await;
    owner.append(1..=3).await.unwrap();
    Held::by(&database, "UPDATE documents SET purged_at = 1, purge_pending = TRUE").await.release().await;
    let purges = owner.store.purges().await.unwrap();
    assert_eq!(purges.iter().map(|(doc, _)| doc.as_str()).collect::<Vec<_>>(), ["doc"]);
    assert_eq!(owner.store.find_op(&doc(), super::author(), 1).await.unwrap(), None);
    assert_eq!(owner.store.client(&doc(), super::author()).await.unwrap(), None);
    owner.store.end_purges(&purges).await.unwrap();
    assert_eq!(owner.store.purges().await.unwrap(), []);
}

#[tokio::test]
async fn servers_see_each_other_and_no_commands() {
    let (database, elsewhere) = (TestDatabase::new().await, TestDatabase::new().await);
    let (one, command, stranger) = (database.serve().await, database.open().await, elsewhere.serve().await);
    assert!(!stranger.has_company().await.unwrap());
    assert!(!one.has_company().await.unwrap() && command.has_company().await.unwrap());
    let other = database.serve().await;
    assert!(other.has_company().await.unwrap() && one.has_company().await.unwrap());
    one.close().await;
    // The database takes a moment to notice.
    let deadline = Instant::now() + Duration::from_secs(20);
    while other.has_company().await.unwrap() {
        assert!(Instant::now() < deadline, "one that has gone is still seen");
    }
}

#[tokio::test]
async fn who_is_alone_with_a_database_keeps_servers_from_beginning() {
    let database = TestDatabase::new().await;
    let command = database.open().await;
    let Asked::Alone(alone) = command.alone().await.unwrap() else { panic!("nobody serves") };
    // As a server begins: it may be seen already, and has no document in memory before it has come by.
    let server = database.serve().await;
    assert!(matches!(server.alone().await.unwrap(), Asked::Busy), "a command is at work");
    alone.end().await.unwrap();
    let Asked::Alone(alone) = server.alone().await.unwrap() else { panic!("the command is over") };
    assert!(matches!(command.alone().await.unwrap(), Asked::Busy), "it begins just now");
    alone.end().await.unwrap();
    assert!(matches!(command.alone().await.unwrap(), Asked::Company), "it serves now");
    server.close().await;
}

#[tokio::test]
async fn who_was_alone_hears_that_it_has_not_held() {
    let database = TestDatabase::new().await;
    let command = database.open().await;
    let Asked::Alone(alone) = command.alone().await.unwrap() else { panic!("nobody serves") };
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
        AND classid = CAST(hashtext('quire is alone with ' || current_schema()) AS oid)";
    sqlx::query(cut).execute(&mut database.connect().await).await.unwrap();
    assert!(alone.end().await.is_err());
}

/// Documents that are appended to, touched, patched and snapshotted by one server, while another takes the shards.
#[tokio::test]
async fn nobody_deadlocks() {
    const ROUNDS: u64 = 40;
    let database = TestDatabase::new().await;
    let ids: Vec<DocumentId> = (0..20).map(|n| format!("doc-{n}").parse().unwrap()).collect();
    let [writer, taker, keeper] = [database.open().await, database.open().await, database.open().await];
    let mut written = 0;
    let write = async {
        let mut epochs = writer.claim_all("node-1").await.unwrap();
        for round in 1..=ROUNDS {
            let mut positions = writer.last_positions().await.unwrap();
            // Each time in another order.
            let ids = ids.iter().cycle().skip(7 * round as usize % ids.len()).take(ids.len());
            let batch: Vec<_> = ids
                .map(|doc| {
                    let shard = usize::from(doc.shard());
                    positions[shard] += 1;
                    let mut entry = super::entry(written + 1..=written + 1);
                    (entry.doc, entry.epoch) = (doc.clone(), epochs[shard]);
                    (entry.first_pos, entry.touch) = (positions[shard], true);
                    entry.preview = Some(format!("Round {round}"));
                    entry
                })
                .collect();
            match writer.append(&batch).await {
                Ok(()) => written += 1,
                Err(AppendError::Entries(refused)) => {
                    let fenced = refused.iter().all(|(_, why)| matches!(why, StoreError::Fenced { .. }));
                    assert!(fenced, "{refused:?}");
                    epochs = writer.claim_all("node-1").await.unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let take = async {
        for _ in 0..ROUNDS / 4 {
            taker.claim_all("node-2").await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let keep = async {
        for round in 1..=ROUNDS {
            let rows = ids.iter().rev().map(|doc| meta(doc, round));
            let skipped = keeper.record_snapshots(&rows.collect::<Vec<_>>()).await.unwrap();
            assert!(skipped.is_empty() || skipped.len() == ids.len(), "{}", skipped.len());
            let patch = DocumentPatch { archived: Some(round % 2 == 0), ..DocumentPatch::default() };
            let patched =
                keeper.patch_document(&Asker::Server, &ids[round as usize % ids.len()], &patch).await;
            assert!(matches!(patched, Ok(_) | Err(StoreError::NotFound { .. })), "{patched:?}");
        }
    };
    tokio::join!(write, take, keep);
    assert!(written > 0);
    for doc in &ids {
        let ops = writer.read_ops(doc, 0, Version::MAX, usize::MAX, usize::MAX).await.unwrap();
        assert_eq!(ops, (1..=written).map(op).collect::<Vec<_>>());
    }
}

fn meta(doc: &DocumentId, version: Version) -> SnapshotMeta {
    SnapshotMeta {
        doc: doc.clone(),
        history: crate::ids::HistoryId(uuid::Uuid::from_u128(1)),
        version,
        at: 1,
        checksum: 1,
        bytes: 1,
        inline: None,
        preview: "Snapshot".to_owned(),
    }
}
