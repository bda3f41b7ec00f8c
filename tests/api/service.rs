//! What operators and browsers ask for beside documents.

use std::time::Instant;

use serde_json::json;

use crate::client::TestClient;
use crate::harness::{PATIENCE, TestServer};
use crate::rest::Rest;

#[test]
fn health_and_readiness_are_answered() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    rest.get("/healthz").expect(200);
    rest.get("/readyz").expect(200);
}

#[test]
fn metrics_name_what_an_operator_watches() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let mut client = TestClient::join(&server, &doc);
    client.insert(0, "y");
    client.refused(&json!({ "type": "op", "seq": 2, "base": 2, "delta": [{ "delete": 99 }] }));
    let answer = rest.get("/metrics").expect(200);
    assert!(answer.header("content-type").starts_with("text/plain"), "{}", answer.header("content-type"));
    let text = answer.text();
    let value = |metric: &str| -> f64 {
        let line =
            text.lines().find(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(' ')));
        let line = line.unwrap_or_else(|| panic!("no {metric} in\n{text}"));
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    };
    assert_eq!(value("quire_sessions"), 1.0);
    assert_eq!(value("quire_documents"), 1.0);
    assert_eq!(value("quire_operations_total"), 2.0);
    assert_eq!(value("quire_operations_refused_total{code=\"bad_op\"}"), 1.0);
    for histogram in ["propagation", "commit", "transform", "load"] {
        assert!(value(&format!("quire_{histogram}_seconds_count")) >= 1.0, "{histogram}");
    }
    for gauge in ["journal_queue_length", "snapshot_queue_length", "snapshot_lag_operations"] {
        assert!(value(&format!("quire_{gauge}")) >= 0.0, "{gauge}");
    }
    assert_eq!(value("quire_reconnects_total"), 0.0);
    assert!(!text.contains(&doc), "no document is a label");
}

#[test]
fn who_writes_far_more_than_usual_is_counted_and_named_in_the_log() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    let mut clients: Vec<_> = (0..4).map(|_| TestClient::join(&server, &doc)).collect();
    // Beyond what is never remarkable in a minute, even if the minute ends on the way.
    let mut written = 0;
    let deadline = Instant::now() + PATIENCE;
    while counted(&server) < 1.0 {
        assert!(Instant::now() < deadline, "{written} operations and no anomaly: {}", server.messages());
        for _ in 0..100 {
            for client in &mut clients {
                client.insert(0, "y");
                written += 1;
            }
        }
    }
    assert!(written > 1_200, "{written} operations are nothing remarkable");
    let said = server.messages();
    assert!(said.contains("a document is written to far more in this minute than usual"), "{said}");
    assert!(said.contains(&doc), "{said}");
}

/// How often a document has been written to far more than usual.
fn counted(server: &TestServer) -> f64 {
    let text = Rest::of(server).get("/metrics").expect(200).text();
    let value = text.lines().find_map(|line| line.strip_prefix("quire_anomalies_total{kind=\"document\"} "));
    value.and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn the_pages_come_from_the_binary() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let page = rest.get("/").expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{}", page.header("content-type"));
    assert!(!page.header("content-security-policy").is_empty());
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    // The page of a document is the same application: it reads its own address.
    assert_eq!(rest.get("/d/any-document").expect(200).text(), page.text());
    assert_eq!(rest.get("/assets/nothing.js").status, 404);
}

#[test]
fn unknown_calls_are_problems() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    rest.get("/v1/nothing").expect_problem(404, "not_found");
    let answer = rest.put("/v1/docs", &json!({})).expect_problem(405, "bad_request");
    assert!(answer.header("allow").contains("POST"), "{}", answer.header("allow"));
}
