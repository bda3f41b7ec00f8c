use uuid::Uuid;

use super::fixture::{Fixture, at, id};
use crate::ids::{UserId, Version};
use crate::storage::annotations::{
    Anchor, Comment, CommentPatch, MAX_NAMES, MovedAnchor, NamedVersion, REMEMBERED, Repeat, Reserved,
};
use crate::storage::permissions::Asker;
use crate::storage::{DocumentPatch, StoreError};

fn user(name: &str) -> UserId {
    UserId(name.into())
}

fn named(version: Version, name: &str) -> NamedVersion {
    NamedVersion { version, name: name.into(), user: user("ada"), named_at: at(9), made_at: at(version) }
}

fn comment(number: u128, parent: Option<u128>) -> Comment {
    Comment {
        id: Uuid::from_u128(number),
        parent: parent.map(Uuid::from_u128),
        user: user("ada"),
        text: format!("ü {number}"),
        created_at: at(1),
        edited_at: None,
        revision: 1,
        resolved: None,
        anchor: parent.is_none().then_some(Anchor { index: 2, length: 3, version: 1 }),
    }
}

pub(super) async fn names_are_read_from_the_highest_version_down(mut f: Fixture) {
    f.write("a", 3).await;
    let (doc, all) = (id("a"), f.annotations());
    for version in [1, 3, 0] {
        all.name_version(&Asker::Server, &doc, &named(version, "name")).await.unwrap();
    }
    all.name_version(&Asker::Server, &doc, &named(1, "another")).await.unwrap();
    assert_eq!(
        all.named_versions(&Asker::Server, &doc, Version::MAX, 2).await.unwrap(),
        [named(3, "name"), named(1, "another")]
    );
    assert_eq!(all.named_versions(&Asker::Server, &doc, 0, 2).await.unwrap(), [named(0, "name")]);
    assert!(all.forget_name(&Asker::Server, &doc, 1).await.unwrap());
    assert!(!all.forget_name(&Asker::Server, &doc, 1).await.unwrap());
    assert_eq!(all.named_versions(&Asker::Server, &doc, 2, 9).await.unwrap(), [named(0, "name")]);
    let unknown = all.name_version(&Asker::Server, &id("unknown"), &named(0, "name")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(super) async fn a_document_has_so_many_names_and_no_more(mut f: Fixture) {
    f.write("a", 1).await;
    let (doc, all) = (id("a"), f.annotations());
    for version in 0..MAX_NAMES {
        all.name_version(&Asker::Server, &doc, &named(version, "name")).await.unwrap();
    }
    let full = all.name_version(&Asker::Server, &doc, &named(MAX_NAMES, "name")).await;
    assert!(matches!(full, Err(StoreError::Conflict { .. })), "{full:?}");
    all.name_version(&Asker::Server, &doc, &named(0, "another")).await.unwrap();
}

pub(super) async fn comments_are_read_in_order_and_changed_as_they_were_seen(mut f: Fixture) {
    f.write("a", 3).await;
    let (doc, all) = (id("a"), f.annotations());
    let (first, second, answer) = (comment(1, None), comment(300, None), comment(20, Some(1)));
    for comment in [&second, &first, &answer] {
        all.add_comment(&Asker::Server, &doc, comment, None).await.unwrap();
    }
    let lost = all.add_comment(&Asker::Server, &doc, &comment(5, Some(9)), None).await;
    assert!(matches!(lost, Err(StoreError::NotFound { .. })), "{lost:?}");
    assert_eq!(all.comments(&Asker::Server, &doc, None, 2).await.unwrap(), [first.clone(), answer.clone()]);
    assert_eq!(
        all.comments(&Asker::Server, &doc, Some(answer.id), 2).await.unwrap(),
        std::slice::from_ref(&second)
    );

    let resolved = Some(Some((user("bob"), at(5))));
    let patch = CommentPatch { text: Some(("new".into(), at(4))), resolved, only: Some(1) };
    let changed = all.change_comment(&Asker::Server, &doc, first.id, &patch).await.unwrap();
    let expected = Comment {
        text: "new".into(),
        edited_at: Some(at(4)),
        resolved: Some((user("bob"), at(5))),
        revision: 2,
        ..first.clone()
    };
    assert_eq!(
        (&changed, &all.comment(&Asker::Server, &doc, first.id).await.unwrap()),
        (&expected, &expected)
    );
    let late = all.change_comment(&Asker::Server, &doc, first.id, &patch).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let reopened = CommentPatch { resolved: Some(None), ..CommentPatch::default() };
    assert_eq!(all.change_comment(&Asker::Server, &doc, first.id, &reopened).await.unwrap().resolved, None);

    let late = all.remove_comment(&Asker::Server, &doc, first.id, Some(1)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert!(all.remove_comment(&Asker::Server, &doc, first.id, Some(3)).await.unwrap());
    assert!(!all.remove_comment(&Asker::Server, &doc, first.id, None).await.unwrap());
    assert_eq!(all.comments(&Asker::Server, &doc, None, 9).await.unwrap(), [second]);
}

pub(super) async fn an_anchor_is_moved_from_where_it_was_read(mut f: Fixture) {
    f.write("a", 3).await;
    let (doc, all) = (id("a"), f.annotations());
    for number in [1, 2] {
        all.add_comment(&Asker::Server, &doc, &comment(number, None), None).await.unwrap();
    }
    let to = |version| Anchor { index: 7, length: 0, version };
    let moved =
        |number, from, version| MovedAnchor { comment: Uuid::from_u128(number), from, anchor: to(version) };
    all.move_anchors(&doc, &[moved(1, 1, 3), moved(2, 2, 3), moved(9, 1, 3)]).await.unwrap();
    all.move_anchors(&doc, &[]).await.unwrap();
    let anchors: Vec<_> =
        all.comments(&Asker::Server, &doc, None, 9).await.unwrap().into_iter().map(|c| c.anchor).collect();
    assert_eq!(anchors, [Some(to(3)), comment(2, None).anchor]);
    assert_eq!(all.comment(&Asker::Server, &doc, Uuid::from_u128(1)).await.unwrap().revision, 1);
}

pub(super) async fn a_purge_takes_names_and_comments_along_and_nothing_comes_after_it(mut f: Fixture) {
    f.write("a", 1).await;
    let (doc, all) = (id("a"), f.annotations());
    all.name_version(&Asker::Server, &doc, &named(1, "name")).await.unwrap();
    all.add_comment(&Asker::Server, &doc, &comment(1, None), None).await.unwrap();
    f.store().purge_document(&doc, at(9)).await.unwrap();
    assert!(all.named_versions(&Asker::Server, &doc, 9, 9).await.unwrap().is_empty());
    assert!(all.comments(&Asker::Server, &doc, None, 9).await.unwrap().is_empty());
    assert!(matches!(
        all.name_version(&Asker::Server, &doc, &named(1, "x")).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        all.add_comment(&Asker::Server, &doc, &comment(2, None), None).await,
        Err(StoreError::NotFound { .. })
    ));
}

fn repeat(owner: &str, body: u8, at: i64) -> Repeat {
    Repeat { user: user(owner), key: "k".into(), digest: [body; 32], at }
}

pub(super) async fn a_key_stands_for_one_request_until_it_is_old(f: Fixture) {
    let (all, made) = (f.annotations(), Uuid::from_u128);
    let reserve =
        async |repeat: &Repeat, doc: &str, number| all.reserve(repeat, &id(doc), made(number)).await.unwrap();
    assert_eq!(all.reserved(&repeat("ada", 1, 100)).await.unwrap(), None);
    let first = Reserved { doc: id("a"), made: Some(made(1)), digest: Some([1; 32]), at: 100, fresh: true };
    assert_eq!(reserve(&repeat("ada", 1, 100), "a", 1).await, first);
    let last = repeat("ada", 2, 100 + REMEMBERED);
    let again = Reserved { fresh: false, ..first };
    assert_eq!(reserve(&last, "b", 2).await, again);
    assert_eq!(all.reserved(&last).await.unwrap().as_ref(), Some(&again));
    assert!(!again.is_of(&last) && again.is_of(&repeat("ada", 1, 5)));
    assert_eq!(reserve(&repeat("bob", 2, 105), "b", 2).await.doc, id("b"));
    let late = repeat("ada", 2, 101 + REMEMBERED);
    assert_eq!(all.reserved(&late).await.unwrap(), None);
    assert!(reserve(&late, "c", 3).await.fresh);
    all.release(&late).await.unwrap();
    assert!(reserve(&late, "d", 4).await.fresh);
}

pub(super) async fn a_key_and_its_comment_are_there_together_or_not_at_all(mut f: Fixture) {
    f.write("a", 3).await;
    let (doc, all) = (id("a"), f.annotations());
    let request = repeat("ada", 1, 100);
    let lost = all.add_comment(&Asker::Server, &doc, &comment(5, Some(9)), Some(&request)).await;
    assert!(matches!(lost, Err(StoreError::NotFound { .. })), "{lost:?}");
    assert_eq!(all.reserved(&request).await.unwrap(), None);
    assert_eq!(all.add_comment(&Asker::Server, &doc, &comment(1, None), Some(&request)).await.unwrap(), None);
    let again =
        all.add_comment(&Asker::Server, &doc, &comment(2, None), Some(&request)).await.unwrap().unwrap();
    assert_eq!((again.made, again.is_of(&request), again.fresh), (Some(Uuid::from_u128(1)), true, false));
    assert_eq!(all.comments(&Asker::Server, &doc, None, 9).await.unwrap(), [comment(1, None)]);
    // One that was removed is not made again.
    assert!(all.remove_comment(&Asker::Server, &doc, Uuid::from_u128(1), None).await.unwrap());
    assert!(
        all.add_comment(&Asker::Server, &doc, &comment(2, None), Some(&request)).await.unwrap().is_some()
    );
    assert!(all.comments(&Asker::Server, &doc, None, 9).await.unwrap().is_empty());
}

pub(super) async fn a_document_that_was_changed_is_not_changed_under_a_condition(mut f: Fixture) {
    f.write("a", 1).await;
    let doc = id("a");
    let seen = f.store().document(&doc).await.unwrap().settings();
    let rename = |title: &str| DocumentPatch {
        title: Some(title.into()),
        only: Some(seen.clone()),
        ..DocumentPatch::default()
    };
    f.store().patch_document(&Asker::Server, &doc, &rename("first")).await.unwrap();
    let late = f.store().patch_document(&Asker::Server, &doc, &rename("second")).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert_eq!(f.store().document(&doc).await.unwrap().title, "first");
}
