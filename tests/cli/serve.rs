//! `quire serve`: how it starts, and why it does not.

use std::net::TcpListener;

use serde_json::json;

use crate::client::TestClient;
use crate::command::quire;
use crate::harness::{FailedStart, Launch, TestServer};
use crate::rest::Rest;

/// The one line that a server which did not start has said.
#[track_caller]
fn reason(started: Result<TestServer, FailedStart>) -> String {
    let failed = started.err().expect("it must not start");
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert_eq!(failed.messages.lines().count(), 1, "{failed:?}");
    failed.messages
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let reason = reason(Launch::new().listening_on(&address).try_start());
    assert!(
        reason.starts_with("quire: ") && reason.contains(&address) && reason.contains("in use"),
        "{reason}"
    );
}

#[test]
fn a_folder_that_another_server_has_is_named_with_its_holder() {
    let first = TestServer::start();
    let doc = Rest::of(&first).create(&json!([{ "insert": "x" }]));
    let folder = first.data().path();
    let second = Launch::new().without_data_flag().with("QUIRE_DATA", &folder).try_start();
    let reason = reason(second);
    let holder = format!("in use by process {}", first.pid());
    assert!(reason.contains(folder.to_str().expect("UTF-8")) && reason.contains(&holder), "{reason}");
    // The first one has not noticed.
    TestClient::join(&first, &doc).insert(0, "y");
    // A crash leaves no lock behind.
    Launch::on(first.kill()).start();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let launch = Launch::new();
    let file = launch.data().beside("file");
    std::fs::write(&file, "no folder").expect("the folder is ours");
    let reason = reason(launch.without_data_flag().with("QUIRE_DATA", &file).try_start());
    assert!(reason.contains(file.to_str().expect("UTF-8")), "{reason}");
}

#[test]
fn options_that_make_no_sense_are_named_before_anything_is_touched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    for [option, value] in [
        ["--listen", "nonsense"],
        ["--listen", "127.0.0.1"],
        ["--listen", "127.0.0.1:70000"],
        ["--guests", "perhaps"],
        ["--workers", "many"],
    ] {
        let ran = quire(["serve", "--data", data, option, value]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        let first = ran.err.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("error: ") && first.contains(option) && first.contains(value),
            "{}",
            ran.err
        );
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_setting_of_a_host_that_is_none_is_named() {
    let reason = reason(Launch::new().with("QUIRE_ALLOWED_HOSTS", "wiki example").try_start());
    assert!(reason.contains("\"wiki example\""), "{reason}");
}

#[test]
fn a_name_is_an_address_to_listen_on() {
    let server = Launch::new().listening_on("localhost:0").start();
    let port = server.address().rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port != 0), "{}", server.address());
    Rest::of(&server).get("/healthz").expect(200);
}

#[cfg(not(feature = "s3"))]
#[test]
fn s3_is_refused_by_a_quire_that_was_built_without_it() {
    let reason = reason(Launch::new().with("QUIRE_OBJECT_STORE_URL", "s3://bucket").try_start());
    assert!(reason.contains("object store") && reason.contains("--features s3"), "{reason}");
}

#[test]
fn an_object_store_that_is_none_is_named_and_its_secret_is_not() {
    let secret = |launch: Launch| launch.with("QUIRE_S3_SECRET_KEY", "very-secret");
    for (url, word) in
        [("http://bucket", "s3://"), ("file://here", "whole path"), ("s3://b", "QUIRE_S3_ACCESS_KEY")]
    {
        let reason = reason(secret(Launch::new()).with("QUIRE_OBJECT_STORE_URL", url).try_start());
        assert!(reason.contains("QUIRE_OBJECT_STORE_URL") && reason.contains(word), "{reason}");
        assert!(!reason.contains("very-secret"), "{reason}");
    }
}

#[test]
fn objects_may_be_in_another_folder() {
    let elsewhere = tempfile::tempdir().expect("a folder for temporary files");
    let url = format!("file://{}", elsewhere.path().to_str().expect("UTF-8"));
    let server = Launch::new().with("QUIRE_OBJECT_STORE_URL", url).start();
    assert!(elsewhere.path().join("segments").is_dir() && elsewhere.path().join("snapshots").is_dir());
    assert!(!server.data().path().join("segments").exists());
}

#[cfg(not(feature = "kafka"))]
#[test]
fn kafka_is_refused_by_a_quire_that_was_built_without_it() {
    let reason = reason(Launch::new().with("QUIRE_KAFKA_BROKERS", "127.0.0.1:9092").try_start());
    assert!(reason.contains("QUIRE_KAFKA_BROKERS") && reason.contains("--features kafka"), "{reason}");
}

#[test]
fn its_health_is_asked_for_by_the_same_settings() {
    let server = TestServer::start();
    quire(["health", "--listen", server.address()]).succeeds();
    let address = server.address().to_owned();
    server.kill();
    quire(["health", "--listen", &address]).fails_with(&[&address, "is not well"]);
}

/// What the kernel says of huge pages for a server's memory (`proc_pid_status(5)`).
#[cfg(target_os = "linux")]
fn may_have_huge_pages(server: &TestServer) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("THP_enabled:")).expect("a kernel since 5.0");
    line.ends_with('1')
}

#[cfg(target_os = "linux")]
#[test]
fn huge_pages_are_for_those_who_ask_for_them() {
    assert!(!may_have_huge_pages(&TestServer::start()));
    assert!(may_have_huge_pages(&Launch::new().with("QUIRE_HUGE_PAGES", "on").start()));
}
