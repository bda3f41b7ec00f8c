//! Who is there and who has what.

use super::{Owner, TestDatabase, doc, is_fenced};
use crate::ids::{SHARDS, Shard};
use crate::storage::cluster::{ALIVE_FOR, ClusterStore, SECRET_BYTES};
use crate::storage::{OwnershipStore, StoreError};

#[tokio::test]
async fn the_first_secret_is_everybodys() {
    let database = TestDatabase::new().await;
    let (one, other) = (database.open().await, database.open().await);
    let first = one.shared_secret(&[1; SECRET_BYTES]).await.unwrap();
    assert_eq!((&first.current[..], first.previous), (&[1; SECRET_BYTES][..], None));
    assert_eq!(other.shared_secret(&[2; SECRET_BYTES]).await.unwrap().current, first.current);
}

#[tokio::test]
async fn a_secret_that_is_exchanged_is_known_with_the_one_before_and_rests_then() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    assert!(matches!(store.secret().await, Err(StoreError::NotFound { .. })));
    assert!(!store.exchange_secret(&[1; SECRET_BYTES]).await.unwrap(), "there is none to be exchanged");
    store.shared_secret(&[1; SECRET_BYTES]).await.unwrap();
    assert!(store.exchange_secret(&[2; SECRET_BYTES]).await.unwrap());
    let secret = store.secret().await.unwrap();
    assert_eq!((&secret.current[..], secret.previous.as_deref()), (&[2; 32][..], Some(&[1; 32][..])));
    assert!(secret.exchanged_for < 60_000);
    assert!(!store.exchange_secret(&[3; SECRET_BYTES]).await.unwrap(), "not all may know this one yet");
    database.change("UPDATE node_secret SET exchanged_at = exchanged_at - interval '2 minutes'").await;
    assert!(store.exchange_secret(&[3; SECRET_BYTES]).await.unwrap());
    let secret = store.secret().await.unwrap();
    assert_eq!((&secret.current[..], secret.previous.as_deref()), (&[3; 32][..], Some(&[2; 32][..])));
}

#[tokio::test]
async fn a_server_is_there_as_long_as_it_says_so() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    store.renew("b", "http://b", false).await.unwrap();
    store.renew("a", "http://a", false).await.unwrap();
    store.renew("a", "http://a", true).await.unwrap();
    let members = store.standing().await.unwrap().members;
    let told: Vec<_> =
        members.iter().map(|one| (&*one.node, &*one.url, one.draining, one.is_alive())).collect();
    assert_eq!(told, [("a", "http://a", true, true), ("b", "http://b", false, true)]);
    assert!(members.iter().all(|one| one.started_at > 1_600_000_000_000 && one.silent_for < ALIVE_FOR));

    database.change("UPDATE nodes SET seen_at = seen_at - interval '10 seconds' WHERE node = 'a'").await;
    let members = store.standing().await.unwrap().members;
    assert!(!members[0].is_alive() && members[1].is_alive());
    database.change("UPDATE nodes SET seen_at = seen_at - interval '1 hour' WHERE node = 'a'").await;
    store.renew("b", "http://b", false).await.unwrap();
    assert_eq!(store.standing().await.unwrap().members.len(), 1, "in the end it is forgotten");
}

#[tokio::test]
async fn what_is_taken_is_fenced_off_from_whoever_had_it_and_nothing_else_is() {
    let (database, old) = Owner::alone().await;
    old.append(1..=3).await.unwrap();
    let store = database.open().await;
    store.renew("new", "http://new", false).await.unwrap();
    let shard = doc().shard();
    let others: Vec<Shard> = (0..=Shard::MAX).filter(|other| *other != shard).take(3).collect();
    assert_eq!(store.claim("new", &others).await.unwrap().len(), 3);
    old.append(4..=4).await.unwrap();

    let taken = store.claim("new", &[shard]).await.unwrap();
    assert_eq!((taken.len(), taken[0].shard, taken[0].position), (1, shard, 4));
    assert!(taken[0].epoch > old.epoch());
    let late = old.append(5..=5).await;
    assert!(is_fenced(&late), "{late:?}");
    let holders = store.standing().await.unwrap().holders;
    assert_eq!(holders.len(), SHARDS);
    assert_eq!(holders.iter().filter(|holder| holder.node == "new").count(), 4);
    assert_eq!(store.owned("new").await.unwrap().len(), 4);
}

#[tokio::test]
async fn who_is_not_there_or_about_to_go_takes_nothing() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    assert_eq!(store.claim("nobody", &[7]).await.unwrap(), []);
    store.renew("drains", "http://a", true).await.unwrap();
    assert_eq!(store.claim("drains", &[7]).await.unwrap(), []);
    store.renew("stood still", "http://a", false).await.unwrap();
    assert_eq!(store.claim("stood still", &[7]).await.unwrap().len(), 1);
    database.change("UPDATE nodes SET seen_at = seen_at - interval '10 seconds'").await;
    assert_eq!(store.claim("stood still", &[8]).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_server_leaves_is_nobodys_and_its_pins_go_with_it() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    assert!(matches!(store.pin(7, "a").await, Err(StoreError::NotFound { .. })));
    for node in ["a", "b"] {
        store.renew(node, "http://a", false).await.unwrap();
    }
    let taken = store.claim("a", &[7, 8]).await.unwrap();
    store.pin(7, "b").await.unwrap();
    store.pin(7, "a").await.unwrap();
    let holders = store.standing().await.unwrap().holders;
    assert_eq!((&*holders[7].node, holders[7].pinned.as_deref()), ("a", Some("a")));
    assert_eq!((&*holders[8].node, holders[8].pinned.as_deref()), ("a", None));

    store.unpin(7).await.unwrap();
    store.unpin(8).await.unwrap();
    assert!(store.standing().await.unwrap().holders.iter().all(|holder| holder.pinned.is_none()));
    store.pin(7, "a").await.unwrap();

    store.leave("a").await.unwrap();
    let standing = store.standing().await.unwrap();
    assert!(standing.holders.iter().all(|holder| holder.node.is_empty() && holder.pinned.is_none()));
    let again = store.claim("b", &[7]).await.unwrap();
    let before = taken.iter().find(|one| one.shard == 7).unwrap().epoch;
    assert!(again[0].epoch > before, "an epoch is never given twice");
}
