//! What is kept of a person, given out and taken away by REST.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::Launch;
use crate::rest::Rest;
use crate::signed_in::{SECRET, SignedIn, admin_token, call, in_seconds, knows_tokens, token, token_of};

#[test]
fn people_get_what_is_theirs_and_administrators_what_is_anybodys() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let ada = token("ada");
    for n in 0..3 {
        let new = json!({ "id": format!("doc-{n}"), "content": [{ "insert": format!("text {n}\n") }] });
        call(&rest, &ada, "POST", "/v1/docs", Some(&new)).expect(201);
    }
    let export = |token: &str, who: &str| call(&rest, token, "GET", &format!("/v1/users/{who}/export"), None);
    let mine = export(&ada, "me").expect(200).json();
    assert_eq!((&mine["user"], &mine["complete"]), (&json!("ada"), &json!(true)));
    let documents = mine["documents"].as_array().expect("a list");
    let texts: Vec<_> = documents.iter().map(|document| document["content"][0]["insert"].clone()).collect();
    assert_eq!(texts, ["text 0\n", "text 1\n", "text 2\n"]);
    assert_eq!(export(&admin_token("root"), "ada").expect(200).json(), mine);
    export(&token("bob"), "ada").expect_problem(403, "forbidden");
    rest.get("/v1/users/ada/export").expect_problem(401, "unauthorized");
}

#[test]
fn who_is_erased_is_named_nowhere_after_the_next_start() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    for (user, doc) in [("ada", "adas"), ("bob", "bobs")] {
        let new = json!({ "id": doc, "content": [{ "insert": "x\n" }] });
        call(&rest, &token(user), "POST", "/v1/docs", Some(&new)).expect(201);
    }
    let comment = json!({ "text": "hm", "anchor": { "index": 0, "length": 1 } });
    call(&rest, &token("ada"), "POST", "/v1/docs/bobs/comments", Some(&comment)).expect(201);
    call(&rest, &token("ada"), "POST", "/v1/docs/bobs/versions", Some(&json!({ "name": "v1" }))).expect(201);
    let edit = json!({ "base": 1, "delta": [{ "insert": "by ada " }] });
    call(&rest, &token("ada"), "POST", "/v1/docs/bobs/ops", Some(&edit)).expect(200);
    let erase = |who: &str| {
        let path = format!("/v1/users/{who}/erase?documents=owned");
        call(&rest, &token("ada"), "POST", &path, None)
    };
    erase("bob").expect_problem(403, "forbidden");
    let old = token("ada");
    let mut socket = SignedIn::join(&server, "bobs", Uuid::new_v4(), &old);
    socket.frame("welcome");
    let erased = erase("me").expect(202).json();
    assert_eq!((&erased["purged"], &erased["pending"]), (&json!(1), &json!(true)));
    rest.get("/v1/docs/adas").expect(404);
    let comments = rest.get("/v1/docs/bobs/comments").expect(200).json();
    assert!(
        comments["comments"][0]["user"].as_str().is_some_and(|user| user.starts_with("erased_")),
        "{comments}"
    );
    let versions = rest.get("/v1/docs/bobs/versions").expect(200).json();
    assert!(!versions.to_string().contains("\"ada\""), "{versions}");
    // Whatever she has had is good for nothing.
    assert!([Some(4401), Some(4403)].contains(&socket.closed()));
    call(&rest, &old, "GET", "/v1/docs", None).expect_problem(401, "unauthorized");
    // She comes back with a token that is newer, and what she makes is hers.
    let new = token_of("ada", in_seconds(1));
    let novel = json!({ "id": "novel", "content": [{ "insert": "a year of work\n" }] });
    call(&rest, &new, "POST", "/v1/docs", Some(&novel)).expect(201);
    server.signal(libc::SIGTERM);
    let data = server.ended().1;
    let server = Launch::on(data).with("QUIRE_JWT_SECRET", SECRET).start();
    let rest = Rest::of(&server);
    call(&rest, &old, "GET", "/v1/docs", None).expect_problem(401, "unauthorized");
    call(&rest, &new, "GET", "/v1/docs", None).expect(200);
    let authors: Vec<Value> = rest.ops("bobs").iter().map(|op| op["user"].clone()).collect();
    assert_eq!(authors[0], "bob");
    assert!(authors[1].as_str().is_some_and(|author| author.starts_with("erased_")), "{authors:?}");
    assert_eq!(rest.text("bobs"), "by ada x\n");
    assert_eq!(rest.text("novel"), "a year of work\n");
    assert_eq!(rest.ops("novel")[0]["user"], "ada");
}
