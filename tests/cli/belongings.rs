//! What a backup has beside documents and their logs: accounts and what they sign in with, groups, who may do what, names of versions,
//! comments.

use std::fs;

use serde_json::{Value, json};

use crate::backup::{Shelf, stopped};
use crate::command::{quire, quire_reading};
use crate::database::number;
use crate::harness::{DataFolder, Launch, TestServer};
use crate::postgres::Database;
use crate::rest::{Answer, Rest};
use crate::signed_in::{SECRET, admin_token, call, code_of, token};

const PASSWORD: &str = "correct horse";
const KEYS: &str = "one:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const OTHER_KEYS: &str = "two:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// A document with people around it, as they see it.
struct Town {
    doc: String,
    /// Has an account, and a second factor.
    ada: String,
    /// Codes in place of the second factor: each is good once.
    codes: Vec<Value>,
    /// What a script of Ada's has.
    key: String,
    /// The token of a share link.
    link: String,
}

fn post(rest: &Rest, token: &str, path: &str, body: &Value) -> Value {
    call(rest, token, "POST", path, Some(body)).expect(201).json()
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}")).to_owned()
}

/// A server that knows tokens from elsewhere, and does not let guests do everything.
fn launch(data: DataFolder, database: Option<&Database>) -> Launch {
    let launch = match database {
        None => Launch::on(data),
        Some(database) => database.launch(data),
    };
    launch.with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_LINK_ROLE", "none")
}

fn flags(database: Option<&Database>) -> Vec<&str> {
    database.map_or(vec![], |database| vec!["--database-url", &database.url])
}

impl Town {
    /// Founds it where there is nothing, and stops the server.
    fn found(database: Option<&Database>) -> (Self, DataFolder) {
        let data = DataFolder::new();
        let folder = data.path();
        let run = |words: &[&str], input: &str| {
            let words = [words, &["--data", folder.to_str().expect("UTF-8")], &flags(database)].concat();
            quire_reading(input, words).succeeds().trim().to_owned()
        };
        run(&["migrate"], "");
        fs::create_dir_all(data.path()).expect("a folder");
        let ada = run(&["user", "create", "ada@example.org", "--name", "Ada"], &format!("{PASSWORD}\n"));
        let key = ["token", "create", "--owner", "ada@example.org", "--name", "script", "--scopes", "write"];
        let key = run(&key, "");

        let server = launch(data, database).start();
        let rest = Rest::of(&server);
        let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
        let access = text(&rest.post("/v1/auth/login", &credentials).expect(200).json(), "access_token");
        let as_ada = |path: &str, body: &Value| post(&rest, &access, path, body);
        let enrolment = call(&rest, &access, "POST", "/v1/auth/totp", Some(&json!({ "password": PASSWORD })));
        let (code, _) = code_of(&text(&enrolment.expect(200).json(), "secret"));
        let confirmed = call(&rest, &access, "POST", "/v1/auth/totp/confirm", Some(&json!({ "code": code })));
        let codes = confirmed.expect(200).json()["recovery_codes"].as_array().expect("a list").clone();

        let doc = text(&as_ada("/v1/docs", &json!({ "content": [{ "insert": "one two three\n" }] })), "id");
        let path = format!("/v1/docs/{doc}");
        let group = text(&as_ada("/v1/groups", &json!({ "name": "Editors" })), "id");
        let put = |path: &str, body: &Value| call(&rest, &access, "PUT", path, Some(body)).expect(200);
        put(&format!("/v1/groups/{group}/members/eve"), &json!({}));
        put(&format!("{path}/permissions/group:{group}"), &json!({ "role": "editor" }));
        put(
            &format!("{path}/permissions/bob"),
            &json!({ "role": "commenter", "expires_at": 4_000_000_000_000_u64 }),
        );
        let link = text(&as_ada(&format!("{path}/links"), &json!({ "role": "viewer" })), "token");
        let ended = as_ada(&format!("{path}/links"), &json!({ "role": "editor" }));
        call(&rest, &access, "DELETE", &format!("{path}/links/{}", text(&ended, "id")), None).expect(204);

        let comments = format!("{path}/comments");
        let anchored = json!({ "text": "why 🙂?", "anchor": { "index": 4, "length": 3 } });
        let thread = text(&post(&rest, &token("bob"), &comments, &anchored), "id");
        as_ada(&format!("{comments}/{thread}/replies"), &json!({ "text": "because" }));
        let edit = json!({ "base": 1, "edit": { "type": "insert", "pos": 0, "text": "zero " } });
        call(&rest, &token("eve"), "POST", &format!("{path}/ops"), Some(&edit)).expect(200);
        let settled = json!({ "resolved": true });
        call(&rest, &access, "PATCH", &format!("{comments}/{thread}"), Some(&settled)).expect(200);
        as_ada(&format!("{path}/versions"), &json!({ "name": "First", "version": 1 }));
        as_ada(&format!("{path}/versions"), &json!({ "name": "Second" }));
        for _ in 0..250 {
            as_ada(&comments, &json!({ "text": "more than a page", "anchor": { "index": 0, "length": 4 } }));
        }
        let root = admin_token("root");
        post(&rest, &root, "/v1/admin/bans", &json!({ "user": "mallory", "reason": "spam" }));
        let quota = json!({ "documents": 7 });
        call(&rest, &root, "PUT", "/v1/admin/quotas/bob", Some(&quota)).expect(200);
        (Self { doc, ada, codes, key, link }, stopped(server))
    }

    fn path(&self, more: &str) -> String {
        format!("/v1/docs/{}{more}", self.doc)
    }

    /// What there is to be seen by those who see all of it.
    fn told(&self, server: &TestServer) -> Value {
        let rest = Rest::of(server);
        let get = |path: &str| call(&rest, &self.key, "GET", path, None).expect(200).json();
        let root = |path: &str| call(&rest, &admin_token("root"), "GET", path, None).expect(200).json();
        let comments = self.path("/comments?limit=200");
        let next = text(&get(&comments), "next");
        json!({
            "content": get(&self.path("/content")),
            "permissions": get(&self.path("/permissions")),
            "links": get(&self.path("/links")),
            "comments": [get(&comments), get(&format!("{comments}&cursor={next}"))],
            "versions": get(&self.path("/versions")),
            "groups": get("/v1/groups"),
            "bans": root("/v1/admin/bans"),
            "quota": root("/v1/admin/quotas/bob"),
        })
    }

    fn log_in(&self, rest: &Rest, code: Option<usize>) -> Answer {
        let code = code.map(|code| &self.codes[code]);
        let body = json!({ "email": "ada@example.org", "password": PASSWORD, "totp": code });
        rest.post("/v1/auth/login", &body)
    }

    /// Makes sure that everybody may what they might before, and no more.
    fn is_lived_in(&self, server: &TestServer, code: usize) {
        let rest = Rest::of(server);
        let refused = self.log_in(&rest, None).expect_problem(401, "unauthorized").json();
        assert_eq!(refused["second_factor"], true, "{refused}");
        let access = text(&self.log_in(&rest, Some(code)).expect(200).json(), "access_token");
        self.log_in(&rest, Some(code)).expect_problem(401, "unauthorized");
        let me = call(&rest, &access, "GET", "/v1/auth/me", None).expect(200).json();
        assert_eq!((&me["id"], &me["name"]), (&json!(self.ada), &json!("Ada")));
        let edit = |token: &str| {
            let edit = json!({ "base": 2, "edit": { "type": "insert", "pos": 0, "text": "" } });
            call(&rest, token, "POST", &self.path("/ops"), Some(&edit)).status
        };
        assert_eq!(edit(&token("bob")), 403, "bob comments");
        assert_ne!(edit(&token("eve")), 403, "eve is in the group that edits");
        call(&rest, &token("cleo"), "GET", &self.path(""), None).expect_problem(403, "forbidden");
        call(&rest, &token("mallory"), "GET", "/v1/docs", None).expect(403);
        rest.call("GET", &self.path(""), &[("quire-link", &self.link)], None).expect(200);
    }
}

/// Restores into `to` what was backed up in `from`, with what is told to be the same.
fn moves(town: &Town, data: DataFolder, [from, to]: [Option<&Database>; 2], code: usize) -> DataFolder {
    let shelf = Shelf::new();
    let server = launch(data, from).start();
    let before = town.told(&server);
    let pages = [0, 1].map(|page| before["comments"][page]["comments"].as_array().map(Vec::len));
    assert_eq!(pages, [Some(200), Some(52)]);
    let data = stopped(server);
    let made = shelf.back_up(&data, &flags(from));
    assert!(made.err.starts_with("1 documents, "), "{made:?}");
    let restored = DataFolder::new();
    let told = shelf.restore(&restored, &flags(to));
    let rows = |told: &str| told.trim_end().rsplit(", ").nth(1).map(str::to_owned);
    assert_eq!(rows(&made.err), rows(&told.err), "{told:?}");
    let server = launch(restored, to).start();
    let after = town.told(&server);
    for (name, told) in before.as_object().expect("an object") {
        assert_eq!(told, &after[name], "{name}");
    }
    town.is_lived_in(&server, code);
    stopped(server)
}

#[test]
fn accounts_rights_names_and_comments_come_back_in_either_database() {
    let (town, data) = Town::found(None);
    let [one, other] = [Database::new(), Database::new()];
    let data = moves(&town, data, [None, None], 0);
    let data = moves(&town, data, [None, Some(&one)], 1);
    let data = moves(&town, data, [Some(&one), Some(&other)], 2);
    let data = moves(&town, data, [Some(&other), None], 3);
    // Nobody is told of what had happened before, as if it had happened now.
    let told =
        "SELECT (SELECT COUNT(*) FROM event_outbox WHERE kind IN ('document.commented', 'document.shared'))
        + (SELECT COUNT(*) FROM events WHERE kind IN ('document.commented', 'document.shared'))";
    assert_eq!(number(&data, told), 0);
    // What stands for a server or a browser is not carried: one that was signed in signs in anew.
    assert_eq!(number(&data, "SELECT COUNT(*) FROM sign_ins"), 1, "that of the last server");
    quire(["verify".into(), "--data".into(), data.path().into_os_string()]).succeeds();
}

#[test]
fn a_backup_that_is_encrypted_is_opened_with_its_key_alone() {
    let shelf = Shelf::new();
    let (town, data) = Town::found(None);
    let keys = ["--encryption-keys", KEYS];
    shelf.back_up(&data, &[]).succeeds();
    let plain = fs::read(shelf.file()).expect("it was written");
    shelf.back_up(&data, &keys).succeeds();
    let sealed = fs::read(shelf.file()).expect("it was written");
    assert_eq!((&sealed[..9], &plain[..5]), (&b"QBAK\x02QENC"[..], &b"QBAK\x02"[..]));

    let nowhere = DataFolder::new();
    shelf.restore(&nowhere, &[]).fails_with(&["encrypted with key one", "no encryption keys"]);
    shelf.restore(&nowhere, &["--encryption-keys", OTHER_KEYS]).fails_with(&["encrypted with key one"]);
    let mut spoilt = sealed.clone();
    for at in [20, sealed.len() / 2, sealed.len() - 1] {
        spoilt[at] ^= 1;
        fs::write(shelf.file(), &spoilt).expect("the folder is ours");
        assert_eq!(shelf.restore(&nowhere, &keys).code, Some(1), "byte {at}");
        spoilt[at] ^= 1;
    }
    fs::write(shelf.file(), &sealed[..sealed.len() - 16]).expect("the folder is ours");
    assert_eq!(shelf.restore(&nowhere, &keys).code, Some(1), "cut off");
    assert!(!nowhere.path().exists());

    fs::write(shelf.file(), &sealed).expect("the folder is ours");
    let data = DataFolder::new();
    shelf.restore(&data, &["--encryption-keys", &format!("{OTHER_KEYS},{KEYS}")]).succeeds();
    let server = launch(data, None).start();
    town.is_lived_in(&server, 0);
}

/// The format from before there was anything beside documents.
#[test]
fn an_older_backup_is_restored_also_beside_accounts() {
    let shelf = Shelf::new();
    let lines = [
        r#"{"document":{"id":"old","history":"8a5c0a5e-7b0e-4f43-9a1f-0a4c5e1d2b3c","title":"Old","owner":"bob","created_at":1,"updated_at":2,"version":1,"link":"viewer"}}"#,
        r#"{"op":{"version":1,"client":"11111111-2222-4333-8444-555555555555","seq":1,"user":"bob","at":2,"delta":[{"insert":"kept\n"}]}}"#,
        r#"{"end":{"documents":1,"operations":1,"purged":0}}"#,
    ];
    let mut packed = zstd::stream::write::Encoder::new(b"QBAK\x01".to_vec(), 3).expect("a level");
    packed.include_checksum(true).expect("it may");
    for line in lines {
        std::io::Write::write_all(&mut packed, format!("{line}\n").as_bytes()).expect("into memory");
    }
    fs::write(shelf.file(), packed.finish().expect("into memory")).expect("the folder is ours");
    let data = DataFolder::new();
    let folder = data.path();
    let ada = ["user", "create", "ada@example.org", "--data", folder.to_str().expect("UTF-8")];
    quire(["migrate", "--data", folder.to_str().expect("UTF-8")]).succeeds();
    quire_reading(&format!("{PASSWORD}\n"), ada).succeeds();
    shelf.restore(&data, &[]).succeeds();
    let server = launch(data, None).start();
    assert_eq!(
        call(&Rest::of(&server), &token("bob"), "GET", "/v1/docs/old/content", None).json()["version"],
        1
    );

    // One with accounts is not restored where there are some.
    let (_, other) = Town::found(None);
    shelf.back_up(&other, &[]).succeeds();
    let data = DataFolder::new();
    let folder = data.path();
    quire(["migrate", "--data", folder.to_str().expect("UTF-8")]).succeeds();
    let eve = ["user", "create", "eve@example.org", "--data", folder.to_str().expect("UTF-8")];
    quire_reading(&format!("{PASSWORD}\n"), eve).succeeds();
    shelf.restore(&data, &[]).fails_with(&["accounts, groups, bans or quotas here already"]);
}

#[test]
fn one_document_brings_what_belongs_to_it_and_a_copy_of_it_not_whose_it_is() {
    let shelf = Shelf::new();
    let (town, data) = Town::found(None);
    shelf.back_up(&data, &[]).succeeds();
    shelf.restore(&data, &["--doc", &town.doc, "--as", "copy"]).succeeds();
    shelf.restore(&data, &["--doc", &town.doc, "--as", "first", "--at", "1"]).succeeds();
    let count = |table: &str, doc: &str| {
        number(&data, &format!("SELECT COUNT(*) FROM {table} WHERE doc_id = '{doc}'"))
    };
    let counts =
        |doc: &str| ["permissions", "share_links", "named_versions", "comments"].map(|t| count(t, doc));
    assert_eq!(counts(&town.doc), [2, 2, 2, 252]);
    assert_eq!(counts("copy"), [0, 0, 2, 252]);
    assert_eq!(counts("first"), [0, 0, 1, 0]);
    // Where nobody knows its group, nothing is given to it.
    let elsewhere = DataFolder::new();
    shelf.restore(&elsewhere, &["--doc", &town.doc]).succeeds();
    let there = |table: &str| number(&elsewhere, &format!("SELECT COUNT(*) FROM {table}"));
    assert_eq!(["permissions", "share_links", "users", "user_groups"].map(there), [1, 2, 0, 0]);
}
