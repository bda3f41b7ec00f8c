//! `quire verify --projections` and `quire projections rebuild`: what is made of the log is compared with it, and made again.

use std::ffi::OsStr;
use std::time::Instant;

use serde_json::json;

use crate::client::TestClient;
use crate::command::{Ran, quire};
use crate::database;
use crate::harness::{DataFolder, PATIENCE, TestServer};
use crate::rest::Rest;

fn run(words: &[&str], data: &DataFolder) -> Ran {
    let folder = data.path();
    quire(words.iter().map(OsStr::new).chain([OsStr::new("--data"), folder.as_os_str()]))
}

fn verify(data: &DataFolder) -> Ran {
    run(&["verify", "--projections"], data)
}

/// A folder with two documents whose projections have come to the end, left by a server; and the first of them.
fn projected() -> (DataFolder, String) {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let docs = [(); 2].map(|()| rest.create(&json!([{ "insert": "The beginning\n" }])));
    let mut guest = TestClient::join(&server, &docs[0]);
    for n in 0..20 {
        guest.insert(n, "x");
    }
    let deadline = Instant::now() + PATIENCE;
    // Beside the running server.
    while !verify(server.data()).succeeds().contains("22 versions compared, 0 behind") {
        assert!(Instant::now() < deadline, "projections do not come to the end: {}", server.messages());
    }
    server.signal(libc::SIGTERM);
    let (status, data) = server.ended();
    assert!(status.success(), "{status}");
    let [doc, _] = docs;
    (data, doc)
}

#[test]
fn what_differs_from_the_log_is_told_and_can_be_made_again() {
    let (data, doc) = projected();
    let told = |sql: &str, why: &str| {
        database::change(&data, &sql.replace("{doc}", &doc));
        let said = verify(&data).fails_with(&["complaints: 1"]);
        assert!(said.contains(&format!("document {doc} at version 21: ")) && said.contains(why), "{said}");
        let one = run(&["projections", "rebuild", "--doc", &doc], &data).succeeds();
        assert_eq!(one, "1 documents made again from 21 operations\n");
        verify(&data).succeeds();
    };
    told("UPDATE activity SET ops = ops + 1 WHERE doc_id = '{doc}'", "activity");
    told("UPDATE contents SET plain = 'other' WHERE doc_id = '{doc}'", "words");

    database::change(&data, "UPDATE contents SET body = x'00'");
    verify(&data).fails_with(&["complaints: 2"]);
    let all = run(&["projections", "rebuild"], &data).succeeds();
    assert_eq!(all, "2 documents made again from 22 operations\n");
    verify(&data).succeeds();
    run(&["verify"], &data).succeeds();
}

#[test]
fn what_was_never_made_is_behind_and_a_complaint_only_if_it_was_passed_over() {
    let (data, doc) = projected();
    database::change(&data, &format!("DELETE FROM contents WHERE doc_id = '{doc}'"));
    let said = verify(&data).fails_with(&["complaints: 1"]);
    let complaint =
        format!("document {doc} at version 0: projections have passed over its versions up to 21");
    assert!(said.contains(&complaint), "{said}");
    database::change(&data, "UPDATE watermarks SET pos = pos - 1 WHERE reader = 'projections' AND pos > 0");
    let said = verify(&data).succeeds();
    assert!(said.contains("projections of 2 documents verified: 1 versions compared, 21 behind"), "{said}");
    run(&["projections", "rebuild", "--doc", "nobody"], &data).fails_with(&["document nobody not found"]);
    run(&["projections", "rebuild"], &data).succeeds();
    assert!(verify(&data).succeeds().contains("22 versions compared, 0 behind"));
}
