use super::fixture::{Fixture, at, history, id};
use crate::ids::{DocumentId, Millis, UserId, Version};
use crate::storage::permissions::Asker;
use crate::storage::projections::{Activity, Change, ContentRow, HOUR, Move, Point, READER, Standing};
use crate::storage::{DocumentPatch, StoreError};

fn point(doc: &DocumentId, version: Version) -> Point {
    Point { history: history(doc), version }
}

fn change(doc: &str, before: Option<Version>, version: Version, plain: &str) -> Change {
    let doc = id(doc);
    Change {
        before: before.map(|version| point(&doc, version)),
        anew: before.is_none(),
        activity: Vec::new(),
        row: ContentRow {
            point: point(&doc, version),
            at: at(version),
            body: format!("body of {doc} at {version}\0").into(),
            plain: plain.to_owned(),
            doc,
        },
    }
}

fn activity(hour: Millis, user: &str, ops: u64) -> Activity {
    Activity { hour: hour * HOUR, user: UserId(user.into()), ops, bytes: 10 * ops }
}

fn stay(doc: &str) -> Move {
    Move { shard: id(doc).shard(), from: 0, to: 0 }
}

/// Writes what must be taken; the watermarks stay.
async fn project(f: &Fixture, changes: &[Change]) {
    f.projections().project(&moves(changes), changes).await.unwrap();
}

fn moves(changes: &[Change]) -> Vec<Move> {
    let mut moves: Vec<_> = changes.iter().map(|change| stay(change.row.doc.as_str())).collect();
    moves.sort_by_key(|one| one.shard);
    moves.dedup();
    moves
}

async fn refused(f: &Fixture, moves: &[Move], changes: &[Change]) {
    let refused = f.projections().project(moves, changes).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
}

pub(super) async fn a_document_stands_where_it_was_written(mut f: Fixture) {
    f.write("a", 3).await;
    f.write("b", 1).await;
    let docs = [id("a"), id("none"), id("b")];
    let first = change("a", None, 2, "eins");
    project(&f, std::slice::from_ref(&first)).await;
    let mut standings = f.projections().standings(&docs).await.unwrap();
    standings.sort_by(|one, other| one.doc.cmp(&other.doc));
    let stands = |doc: &str, row, bytes| Standing {
        doc: id(doc),
        history: history(&id(doc)),
        row,
        bytes,
        purged: false,
    };
    let bytes = first.row.body.len() as u64;
    assert_eq!(standings, [stands("a", Some(first.row.point), bytes), stands("b", None, 0)]);
    assert_eq!(f.projections().contents(&docs).await.unwrap(), std::slice::from_ref(&first.row));
    assert_eq!(f.projections().projection(&id("a")).await.unwrap(), Some((first.row, Vec::new())));
    assert_eq!(f.projections().projection(&id("b")).await.unwrap(), None);
    let second = change("a", Some(2), 3, "zwei");
    project(&f, std::slice::from_ref(&second)).await;
    assert_eq!(f.projections().contents(&docs).await.unwrap(), [second.row]);
}

pub(super) async fn a_change_follows_on_what_is_there_or_is_refused_whole(mut f: Fixture) {
    f.write("a", 3).await;
    f.write("b", 3).await;
    project(&f, &[change("a", None, 1, "")]).await;
    let good = change("b", None, 3, "");
    for bad in [change("a", None, 2, ""), change("a", Some(2), 3, "")] {
        let both = [good.clone(), bad];
        refused(&f, &moves(&both), &both).await;
    }
    let mut foreign = change("b", Some(3), 3, "");
    refused(&f, &[stay("b")], std::slice::from_ref(&foreign)).await;
    assert_eq!(
        f.projections().contents(&[id("b")]).await.unwrap(),
        [],
        "nothing of a refused write is there"
    );
    project(&f, &[good]).await;
    foreign.before = Some(point(&id("a"), 3));
    refused(&f, &[stay("b")], &[foreign]).await;
}

pub(super) async fn a_watermark_moves_from_where_it_is(mut f: Fixture) {
    f.write("a", 7).await;
    f.write("b", 10).await;
    let (shard, other) = (id("a").shard(), id("b").shard());
    let to = |shard, from, to| Move { shard, from, to };
    let first = change("a", None, 3, "");
    f.projections().project(&[to(shard, 0, 3), to(other, 0, 9)], &[first]).await.unwrap();
    let marks = f.store().watermarks(READER).await.unwrap();
    assert_eq!((marks[usize::from(shard)], marks[usize::from(other)]), (3, 9));
    for wrong in [to(shard, 0, 3), to(shard, 4, 5), to(shard, 3, 2)] {
        refused(&f, &[to(other, 9, 10), wrong], &[change("a", Some(3), 4, "")]).await;
    }
    f.projections().project(&[to(other, 9, 9), to(shard, 3, 7)], &[]).await.unwrap();
    let marks = f.store().watermarks(READER).await.unwrap();
    assert_eq!((marks[usize::from(shard)], marks[usize::from(other)]), (7, 9));
}

pub(super) async fn activity_is_added_up_or_made_anew(mut f: Fixture) {
    f.write("a", 9).await;
    f.write("b", 9).await;
    let read = async |doc: &str| f.projections().projection(&id(doc)).await.unwrap().unwrap().1;
    let mut first = change("a", None, 3, "");
    first.activity = vec![activity(1, "ann", 2), activity(2, "bob", 1)];
    let mut other = change("b", None, 1, "");
    other.activity = vec![activity(1, "ann", 4)];
    project(&f, &[first, other.clone()]).await;
    let mut second = change("a", Some(3), 6, "");
    second.activity = vec![activity(2, "ann", 1), activity(2, "bob", 2)];
    project(&f, &[second]).await;
    let sum = [activity(1, "ann", 2), activity(2, "ann", 1), activity(2, "bob", 3)];
    assert_eq!(read("a").await, sum);
    let mut anew = change("a", Some(6), 9, "");
    (anew.anew, anew.activity) = (true, vec![activity(3, "bob", 9)]);
    project(&f, &[anew]).await;
    assert_eq!(read("a").await, [activity(3, "bob", 9)]);
    assert_eq!(read("b").await, other.activity);
}

pub(super) async fn words_are_found_in_any_case_and_forgotten_with_the_text(mut f: Fixture) {
    for doc in ["a", "b", "c"] {
        f.write(doc, 9).await;
    }
    project(&f, &[change("a", None, 1, "über öl and water"), change("b", None, 1, "öl 42")]).await;
    project(&f, &[change("c", None, 1, "nothing near")]).await;
    let find = async |words: &str| {
        let found = f.projections().find_words(words, 10).await.unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(find("ÖL").await, ["a", "b"]);
    assert_eq!(find("water, Über!").await, ["a"]);
    assert_eq!(find("42").await, ["b"]);
    assert_eq!(find("uber").await, [""; 0]);
    assert_eq!(find("wat").await, [""; 0], "words, and no parts of them");
    // What is an operator to a database is a word to people.
    assert_eq!(find("NOT near").await, [""; 0]);
    assert_eq!(find("\"and\" OR").await, [""; 0]);
    assert_eq!(find(" -- ").await, [""; 0]);
    assert_eq!(f.projections().find_words("öl", 1).await.unwrap(), [id("a")]);

    project(&f, &[change("a", Some(1), 2, "water")]).await;
    assert_eq!(find("öl").await, ["b"]);
    assert_eq!(find("water").await, ["a"]);
    let throw = DocumentPatch { deleted_at: Some(Some(at(9))), ..DocumentPatch::default() };
    f.store().patch_document(&Asker::Server, &id("b"), &throw).await.unwrap();
    assert_eq!(find("öl").await, [""; 0]);
}

pub(super) async fn a_purge_takes_projections_along_and_nothing_comes_after_it(mut f: Fixture) {
    f.write("a", 3).await;
    f.write("b", 3).await;
    let mut first = change("a", None, 1, "gone");
    first.activity = vec![activity(1, "ann", 1)];
    project(&f, &[first]).await;
    f.store().purge_document(&id("a"), at(9)).await.unwrap();
    let none = async |f: &Fixture| {
        assert_eq!(f.projections().projection(&id("a")).await.unwrap(), None);
        let standings = f.projections().standings(&[id("a")]).await.unwrap();
        assert!(standings[0].purged && standings[0].row.is_none(), "{standings:?}");
        assert_eq!(f.projections().find_words("gone", 9).await.unwrap(), []);
    };
    none(&f).await;
    // On their way when the document was purged; what is written together with them is written.
    for late in [change("a", Some(1), 2, "gone"), change("a", None, 2, "gone")] {
        let mut late = late;
        late.activity = vec![activity(1, "ann", 1)];
        project(&f, &[late]).await;
    }
    none(&f).await;
    project(&f, &[change("a", Some(1), 2, "gone"), change("b", None, 2, "there")]).await;
    assert_eq!(f.projections().find_words("there", 9).await.unwrap(), [id("b")]);
}
