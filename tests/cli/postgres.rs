//! The commands over PostgreSQL.

use serde_json::json;

use crate::client::TestClient;
use crate::command::quire;
use crate::harness::{DataFolder, Launch};
use crate::rest::Rest;
use crate::schema::Schema;

/// A database without anything in it, whose password must not be shown.
pub struct Database {
    pub url: String,
    password: String,
}

impl Database {
    pub fn new() -> Self {
        let Schema { url } = Schema::new();
        let password = url.split([':', '@']).nth(2).expect("a password").to_owned();
        Self { url, password }
    }

    /// Changes the database as nobody should.
    fn change(&self, sql: &str) {
        let schema = Schema { url: self.url.clone() };
        assert_ne!(schema.run(sql), 0, "{sql} has changed nothing");
    }

    pub fn launch(&self, data: DataFolder) -> Launch {
        Launch::on(data).with("QUIRE_DATABASE_URL", &self.url)
    }
}

#[test]
fn a_database_gets_the_whole_schema_and_the_second_run_has_nothing_to_do() {
    let database = Database::new();
    let args = ["migrate", "--database-url", &database.url];
    let first = quire(args).succeeds();
    let steps = std::fs::read_dir("migrations/postgres").expect("tests run in the package's folder").count();
    assert_eq!(first.lines().filter(|line| line.starts_with("applied 0")).count(), steps, "{first}");
    assert!(
        first.contains("applied 0003 create ops\n") && first.contains("\nquire at 127.0.0.1:"),
        "{first}"
    );
    let second = quire(args).succeeds();
    assert!(second.starts_with("nothing to do: quire at 127.0.0.1:"), "{second}");
    assert!(![first, second].concat().contains(&database.password));
}

#[test]
fn a_server_serves_from_it_stops_in_order_and_finds_everything_again() {
    let database = Database::new();
    let server = database.launch(DataFolder::new()).start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let mut client = TestClient::join(&server, &doc);
    for n in 0..120 {
        client.insert(n % 5, "x");
    }
    server.signal(libc::SIGTERM);
    assert!(!server.messages().contains(&database.password), "{}", server.messages());
    let (status, data) = server.ended();
    assert!(status.success(), "{status}");
    assert!(!data.path().join("quire.db").exists(), "the embedded database was made all the same");

    let verify = |data: &DataFolder| {
        let folder = data.path().into_os_string();
        quire([
            "verify".into(),
            "--data".into(),
            folder,
            "--database-url".into(),
            database.url.clone().into(),
        ])
    };
    let told = verify(&data).succeeds();
    assert!(told.starts_with("1 documents verified: 121 versions replayed, "), "{told}");
    let server = database.launch(data).start();
    assert_eq!(TestClient::join(&server, &doc).replica.version, 121);

    // A gap is noticed, and never shown as a shorter document.
    let data = server.kill();
    database.change("DELETE FROM ops WHERE version = 50");
    let told = verify(&data).fails_with(&["complaints: 2"]);
    assert!(told.contains(&format!("document {doc} cannot be read at version 50")), "{told}");
    assert!(told.contains("the log has 120 operations, but positions up to 121"), "{told}");
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let data = DataFolder::new();
    let nobody = "postgres://quire:hunter2@127.0.0.1:1/quire";
    for args in [
        vec!["migrate", "--database-url", nobody],
        vec!["serve", "--listen", "127.0.0.1:0", "--database-url", nobody],
        vec!["serve", "--listen", "127.0.0.1:0", "--database-url", "mysql://quire:hunter2@127.0.0.1/quire"],
    ] {
        let mut args: Vec<_> = args.into_iter().map(std::ffi::OsString::from).collect();
        args.extend(["--data".into(), data.path().into_os_string()]);
        let ran = quire(args);
        let reason = ran.reason();
        let named = reason.contains("quire at 127.0.0.1:1") || reason.contains("postgres://");
        assert!(named && !format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
    let database = Database::new();
    std::fs::create_dir_all(data.path()).expect("the folder is ours");
    let folder = data.path().into_os_string();
    quire(["verify".into(), "--data".into(), folder, "--database-url".into(), database.url.into()])
        .fails_with(&["quire at 127.0.0.1", "no tables"]);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    for [option, value] in [
        ["--database-connections", "0"],
        ["--database-connect-timeout", "3600"],
        ["--database-statement-timeout", "0"],
    ] {
        let ran = quire(["serve", option, value]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(option) && ran.err.contains(value), "{}", ran.err);
    }
}

#[test]
fn a_server_that_does_not_start_takes_nothing_from_one_that_runs() {
    let database = Database::new();
    let server = database.launch(DataFolder::new()).start();
    let doc = Rest::of(&server).create(&json!([{ "insert": "Hello\n" }]));
    let mut client = TestClient::join(&server, &doc);
    client.insert(0, "x");
    let another = || database.launch(DataFolder::new());
    let foreign = || another().with("QUIRE_JWT_ISSUER", "a").with("QUIRE_JWT_AUDIENCE", "b");
    for (wrong, word) in [
        (another().listening_on(server.address()), "in use"),
        (another().with("QUIRE_ALLOWED_FORMATS", "/none"), "/none"),
        (foreign().with("QUIRE_JWKS_FILE", "/none"), "/none"),
        (another().with("QUIRE_TLS_CERT", "/none").with("QUIRE_TLS_KEY", "/none"), "/none"),
    ] {
        let failed = wrong.try_start().err().expect("it must not start");
        assert!(failed.messages.contains(word), "{failed:?}");
        // Not refused by another one's epoch.
        client.insert(0, "y");
    }
}
