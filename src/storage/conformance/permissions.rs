use uuid::Uuid;

use super::fixture::{Fixture, at, id};
use crate::access::Standing;
use crate::ids::{Millis, UserId};
use crate::protocol::Role;
use crate::storage::permissions::{
    Asker, Grant, Group, GroupId, LinkKey, MAX_GRANTS, MAX_LINKS, Member, ShareLink, Subject,
};
use crate::storage::{DocumentPatch, ListQuery, Scope, StoreError, Viewer};

fn user(id: &str) -> UserId {
    UserId(id.into())
}

fn to(name: &str) -> Subject {
    Subject::User(user(name))
}

fn grant(subject: Subject, role: Role, expires_at: Option<Millis>) -> Grant {
    Grant { subject, role, granted_by: user("owner"), granted_at: at(1), expires_at }
}

fn member(name: &str, manager: bool) -> Member {
    Member { user: user(name), manager, added_by: user("ann"), added_at: at(2) }
}

async fn give(f: &Fixture, doc: &str, subject: Subject, role: Role) {
    f.permissions().grant(&Asker::Server, &id(doc), &grant(subject, role, None)).await.unwrap();
}

async fn group(f: &Fixture) -> GroupId {
    let group =
        Group { id: GroupId::generate(), name: "Übersetzer".into(), made_by: user("ann"), made_at: at(1) };
    f.permissions().create_group(&Asker::Server, &group, None).await.unwrap();
    group.id
}

async fn link(f: &Fixture, doc: &str, role: Role, expires_at: Option<Millis>) -> (Uuid, LinkKey) {
    let (_, key) = LinkKey::generate();
    let link = ShareLink {
        id: Uuid::now_v7(),
        role,
        made_by: user("owner"),
        made_at: at(1),
        expires_at,
        revoked_at: None,
    };
    f.permissions().add_link(&Asker::Server, &id(doc), &link, &key, None).await.unwrap();
    (link.id, key)
}

async fn standing(f: &Fixture, doc: &str, name: &str, key: Option<&LinkKey>) -> Standing {
    let keys: Vec<_> = key.into_iter().copied().collect();
    let rules = f.permissions().rules(&id(doc), &[user(name), user("another")], &keys).await.unwrap();
    rules.standing(&user(name), key, false, at(5))
}

async fn changes(f: &Fixture, doc: &str) -> u64 {
    let found = f.permissions().changes(&[id(doc), id("none")]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(f.store().document(&id(doc)).await.unwrap().access_changes, found[0].1);
    found[0].1
}

fn is_conflict<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}");
}

pub(super) async fn what_is_granted_is_read_back_and_replaced(mut f: Fixture) {
    f.write("doc", 1).await;
    f.write("other", 1).await;
    let team = group(&f).await;
    let granted = [
        grant(Subject::Group(team), Role::Owner, None),
        // What looks like a group is a user all the same.
        grant(to("group:x"), Role::Viewer, Some(at(9))),
        grant(to("ünal"), Role::Commenter, None),
    ];
    for one in &granted {
        f.permissions().grant(&Asker::Server, &id("doc"), one).await.unwrap();
    }
    give(&f, "other", to("bob"), Role::Editor).await;
    let list = async |after: Option<&Subject>, limit| {
        f.permissions().grants(&Asker::Server, &id("doc"), after, limit, at(5)).await.unwrap()
    };
    assert_eq!(list(None, 9).await, granted);
    assert_eq!(list(None, 1).await, granted[..1]);
    assert_eq!(list(Some(&granted[0].subject), 9).await, granted[1..]);
    assert_eq!(list(Some(&granted[2].subject), 9).await, []);

    let more = grant(to("ünal"), Role::Editor, Some(at(20)));
    f.permissions().grant(&Asker::Server, &id("doc"), &more).await.unwrap();
    assert_eq!(list(Some(&granted[1].subject), 9).await, std::slice::from_ref(&more));
    assert!(f.permissions().revoke(&Asker::Server, &id("doc"), &more.subject).await.unwrap());
    assert!(!f.permissions().revoke(&Asker::Server, &id("doc"), &more.subject).await.unwrap());
    assert_eq!(list(None, 9).await, granted[..2]);
    is_conflict(
        f.permissions()
            .grant(
                &Asker::Server,
                &id("doc"),
                &grant(Subject::Group(GroupId::generate()), Role::Viewer, None),
            )
            .await,
    );
}

pub(super) async fn what_is_said_of_people_is_told_by_name_by_group_and_by_link(mut f: Fixture) {
    f.write("doc", 1).await;
    f.write("other", 1).await;
    let team = group(&f).await;
    f.permissions().set_member(&Asker::Server, team, &member("bob", false)).await.unwrap();
    give(&f, "doc", Subject::Group(team), Role::Commenter).await;
    give(&f, "doc", to("carl"), Role::Editor).await;
    let (_, key) = link(&f, "doc", Role::Viewer, Some(at(7))).await;
    let (_, foreign) = link(&f, "other", Role::Editor, None).await;
    let of = async |name, key| {
        let standing = standing(&f, "doc", name, key).await;
        (standing.granted, standing.shared, standing.until)
    };
    assert_eq!(of("ann", None).await, (Some(Role::Commenter), None, None));
    assert_eq!(of("bob", Some(&key)).await, (Some(Role::Commenter), Some(Role::Viewer), Some(at(7))));
    assert_eq!(of("carl", None).await, (Some(Role::Editor), None, None));
    assert_eq!(of("dora", Some(&foreign)).await, (None, None, None));
    give(&f, "doc", to("bob"), Role::Viewer).await;
    assert_eq!(of("bob", None).await, (Some(Role::Viewer), None, None));
    let rules = f.permissions().rules(&id("doc"), &[], &[]).await.unwrap();
    assert_eq!((rules.owner, rules.link, rules.rules), (user("owner"), Some(Role::Editor), Vec::new()));
}

pub(super) async fn every_change_is_counted(mut f: Fixture) {
    f.write("doc", 1).await;
    f.write("other", 1).await;
    let team = group(&f).await;
    assert_eq!(changes(&f, "doc").await, 0);
    let mut count = 0;
    let mut counted = async |what: &str, by: u64| {
        let now = changes(&f, "doc").await;
        assert!(now >= count + by, "{what}: {count} and then {now}");
        count = now;
    };
    let (permissions, doc) = (f.permissions(), id("doc"));
    give(&f, "doc", Subject::Group(team), Role::Viewer).await;
    counted("a grant", 1).await;
    permissions.set_member(&Asker::Server, team, &member("bob", true)).await.unwrap();
    counted("a member", 1).await;
    permissions.remove_member(&Asker::Server, team, &user("bob")).await.unwrap();
    counted("a member less", 1).await;
    permissions.set_link(&Asker::Server, &doc, None).await.unwrap();
    counted("the address", 1).await;
    let (share, _) = link(&f, "doc", Role::Viewer, None).await;
    counted("a link", 1).await;
    permissions.revoke_link(&Asker::Server, &doc, share, at(3)).await.unwrap();
    counted("a link less", 1).await;
    permissions
        .transfer(&Asker::Server, &doc, &user("owner"), &user("eve"), &user("owner"), at(3))
        .await
        .unwrap();
    counted("another owner", 1).await;
    permissions.revoke(&Asker::Server, &doc, &to("owner")).await.unwrap();
    counted("a grant less", 1).await;
    permissions.delete_group(&Asker::Server, team).await.unwrap();
    counted("a group less", 1).await;
    counted("nothing", 0).await;
    assert_eq!(changes(&f, "other").await, 0);
    assert_eq!(f.store().document(&doc).await.unwrap().link, None);
}

pub(super) async fn what_has_ended_is_not_listed_and_makes_room(mut f: Fixture) {
    f.write("doc", 1).await;
    for n in 0..MAX_GRANTS {
        let ends = (n < 2).then_some(at(4));
        f.permissions()
            .grant(&Asker::Server, &id("doc"), &grant(to(&format!("u{n:04}")), Role::Viewer, ends))
            .await
            .unwrap();
    }
    let late = Grant { granted_at: at(5), ..grant(to("late"), Role::Viewer, None) };
    is_conflict(
        f.permissions().grant(&Asker::Server, &id("doc"), &Grant { granted_at: at(3), ..late.clone() }).await,
    );
    let again = Grant { granted_at: at(3), ..grant(to("u0999"), Role::Editor, None) };
    f.permissions().grant(&Asker::Server, &id("doc"), &again).await.unwrap();
    let listed = f.permissions().grants(&Asker::Server, &id("doc"), None, 2_000, at(4)).await.unwrap();
    assert_eq!(listed.len() as u64, MAX_GRANTS - 2);
    f.permissions().grant(&Asker::Server, &id("doc"), &late).await.unwrap();
}

pub(super) async fn an_owner_hands_over_and_stays_an_editor(mut f: Fixture) {
    f.write("doc", 1).await;
    give(&f, "doc", to("bob"), Role::Viewer).await;
    let (permissions, doc) = (f.permissions(), id("doc"));
    let hand = async |from: &str, to: &str| {
        permissions.transfer(&Asker::Server, &doc, &user(from), &user(to), &user("admin"), at(3)).await
    };
    is_conflict(hand("carl", "bob").await);
    hand("owner", "bob").await.unwrap();
    assert_eq!(f.store().document(&doc).await.unwrap().owner, user("bob"));
    let grants = permissions.grants(&Asker::Server, &doc, None, 9, at(5)).await.unwrap();
    let kept =
        Grant { granted_by: user("admin"), granted_at: at(3), ..grant(to("owner"), Role::Editor, None) };
    assert_eq!(grants, [kept]);
    is_conflict(hand("owner", "carl").await);
    permissions
        .transfer(&Asker::Server, &doc, &user("bob"), &user("guest:rest"), &user("bob"), at(4))
        .await
        .unwrap();
    permissions
        .transfer(&Asker::Server, &doc, &user("guest:rest"), &user("eve"), &user("admin"), at(4))
        .await
        .unwrap();
    let left: Vec<_> = permissions.grants(&Asker::Server, &doc, None, 9, at(5)).await.unwrap();
    assert_eq!(left.len(), 2, "nothing is granted to a guest: {left:?}");
}

pub(super) async fn share_links_are_kept_without_their_token_and_end_once(mut f: Fixture) {
    f.write("doc", 1).await;
    let (permissions, doc) = (f.permissions(), id("doc"));
    let (first, key) = link(&f, "doc", Role::Editor, None).await;
    let (second, _) = link(&f, "doc", Role::Viewer, Some(at(7))).await;
    let links = permissions.links(&Asker::Server, &doc, None, 9).await.unwrap();
    let told: Vec<_> =
        links.iter().map(|link| (link.id, link.role, link.expires_at, link.revoked_at)).collect();
    assert_eq!(told, [(first, Role::Editor, None, None), (second, Role::Viewer, Some(at(7)), None)]);
    assert_eq!(permissions.links(&Asker::Server, &doc, Some(first), 9).await.unwrap(), links[1..]);
    assert_eq!(standing(&f, "doc", "bob", Some(&key)).await.shared, Some(Role::Editor));
    assert!(permissions.revoke_link(&Asker::Server, &doc, first, at(4)).await.unwrap());
    assert!(!permissions.revoke_link(&Asker::Server, &doc, first, at(5)).await.unwrap());
    assert_eq!(permissions.links(&Asker::Server, &doc, None, 1).await.unwrap()[0].revoked_at, Some(at(4)));
    assert_eq!(standing(&f, "doc", "bob", Some(&key)).await.shared, None);

    for _ in 0..MAX_LINKS - 1 {
        link(&f, "doc", Role::Viewer, None).await;
    }
    let (_, key) = LinkKey::generate();
    let more = ShareLink { id: Uuid::now_v7(), made_at: at(2), ..links[1].clone() };
    is_conflict(permissions.add_link(&Asker::Server, &doc, &more, &key, None).await);
    // The second has ended by then.
    permissions
        .add_link(&Asker::Server, &doc, &ShareLink { made_at: at(8), ..more }, &key, None)
        .await
        .unwrap();
}

pub(super) async fn a_group_has_a_manager_as_long_as_it_is(f: Fixture) {
    let permissions = f.permissions();
    let team = group(&f).await;
    let (known, members) = permissions.group(&Asker::Server, team).await.unwrap().unwrap();
    assert_eq!((known.name.as_str(), known.made_by.as_str(), known.made_at), ("Übersetzer", "ann", at(1)));
    assert_eq!(members, [Member { added_at: at(1), ..member("ann", true) }]);
    is_conflict(permissions.remove_member(&Asker::Server, team, &user("ann")).await);
    is_conflict(permissions.set_member(&Asker::Server, team, &member("ann", false)).await);
    permissions.set_member(&Asker::Server, team, &member("bob", false)).await.unwrap();
    is_conflict(permissions.remove_member(&Asker::Server, team, &user("ann")).await);
    permissions.set_member(&Asker::Server, team, &member("bob", true)).await.unwrap();
    assert!(permissions.remove_member(&Asker::Server, team, &user("ann")).await.unwrap());
    assert!(!permissions.remove_member(&Asker::Server, team, &user("ann")).await.unwrap());
    is_conflict(permissions.set_member(&Asker::Server, GroupId::generate(), &member("bob", true)).await);

    let other = group(&f).await;
    let mut expected = [(team, true), (other, false)];
    permissions.set_member(&Asker::Server, other, &member("bob", false)).await.unwrap();
    expected.sort_unstable();
    let list = async |after, limit| {
        let groups = permissions.groups_of(&user("bob"), after, limit).await.unwrap();
        groups.into_iter().map(|(group, manager)| (group.id, manager)).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, expected);
    assert_eq!(list(None, 1).await, expected[..1]);
    assert_eq!(list(Some(expected[0].0), 9).await, expected[1..]);
    assert!(permissions.rename_group(&Asker::Server, team, "Lektorat").await.unwrap());
    assert!(!permissions.rename_group(&Asker::Server, GroupId::generate(), "x").await.unwrap());
    assert_eq!(permissions.group(&Asker::Server, team).await.unwrap().unwrap().0.name, "Lektorat");
}

pub(super) async fn a_group_ends_with_what_was_given_to_it(mut f: Fixture) {
    f.write("doc", 1).await;
    let team = group(&f).await;
    give(&f, "doc", Subject::Group(team), Role::Editor).await;
    assert_eq!(standing(&f, "doc", "ann", None).await.granted, Some(Role::Editor));
    assert!(f.permissions().delete_group(&Asker::Server, team).await.unwrap());
    assert!(!f.permissions().delete_group(&Asker::Server, team).await.unwrap());
    assert_eq!(standing(&f, "doc", "ann", None).await.granted, None);
    assert_eq!(f.permissions().group(&Asker::Server, team).await.unwrap(), None);
    assert_eq!(f.permissions().grants(&Asker::Server, &id("doc"), None, 9, at(5)).await.unwrap(), []);
    assert_eq!(f.permissions().groups_of(&user("ann"), None, 9).await.unwrap(), []);
}

pub(super) async fn documents_are_listed_to_those_who_may_see_them(mut f: Fixture) {
    let team = group(&f).await;
    let docs = ["own", "granted", "by-group", "ended", "linked", "hidden", "trashed"];
    for (doc, updated_at) in docs.into_iter().zip(1..) {
        f.write(doc, 1).await;
        let patch = DocumentPatch { updated_at: Some(updated_at), ..DocumentPatch::default() };
        f.store().patch_document(&Asker::Server, &id(doc), &patch).await.unwrap();
        if doc != "linked" {
            f.permissions().set_link(&Asker::Server, &id(doc), None).await.unwrap();
        }
    }
    for doc in ["own", "trashed"] {
        f.permissions()
            .transfer(&Asker::Server, &id(doc), &user("owner"), &user("ann"), &user("owner"), at(1))
            .await
            .unwrap();
    }
    give(&f, "granted", to("ann"), Role::Viewer).await;
    give(&f, "granted", Subject::Group(team), Role::Viewer).await;
    give(&f, "by-group", Subject::Group(team), Role::Viewer).await;
    f.permissions()
        .grant(&Asker::Server, &id("ended"), &grant(to("ann"), Role::Viewer, Some(at(5))))
        .await
        .unwrap();
    let throw = DocumentPatch { deleted_at: Some(Some(1)), ..DocumentPatch::default() };
    f.store().patch_document(&Asker::Server, &id("trashed"), &throw).await.unwrap();

    let list = async |query: ListQuery| {
        let rows = f.store().list_documents(&query).await.unwrap();
        rows.into_iter().map(|row| row.id.to_string()).collect::<Vec<_>>()
    };
    let viewer = |name, now| Viewer { user: user(name), now };
    let of = |name, now| ListQuery { scope: Scope::Of(viewer(name, now)), limit: 9, ..ListQuery::default() };
    let linked =
        |name| ListQuery { scope: Scope::OfAndLinked(viewer(name, at(5))), limit: 9, ..ListQuery::default() };
    assert_eq!(list(of("ann", at(5))).await, ["by-group", "granted", "own"]);
    assert_eq!(list(of("ann", at(4))).await, ["ended", "by-group", "granted", "own"]);
    assert_eq!(list(of("nobody", at(5))).await, [""; 0]);
    assert_eq!(list(linked("ann")).await, ["linked", "by-group", "granted", "own"]);
    assert_eq!(list(linked("nobody")).await, ["linked"]);
    assert_eq!(list(ListQuery { trashed: true, ..of("ann", at(5)) }).await, ["trashed"]);
    assert_eq!(list(ListQuery { trashed: true, ..of("owner", at(5)) }).await, ["trashed"], "an editor");
    // By page and by text as without.
    assert_eq!(list(ListQuery { limit: 2, ..of("ann", at(5)) }).await, ["by-group", "granted"]);
    let rest = ListQuery { after: Some((2, id("granted"))), ..of("ann", at(5)) };
    assert_eq!(list(rest).await, ["own"]);
    assert_eq!(list(ListQuery { after: Some((2, id("granted"))), ..linked("ann") }).await, ["own"]);
    let text = Some("TITLE OF BY".to_owned());
    assert_eq!(list(ListQuery { text: text.clone(), ..of("ann", at(5)) }).await, ["by-group"]);
    assert_eq!(list(ListQuery { text, ..linked("ann") }).await, ["by-group"]);
}

pub(super) async fn a_purge_takes_permissions_along(mut f: Fixture) {
    f.write("doc", 1).await;
    give(&f, "doc", to("ann"), Role::Viewer).await;
    link(&f, "doc", Role::Viewer, None).await;
    f.store().purge_document(&id("doc"), at(9)).await.unwrap();
    assert_eq!(f.permissions().grants(&Asker::Server, &id("doc"), None, 9, at(5)).await.unwrap(), []);
    assert_eq!(f.permissions().links(&Asker::Server, &id("doc"), None, 9).await.unwrap(), []);
    let viewer = Viewer { user: user("ann"), now: at(5) };
    let query = ListQuery { scope: Scope::Of(viewer), limit: 9, ..ListQuery::default() };
    assert_eq!(f.store().list_documents(&query).await.unwrap(), []);
}

pub(super) async fn what_is_not_there_is_not_found(mut f: Fixture) {
    f.write("gone", 1).await;
    f.store().purge_document(&id("gone"), at(9)).await.unwrap();
    let permissions = f.permissions();
    for doc in ["none", "gone"].map(id) {
        let (_, key) = LinkKey::generate();
        let link = ShareLink {
            id: Uuid::now_v7(),
            role: Role::Viewer,
            made_by: user("owner"),
            made_at: 1,
            expires_at: None,
            revoked_at: None,
        };
        let (owner, ann) = (user("owner"), user("ann"));
        let outcomes = [
            permissions.grant(&Asker::Server, &doc, &grant(to("ann"), Role::Viewer, None)).await,
            permissions.revoke(&Asker::Server, &doc, &to("ann")).await.map(|_| ()),
            permissions.set_link(&Asker::Server, &doc, None).await,
            permissions.transfer(&Asker::Server, &doc, &owner, &ann, &owner, 1).await,
            permissions.add_link(&Asker::Server, &doc, &link, &key, None).await.map(|_| ()),
            permissions.revoke_link(&Asker::Server, &doc, link.id, 1).await.map(|_| ()),
            permissions.rules(&doc, &[ann], &[key]).await.map(|_| ()),
        ];
        for outcome in outcomes {
            assert!(matches!(outcome, Err(StoreError::NotFound { .. })), "{outcome:?}");
        }
        assert_eq!(permissions.changes(&[doc]).await.unwrap(), []);
    }
}
