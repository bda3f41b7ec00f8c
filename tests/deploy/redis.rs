//! TLS between the server and Redis.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::certificates::{Authority, Signed};
use crate::client::TestClient;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::rest::Rest;
use crate::services::Service;

/// A Redis that takes TLS.
fn start(signed: &Signed) -> Service {
    let variables = [("QUIRE_REDIS_CERT", signed.cert.as_ref()), ("QUIRE_REDIS_KEY", signed.key.as_ref())];
    Service::start_with("redis", &variables)
}

/// A server beside it that waits for answers as long as it takes, and whose documents leave memory soon.
fn launch(redis: &Service) -> Launch {
    let url = redis.secure.as_deref().expect("its address by TLS");
    Launch::new()
        .with("QUIRE_REDIS_URL", url)
        .with("QUIRE_REDIS_TIMEOUT_MS", "10000")
        .with("QUIRE_PASSIVATE_AFTER", "1")
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
    let redis = start(&authority.sign("redis"));
    // Named, or one of those that the system trusts.
    for variable in ["QUIRE_REDIS_CA", "SSL_CERT_FILE"] {
        let server = launch(&redis).with(variable, authority.file()).start();
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
    let redis = start(&authority.sign("redis"));
    let elsewhere = start(&authority.sign_for_elsewhere("elsewhere"));
    let others = launch(&redis).with("QUIRE_REDIS_CA", stranger.file());
    let misnamed = launch(&elsewhere).with("QUIRE_REDIS_CA", authority.file());
    for launch in [others, launch(&redis), misnamed] {
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
