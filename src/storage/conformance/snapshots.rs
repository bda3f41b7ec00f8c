use super::fixture::{Fixture, at, history, id, typed};
use crate::ids::{HistoryId, Version};
use crate::storage::SnapshotMeta;

/// A snapshot whose row is as large as can be in every number.
pub(super) fn meta(doc: &str, version: Version) -> SnapshotMeta {
    let doc = id(doc);
    SnapshotMeta {
        history: history(&doc),
        version,
        at: at(version),
        checksum: u64::MAX - version,
        bytes: 5,
        inline: version.is_multiple_of(2).then(|| bytes::Bytes::from_static(b"small")),
        preview: format!("Line {version}"),
        doc,
    }
}

pub(super) async fn snapshots_are_read_newest_first(mut f: Fixture) {
    f.write("doc", 6).await;
    f.write("other", 6).await;
    f.store().record_snapshots(&[meta("doc", 2), meta("doc", 6), meta("other", 5)]).await.unwrap();
    f.store().record_snapshots(&[meta("doc", 4)]).await.unwrap();
    let doc = id("doc");
    let read = f.store().snapshots(&doc, u64::MAX, 9).await.unwrap();
    assert_eq!(read, [meta("doc", 6), meta("doc", 4), meta("doc", 2)]);
    assert_eq!(f.store().snapshots(&doc, 5, 1).await.unwrap(), [meta("doc", 4)]);
    assert_eq!(f.store().snapshots(&doc, 1, 9).await.unwrap(), []);
}

pub(super) async fn a_snapshot_shows_in_its_document(mut f: Fixture) {
    f.write("doc", 3).await;
    f.store().record_snapshots(&[meta("doc", 3)]).await.unwrap();
    let row = f.store().document(&id("doc")).await.unwrap();
    assert_eq!((row.snapshot_version, row.preview.as_str(), row.updated_at), (3, "Line 3", at(3)));
}

pub(super) async fn an_older_snapshot_recorded_later_does_not_show(mut f: Fixture) {
    f.write("doc", 5).await;
    f.store().record_snapshots(&[meta("doc", 5)]).await.unwrap();
    f.store().record_snapshots(&[meta("doc", 2)]).await.unwrap();
    let row = f.store().document(&id("doc")).await.unwrap();
    assert_eq!((row.snapshot_version, row.preview.as_str(), row.updated_at), (5, "Line 5", at(5)));
}

pub(super) async fn a_snapshot_of_another_history_is_skipped(mut f: Fixture) {
    f.write("doc", 3).await;
    let stale = SnapshotMeta { history: HistoryId::generate(), ..meta("doc", 3) };
    let missing = meta("missing", 1);
    let skipped =
        f.store().record_snapshots(&[stale.clone(), missing.clone(), meta("doc", 2)]).await.unwrap();
    assert_eq!(skipped, [stale, missing], "whoever wrote their bodies has to remove them");
    assert_eq!(f.store().snapshots(&id("doc"), u64::MAX, 9).await.unwrap(), [meta("doc", 2)]);
}

pub(super) async fn a_version_recorded_again_is_replaced(mut f: Fixture) {
    f.write("doc", 3).await;
    f.store().record_snapshots(&[meta("doc", 3)]).await.unwrap();
    let again = SnapshotMeta { checksum: 7, bytes: 9, inline: None, ..meta("doc", 3) };
    f.store().record_snapshots(std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(f.store().snapshots(&id("doc"), 3, 9).await.unwrap(), [again]);
}

pub(super) async fn forgotten_snapshots_are_gone(mut f: Fixture) {
    f.write("doc", 5).await;
    f.store().record_snapshots(&[meta("doc", 1), meta("doc", 3), meta("doc", 5)]).await.unwrap();
    f.store().forget_snapshots(&id("doc"), &[1, 5, 77]).await.unwrap();
    assert_eq!(f.store().snapshots(&id("doc"), u64::MAX, 9).await.unwrap(), [meta("doc", 3)]);
    assert_eq!(f.store().document(&id("doc")).await.unwrap().snapshot_version, 3);
    f.store().forget_snapshots(&id("doc"), &[3]).await.unwrap();
    assert_eq!(f.store().document(&id("doc")).await.unwrap().snapshot_version, 0);
}

pub(super) async fn a_snapshot_and_a_touch_show_in_their_order(mut f: Fixture) {
    f.write("doc", 2).await;
    touch(&mut f, 3).await;
    f.store().record_snapshots(&[meta("doc", 3)]).await.unwrap();
    let row = f.store().document(&id("doc")).await.unwrap();
    assert_eq!((row.preview.as_str(), row.updated_at), ("Line 3", at(3)));
    touch(&mut f, 4).await;
    let row = f.store().document(&id("doc")).await.unwrap();
    assert_eq!((row.preview.as_str(), row.updated_at), ("Touched", at(4)));
}

async fn touch(f: &mut Fixture, seq: u64) {
    let mut entry = f.entry("doc", &[typed(1, seq)]);
    (entry.touch, entry.preview) = (true, Some("Touched".to_owned()));
    f.append(&[entry]).await;
}
