//! Every call of a document, and what it does with it.

use quire::access::Action;
use serde_json::{Value, json};

use crate::people::Call;
use crate::routes;

/// A comment that is not there.
pub const NO_COMMENT: &str = "/comments/0195e7a4-0000-7000-8000-000000000000";

/// Calls after which the document is as it was, more or less.
pub fn calls() -> Vec<Call> {
    let body = |value: Value| Some(value);
    vec![
        ("GET", "", Action::Read, None),
        ("GET", "/content", Action::Read, None),
        ("GET", "/ops", Action::Read, None),
        ("GET", "/history", Action::Read, None),
        ("GET", "/history?version=1", Action::Read, None),
        ("GET", "/presence", Action::Read, None),
        ("POST", "/ops", Action::Edit, body(json!({ "base": 1, "delta": [{ "insert": "y" }] }))),
        ("PATCH", "", Action::Rename, body(json!({ "title": "Plan" }))),
        ("GET", "/permissions", Action::Share, None),
        ("GET", "/permissions/vic", Action::Share, None),
        ("PUT", "/permissions/zoe", Action::Share, body(json!({ "role": "viewer" }))),
        ("DELETE", "/permissions/zoe", Action::Share, None),
        ("PUT", "/link", Action::Share, body(json!({ "role": null }))),
        ("GET", "/links", Action::Share, None),
        ("POST", "/links", Action::Share, body(json!({ "role": "viewer" }))),
        ("DELETE", "/links/none", Action::Share, None),
        ("GET", "/versions", Action::Read, None),
        ("POST", "/versions", Action::Rename, body(json!({ "name": "first", "version": 1 }))),
        ("DELETE", "/versions/1", Action::Rename, None),
        ("POST", "/snapshots", Action::Rename, None),
        ("GET", "/diff?from=0", Action::Read, None),
        ("GET", "/blame", Action::Read, None),
        ("POST", "/restore", Action::Edit, body(json!({ "version": 1 }))),
        ("POST", "/import", Action::Edit, body(json!([{ "insert": "text\n" }]))),
        ("GET", "/comments", Action::Read, None),
        (
            "POST",
            "/comments",
            Action::Comment,
            body(json!({ "text": "Why?", "anchor": { "index": 0, "length": 1 } })),
        ),
        ("GET", NO_COMMENT, Action::Read, None),
        ("PATCH", NO_COMMENT, Action::Comment, body(json!({ "resolved": true }))),
        ("DELETE", NO_COMMENT, Action::Comment, None),
        (
            "POST",
            "/comments/0195e7a4-0000-7000-8000-000000000000/replies",
            Action::Comment,
            body(json!({ "text": "So." })),
        ),
    ]
}

/// Calls after which there is no document, or another owner.
pub fn ends() -> Vec<Call> {
    vec![
        ("DELETE", "?purge=true", Action::Purge, None),
        ("PUT", "/owner", Action::Transfer, Some(json!({ "user": "zoe" }))),
    ]
}

/// Calls that change what the document is; each is undone by its owner.
pub fn moves() -> Vec<Call> {
    let body = |value: Value| Some(value);
    vec![
        ("PATCH", "", Action::Archive, body(json!({ "archived": true }))),
        ("PATCH", "", Action::Trash, body(json!({ "deleted": true }))),
        ("DELETE", "", Action::Trash, None),
    ]
}

/// Whether a call is one of a route, whose path may have parts in braces that stand for anything.
fn is_of(call: &Call, (method, path): &(String, String)) -> bool {
    let called = call.1.split('?').next().unwrap_or_default();
    let (called, parts) = (called.split('/').collect::<Vec<_>>(), path.split('/').collect::<Vec<_>>());
    let same = called.iter().zip(&parts).all(|(called, part)| called == part || part.starts_with('{'));
    call.0 == method && called.len() == parts.len() && same
}

#[test]
fn no_call_of_a_document_is_forgotten_here() {
    let asked = [calls(), moves(), ends()].concat();
    let forgotten: Vec<_> = routes::of_a_document()
        .into_iter()
        .filter(|route| !asked.iter().any(|call| is_of(call, route)))
        .collect();
    assert!(forgotten.is_empty(), "nobody asks who may do this: {forgotten:?}");
}
