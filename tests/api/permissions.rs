//! Who may do what: every way to be something to a document, against every call there is, and the socket.

mod calls;

use quire::access::Action;
use quire::protocol::Role;
use serde_json::{Value, json};

use self::calls::{NO_COMMENT, calls, ends, moves};
use crate::harness::{Launch, TestServer};
use crate::people::{Call, Person, Scene, reserved};
use crate::rest::Rest;

fn check(scene: &Scene, person: &Person, role: Option<Role>, call: &Call, archived: bool) {
    let (method, path, action, body) = call;
    let answer = person.call(&scene.rest, method, &scene.path(path), body.as_ref());
    let what = format!("{} ({role:?}): {method} {path}, archived: {archived}", person.name);
    if Scene::access(person, role, archived).allows(*action) {
        // What is asked for may not be there; whoever may not ask is not told.
        let is_missing = path.contains(NO_COMMENT)
            || ["/none", "/zoe", "/versions/1"].iter().any(|end| path.ends_with(end));
        let fits = matches!(answer.status, 200 | 201 | 204) || is_missing && answer.status == 404;
        assert!(fits, "{what}: {} {}", answer.status, answer.text());
    } else {
        let code = if *action == Action::Edit && Scene::access(person, role, archived).allows(Action::Read) {
            "read_only"
        } else {
            "forbidden"
        };
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!(code)), "{what}: {}", answer.text());
    }
}

#[test]
fn every_call_asks_the_table_for_everybody() {
    let server = reserved();
    let scene = Scene::with_expired(&server);
    let ada = scene.people[0].0.clone();
    for archived in [false, true] {
        ada.call(&scene.rest, "PATCH", &scene.path(""), Some(&json!({ "archived": archived }))).expect(200);
        for (person, role) in &scene.people {
            for call in calls() {
                check(&scene, person, *role, &call, archived);
            }
            for call in moves() {
                check(&scene, person, *role, &call, archived);
                let back = json!({ "deleted": false, "archived": archived });
                ada.call(&scene.rest, "PATCH", &scene.path(""), Some(&back)).expect(200);
            }
        }
    }
}

#[test]
fn what_ends_a_document_or_gives_it_away_is_for_owners_and_administrators() {
    let server = reserved();
    for name in ["ada", "otto", "eda", "gus", "nobody", "root"] {
        for call in ends() {
            let scene = Scene::new(&server);
            let (person, role) = scene.people.iter().find(|(person, _)| person.name == name).expect("there");
            check(&scene, person, *role, &call, false);
        }
    }
}

#[test]
fn whoever_has_no_access_is_not_told_that_a_document_is_in_the_trash() {
    let server = reserved();
    let scene = Scene::new(&server);
    let ada = &scene.people[0].0;
    ada.call(&scene.rest, "DELETE", &scene.path(""), None).expect(204);
    let status = |person: &Person, method: &str, body: Option<&Value>| {
        (
            person.call(&scene.rest, method, &scene.path(""), body).status,
            person.handshake(&server, &scene.doc),
        )
    };
    let back = json!({ "deleted": false });
    assert_eq!(status(&Person::user("vic"), "GET", None), (404, 404));
    assert_eq!(status(&Person::user("vic"), "PATCH", Some(&back)), (403, 404));
    assert_eq!(status(&Person::user("nobody"), "GET", None), (403, 403));
    assert_eq!(status(&Person::guest(), "PATCH", Some(&back)), (403, 403));
    assert_eq!(status(ada, "PATCH", Some(&back)), (200, 101));
}

#[test]
fn the_socket_asks_the_same_table() {
    let server = reserved();
    let scene = Scene::with_expired(&server);
    let ada = scene.people[0].0.clone();
    for archived in [false, true] {
        ada.call(&scene.rest, "PATCH", &scene.path(""), Some(&json!({ "archived": archived }))).expect(200);
        for (person, role) in &scene.people {
            let access = Scene::access(person, *role, archived);
            let Some(shown) = access.shown() else {
                assert_eq!(person.handshake(&server, &scene.doc), 403, "{person:?}");
                continue;
            };
            let mut session = person.join(&server, &scene.doc);
            assert_eq!(session.role, json!(shown), "{person:?}");
            let told = person.call(&scene.rest, "GET", &scene.path(""), None).expect(200).json();
            assert_eq!(told["permissions"]["role"], json!(shown), "{person:?}");
            let outcome = session.edit();
            if access.allows(Action::Edit) {
                assert_eq!(outcome["type"], "ops", "{person:?}: {outcome}");
            } else {
                assert_eq!(outcome["code"], "read_only", "{person:?}: {outcome}");
            }
        }
    }
}

#[test]
fn a_guests_document_is_looked_after_by_those_who_may_edit_it_and_shared_by_those_who_may_look() {
    let server = reserved();
    let rest = Rest::of(&server);
    let (guest, bob) = (Person::guest(), Person::user("bob"));
    let doc = guest.create(&rest);
    let at = |rest: &str| format!("/v1/docs/{doc}{rest}");
    let put = |path: &str, body: Value| bob.call(&rest, "PUT", &at(path), Some(&body));
    assert_eq!(bob.call(&rest, "GET", &at(""), None).expect(200).json()["permissions"]["link"], "editor");
    put("/link", json!({ "role": null })).expect_problem(409, "conflict");
    put("/owner", json!({ "user": "bob" })).expect_problem(403, "forbidden");
    put("/permissions/bob", json!({ "role": "owner" })).expect_problem(403, "forbidden");
    put("/link", json!({ "role": "viewer" })).expect(200);
    let body = json!({ "base": 1, "delta": [{ "insert": "y" }] });
    guest.call(&rest, "POST", &at("/ops"), Some(&body)).expect_problem(403, "read_only");
    guest.call(&rest, "PATCH", &at(""), Some(&json!({ "archived": true }))).expect_problem(403, "forbidden");
    put("/permissions/bob", json!({ "role": "editor" })).expect_problem(403, "forbidden");
    put("/link", json!({ "role": "editor" })).expect(200);
    guest.call(&rest, "POST", &at("/ops"), Some(&body)).expect(200);
    // Whom an administrator gives it to is its owner from then on.
    let admin = Person::admin();
    admin.call(&rest, "PUT", &at("/owner"), Some(&json!({ "user": "bob" }))).expect(200);
    put("/link", json!({ "role": "none" })).expect(200);
    guest.call(&rest, "GET", &at(""), None).expect_problem(403, "forbidden");
}

#[test]
fn a_document_keeps_an_owner() {
    let server = reserved();
    let scene = Scene::new(&server);
    let [ada, eda] = ["ada", "eda"].map(Person::user);
    let call = |who: &Person, method: &str, path: &str, body: Value| {
        who.call(&scene.rest, method, &scene.path(path), Some(&body).filter(|body| !body.is_null()))
    };
    call(&ada, "DELETE", "/permissions/ada", Value::Null).expect_problem(409, "conflict");
    call(&ada, "PUT", "/permissions/ada", json!({ "role": "viewer" })).expect_problem(409, "conflict");
    call(&ada, "PUT", "/permissions/ada", json!({ "role": "owner" })).expect(200);
    call(&ada, "PUT", "/owner", json!({ "user": "guest:rest" })).expect_problem(400, "bad_request");
    call(&ada, "PUT", "/owner", json!({ "user": "eda" })).expect(200);
    let role =
        |who: &Person| call(who, "GET", "", Value::Null).expect(200).json()["permissions"]["role"].clone();
    assert_eq!((role(&ada), role(&eda)), (json!("editor"), json!("owner")));
    call(&ada, "PUT", "/link", json!({ "role": "editor" })).expect_problem(403, "forbidden");
    let listed = call(&eda, "GET", "/permissions", Value::Null).expect(200).json();
    assert_eq!(listed["owner"], "eda");
    let ada_has =
        listed["permissions"].as_array().expect("a list").iter().find(|one| one["subject"] == "ada");
    assert_eq!(ada_has.expect("granted")["role"], "editor");
    // Whoever wants no part in it any more leaves.
    let vic = Person::user("vic");
    call(&vic, "DELETE", "/permissions/vic", Value::Null).expect(204);
    call(&vic, "GET", "", Value::Null).expect_problem(403, "forbidden");
}

#[test]
fn what_cannot_be_granted_is_refused_and_changes_nothing() {
    let server = reserved();
    let scene = Scene::new(&server);
    let ada = Person::user("ada");
    let before = ada.call(&scene.rest, "GET", &scene.path("/permissions"), None).expect(200).json();
    for (path, body) in [
        ("/permissions/bob", json!({})),
        ("/permissions/bob", json!({ "role": "king" })),
        ("/permissions/bob", json!({ "role": "viewer", "expires_at": 1 })),
        ("/permissions/bob", json!({ "role": "viewer", "expires_at": "soon" })),
        ("/permissions/guest:rest", json!({ "role": "viewer" })),
        ("/link", json!({})),
        ("/link", json!({ "role": "owner" })),
        ("/owner", json!({})),
    ] {
        let answer = ada.call(&scene.rest, "PUT", &scene.path(path), Some(&body));
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
    }
    let nowhere = "/permissions/group:00000000-0000-4000-8000-000000000000";
    ada.call(&scene.rest, "PUT", &scene.path(nowhere), Some(&json!({ "role": "viewer" }))).expect(409);
    ada.call(&scene.rest, "POST", &scene.path("/links"), Some(&json!({ "role": "owner" }))).expect(400);
    let after = ada.call(&scene.rest, "GET", &scene.path("/permissions"), None).expect(200).json();
    assert_eq!(after, before);
}

#[test]
fn the_token_of_a_link_is_shown_once() {
    let server = reserved();
    let scene = Scene::new(&server);
    let ada = Person::user("ada");
    let made = json!({ "role": "commenter", "expires_at": 4_000_000_000_000_u64 });
    let made = ada.call(&scene.rest, "POST", &scene.path("/links"), Some(&made)).expect(201).json();
    let token = made["token"].as_str().expect("a token").to_owned();
    let listed = ada.call(&scene.rest, "GET", &scene.path("/links"), None).expect(200);
    assert!(!listed.text().contains(&token) && !server.messages().contains(&token));
    let links = listed.json()["links"].clone();
    assert_eq!(links.as_array().expect("a list").len(), 4);
    assert_eq!((&links[3]["id"], &links[3]["expires_at"]), (&made["id"], &made["expires_at"]));
    // By page, oldest first.
    let page = ada.call(&scene.rest, "GET", &scene.path("/links?limit=3"), None).expect(200).json();
    let next = format!("/links?cursor={}", page["next"].as_str().expect("there is more"));
    let rest = ada.call(&scene.rest, "GET", &scene.path(&next), None).expect(200).json();
    assert_eq!(rest["links"], json!([links[3]]));
    // Nothing is a token that is not one, and a token is of its own document.
    let other = ada.create(&scene.rest);
    let guest = Person::guest().with_link(&token);
    guest.call(&scene.rest, "GET", &scene.path(""), None).expect(200);
    guest.call(&scene.rest, "GET", &format!("/v1/docs/{other}"), None).expect(403);
    for bad in ["", "ql_", "x", &token[1..], &token.to_uppercase()] {
        Person::guest().with_link(bad).call(&scene.rest, "GET", &scene.path(""), None).expect(403);
    }
}

#[test]
fn lists_show_what_may_be_seen() {
    let server = reserved();
    let rest = Rest::of(&server);
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(Person::user);
    let (own, given, of_guest) = (bob.create(&rest), ada.create(&rest), Person::guest().create(&rest));
    let linked = ada.create(&rest);
    let put = |doc: &str, path: &str, body: Value| {
        ada.call(&rest, "PUT", &format!("/v1/docs/{doc}{path}"), Some(&body)).expect(200);
    };
    put(&given, "/permissions/bob", json!({ "role": "viewer" }));
    put(&linked, "/link", json!({ "role": "editor" }));
    let listed = |person: &Person| {
        let list = person.call(&rest, "GET", "/v1/docs", None).expect(200).json();
        let mut ids: Vec<_> =
            list["docs"].as_array().expect("a list").iter().map(|d| d["id"].clone()).collect();
        ids.sort_by_key(ToString::to_string);
        json!(ids)
    };
    let sorted = |docs: &[&String]| {
        let mut docs: Vec<_> = docs.iter().map(|doc| json!(doc)).collect();
        docs.sort_by_key(ToString::to_string);
        json!(docs)
    };
    assert_eq!(listed(&bob), sorted(&[&own, &given]));
    assert_eq!(listed(&ada), sorted(&[&given, &linked]), "and not the guest's");
    assert_eq!(listed(&eve), json!([]));
    assert_eq!(listed(&Person::guest()), sorted(&[&of_guest]));
    assert_eq!(listed(&Person::admin()), sorted(&[&own, &given, &linked, &of_guest]));
    // Whoever has the address opens it all the same.
    eve.call(&rest, "GET", &format!("/v1/docs/{linked}"), None).expect(200);
}

#[test]
fn where_guests_are_let_in_everything_is_everybodys_unless_it_is_said_otherwise() {
    let server = crate::signed_in::knows_tokens();
    let rest = Rest::of(&server);
    let [ada, bob] = ["ada", "bob"].map(Person::user);
    let doc = ada.create(&rest);
    let path = format!("/v1/docs/{doc}");
    let count = |person: &Person| {
        person.call(&rest, "GET", "/v1/docs", None).expect(200).json()["docs"]
            .as_array()
            .expect("a list")
            .len()
    };
    let permissions =
        Person::guest().call(&rest, "GET", &path, None).expect(200).json()["permissions"].clone();
    let expected =
        json!({ "role": "editor", "link": "editor", "actions": ["read", "comment", "edit", "rename"] });
    assert_eq!((permissions, count(&Person::guest()), count(&bob)), (expected, 1, 1));
    ada.call(&rest, "PUT", &format!("{path}/link"), Some(&json!({ "role": "none" }))).expect(200);
    Person::guest().call(&rest, "GET", &path, None).expect_problem(403, "forbidden");
    assert_eq!((count(&Person::guest()), count(&bob), count(&ada)), (0, 0, 1));
}

#[test]
fn without_guests_a_new_document_is_its_owners() {
    let server =
        Launch::new().with("QUIRE_JWT_SECRET", crate::signed_in::SECRET).with("QUIRE_GUESTS", "off").start();
    let rest = Rest::of(&server);
    let [ada, bob] = ["ada", "bob"].map(Person::user);
    let path = format!("/v1/docs/{}", ada.create(&rest));
    bob.call(&rest, "GET", &path, None).expect_problem(403, "forbidden");
    Person::guest().call(&rest, "GET", &path, None).expect_problem(401, "unauthorized");
    assert_eq!(ada.call(&rest, "GET", &path, None).expect(200).json()["permissions"]["link"], Value::Null);
}

#[test]
fn a_group_is_its_members_and_its_managers_business() {
    let server: TestServer = reserved();
    let rest = Rest::of(&server);
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(Person::user);
    Person::guest().call(&rest, "POST", "/v1/groups", Some(&json!({ "name": "x" }))).expect(401);
    for bad in
        [json!({}), json!({ "name": " " }), json!({ "name": "a\nb" }), json!({ "name": "x".repeat(101) })]
    {
        ada.call(&rest, "POST", "/v1/groups", Some(&bad)).expect_problem(400, "bad_request");
    }
    let made = ada.call(&rest, "POST", "/v1/groups", Some(&json!({ "name": " Team " }))).expect(201);
    let group = made.json();
    let path = made.header("location").to_owned();
    assert_eq!((&group["name"], &group["manager"]), (&json!("Team"), &json!(true)));
    let member = |user: &str| format!("{path}/members/{user}");
    let (yes, no) = (json!({ "manager": true }), json!({}));
    eve.call(&rest, "GET", &path, None).expect(404);
    eve.call(&rest, "PUT", &member("eve"), Some(&no)).expect(404);
    ada.call(&rest, "PUT", &member("bob"), Some(&no)).expect(200);
    let shown = bob.call(&rest, "GET", &path, None).expect(200).json();
    assert_eq!(shown["members"].as_array().expect("a list").len(), 2);
    let forbidden = [
        bob.call(&rest, "PUT", &member("eve"), Some(&no)),
        bob.call(&rest, "DELETE", &member("ada"), None),
        bob.call(&rest, "PATCH", &path, Some(&json!({ "name": "Mine" }))),
        bob.call(&rest, "DELETE", &path, None),
    ];
    for answer in forbidden {
        answer.expect_problem(403, "forbidden");
    }
    ada.call(&rest, "DELETE", &member("ada"), None).expect_problem(409, "conflict");
    ada.call(&rest, "PUT", &member("bob"), Some(&yes)).expect(200);
    ada.call(&rest, "DELETE", &member("ada"), None).expect(204);
    ada.call(&rest, "GET", &path, None).expect(404);
    bob.call(&rest, "PATCH", &path, Some(&json!({ "name": "Ours" }))).expect(200);
    let listed = bob.call(&rest, "GET", "/v1/groups", None).expect(200).json();
    assert_eq!((&listed["groups"][0]["name"], &listed["next"]), (&json!("Ours"), &Value::Null));
    Person::admin().call(&rest, "DELETE", &path, None).expect(204);
    bob.call(&rest, "GET", &path, None).expect(404);
}
