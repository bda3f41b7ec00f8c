use super::fixture::{Fixture, NODE, at, history, id};
use crate::ids::{HistoryId, Version};
use crate::storage::{Ripe, SegmentMeta, StoreError};

/// Some segment of these versions; its object is nobody's affair here.
fn segment(doc: &str, first: Version, last: Version) -> SegmentMeta {
    let doc = id(doc);
    SegmentMeta {
        history: history(&doc),
        doc,
        first,
        last,
        first_at: at(first),
        last_at: at(last),
        bytes: 100,
        index_bytes: 10,
        checksum: u64::MAX - last,
        key: format!("segments/{first}-{last}"),
    }
}

fn epoch(f: &Fixture, doc: &str) -> u64 {
    f.epochs[usize::from(id(doc).shard())]
}

async fn record(f: &Fixture, segment: &SegmentMeta) -> Result<(), StoreError> {
    f.store().record_segment(epoch(f, segment.doc.as_str()), segment).await
}

pub(super) async fn segments_are_read_in_order_as_they_were_recorded(mut f: Fixture) {
    f.write("doc", 30).await;
    f.settle().await;
    let parent = HistoryId(uuid::Uuid::from_u128(9));
    let segments = [
        SegmentMeta { history: parent, ..segment("doc", 1, 10) },
        segment("doc", 11, 11),
        segment("doc", 12, 29),
    ];
    for segment in &segments {
        record(&f, segment).await.unwrap();
    }
    let read = async |after, limit| f.store().segments(&id("doc"), after, limit).await.unwrap();
    assert_eq!(read(0, 9).await, segments);
    assert_eq!(read(9, 2).await, segments[..2]);
    assert_eq!(read(10, 9).await, segments[1..]);
    assert_eq!(read(29, 9).await, []);
    assert_eq!(f.store().archived_upto(&id("doc")).await.unwrap(), 29);
    assert_eq!(f.store().archived_upto(&id("other")).await.unwrap(), 0);
    let sizes = f.store().sizes().await.unwrap();
    assert_eq!((sizes.segments, sizes.segment_bytes, sizes.archived), (3, 300, 29));
    assert!(sizes.log > 0);
}

pub(super) async fn a_segment_follows_on_the_one_before_and_leaves_the_last_operation(mut f: Fixture) {
    f.write("doc", 20).await;
    f.settle().await;
    for (first, last) in [(2, 9), (1, 20), (1, 25)] {
        let recorded = record(&f, &segment("doc", first, last)).await;
        assert!(matches!(recorded, Err(StoreError::Conflict { .. })), "{first} to {last}: {recorded:?}");
    }
    record(&f, &segment("doc", 1, 9)).await.unwrap();
    for (first, last) in [(1, 9), (9, 12), (11, 12)] {
        assert!(record(&f, &segment("doc", first, last)).await.is_err(), "{first} to {last}");
    }
    let unknown = record(&f, &segment("other", 1, 2)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(super) async fn only_the_owner_archives(mut f: Fixture) {
    f.write("doc", 20).await;
    f.settle().await;
    let (old, segment) = (epoch(&f, "doc"), segment("doc", 1, 9));
    record(&f, &segment).await.unwrap();
    let shard = id("doc").shard();
    f.store().raise(NODE, &[(shard, old)]).await.unwrap();
    let recorded = f.store().record_segment(old, &SegmentMeta { first: 10, last: 12, ..segment }).await;
    assert!(matches!(recorded, Err(StoreError::Fenced { .. })), "{recorded:?}");
    let removed = f.store().remove_archived(&id("doc"), old, 9, 100).await;
    assert!(matches!(removed, Err(StoreError::Fenced { .. })), "{removed:?}");
    assert_eq!(f.store().archived_upto(&id("doc")).await.unwrap(), 9);
    assert_eq!(f.store().read_ops(&id("doc"), 0, 99, 100, usize::MAX).await.unwrap().len(), 20);
}

pub(super) async fn only_what_is_archived_is_removed_and_the_log_goes_on(mut f: Fixture) {
    f.write("doc", 20).await;
    f.settle().await;
    let remove = async |f: &Fixture, upto, limit| {
        f.store().remove_archived(&id("doc"), epoch(f, "doc"), upto, limit).await.unwrap()
    };
    assert_eq!(remove(&f, 20, 100).await, 0);
    record(&f, &segment("doc", 1, 9)).await.unwrap();
    assert_eq!(remove(&f, 5, 3).await, 3);
    assert_eq!(remove(&f, 5, 3).await, 2);
    assert_eq!(remove(&f, 5, 3).await, 0);
    assert_eq!(remove(&f, 99, 100).await, 4);
    let state = f.store().log_states(None, 9).await.unwrap().pop().unwrap();
    assert_eq!((state.first, state.last, state.archived, state.first_at), (10, 20, 9, at(10)));
    assert_eq!((state.doc, state.history, state.snapshot), (id("doc"), history(&id("doc")), 0));
    // The owner's next append is as if nothing had been.
    f.write("doc", 3).await;
    let row = f.store().document(&id("doc")).await.unwrap();
    assert_eq!(row.version, 23);
    let gone = f.store().read_ops(&id("doc"), 3, 20, 100, usize::MAX).await;
    assert!(matches!(gone, Err(StoreError::Corrupt { version: 4, .. })), "{gone:?}");
}

pub(super) async fn what_is_ripe_ends_with_what_is_young_or_unread(mut f: Fixture) {
    f.write("doc", 20).await;
    f.settle().await;
    let all = Ripe { after: 2, upto: 15, before: at(99), pos: u64::MAX };
    let upto = async |ripe: Ripe| f.store().ripe_upto(&id("doc"), &ripe).await.unwrap();
    assert_eq!(upto(all).await, 15);
    assert_eq!(upto(Ripe { upto: 99, ..all }).await, 20);
    assert_eq!(upto(Ripe { before: at(9), ..all }).await, 8);
    assert_eq!(upto(Ripe { pos: 7, ..all }).await, 7);
    assert_eq!(upto(Ripe { pos: 2, ..all }).await, 2);
    assert_eq!(upto(Ripe { before: at(0), ..all }).await, 2);
}

pub(super) async fn a_purge_takes_the_rows_of_segments_along(mut f: Fixture) {
    f.write("doc", 20).await;
    f.settle().await;
    record(&f, &segment("doc", 1, 9)).await.unwrap();
    f.store().purge_document(&id("doc"), at(30)).await.unwrap();
    assert_eq!(f.store().segments(&id("doc"), 0, 9).await.unwrap(), []);
    assert_eq!(f.store().log_states(None, 9).await.unwrap(), []);
    let recorded = record(&f, &segment("doc", 1, 9)).await;
    assert!(matches!(recorded, Err(StoreError::NotFound { .. })), "{recorded:?}");
}

pub(super) async fn a_segment_takes_the_place_of_one_with_the_same_versions(mut f: Fixture) {
    f.write("doc", 20).await;
    f.settle().await;
    let before = segment("doc", 1, 9);
    record(&f, &before).await.unwrap();
    record(&f, &segment("doc", 10, 12)).await.unwrap();
    let anew =
        SegmentMeta { bytes: 7, index_bytes: 3, checksum: 5, key: "other".to_owned(), ..before.clone() };
    let replace =
        async |before: &SegmentMeta, after: &SegmentMeta| f.store().replace_segment(before, after).await;
    for other in [SegmentMeta { last: 8, ..anew.clone() }, SegmentMeta { doc: id("other"), ..anew.clone() }] {
        let replaced = replace(&before, &other).await;
        assert!(matches!(replaced, Err(StoreError::Conflict { .. })), "{replaced:?}");
    }
    replace(&before, &anew).await.unwrap();
    assert_eq!(f.store().segments(&id("doc"), 0, 9).await.unwrap(), [anew.clone(), segment("doc", 10, 12)]);
    let twice = replace(&before, &anew).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
}
