//! A server over PostgreSQL, and either of them ended at any moment.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::client::TestClient;
use crate::harness::{DataFolder, Launch, TestServer};
use crate::ledger;
use crate::load::Load;
use crate::rest::Rest;

const WRITERS: usize = 20;

/// A PostgreSQL server of the test's own, since it is going to be killed.
struct Postgres {
    folder: PathBuf,
    url: String,
}

impl Postgres {
    fn start() -> Self {
        let started = services(&["start", &std::process::id().to_string()]);
        let (folder, url) = started.trim_end().split_once('\n').expect("a folder and an address");
        Self { folder: folder.into(), url: url.to_owned() }
    }

    /// Ends all of its processes, as a crash of the machine would but for the disk's cache.
    fn kill(&self) {
        self.call("kill");
    }

    fn resume(&self) {
        self.call("resume");
    }

    fn call(&self, command: &str) {
        services(&[command, self.folder.to_str().expect("UTF-8")]);
    }

    /// A server whose log is here.
    fn launch(&self, data: DataFolder) -> Launch {
        Launch::on(data).with("QUIRE_DATABASE_URL", &self.url)
    }

    /// Lets `quire verify` look, after the server has stopped in order.
    fn verify(&self, server: TestServer) {
        server.signal(libc::SIGTERM);
        let (status, data) = server.ended();
        assert!(status.success(), "{status}");
        let mut verify = Command::new(env!("CARGO_BIN_EXE_quire"));
        verify.arg("verify").arg("--data").arg(data.path()).env("QUIRE_DATABASE_URL", &self.url);
        let done = verify.output().expect("the binary can be started");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{said}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.call("stop");
    }
}

fn services(arguments: &[&str]) -> String {
    let done = Command::new("scripts/services/postgres").args(arguments).output().expect("bash is there");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "PostgreSQL, {arguments:?}: {said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}

fn documents(rest: &Rest, count: usize) -> Vec<String> {
    (0..count).map(|_| rest.create(&json!([{ "insert": "\n" }]))).collect()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_a_database_that_crashes() {
    let postgres = Postgres::start();
    let server = postgres.launch(DataFolder::new()).start();
    let rest = Rest::of(&server);
    let docs = documents(&rest, 4);
    let load = Load::start(&server, &docs, WRITERS);
    for round in 0..3 {
        load.wait_for(60 + round * 100);
        let mut guest = TestClient::join(&server, &docs[0]);
        postgres.kill();
        load.wait_for_refusals(WRITERS);
        let refused = rest.post("/v1/docs", &json!({ "content": [{ "insert": "x" }] }));
        refused.expect_problem(503, "unavailable");
        rest.get("/readyz").expect(503);
        postgres.resume();
        // By itself.
        load.wait_for(60);
        rest.get("/readyz").expect(200);
        // Whoever was there has stayed.
        guest.insert(0, "still here ");
    }
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_servers_that_crash_over_a_database() {
    let postgres = Postgres::start();
    let mut server = postgres.launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), 4);
    let load = Load::start(&server, &docs, WRITERS);
    for round in 0..4 {
        load.wait_for(40 + round * 60);
        let data = server.kill();
        // Every other time the database with it.
        if round % 2 == 1 {
            postgres.kill();
            postgres.resume();
        }
        server = postgres.launch(data).start();
        load.move_to(&server);
    }
    load.wait_for(WRITERS);
    ledger::check(&server, load.finish());
    postgres.verify(server);
}

/// Connections that end, one after the other, while everything else goes on.
#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_connections_that_are_ended() {
    let postgres = Postgres::start();
    let server = postgres.launch(DataFolder::new()).start();
    let docs = documents(&Rest::of(&server), 4);
    let load = Load::start(&server, &docs, WRITERS);
    for round in 0..30 {
        load.wait_for(5 + round);
        postgres.call("cut");
    }
    load.wait_for(WRITERS);
    ledger::check(&server, load.finish());
    postgres.verify(server);
}
