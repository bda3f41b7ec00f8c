//! Requests that come again under their `Idempotency-Key` make one share link, one group, one webhook. Documents, comments and what is
//! imported are where those are.

use serde_json::{Value, json};

use crate::harness::TestServer;
use crate::rest::{Answer, Rest};
use crate::signed_in::{knows_tokens, token};

fn send(server: &TestServer, user: &str, path: &str, key: &str, body: &Value) -> Answer {
    let authorization = format!("Bearer {}", token(user));
    let headers = [("authorization", authorization.as_str()), ("idempotency-key", key)];
    Rest::of(server).call("POST", path, &headers, Some(body.to_string()))
}

fn as_ada(server: &TestServer, method: &str, path: &str) -> Answer {
    let authorization = format!("Bearer {}", token("ada"));
    Rest::of(server).call(method, path, &[("authorization", &authorization)], None)
}

/// What a call makes, and how that is told of.
struct Made<'a> {
    path: &'a str,
    body: Value,
    other: Value,
    /// What is told once.
    secret: Option<&'a str>,
    /// Where it is listed, and under which name.
    list: &'a str,
    /// What is read of one that is gone.
    gone: u16,
}

fn is_made_once(server: &TestServer, what: &Made<'_>) {
    let Made { path, body, other, list, .. } = what;
    let [key, another, later] = ["key", "another", "later"].map(|key| format!("{list} {key}"));
    let count = || {
        let listed = as_ada(server, "GET", path).expect(200).json();
        listed[list].as_array().map(Vec::len).expect("a list")
    };
    let before = count();
    // Many at once: one makes it, and all are told of the same.
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| send(server, "ada", path, &key, body).expect(201).json()))
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("an answer")).collect()
    });
    assert!(answers.iter().all(|answer| answer["id"] == answers[0]["id"]), "{answers:?}");
    assert_eq!(count(), before + 1);
    if let Some(secret) = what.secret {
        let told = answers.iter().filter(|answer| answer[secret].is_string()).count();
        assert_eq!(told, 1, "{secret} is told to whoever makes it: {answers:?}");
    }
    send(server, "ada", path, &key, other).expect_problem(422, "conflict");
    assert_ne!(send(server, "ada", path, &another, body).expect(201).json()["id"], answers[0]["id"]);
    send(server, "ada", path, &"x".repeat(256), body).expect_problem(400, "bad_request");
    // A request that was refused has taken no key.
    send(server, "ada", path, &later, &json!({})).expect_problem(400, "bad_request");
    send(server, "ada", path, &later, body).expect(201);

    // What is gone is not made again.
    let one = format!("{path}/{}", answers[0]["id"].as_str().expect("an id"));
    as_ada(server, "DELETE", &one).expect(204);
    assert_eq!(send(server, "ada", path, &key, body).status, what.gone);
    assert_eq!(
        count(),
        if what.gone == 404 { before + 2 } else { before + 3 },
        "a link that was revoked is still listed"
    );
}

#[test]
fn a_share_link_a_group_and_a_webhook_that_are_asked_for_again_are_made_once() {
    let server = knows_tokens();
    let doc = send(&server, "ada", "/v1/docs", "doc", &json!({})).expect(201).json();
    let links = format!("/v1/docs/{}/links", doc["id"].as_str().expect("an id"));
    let link = Made {
        path: &links,
        body: json!({ "role": "viewer" }),
        other: json!({ "role": "editor" }),
        secret: Some("token"),
        list: "links",
        gone: 201,
    };
    is_made_once(&server, &link);
    let group = Made {
        path: "/v1/groups",
        body: json!({ "name": "Team" }),
        other: json!({ "name": "Others" }),
        secret: None,
        list: "groups",
        gone: 404,
    };
    is_made_once(&server, &group);
    let hook = Made {
        path: "/v1/webhooks",
        body: json!({ "url": "https://hooks.example/one" }),
        other: json!({ "url": "https://hooks.example/two" }),
        secret: Some("secret"),
        list: "webhooks",
        gone: 404,
    };
    is_made_once(&server, &hook);

    // A key is its user's, and stands for one call.
    send(&server, "bob", "/v1/groups", "groups key", &json!({ "name": "Team" })).expect(201);
    send(&server, "ada", "/v1/webhooks", "doc", &hook.body).expect_problem(422, "conflict");
    send(&server, "ada", "/v1/groups", "doc", &group.body).expect_problem(422, "conflict");
    send(&server, "ada", &links, "doc", &link.body).expect_problem(422, "conflict");
}

/// One that finds no room has taken no key: it is made once there is some.
#[test]
fn a_webhook_too_many_can_be_asked_for_again() {
    let server = knows_tokens();
    let ask =
        |key: &str| send(&server, "ada", "/v1/webhooks", key, &json!({ "url": "https://hooks.example/" }));
    let ids: Vec<Value> =
        (0..20).map(|n| ask(&format!("key {n}")).expect(201).json()["id"].clone()).collect();
    ask("late").expect_problem(409, "conflict");
    // Those that are there are told of, all the same.
    assert_eq!(ask("key 7").expect(201).json()["id"], ids[7]);
    let one = format!("/v1/webhooks/{}", ids[0].as_str().expect("an id"));
    as_ada(&server, "DELETE", &one).expect(204);
    ask("late").expect(201);
}
