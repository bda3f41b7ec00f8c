//! Who has done what: recorded with actor, subject and outcome, and shown to administrators alone.

use serde_json::{Value, json};

use crate::client::TestClient;
use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::{admin_token, call, knows_tokens, token};

/// The records of a query as `action subject outcome actor`, the oldest first, once there are so many.
fn records(server: &TestServer, query: &str, count: usize) -> Vec<String> {
    let rest = Rest::of(server);
    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    loop {
        let page = call(&rest, &admin_token("root"), "GET", &format!("/v1/admin/audit?{query}"), None)
            .expect(200)
            .json();
        let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let all = page["records"].as_array().expect("a list").iter().rev();
        let told: Vec<_> = all
            .map(|record| ["action", "subject", "outcome", "actor"].map(|name| text(record, name)).join(" "))
            .collect();
        if told.len() >= count || std::time::Instant::now() > deadline {
            return told;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn what_happens_to_a_document_is_recorded_with_who_did_it() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let (ada, bob) = (token("ada"), token("bob"));
    let new = json!({ "id": "minutes", "content": [{ "insert": "x\n" }] });
    call(&rest, &ada, "POST", "/v1/docs", Some(&new)).expect(201);
    call(&rest, &bob, "GET", "/v1/docs/minutes/content", None).expect(200);
    call(&rest, &bob, "GET", "/v1/docs/minutes/content?format=text", None).expect(200);
    let _session = TestClient::join(&server, "minutes");
    call(&rest, &bob, "DELETE", "/v1/docs/minutes?purge=true", None).expect(403);
    call(&rest, &ada, "PATCH", "/v1/docs/minutes", Some(&json!({ "archived": true }))).expect(200);
    call(&rest, &ada, "DELETE", "/v1/docs/minutes?purge=true", None).expect(204);
    let told = records(&server, "subject=doc:minutes", 6);
    let expected = [
        "doc.create doc:minutes done ada",
        "doc.read doc:minutes done bob",
        "doc.open doc:minutes done guest:rest",
        "doc.purge doc:minutes refused bob",
        "doc.change doc:minutes done ada",
        "doc.purge doc:minutes done ada",
    ];
    assert_eq!(told, expected);
    assert_eq!(records(&server, "subject=doc:minutes&actor=ada&action=doc.change", 1), [expected[4]]);
}

#[test]
fn another_spelling_of_an_address_is_recorded_as_what_it_is() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    let ada = token("ada");
    call(&rest, &ada, "POST", "/v1/docs", Some(&json!({ "id": "minutes" }))).expect(201);
    let role = json!({ "role": "owner" });
    call(&rest, &ada, "PUT", "/v1/%64ocs/minutes/%70ermissions/eve", Some(&role)).expect(200);
    call(&rest, &ada, "DELETE", "/v1/docs/%6dinutes?%70urge=true", None).expect(204);
    let told = records(&server, "subject=doc:minutes", 3);
    assert_eq!(told[1..], ["doc.share doc:minutes done ada", "doc.purge doc:minutes done ada"]);
    call(&rest, &admin_token("root"), "GET", "/v1/%61dmin/audit", None).expect(200);
    assert!(records(&server, "action=admin.", 1)[0].ends_with("done root"));
}

#[test]
fn knocks_of_nobody_in_particular_leave_no_records() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    for n in 0..20 {
        rest.call("DELETE", &format!("/v1/auth/sessions/{n}"), &[], None);
        rest.call("POST", "/v1/auth/totp", &[], Some("{}".to_owned()));
    }
    call(&rest, &token("ada"), "POST", "/v1/docs", Some(&json!({ "id": "last" }))).expect(201);
    records(&server, "subject=doc:last", 1);
    assert_eq!(records(&server, "action=auth.", 0), Vec::<String>::new());
}

#[test]
fn the_audit_log_is_for_administrators_and_reading_it_is_recorded() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    rest.get("/v1/admin/audit").expect_problem(401, "unauthorized");
    call(&rest, &token("ada"), "GET", "/v1/admin/audit", None).expect_problem(403, "forbidden");
    call(&rest, &admin_token("root"), "GET", "/v1/admin/audit", None).expect(200);
    let told = records(&server, "action=admin.", 3);
    let refused = ["guest:rest", "ada"].map(|who| format!("admin.audit  refused {who}"));
    assert_eq!(told[..2], refused);
    assert_eq!(told[2], "admin.audit  done root");
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    let server = knows_tokens();
    let rest = Rest::of(&server);
    for n in 0..7 {
        let new = json!({ "id": format!("doc-{n}") });
        call(&rest, &token("ada"), "POST", "/v1/docs", Some(&new)).expect(201);
    }
    records(&server, "action=doc.", 7);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/admin/audit?action=doc.&limit=3{cursor}");
        let page = call(&rest, &admin_token("root"), "GET", &path, None).expect(200).json();
        let records = page["records"].as_array().expect("a list");
        seen.extend(records.iter().map(|record| record["subject"].as_str().expect("text").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<_> = (0..7).rev().map(|n| format!("doc:doc-{n}")).collect();
    assert_eq!(seen, expected);
    call(&rest, &admin_token("root"), "GET", "/v1/admin/audit?cursor=x", None)
        .expect_problem(400, "bad_request");
}

#[test]
fn without_access_only_changes_are_recorded() {
    let server = Launch::new()
        .with("QUIRE_JWT_SECRET", crate::signed_in::SECRET)
        .with("QUIRE_AUDIT_ACCESS", "off")
        .start();
    let rest = Rest::of(&server);
    let doc = rest.create(&json!([{ "insert": "x\n" }]));
    rest.text(&doc);
    rest.delete(&format!("/v1/docs/{doc}")).expect(204);
    let told = records(&server, &format!("subject=doc:{doc}"), 2);
    assert_eq!(told, ["doc.create", "doc.trash"].map(|action| format!("{action} doc:{doc} done guest:rest")));
}

#[test]
fn a_sign_in_that_fails_is_recorded_with_the_account_that_was_meant() {
    let server = Launch::new()
        .with("QUIRE_JWT_SECRET", crate::signed_in::SECRET)
        .with("QUIRE_REGISTRATION", "open")
        .start();
    let rest = Rest::of(&server);
    let as_one = |email: &str, password: &str| json!({ "email": email, "password": password });
    rest.post("/v1/auth/register", &as_one("ada@example.org", "correct horse")).expect(202);
    let signed_in =
        rest.post("/v1/auth/login", &as_one("ada@example.org", "correct horse")).expect(200).json();
    let id = signed_in["user"]["id"].as_str().expect("an id");
    rest.post("/v1/auth/login", &as_one("Ada@example.org", "wrong horse")).expect(401);
    rest.post("/v1/auth/login", &as_one("correct horse", "wrong horse")).expect(401);
    let told = records(&server, "action=auth.login", 3);
    let failed = [format!("auth.login user:{id} refused -"), "auth.login  refused -".to_owned()];
    assert_eq!(told[0], format!("auth.login  done {id}"));
    assert_eq!(told[1..], failed, "what was typed in place of an address may be a password");
}
