//! What somebody may do changes while they are there.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::people::{Person, Scene, in_ms, launch_reserved, reserved};
use crate::rest::Rest;
use crate::services::Service;
use crate::signed_in::token;

const ACCESS_LOST: Option<u16> = Some(4403);

fn put(scene: &Scene, path: &str, body: Value) {
    Person::user("ada").call(&scene.rest, "PUT", &scene.path(path), Some(&body)).expect(200);
}

fn delete(scene: &Scene, path: &str) {
    Person::user("ada").call(&scene.rest, "DELETE", &scene.path(path), None).expect(204);
}

#[test]
fn a_demoted_editor_is_told_and_what_was_committed_before_stays_acknowledged() {
    let server = reserved();
    let scene = Scene::new(&server);
    let eda = Person::user("eda");
    let mut session = eda.join(&server, &scene.doc);
    assert_eq!(session.edit()["type"], "ops");
    put(&scene, "/permissions/eda", json!({ "role": "viewer" }));
    // In force before the call is answered.
    let again = session.send_again();
    assert_eq!((&again["type"], &again["seq"]), (&json!("ack"), &json!(1)), "{again}");
    assert_eq!(session.edit()["code"], "read_only");
    put(&scene, "/permissions/eda", json!({ "role": "editor" }));
    assert_eq!(session.edit()["type"], "ops");

    let mut session = eda.join(&server, &scene.doc);
    put(&scene, "/permissions/eda", json!({ "role": "commenter" }));
    assert_eq!(session.frame("role")["role"], "commenter");
    // By REST the same.
    let key = format!("{}:1", uuid::Uuid::new_v4());
    let headers = [("idempotency-key", key.as_str())];
    let body = json!({ "base": 1, "delta": [{ "insert": "y" }] });
    let submit = || eda.call_with(&scene.rest, "POST", &scene.path("/ops"), &headers, Some(&body));
    submit().expect_problem(403, "read_only");
    put(&scene, "/permissions/eda", json!({ "role": "editor" }));
    let version = submit().expect(200).json();
    put(&scene, "/permissions/eda", json!({ "role": "viewer" }));
    assert_eq!(submit().expect(200).json(), version);
}

#[test]
fn whoever_loses_access_is_sent_away_whatever_it_came_from() {
    let server = reserved();
    let scene = Scene::new(&server);
    let listed = Person::user("ada").call(&scene.rest, "GET", &scene.path("/permissions"), None).json();
    let group = listed["permissions"][0]["subject"].as_str().expect("groups are first").to_owned();
    let links = Person::user("ada").call(&scene.rest, "GET", &scene.path("/links"), None).json();
    let link = links["links"][0]["id"].as_str().expect("an id").to_owned();
    let by_link = scene.people.iter().find(|(person, _)| person.name == "a guest").expect("there").0.clone();

    let mut vic = Person::user("vic").join(&server, &scene.doc);
    delete(&scene, "/permissions/vic");
    assert_eq!(vic.closed(), ACCESS_LOST);
    assert_eq!(Person::user("vic").handshake(&server, &scene.doc), 403);

    let mut gus = Person::user("gus").join(&server, &scene.doc);
    let member = format!("/v1/groups/{}/members/gus", &group["group:".len()..]);
    Person::user("ada").call(&scene.rest, "DELETE", &member, None).expect(204);
    assert_eq!(gus.closed(), ACCESS_LOST);

    let mut guest = by_link.join(&server, &scene.doc);
    assert_eq!(guest.role, "editor");
    delete(&scene, &format!("/links/{link}"));
    assert_eq!(guest.closed(), ACCESS_LOST);

    put(&scene, "/link", json!({ "role": "commenter" }));
    let mut guest = Person::guest().join(&server, &scene.doc);
    assert_eq!(guest.role, "commenter");
    put(&scene, "/link", json!({ "role": "viewer" }));
    assert_eq!(guest.frame("role")["role"], "viewer");
    put(&scene, "/link", json!({ "role": null }));
    assert_eq!(guest.closed(), ACCESS_LOST);
    // The others are where they were.
    let mut eda = Person::user("eda").join(&server, &scene.doc);
    assert_eq!(eda.edit()["type"], "ops");
}

#[test]
fn what_is_granted_for_a_time_ends_by_itself() {
    let server = reserved();
    let scene = Scene::new(&server);
    let mut cleo = Person::user("cleo").join(&server, &scene.doc);
    let mut zoe = {
        let end = in_ms(4_000);
        put(&scene, "/permissions/zoe", json!({ "role": "editor", "expires_at": end }));
        put(&scene, "/permissions/cleo", json!({ "role": "viewer", "expires_at": end + 500 }));
        Person::user("zoe").join(&server, &scene.doc)
    };
    assert_eq!(zoe.role, "editor");
    assert_eq!(cleo.frame("role")["role"], "viewer");
    assert_eq!(zoe.closed(), ACCESS_LOST);
    assert_eq!(cleo.closed(), ACCESS_LOST);
}

#[test]
fn a_document_that_goes_to_another_owner_is_archived_by_that_one() {
    let server = reserved();
    let scene = Scene::new(&server);
    let [ada, eda] = ["ada", "eda"].map(Person::user);
    let [mut old, mut new] = [&ada, &eda].map(|person| person.join(&server, &scene.doc));
    put(&scene, "/owner", json!({ "user": "eda" }));
    assert_eq!((&old.frame("role")["role"], &new.frame("role")["role"]), (&json!("editor"), &json!("owner")));
    let archive = json!({ "archived": true });
    ada.call(&scene.rest, "PATCH", &scene.path(""), Some(&archive)).expect_problem(403, "forbidden");
    eda.call(&scene.rest, "PATCH", &scene.path(""), Some(&archive)).expect(200);
    assert_eq!(
        (&old.frame("role")["role"], &new.frame("role")["role"]),
        (&json!("viewer"), &json!("viewer"))
    );
    assert_eq!(new.edit()["code"], "read_only");
}

#[test]
fn whoever_is_demoted_while_an_import_is_on_its_way_imports_nothing() {
    let server = reserved();
    let scene = Scene::new(&server);
    let before = scene.people[0].0.call(&scene.rest, "GET", &scene.path("/content"), None).json();
    let body = json!([{ "insert": "something else\n" }]).to_string();
    let (begin, end) = body.split_at(5);
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
        Content-Length: {}\r\nConnection: close\r\n\r\n{begin}",
        scene.path("/import"),
        server.address(),
        token("eda"),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it is read");
    // It is asked who she is as soon as the head is there: two answers later that was done.
    for _ in 0..2 {
        Person::user("eda").call(&scene.rest, "GET", &scene.path(""), None).expect(200);
    }
    put(&scene, "/permissions/eda", json!({ "role": "viewer" }));
    stream.write_all(end.as_bytes()).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("read_only"), "{answer}");
    let after = scene.people[0].0.call(&scene.rest, "GET", &scene.path("/content"), None).json();
    assert_eq!(after, before);
}

#[test]
fn what_changes_between_the_upgrade_and_hello_counts() {
    let server = reserved();
    let scene = Scene::new(&server);
    for (person, path) in
        [(Person::user("vic"), "/permissions/vic"), (Person::user("eda"), "/permissions/eda")]
    {
        let mut session = person.open(&server, &scene.doc);
        delete(&scene, path);
        session.hello();
        assert_eq!(session.closed(), ACCESS_LOST);
    }
    put(&scene, "/permissions/eda", json!({ "role": "viewer" }));
    let mut session = Person::user("eda").open(&server, &scene.doc);
    put(&scene, "/permissions/eda", json!({ "role": "editor" }));
    session.hello();
    assert_eq!(session.frame("welcome")["role"], "editor");
}

#[test]
fn an_administrator_looks_and_takes_a_role_to_edit() {
    let server = reserved();
    let scene = Scene::new(&server);
    let admin = Person::admin();
    let mut session = admin.join(&server, &scene.doc);
    assert_eq!(session.role, "viewer");
    assert_eq!(session.edit()["code"], "read_only");
    let grant = json!({ "role": "editor" });
    admin.call(&scene.rest, "PUT", &scene.path("/permissions/root"), Some(&grant)).expect(200);
    assert_eq!(session.frame("role")["role"], "editor");
    let seen = Person::user("ada").call(&scene.rest, "GET", &scene.path("/permissions/root"), None).json();
    assert_eq!((&seen["granted_by"], &seen["role"]), (&json!("root"), &json!("editor")));
}

#[test]
fn what_another_server_changes_is_noticed_by_those_who_are_here() {
    let postgres = Service::start("postgres");
    let here = launch_reserved().with("QUIRE_DATABASE_URL", &postgres.address).start();
    let scene = Scene::new(&here);
    let [mut eda, mut vic, mut gus] =
        ["eda", "vic", "gus"].map(|name| Person::user(name).join(&here, &scene.doc));
    let there = launch_reserved().with("QUIRE_DATABASE_URL", &postgres.address).start();
    let scene = Scene { rest: Rest::of(&there), ..scene };
    put(&scene, "/permissions/eda", json!({ "role": "viewer" }));
    assert_eq!(eda.frame("role")["role"], "viewer");
    delete(&scene, "/permissions/vic");
    assert_eq!(vic.closed(), ACCESS_LOST);
    let groups = Person::user("ada").call(&scene.rest, "GET", "/v1/groups", None).expect(200).json();
    let group = groups["groups"][0]["id"].as_str().expect("an id").to_owned();
    Person::user("ada").call(&scene.rest, "DELETE", &format!("/v1/groups/{group}"), None).expect(204);
    assert_eq!(gus.closed(), ACCESS_LOST);
}
