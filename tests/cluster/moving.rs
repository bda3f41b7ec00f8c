//! A document is moved by hand.

use serde_json::{Value, json};

use crate::harness::TestServer;
use crate::ledger;
use crate::load::Load;
use crate::rest::{Answer, Rest};
use crate::scene::{Scene, metric, name, nodes, until};
use crate::signed_in::{admin_token, call, token};

fn move_to(server: &TestServer, doc: &str, node: &str) -> Answer {
    let path = format!("/v1/admin/docs/{doc}/move");
    call(&Rest::of(server), &admin_token("root"), "POST", &path, Some(&json!({ "node": node })))
}

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
