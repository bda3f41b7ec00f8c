use super::fixture::{Fixture, at, client, history, id, typed};
use super::snapshots::meta;
use crate::storage::permissions::Asker;
use crate::storage::{DocumentPatch, ListQuery, StoreError};

fn recent(limit: usize) -> ListQuery {
    ListQuery { limit, ..ListQuery::default() }
}

async fn names(f: &Fixture, query: &ListQuery) -> Vec<String> {
    let list = f.store().list_documents(query).await.unwrap();
    list.into_iter().map(|row| row.id.to_string()).collect()
}

pub(super) async fn a_document_is_read_with_its_head(mut f: Fixture) {
    f.write("doc", 3).await;
    let row = f.store().document(&id("doc")).await.unwrap();
    assert_eq!(row.id, id("doc"));
    assert_eq!(row.history, history(&id("doc")));
    assert_eq!((row.title.as_str(), row.owner.as_str()), ("Title of doc", "owner"));
    assert_eq!((row.created_at, row.updated_at), (at(0), at(0)));
    assert_eq!((row.version, row.snapshot_version, row.preview.as_str()), (3, 0, ""));
    assert_eq!((row.deleted_at, row.archived), (None, false));
}

pub(super) async fn lists_are_paged_recent_first(mut f: Fixture) {
    for (doc, updated_at) in [("a", 5), ("b", 7), ("c", 5), ("d", 1)] {
        f.write(doc, 1).await;
        let patch = DocumentPatch { updated_at: Some(updated_at), ..DocumentPatch::default() };
        f.store().patch_document(&Asker::Server, &id(doc), &patch).await.unwrap();
    }
    assert_eq!(names(&f, &recent(10)).await, ["b", "c", "a", "d"]);
    assert_eq!(names(&f, &recent(2)).await, ["b", "c"]);
    let next = ListQuery { after: Some((5, id("c"))), ..recent(10) };
    assert_eq!(names(&f, &next).await, ["a", "d"]);
}

pub(super) async fn lists_are_searched_in_any_case_and_by_letter(mut f: Fixture) {
    for (doc, title) in [("a", "Übergabe"), ("b", "50% off"), ("c", "snake_case"), ("d", "plain")] {
        f.write(doc, 1).await;
        let patch = DocumentPatch { title: Some(title.to_owned()), ..DocumentPatch::default() };
        f.store().patch_document(&Asker::Server, &id(doc), &patch).await.unwrap();
    }
    let mut shown = meta("d", 1);
    shown.preview = "A Übersicht of all".to_owned();
    f.store().record_snapshots(&[shown]).await.unwrap();

    let search = async |text: &str| {
        let mut found = names(&f, &ListQuery { text: Some(text.to_owned()), ..recent(10) }).await;
        found.sort();
        found
    };
    assert_eq!(search("ÜBER").await, ["a", "d"]);
    assert_eq!(search("%").await, ["b"]);
    assert_eq!(search("_").await, ["c"]);
    assert_eq!(search("PLAIN").await, ["d"], "the title is still searched after a snapshot");
    assert_eq!(search("nowhere").await, [""; 0]);
}

pub(super) async fn the_trash_is_a_list_of_its_own(mut f: Fixture) {
    f.write("kept", 1).await;
    f.write("thrown", 1).await;
    let throw = |deleted_at| DocumentPatch { deleted_at: Some(deleted_at), ..DocumentPatch::default() };
    let row = f.store().patch_document(&Asker::Server, &id("thrown"), &throw(Some(at(9)))).await.unwrap();
    assert_eq!(row.deleted_at, Some(at(9)));
    assert_eq!(names(&f, &recent(10)).await, ["kept"]);
    assert_eq!(names(&f, &ListQuery { trashed: true, ..recent(10) }).await, ["thrown"]);
    assert_eq!(
        f.store().document(&id("thrown")).await.unwrap().version,
        1,
        "it can be read while it is there"
    );

    f.store().patch_document(&Asker::Server, &id("thrown"), &throw(None)).await.unwrap();
    assert_eq!(names(&f, &recent(10)).await.len(), 2);
}

pub(super) async fn a_patch_changes_what_it_names(mut f: Fixture) {
    f.write("doc", 2).await;
    let before = f.store().document(&id("doc")).await.unwrap();
    let same = f.store().patch_document(&Asker::Server, &id("doc"), &DocumentPatch::default()).await.unwrap();
    assert_eq!(same, before);

    let patch = DocumentPatch { archived: Some(true), title: Some("New".into()), ..DocumentPatch::default() };
    let patched = f.store().patch_document(&Asker::Server, &id("doc"), &patch).await.unwrap();
    assert_eq!((patched.archived, patched.title.as_str()), (true, "New"));
    assert_eq!((patched.version, patched.updated_at), (2, before.updated_at));
    assert_eq!(f.store().document(&id("doc")).await.unwrap(), patched);
}

pub(super) async fn what_is_unknown_is_not_found(f: Fixture) {
    let doc = id("doc");
    assert!(matches!(f.store().document(&doc).await, Err(StoreError::NotFound { .. })));
    let patched = f.store().patch_document(&Asker::Server, &doc, &DocumentPatch::default()).await;
    assert!(matches!(patched, Err(StoreError::NotFound { .. })));
    assert!(matches!(f.store().purge_document(&doc, 1).await, Err(StoreError::NotFound { .. })));
    assert_eq!(names(&f, &recent(10)).await, [""; 0]);
}

pub(super) async fn a_purged_document_leaves_a_tombstone_only(mut f: Fixture) {
    f.write("doc", 3).await;
    f.write("other", 3).await;
    f.store().record_snapshots(&[meta("doc", 2), meta("doc", 3), meta("other", 3)]).await.unwrap();

    assert_eq!(f.store().purge_document(&id("doc"), at(9)).await.unwrap(), history(&id("doc")));

    let not_found = |what: &str, failed: Option<StoreError>| {
        assert!(matches!(failed, Some(StoreError::NotFound { .. })), "{what}: {failed:?}");
    };
    not_found("document", f.store().document(&id("doc")).await.err());
    not_found("read", f.store().read_ops(&id("doc"), 0, 9, 9, 999).await.err());
    not_found("purge", f.store().purge_document(&id("doc"), 1).await.err());
    assert_eq!(f.store().find_op(&id("doc"), client(1), 1).await.unwrap(), None);
    assert_eq!(f.store().client(&id("doc"), client(1)).await.unwrap(), None);
    assert_eq!(f.store().snapshots(&id("doc"), u64::MAX, 9).await.unwrap(), []);
    assert_eq!(f.store().least_head(&id("doc")).await.unwrap(), 0);
    assert_eq!(names(&f, &recent(10)).await, ["other"]);
    assert_eq!(f.store().document_ids(None, 9).await.unwrap(), [id("other")]);

    // Neither more operations nor a new document under the id, while positions of the shard go on.
    let more = f.entry("doc", &[typed(1, 4)]);
    not_found("append", f.refused(&[more]).await.pop().map(|(_, why)| why));
    let mut again = f.entry("doc", &[]);
    again.create = Some(super::fixture::new_document(&id("doc")));
    assert!(matches!(f.refused(&[again]).await[..], [(0, StoreError::Conflict { .. })]));
    f.write("other", 1).await;
    assert_eq!(f.store().last_positions().await.unwrap()[usize::from(id("doc").shard())], 3);
}

pub(super) async fn ids_are_listed_in_order_by_page(mut f: Fixture) {
    for doc in ["b", "a", "c", "d"] {
        f.write(doc, 1).await;
    }
    assert_eq!(f.store().document_ids(None, 3).await.unwrap(), ["a", "b", "c"].map(id));
    assert_eq!(f.store().document_ids(Some(&id("c")), 3).await.unwrap(), [id("d")]);
}

pub(super) async fn purged_ids_are_listed_in_order_by_page(mut f: Fixture) {
    for doc in ["c", "a", "kept", "b"] {
        f.write(doc, 1).await;
    }
    for doc in ["b", "c", "a"] {
        f.store().purge_document(&id(doc), at(9)).await.unwrap();
    }
    assert_eq!(f.store().purged_ids(None, 2).await.unwrap(), [id("a"), id("b")]);
    assert_eq!(f.store().purged_ids(Some(&id("b")), 2).await.unwrap(), [id("c")]);
}
