//! Edits: how they are ordered, transformed, acknowledged and refused.

use serde_json::{Value, json};

use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::TestServer;
use crate::replica::{Replica, delta};
use crate::rest::Rest;

#[test]
fn two_inserts_at_one_place_give_hello_x_y() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    // B writes on version 1 as well: it has not read A's edit, though the server has it first.
    a.edit(&insertion(5, "X"));
    assert_eq!(a.until_acknowledged(), 2);
    b.edit(&insertion(5, "Y"));
    assert_eq!(b.until_acknowledged(), 3);
    a.until_version(3);
    assert_eq!((a.text(), b.text(), rest.text(&doc)), ("HelloXY".into(), "HelloXY".into(), "HelloXY".into()));
    assert_eq!(rest.ops(&doc)[2]["delta"], json!([{ "retain": 6 }, { "insert": "Y" }]), "moved from 5 to 6");
}

#[test]
fn an_insert_before_another_moves_it() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "0123456789abcdef\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    a.insert(5, "X");
    b.edit(&insertion(10, "Y"));
    b.until_acknowledged();
    a.until_version(3);
    assert_eq!(a.text(), "01234X56789Yabcdef\n");
    assert_eq!(a.text(), b.text());
}

#[test]
fn formats_deletions_and_embeds_made_at_once_converge() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello 😀 world\n" }]));
    let edits = [
        json!([{ "retain": 5, "attributes": { "bold": true, "color": "red" } }]),
        json!([{ "retain": 3 }, { "retain": 5, "attributes": { "bold": null, "color": "blue" } }]),
        json!([{ "retain": 2 }, { "delete": 8 }]),
        json!([{ "retain": 8 }, { "insert": { "image": "a.png" }, "attributes": { "alt": "a" } }]),
        json!([{ "retain": 4 }, { "delete": 4 }, { "insert": "…" }]),
    ];
    let mut clients: Vec<_> = edits.iter().map(|_| TestClient::join(&server, &doc)).collect();
    for (client, edit) in clients.iter_mut().zip(&edits) {
        client.edit(edit);
    }
    let (version, content) =
        (clients.len() as u64 + 1, |client: &TestClient| client.replica.content.to_delta());
    for client in &mut clients {
        client.until_version(version);
        assert_eq!(client.replica.in_flight.as_ref().map(|op| op.seq), None);
    }
    let (head, served) = rest.content(&doc);
    assert_eq!(head, version);
    for client in &clients {
        assert_eq!(content(client), delta(&served));
    }
}

#[test]
fn the_author_gets_the_same_frame_as_the_others() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let (mut author, mut reader) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    author.edit(&insertion(0, "x"));
    let frame = author.until_frame("ops");
    assert_eq!(reader.until_frame("ops"), frame);
    assert_eq!(frame["base"], 0);
    let op = &frame["ops"][0];
    assert_eq!(op["client"], author.replica.client.to_string());
    assert_eq!((&op["seq"], &op["delta"]), (&json!(1), &json!([{ "insert": "x" }])));
    assert_eq!(op["user"], author.welcome["user"]["id"]);
    assert!(op["at"].is_u64(), "{op}");
}

#[test]
fn the_short_form_is_the_delta_that_it_stands_for() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let mut script = TestClient::join(&server, &doc);
    let edits = [
        json!({ "type": "insert", "pos": 5, "text": "XY", "attributes": { "bold": true } }),
        json!({ "type": "delete", "pos": 2, "len": 3 }),
        json!({ "type": "format", "pos": 0, "len": 2, "attributes": { "italic": true } }),
    ];
    for (edit, n) in edits.iter().zip(1..) {
        script.send(&json!({ "type": "op", "seq": n, "base": n, "edit": edit }));
        script.until_version(n + 1);
    }
    let expected = json!([
        { "insert": "He", "attributes": { "italic": true } },
        { "insert": "XY", "attributes": { "bold": true } },
        { "insert": "\n" },
    ]);
    assert_eq!(rest.content(&doc), (4, expected));
    let bad = json!({ "type": "delete", "pos": 2, "len": 99 });
    let error = script.refused(&json!({ "type": "op", "seq": 4, "base": 4, "edit": bad }));
    assert_eq!((&error["code"], &error["seq"]), (&json!("bad_op"), &json!(4)), "{error}");
}

#[test]
fn an_operation_that_comes_to_nothing_is_a_version_like_any_other() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let (mut a, mut b) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    a.edit(&json!([{ "delete": 5 }]));
    a.until_acknowledged();
    // The same text is deleted by the other, who has not seen it yet.
    b.edit(&json!([{ "delete": 5 }]));
    assert_eq!(b.until_acknowledged(), 3);
    assert_eq!(rest.ops(&doc)[2]["delta"], json!([]));
    b.edit(&json!([]));
    assert_eq!(b.until_acknowledged(), 4);
    a.until_version(4);
    assert_eq!((a.text(), b.text()), ("\n".into(), "\n".into()));
}

#[test]
fn an_untidy_delta_is_normalised_before_it_is_committed() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "ab\n" }]));
    let mut client = TestClient::join(&server, &doc);
    let untidy = json!([
        { "retain": 0 }, { "insert": "" }, { "delete": 1 }, { "insert": "x", "attributes": { "bold": null } },
        { "insert": "y", "attributes": {} }, { "retain": 1 }, { "retain": 1 },
    ]);
    client.send(&json!({ "type": "op", "seq": 1, "base": 1, "delta": untidy }));
    client.until_version(2);
    assert_eq!(rest.ops(&doc)[1]["delta"], json!([{ "insert": "xy" }, { "delete": 1 }]));
    // The object form, too.
    client.send(&json!({ "type": "op", "seq": 2, "base": 2, "delta": { "ops": [{ "insert": "z" }] } }));
    client.until_version(3);
    assert_eq!(rest.text(&doc), "zxyb\n");
}

#[test]
fn receipts_come_before_the_acknowledgement_and_only_when_wanted() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut plain = TestClient::join(&server, &doc);
    let mut careful = TestClient::join_with(&server, &doc, Replica::new(), json!({ "receipts": true }));
    careful.edit(&insertion(0, "x"));
    let receipt = careful.until_frame("received");
    assert_eq!(receipt["seq"], 1);
    assert!(careful.replica.in_flight.is_some(), "the receipt comes first");
    careful.until_acknowledged();
    plain.edit(&insertion(0, "y"));
    while plain.replica.in_flight.is_some() {
        if let Incoming::Frame(frame) = plain.step() {
            assert_ne!(frame["type"], "received", "{frame}");
        }
    }
}

#[test]
fn bases_that_cannot_be_are_refused_and_change_nothing() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "ab\n" }]));
    let mut client = TestClient::join(&server, &doc);
    let op =
        |seq: u64, base: u64| json!({ "type": "op", "seq": seq, "base": base, "delta": [{ "insert": "x" }] });
    let code = |error: Value| error["code"].as_str().expect("a code").to_owned();
    assert_eq!(code(client.refused(&op(1, 2))), "future_base");
    assert_eq!(code(client.refused(&op(2, 9_007_199_254_740_991))), "future_base");
    assert_eq!(rest.content(&doc).0, 1);
    client.send(&op(3, 1));
    client.until_version(2);
    // Made on top of the first, but it says that it was not.
    assert_eq!(code(client.refused(&op(4, 1))), "stale_base");
    client.send(&op(5, 2));
    client.until_version(3);
    assert_eq!(rest.text(&doc), "xxab\n");
}

#[test]
fn an_edit_of_many_parts_on_an_old_version_is_transformed_over_all_since() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x".repeat(8_000) }]));
    let mut writer = TestClient::join(&server, &doc);
    let mut other = TestClient::join(&server, &doc);
    for _ in 0..300 {
        writer.insert(0, "y");
    }
    // Every second letter.
    let part = |n: usize| {
        if n.is_multiple_of(2) {
            json!({ "retain": 1 })
        } else {
            json!({ "retain": 1, "attributes": { "b": true } })
        }
    };
    let parts: Vec<Value> = (0..8_000).map(part).collect();
    let body = json!({ "base": 1, "delta": parts });
    let answer = rest.post(&format!("/v1/docs/{doc}/ops"), &body).expect(200).json();
    assert_eq!(answer, json!({ "version": 302 }));
    other.send(&json!({ "type": "op", "seq": 1, "base": 1, "delta": parts }));
    other.until_version(303);
    let (_, content) = rest.content(&doc);
    let content = content.as_array().expect("a list");
    assert_eq!(content[0], json!({ "insert": format!("{}x", "y".repeat(300)) }));
    assert_eq!((content.len(), &content[1]["attributes"]), (8_000, &json!({ "b": true })));
    assert_eq!(rest.ops(&doc)[302]["client"], other.replica.client.to_string());
}

#[test]
fn numbers_only_rise_with_gaps_allowed() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let mut client = TestClient::join(&server, &doc);
    let op =
        |seq: u64, base: u64| json!({ "type": "op", "seq": seq, "base": base, "delta": [{ "insert": "x" }] });
    client.send(&op(10, 0));
    client.until_version(1);
    let error = client.refused(&op(9, 1));
    assert_eq!((&error["code"], &error["seq"]), (&json!("bad_op"), &json!(9)), "below the last, never seen");
    // A late copy of the committed one is answered, and not applied again.
    client.send(&op(10, 0));
    let ack = client.until_frame("ack");
    assert_eq!((&ack["seq"], &ack["version"]), (&json!(10), &json!(1)));
    client.send(&op(12, 1));
    client.until_version(2);
    assert_eq!(rest.text(&doc), "xx");
}
