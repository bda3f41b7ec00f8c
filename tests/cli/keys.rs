//! Keys at rest: with them nothing in the folder is plain, without them nothing of it is read, and they can be exchanged.

use serde_json::json;

use crate::command::{Ran, quire};
use crate::harness::{DataFolder, Launch, TestServer};
use crate::rest::Rest;

const ONE: &str = "one:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TWO: &str = "two:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn keys(what: &str, data: &DataFolder, keys: &str) -> Ran {
    let folder = data.path().to_str().expect("UTF-8").to_owned();
    quire(["keys", what, "--data", &folder, "--encryption-keys", keys].map(str::to_owned))
}

#[test]
fn a_folder_is_encrypted_rotated_and_read_with_the_new_key_alone() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "a very secret text\n" }]));
    rest.call("POST", &format!("/v1/docs/{doc}/snapshots"), &[], None).expect(201);
    server.signal(libc::SIGTERM);
    let data = server.ended().1;
    let plain = keys("show", &data, ONE).succeeds();
    assert!(plain.contains("1 plain"), "{plain}");

    let rotated = keys("rotate", &data, ONE).succeeds();
    assert!(
        rotated.contains("1 snapshots, 0 segments and 0 secrets of webhooks written anew\n1 under key one"),
        "{rotated}"
    );
    let rotated = keys("rotate", &data, &format!("{TWO},{ONE}")).succeeds();
    assert!(rotated.ends_with("1 under key two\n"), "{rotated}");

    let folder = data.path().to_str().expect("UTF-8").to_owned();
    let verify =
        |keys: &str| quire(["verify", "--data", &folder, "--encryption-keys", keys].map(str::to_owned));
    verify(TWO).succeeds();
    let told = verify(ONE).fails_with(&["complaints: 1"]);
    assert!(told.contains(&doc) && told.contains("key two"), "{told}");
    let stays = keys("rotate", &data, ONE).fails_with(&["complaints: 1"]);
    assert!(stays.contains(&doc) && stays.contains("key two"), "{stays}");

    let log = quire(["audit", "export", "--data", &folder].map(str::to_owned)).succeeds();
    let rotations = log.lines().filter(|line| line.contains("\"keys.rotate\"")).count();
    assert_eq!(rotations, 3, "two that have brought everything under a key, and one that could not: {log}");

    let server =
        Launch::on(data).with("QUIRE_ENCRYPTION_KEYS", TWO).with("QUIRE_ENCRYPTION", "required").start();
    assert_eq!(Rest::of(&server).text(&doc), "a very secret text\n");
}

#[test]
fn where_encryption_is_required_nothing_begins_without_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let ran = quire(["serve", "--data", data, "--listen", "127.0.0.1:0", "--encryption", "required"]);
    ran.fails_with(&["QUIRE_ENCRYPTION_KEYS is not set"]);
}
