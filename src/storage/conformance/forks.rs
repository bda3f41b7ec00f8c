use super::fixture::{Fixture, at, history, id};
use super::snapshots::meta;
use crate::ids::{HistoryId, Version};
use crate::storage::{Fork, StoreError, common_version};

fn another(number: u128) -> HistoryId {
    HistoryId(uuid::Uuid::from_u128(number))
}

fn fork(parent: HistoryId, number: u128, version: Version) -> Fork {
    Fork { history: another(number), parent, version, at: at(version) }
}

pub(super) async fn a_fork_has_a_history_of_its_own_and_no_snapshots(mut f: Fixture) {
    f.write("doc", 3).await;
    let store = f.store();
    store.record_snapshots(&[meta("doc", 2)]).await.unwrap();
    store.fork_document(&id("doc"), &fork(history(&id("doc")), 1, 3)).await.unwrap();
    let row = store.document(&id("doc")).await.unwrap();
    assert_eq!((row.history, row.version, row.snapshot_version), (another(1), 3, 0));
    assert_eq!(store.snapshots(&id("doc"), Version::MAX, 9).await.unwrap(), []);
    // One of the history that was left is on its way still.
    let skipped = store.record_snapshots(&[meta("doc", 3)]).await.unwrap();
    assert_eq!(skipped.len(), 1);
    f.write("doc", 1).await;
    assert_eq!(f.read("doc", 1..=4).await.len(), 4);
}

pub(super) async fn a_history_is_left_once(mut f: Fixture) {
    f.write("doc", 1).await;
    let first = fork(history(&id("doc")), 1, 1);
    f.store().fork_document(&id("doc"), &first).await.unwrap();
    for (doc, fork) in [("doc", fork(history(&id("doc")), 2, 1)), ("none", first)] {
        let refused = f.store().fork_document(&id(doc), &fork).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    assert_eq!(f.store().forks(&id("doc")).await.unwrap(), [first]);
}

pub(super) async fn forks_are_read_newest_first_and_go_with_the_document(mut f: Fixture) {
    f.write("doc", 9).await;
    let begin = history(&id("doc"));
    // Their names are in another order than they were made in.
    let forks = [fork(begin, 7, 4), fork(another(7), 3, 9), fork(another(3), 5, 6)];
    for fork in &forks {
        f.store().fork_document(&id("doc"), fork).await.unwrap();
    }
    let read = f.store().forks(&id("doc")).await.unwrap();
    assert!(read.iter().eq(forks.iter().rev()), "{read:?}");
    let common =
        [another(3), another(7), begin, another(5), another(99)].map(|one| common_version(&read, one));
    assert_eq!(common, [Some(6), Some(6), Some(4), None, None]);
    f.store().purge_document(&id("doc"), at(10)).await.unwrap();
    assert_eq!(f.store().forks(&id("doc")).await.unwrap(), []);
}
