//! Groups that change at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Held, TestDatabase};
use crate::ids::UserId;
use crate::protocol::Role;
use crate::storage::people::{Erasing, Fate, People};
use crate::storage::permissions::{Asker, Grant, Group, GroupId, Member, Permissions, Subject};
use crate::storage::postgres::PostgresStore;

fn user(id: &str) -> UserId {
    UserId(id.into())
}

fn member(id: &str) -> Member {
    Member { user: user(id), manager: false, added_by: user("ada"), added_at: 2 }
}

/// Two groups, in order of their ids, with the same three documents: these lie in the tables in another order than that of their ids.
async fn two_groups(database: &TestDatabase) -> (Arc<PostgresStore>, [GroupId; 2]) {
    let store = Arc::new(database.open().await);
    for id in ["c", "b", "a"] {
        let add = format!(
            "INSERT INTO documents (id, shard, history, title, owner, created_at, updated_at, preview, search)
            VALUES ('{id}', 0, gen_random_uuid(), 'Title', 'ada', 1, 1, '', '')"
        );
        Held::by(database, &add).await.release().await;
    }
    let mut groups = [GroupId::generate(), GroupId::generate()];
    groups.sort_by_key(ToString::to_string);
    for id in groups {
        let group = Group { id, name: "Team".to_owned(), made_by: user("ada"), made_at: 1 };
        store.create_group(&Asker::Server, &group, None).await.unwrap();
        for doc in ["c", "b", "a"] {
            let (subject, granted_by) = (Subject::Group(id), user("ada"));
            let grant = Grant { subject, role: Role::Editor, granted_by, granted_at: 1, expires_at: None };
            store.grant(&Asker::Server, &doc.parse().unwrap(), &grant).await.unwrap();
        }
    }
    (store, groups)
}

/// Whoever waits for the first document holds none of the others, which somebody else may have who waits for the first.
#[tokio::test]
async fn two_groups_that_change_at_once_lock_the_documents_that_they_share_in_one_order() {
    let database = TestDatabase::new().await;
    let (store, groups) = two_groups(&database).await;
    let docs = ["a", "b", "c"].map(|doc| doc.parse().unwrap());
    let changes = async || BTreeMap::from_iter(store.changes(&docs).await.unwrap());
    let before = changes().await;
    let held = Held::by(&database, "SELECT FROM documents WHERE id = 'a' FOR UPDATE").await;
    let changing = groups.map(|group| {
        let store = store.clone();
        tokio::spawn(async move { store.set_member(&Asker::Server, group, &member("bob")).await })
    });
    database.wait_for_waiting(2).await;
    Held::by(&database, "SELECT FROM documents WHERE id > 'a' FOR UPDATE NOWAIT").await.release().await;
    held.release().await;
    for change in changing {
        change.await.unwrap().unwrap();
    }
    let expected: BTreeMap<_, _> = before.into_iter().map(|(doc, changes)| (doc, changes + 2)).collect();
    assert_eq!(changes().await, expected);
}

#[tokio::test]
async fn two_people_who_are_erased_at_once_lock_their_groups_in_one_order() {
    let database = TestDatabase::new().await;
    let (store, groups) = two_groups(&database).await;
    for group in groups {
        store.set_member(&Asker::Server, group, &member("bob")).await.unwrap();
    }
    let first = format!("SELECT FROM user_groups WHERE id = '{}' FOR UPDATE", groups[0]);
    let held = Held::by(&database, &first).await;
    let erasures = ["ada", "bob"].map(|id| {
        let (store, erasing) = (store.clone(), Erasing::new(user(id), Fate::Private, 9));
        tokio::spawn(async move { store.begin_erasure(&erasing).await })
    });
    database.wait_for_waiting(2).await;
    let second = format!("SELECT FROM user_groups WHERE id = '{}' FOR UPDATE NOWAIT", groups[1]);
    Held::by(&database, &second).await.release().await;
    Held::by(&database, "SELECT FROM documents FOR UPDATE NOWAIT").await.release().await;
    held.release().await;
    for erasure in erasures {
        erasure.await.unwrap().unwrap();
    }
    for group in groups {
        assert_eq!(store.group(&Asker::Server, group).await.unwrap(), None, "nobody is in it any more");
    }
}
