use super::fixture::{Fixture, NODE, id, typed};
use crate::storage::StoreError;

pub(super) async fn a_claim_raises_every_epoch(f: Fixture) {
    let second = f.store().claim_all("node-2").await.unwrap();
    assert!(f.epochs.iter().zip(second.iter()).all(|(before, after)| after > before));
}

pub(super) async fn an_append_under_another_epoch_is_fenced(mut f: Fixture) {
    f.write("doc", 1).await;
    let shard = id("doc").shard();
    let current = f.epochs[usize::from(shard)];
    for epoch in [current - 1, current + 1] {
        let mut entry = f.entry("doc", &[typed(1, 2)]);
        entry.epoch = epoch;
        let refused = f.refused(&[entry]).await;
        let fenced = matches!(refused[..], [(0, StoreError::Fenced { shard: of, current: is })] if of == shard && is == current);
        assert!(fenced, "{refused:?}");
    }
    f.write("doc", 1).await;
}

pub(super) async fn raising_fences_what_was_appended_under_the_epoch_before(mut f: Fixture) {
    f.write("doc", 1).await;
    let shard = id("doc").shard();
    let old = f.epochs[usize::from(shard)];
    let raised = f.store().raise(NODE, &[(shard, old)]).await.unwrap();
    assert!(raised[..] > [old][..]);

    let stale = f.entry("doc", &[typed(1, 2)]);
    let refused = f.refused(&[stale]).await;
    assert!(matches!(refused[..], [(0, StoreError::Fenced { .. })]), "{refused:?}");
    f.epochs[usize::from(shard)] = raised[0];
    f.write("doc", 1).await;
    assert_eq!(f.read("doc", 1..=9).await.len(), 2);
}

pub(super) async fn only_the_owner_raises_and_then_all_or_none(f: Fixture) {
    let believed = |shard: u8| (shard, f.epochs[usize::from(shard)]);
    let never = (4, f.epochs[4] + 1);
    for (node, shards) in [(NODE, [believed(3), never]), ("node-2", [believed(3), believed(4)])] {
        let raised = f.store().raise(node, &shards).await;
        assert!(matches!(raised, Err(StoreError::Fenced { .. })), "{node}: {raised:?}");
    }
    let raised = f.store().raise(NODE, &[believed(4), believed(3)]).await.unwrap();
    assert_eq!(raised, [f.epochs[4] + 1, f.epochs[3] + 1], "in the order asked, and none was raised before");
}

/// The answer to the first call may have been lost: without this, its owner would take itself for fenced for ever.
pub(super) async fn an_owner_that_has_not_heard_of_its_raise_raises_again(f: Fixture) {
    let held = [(3, f.epochs[3])];
    let first = f.store().raise(NODE, &held).await.unwrap();
    let second = f.store().raise(NODE, &held).await.unwrap();
    assert!(second[..] > first[..], "{first:?}, then {second:?}");
}

pub(super) async fn what_a_node_owns_is_listed_until_another_takes_it(f: Fixture) {
    let owned = f.store().owned(NODE).await.unwrap();
    assert!(owned.iter().copied().eq((0..=255).zip(f.epochs.iter().copied())));
    f.store().claim_all("node-2").await.unwrap();
    assert!(f.store().owned(NODE).await.unwrap().is_empty());
}
