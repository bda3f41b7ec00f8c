//! `quire admin`: a running server is looked after from the shell.

use std::net::TcpListener;
use std::time::Instant;

use serde_json::json;

use crate::client::TestClient;
use crate::command::{Ran, quire};
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::rest::Rest;
use crate::signed_in::{SECRET, admin_token, knows_tokens, token};

fn run(server: &TestServer, words: &[&str]) -> Ran {
    run_with(server, words, &admin_token("root"))
}

fn run_with(server: &TestServer, words: &[&str], token: &str) -> Ran {
    let url = format!("http://{}", server.address());
    quire(["admin"].into_iter().chain(words.iter().copied()).chain(["--url", &url, "--token", token]))
}

#[test]
fn what_runs_is_listed_and_acted_on() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    let mut client = TestClient::join(&server, &doc);
    let docs = run(&server, &["docs"]).succeeds();
    let mut lines = docs.lines();
    assert!(lines.next().is_some_and(|head| head.starts_with("id\tstate\tversion\tsessions")), "{docs}");
    assert!(lines.next().is_some_and(|row| row.starts_with(&format!("{doc}\tlive\t1\t1\t"))), "{docs}");
    let sessions = run(&server, &["sessions"]).succeeds();
    assert!(sessions.contains(client.session()) && sessions.contains(&doc), "{sessions}");
    assert!(run(&server, &["nodes"]).succeeds().contains("node-"));

    let verified = run(&server, &["verify", &doc]).succeeds();
    assert_eq!(verified, "1 versions and 0 snapshots verified\n");
    run(&server, &["disconnect", &doc, client.session()]).succeeds();
    assert_eq!(client.until_closed(), Some(1012));
    run(&server, &["passivate", &doc]).succeeds();
    let deadline = Instant::now() + PATIENCE;
    while run(&server, &["docs"]).succeeds().contains(&doc) {
        assert!(Instant::now() < deadline, "the document stays in memory");
    }
    run(&server, &["drain"]).succeeds();
    let (status, _) = server.ended();
    assert!(status.success(), "{status}");
}

#[test]
fn people_are_held_back_and_let_go() {
    let server = knows_tokens();
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    assert_eq!(run(&server, &["snapshot", &doc]).succeeds(), "version 1 is in a snapshot\n");
    let id = run(&server, &["ban", "--user", "eve the spammer", "--for", "1day"]).succeeds();
    run(&server, &["ban", "--network", "192.0.2.7", "--reason", "why\nnot"]).succeeds();
    let bans = run(&server, &["bans"]).succeeds();
    assert!(bans.contains("eve the spammer") && bans.contains("192.0.2.7/32\t-\troot"), "{bans}");
    assert!(bans.ends_with("whynot\n"), "one line each: {bans}");
    run(&server, &["lift", id.trim()]).succeeds();
    assert!(!run(&server, &["bans"]).succeeds().contains("eve"));
    run(&server, &["lift", id.trim()]).fails_with(&["there is no ban"]);
    assert_eq!(run(&server, &["ban"]).code, Some(2), "whom?");
    assert_eq!(run(&server, &["ban", "--network", "all of them"]).code, Some(2), "that is none");

    let quota = run(&server, &["quota", "ada/1", "--documents", "5"]).succeeds();
    assert_eq!(quota, "ada/1 owns 0 and may own 5 documents\n");
    assert!(run(&server, &["quotas"]).succeeds().contains("ada/1\t5\troot"));
    let quota = run(&server, &["quota", "ada/1", "--remove"]).succeeds();
    assert_eq!(quota, "ada/1 owns 0 and may own as many documents as they like\n");
}

#[test]
fn webhooks_are_added_tried_looked_at_and_removed() {
    let server = Launch::new()
        .with("QUIRE_JWT_SECRET", SECRET)
        .with("QUIRE_WEBHOOK_TARGETS", "any")
        .with("QUIRE_WEBHOOK_RETRY_MS", "1")
        .start();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/");
    let added =
        run(&server, &["webhooks", "add", &url, "--types", "document.created", "--server-wide"]).succeeds();
    let (hook, secret) = added.trim_end().split_once('\t').expect("an id and a secret");
    assert!(hook.starts_with("wh_") && secret.starts_with("whsec_"), "{added}");
    let listed = run(&server, &["webhooks", "list"]).succeeds();
    assert!(listed.contains(&format!("{hook}\tserver\t-\t{url}\ttrue\t-")), "{listed}");
    run(&server, &["webhooks", "ping", hook]).succeeds();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let dead = run(&server, &["webhooks", "dead", hook]).succeeds();
        if dead.lines().nth(1).is_some_and(|row| row.contains("\tping\t-\t8\t-\t")) {
            break;
        }
        assert!(Instant::now() < deadline, "it is not given up: {dead}");
    }
    assert_eq!(run(&server, &["webhooks", "redeliver", hook]).succeeds(), "1 deliveries are made again\n");
    run(&server, &["webhooks", "enable", hook]).succeeds();
    run(&server, &["webhooks", "remove", hook]).succeeds();
    run(&server, &["webhooks", "remove", hook]).fails_with(&["no webhook"]);
    run(&server, &["webhooks", "add", "ftp://x"]).fails_with(&["http"]);
}

#[test]
fn nobody_but_an_administrator_is_answered() {
    let server = knows_tokens();
    run_with(&server, &["docs"], &token("ada")).fails_with(&["administrators"]);
    run_with(&server, &["drain"], "rubbish").fails_with(&["token"]);
    run(&server, &["passivate", "nothing"]).fails_with(&["document nothing is not in memory here"]);
    Rest::of(&server).get("/readyz").expect(200);
}
