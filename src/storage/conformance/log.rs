use super::fixture::{Fixture, client, id, neighbours, typed, user_of};
use crate::ids::UserId;
use crate::storage::StoreError;

pub(super) async fn a_range_is_read_by_number_and_by_bytes(mut f: Fixture) {
    // Two appends, so that the range may span what a backend keeps in two places.
    f.write("doc", 6).await;
    f.write("doc", 4).await;
    let doc = id("doc");
    let versions = |ops: Vec<crate::storage::LoggedOp>| ops.iter().map(|op| op.version).collect::<Vec<_>>();
    let size = f.read("doc", 1..=1).await[0].delta.len();

    let read = f.store().read_ops(&doc, 2, 9, 3, usize::MAX).await.unwrap();
    assert_eq!(versions(read), [3, 4, 5]);
    let read = f.store().read_ops(&doc, 4, 8, usize::MAX, 3 * size).await.unwrap();
    assert_eq!(versions(read), [5, 6, 7]);
    let read = f.store().read_ops(&doc, 4, 8, usize::MAX, 1).await.unwrap();
    assert_eq!(versions(read), [5], "one operation is read however large it is");
    assert!(f.store().read_ops(&doc, 4, 8, 0, usize::MAX).await.unwrap().is_empty());
}

pub(super) async fn a_range_beyond_the_head_is_empty(mut f: Fixture) {
    f.write("doc", 3).await;
    assert!(f.store().read_ops(&id("doc"), 3, u64::MAX, 10, 1000).await.unwrap().is_empty());
    assert!(f.store().read_ops(&id("doc"), 9, 12, 10, 1000).await.unwrap().is_empty());
    assert!(f.store().read_ops(&id("doc"), 2, 1, 10, 1000).await.unwrap().is_empty());
}

pub(super) async fn the_log_of_an_unknown_document_is_not_found(f: Fixture) {
    let read = f.store().read_ops(&id("doc"), 0, 9, 10, 1000).await;
    assert!(matches!(read, Err(StoreError::NotFound { .. })), "{read:?}");
}

pub(super) async fn an_operation_is_found_by_client_and_seq(mut f: Fixture) {
    let entry = f.entry("doc", &[typed(1, 1), typed(2, 1), typed(1, 7)]);
    f.append(&[entry]).await;
    f.write("other", 1).await;
    let find = async |doc: &str, number, seq| f.store().find_op(&id(doc), client(number), seq).await.unwrap();
    assert_eq!(find("doc", 1, 1).await, Some(1));
    assert_eq!(find("doc", 2, 1).await, Some(2));
    assert_eq!(find("doc", 1, 7).await, Some(3));
    for (doc, number, seq) in
        [("doc", 1, 2), ("doc", 1, 8), ("doc", 3, 1), ("other", 2, 1), ("missing", 1, 1)]
    {
        assert_eq!(find(doc, number, seq).await, None, "{doc} {number} {seq}");
    }
}

pub(super) async fn a_client_is_bound_to_its_first_user_and_never_goes_back(mut f: Fixture) {
    let somebody_else = UserId::guest(client(2));
    let mut entry = f.entry("doc", &[typed(1, 4), typed(2, 1), typed(1, 6)]);
    entry.ops[2].user = somebody_else.clone();
    f.append(&[entry]).await;
    let row = f.store().client(&id("doc"), client(1)).await.unwrap().unwrap();
    assert_eq!((row.user, row.last_seq, row.last_version), (user_of(client(1)), 6, 3));

    // Below the last seq, but not taken: the log takes it, and the client has still come as far as it had.
    let mut entry = f.entry("doc", &[typed(1, 5)]);
    entry.ops[0].user = somebody_else;
    f.append(&[entry]).await;
    let row = f.store().client(&id("doc"), client(1)).await.unwrap().unwrap();
    assert_eq!((row.user, row.last_seq, row.last_version), (user_of(client(1)), 6, 3));

    assert_eq!(f.store().client(&id("doc"), client(3)).await.unwrap(), None);
    assert_eq!(f.store().client(&id("missing"), client(1)).await.unwrap(), None);
}

/// Protocol, section 2. In one append, and in one after the other; whoever comes later is not the first.
pub(super) async fn a_guests_client_passes_to_the_first_signed_in_user(mut f: Fixture) {
    let (ann, ben) = (UserId("ann".into()), UserId("ben".into()));
    let mut entry = f.entry("doc", &[typed(1, 1), typed(1, 2), typed(1, 3), typed(2, 1)]);
    entry.ops[1].user = ann.clone();
    entry.ops[2].user = ben.clone();
    f.append(&[entry]).await;
    let mut entry = f.entry("doc", &[typed(2, 2), typed(2, 3)]);
    entry.ops[0].user = ben.clone();
    f.append(&[entry]).await;
    let mut entry = f.entry("doc", &[typed(1, 4), typed(2, 4)]);
    entry.ops[0].user = ben.clone();
    entry.ops[1].user = ann.clone();
    f.append(&[entry]).await;

    let row = f.store().client(&id("doc"), client(1)).await.unwrap().unwrap();
    assert_eq!((row.user, row.last_seq, row.last_version), (ann, 4, 7));
    let row = f.store().client(&id("doc"), client(2)).await.unwrap().unwrap();
    assert_eq!((row.user, row.last_seq, row.last_version), (ben, 4, 8));
}

/// Some backends know it only of what has been settled, but none says more than there is.
pub(super) async fn the_clients_tell_what_the_log_has_come_to(mut f: Fixture) {
    assert_eq!(f.store().least_head(&id("missing")).await.unwrap(), 0);
    let entry = f.entry("doc", &[typed(1, 1), typed(2, 1), typed(1, 2), typed(3, 1)]);
    f.append(&[entry]).await;
    let least = f.store().least_head(&id("doc")).await.unwrap();
    assert!(least == 0 || least == 4, "{least}");
}

pub(super) async fn positions_are_counted_by_shard(mut f: Fixture) {
    assert!(f.store().last_positions().await.unwrap().iter().all(|&pos| pos == 0));
    let (doc, neighbour, other) = neighbours();
    f.write(&doc, 2).await;
    f.write(&neighbour, 3).await;
    f.write(&other, 1).await;
    let positions = f.store().last_positions().await.unwrap();
    assert_eq!(positions[usize::from(id(&doc).shard())], 5);
    assert_eq!(positions[usize::from(id(&other).shard())], 1);
    assert_eq!(positions.iter().sum::<u64>(), 6);
}
