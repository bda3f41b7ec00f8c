use super::fixture::{Fixture, at, client, id, neighbours, typed};
use crate::storage::{ListQuery, StoreError};

pub(super) async fn operations_are_read_back_as_they_were_written(mut f: Fixture) {
    let first = f.entry("doc", &[typed(1, 1), typed(2, 1), typed(1, 5)]);
    f.append(std::slice::from_ref(&first)).await;
    let second = f.entry("doc", &[typed(2, 2)]);
    f.append(std::slice::from_ref(&second)).await;

    let all = f.read("doc", 1..=4).await;
    assert_eq!(all, [first.ops.clone(), second.ops].concat());
    assert_eq!(f.read("doc", 2..=3).await, first.ops[1..]);
}

pub(super) async fn a_batch_of_thousands_is_one_transaction(mut f: Fixture) {
    let ops: Vec<_> = (1..=10).map(|seq| typed(1, seq)).collect();
    let batch: Vec<_> = (0..200).map(|n| format!("doc-{n}")).collect();
    for chunk in batch.chunks(200) {
        // Documents of one shard share its positions, so that each entry is made after the one before.
        let mut entries = Vec::new();
        let mut shards = [0_u64; crate::ids::SHARDS];
        for doc in chunk {
            let mut entry = f.entry(doc, &ops);
            entry.first_pos += shards[usize::from(entry.doc.shard())];
            shards[usize::from(entry.doc.shard())] += ops.len() as u64;
            entries.push(entry);
        }
        f.append(&entries).await;
    }
    for doc in &batch {
        assert_eq!(f.read(doc, 1..=u64::MAX).await.len(), 10, "{doc}");
    }
}

pub(super) async fn an_entry_may_make_a_document_without_operations(mut f: Fixture) {
    let entry = f.entry("doc", &[]);
    f.append(&[entry]).await;
    let document = f.store().document(&id("doc")).await.unwrap();
    assert_eq!((document.version, document.title.as_str()), (0, "Title of doc"));
    f.write("doc", 2).await;
    assert_eq!(f.read("doc", 1..=9).await.len(), 2);
}

pub(super) async fn several_entries_of_a_batch_may_follow_each_other(mut f: Fixture) {
    let first = f.entry("doc", &[typed(1, 1)]);
    let mut second = f.entry("doc", &[typed(1, 2)]);
    second.create = None;
    second.first_pos += 1;
    second.ops[0].version += 1;
    f.append(&[first, second]).await;
    assert_eq!(f.read("doc", 1..=9).await.len(), 2);
}

pub(super) async fn an_empty_batch_is_nothing(mut f: Fixture) {
    f.append(&[]).await;
    assert_eq!(f.store().document_ids(None, 10).await.unwrap(), []);
}

pub(super) async fn only_the_culprits_of_a_batch_are_named_and_nothing_is_written(mut f: Fixture) {
    for doc in ["taken", "good-1", "good-2", "fenced"] {
        f.write(doc, 1).await;
    }
    let mut taken = f.entry("taken", &[typed(2, 1)]);
    taken.ops[0].version = 1;
    let mut fenced = f.entry("fenced", &[typed(2, 1)]);
    fenced.epoch += 1;
    let missing = {
        let mut entry = f.entry("missing", &[typed(2, 1)]);
        entry.create = None;
        entry
    };
    let good = [f.entry("good-1", &[typed(2, 1)]), f.entry("good-2", &[typed(2, 1)])];
    let batch = [good[0].clone(), taken, fenced, good[1].clone(), missing];

    let refused = f.refused(&batch).await;
    assert_eq!(refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 4]);
    assert!(matches!(refused[0].1, StoreError::Conflict { .. }), "{refused:?}");
    assert!(matches!(refused[1].1, StoreError::Fenced { .. }), "{refused:?}");
    assert!(matches!(refused[2].1, StoreError::NotFound { .. }), "{refused:?}");
    for doc in ["taken", "good-1", "good-2", "fenced"] {
        assert_eq!(f.read(doc, 1..=9).await.len(), 1, "{doc}");
    }
    f.append(&good).await;
}

pub(super) async fn a_version_is_taken_once(mut f: Fixture) {
    f.write("doc", 3).await;
    for version in [1, 3, 5] {
        let mut entry = f.entry("doc", &[typed(2, 1)]);
        entry.ops[0].version = version;
        let refused = f.refused(&[entry]).await;
        assert!(matches!(refused[..], [(0, StoreError::Conflict { .. })]), "version {version}: {refused:?}");
    }
    let mut gap = f.entry("doc", &[typed(2, 1), typed(2, 2)]);
    gap.ops[1].version += 1;
    assert_eq!(f.refused(&[gap]).await.len(), 1);
}

pub(super) async fn a_seq_is_taken_once_however_old_it_is(mut f: Fixture) {
    let entry = f.entry("doc", &[typed(1, 1), typed(1, 3), typed(2, 1), typed(1, 9)]);
    f.append(&[entry]).await;
    for seq in [1, 3, 9] {
        let entry = f.entry("doc", &[typed(1, seq)]);
        let refused = f.refused(&[entry]).await;
        assert!(matches!(refused[..], [(0, StoreError::Conflict { .. })]), "seq {seq}: {refused:?}");
    }
    let twice = f.entry("doc", &[typed(3, 1), typed(3, 1)]);
    assert_eq!(f.refused(&[twice]).await.len(), 1);
    // The same number of another client, or of the same client in another document, is another number.
    let entry = f.entry("doc", &[typed(2, 9)]);
    f.append(&[entry]).await;
    let entry = f.entry("other", &[typed(1, 9)]);
    f.append(&[entry]).await;
}

pub(super) async fn a_position_is_taken_once_and_none_is_left_out(mut f: Fixture) {
    let (doc, neighbour, _) = neighbours();
    f.write(&doc, 2).await;
    f.write(&neighbour, 2).await;
    for pos in [1, 4, 6] {
        let mut entry = f.entry(&doc, &[typed(2, 1)]);
        entry.first_pos = pos;
        let refused = f.refused(&[entry]).await;
        assert!(matches!(refused[..], [(0, StoreError::Conflict { .. })]), "position {pos}: {refused:?}");
    }
}

pub(super) async fn an_id_is_given_once(mut f: Fixture) {
    f.write("doc", 1).await;
    let again = f.entry("new", &[typed(1, 1)]);
    let again = crate::storage::AppendEntry { doc: id("doc"), ..again };
    let again = crate::storage::AppendEntry { first_pos: f.entry("doc", &[]).first_pos, ..again };
    let refused = f.refused(&[again]).await;
    assert!(matches!(refused[..], [(0, StoreError::Conflict { .. })]), "{refused:?}");
}

pub(super) async fn a_document_that_does_not_exist_takes_no_operations(f: Fixture) {
    let mut entry = f.entry("doc", &[typed(1, 1)]);
    entry.create = None;
    let refused = f.refused(&[entry]).await;
    assert!(matches!(refused[..], [(0, StoreError::NotFound { .. })]), "{refused:?}");
}

pub(super) async fn entries_behind_a_refused_one_are_not_culprits(mut f: Fixture) {
    let (doc, neighbour, other) = neighbours();
    for doc in [&doc, &neighbour, &other] {
        f.write(doc, 1).await;
    }
    let mut bad = f.entry(&doc, &[typed(1, 1)]);
    bad.ops[0].version = 1;
    let mut behind = f.entry(&neighbour, &[typed(2, 1)]);
    behind.first_pos += 1;
    let elsewhere = f.entry(&other, &[typed(2, 1)]);
    let refused = f.refused(&[bad, behind.clone(), elsewhere]).await;
    assert!(matches!(refused[..], [(0, StoreError::Conflict { .. })]), "{refused:?}");
    behind.first_pos -= 1;
    f.append(&[behind]).await;
    assert!(f.store().client(&id(&neighbour), client(2)).await.unwrap().is_some());
}

pub(super) async fn touching_moves_a_document_to_the_front(mut f: Fixture) {
    f.write("quiet", 5).await;
    f.write("busy", 2).await;
    let mut entry = f.entry("busy", &[typed(1, 3), typed(1, 4)]);
    entry.touch = true;
    entry.preview = Some("Ein Ölbild".to_owned());
    f.append(&[entry]).await;
    let list = f.store().list_documents(&ListQuery { limit: 10, ..ListQuery::default() }).await.unwrap();
    let times: Vec<_> = list.iter().map(|row| (row.id.as_str(), row.updated_at, row.version)).collect();
    assert_eq!(times, [("busy", at(4), 4), ("quiet", at(0), 5)]);
    assert_eq!(list[0].preview, "Ein Ölbild");
    assert_eq!((found(&f, "ÖLBILD").await, found(&f, "title of busy").await), (1, 1));
    // A touch without a first line leaves the one that is there.
    let mut entry = f.entry("busy", &[typed(1, 5)]);
    entry.touch = true;
    f.append(&[entry]).await;
    assert_eq!(f.store().document(&id("busy")).await.unwrap().preview, "Ein Ölbild");
    assert_eq!(found(&f, "ölbild").await, 1);
}

async fn found(f: &Fixture, text: &str) -> usize {
    let query = ListQuery { text: Some(text.to_owned()), limit: 10, ..ListQuery::default() };
    f.store().list_documents(&query).await.unwrap().len()
}
