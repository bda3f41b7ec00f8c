//! What administrators see of all servers, whichever they ask.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::TestServer;
use crate::rest::Rest;
use crate::scene::{Scene, name};
use crate::signed_in::{admin_token, call};

/// All rows of a list, page by page.
fn all(server: &TestServer, list: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(server, &format!("{list}?limit={limit}{cursor}"));
        assert!(page.get("missing").is_none(), "{page}");
        rows.extend(page[list].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}

fn page(server: &TestServer, what: &str) -> Value {
    let path = format!("/v1/admin/{what}");
    call(&Rest::of(server), &admin_token("root"), "GET", &path, None).expect(200).json()
}

#[test]
fn documents_and_sessions_of_all_servers_are_listed_by_any() {
    let scene = Scene::new();
    let servers: [_; 3] = scene.servers();
    let mut docs = Vec::new();
    for server in &servers {
        let rest = Rest::of(server);
        let made = (0..3).map(|_| (rest.create(&json!([{ "insert": "x\n" }])), name(server)));
        docs.extend(made.collect::<Vec<_>>());
    }
    docs.sort();
    let _sessions: Vec<_> = docs.iter().map(|(doc, _)| TestClient::join(&servers[0], doc)).collect();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    for server in &servers {
        for limit in [1, 2, 200] {
            let listed: Vec<_> =
                all(server, "docs", limit).iter().map(|row| (text(&row["id"]), text(&row["node"]))).collect();
            assert_eq!(listed, docs, "{limit} on a page");
            let listed: Vec<_> = all(server, "sessions", limit)
                .iter()
                .map(|row| (text(&row["doc"]), text(&row["node"])))
                .collect();
            assert_eq!(listed, docs, "{limit} documents on a page");
        }
        assert!(page(server, "docs?limit=2")["docs"].as_array().is_some_and(|docs| docs.len() == 2));
    }
    let [a, b, _c] = &servers;
    let stopped = name(b);
    b.signal(libc::SIGSTOP);
    let asked = Instant::now();
    let answer = page(a, "docs");
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    b.signal(libc::SIGCONT);
    assert_eq!(
        (answer["docs"].as_array().map(Vec::len), answer["missing"].as_array().map(Vec::len)),
        (Some(6), Some(1))
    );
    assert_eq!(answer["missing"][0], stopped);
}
