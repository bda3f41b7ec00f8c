//! People with an account of the server's own: signing in and out, renewing, second factors, and what is told to strangers.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{DataFolder, Launch, PATIENCE, TestServer, quire};
use crate::rest::{Answer, Rest};
use crate::signed_in::{SignedIn, call, code_of};

const PASSWORD: &str = "correct horse";

/// A server where people make accounts for themselves, and the folder of its mails.
fn open_to_all() -> (TestServer, PathBuf) {
    let launch = Launch::new();
    let mails = launch.data().beside("mails");
    fs::create_dir(&mails).expect("a folder");
    let server = launch.with("QUIRE_REGISTRATION", "open").with("QUIRE_MAIL", &mails).start();
    (server, mails)
}

fn register(rest: &Rest, email: &str) {
    rest.post("/v1/auth/register", &json!({ "email": email, "password": PASSWORD })).expect(202);
}

fn log_in(rest: &Rest, email: &str, password: &str) -> Answer {
    rest.post("/v1/auth/login", &json!({ "email": email, "password": password }))
}

/// The answer to somebody who has just registered and signed in.
fn newcomer(rest: &Rest, email: &str) -> Value {
    register(rest, email);
    log_in(rest, email, PASSWORD).expect(200).json()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

fn refresh(rest: &Rest, token: &str) -> Answer {
    rest.post("/v1/auth/refresh", &json!({ "refresh_token": token }))
}

#[test]
fn somebody_registers_signs_in_writes_and_signs_out() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    let signed_in = newcomer(&rest, "Ada@example.org");
    assert_eq!(signed_in["user"]["name"], "ada");
    let id = text(&signed_in["user"], "id");
    assert!(id.starts_with("usr_"), "{id}");
    let access = text(&signed_in, "access_token");
    let me = call(&rest, access, "GET", "/v1/auth/me", None).expect(200).json();
    assert_eq!(
        (&me["id"], &me["email"], &me["guest"]),
        (&json!(id), &json!("Ada@example.org"), &json!(false))
    );
    assert_eq!(
        (&me["account"], &me["second_factor"], &me["admin"]),
        (&json!(true), &json!(false), &json!(false))
    );
    let doc = call(&rest, access, "POST", "/v1/docs", Some(&json!({}))).expect(201).json();
    assert_eq!(doc["owner"], id);
    let mut socket = SignedIn::join(&server, text(&doc, "id"), Uuid::new_v4(), access);
    let welcome = socket.frame("welcome");
    assert_eq!((&welcome["user"]["name"], &welcome["role"]), (&json!("ada"), &json!("owner")));

    let renewed = refresh(&rest, text(&signed_in, "refresh_token")).expect(200).json();
    socket.send(json!({ "type": "auth", "token": renewed["access_token"] }));
    assert_eq!(socket.frame("role")["expires_at"], renewed["expires_at"]);

    let body = json!({ "refresh_token": renewed["refresh_token"] });
    rest.post("/v1/auth/logout", &body).expect(204);
    refresh(&rest, text(&renewed, "refresh_token")).expect_problem(401, "unauthorized");
    for token in [access, text(&renewed, "access_token")] {
        call(&rest, token, "GET", "/v1/auth/me", None).expect_problem(401, "unauthorized");
    }
    assert_eq!(socket.closed(), Some(4401));
    // Nobody is told whether there was anything to end.
    rest.post("/v1/auth/logout", &body).expect(204);
}

#[test]
fn who_is_erased_proves_it_is_wanted_and_keeps_nothing() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    let signed_in = newcomer(&rest, "ada@example.org");
    let (ada, id) = (text(&signed_in, "access_token"), text(&signed_in["user"], "id"));
    let bob = newcomer(&rest, "bob@example.org");
    let (bob, bobs_id) = (text(&bob, "access_token"), text(&bob["user"], "id"));
    for (doc, link) in [("diary", "none"), ("shared", "viewer")] {
        call(&rest, ada, "POST", "/v1/docs", Some(&json!({ "id": doc }))).expect(201);
        call(&rest, ada, "PUT", &format!("/v1/docs/{doc}/link"), Some(&json!({ "role": link }))).expect(200);
    }
    call(&rest, bob, "POST", "/v1/docs", Some(&json!({ "id": "bobs" }))).expect(201);
    call(&rest, bob, "PUT", "/v1/docs/bobs/link", Some(&json!({ "role": "none" }))).expect(200);
    let grant = json!({ "role": "editor" });
    call(&rest, bob, "PUT", &format!("/v1/docs/bobs/permissions/{id}"), Some(&grant)).expect(200);
    let mut socket = SignedIn::join(&server, "bobs", Uuid::new_v4(), ada);
    socket.frame("welcome");

    let erase = |token: &str, who: &str, body: &Value| {
        call(&rest, token, "POST", &format!("/v1/users/{who}/erase"), Some(body))
    };
    erase(ada, "me", &json!({})).expect_problem(403, "forbidden");
    erase(ada, "me", &json!({ "password": "wrong horse" })).expect_problem(403, "forbidden");
    erase(ada, bobs_id, &json!({ "password": PASSWORD })).expect_problem(403, "forbidden");
    call(&rest, ada, "GET", "/v1/docs/diary", None).expect(200);
    let done = erase(ada, "me", &json!({ "password": PASSWORD })).expect(200).json();
    assert_eq!((&done["purged"], &done["pending"]), (&json!(1), &json!(false)));

    call(&rest, ada, "GET", "/v1/auth/me", None).expect_problem(401, "unauthorized");
    refresh(&rest, text(&signed_in, "refresh_token")).expect_problem(401, "unauthorized");
    log_in(&rest, "ada@example.org", PASSWORD).expect_problem(401, "unauthorized");
    assert!([Some(4401), Some(4403)].contains(&socket.closed()));
    let grants = call(&rest, bob, "GET", "/v1/docs/bobs/permissions", None).expect(200).json();
    assert!(!grants.to_string().contains(id), "{grants}");
    call(&rest, bob, "GET", "/v1/docs/shared", None).expect(200);
    call(&rest, bob, "GET", "/v1/docs/diary", None).expect_problem(404, "not_found");
    // The address is free, and whoever has it now is somebody else.
    assert_ne!(text(&newcomer(&rest, "ada@example.org")["user"], "id"), id);
}

#[test]
fn a_guest_is_told_so() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let me = rest.get("/v1/auth/me").expect(200).json();
    assert_eq!(
        me,
        json!({
            "id": "guest:rest", "guest": true, "admin": false, "may_create": true, "account": false, "password": false,
            "second_factor": false,
        })
    );
    rest.get("/v1/auth/sessions").expect_problem(401, "unauthorized");
    rest.post("/v1/auth/password", &json!({})).expect_problem(401, "unauthorized");
}

#[test]
fn accounts_are_not_made_by_anybody_unless_it_says_so() {
    let server = TestServer::start();
    let body = json!({ "email": "ada@example.org", "password": PASSWORD });
    Rest::of(&server).post("/v1/auth/register", &body).expect_problem(403, "forbidden");
}

#[test]
fn a_refresh_token_that_comes_again_ends_its_sign_in() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    let first = newcomer(&rest, "ada@example.org");
    let other = log_in(&rest, "ada@example.org", PASSWORD).expect(200).json();
    let second = refresh(&rest, text(&first, "refresh_token")).expect(200).json();
    for dead in [&first, &second] {
        refresh(&rest, text(dead, "refresh_token")).expect_problem(401, "unauthorized");
    }
    call(&rest, text(&second, "access_token"), "GET", "/v1/docs", None).expect_problem(401, "unauthorized");
    refresh(&rest, text(&other, "refresh_token")).expect(200);
}

#[test]
fn strangers_do_not_learn_who_has_an_account() {
    let (server, mails) = open_to_all();
    let rest = Rest::of(&server);
    register(&rest, "ada@example.org");
    let same = |one: Answer, other: Answer| {
        assert_eq!((one.status, one.text()), (other.status, other.text()));
    };
    let log_in = |email: &str| log_in(&rest, email, "wrong horse");
    same(log_in("ada@example.org"), log_in("nobody@example.org"));
    let forget = |email: &str| rest.post("/v1/auth/password/forgot", &json!({ "email": email }));
    same(forget("ada@example.org"), forget("nobody@example.org"));
    let register =
        |email: &str| rest.post("/v1/auth/register", &json!({ "email": email, "password": "another horse" }));
    same(register("ADA@example.org"), register("eve@example.org"));
    // Its owner has her password still, and is told; nobody else gets a mail.
    assert_eq!(super::accounts::log_in(&rest, "ada@example.org", PASSWORD).status, 200);
    let found = until_mails(&mails, 2);
    assert!(found.iter().all(|mail| mail.starts_with("To: ada@example.org\r\n")), "{found:?}");
}

/// The mails, once there are so many.
fn until_mails(folder: &PathBuf, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let paths = fs::read_dir(folder).expect("it is there").map(|file| file.expect("a file").path());
        let whole: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ext| ext == "eml")).collect();
        if whole.len() == count {
            return whole.iter().map(|path| fs::read_to_string(path).expect("text")).collect();
        }
        assert!(Instant::now() < deadline, "{} mails instead of {count}", whole.len());
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_password_is_changed_and_other_sign_ins_end() {
    let (server, mails) = open_to_all();
    let rest = Rest::of(&server);
    let this = newcomer(&rest, "ada@example.org");
    let other = log_in(&rest, "ada@example.org", PASSWORD).expect(200).json();
    let access = text(&this, "access_token");
    let sessions = call(&rest, access, "GET", "/v1/auth/sessions", None).expect(200).json();
    let sessions = sessions["sessions"].as_array().expect("a list").clone();
    let current: Vec<_> = sessions.iter().map(|session| session["current"] == true).collect();
    assert_eq!((sessions.len(), current.iter().filter(|current| **current).count()), (2, 1), "{sessions:?}");

    let change = |old: &str, new: &str| {
        call(&rest, access, "POST", "/v1/auth/password", Some(&json!({ "old": old, "new": new })))
    };
    change("wrong horse", "another horse").expect_problem(403, "forbidden");
    change(PASSWORD, "short").expect_problem(400, "bad_request");
    change(PASSWORD, "another horse").expect(204);
    call(&rest, text(&other, "access_token"), "GET", "/v1/docs", None).expect_problem(401, "unauthorized");
    refresh(&rest, text(&other, "refresh_token")).expect_problem(401, "unauthorized");
    log_in(&rest, "ada@example.org", PASSWORD).expect_problem(401, "unauthorized");
    let third = log_in(&rest, "ada@example.org", "another horse").expect(200).json();

    // One sign-in ends another, and nobody else's.
    let eve = newcomer(&rest, "eve@example.org");
    let sessions = call(&rest, access, "GET", "/v1/auth/sessions", None).expect(200).json();
    let other = sessions["sessions"].as_array().expect("a list").iter().find(|one| one["current"] == false);
    let path = format!("/v1/auth/sessions/{}", text(other.expect("the third"), "id"));
    call(&rest, text(&eve, "access_token"), "DELETE", &path, None).expect_problem(404, "not_found");
    call(&rest, access, "DELETE", &path, None).expect(204);
    refresh(&rest, text(&third, "refresh_token")).expect_problem(401, "unauthorized");

    rest.post("/v1/auth/password/forgot", &json!({ "email": "ada@example.org" })).expect(202);
    let mail = until_mails(&mails, 1).remove(0);
    let token = mail.split_whitespace().find(|word| word.starts_with("qp_")).expect("a token");
    let reset =
        || rest.post("/v1/auth/password/reset", &json!({ "token": token, "password": "third horse" }));
    reset().expect(204);
    reset().expect_problem(401, "unauthorized");
    call(&rest, access, "GET", "/v1/docs", None).expect_problem(401, "unauthorized");
    log_in(&rest, "ada@example.org", "third horse").expect(200);
}

#[test]
fn a_second_factor_is_asked_for_by_a_problem_that_says_so() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    let signed_in = newcomer(&rest, "ada@example.org");
    let access = text(&signed_in, "access_token");
    let post = |path: &str, body: Value| call(&rest, access, "POST", path, Some(&body));
    post("/v1/auth/totp", json!({ "password": "wrong horse" })).expect_problem(403, "forbidden");
    let enrolment = post("/v1/auth/totp", json!({ "password": PASSWORD })).expect(200).json();
    assert!(text(&enrolment, "address").starts_with("otpauth://totp/quire:ada@example.org?secret="));
    let (code, step) = code_of(text(&enrolment, "secret"));
    let confirmed = post("/v1/auth/totp/confirm", json!({ "code": code })).expect(200).json();
    let recovery = confirmed["recovery_codes"].as_array().expect("a list").clone();
    assert_eq!(recovery.len(), 10);
    post("/v1/auth/totp", json!({ "password": PASSWORD })).expect_problem(409, "conflict");

    let with = |code: &Value| {
        let body = json!({ "email": "ada@example.org", "password": PASSWORD, "totp": code });
        rest.post("/v1/auth/login", &body)
    };
    for wrong in [Value::Null, json!("000000x"), json!(code), json!("")] {
        let problem = with(&wrong).expect_problem(401, "unauthorized").json();
        assert_eq!(problem["second_factor"], true, "{wrong}: {problem}");
    }
    let problem = log_in(&rest, "ada@example.org", "wrong horse").expect_problem(401, "unauthorized").json();
    assert!(problem["second_factor"].is_null(), "{problem}");
    with(&recovery[0]).expect(200);
    with(&recovery[0]).expect_problem(401, "unauthorized");
    let body = json!({ "password": PASSWORD, "code": recovery[1] });
    post("/v1/auth/totp/remove", body).expect(204);
    log_in(&rest, "ada@example.org", PASSWORD).expect(200);
    assert!(step > 0);
}

#[test]
fn a_page_has_its_refresh_token_in_a_cookie_that_no_other_page_can_use() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    register(&rest, "ada@example.org");
    let body = json!({ "email": "ada@example.org", "password": PASSWORD, "cookie": true });
    let answer = rest.post("/v1/auth/login", &body).expect(200);
    assert!(answer.json()["refresh_token"].is_null());
    let set = answer.header("set-cookie").to_owned();
    for part in ["quire_refresh=qr_", "; Path=/v1/auth;", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(part), "no {part} in {set}");
    }
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let own = format!("http://{}", server.address());
    let refresh = |cookie: &str, origin: Option<&str>| {
        let origin = origin.map(|origin| ("origin", origin));
        let headers: Vec<_> = [("cookie", cookie)].into_iter().chain(origin).collect();
        rest.call("POST", "/v1/auth/refresh", &headers, Some("{}".to_owned()))
    };
    refresh(&cookie, None).expect_problem(401, "unauthorized");
    refresh(&cookie, Some("http://evil.example")).expect_problem(403, "forbidden");
    let renewed = refresh(&cookie, Some(&own)).expect(200);
    let next = renewed.header("set-cookie").split(';').next().expect("a pair").to_owned();
    assert!(next.starts_with("quire_refresh=qr_") && next != cookie);
    let headers = [("cookie", &*next), ("origin", &*own)];
    let left = rest.call("POST", "/v1/auth/logout", &headers, None).expect(204);
    assert!(left.header("set-cookie").starts_with("quire_refresh=; Path=/v1/auth; Max-Age=0;"));
    refresh(&next, Some(&own)).expect_problem(401, "unauthorized");
}

#[test]
fn the_public_keys_are_published_and_what_signs_is_among_them() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    let signed_in = newcomer(&rest, "ada@example.org");
    let header = jsonwebtoken::decode_header(text(&signed_in, "access_token")).expect("a token");
    let set = rest.get("/.well-known/jwks.json").expect(200).json();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(set).expect("a JWK set");
    let key = set.find(&header.kid.expect("a name")).expect("it is published");
    let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("a key");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    validation.set_audience(&["quire"]);
    let claims = jsonwebtoken::decode::<Value>(text(&signed_in, "access_token"), &key, &validation);
    assert_eq!(claims.expect("it is good").claims["sub"], signed_in["user"]["id"]);
}

#[test]
fn too_many_wrong_passwords_are_told_when_to_come_back() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    let answers: Vec<_> = (0..8).map(|_| log_in(&rest, "nobody@example.org", "wrong horse")).collect();
    let limited = answers.into_iter().find(|answer| answer.status == 429).expect("at some time");
    let problem = limited.expect_problem(429, "rate_limited");
    assert_eq!(problem.header("retry-after"), "1");
}

#[test]
fn what_can_be_no_address_or_password_is_refused() {
    let (server, _) = open_to_all();
    let rest = Rest::of(&server);
    for body in [
        json!({ "email": "ada@example.org" }),
        json!({ "password": PASSWORD }),
        json!({ "email": "ada", "password": PASSWORD }),
        json!({ "email": "a@b\r\nBcc: x@y", "password": PASSWORD }),
        json!({ "email": "ada@example.org", "password": "short" }),
        json!({ "email": "ada.lovelace@example.org", "password": "ada.lovelace" }),
        json!({ "email": 7, "password": PASSWORD }),
    ] {
        rest.post("/v1/auth/register", &body).expect_problem(400, "bad_request");
    }
    let long = json!({ "email": "ada@example.org", "password": "x".repeat(20_000) });
    rest.post("/v1/auth/register", &long).expect_problem(413, "too_large");
}

#[test]
fn guests_make_documents_only_where_they_may() {
    let server = Launch::new().with("QUIRE_GUESTS_CREATE", "off").with("QUIRE_REGISTRATION", "open").start();
    let rest = Rest::of(&server);
    rest.post("/v1/docs", &json!({})).expect_problem(401, "unauthorized");
    let signed_in = newcomer(&rest, "ada@example.org");
    let access = text(&signed_in, "access_token");
    let doc = call(&rest, access, "POST", "/v1/docs", Some(&json!({}))).expect(201).json();
    // They may write all the same.
    let edit = json!({ "base": 0, "edit": { "type": "insert", "pos": 0, "text": "x" } });
    rest.post(&format!("/v1/docs/{}/ops", text(&doc, "id")), &edit).expect(200);
}

#[test]
fn tokens_of_another_issuer_are_taken_by_its_keys() {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let point = pair.public_key_raw();
    let coordinate = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let key = json!({
        "kty": "EC", "crv": "P-256", "kid": "one", "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
    });
    let launch = Launch::new();
    let file = launch.data().beside("jwks.json");
    fs::write(&file, json!({ "keys": [key] }).to_string()).expect("it can be written");
    let half = launch.with("QUIRE_JWKS_FILE", &file).with("QUIRE_JWT_AUDIENCE", "docs").try_start();
    let half = half.err().expect("it must not start");
    assert!(half.messages.contains("--jwt-issuer"), "{}", half.messages);

    let server = Launch::on(half.data)
        .with("QUIRE_JWKS_FILE", &file)
        .with("QUIRE_JWT_AUDIENCE", "docs")
        .with("QUIRE_JWT_ISSUER", "https://id.example")
        .with("QUIRE_JWT_CLAIM_NAME", "nickname")
        .start();
    let rest = Rest::of(&server);
    let token = |audience: &str| {
        let claims = json!({
            "iss": "https://id.example", "aud": audience, "sub": "ada", "nickname": "Ada", "admin": true,
            "exp": crate::signed_in::in_seconds(60),
        });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        let header = jsonwebtoken::Header { kid: Some("one".to_owned()), ..header };
        let key = jsonwebtoken::EncodingKey::from_ec_der(&pair.serialize_der());
        jsonwebtoken::encode(&header, &claims, &key).expect("claims are JSON")
    };
    let me = call(&rest, &token("docs"), "GET", "/v1/auth/me", None).expect(200).json();
    assert_eq!((&me["id"], &me["name"], &me["admin"]), (&json!("ada"), &json!("Ada"), &json!(true)));
    assert_eq!(me["account"], false);
    call(&rest, &token("wiki"), "GET", "/v1/auth/me", None).expect_problem(401, "unauthorized");
    // What belongs to an account of this server is not theirs.
    call(&rest, &token("docs"), "GET", "/v1/auth/sessions", None).expect_problem(403, "forbidden");
}

/// Runs a command on the database in a folder, and returns what it has printed.
fn command(data: &DataFolder, words: &[&str], input: &str) -> String {
    let mut child = quire()
        .args(words)
        .arg("--data")
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    // One that does not read it closes the pipe.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let ended = child.wait_with_output().expect("the child is ours");
    assert!(ended.status.success(), "{words:?}: {ended:?}");
    String::from_utf8(ended.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn a_key_that_may_only_read_joins_as_a_viewer() {
    let data = DataFolder::new();
    command(&data, &["migrate"], "");
    command(&data, &["user", "create", "ada@example.org"], &format!("{PASSWORD}\n"));
    let key = |scopes: &str| {
        let words = ["token", "create", "--owner", "ada@example.org", "--name", "x", "--scopes", scopes];
        command(&data, &words, "")
    };
    let (reads, writes) = (key("read"), key("write"));
    let server = Launch::on(data).start();
    let rest = Rest::of(&server);
    let doc = call(&rest, &writes, "POST", "/v1/docs", Some(&json!({}))).expect(201).json();
    let doc = text(&doc, "id");
    let op = json!({ "type": "op", "seq": 1, "base": 0, "delta": [{ "insert": "x" }] });

    let mut reader = SignedIn::join(&server, doc, Uuid::new_v4(), &reads);
    assert_eq!(reader.frame("welcome")["role"], "viewer");
    reader.send(op.clone());
    assert_eq!(reader.frame("error")["code"], "read_only");
    let mut writer = SignedIn::join(&server, doc, Uuid::new_v4(), &writes);
    assert_eq!(writer.frame("welcome")["role"], "owner");
    writer.send(op);
    assert_eq!(writer.frame("ops")["ops"][0]["delta"], json!([{ "insert": "x" }]));
    assert_eq!(reader.frame("ops")["base"], 0);
    // What may be done does not grow while one is there.
    reader.send(json!({ "type": "auth", "token": writes }));
    assert_eq!(reader.frame("role")["role"], "viewer");
}
