//! The gateways of `deploy/`, each for real in front of two servers.
//!
//! Both servers begin with the same documents and share nothing afterwards, so that what a document holds tells which of
//! them has been written to.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::certificates::Authority;
use crate::client::TestClient;
use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::replica::Replica;
use crate::rest::Rest;
use crate::tunnel::Tunnel;

const DOCUMENTS: usize = 24;

/// A gateway, two servers behind it, and the documents that both have.
struct Site {
    program: &'static str,
    folder: String,
    tunnel: Tunnel,
    servers: Vec<TestServer>,
    documents: Vec<String>,
}

impl Site {
    fn open(program: &'static str) -> Self {
        let (documents, servers) = twins();
        let authority = Authority::new();
        let signed = authority.sign("gateway");
        let pid = std::process::id().to_string();
        let pem = signed.both.to_str().expect("UTF-8");
        let started = run(program, &["start", &pid, pem, servers[0].address(), servers[1].address()]);
        let mut lines = started.lines();
        let folder = lines.next().expect("a folder").to_owned();
        let tunnel = Tunnel::to(lines.next().expect("an address"), &authority.pem);
        let site = Self { program, folder, tunnel, servers, documents };
        site.until_ready();
        site
    }

    fn rest(&self) -> Rest {
        Rest::at(&self.tunnel.address)
    }

    /// A gateway that asks its servers how they are takes a moment to hear it.
    fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        let ready =
            || self.rest().try_call("GET", "/readyz", &[], None).is_ok_and(|answer| answer.status == 200);
        while !ready() {
            assert!(Instant::now() < deadline, "{} does not find its servers", self.program);
        }
    }

    /// Joins through the gateway; while a server is being missed, that takes several tries.
    fn join(&self, doc: &str) -> TestClient {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TestClient::try_join(&self.tunnel.address, doc, Replica::new(), json!({})) {
                Ok(client) => return client,
                Err(lost) => assert!(Instant::now() < deadline, "{doc} cannot be joined: {}", lost.why),
            }
        }
    }

    /// The servers that have operations of this document beyond its first one.
    fn written(&self, doc: &str) -> BTreeSet<usize> {
        let version = |server| Rest::of(server).content(doc).0;
        (0..self.servers.len()).filter(|&n| version(&self.servers[n]) > 1).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        run(self.program, &["stop", &self.folder]);
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let script = format!("scripts/services/{program}");
    let done = Command::new(script).args(arguments).output().expect("bash is there");
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// Two servers on copies of one data folder.
fn twins() -> (Vec<String>, Vec<TestServer>) {
    let first = TestServer::start();
    let rest = Rest::of(&first);
    let documents = (0..DOCUMENTS).map(|_| rest.create(&json!([{ "insert": "x\n" }]))).collect();
    first.signal(libc::SIGTERM);
    let (status, data) = first.ended();
    assert!(status.success());
    let other = DataFolder::new();
    copy(&data.path(), &other.path());
    // Both believe the gateways, which are on this machine, and say where requests come from.
    let start = |data| {
        let launch = Launch::on(data).with("QUIRE_TRUSTED_PROXIES", "127.0.0.1");
        launch.with("QUIRE_LOG", "quire=debug").start()
    };
    (documents, [data, other].map(start).into())
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").args([from, to]).status().expect("cp is there");
    assert!(done.success());
}

/// Sessions and REST calls of a document reach one server, and both servers have documents.
fn one_document_reaches_one_server(site: &Site) {
    let rest = site.rest();
    let mut used = BTreeSet::new();
    for doc in &site.documents {
        let (mut one, mut other) = (site.join(doc), site.join(doc));
        let version = one.insert(0, "a");
        other.until_version(version);
        rest.patch(&format!("/v1/docs/{doc}"), &json!({ "title": "t" })).expect(200);
        assert_eq!(rest.text(doc), "ax\n");
        let written = site.written(doc);
        assert_eq!(written.len(), 1, "{doc} has been written to {written:?}");
        used.extend(written);
    }
    assert_eq!(used.len(), 2, "all documents are on one server");
}

/// When a server dies, its sessions find the other one, and those of the other one stay where they are.
fn sessions_of_a_dead_server_move(site: &mut Site) {
    let documents = site.documents.clone();
    let (moves, stays): (Vec<_>, Vec<_>) = documents.iter().partition(|doc| site.written(doc).contains(&0));
    let (moves, stays) = (moves[0], stays[0]);
    let (mut moved, mut stayed) = (site.join(moves), site.join(stays));
    site.servers.remove(0).kill();
    moved.until_closed();
    let mut moved = site.join(moves);
    moved.insert(0, "b");
    // The other server has its own copy, without what was written to the dead one.
    assert_eq!(moved.text(), "bx\n");
    stayed.insert(0, "c");
    assert_eq!(stayed.text(), "cax\n");
}

/// What a client says of itself is taken out, and what the gateway says is believed.
fn nobody_comes_as_somebody_else(site: &Site) {
    let forged = [
        ("x-forwarded-for", "203.0.113.66"),
        ("forwarded", "for=203.0.113.66;proto=http"),
        ("x-forwarded-proto", "http"),
    ];
    let answer = site.rest().call("GET", "/v1/docs/who-comes-here", &forged, None).expect(404);
    assert!(!answer.header("strict-transport-security").is_empty(), "it came by TLS");
    let logs = || -> String {
        let read = |server: &TestServer| std::fs::read_to_string(server.data().beside("server.log"));
        site.servers.iter().map(|server| read(server).expect("there is a log")).collect()
    };
    let deadline = Instant::now() + PATIENCE;
    while !logs().contains("/v1/docs/who-comes-here") {
        assert!(Instant::now() < deadline, "the request is in no log");
    }
    assert!(!logs().contains("203.0.113.66"), "{} passes on what its client says of itself", site.program);
}

#[test]
fn haproxy_brings_a_document_to_one_server_and_moves_the_sessions_of_a_dead_one() {
    let mut site = Site::open("haproxy");
    one_document_reaches_one_server(&site);
    nobody_comes_as_somebody_else(&site);
    sessions_of_a_dead_server_move(&mut site);
    site.rest().get("/metrics").expect(404);
}

#[test]
fn nginx_brings_a_document_to_one_server_and_moves_the_sessions_of_a_dead_one() {
    let mut site = Site::open("nginx");
    one_document_reaches_one_server(&site);
    nobody_comes_as_somebody_else(&site);
    sessions_of_a_dead_server_move(&mut site);
    site.rest().get("/metrics").expect(404);
}
