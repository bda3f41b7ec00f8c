use super::*;

const ROLES: [Option<Role>; 5] =
    [None, Some(Role::Viewer), Some(Role::Commenter), Some(Role::Editor), Some(Role::Owner)];

fn allowed(access: Access) -> String {
    Action::ALL.iter().map(|action| if access.allows(*action) { 'x' } else { '-' }).collect()
}

fn user(id: &str) -> UserId {
    UserId(id.into())
}

#[test]
fn the_whole_table() {
    let table = |archived, unowned, admin| {
        ROLES.map(|role| allowed(Access { role, archived, owns: false, unowned, admin }))
    };
    assert_eq!(table(false, false, false), ["---------", "x--------", "xx-------", "xxxx-----", "xxxxxxxx-"]);
    assert_eq!(table(true, false, false), ["---------", "x--------", "x--------", "x--x-----", "x--xxxxx-"]);
    assert_eq!(table(false, true, false), ["---------", "x------x-", "xx-----x-", "xxxxxxxx-", "xxxxxxxx-"]);
    assert_eq!(table(true, true, false), ["---------", "x------x-", "x------x-", "x--xxxxx-", "x--xxxxx-"]);
    assert_eq!(table(false, false, true), ["x------xx", "x------xx", "xx-----xx", "xxxx---xx", "xxxxxxxxx"]);
    assert_eq!(table(true, true, true), ["x------xx", "x------xx", "x------xx", "x--xxxxxx", "x--xxxxxx"]);
    let own = |archived, admin| {
        allowed(Access { role: Some(Role::Owner), archived, owns: true, unowned: false, admin })
    };
    assert_eq!([own(false, false), own(true, false)], ["xxxxxxxxx", "x--xxxxxx"]);
    assert_eq!([own(false, true), own(true, true)], ["xxxxxxxxx", "x--xxxxxx"]);
}

/// The table of the document, made of the code.
fn shown_table() -> String {
    use std::fmt::Write;
    let mut shown = String::from(
        "| | nobody | viewer | commenter | editor | owner by grant | owner | administrator |\n|---|---|---|---|---|---|---|---|\n",
    );
    for action in Action::ALL {
        let _ = write!(shown, "| {} |", action.as_str());
        let by_role = ROLES.map(|role| (role, false, false));
        for (role, owns, admin) in by_role.into_iter().chain([(ROLES[4], true, false), (None, false, true)]) {
            let access = |archived, unowned| Access { role, archived, owns, unowned, admin }.allows(action);
            let cell = match [access(false, false), access(true, false), access(false, true)] {
                [true, true, _] => "yes",
                [true, false, _] => "unless archived",
                [false, _, true] => "of a guest's document",
                [false, _, false] => "",
            };
            let _ = write!(shown, " {cell} |");
        }
        shown.push('\n');
    }
    shown
}

#[test]
fn the_document_shows_the_table() {
    let document = include_str!("../docs/permissions.md");
    assert!(
        document.contains(&shown_table()),
        "docs/permissions.md has to have this table:\n{}",
        shown_table()
    );
}

#[test]
fn an_archived_document_is_shown_as_one_to_look_at() {
    for role in ROLES {
        let access = |archived, admin| Access { role, archived, owns: false, unowned: false, admin }.shown();
        assert_eq!(access(true, false), role.map(|_| Role::Viewer));
        assert_eq!(access(false, false), role);
        assert_eq!(access(false, true), role.or(Some(Role::Viewer)));
    }
}

#[test]
fn nobody_gives_more_than_they_have() {
    let gives = |role, unowned, admin| {
        let access = Access { role, archived: false, owns: false, unowned, admin };
        [Role::Viewer, Role::Commenter, Role::Editor, Role::Owner].map(|given| access.may_give(given))
    };
    assert_eq!(gives(Some(Role::Owner), false, false), [true; 4]);
    assert_eq!(gives(Some(Role::Editor), false, false), [false; 4]);
    assert_eq!(gives(Some(Role::Editor), true, false), [true, true, true, false]);
    assert_eq!(gives(Some(Role::Viewer), true, false), [true, false, false, false]);
    assert_eq!(gives(None, false, true), [true; 4]);
    assert_eq!(gives(None, true, false), [false; 4]);
}

#[test]
fn the_nearest_thing_said_of_somebody_counts_and_a_share_link_adds_to_it() {
    let (ada, bob) = (user("ada"), user("bob"));
    let of = |who: &UserId, link, granted, shared| {
        let ground = Ground { owner: &ada, link, archived: false };
        Access::of(who, ground, &Standing { granted, shared, ..Standing::default() }).role
    };
    let (viewer, commenter, editor) = (Some(Role::Viewer), Some(Role::Commenter), Some(Role::Editor));
    assert_eq!(of(&ada, None, viewer, None), Some(Role::Owner), "whatever else is said");
    assert_eq!(of(&bob, None, Some(Role::Owner), None), Some(Role::Owner));
    assert_eq!(of(&bob, None, None, None), None);
    assert_eq!(of(&bob, editor, None, None), editor);
    assert_eq!(of(&bob, editor, viewer, None), viewer, "less, since it is said of bob");
    assert_eq!(of(&bob, viewer, editor, None), editor);
    assert_eq!(of(&bob, editor, viewer, commenter), commenter);
    assert_eq!(of(&bob, editor, None, viewer), editor);
    assert_eq!(of(&bob, None, None, viewer), viewer);
}

#[test]
fn the_owner_of_a_document_is_somebody_who_has_signed_in() {
    // All guests of REST go by one id: none of them owns what another has made.
    let guest = UserId::guest_rest();
    let ground = Ground { owner: &guest, link: Some(Role::Editor), archived: false };
    let guests = Access::of(&guest, ground, &Standing::default());
    assert_eq!(
        guests,
        Access { role: Some(Role::Editor), archived: false, owns: false, unowned: true, admin: false }
    );
}

#[test]
fn a_document_is_its_owners_own_and_nobodys_to_whom_the_role_was_granted() {
    let (ada, bob) = (user("ada"), user("bob"));
    let owns = |who: &UserId, granted| {
        let ground = Ground { owner: &ada, link: None, archived: false };
        Access::of(who, ground, &Standing { granted, ..Standing::default() }).owns
    };
    assert!(owns(&ada, None) && owns(&ada, Some(Role::Viewer)));
    assert!(!owns(&bob, Some(Role::Owner)));
}
