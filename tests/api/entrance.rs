//! What pages need to show people the way in, and who they are afterwards.

use serde_json::{Value, json};

use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::call;

const PASSWORD: &str = "correct horse";

fn open_to_all() -> TestServer {
    Launch::new().with("QUIRE_REGISTRATION", "open").start()
}

/// Somebody new: access token and id.
fn newcomer(rest: &Rest, email: &str) -> (String, String) {
    let body = json!({ "email": email, "password": PASSWORD });
    rest.post("/v1/auth/register", &body).expect(202);
    let signed_in = rest.post("/v1/auth/login", &body).expect(200).json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&signed_in["access_token"]), text(&signed_in["user"]["id"]))
}

#[test]
fn a_stranger_is_told_what_the_server_is_open_for() {
    let alone = TestServer::start();
    let told = Rest::of(&alone).get("/v1/auth").expect(200).json();
    let everybody = json!({
        "sign_in": false, "registration": false, "guests": true, "guests_create": true, "link_role": "editor",
        "remembered": false,
    });
    assert_eq!(told, everybody);

    let closed = Launch::new().with("QUIRE_GUESTS", "off").with("QUIRE_REGISTRATION", "open").start();
    let told = Rest::of(&closed).get("/v1/auth").expect(200).json();
    let nobody = json!({
        "sign_in": true, "registration": true, "guests": false, "guests_create": false, "link_role": null,
        "remembered": false,
    });
    assert_eq!(told, nobody);
}

#[test]
fn a_cookie_is_told_of_until_it_is_found_to_be_of_no_use() {
    let server = open_to_all();
    let rest = Rest::of(&server);
    newcomer(&rest, "ada@example.org");
    let body = json!({ "email": "ada@example.org", "password": PASSWORD, "cookie": true });
    let answer = rest.post("/v1/auth/login", &body).expect(200);
    let cookie = answer.header("set-cookie").split(';').next().expect("a pair").to_owned();
    let own = format!("http://{}", server.address());
    let headers = [("cookie", &*cookie), ("origin", &*own)];
    let remembered =
        || rest.call("GET", "/v1/auth", &headers[..1], None).expect(200).json()["remembered"].clone();
    assert_eq!(remembered(), json!(true));
    let refresh = || rest.call("POST", "/v1/auth/refresh", &headers, Some("{}".into()));
    assert!(refresh().expect(200).header("set-cookie").starts_with("quire_refresh=qr_"));
    // The same one again is not good, and the browser is told to forget it.
    let refused = refresh().expect_problem(401, "unauthorized");
    assert!(refused.header("set-cookie").starts_with("quire_refresh=; Path=/v1/auth; Max-Age=0;"));
}

#[test]
fn somebody_takes_another_name_and_is_known_by_it() {
    let server = open_to_all();
    let rest = Rest::of(&server);
    let ((ada, _), (ben, ben_id)) = (newcomer(&rest, "ada@example.org"), newcomer(&rest, "ben@example.org"));
    let rename =
        |token: &str, name: Value| call(&rest, token, "PATCH", "/v1/auth/me", Some(&json!({ "name": name })));
    rename(&ben, json!(" \n ")).expect_problem(400, "bad_request");
    rename(&ben, Value::Null).expect_problem(400, "bad_request");
    rest.patch("/v1/auth/me", &json!({ "name": "Eve" })).expect_problem(401, "unauthorized");
    assert_eq!(rename(&ben, json!(" Ben Okafor\n")).expect(200).json()["name"], "Ben Okafor");
    let body = json!({ "email": "ben@example.org", "password": PASSWORD });
    let again = rest.post("/v1/auth/login", &body).expect(200).json();
    let me = call(&rest, again["access_token"].as_str().expect("a token"), "GET", "/v1/auth/me", None);
    let me = me.expect(200).json();
    assert_eq!((&me["name"], &me["password"]), (&json!("Ben Okafor"), &json!(true)));

    // Whoever shares a document sees with whom.
    let doc = call(&rest, &ada, "POST", "/v1/docs", Some(&json!({}))).expect(201).json();
    let path = format!("/v1/docs/{}/permissions", doc["id"].as_str().expect("an id"));
    let grant = |subject: &str| {
        let body = json!({ "role": "viewer" });
        call(&rest, &ada, "PUT", &format!("{path}/{subject}"), Some(&body)).expect(200);
    };
    grant(&ben_id);
    grant("usr_nobody");
    let list = call(&rest, &ada, "GET", &path, None).expect(200).json();
    assert_eq!(list["owner_name"], "ada");
    let names: Vec<_> =
        list["permissions"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert!(names.contains(&&json!("Ben Okafor")) && names.contains(&&Value::Null), "{list}");
}

#[test]
fn a_cookie_goes_over_tls_alone_where_a_gateway_that_is_believed_says_that_there_is_tls() {
    for (believed, secure) in [("127.0.0.0/8", true), ("192.0.2.1", false)] {
        let server =
            Launch::new().with("QUIRE_REGISTRATION", "open").with("QUIRE_TRUSTED_PROXIES", believed).start();
        let rest = Rest::of(&server);
        newcomer(&rest, "ada@example.org");
        let body = json!({ "email": "ada@example.org", "password": PASSWORD, "cookie": true });
        let by_tls = [("x-forwarded-proto", "https")];
        let answer = rest.call("POST", "/v1/auth/login", &by_tls, Some(body.to_string())).expect(200);
        let set = answer.header("set-cookie").to_owned();
        assert_eq!(
            (set.starts_with("__Secure-quire_refresh="), set.ends_with("; Secure")),
            (secure, secure),
            "{set}"
        );
        let cookie = set.split(';').next().expect("a pair").to_owned();
        let own = format!("http://{}", server.address());
        let headers = [by_tls[0], ("cookie", &*cookie), ("origin", &*own)];
        rest.call("POST", "/v1/auth/refresh", &headers, Some("{}".to_owned())).expect(200);
    }
}
