use super::fixture::Fixture;
use crate::ids::{Millis, UserId};
use crate::storage::accounts::restraints::{Ban, Banned, Quota};

const NOW: Millis = 1_700_000_000_000;

fn user(name: &str) -> UserId {
    UserId(name.into())
}

fn ban(id: &str, who: Banned, expires_at: Option<Millis>) -> Ban {
    Ban {
        id: id.to_owned(),
        who,
        reason: "spam; '--".to_owned(),
        made_by: user("root"),
        made_at: NOW,
        expires_at,
    }
}

pub(super) async fn a_ban_holds_until_it_ends_or_is_lifted_and_replaces_an_earlier_one(f: Fixture) {
    let store = f.accounts();
    let network = Banned::Network("192.0.2.0/24".parse().unwrap());
    let first = ban("1", Banned::User(user("eve")), Some(NOW + 10));
    let second = ban("2", network.clone(), None);
    for one in [&first, &second] {
        assert!(store.ban(one).await.unwrap());
    }
    assert_eq!(store.bans(NOW, None, 9).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.bans(NOW, Some("1"), 9).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.bans(NOW, None, 1).await.unwrap(), [first]);
    assert_eq!(
        store.bans(NOW + 10, None, 9).await.unwrap(),
        std::slice::from_ref(&second),
        "the first has ended"
    );

    let third = ban("3", network, Some(NOW + 20));
    assert!(store.ban(&third).await.unwrap());
    assert_eq!(store.bans(NOW + 10, None, 9).await.unwrap(), [third], "it stands for the one before");
    assert!(store.lift_ban("3").await.unwrap());
    assert!(!store.lift_ban("3").await.unwrap());
    assert_eq!(store.bans(NOW + 10, None, 9).await.unwrap(), []);
}

pub(super) async fn a_quota_is_kept_replaced_and_forgotten(f: Fixture) {
    let store = f.accounts();
    let quota = |name, documents| Quota { user: user(name), documents, set_by: user("root"), set_at: NOW };
    for one in [quota("ada", 3), quota("bob", 0), quota("ada", 4)] {
        store.set_quota(&one).await.unwrap();
    }
    assert_eq!(store.quota(&user("ada")).await.unwrap(), Some(quota("ada", 4)));
    assert_eq!(store.quota(&user("eve")).await.unwrap(), None);
    assert_eq!(store.quotas(None, 9).await.unwrap(), [quota("ada", 4), quota("bob", 0)]);
    assert_eq!(store.quotas(Some(&user("ada")), 9).await.unwrap(), [quota("bob", 0)]);
    assert!(store.remove_quota(&user("ada")).await.unwrap());
    assert!(!store.remove_quota(&user("ada")).await.unwrap());
    assert_eq!(store.quota(&user("ada")).await.unwrap(), None);
}

pub(super) async fn what_somebody_owns_is_counted_as_far_as_asked(mut f: Fixture) {
    assert_eq!(f.accounts().owned(&user("nobody"), 9).await.unwrap(), 0);
    for id in ["a", "b", "c"] {
        f.write(id, 1).await;
    }
    f.settle().await;
    let owner = user("owner");
    assert_eq!(f.accounts().owned(&owner, 9).await.unwrap(), 3);
    assert_eq!(f.accounts().owned(&owner, 2).await.unwrap(), 2);
}
