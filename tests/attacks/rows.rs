//! The second line: what PostgreSQL does not show, no route tells, whatever the first line believes.

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
