//! TLS between the server and Redis.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::certificates::{Authority, Signed};
use crate::client::TestClient;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::rest::Rest;

/// A Redis of a test's own.
struct Redis {
    folder: String,
    /// `rediss://…`
    url: String,
}

impl Redis {
    fn start(signed: &Signed) -> Self {
        let pid = std::process::id().to_string();
        let mut command = Command::new(SCRIPT);
        command.env("QUIRE_REDIS_CERT", &signed.cert).env("QUIRE_REDIS_KEY", &signed.key);
        let printed = services(command, &["start", &pid]);
        let lines: Vec<_> = printed.lines().collect();
        let [folder, _, url] = lines[..] else { panic!("a folder and two addresses, not {printed}") };
        Self { folder: folder.to_owned(), url: url.to_owned() }
    }

    /// A server that waits for answers as long as it takes, and whose documents leave memory soon.
    fn launch(&self) -> Launch {
        Launch::new()
            .with("QUIRE_REDIS_URL", &self.url)
            .with("QUIRE_REDIS_TIMEOUT_MS", "10000")
            .with("QUIRE_PASSIVATE_AFTER", "1")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        services(Command::new(SCRIPT), &["stop", &self.folder]);
    }
}

const SCRIPT: &str = "scripts/services/redis";

fn services(mut command: Command, arguments: &[&str]) -> String {
    let done = command.args(arguments).output().expect("bash is there");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

fn metric(server: &TestServer, name: &str) -> u64 {
    let text = Rest::of(server).get("/metrics").expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

#[track_caller]
fn until(server: &TestServer, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for: {what}\n{}", server.messages());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Writes a document, and reads it when it has left memory.
fn write_and_read(server: &TestServer) {
    let rest = Rest::of(server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    TestClient::join(server, &doc).insert(0, "y");
    until(server, "documents leave memory", || metric(server, "quire_documents") == 0);
    assert_eq!(rest.text(&doc), "yx\n");
}

#[test]
fn what_is_cached_goes_over_tls() {
    let authority = Authority::new();
    let redis = Redis::start(&authority.sign("redis"));
    // Named, or one of those that the system trusts.
    for variable in ["QUIRE_REDIS_CA", "SSL_CERT_FILE"] {
        let server = redis.launch().with(variable, authority.file()).start();
        until(&server, "Redis answers", || metric(&server, "quire_redis_breaker_state") == 0);
        until(&server, "a document is read from Redis", || {
            write_and_read(&server);
            metric(&server, "quire_cache_reads_total{outcome=\"hit\"}") > 0
        });
    }
}

#[test]
fn a_redis_that_cannot_prove_who_it_is_is_not_used_and_the_log_says_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let redis = Redis::start(&authority.sign("redis"));
    let others = redis.launch().with("QUIRE_REDIS_CA", stranger.file());
    for launch in [others, redis.launch()] {
        let server = launch.start();
        until(&server, "the log says why", || {
            let said = server.messages();
            said.contains("Redis does not answer") && said.contains("invalid peer certificate")
        });
        write_and_read(&server);
        Rest::of(&server).get("/readyz").expect(200);
        assert_ne!(metric(&server, "quire_redis_breaker_state"), 0);
    }
}
