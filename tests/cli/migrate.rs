//! `quire migrate`.

use std::ffi::OsString;

use crate::command::quire;
use crate::database;
use crate::harness::{DataFolder, Launch};

fn args(data: &DataFolder) -> [OsString; 3] {
    ["migrate".into(), "--data".into(), data.path().into()]
}

#[test]
fn a_fresh_folder_gets_the_whole_schema_and_the_second_run_has_nothing_to_do() {
    let data = DataFolder::new();
    let first = quire(args(&data)).succeeds();
    let steps = std::fs::read_dir("migrations/sqlite").expect("tests run in the package's folder").count();
    assert_eq!(first.lines().filter(|line| line.starts_with("applied 0")).count(), steps, "{first}");
    assert!(first.contains("applied 0003 create ops\n"), "{first}");

    let second = quire(args(&data)).succeeds();
    assert!(second.starts_with("nothing to do: "), "{second}");
    assert_eq!(second.lines().count(), 1, "{second}");
    Launch::on(data).start();
}

#[test]
fn the_schema_of_a_newer_version_is_refused_by_every_command_that_opens_it() {
    let data = DataFolder::new();
    quire(args(&data)).succeeds();
    database::change(
        &data,
        "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
         SELECT 4711, 'from the future', installed_on, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    );
    let words = ["quire.db", "step 4711", "newer quire"];
    quire(args(&data)).fails_with(&words);
    quire(["verify".into(), "--data".into(), data.path().into_os_string()]).fails_with(&words);
    let refused = Launch::on(data).try_start().err().expect("it must not start");
    assert_eq!(refused.status.code(), Some(1));
    assert!(words.iter().all(|word| refused.messages.contains(word)), "{}", refused.messages);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let server = Launch::new().start();
    let holder = format!("process {}", server.pid());
    quire(args(server.data())).fails_with(&["in use", &holder]);
}
