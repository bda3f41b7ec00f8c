use super::fixture::Fixture;
use crate::ids::{Millis, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::{
    Hash, OWN_ISSUER, RefreshHash, Rotation, ServiceToken, SignIn, SigningKey, User, UserPatch,
};

const NOW: Millis = 1_700_000_000_000;
const HOUR: Millis = 3_600_000;

fn user(name: &str) -> User {
    User {
        id: UserId(format!("usr_{name}").into()),
        issuer: OWN_ISSUER.to_owned(),
        subject: format!("{name}@example.org"),
        name: name.to_owned(),
        email: Some(format!("{name}@Example.org")),
        created_at: NOW,
        seen_at: NOW,
        disabled_at: None,
        admin: false,
        may_create: true,
    }
}

fn hash(number: u8) -> Hash {
    [number; 32]
}

fn refresh(family: u8, token: u8) -> RefreshHash {
    RefreshHash { family: hash(family), token: hash(token) }
}

fn sign_in(user: &User, id: &str) -> SignIn {
    SignIn {
        id: id.to_owned(),
        user: user.id.clone(),
        user_agent: "a browser".to_owned(),
        created_at: NOW,
        used_at: NOW,
        expires_at: NOW + HOUR,
    }
}

/// Somebody with a password.
async fn registered(f: &Fixture, name: &str) -> User {
    let user = user(name);
    f.accounts().create_user(&user, Some("$argon2id$…")).await.unwrap();
    user
}

pub(super) async fn a_user_is_found_by_id_and_by_what_the_issuer_says(f: Fixture) {
    let ada = registered(&f, "ada").await;
    let eve = registered(&f, "eve").await;
    assert_eq!(f.accounts().user(&ada.id).await.unwrap(), Some(ada.clone()));
    let found = f.accounts().user_by_subject(OWN_ISSUER, "ada@example.org").await.unwrap();
    assert_eq!(found, Some(ada.clone()));
    assert_eq!(f.accounts().user_by_subject("another", "ada@example.org").await.unwrap(), None);
    assert_eq!(f.accounts().users(None, 9).await.unwrap(), [ada.clone(), eve.clone()]);
    assert_eq!(f.accounts().users(Some(&ada.id), 9).await.unwrap(), [eve]);
    let same_subject = User { id: UserId("usr_other".into()), ..ada.clone() };
    let same_id = User { subject: "other@example.org".to_owned(), ..ada.clone() };
    for taken in [same_subject, same_id] {
        let refused = f.accounts().create_user(&taken, Some("$")).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }
    assert!(f.accounts().credentials(&UserId("usr_other".into())).await.unwrap().is_none());
    assert!(f.accounts().credentials(&ada.id).await.unwrap().unwrap().password == "$argon2id$…");
}

pub(super) async fn a_user_from_elsewhere_is_made_once_and_seen_again(f: Fixture) {
    let ada = User { issuer: "token".to_owned(), ..user("ada") };
    let own = registered(&f, "eve").await;
    let later = |user: &User| User { seen_at: NOW + 5, name: "Another".to_owned(), ..user.clone() };
    f.accounts().see_users(&[ada.clone(), own.clone()]).await.unwrap();
    f.accounts().see_users(&[later(&ada), later(&own), later(&ada)]).await.unwrap();
    let read = async |user: &User| f.accounts().user(&user.id).await.unwrap().unwrap();
    assert_eq!(read(&ada).await, User { seen_at: NOW + 5, name: "Another".to_owned(), ..ada.clone() });
    assert_eq!(
        read(&own).await,
        User { seen_at: NOW + 5, ..own.clone() },
        "an own account has a name of its own"
    );
    f.accounts().see_users(std::slice::from_ref(&ada)).await.unwrap();
    assert_eq!(read(&ada).await.seen_at, NOW + 5);
}

pub(super) async fn a_patch_changes_what_it_names_of_a_user(f: Fixture) {
    let ada = registered(&f, "ada").await;
    let patch = UserPatch { admin: Some(true), may_create: Some(false), ..UserPatch::default() };
    let patched = f.accounts().patch_user(&ada.id, &patch, NOW).await.unwrap().unwrap();
    assert_eq!(patched, User { admin: true, may_create: false, ..ada.clone() });
    f.accounts().begin_sign_in(&sign_in(&ada, "one"), &refresh(1, 1), None, 9).await.unwrap();
    let disable = UserPatch { disabled_at: Some(Some(NOW + 1)), ..UserPatch::default() };
    f.accounts().patch_user(&ada.id, &disable, NOW + 1).await.unwrap();
    assert_eq!(f.accounts().sign_ins(&ada.id, NOW).await.unwrap(), []);
    let revoked = f.accounts().revoked(NOW).await.unwrap();
    assert_eq!(
        (revoked.users, revoked.credentials),
        (vec![(ada.id.clone(), NOW + 1)], vec!["one".to_owned()])
    );
    let enable = UserPatch { disabled_at: Some(None), name: Some("Ada".to_owned()), ..UserPatch::default() };
    let enabled = f.accounts().patch_user(&ada.id, &enable, NOW + 2).await.unwrap().unwrap();
    assert_eq!((enabled.disabled_at, &*enabled.name, enabled.admin), (None, "Ada", true));
    assert_eq!(f.accounts().revoked(NOW).await.unwrap().users, []);
    assert_eq!(f.accounts().patch_user(&UserId("nobody".into()), &enable, NOW).await.unwrap(), None);
}

pub(super) async fn a_refresh_token_is_good_once_and_an_old_one_ends_its_family(f: Fixture) {
    let ada = registered(&f, "ada").await;
    let one = sign_in(&ada, "one");
    f.accounts().begin_sign_in(&one, &refresh(1, 1), None, 9).await.unwrap();
    f.accounts().begin_sign_in(&sign_in(&ada, "two"), &refresh(2, 2), None, 9).await.unwrap();
    let rotate = async |old, new, at| f.accounts().rotate(&old, &hash(new), at).await.unwrap();
    assert_eq!(rotate(refresh(9, 1), 11, NOW).await, Rotation::Unknown);
    let used = SignIn { used_at: NOW + 1, ..one.clone() };
    assert_eq!(rotate(refresh(1, 1), 11, NOW + 1).await, Rotation::Rotated(used.clone(), ada.clone()));
    let used = SignIn { used_at: NOW + 2, ..one };
    assert_eq!(rotate(refresh(1, 11), 12, NOW + 2).await, Rotation::Rotated(used.clone(), ada.clone()));
    // The first of all, two exchanges ago.
    assert_eq!(rotate(refresh(1, 1), 13, NOW + 3).await, Rotation::Reused(used));
    assert_eq!(rotate(refresh(1, 12), 14, NOW + 4).await, Rotation::Unknown, "the good one went with it");
    assert_eq!(f.accounts().revoked(NOW).await.unwrap().credentials, ["one"]);
    assert!(matches!(rotate(refresh(2, 2), 21, NOW + 5).await, Rotation::Rotated(..)), "another sign-in");
    assert_eq!(rotate(refresh(2, 21), 22, NOW + HOUR).await, Rotation::Unknown, "too late");
    let disable = UserPatch { disabled_at: Some(Some(NOW)), ..UserPatch::default() };
    f.accounts().begin_sign_in(&sign_in(&ada, "three"), &refresh(3, 3), None, 9).await.unwrap();
    f.accounts().patch_user(&ada.id, &disable, NOW).await.unwrap();
    assert_eq!(rotate(refresh(3, 3), 31, NOW).await, Rotation::Unknown);
}

pub(super) async fn of_two_exchanges_at_once_one_is_the_reuse(f: Fixture) {
    let ada = registered(&f, "ada").await;
    f.accounts().begin_sign_in(&sign_in(&ada, "one"), &refresh(1, 1), None, 9).await.unwrap();
    let (old, [first, second]) = (refresh(1, 1), [hash(11), hash(12)]);
    let both = futures_util::future::join(
        f.accounts().rotate(&old, &first, NOW),
        f.accounts().rotate(&old, &second, NOW),
    );
    let (one, other) = both.await;
    let kinds = [one.unwrap(), other.unwrap()].map(|rotation| match rotation {
        Rotation::Rotated(..) => 1,
        Rotation::Reused(_) => 2,
        Rotation::Unknown => 3,
    });
    assert!(kinds == [1, 2] || kinds == [2, 1], "{kinds:?}");
    assert_eq!(f.accounts().sign_ins(&ada.id, NOW).await.unwrap(), []);
}

pub(super) async fn sign_ins_are_listed_ended_and_limited(f: Fixture) {
    let (ada, eve) = (registered(&f, "ada").await, registered(&f, "eve").await);
    for number in 1..=4_u8 {
        let at = NOW + Millis::from(number);
        let one = SignIn { created_at: at, used_at: at, ..sign_in(&ada, &number.to_string()) };
        f.accounts().begin_sign_in(&one, &refresh(number, number), None, 3).await.unwrap();
    }
    let ids = async |user: &User| {
        let all = f.accounts().sign_ins(&user.id, NOW).await.unwrap();
        all.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&ada).await, ["4", "3", "2"]);
    assert!(!f.accounts().end_sign_in(&eve.id, "3", NOW).await.unwrap(), "of somebody else");
    assert!(f.accounts().end_sign_in(&ada.id, "3", NOW).await.unwrap());
    assert!(!f.accounts().end_sign_in(&ada.id, "3", NOW).await.unwrap());
    assert_eq!(f.accounts().end_family(&hash(4), NOW).await.unwrap().as_deref(), Some("4"));
    assert_eq!(f.accounts().end_family(&hash(4), NOW).await.unwrap(), None);
    assert_eq!(ids(&ada).await, ["2"]);
    assert_eq!(f.accounts().sign_ins(&ada.id, NOW + HOUR).await.unwrap(), []);
    f.accounts().sweep(NOW + 2 * HOUR).await.unwrap();
    assert_eq!(ids(&ada).await, [""; 0]);
}

pub(super) async fn a_new_password_ends_the_other_sign_ins(f: Fixture) {
    let ada = registered(&f, "ada").await;
    for number in 1..=3_u8 {
        let one = sign_in(&ada, &number.to_string());
        f.accounts().begin_sign_in(&one, &refresh(number, number), None, 9).await.unwrap();
    }
    f.accounts().put_reset(&hash(7), &ada.id, NOW + HOUR).await.unwrap();
    let mut ended = f.accounts().set_password(&ada.id, "$new", NOW + 1, Some("2")).await.unwrap();
    ended.sort();
    assert_eq!(ended, ["1", "3"]);
    let credentials = f.accounts().credentials(&ada.id).await.unwrap().unwrap();
    assert_eq!((&*credentials.password, credentials.changed_at), ("$new", NOW + 1));
    assert_eq!(f.accounts().take_reset(&hash(7), NOW).await.unwrap(), None);
    assert_eq!(f.accounts().set_password(&ada.id, "$newer", NOW + 2, None).await.unwrap(), ["2"]);
}

pub(super) async fn what_was_sent_to_set_a_password_is_good_once_and_for_a_while(f: Fixture) {
    let ada = registered(&f, "ada").await;
    let put = async |number| f.accounts().put_reset(&hash(number), &ada.id, NOW + HOUR).await.unwrap();
    let take = async |number, at| f.accounts().take_reset(&hash(number), at).await.unwrap();
    put(1).await;
    put(2).await;
    assert_eq!(take(1, NOW).await, None, "there is a newer one");
    assert_eq!(take(2, NOW).await, Some(ada.id.clone()));
    assert_eq!(take(2, NOW).await, None);
    put(3).await;
    assert_eq!(take(3, NOW + HOUR).await, None);
}

pub(super) async fn a_second_factor_is_asked_for_once_it_was_confirmed(f: Fixture) {
    let (ada, accounts) = (registered(&f, "ada").await, f.accounts());
    let totp = async || accounts.credentials(&ada.id).await.unwrap().unwrap().totp;
    assert!(totp().await.is_none());
    assert!(!accounts.confirm_totp(&ada.id, 5, &[hash(1)], NOW).await.unwrap(), "there is none");
    assert!(accounts.propose_totp(&ada.id, b"one").await.unwrap());
    assert!(accounts.propose_totp(&ada.id, b"two").await.unwrap());
    assert!(!accounts.take_totp_step(&ada.id, 5).await.unwrap(), "not confirmed");
    assert!(accounts.confirm_totp(&ada.id, 5, &[hash(1), hash(2)], NOW).await.unwrap());
    assert!(totp().await.is_some_and(|totp| totp.secret == b"two" && totp.since == Some(NOW)));
    assert!(!accounts.propose_totp(&ada.id, b"three").await.unwrap());
    assert!(!accounts.confirm_totp(&ada.id, 6, &[hash(3)], NOW).await.unwrap());
    for (step, expected) in [(5, false), (4, false), (6, true), (6, false), (7, true)] {
        assert_eq!(accounts.take_totp_step(&ada.id, step).await.unwrap(), expected, "{step}");
    }
    for (code, expected) in [(1, true), (1, false), (3, false), (2, true)] {
        assert_eq!(accounts.take_recovery_code(&ada.id, &hash(code)).await.unwrap(), expected, "{code}");
    }
    accounts.remove_totp(&ada.id).await.unwrap();
    assert!(totp().await.is_none());
}

pub(super) async fn a_sign_in_begins_with_what_holds_then_and_ends_with_the_right_to_administer(f: Fixture) {
    let (ada, accounts) = (registered(&f, "ada").await, f.accounts());
    let begin = async |id: &str, family, password| {
        accounts.begin_sign_in(&sign_in(&ada, id), &refresh(family, 1), password, 9).await.unwrap()
    };
    let proved = accounts.credentials(&ada.id).await.unwrap().unwrap().password;
    assert!(begin("one", 1, Some(&*proved)).await);
    accounts.set_password(&ada.id, "$argon2id$another", NOW + 1, None).await.unwrap();
    assert!(!begin("two", 2, Some(&*proved)).await, "it was changed after it was looked at");
    assert_eq!(accounts.sign_ins(&ada.id, NOW).await.unwrap(), []);

    let admin = |admin| UserPatch { admin: Some(admin), ..UserPatch::default() };
    accounts.patch_user(&ada.id, &admin(true), NOW + 2).await.unwrap();
    assert!(begin("three", 3, Some("$argon2id$another")).await);
    accounts.patch_user(&ada.id, &admin(true), NOW + 3).await.unwrap();
    assert_eq!(accounts.sign_ins(&ada.id, NOW).await.unwrap().len(), 1);
    accounts.patch_user(&ada.id, &admin(false), NOW + 4).await.unwrap();
    assert_eq!(accounts.sign_ins(&ada.id, NOW).await.unwrap(), []);
    assert!(accounts.revoked(NOW).await.unwrap().credentials.contains(&"three".to_owned()));

    let disable = UserPatch { disabled_at: Some(Some(NOW)), ..UserPatch::default() };
    accounts.patch_user(&ada.id, &disable, NOW).await.unwrap();
    assert!(!begin("four", 4, None).await, "disabled");
}

pub(super) async fn an_address_is_proved_once_and_takes_what_others_have_set_up(f: Fixture) {
    let (ada, accounts) = (registered(&f, "ada").await, f.accounts());
    let has_totp = async || accounts.credentials(&ada.id).await.unwrap().unwrap().totp.is_some();
    let enrol = async |step| {
        assert!(accounts.propose_totp(&ada.id, b"secret").await.unwrap());
        assert!(accounts.confirm_totp(&ada.id, step, &[hash(1)], NOW).await.unwrap());
    };
    enrol(5).await;
    accounts.prove_address(&ada.id, NOW).await.unwrap();
    assert!(!has_totp().await);
    assert!(!accounts.take_recovery_code(&ada.id, &hash(1)).await.unwrap());
    enrol(6).await;
    accounts.prove_address(&ada.id, NOW + 1).await.unwrap();
    assert!(has_totp().await, "this one is the owner's own");
    assert!(accounts.take_recovery_code(&ada.id, &hash(1)).await.unwrap());
}

pub(super) async fn service_tokens_are_found_by_hash_and_end(f: Fixture) {
    let (ada, eve) = (registered(&f, "ada").await, registered(&f, "eve").await);
    let token = |id: &str, owner: &User, at| ServiceToken {
        id: id.to_owned(),
        name: "a script".to_owned(),
        owner: owner.id.clone(),
        scopes: "read write".to_owned(),
        created_at: at,
        expires_at: Some(NOW + HOUR),
        used_at: None,
        ended_at: None,
    };
    let (one, two) = (token("one", &ada, NOW), token("two", &eve, NOW + 1));
    f.accounts().create_service_token(&one, &hash(1)).await.unwrap();
    f.accounts().create_service_token(&two, &hash(2)).await.unwrap();
    let find = async |number| f.accounts().service_token(&hash(number)).await.unwrap();
    assert_eq!(find(1).await, Some((one.clone(), ada.clone())));
    assert_eq!(find(3).await, None);
    assert_eq!(f.accounts().service_tokens(None, 9).await.unwrap(), [two, one.clone()]);
    f.accounts().see_service_token("one", NOW + 5).await.unwrap();
    assert!(f.accounts().end_service_token("one", NOW + 6).await.unwrap());
    assert!(!f.accounts().end_service_token("one", NOW + 7).await.unwrap());
    let ended = ServiceToken { used_at: Some(NOW + 5), ended_at: Some(NOW + 6), ..one };
    assert_eq!(f.accounts().service_tokens(Some(&ada.id), 9).await.unwrap(), std::slice::from_ref(&ended));
    assert_eq!(find(1).await.unwrap().0, ended);
    assert_eq!(f.accounts().revoked(NOW + 5).await.unwrap().credentials, ["one"]);
    assert_eq!(f.accounts().revoked(NOW + 6).await.unwrap().credentials, [""; 0]);
}

pub(super) async fn keys_to_administer_end_with_the_right_to_it(f: Fixture) {
    let (ada, eve, accounts) = (registered(&f, "ada").await, registered(&f, "eve").await, f.accounts());
    for (number, id, owner, scopes) in [
        (1, "looks after", &ada, "read admin"),
        (2, "writes", &ada, "read write"),
        (3, "eve's", &eve, "admin"),
    ] {
        let token = ServiceToken {
            id: id.to_owned(),
            name: "a script".to_owned(),
            owner: owner.id.clone(),
            scopes: scopes.to_owned(),
            created_at: NOW,
            expires_at: None,
            used_at: None,
            ended_at: None,
        };
        accounts.create_service_token(&token, &hash(number)).await.unwrap();
    }
    let ended = async || accounts.revoked(NOW).await.unwrap().credentials;
    let patch = |admin| UserPatch { admin: Some(admin), ..UserPatch::default() };
    accounts.patch_user(&ada.id, &patch(true), NOW + 1).await.unwrap();
    assert_eq!(ended().await, [""; 0]);
    accounts.patch_user(&ada.id, &patch(false), NOW + 2).await.unwrap();
    assert_eq!(ended().await, ["looks after"]);
}

pub(super) async fn signing_keys_follow_each_other_until_their_last_token_has_ended(f: Fixture) {
    let key = |number: u8, until: Millis| SigningKey {
        kid: number.to_string(),
        seed: hash(number),
        signs_from: until - HOUR,
        signs_until: until,
        verifies_until: until + HOUR,
    };
    let add = async |number, until| f.accounts().add_signing_key(&key(number, until)).await.unwrap();
    let kids = async |at| {
        let keys = f.accounts().signing_keys(at).await.unwrap();
        keys.into_iter().map(|key| key.kid).collect::<Vec<_>>()
    };
    add(1, NOW + HOUR).await;
    add(2, NOW + HOUR).await;
    add(3, NOW + 2 * HOUR).await;
    assert_eq!(kids(NOW).await, ["1", "3"], "one of those that sign as long is enough");
    assert!(f.accounts().signing_keys(NOW).await.unwrap()[0] == key(1, NOW + HOUR));
    assert_eq!(kids(NOW + 2 * HOUR).await, ["3"]);
    f.accounts().sweep(NOW + 2 * HOUR + 1).await.unwrap();
    assert_eq!(kids(NOW).await, ["3"]);
}

pub(super) async fn an_answer_of_a_provider_is_used_once(f: Fixture) {
    let use_it = async |number| f.accounts().use_answer(&hash(number), NOW + HOUR).await.unwrap();
    assert!(use_it(1).await);
    assert!(!use_it(1).await);
    assert!(use_it(2).await);
    f.accounts().sweep(NOW + HOUR).await.unwrap();
    assert!(!use_it(2).await, "it could come again until then");
    f.accounts().sweep(NOW + HOUR + 1).await.unwrap();
    assert!(use_it(2).await);
}

pub(super) async fn the_name_of_an_account_of_a_provider_is_its_owners(f: Fixture) {
    let ada = User { issuer: "https://id.example".to_owned(), ..user("ada") };
    f.accounts().create_user(&ada, None).await.unwrap();
    assert!(f.accounts().credentials(&ada.id).await.unwrap().is_none());
    // As an access token of this server has it.
    let seen = User { seen_at: NOW + 5, name: "As it was".to_owned(), ..user("ada") };
    f.accounts().see_users(&[seen]).await.unwrap();
    let read = f.accounts().user_by_subject("https://id.example", &ada.subject).await.unwrap();
    assert_eq!(read, Some(User { seen_at: NOW + 5, ..ada }));
}
