//! `quire config`, and a server that is told by a file.

use std::path::{Path, PathBuf};

use crate::command::{Ran, quire};
use crate::harness::Launch;
use crate::rest::Rest;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        path
    }
}

fn asked(verb: &str, file: &Path, more: &[&str]) -> Ran {
    let file = file.to_str().expect("UTF-8");
    quire([&["config", verb, "--config", file], more].concat())
}

#[test]
fn every_mistake_of_a_file_is_told_in_one_go() {
    let folder = Folder::new();
    let file = folder.write(
        "quire.toml",
        "listen = 'here'\n\n[allowed]\nhost = 'wiki.example'\n[jwt]\nsecret_file = '/nowhere'\n",
    );
    let ran = asked("check", &file, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines: Vec<_> = ran.err.lines().collect();
    assert_eq!(lines.len(), 4, "{ran:?}");
    let name = file.to_str().expect("UTF-8");
    assert!(lines[0].starts_with(&format!("{name}:1: listen: \"here\" is not HOST:PORT")), "{ran:?}");
    assert!(
        lines[1].starts_with(&format!("{name}:4: allowed_host: there is no such key; is allowed_hosts")),
        "{ran:?}"
    );
    assert!(lines[2].starts_with(&format!("{name}:6: /nowhere cannot be read")), "{ran:?}");
    assert_eq!(lines[3], "quire: 3 complaints");
    // A server does not start on it, and says the same.
    let failed = Launch::new().with("QUIRE_CONFIG", &file).try_start().err().expect("it must not start");
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(failed.messages.contains(":4: allowed_host: there is no such key"), "{failed:?}");
}

#[test]
fn what_only_shows_together_is_checked_too() {
    let folder = Folder::new();
    let file = folder.write(
        "quire.toml",
        "database_url = 'mysql://quire:s3cret@db/quire'\ntls_cert = 'cert.pem'\nallowed_hosts = ['a b']\n\
         jwks_url = 'https://id.example/keys'\njwt_issuer = 'https://id.example'\n[redis]\nurl = 'redis://:s3cret@cache/'\nca = 'ca.pem'\n\
         [kafka]\nbrokers = 'kafka:9093'\nsecurity = 'tls'\nca = '/nowhere/ca.pem'\n",
    );
    let ran = asked("check", &file, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let complaints = [
        "postgres://",
        "--tls-cert is given without --tls-key",
        "\"a b\"",
        "--redis-ca is given, and the address of --redis-url does not begin with rediss://",
        "--kafka-ca: /nowhere/ca.pem cannot be read",
        "keys of another issuer want --jwt-audience",
    ];
    for words in complaints {
        assert!(ran.err.contains(words), "{words} is not in {ran:?}");
    }
    assert!(!ran.err.contains("s3cret"), "{ran:?}");
    let used = folder.write(
        "used.toml",
        "allowed_formats = '/nowhere'\nallowed_origins = ['nonsense']\nredis_url = 'http://:s3cret@cache'\n",
    );
    let ran = asked("check", &used, &[]);
    let name = used.to_str().expect("UTF-8");
    for (line, words) in [
        (1, "allowed_formats: reading /nowhere"),
        (2, "allowed_origins: \"nonsense\" is not"),
        (
            3,
            "redis_url: the address of Redis cannot be used: redis://HOST:PORT/ or rediss://HOST:PORT/ is wanted",
        ),
    ] {
        let complaint = format!("{name}:{line}: {words}");
        assert!(ran.err.lines().any(|line| line.starts_with(&complaint)), "{complaint} is not in {ran:?}");
    }
    let topic = folder.write("topic.toml", "kafka_topic = 'a b'\n");
    assert!(
        asked("check", &topic, &[]).err.contains("topic.toml:1: kafka_topic: "),
        "a name that no broker takes"
    );
    let fine = folder.write("fine.toml", "workers = 2\n");
    assert_eq!(asked("check", &fine, &[]).succeeds(), "nothing is wrong\n");
    let missing = asked("check", &folder.0.path().join("missing.toml"), &[]);
    assert!(missing.err.contains("missing.toml: it cannot be read"), "{missing:?}");
}

#[test]
fn every_value_is_shown_with_its_source_and_can_be_used_again() {
    let folder = Folder::new();
    let secret = folder.write("secret", "s3cret\n");
    let text = format!(
        "workers = 2\nguests = false\njwt_secret_file = {secret:?}\nallowed_hosts = ['a.example', 'b.example']\n"
    );
    let file = folder.write("quire.toml", &text);
    let name = file.to_str().expect("UTF-8");
    let shown = asked("show", &file, &["--workers", "3"]).succeeds();
    let lines = [
        "workers = 3  # --workers".to_owned(),
        format!("guests = \"off\"  # {name}:2"),
        format!("# jwt_secret = ***  # {name}:3"),
        format!("allowed_hosts = [\"a.example\", \"b.example\"]  # {name}:4"),
        "passivate_after = 60  # default".to_owned(),
        "# database_url is not set".to_owned(),
    ];
    for line in &lines {
        assert!(shown.lines().any(|shown| shown == line), "{line:?} is not in {shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    let again = folder.write("again.toml", &shown);
    assert!(asked("show", &again, &[]).succeeds().contains("workers = 3  # "));
}

#[test]
fn a_server_does_what_file_variable_and_flag_say_in_this_order() {
    let folder = Folder::new();
    // Variables that the launch sets are above the file: rate limits stay off.
    let file = folder.write("quire.toml", "rate_limits = true\nguests = 'off'\n");
    let closed = Launch::new().with("QUIRE_CONFIG", &file).start();
    Rest::of(&closed).get("/v1/docs").expect(401);
    let open = Launch::new().with("QUIRE_CONFIG", &file).with("QUIRE_GUESTS", "on").start();
    Rest::of(&open).get("/v1/docs").expect(200);
}
