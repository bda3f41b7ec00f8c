//! Signing in with an account elsewhere: against a real provider (`scripts/services/oidc`), and one that lies.

mod browser;
mod hostile;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::browser::{Browser, PUBLIC, Page, parameter};
use crate::harness::{Launch, PATIENCE, TestServer, quire};
use crate::rest::Rest;
use crate::services::Service;
use crate::signed_in::{SECRET, admin_token, call};

const LINK: &str = "/v1/auth/oidc/real?to=/d/minutes%23x";

fn provider() -> Service {
    Service::start("oidc")
}

fn believing(provider: &Service) -> Launch {
    of(Launch::new(), provider)
}

fn of(launch: Launch, provider: &Service) -> Launch {
    launch
        .with("QUIRE_PUBLIC_URL", format!("{PUBLIC}/"))
        .with("QUIRE_JWT_SECRET", SECRET)
        .with("QUIRE_OIDC_REAL_ISSUER", &provider.address)
        .with("QUIRE_OIDC_REAL_LABEL", "A real one")
        .with("QUIRE_OIDC_REAL_CLIENT_ID", "quire")
        .with("QUIRE_OIDC_REAL_CLIENT_SECRET", "quire-test-secret")
}

/// Who a browser is, by the cookie that it has.
fn me(server: &TestServer, browser: &mut Browser) -> Value {
    let renewed = browser.refresh();
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    let access = renewed.json()["access_token"].as_str().expect("a token").to_owned();
    call(&Rest::of(server), &access, "GET", "/v1/auth/me", None).expect(200).json()
}

/// Signs in as this person in a new browser.
fn sign_in(server: &TestServer, login: &str) -> (Browser, Page) {
    let mut browser = Browser::of(server);
    let back = browser.sign_in_there(LINK, login);
    let done = browser.ask(&back);
    (browser, done)
}

#[test]
fn somebody_signs_in_with_the_provider_and_is_the_same_the_next_time() {
    let provider = provider();
    let server = believing(&provider).start();
    let rest = Rest::of(&server);
    let listed = rest.get("/v1/auth/oidc").expect(200).json();
    assert_eq!(listed, json!({ "providers": [{ "name": "real", "label": "A real one" }] }));

    let (mut browser, done) = sign_in(&server, "ada");
    assert_eq!((done.status, &*done.location), (302, "http://127.0.0.1:9/d/minutes#x"), "{}", done.body);
    assert!(
        !done.location.contains("qr_") && done.body.is_empty(),
        "no token is where scripts or logs see it"
    );
    let [refresh, ticket] = &done.set_cookies[..] else { panic!("two cookies: {:?}", done.set_cookies) };
    assert!(
        refresh.starts_with("quire_refresh=qr_") && refresh.ends_with("; HttpOnly; SameSite=Strict"),
        "{refresh}"
    );
    assert!(ticket.starts_with("quire_oidc=; Path=/v1/auth/oidc/real; Max-Age=0;"), "{ticket}");
    let first = me(&server, &mut browser);
    assert_eq!(
        (&first["name"], &first["email"], &first["account"], &first["admin"]),
        (&json!("Ada"), &json!("ada@example.org"), &json!(true), &json!(false))
    );

    let (mut again, _) = sign_in(&server, "ada");
    assert_eq!(me(&server, &mut again)["id"], first["id"]);
    let (mut other, _) = sign_in(&server, "bob");
    assert_ne!(me(&server, &mut other)["id"], first["id"]);
    // It is a sign-in as any other, but for the password.
    let access = again.refresh().json()["access_token"].as_str().expect("a token").to_owned();
    let sessions = call(&rest, &access, "GET", "/v1/auth/sessions", None).expect(200).json();
    assert_eq!(sessions["sessions"].as_array().expect("a list").len(), 2);
    let enrol = call(&rest, &access, "POST", "/v1/auth/totp", Some(&json!({ "password": "x" })));
    assert!(
        enrol.expect_problem(403, "forbidden").json()["detail"]
            .as_str()
            .expect("text")
            .contains("no password")
    );
}

#[test]
fn who_has_just_signed_in_with_the_provider_may_have_the_account_deleted() {
    let provider = provider();
    let server = believing(&provider).start();
    let rest = Rest::of(&server);
    let (mut browser, _) = sign_in(&server, "ada");
    let id = me(&server, &mut browser)["id"].clone();
    let access = browser.refresh().json()["access_token"].as_str().expect("a token").to_owned();
    call(&rest, &access, "POST", "/v1/users/me/erase", Some(&json!({}))).expect(200);
    call(&rest, &access, "GET", "/v1/auth/me", None).expect_problem(401, "unauthorized");
    let (mut again, _) = sign_in(&server, "ada");
    assert_ne!(me(&server, &mut again)["id"], id, "it is somebody new");
}

#[test]
fn an_own_account_with_the_same_address_stays_its_owners() {
    let provider = provider();
    let server = believing(&provider).with("QUIRE_REGISTRATION", "open").start();
    let rest = Rest::of(&server);
    let own = json!({ "email": "ada@example.org", "password": "correct horse" });
    rest.post("/v1/auth/register", &own).expect(202);
    let owner = rest.post("/v1/auth/login", &own).expect(200).json();
    let (mut browser, _) = sign_in(&server, "ada");
    let came = me(&server, &mut browser);
    assert_eq!(came["email"], "ada@example.org");
    assert_ne!(came["id"], owner["user"]["id"]);
}

#[test]
fn an_answer_is_good_once_and_in_the_browser_that_asked() {
    let provider = provider();
    let server = believing(&provider).start();
    let mut browser = Browser::of(&server);
    let back = browser.sign_in_there(LINK, "ada");
    let state = parameter(&back, "state");
    // In another browser; with another state, or none; of another provider.
    Browser::of(&server).ask(&back).expect_problem(401, "unauthorized");
    for wrong in
        [back.replace(&state, &"A".repeat(43)), back.replace(&state, ""), back.replace("state=", "x=")]
    {
        browser.ask(&wrong).expect_problem(401, "unauthorized");
    }
    let (_, query) = back.split_once('?').expect("a query");
    browser.ask(&format!("/v1/auth/oidc/other/callback?{query}")).expect_problem(404, "not_found");
    // The state of a sign-in that was begun by somebody else, who has the victim open the link: a sign-in as the attacker.
    let mut attacker = Browser::of(&server);
    let theirs = attacker.sign_in_there(LINK, "mallory");
    browser.ask(&theirs).expect_problem(401, "unauthorized");

    let copy = browser.cookies();
    assert_eq!(browser.ask(&back).status, 302);
    // With everything that the browser had, its cookie among it.
    let mut thief = Browser::of(&server);
    thief.take(copy);
    thief.ask(&back).expect_problem(401, "unauthorized");
    browser.ask(&back).expect_problem(401, "unauthorized");
}

#[test]
fn a_code_of_another_sign_in_is_not_taken() {
    let provider = provider();
    let server = believing(&provider).start();
    let mut victim = Browser::of(&server);
    let code = parameter(&victim.sign_in_there(LINK, "ada"), "code");
    let mut attacker = Browser::of(&server);
    let own = attacker.sign_in_there(LINK, "mallory");
    let swapped = own.replace(&parameter(&own, "code"), &code);
    attacker.ask(&swapped).expect_problem(401, "unauthorized");
}

#[test]
fn who_turns_back_at_the_provider_is_told_so() {
    let provider = provider();
    let server = believing(&provider).start();
    let mut browser = Browser::of(&server);
    let back = browser.turn_back_there(LINK);
    assert_eq!(parameter(&back, "error"), "access_denied");
    let page = browser.get(&back);
    assert_eq!((page.status, &*page.content_type), (403, "text/html; charset=utf-8"));
    assert!(page.body.contains("Not signed in") && !page.body.contains("access_denied"), "{}", page.body);
    let back = browser.turn_back_there(LINK);
    browser.ask(&back).expect_problem(403, "forbidden");
    // Other words of a provider, or of whoever has made the link, are not repeated.
    let back = browser.turn_back_there(LINK).replace("access_denied", "%3Cscript%3E");
    let page = browser.get(&back);
    assert!(page.status == 401 && !page.body.contains("script"), "{}", page.body);
    let mixed = browser.turn_back_there(LINK);
    let issuer = parameter(&mixed, "iss");
    browser
        .ask(&mixed.replace(&issuer, "https%3A%2F%2Faccounts.google.com"))
        .expect_problem(401, "unauthorized");
}

#[test]
fn nobody_is_sent_elsewhere_afterwards() {
    let provider = provider();
    let server = believing(&provider).start();
    let mut browser = Browser::of(&server);
    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "evil",
        "javascript:x",
        "/%0d%0ax",
    ] {
        browser.ask(&format!("/v1/auth/oidc/real?to={elsewhere}")).expect_problem(400, "bad_request");
    }
    browser.ask("/v1/auth/oidc/nobody").expect_problem(404, "not_found");
    let begun = browser.ask("/v1/auth/oidc/real");
    assert!(begun.location.starts_with(&format!("{}/auth?", provider.address)), "{}", begun.location);
    assert_eq!(
        parameter(&begun.location, "redirect_uri"),
        "http%3A%2F%2F127.0.0.1%3A9%2Fv1%2Fauth%2Foidc%2Freal%2Fcallback"
    );
    let ticket = &begun.set_cookies[0];
    assert!(
        ticket.starts_with("quire_oidc=") && ticket.ends_with("; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{ticket}"
    );
}

#[test]
fn only_those_sign_in_who_may() {
    let provider = provider();
    let server = believing(&provider).with("QUIRE_OIDC_REAL_DOMAINS", "example.org").start();
    assert_eq!(sign_in(&server, "ada").1.status, 302);
    sign_in(&server, "unproved-eve").1.expect_problem(403, "forbidden");
    let data = server.kill();
    let server = of(Launch::on(data), &provider).with("QUIRE_OIDC_REAL_DOMAINS", "example.net").start();
    sign_in(&server, "ada").1.expect_problem(403, "forbidden");
    let data = server.kill();
    let server = of(Launch::on(data), &provider).with("QUIRE_OIDC_REAL_CREATE", "off").start();
    assert_eq!(sign_in(&server, "ada").1.status, 302, "she has an account");
    sign_in(&server, "bob").1.expect_problem(403, "forbidden");
}

#[test]
fn a_disabled_user_does_not_sign_in() {
    let provider = provider();
    let server = believing(&provider).start();
    let (mut browser, _) = sign_in(&server, "ada");
    let id = me(&server, &mut browser)["id"].as_str().expect("an id").to_owned();
    let data = server.kill();
    let user = |word: &str, rest: &[&str]| {
        let done = quire()
            .args(["user", word, "--data"])
            .arg(data.path())
            .args(rest)
            .stdin(Stdio::null())
            .output()
            .expect("the binary can be started");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("UTF-8")
    };
    let listed = user("list", &[]);
    assert!(listed.contains(&format!("{id}\t{}\tada@example.org\tAda\t", provider.address)), "{listed}");
    user("disable", &[&id]);
    let server = of(Launch::on(data), &provider).start();
    sign_in(&server, "ada").1.expect_problem(403, "forbidden");
    assert_eq!(browser.refresh_at(&server).status, 401);
    assert_eq!(sign_in(&server, "bob").1.status, 302);
}

#[test]
fn while_the_provider_is_down_others_sign_in_and_it_is_found_again() {
    let provider = provider();
    provider.kill();
    let server = believing(&provider).with("QUIRE_REGISTRATION", "open").start();
    let mut browser = Browser::of(&server);
    browser.ask(LINK).expect_problem(503, "unavailable");
    let rest = Rest::of(&server);
    let own = json!({ "email": "eve@example.org", "password": "correct horse" });
    rest.post("/v1/auth/register", &own).expect(202);
    rest.post("/v1/auth/login", &own).expect(200);
    provider.resume();
    let deadline = Instant::now() + PATIENCE;
    while browser.ask(LINK).status != 302 {
        assert!(Instant::now() < deadline, "it is not found again");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(sign_in(&server, "ada").1.status, 302);
    // Gone while somebody is there.
    let back = browser.sign_in_there(LINK, "bob");
    provider.kill();
    browser.ask(&back).expect_problem(503, "unavailable");
}

#[test]
fn sign_ins_are_recorded_and_no_secret_is_in_the_log() {
    let provider = provider();
    let server = believing(&provider).with("QUIRE_LOG", "debug").start();
    let (mut browser, _) = sign_in(&server, "ada");
    let id = me(&server, &mut browser)["id"].clone();
    // Somebody whom the provider does not know yet: others it sends back without a question.
    let mut another = Browser::of(&server);
    let back = another.turn_back_there(LINK);
    another.ask(&back).expect_problem(403, "forbidden");
    let deadline = Instant::now() + PATIENCE;
    let records = loop {
        let asked =
            call(&Rest::of(&server), &admin_token("root"), "GET", "/v1/admin/audit?action=auth.oidc", None);
        let records = asked.expect(200).json()["records"].as_array().expect("a list").clone();
        if records.len() == 2 {
            break records;
        }
        assert!(Instant::now() < deadline, "{records:?}");
        thread::sleep(Duration::from_millis(50));
    };
    let told: Vec<_> = records.iter().map(|one| (&one["subject"], &one["outcome"], &one["actor"])).collect();
    let subject = json!("provider:real");
    assert_eq!(told[0], (&subject, &json!("refused"), &json!("-")));
    assert_eq!(told[1], (&subject, &json!("done"), &id));
    let log = std::fs::read_to_string(server.data().beside("server.log")).expect("there is a log");
    for secret in ["quire-test-secret", "code=", &parameter(&back, "state")] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn settings_that_cannot_be_are_told_with_a_sentence() {
    let check = |variables: &[(&str, &str)]| {
        let done = Command::new(env!("CARGO_BIN_EXE_quire"))
            .args(["config", "check"])
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the binary can be started");
        (done.status.success(), String::from_utf8(done.stderr).expect("UTF-8"))
    };
    let issuer = ("QUIRE_OIDC_A_ISSUER", "https://id.example");
    let (id, secret) = (("QUIRE_OIDC_A_CLIENT_ID", "q"), ("QUIRE_OIDC_A_CLIENT_SECRET", "hush-hush"));
    let public = ("QUIRE_PUBLIC_URL", "https://docs.example");
    for (variables, wanted) in [
        (&[issuer, id, secret][..], "--public-url is missing"),
        (&[issuer, public, secret], "[oidc.a]: client_id is missing"),
        (
            &[("QUIRE_OIDC_A_ISSUER", "http://id.example"), id, public],
            "the issuer is reached by https:// alone",
        ),
        (&[issuer, id, ("QUIRE_PUBLIC_URL", "http://docs.example")], "--public-url has to be https://"),
        (
            &[issuer, id, public, ("QUIRE_OIDC_A_CREATE", "maybe")],
            "QUIRE_OIDC_A_CREATE: \"maybe\" is not on|off",
        ),
        (&[issuer, id, public, ("QUIRE_OIDC_A_CLIENTID", "q")], "is QUIRE_OIDC_A_CLIENT_ID meant?"),
    ] {
        let (good, told) = check(variables);
        assert!(!good && told.contains(wanted), "{wanted}: {told}");
        assert!(!told.contains("hush-hush"), "{told}");
    }
    let (good, told) = check(&[issuer, id, public, secret]);
    assert!(good, "{told}");
    // A secret from a file, and a setting in one, shown with where they come from.
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"hush-hush\n").expect("room");
    let shown = Command::new(env!("CARGO_BIN_EXE_quire"))
        .args(["config", "show"])
        .env_clear()
        .env("QUIRE_OIDC_A_CLIENT_SECRET_FILE", file.path())
        .env("QUIRE_OIDC_A_DOMAINS", "a.example,b.example")
        .output()
        .expect("the binary can be started");
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(shown.contains("# oidc_a_client_secret = ***  # QUIRE_OIDC_A_CLIENT_SECRET_FILE"), "{shown}");
    assert!(
        shown.contains(r#"oidc_a_domains = ["a.example", "b.example"]  # QUIRE_OIDC_A_DOMAINS"#),
        "{shown}"
    );
}
