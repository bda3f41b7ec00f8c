//! The second line: what PostgreSQL does not show, no route tells, and what it does not take, no route writes, whatever the first line
//! believes.

use serde_json::{Value, json};

use crate::harness::{DataFolder, Launch, TestServer};
use crate::raw::{handshake_headers, request};
use crate::rest::Rest;
use crate::routes::{Call, guarded};
use crate::schema::Schema;
use crate::signed_in::{SECRET, admin_token, call, token};

/// Somebody, and the headers that tell who it is.
type Somebody = (&'static str, Vec<(&'static str, String)>);

/// A document of ada's with a comment and a name, which bob may edit and whoever has the link may read; all who may see it.
fn document(rest: &Rest) -> Vec<Somebody> {
    let ada = |method, path: &str, body: Value| call(rest, &token("ada"), method, path, Some(&body));
    ada("POST", "/v1/docs", json!({ "id": "d", "content": { "ops": [{ "insert": "told\n" }] } })).expect(201);
    ada("PUT", "/v1/docs/d/permissions/bob", json!({ "role": "editor" })).expect(200);
    ada("POST", "/v1/docs/d/versions", json!({ "name": "first" })).expect(201);
    let anchor = json!({ "index": 0, "length": 4, "version": 1 });
    ada("POST", "/v1/docs/d/comments", json!({ "text": "said", "anchor": anchor })).expect(201);
    let link = ada("POST", "/v1/docs/d/links", json!({ "role": "viewer" })).expect(201).json();
    let link = link["token"].as_str().expect("a token").to_owned();
    ada("PUT", "/v1/docs/d/link", json!({ "role": "none" })).expect(200);
    let bearer = |user| vec![("authorization", format!("Bearer {}", token(user)))];
    vec![("the owner", bearer("ada")), ("an editor", bearer("bob")), ("a guest", vec![("quire-link", link)])]
}

fn ask(rest: &Rest, somebody: &Somebody, path: &str) -> crate::rest::Answer {
    let headers: Vec<_> = somebody.1.iter().map(|(name, value)| (*name, value.as_str())).collect();
    rest.call("GET", path, &headers, None)
}

/// Answers the handshake of somebody who opens the document.
fn handshake(server: &TestServer, somebody: &Somebody) -> u16 {
    let mut headers = handshake_headers(server.address());
    headers.extend(somebody.1.iter().cloned());
    request(server.address(), "GET /v1/collab/d", &headers).0.status
}

/// Everything about one document that can be read, streams aside.
fn reading() -> Vec<Call> {
    let mut calls = guarded();
    let is_read = |path: &str| path.starts_with("/v1/docs/d") && !path.ends_with("/events");
    calls.retain(|call| call.method == "GET" && is_read(&call.of("d")));
    assert!(calls.len() >= 12, "the tables cannot be read: {calls:?}");
    calls
}

#[test]
fn what_the_database_does_not_show_no_route_and_no_socket_tells() {
    let database = Schema::new();
    let launch = Launch::on(DataFolder::new()).with("QUIRE_DATABASE_URL", &database.url);
    let server = launch.with("QUIRE_JWT_SECRET", SECRET).start();
    let rest = Rest::of(&server);
    let all = document(&rest);
    for somebody in &all {
        ask(&rest, somebody, "/v1/docs/d/content").expect(200);
        let comments = ask(&rest, somebody, "/v1/docs/d/comments").expect(200).json();
        assert_eq!(comments["comments"][0]["text"], "said", "{}", somebody.0);
        let versions = ask(&rest, somebody, "/v1/docs/d/versions").expect(200).json();
        assert_eq!(versions["versions"][0]["name"], "first", "{}", somebody.0);
        assert_eq!(handshake(&server, somebody), 101, "{}", somebody.0);
    }

    // A query that finds somebody else's comments and names shows none of them.
    for table in ["comments", "named_versions"] {
        database.run(&format!("CREATE POLICY none ON {table} AS RESTRICTIVE TO quire_request USING (FALSE)"));
    }
    for somebody in &all {
        for (path, list) in [("comments", "comments"), ("versions", "versions")] {
            let answer = ask(&rest, somebody, &format!("/v1/docs/d/{path}")).expect(200).json();
            assert_eq!(answer[list], json!([]), "{} sees {path}", somebody.0);
        }
    }

    database.run("CREATE POLICY none ON documents AS RESTRICTIVE TO quire_request USING (FALSE)");
    for somebody in &all {
        for route in reading() {
            let answer = ask(&rest, somebody, &route.of("d"));
            // Some are refused before, for what they lack.
            let is_refused = answer.status == 403 || answer.status == 400 && route.asks_for_more();
            assert!(is_refused, "{} is answered {} by {route:?}", somebody.0, answer.status);
        }
        assert_eq!(handshake(&server, somebody), 403, "{}", somebody.0);
    }
    // Who looks after the server sees what they answer for.
    call(&rest, &admin_token("root"), "GET", "/v1/docs/d/comments", None).expect(200);
}

/// Changes of the document by people who may make them, each with the status that it is answered.
fn changes(rest: &Rest) -> Vec<(String, u16)> {
    let comments = call(rest, &token("ada"), "GET", "/v1/docs/d/comments", None).expect(200).json();
    let comment = format!("/v1/docs/d/comments/{}", comments["comments"][0]["id"].as_str().expect("an id"));
    let links = call(rest, &token("ada"), "GET", "/v1/docs/d/links", None).expect(200).json();
    let link = format!("/v1/docs/d/links/{}", links["links"][0]["id"].as_str().expect("an id"));
    let anchor = json!({ "index": 0, "length": 4, "version": 1 });
    let title = links["links"].as_array().map_or(0, Vec::len);
    let calls = [
        ("POST", "/v1/docs/d/comments", "bob", json!({ "text": "more", "anchor": anchor })),
        ("PATCH", &comment, "bob", json!({ "resolved": true })),
        ("PATCH", &comment, "ada", json!({ "text": "other" })),
        ("POST", "/v1/docs/d/versions", "bob", json!({ "name": "second" })),
        ("PATCH", "/v1/docs/d", "bob", json!({ "title": format!("Title {title}") })),
        ("PATCH", "/v1/docs/d", "ada", json!({ "archived": true })),
        ("PATCH", "/v1/docs/d", "ada", json!({ "archived": false })),
        ("PUT", "/v1/docs/d/permissions/cem", "ada", json!({ "role": "commenter" })),
        ("PUT", "/v1/docs/d/link", "ada", json!({ "role": "viewer" })),
        ("POST", "/v1/docs/d/links", "ada", json!({ "role": "editor" })),
        ("PUT", "/v1/docs/d/owner", "ada", json!({ "user": "bob" })),
        ("PUT", "/v1/docs/d/owner", "bob", json!({ "user": "ada" })),
        ("DELETE", &comment, "ada", Value::Null),
        ("DELETE", "/v1/docs/d/versions/1", "bob", Value::Null),
        ("DELETE", &link, "ada", Value::Null),
        ("DELETE", "/v1/docs/d/permissions/bob", "bob", Value::Null),
        ("DELETE", "/v1/docs/d", "ada", Value::Null),
    ];
    let asked = calls.into_iter().map(|(method, path, who, body)| {
        let answer = call(rest, &token(who), method, path, (!body.is_null()).then_some(&body));
        (format!("{method} {path} by {who}"), answer.status)
    });
    asked.collect()
}

/// What there is of the document.
fn told(rest: &Rest) -> Vec<Value> {
    let paths = ["", "/comments", "/versions", "/permissions", "/links"];
    let read = |path| call(rest, &token("ada"), "GET", &format!("/v1/docs/d{path}"), None).expect(200).json();
    paths.into_iter().map(read).collect()
}

#[test]
fn what_the_database_does_not_take_no_route_writes() {
    let database = Schema::new();
    let launch = Launch::on(DataFolder::new()).with("QUIRE_DATABASE_URL", &database.url);
    let server = launch.with("QUIRE_JWT_SECRET", SECRET).start();
    let rest = Rest::of(&server);
    document(&rest);
    // From then on it is known what he is called.
    call(&rest, &token("bob"), "GET", "/v1/docs/d", None).expect(200);
    let before = told(&rest);
    for table in ["documents", "comments", "named_versions", "permissions", "share_links"] {
        for policy in [
            "INSERT TO quire_request WITH CHECK (FALSE)",
            "UPDATE TO quire_request USING (TRUE) WITH CHECK (FALSE)",
        ] {
            let name = &policy[..6];
            database.run(&format!("CREATE POLICY no_{name} ON {table} AS RESTRICTIVE FOR {policy}"));
        }
        database.run(&format!(
            "CREATE POLICY no_delete ON {table} AS RESTRICTIVE FOR DELETE TO quire_request USING (FALSE)"
        ));
    }
    for (change, status) in changes(&rest) {
        // What is not there for whoever removes it cannot be removed.
        assert!(
            status == 403 || status == 404 && change.starts_with("DELETE"),
            "{change} is answered {status}"
        );
    }
    assert_eq!(told(&rest), before);

    for table in ["documents", "comments", "named_versions", "permissions", "share_links"] {
        for policy in ["no_INSERT", "no_UPDATE", "no_delete"] {
            database.run(&format!("DROP POLICY {policy} ON {table}"));
        }
    }
    for (change, status) in changes(&rest) {
        assert!((200..300).contains(&status), "{change} is answered {status}");
    }
}

#[test]
fn whoever_may_write_may_do_so_by_whatever_way_it_was_given() {
    let database = Schema::new();
    let launch = Launch::on(DataFolder::new()).with("QUIRE_DATABASE_URL", &database.url);
    let server = launch.with("QUIRE_JWT_SECRET", SECRET).start();
    let rest = Rest::of(&server);
    document(&rest);
    let by = |who: &str, method, path: &str, body: Value| call(&rest, &token(who), method, path, Some(&body));
    let anchor = json!({ "index": 0, "length": 4, "version": 1 });
    let said = json!({ "text": "said", "anchor": anchor });

    // By a group, which ada is not in.
    let group = by("eve", "POST", "/v1/groups", json!({ "name": "all" })).expect(201).json();
    let group = group["id"].as_str().expect("an id").to_owned();
    by("eve", "PUT", &format!("/v1/groups/{group}/members/gus"), json!({})).expect(200);
    by("gus", "POST", "/v1/docs/d/comments", said.clone()).expect_problem(403, "forbidden");
    by("ada", "PUT", &format!("/v1/docs/d/permissions/group:{group}"), json!({ "role": "commenter" }))
        .expect(200);
    by("gus", "POST", "/v1/docs/d/comments", said.clone()).expect(201);
    by("gus", "PATCH", "/v1/docs/d", json!({ "title": "x" })).expect_problem(403, "forbidden");
    // Who manages the group need not see what it was given.
    let team = format!("/v1/groups/{group}");
    by("eve", "PATCH", &team, json!({ "name": "some" })).expect(200);
    by("gus", "PATCH", &team, json!({ "name": "none" })).expect_problem(403, "forbidden");
    assert_eq!(
        call(&rest, &token("gus"), "GET", &team, None).expect(200).json()["members"][1]["user"],
        "gus"
    );
    assert_eq!(
        call(&rest, &token("gus"), "GET", "/v1/groups", None).expect(200).json()["groups"][0]["name"],
        "some"
    );
    call(&rest, &token("ada"), "GET", &team, None).expect_problem(404, "not_found");
    call(&rest, &token("gus"), "DELETE", &format!("{team}/members/gus"), None).expect(204);
    by("gus", "POST", "/v1/docs/d/comments", said.clone()).expect_problem(403, "forbidden");
    by("eve", "PUT", &format!("{team}/members/gus"), json!({ "manager": true })).expect(200);
    by("gus", "POST", "/v1/docs/d/comments", said.clone()).expect(201);
    call(&rest, &token("gus"), "DELETE", &format!("{team}/members/eve"), None).expect(204);
    call(&rest, &token("gus"), "DELETE", &team, None).expect(204);
    call(&rest, &token("gus"), "GET", &team, None).expect_problem(404, "not_found");
    by("gus", "POST", "/v1/docs/d/comments", said.clone()).expect_problem(403, "forbidden");

    // By a link, with a key that stands for one comment.
    let link = by("ada", "POST", "/v1/docs/d/links", json!({ "role": "commenter" })).expect(201).json();
    let link = link["token"].as_str().expect("a token");
    let headers = [("quire-link", link), ("idempotency-key", "k")];
    let body = said.to_string();
    let once = rest.call("POST", "/v1/docs/d/comments", &headers, Some(body.clone())).expect(201).json();
    let again = rest.call("POST", "/v1/docs/d/comments", &headers, Some(body.clone())).expect(201).json();
    assert_eq!(once["id"], again["id"]);

    // By its address, and as an owner who was made one.
    by("ada", "PUT", "/v1/docs/d/link", json!({ "role": "editor" })).expect(200);
    by("zoe", "POST", "/v1/docs/d/versions", json!({ "name": "zoe's" })).expect(201);
    by("ada", "PUT", "/v1/docs/d/permissions/bob", json!({ "role": "owner" })).expect(200);
    by("bob", "PUT", "/v1/docs/d/permissions/zoe", json!({ "role": "viewer" })).expect(200);
    by("zoe", "POST", "/v1/docs/d/versions", json!({ "name": "x" })).expect_problem(403, "forbidden");
    call(&rest, &token("zoe"), "DELETE", "/v1/docs/d/permissions/zoe", None).expect(204);

    // A guest's belongs to nobody, and whoever may edit it looks after it.
    let _ = rest.post("/v1/docs", &json!({ "id": "g" })).expect(201);
    rest.patch("/v1/docs/g", &json!({ "title": "Ours", "archived": true })).expect(200);
    by("zoe", "PUT", "/v1/docs/g/link", json!({ "role": "viewer" })).expect(200);
    by("zoe", "PUT", "/v1/docs/g/link", json!({ "role": "editor" })).expect(200);
    by("zoe", "DELETE", "/v1/docs/g", json!({})).expect(204);

    // All of it is told to whoever listens to events, also that somebody has left.
    let kinds =
        database.read("SELECT kind || data FROM event_outbox UNION ALL SELECT kind || data FROM events");
    for wanted in ["document.commented", "document.shared{\"change\":\"revoke\"}", "document.trashed"] {
        assert!(kinds.iter().any(|kind| kind.starts_with(wanted)), "{wanted} is not among {kinds:?}");
    }
}
