use bytes::Bytes;
use uuid::Uuid;

use super::fixture::{Fixture, at, history, id};
use crate::ids::{Millis, UserId, Version};
use crate::protocol::Role;
use crate::storage::accounts::restraints::{Ban, Banned};
use crate::storage::accounts::{User, UserPatch};
use crate::storage::annotations::Comment;
use crate::storage::events::{
    Delivery, Event, Kind, Logged, MAX_HOOKS, Next, Noted, Outcome, State, Undelivered, Webhook, WebhookPatch,
};
use crate::storage::permissions::{Asker, Grant, Subject};
use crate::storage::projections::{Change, ContentRow, Move, Point};
use crate::storage::{DocumentPatch, StoreError};

/// Later than anything that a test notes.
const LATER: Millis = Millis::MAX;

fn user(name: &str) -> UserId {
    UserId(name.into())
}

async fn noted(f: &Fixture) -> Vec<Noted> {
    f.events().noted(LATER, 100).await.unwrap()
}

fn kinds(notes: &[Noted]) -> Vec<(&str, Kind)> {
    notes.iter().map(|note| (note.doc.as_str(), note.kind)).collect()
}

/// Writes that the content of a document is that of a version, and moves the shard's mark along.
async fn project(f: &Fixture, doc: &str, before: Option<Version>, version: Version) {
    let (doc, history) = (id(doc), history(&id(doc)));
    let point = |version| Point { history, version };
    let row = ContentRow {
        doc: doc.clone(),
        point: point(version),
        at: at(version),
        body: Bytes::from_static(b"x"),
        plain: String::new(),
    };
    let change = Change { row, before: before.map(point), anew: false, activity: Vec::new() };
    let from = before.unwrap_or(0);
    f.projections().project(&[Move { shard: doc.shard(), from, to: version }], &[change]).await.unwrap();
}

fn logged(n: u64, doc: &str, kind: Kind) -> Logged {
    let event = Event {
        n,
        at: at(n),
        kind,
        doc: Some(id(doc)),
        by: Some(user("ada")),
        data: r#"{"a":1}"#.to_owned(),
    };
    Logged { event, owner: user("owner") }
}

fn hook(number: u32, owner: Option<&str>) -> Webhook {
    Webhook {
        id: format!("wh_{number:03}"),
        owner: owner.map(user),
        made_by: user("ada"),
        url: "https://example.org/ü".to_owned(),
        kinds: vec![Kind::Changed, Kind::Created],
        enabled: true,
        reason: None,
        failing_since: None,
        made_at: 7,
    }
}

pub(super) async fn what_happens_to_a_document_is_noted_with_it(mut f: Fixture) {
    f.write("a", 1).await;
    let doc = id("a");
    let trash = |at| DocumentPatch { deleted_at: Some(at), ..DocumentPatch::default() };
    f.store().patch_document(&Asker::Server, &doc, &trash(Some(5))).await.unwrap();
    f.store().patch_document(&Asker::Server, &doc, &trash(Some(5))).await.unwrap();
    f.store().patch_document(&Asker::Server, &doc, &trash(None)).await.unwrap();
    let grant = Grant {
        subject: Subject::User(user("bob")),
        role: Role::Viewer,
        granted_by: user("owner"),
        granted_at: 1,
        expires_at: None,
    };
    f.permissions().grant(&Asker::Server, &doc, &grant).await.unwrap();
    // The same once more is no news.
    f.permissions().grant(&Asker::Server, &doc, &grant).await.unwrap();
    f.permissions()
        .grant(&Asker::Server, &doc, &Grant { role: Role::Editor, ..grant.clone() })
        .await
        .unwrap();
    f.permissions().revoke(&Asker::Server, &doc, &grant.subject).await.unwrap();
    f.permissions().set_link(&Asker::Server, &doc, None).await.unwrap();
    let comment = Comment {
        id: Uuid::from_u128(7),
        parent: None,
        user: user("bob"),
        text: "secret".to_owned(),
        created_at: 1,
        edited_at: None,
        revision: 1,
        resolved: None,
        anchor: None,
    };
    f.annotations().add_comment(&Asker::Server, &doc, &comment, None).await.unwrap();
    let notes = noted(&f).await;
    let told: Vec<_> = notes
        .iter()
        .map(|note| (note.kind, note.by.as_ref().map(UserId::as_str), note.data.as_str()))
        .collect();
    let comment = format!(r#"{{"comment":"{}"}}"#, comment.id);
    assert_eq!(
        told,
        [
            (Kind::Created, Some("owner"), "{}"),
            (Kind::Trashed, None, "{}"),
            (Kind::Restored, None, "{}"),
            (Kind::Shared, Some("owner"), r#"{"change":"grant","role":"viewer"}"#),
            (Kind::Shared, Some("owner"), r#"{"change":"grant","role":"editor"}"#),
            (Kind::Shared, None, r#"{"change":"revoke"}"#),
            (Kind::Shared, None, r#"{"change":"link","role":"none"}"#),
            (Kind::Commented, Some("bob"), comment.as_str()),
        ]
    );
    assert!(notes.iter().all(|note| note.owner == user("owner") && note.versions.is_none()));
    assert!(notes.is_sorted_by_key(|note| note.id));
}

pub(super) async fn a_change_of_text_is_noted_where_it_is_projected(mut f: Fixture) {
    f.write("a", 5).await;
    project(&f, "a", None, 2).await;
    project(&f, "a", Some(2), 5).await;
    let notes = noted(&f).await;
    let told: Vec<_> = notes.iter().map(|note| (note.kind, note.versions)).collect();
    assert_eq!(told, [(Kind::Created, None), (Kind::Changed, Some((0, 2))), (Kind::Changed, Some((2, 5)))]);
}

pub(super) async fn notes_of_a_text_wait_until_one_is_due(mut f: Fixture) {
    f.write("a", 5).await;
    f.write("b", 5).await;
    project(&f, "a", None, 2).await;
    project(&f, "b", None, 2).await;
    let all = noted(&f).await;
    assert_eq!(f.events().noted(LATER, 2).await.unwrap(), all[..2]);
    let changed: Vec<_> = all.iter().filter(|note| note.kind == Kind::Changed).collect();
    let before = changed.iter().map(|note| note.at).min().unwrap() - 1;
    let waits = f.events().noted(before, 100).await.unwrap();
    assert_eq!(kinds(&waits), [("a", Kind::Created), ("b", Kind::Created)]);
    project(&f, "a", Some(2), 5).await;
    // One that is due brings the others of its document along.
    let due = f.events().noted(changed[0].at, 100).await.unwrap();
    assert_eq!(due.iter().filter(|note| note.doc == id("a") && note.kind == Kind::Changed).count(), 2);
}

pub(super) async fn events_follow_each_other_and_of_two_who_number_one_is_refused(mut f: Fixture) {
    f.write("a", 1).await;
    f.webhooks().add_hook(&hook(1, None), b"secret", None).await.unwrap();
    let events = f.events();
    assert_eq!(events.last_event().await.unwrap(), 0);
    let notes: Vec<_> = noted(&f).await.iter().map(|note| note.id).collect();
    let first = [logged(1, "a", Kind::Created), logged(2, "a", Kind::Changed)];
    let deliveries = [Delivery::new("wh_001", first[0].event.clone(), 9)];
    events.number(&first, &notes, &deliveries).await.unwrap();
    assert!(noted(&f).await.is_empty());
    let late = events.number(&[logged(2, "a", Kind::Shared)], &[], &deliveries).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    events.number(&[logged(3, "b", Kind::Purged)], &[], &[]).await.unwrap();
    assert_eq!(events.last_event().await.unwrap(), 3);
    assert_eq!(events.events(0, 2).await.unwrap(), first);
    assert_eq!(events.events(2, 9).await.unwrap(), [logged(3, "b", Kind::Purged)]);
    let pending = f.webhooks().deliveries("wh_001", State::Pending, None, 9).await.unwrap();
    assert_eq!(pending, deliveries);
}

pub(super) async fn a_purge_is_told_and_what_it_takes_is_not(mut f: Fixture) {
    f.write("a", 3).await;
    project(&f, "a", None, 3).await;
    let grant = Grant {
        subject: Subject::User(user("bob")),
        role: Role::Viewer,
        granted_by: user("owner"),
        granted_at: 1,
        expires_at: None,
    };
    f.permissions().grant(&Asker::Server, &id("a"), &grant).await.unwrap();
    f.store().purge_document(&id("a"), 9).await.unwrap();
    let notes = noted(&f).await;
    assert_eq!(kinds(&notes), [("a", Kind::Created), ("a", Kind::Shared), ("a", Kind::Purged)]);
    assert_eq!(notes[2].owner, user("owner"));
}

pub(super) async fn old_events_go_and_the_last_one_stays(f: Fixture) {
    let events: Vec<_> = (1..=5).map(|n| logged(n, "a", Kind::Changed)).collect();
    f.events().number(&events, &[], &[]).await.unwrap();
    f.events().forget(at(2), 0).await.unwrap();
    let left =
        async || f.events().events(0, 9).await.unwrap().iter().map(|one| one.event.n).collect::<Vec<_>>();
    assert_eq!(left().await, [2, 3, 4, 5]);
    f.events().forget(0, 3).await.unwrap();
    assert_eq!(left().await, [4, 5]);
    f.events().forget(LATER, 9).await.unwrap();
    assert_eq!((left().await, f.events().last_event().await.unwrap()), (vec![5], 5));
}

pub(super) async fn a_webhook_is_read_back_and_changed(f: Fixture) {
    let hooks = f.webhooks();
    let (own, server) = (hook(1, Some("ada")), hook(2, None));
    hooks.add_hook(&own, b"secret", None).await.unwrap();
    hooks.add_hook(&server, b"secret", None).await.unwrap();
    assert_eq!(hooks.hook("wh_001").await.unwrap(), Some(own.clone()));
    assert_eq!(hooks.hook("wh_009").await.unwrap(), None);
    assert_eq!(hooks.hooks(None, "", 9).await.unwrap(), [own.clone(), server.clone()]);
    assert_eq!(hooks.hooks(None, "wh_001", 9).await.unwrap(), std::slice::from_ref(&server));
    assert_eq!(hooks.hooks(Some(&user("ada")), "", 9).await.unwrap(), std::slice::from_ref(&own));
    hooks.disable_hook("wh_001", "why").await.unwrap();
    assert_eq!(hooks.enabled_hooks(10).await.unwrap(), [server]);
    let patch = WebhookPatch { kinds: Some(vec![Kind::Purged]), ..WebhookPatch::default() };
    let changed = hooks.patch_hook("wh_001", &patch).await.unwrap().unwrap();
    let disabled =
        Webhook { enabled: false, reason: Some("why".to_owned()), kinds: vec![Kind::Purged], ..own };
    assert_eq!(changed, disabled);
    let patch =
        WebhookPatch { enabled: Some(true), url: Some("https://other".to_owned()), ..Default::default() };
    let changed = hooks.patch_hook("wh_001", &patch).await.unwrap().unwrap();
    assert_eq!(changed, Webhook { enabled: true, reason: None, url: "https://other".to_owned(), ..disabled });
    assert!(hooks.remove_hook("wh_001").await.unwrap());
    assert!(!hooks.remove_hook("wh_001").await.unwrap());
    for number in 0..MAX_HOOKS as u32 {
        hooks.add_hook(&hook(100 + number, Some("bob")), b"secret", None).await.unwrap();
    }
    let full = hooks.add_hook(&hook(200, Some("bob")), b"secret", None).await;
    assert!(matches!(full, Err(StoreError::Conflict { .. })), "{full:?}");
    hooks.add_hook(&hook(200, Some("eve")), b"secret", None).await.unwrap();
}

pub(super) async fn who_is_shut_out_is_told_nothing(f: Fixture) {
    let hooks = f.webhooks();
    // Of her documents, and of all.
    for (number, owner) in [(1, Some("ada")), (2, None)] {
        let hook = hook(number, owner);
        hooks.add_hook(&hook, b"secret", None).await.unwrap();
        hooks.add_delivery(&Delivery::new(&hook.id, logged(1, "a", Kind::Changed).event, 10)).await.unwrap();
    }
    let ada = User {
        id: user("ada"),
        issuer: "elsewhere".to_owned(),
        subject: "ada".to_owned(),
        name: "Ada".to_owned(),
        email: None,
        created_at: 1,
        seen_at: 1,
        disabled_at: None,
        admin: false,
        may_create: true,
    };
    f.accounts().see_users(std::slice::from_ref(&ada)).await.unwrap();
    let told = async |now| {
        (hooks.enabled_hooks(now).await.unwrap().len(), hooks.due_hooks(now, 9).await.unwrap().len())
    };
    assert_eq!(told(10).await, (2, 2));
    let ban = Ban {
        id: "one".to_owned(),
        who: Banned::User(user("ada")),
        reason: String::new(),
        made_by: user("root"),
        made_at: 1,
        expires_at: Some(20),
    };
    assert!(f.accounts().ban(&ban).await.unwrap());
    assert_eq!((told(19).await, told(20).await), ((0, 0), (2, 2)));
    let patch = UserPatch { disabled_at: Some(Some(5)), ..UserPatch::default() };
    f.accounts().patch_user(&user("ada"), &patch, 5).await.unwrap();
    assert_eq!(told(20).await, (0, 0));
    // Of an account of this server it is known whether it may be told of everything.
    let eve = Webhook { made_by: user("usr_eve"), ..hook(3, None) };
    hooks.add_hook(&eve, b"secret", None).await.unwrap();
    f.accounts().see_users(&[User { id: user("usr_eve"), subject: "eve".to_owned(), ..ada }]).await.unwrap();
    for (admin, enabled) in [(true, 1), (false, 0), (true, 1)] {
        let patch = UserPatch { admin: Some(admin), ..UserPatch::default() };
        f.accounts().patch_user(&eve.made_by, &patch, 5).await.unwrap();
        assert_eq!(told(20).await, (enabled, 0), "{admin}");
    }
}

pub(super) async fn a_secret_is_sealed_anew_in_the_place_of_what_was_read(f: Fixture) {
    let hooks = f.webhooks();
    for number in [1, 2] {
        hooks.add_hook(&hook(number, None), &[number as u8], None).await.unwrap();
    }
    let first = hooks.sealed_secrets("", 1).await.unwrap();
    assert_eq!(first, [("wh_001".to_owned(), vec![1])]);
    assert!(hooks.reseal("wh_001", &[1], &[9]).await.unwrap());
    assert!(!hooks.reseal("wh_001", &[1], &[8]).await.unwrap());
    assert!(!hooks.reseal("wh_003", &[1], &[8]).await.unwrap());
    let all = hooks.sealed_secrets("", 9).await.unwrap();
    assert_eq!(all, [("wh_001".to_owned(), vec![9]), ("wh_002".to_owned(), vec![2])]);
    assert!(hooks.sealed_secrets("wh_002", 9).await.unwrap().is_empty());
}

/// A webhook with deliveries of so many events, due at 10, 20, …
async fn delivering(f: &Fixture, number: u64) -> Vec<Delivery> {
    f.webhooks().add_hook(&hook(1, None), b"secret", None).await.unwrap();
    let delivery = |n| Delivery::new("wh_001", logged(n, "a", Kind::Changed).event, n.cast_signed() * 10);
    let deliveries: Vec<_> = (1..=number).map(delivery).collect();
    for delivery in &deliveries {
        f.webhooks().add_delivery(delivery).await.unwrap();
    }
    deliveries
}

pub(super) async fn a_delivery_is_made_by_whoever_has_claimed_it(f: Fixture) {
    let hooks = f.webhooks();
    let made = delivering(&f, 3).await;
    assert!(hooks.due_hooks(9, 9).await.unwrap().is_empty());
    assert_eq!(hooks.due_hooks(10, 9).await.unwrap(), ["wh_001"]);
    let claimed = hooks.claim("wh_001", 20, 100, 9).await.unwrap();
    assert!(hooks.claim("wh_001", 20, 100, 9).await.unwrap().is_empty(), "others have them");
    let mut ids: Vec<_> = claimed.iter().map(|one| one.delivery.id.clone()).collect();
    ids.sort();
    assert_eq!(ids, [made[0].id.clone(), made[1].id.clone()]);
    assert!(claimed.iter().all(|one| one.secret == b"secret" && one.url.ends_with('ü')));
    assert!(claimed.iter().all(|one| one.delivery.tries == 1 && one.delivery.due_at == 100));
    // Whoever had it has died: another takes it, and what the first one says counts for nothing.
    let again = hooks.claim("wh_001", 100, 200, 9).await.unwrap();
    assert_eq!(again.iter().filter(|one| one.delivery.tries == 2).count(), 2);
    let done = Outcome { at: 150, status: Some(204), error: None, next: Next::Delivered };
    hooks.tried(&claimed[0].delivery, &done).await.unwrap();
    assert!(hooks.deliveries("wh_001", State::Delivered, None, 9).await.unwrap().is_empty());
    let second = again.iter().find(|one| one.delivery.id == claimed[0].delivery.id).unwrap();
    hooks.tried(&second.delivery, &done).await.unwrap();
    let delivered = hooks.deliveries("wh_001", State::Delivered, None, 9).await.unwrap();
    assert_eq!((delivered.len(), delivered[0].status, delivered[0].done_at), (1, Some(204), Some(150)));
    // One that is disabled waits, and is told nothing new.
    hooks.disable_hook("wh_001", "why").await.unwrap();
    assert!(hooks.due_hooks(LATER, 9).await.unwrap().is_empty());
    hooks.add_delivery(&Delivery::new("wh_001", made[0].event.clone(), 1)).await.unwrap();
    assert_eq!(hooks.undelivered().await.unwrap(), Undelivered { pending: 2, dead: 0 });
    hooks.remove_hook("wh_001").await.unwrap();
    assert_eq!(hooks.undelivered().await.unwrap(), Undelivered::default());
}

pub(super) async fn a_delivery_that_is_given_up_can_be_made_again(f: Fixture) {
    let hooks = f.webhooks();
    let made = delivering(&f, 1).await;
    let claim =
        async |now: Millis| hooks.claim("wh_001", now, now + 5, 9).await.unwrap().pop().unwrap().delivery;
    let outcome = |at, next| Outcome { at, status: None, error: Some("refused".to_owned()), next };
    let hook = hooks.tried(&claim(10).await, &outcome(11, Next::Again(50))).await.unwrap().unwrap();
    assert_eq!(hook.failing_since, Some(11));
    assert!(hooks.due_hooks(49, 9).await.unwrap().is_empty());
    let hook = hooks.tried(&claim(50).await, &outcome(51, Next::Dead)).await.unwrap().unwrap();
    assert_eq!(hook.failing_since, Some(11));
    let dead = hooks.deliveries("wh_001", State::Dead, None, 9).await.unwrap();
    assert_eq!((dead[0].tries, dead[0].error.as_deref(), dead[0].done_at), (2, Some("refused"), Some(51)));
    assert_eq!(hooks.undelivered().await.unwrap(), Undelivered { pending: 0, dead: 1 });
    assert!(hooks.redeliver("wh_001", &made[0].id, 60).await.unwrap());
    assert!(!hooks.redeliver("wh_001", &made[0].id, 60).await.unwrap(), "it waits already");
    assert!(!hooks.redeliver("wh_002", &made[0].id, 60).await.unwrap());
    let again = claim(60).await;
    assert_eq!((again.tries, &again.event), (1, &made[0].event));
    let done = Outcome { at: 61, status: Some(200), error: None, next: Next::Delivered };
    assert_eq!(hooks.tried(&again, &done).await.unwrap().unwrap().failing_since, None);
}

pub(super) async fn what_was_delivered_is_kept_for_a_while(f: Fixture) {
    let hooks = f.webhooks();
    delivering(&f, 3).await;
    for (n, next) in [(1, Next::Delivered), (2, Next::Dead)] {
        let claimed = hooks.claim("wh_001", n * 10, 1_000, 9).await.unwrap().pop().unwrap();
        hooks
            .tried(&claimed.delivery, &Outcome { at: n * 10, status: None, error: None, next })
            .await
            .unwrap();
    }
    let count = async |state| hooks.deliveries("wh_001", state, None, 9).await.unwrap().len();
    hooks.sweep_deliveries(10, 20).await.unwrap();
    assert_eq!((count(State::Delivered).await, count(State::Dead).await), (1, 1));
    hooks.sweep_deliveries(11, 20).await.unwrap();
    assert_eq!((count(State::Delivered).await, count(State::Dead).await), (0, 1));
    hooks.sweep_deliveries(11, 21).await.unwrap();
    assert_eq!((count(State::Dead).await, count(State::Pending).await), (0, 1));
    assert!(hooks.overfull_hooks().await.unwrap().is_empty());
}
