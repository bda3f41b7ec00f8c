//! The document of OpenAPI: whether it tells of what there is, and whether the server keeps to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quire::actors::error::ErrorCode;
use serde_json::{Value, json};

use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::{SECRET, admin_token, call, token};

/// Pages for people, which are no calls.
const PAGES: [&str; 9] =
    ["/", "/d/{id}", "/admin", "/sign-in", "/reset", "/account", "/assets/{name}", "/docs", "/docs/{name}"];

/// A method and an address.
type Call = (String, String);

/// The calls of all tables of routes, wherever in `src/http` they are: what follows `at(`, a path and its methods.
fn routes() -> BTreeSet<Call> {
    let mut routes = BTreeSet::new();
    for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")) {
        for entry in source.split("at(").skip(1) {
            let quoted = entry.trim_start().strip_prefix("\"/").map(|rest| rest.split('"'));
            let Some((path, methods)) = quoted.and_then(|mut texts| Some((texts.next()?, texts.nth(1)?)))
            else {
                continue;
            };
            let path = format!("/{path}");
            // Every GET answers HEAD as well.
            let methods = methods.split(", ").filter(|method| *method != "HEAD" && !PAGES.contains(&&*path));
            routes.extend(methods.map(|method| (method.to_lowercase(), path.clone())));
        }
    }
    routes
}

/// The text of every file in a folder and below it.
fn sources(folder: &Path) -> Vec<String> {
    let entries =
        folder.read_dir().expect("the sources are there").map(|entry| entry.expect("readable").path());
    let read = |path: PathBuf| {
        if path.is_dir() { sources(&path) } else { vec![fs::read_to_string(&path).expect("text")] }
    };
    entries.flat_map(read).collect()
}

fn document() -> Value {
    Rest::of(&TestServer::start()).get("/openapi.json").expect(200).json()
}

/// The calls that a document tells of, and what it says of each.
fn told(document: &Value) -> Vec<(Call, &Value)> {
    let mut told = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let operations = item.as_object().expect("methods");
        told.extend(operations.iter().map(|(method, operation)| ((method.clone(), path.clone()), operation)));
    }
    told
}

#[test]
fn every_route_is_in_the_document_and_no_other() {
    let document = document();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..4]), Some("3.1."));
    let told: BTreeSet<Call> = told(&document).into_iter().map(|(call, _)| call).collect();
    let routes = routes();
    assert!(routes.len() >= 60, "the tables cannot be read: {routes:?}");
    let missing: Vec<_> = routes.difference(&told).collect();
    assert!(missing.is_empty(), "without #[utoipa::path], or not named in openapi/mod.rs: {missing:?}");
    let more: Vec<_> = told.difference(&routes).collect();
    assert!(more.is_empty(), "in no table of routes: {more:?}");
}

#[test]
fn every_call_says_what_it_is_and_may_be_answered_by_a_problem_with_one_of_the_codes_that_exist() {
    let document = document();
    let tags: Vec<_> = document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    for ((method, path), operation) in told(&document) {
        for status in ["4XX", "5XX"] {
            let problem = &operation["responses"][status]["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
        }
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let parts = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(parts, path.matches('{').count(), "{method} {path}");
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().expect("a name")), "{method} {path}");
    }
    let code = &document["components"]["schemas"]["Problem"]["properties"]["code"];
    let code = code["$ref"].as_str().and_then(|place| document.pointer(&place[1..])).unwrap_or(code);
    assert_eq!(code["enum"], json!(ErrorCode::ALL.map(ErrorCode::as_str)));
    for reference in document.to_string().split(r##""$ref":"#"##).skip(1) {
        let pointer = reference.split('"').next().expect("an end");
        assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
    }
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let page = rest.get("/docs").expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    let text = page.text();
    assert!(!text.contains("://") && !text.contains("<style") && !text.contains("style="), "{text}");
    assert_eq!(text.matches("<script").count(), text.matches("<script src=\"/docs/").count());
    for (file, media_type) in [("page.js", "text/javascript"), ("page.css", "text/css")] {
        assert!(text.contains(&format!("\"/docs/{file}\"")), "{file}");
        let answer = rest.get(&format!("/docs/{file}")).expect(200);
        assert!(answer.header("content-type").starts_with(media_type), "{file}");
        assert!(!answer.text().contains("://"), "{file}");
    }
    rest.get("/docs/page.html").expect_problem(404, "not_found");
}

/// Asks a server of its own whatever the document lets somebody ask, half of it about things that are there.
fn keeps_to_its_document(caller: Option<&str>) {
    let server = Launch::new().with("QUIRE_JWT_SECRET", SECRET).start();
    let rest = Rest::of(&server);
    let ask = |path: &str, body: &Value| -> Value {
        let answer = match caller {
            Some(token) => call(&rest, token, "POST", path, Some(body)),
            None => rest.post(path, body),
        };
        answer.expect(201).json()
    };
    // What is kept is changed, but not taken away; the others may be.
    for id in ["kept", "spare", "0"] {
        ask("/v1/docs", &json!({ "id": id, "content": [{ "insert": "one\ntwo\n" }] }));
    }
    let anchor = json!({ "index": 0, "length": 3, "version": 1 });
    let comment = ask("/v1/docs/kept/comments", &json!({ "text": "why?", "anchor": anchor }))["id"].clone();
    let group = caller.map(|_| ask("/v1/groups", &json!({ "name": "friends" }))["id"].clone());
    let text = |id: &Value| id.as_str().expect("an id").to_owned();

    let asked = Command::new("scripts/services/schemathesis")
        .args(["check", &format!("http://{}", server.address())])
        .env("TOKEN", caller.unwrap_or_default())
        .env("COMMENT", text(&comment))
        .env("GROUP", group.as_ref().map_or_else(|| text(&comment), text))
        .output()
        .expect("bash is there");
    let (said, warned) = (String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr));
    assert!(asked.status.success(), "{said}{warned}");
    rest.get("/readyz").expect(200);
}

#[test]
fn a_guest_is_answered_as_the_document_says() {
    keeps_to_its_document(None);
}

#[test]
fn a_user_is_answered_as_the_document_says() {
    keeps_to_its_document(Some(&token("ada")));
}

#[test]
fn an_administrator_is_answered_as_the_document_says() {
    keeps_to_its_document(Some(&admin_token("ada")));
}
