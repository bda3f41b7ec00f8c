//! Versions to find again: named, in snapshots, compared, gone back to.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::{call, knows_tokens, token};

/// A document with the versions "a\n", "ab\n", "abc\n".
fn three_versions(rest: &Rest) -> String {
    let doc = rest.create(&json!([{ "insert": "a\n" }]));
    for (base, text) in [(1, "b"), (2, "c")] {
        let edit = json!({ "base": base, "edit": { "type": "insert", "pos": base, "text": text } });
        rest.post(&format!("/v1/docs/{doc}/ops"), &edit).expect(200);
    }
    doc
}

#[test]
fn versions_are_named_listed_page_by_page_and_forgotten() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = three_versions(&rest);
    let path = format!("/v1/docs/{doc}/versions");
    let first = rest.post(&path, &json!({ "name": " Draft ", "version": 1 })).expect(201).json();
    assert_eq!(
        (&first["name"], &first["version"], &first["named_by"]),
        (&json!("Draft"), &json!(1), &json!("guest:rest"))
    );
    let made = &rest.ops(&doc)[0]["at"];
    assert_eq!(&first["at"], made, "when the version was made");
    rest.post(&path, &json!({ "name": "Head" })).expect(201);
    rest.post(&path, &json!({ "name": "Begun", "version": 0 })).expect(201);
    rest.post(&path, &json!({ "name": "Final draft", "version": 1 })).expect(201);
    let names = |page: &Value| -> Vec<String> {
        let versions = page["versions"].as_array().expect("a list").iter();
        versions.map(|version| version["name"].as_str().expect("a name").to_owned()).collect()
    };
    let page = rest.get(&format!("{path}?limit=2")).expect(200).json();
    assert_eq!(names(&page), ["Head", "Final draft"]);
    let next = page["next"].as_str().expect("there is more");
    let page = rest.get(&format!("{path}?limit=2&cursor={next}")).expect(200).json();
    assert_eq!((names(&page), page.get("next")), (vec!["Begun".to_owned()], None));

    rest.delete(&format!("{path}/1")).expect(204);
    rest.delete(&format!("{path}/1")).expect_problem(404, "not_found");
    assert_eq!(names(&rest.get(&path).expect(200).json()), ["Head", "Begun"]);
    for bad in
        [json!({}), json!({ "name": "" }), json!({ "name": "a\nb" }), json!({ "name": "x", "version": -1 })]
    {
        rest.post(&path, &bad).expect_problem(400, "bad_request");
    }
    rest.post(&path, &json!({ "name": "x", "version": 4 })).expect_problem(404, "not_found");
    rest.get(&format!("{path}?cursor=x")).expect_problem(400, "bad_request");
}

#[test]
fn a_snapshot_is_there_when_it_is_answered_and_listed_among_the_versions() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = three_versions(&rest);
    let made = rest.post(&format!("/v1/docs/{doc}/snapshots"), &json!({})).expect(201).json();
    assert_eq!(made["version"], 3);
    let metadata = &rest.get(&format!("/v1/docs/{doc}")).expect(200).json()["metadata"];
    assert_eq!(metadata["snapshot_version"], 3);
    rest.post(&format!("/v1/docs/{doc}/versions"), &json!({ "name": "none", "version": 0 })).expect(201);
    let page = rest.get(&format!("/v1/docs/{doc}/versions?all=true")).expect(200).json();
    let listed = page["versions"].as_array().expect("a list");
    // Of the versions in between, one may be the document's turn for a snapshot, which depends on its id.
    let (first, last) = (&listed[0], &listed[listed.len() - 1]);
    assert_eq!((&first["version"], &last["version"]), (&json!(3), &json!(0)), "{page}");
    assert!(first["snapshot_bytes"].as_u64() > Some(0) && last.get("snapshot_bytes").is_none(), "{page}");
    // Once more writes nothing.
    assert_eq!(rest.post(&format!("/v1/docs/{doc}/snapshots"), &json!({})).expect(201).json()["version"], 3);
    rest.post("/v1/docs/unknown/snapshots", &json!({})).expect_problem(404, "not_found");
}

#[test]
fn a_document_goes_back_by_an_operation_that_everybody_sees() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = three_versions(&rest);
    let mut reader = TestClient::join(&server, &doc);
    let path = format!("/v1/docs/{doc}/restore");
    assert_eq!(rest.post(&path, &json!({ "version": 1 })).expect(200).json(), json!({ "version": 4 }));
    reader.until_version(4);
    assert_eq!((reader.text(), rest.text(&doc)), ("a\n".to_owned(), "a\n".to_owned()));
    assert_eq!(rest.post(&path, &json!({ "version": 3 })).expect(200).json(), json!({ "version": 5 }));
    assert_eq!(rest.text(&doc), "abc\n");
    rest.post(&path, &json!({ "version": 0 })).expect(200);
    assert_eq!(rest.content(&doc), (6, json!([])));
    rest.post(&path, &json!({ "version": 7 })).expect_problem(404, "not_found");
    rest.post(&path, &json!({})).expect_problem(400, "bad_request");
    rest.patch(&format!("/v1/docs/{doc}"), &json!({ "archived": true })).expect(200);
    rest.post(&path, &json!({ "version": 1 })).expect_problem(403, "read_only");
}

#[test]
fn versions_are_compared_in_either_order() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = three_versions(&rest);
    let diff = |query: &str| rest.get(&format!("/v1/docs/{doc}/diff?{query}"));
    let expected = json!({
        "from": 1, "to": 3, "delta": [{ "retain": 1 }, { "insert": "bc" }],
        "summary": { "inserted": 2, "deleted": 0, "formatted": 0 },
    });
    assert_eq!(diff("from=1").expect(200).json(), expected);
    assert_eq!(diff("from=3&to=1").expect(200).json()["delta"], json!([{ "retain": 1 }, { "delete": 2 }]));
    assert_eq!(diff("from=2&to=2").expect(200).json()["delta"], json!([]));
    diff("from=1&to=4").expect_problem(404, "not_found");
    diff("").expect_problem(400, "bad_request");
}

#[test]
fn each_piece_of_text_is_told_with_who_has_written_it() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "one three\n" }]));
    let edit = json!({ "base": 1, "edit": { "type": "insert", "pos": 4, "text": "two " } });
    call(&rest, &token("ada"), "POST", &format!("/v1/docs/{doc}/ops"), Some(&edit)).expect(200);
    let blame = |query: &str| rest.get(&format!("/v1/docs/{doc}/blame?{query}")).expect(200).json();
    let ops = rest.ops(&doc);
    let told = blame("");
    let run = |length: u64, op: &Value| json!({ "length": length, "version": op["version"], "user": op["user"], "at": op["at"] });
    let expected =
        json!({ "version": 2, "since": 0, "runs": [run(4, &ops[0]), run(4, &ops[1]), run(6, &ops[0])] });
    assert_eq!((told, &ops[1]["user"]), (expected, &json!("ada")));
    assert_eq!(blame("version=1")["runs"], json!([run(10, &ops[0])]));
    let older = |length: u64| json!({ "length": length, "version": 1, "older": true });
    assert_eq!(blame("since=1")["runs"], json!([older(4), run(4, &ops[1]), older(6)]));
    assert_eq!(blame("since=9")["runs"], json!([{ "length": 14, "version": 2, "older": true }]));
    rest.get(&format!("/v1/docs/{doc}/blame?version=3")).expect_problem(404, "not_found");
}

#[test]
fn what_is_imported_is_one_operation() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "old" }]));
    let import = |query: &str, kind: &str, body: &str| {
        rest.call(
            "POST",
            &format!("/v1/docs/{doc}/import{query}"),
            &[("content-type", kind)],
            Some(body.into()),
        )
    };
    let made = import("?mode=append", "text/markdown", "# Title\n\n**bold** [x](javascript:y)").expect(200);
    assert_eq!(made.json(), json!({ "version": 2 }));
    let expected = json!([
        { "insert": "old\nTitle" }, { "insert": "\n", "attributes": { "header": 1 } },
        { "insert": "bold", "attributes": { "bold": true } }, { "insert": " x\n" },
    ]);
    assert_eq!(rest.content(&doc), (2, expected));
    import("", "text/html; charset=utf-8", "<p>new<script>x</script>").expect(200);
    assert_eq!(rest.content(&doc), (3, json!([{ "insert": "new\n" }])));
    import("", "application/json", r#"[{"insert":"delta"}]"#).expect(200);
    import("?mode=append", "text/plain", "text").expect(200);
    assert_eq!(rest.text(&doc), "delta\ntext\n");
    import("", "application/pdf", "x").expect_problem(415, "bad_request");
    import("", "application/json", r#"[{"retain":1}]"#).expect_problem(422, "bad_op");
    import("?mode=prepend", "text/plain", "x").expect_problem(400, "bad_request");
    import("", "text/html", &"<div>".repeat(1_000)).expect_problem(400, "bad_request");
    import("", "text/plain", &"x".repeat(11_000_000)).expect_problem(413, "too_large");
    assert_eq!(rest.text(&doc), "delta\ntext\n");
}

#[test]
fn names_are_kept_over_a_restart_and_go_with_the_document() {
    let server = TestServer::start();
    let doc = three_versions(&Rest::of(&server));
    Rest::of(&server).post(&format!("/v1/docs/{doc}/versions"), &json!({ "name": "kept" })).expect(201);
    let server = Launch::on(server.kill()).start();
    let rest = Rest::of(&server);
    let listed = rest.get(&format!("/v1/docs/{doc}/versions")).expect(200).json();
    assert_eq!(listed["versions"][0]["name"], "kept");
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    rest.get(&format!("/v1/docs/{doc}/versions")).expect_problem(404, "not_found");
}

#[test]
fn what_is_imported_or_gone_back_to_under_a_key_is_one_operation_over_a_crash() {
    let server = TestServer::start();
    let doc = three_versions(&Rest::of(&server));
    let send = |server: &TestServer, call: &str, key: &str, (kind, body): (&str, &str)| {
        let headers = [("idempotency-key", key), ("content-type", kind)];
        Rest::of(server).call("POST", &format!("/v1/docs/{doc}/{call}"), &headers, Some(body.to_owned()))
    };
    let (append, text) = ("import?mode=append", ("text/plain", "more"));
    let (restore, second) = ("restore", ("application/json", r#"{"version":2}"#));
    let imported = send(&server, append, "a", text).expect(200).json();
    let restored = send(&server, restore, "b", second).expect(200).json();
    assert_eq!((&imported["version"], &restored["version"]), (&json!(4), &json!(5)));
    let server = Launch::on(server.kill()).start();
    assert_eq!(send(&server, append, "a", text).expect(200).json(), imported);
    assert_eq!(send(&server, restore, "b", second).expect(200).json(), restored);
    for (call, key, (kind, body)) in [
        (append, "a", ("text/plain", "other")),
        (append, "a", ("text/markdown", "more")),
        ("import", "a", text),
        (restore, "a", second),
        (restore, "b", ("application/json", r#"{"version":1}"#)),
    ] {
        send(&server, call, key, (kind, body)).expect_problem(422, "conflict");
    }
    assert_eq!(Rest::of(&server).text(&doc), "ab\n");
    // Without a key it is done as often as it comes.
    for _ in 0..2 {
        Rest::of(&server)
            .call(
                "POST",
                &format!("/v1/docs/{doc}/{append}"),
                &[("content-type", "text/plain")],
                Some("x".to_owned()),
            )
            .expect(200);
    }
    assert_eq!(Rest::of(&server).text(&doc), "ab\nx\nx\n");
}
