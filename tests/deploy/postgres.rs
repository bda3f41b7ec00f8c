//! TLS between the server and PostgreSQL.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::certificates::{Authority, Signed};
use crate::client::TestClient;
use crate::harness::Launch;
use crate::rest::Rest;

/// A database server of a test's own: a folder and an address.
struct Database {
    folder: String,
    url: String,
}

impl Database {
    fn start() -> Self {
        let pid = std::process::id().to_string();
        let lines = services(&["start", &pid]);
        let mut lines = lines.lines().map(str::to_owned);
        Self { folder: lines.next().expect("a folder"), url: lines.next().expect("an address") }
    }

    fn take_tls(&self, signed: &Signed) {
        let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        services(&["tls", &self.folder, &path(&signed.cert), &path(&signed.key)]);
    }

    fn launch(&self, authority: &Authority) -> Launch {
        let root = authority.file();
        let url = format!("{}?sslmode=verify-full&sslrootcert={}", self.url, root.display());
        Launch::new().with("QUIRE_DATABASE_URL", url)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        services(&["stop", &self.folder]);
    }
}

fn services(arguments: &[&str]) -> String {
    let done = Command::new("scripts/services/postgres").args(arguments).output().expect("bash is there");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

#[test]
fn the_database_has_to_prove_who_it_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let database = Database::start();
    let plain = database.launch(&authority).try_start().err().expect("nothing is proved");
    assert!(plain.messages.to_lowercase().contains("tls"), "{plain:?}");
    database.take_tls(&authority.sign("database"));
    // A reload takes a moment, of which the program that asks for it is not told.
    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    let server = loop {
        match database.launch(&authority).try_start() {
            Ok(server) => break server,
            Err(failed) => assert!(std::time::Instant::now() < deadline, "{failed:?}"),
        }
    };
    let doc = Rest::of(&server).create(&json!([{ "insert": "x\n" }]));
    TestClient::join(&server, &doc).insert(0, "y");
    drop(server);
    let refused = database.launch(&stranger).try_start().err().expect("the authority is another");
    assert!(
        refused.messages.contains("UnknownIssuer") || refused.messages.contains("BadSignature"),
        "{refused:?}"
    );
}
