//! `quire user` and `quire token`: accounts and keys, made where they are kept.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{Ran, quire_reading};
use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::postgres::Database;
use crate::rest::{Answer, Rest};

const PASSWORD: &str = "correct horse";

/// A database, and what commands are told to find it.
struct Place {
    data: DataFolder,
    database: Option<Database>,
}

impl Place {
    /// With a schema, and nobody in it.
    fn new(database: Option<Database>) -> Self {
        let place = Self { data: DataFolder::new(), database };
        place.run(&["migrate"], "").succeeds();
        std::fs::create_dir_all(place.data.path()).expect("a folder");
        place
    }

    fn run(&self, words: &[&str], input: &str) -> Ran {
        let folder = self.data.path();
        let folder = folder.to_str().expect("UTF-8");
        let database = self.database.iter().flat_map(|database| ["--database-url", &database.url]);
        quire_reading(input, words.iter().copied().chain(["--data", folder]).chain(database))
    }

    fn create_user(&self, email: &str, more: &[&str]) -> String {
        let words = [&["user", "create", email], more].concat();
        self.run(&words, &format!("{PASSWORD}\n")).succeeds().trim().to_owned()
    }

    fn create_token(&self, scopes: &str) -> String {
        let words = ["token", "create", "--owner", "ada@example.org", "--name", "script", "--scopes", scopes];
        self.run(&words, "").succeeds().trim().to_owned()
    }

    /// A server of its own: the embedded database goes with it, and comes back.
    fn serve(&mut self, guests: &str) -> TestServer {
        let data = std::mem::replace(&mut self.data, DataFolder::new());
        let launch = match &self.database {
            None => Launch::on(data),
            Some(database) => database.launch(data),
        };
        launch.with("QUIRE_GUESTS", guests).start()
    }

    fn stopped(&mut self, server: TestServer) {
        server.signal(libc::SIGTERM);
        self.data = server.ended().1;
    }
}

fn call(rest: &Rest, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let authorization = format!("Bearer {token}");
    rest.call(method, path, &[("authorization", &authorization)], body.map(Value::to_string))
}

fn log_in(rest: &Rest, email: &str, password: &str) -> Answer {
    rest.post("/v1/auth/login", &json!({ "email": email, "password": password }))
}

#[test]
fn accounts_are_made_changed_and_shut_out() {
    for database in [None, Some(Database::new())] {
        let mut place = Place::new(database);
        let ada = place.create_user("ada@example.org", &["--name", "Ada Lovelace", "--admin"]);
        let eve = place.create_user("eve@example.org", &[]);
        place
            .run(&["user", "create", "ADA@example.org"], "another horse\n")
            .fails_with(&["there is an account ada@example.org"]);
        place.run(&["user", "create", "bob@example.org"], "short\n").fails_with(&["10 to 256"]);
        place.run(&["user", "create", "bob@example.org"], "").fails_with(&["standard input"]);
        place.run(&["user", "disable", "nobody@example.org"], "").fails_with(&["no user nobody"]);
        place.run(&["user", "change", &eve, "--may-create", "off"], "").succeeds();
        let list = place.run(&["user", "list"], "").succeeds();
        assert_eq!(list.lines().count(), 2, "{list}");
        for (id, words) in [(&ada, "\tAda Lovelace\tadmin"), (&eve, "\teve\tmakes-no-documents")] {
            let line = list.lines().find(|line| line.starts_with(&**id)).expect("it is listed");
            assert!(line.ends_with(words), "{line}");
        }

        let server = place.serve("off");
        let rest = Rest::of(&server);
        let token = |email: &str| {
            let answer = log_in(&rest, email, PASSWORD).expect(200).json();
            answer["access_token"].as_str().expect("a token").to_owned()
        };
        let me = call(&rest, &token("ada@example.org"), "GET", "/v1/auth/me", None).expect(200).json();
        assert_eq!(
            (&me["id"], &me["name"], &me["admin"]),
            (&json!(ada), &json!("Ada Lovelace"), &json!(true))
        );
        call(&rest, &token("eve@example.org"), "POST", "/v1/docs", Some(&json!({})))
            .expect_problem(403, "forbidden");
        call(&rest, &token("ada@example.org"), "POST", "/v1/docs", Some(&json!({}))).expect(201);
        place.stopped(server);

        place.run(&["user", "disable", "eve@example.org"], "").succeeds();
        place.run(&["user", "set-password", "ada@example.org"], "another horse\n").succeeds();
        let server = place.serve("off");
        let rest = Rest::of(&server);
        log_in(&rest, "eve@example.org", PASSWORD).expect_problem(401, "unauthorized");
        log_in(&rest, "ada@example.org", PASSWORD).expect_problem(401, "unauthorized");
        log_in(&rest, "ada@example.org", "another horse").expect(200);
        place.stopped(server);
        place.run(&["user", "enable", "eve@example.org"], "").succeeds();
        let server = place.serve("off");
        log_in(&Rest::of(&server), "eve@example.org", PASSWORD).expect(200);
    }
}

#[test]
fn a_key_of_a_script_does_what_its_scopes_say() {
    let mut place = Place::new(None);
    let ada = place.create_user("ada@example.org", &[]);
    let [reads, writes] = ["read", "write"].map(|scopes| place.create_token(scopes));
    assert!(reads.starts_with("qk_") && reads.len() == 46, "{reads}");
    let list = place.run(&["token", "list"], "").succeeds();
    assert!(list.contains(&format!("{ada}\tread\tscript\t")) && !list.contains("qk_"), "{list}");

    let server = place.serve("off");
    let rest = Rest::of(&server);
    call(&rest, &reads, "POST", "/v1/docs", Some(&json!({}))).expect_problem(403, "forbidden");
    let made = call(&rest, &writes, "POST", "/v1/docs", Some(&json!({}))).expect(201).json();
    assert_eq!(made["owner"], json!(ada));
    let path = format!("/v1/docs/{}", made["id"].as_str().expect("an id"));
    call(&rest, &reads, "GET", &path, None).expect(200);
    call(&rest, &reads, "DELETE", &path, None).expect_problem(403, "forbidden");
    let me = call(&rest, &reads, "GET", "/v1/auth/me", None).expect(200).json();
    assert_eq!((&me["id"], &me["scopes"], &me["account"]), (&json!(ada), &json!("read"), &json!(false)));
    // It is no sign-in: what belongs to an account it does not touch.
    call(&rest, &writes, "POST", "/v1/auth/password", Some(&json!({}))).expect_problem(403, "forbidden");
    call(&rest, "qk_AAAA", "GET", "/v1/docs", None).expect_problem(401, "unauthorized");
    place.stopped(server);

    let line = list.lines().find(|line| line.contains("\tread\t")).expect("the first");
    let id = line.split('\t').next().expect("an id");
    place.run(&["token", "revoke", id], "").succeeds();
    place.run(&["token", "revoke", id], "").fails_with(&["has ended"]);
    let server = place.serve("off");
    let rest = Rest::of(&server);
    call(&rest, &reads, "GET", &path, None).expect_problem(401, "unauthorized");
    call(&rest, &writes, "GET", &path, None).expect(200);
}

#[test]
fn what_was_done_to_accounts_and_keys_is_in_the_audit_log_and_no_name_is() {
    for database in [None, Some(Database::new())] {
        let place = Place::new(database);
        let ada = place.create_user("ada@example.org", &["--name", "Ada Lovelace", "--admin"]);
        place.create_token("read admin");
        let id = place.run(&["token", "list"], "").succeeds().split('\t').next().expect("an id").to_owned();
        place.run(&["token", "revoke", &id], "").succeeds();
        place.run(&["token", "revoke", &id], "").fails_with(&["has ended"]);
        place.run(&["user", "set-password", &ada], "another horse\n").succeeds();
        place.run(&["user", "change", &ada, "--admin", "off", "--name", "Countess"], "").succeeds();
        place.run(&["user", "disable", &ada], "").succeeds();
        place.run(&["user", "enable", &ada], "").succeeds();
        place.run(&["user", "erase", &ada, "--yes"], "").succeeds();
        let log = place.run(&["audit", "export"], "").succeeds();
        let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let told: Vec<_> = records
            .iter()
            .map(|record| [&record["action"], &record["subject"]].map(|text| text.as_str().expect("text")))
            .collect();
        let (user, token) = (format!("user:{ada}"), format!("token:{id}"));
        let expected = [
            ["user.create", &user],
            ["token.create", &token],
            ["token.revoke", &token],
            ["user.set-password", &user],
            ["user.change", &user],
            ["user.disable", &user],
            ["user.enable", &user],
            ["user.erase", &user],
        ];
        assert_eq!(told, expected);
        assert!(records.iter().all(|record| record["actor"] == "command" && record["outcome"] == "done"));
        let given = json!({ "owner": ada, "scopes": "read admin", "days": 90 });
        assert_eq!(records[1]["details"], given);
        assert_eq!(records[4]["details"], json!({ "name": true, "admin": false, "may_create": null }));
        for secret in ["example.org", "Lovelace", "Countess", "horse", "qk_"] {
            assert!(!log.contains(secret), "{secret} is in the audit log");
        }
        place.run(&["audit", "verify"], "").succeeds();
    }
}

#[test]
fn a_running_server_hears_of_what_was_revoked() {
    let mut place = Place::new(Some(Database::new()));
    place.create_user("ada@example.org", &[]);
    let key = place.create_token("read");
    let id = place.run(&["token", "list"], "").succeeds().split('\t').next().expect("an id").to_owned();
    let eve = place.create_user("eve@example.org", &["--admin"]);
    let owned = ["token", "create", "--owner", &eve, "--name", "watch", "--scopes", "read,admin"];
    let watches = place.run(&owned, "").succeeds().trim().to_owned();
    // The commands need no folder of the server's.
    let server = place.serve("off");
    std::fs::create_dir_all(place.data.path()).expect("a folder");
    let rest = Rest::of(&server);
    let signed_in = log_in(&rest, "ada@example.org", PASSWORD).expect(200).json();
    let access = signed_in["access_token"].as_str().expect("a token");
    let read = |token: &str| call(&rest, token, "GET", "/v1/docs", None).status;
    let administers = || call(&rest, &watches, "GET", "/v1/admin/nodes", None).status;
    assert_eq!((read(&key), read(access), administers()), (200, 200, 200));
    place.run(&["token", "revoke", &id], "").succeeds();
    place.run(&["user", "disable", "ada@example.org"], "").succeeds();
    place.run(&["user", "change", &eve, "--admin", "off"], "").succeeds();
    let deadline = Instant::now() + 2 * PATIENCE;
    while (read(&key), read(access), administers()) != (401, 401, 401) {
        assert!(Instant::now() < deadline, "they are still taken");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn somebody_is_erased_by_address_and_nobody_by_a_name_that_is_not_known() {
    for database in [None, Some(Database::new())] {
        let mut place = Place::new(database);
        let ada = place.create_user("ada@example.org", &["--name", "Ada Lovelace"]);
        for verb in [&["erase", "nobody@example.org", "--yes"][..], &["export", "nobody@example.org"]] {
            place.run(&[&["user"], verb].concat(), "").fails_with(&["no user nobody"]);
        }
        let out = place.run(&["user", "erase", "ADA@example.org", "--yes"], "").succeeds();
        assert!(out.starts_with("2 rows removed"), "{out}");
        let list = place.run(&["user", "list"], "").succeeds();
        assert!(
            list.contains(&ada) && !list.to_lowercase().contains("lovelace") && !list.contains('@'),
            "{list}"
        );
        let again = place.create_user("ada@example.org", &[]);
        assert_ne!(again, ada);
        if place.database.is_some() {
            let server = place.serve("off");
            std::fs::create_dir_all(place.data.path()).expect("a folder");
            place.run(&["user", "erase", &again, "--yes"], "").fails_with(&["servers are running"]);
            place.stopped(server);
        }
    }
}
