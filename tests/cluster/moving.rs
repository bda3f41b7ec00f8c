//! A document is moved by hand.

use serde_json::{Value, json};

use crate::command::quire;
use crate::ledger;
use crate::load::Load;
use crate::rest::Rest;
use crate::scene::{Scene, metric, move_to, name, nodes, shards, until};
use crate::signed_in::{admin_token, call, token};

#[test]
fn a_document_goes_to_another_server_while_people_write() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let doc = Rest::of(&b).create(&json!([{ "insert": "\n" }]));
    let load = Load::start(&b, std::slice::from_ref(&doc), 4);
    load.wait_for(30);
    for to in [&a, &b, &a] {
        let moved = move_to(&b, &doc, &name(to)).expect(200).json();
        assert_eq!(moved["node"], name(to));
        load.wait_for(30);
    }
    until("it goes by the other server now", || metric(&b, "quire_tunnels") == 4.0);
    ledger::check(&a, load.finish());
}

#[test]
fn what_cannot_be_moved_is_refused_with_the_reason() {
    let scene = Scene::new();
    let server = scene.server();
    let doc = Rest::of(&server).create_empty();
    move_to(&server, &doc, "node-of-nobody").expect_problem(404, "not_found");
    move_to(&server, "not-there", &name(&server)).expect_problem(404, "not_found");
    let path = format!("/v1/admin/docs/{doc}/move");
    let rest = Rest::of(&server);
    call(&rest, &admin_token("root"), "POST", &path, Some(&json!({}))).expect_problem(400, "bad_request");
    let body = json!({ "node": name(&server) });
    call(&rest, &token("ada"), "POST", &path, Some(&body)).expect_problem(403, "forbidden");
    assert_eq!(move_to(&server, &doc, &name(&server)).expect(200).json()["node"], name(&server));
}

#[test]
fn a_document_that_was_moved_goes_back_where_it_would_be() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let doc = Rest::of(&b).create(&json!([{ "insert": "\n" }]));
    let share = shards(&b);
    let path = format!("/v1/admin/docs/{doc}/move");
    let unpin = |server| call(&Rest::of(server), &admin_token("root"), "DELETE", &path, None);
    move_to(&b, &doc, &name(&a)).expect(200);
    until("it is there", || shards(&b) == share - 1);
    assert_eq!(unpin(&a).expect(200).json()["node"], name(&b));
    until("it is back", || shards(&b) == share);
    assert_eq!(unpin(&b).expect(200).json()["node"], name(&b), "nobody has moved it any more");

    move_to(&b, &doc, &name(&a)).expect(200);
    let url = format!("http://{}", a.address());
    let said = quire(["admin", "unpin", &doc, "--url", &url, "--token", &admin_token("root")]).succeeds();
    assert_eq!(said, format!("{}\n", name(&b)));
    // Who had it learns of that within a second.
    until("it is read by both", || {
        let content = format!("/v1/docs/{doc}/content");
        [&a, &b].iter().all(|server| Rest::of(server).get(&content).status == 200)
    });

    call(&Rest::of(&a), &token("ada"), "DELETE", &path, None).expect_problem(403, "forbidden");
    let nowhere = "/v1/admin/docs/not-there/move";
    call(&Rest::of(&a), &admin_token("root"), "DELETE", nowhere, None).expect_problem(404, "not_found");
}

#[test]
fn servers_are_listed_with_what_they_have() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let all = nodes(&a);
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0]["name"], &all[1]["name"]), (&json!(name(&a)), &json!(name(&b))));
    for node in &all {
        assert_eq!((&node["alive"], &node["draining"]), (&json!(true), &json!(false)), "{node}");
        assert!(node["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{node}");
    }
    let addresses: Vec<&Value> = all.iter().map(|node| &node["url"]).collect();
    assert_ne!(addresses[0], addresses[1]);
    b.kill();
    until("it is seen that one is gone", || nodes(&a)[1]["alive"] == false && nodes(&a)[0]["shards"] == 256);
}
