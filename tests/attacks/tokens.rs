//! Tokens that nobody has issued, over every route.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::harness::{Launch, TestServer};
use crate::raw::{handshake_headers, request};
use crate::rest::Rest;
use crate::routes::{Call, guarded};
use crate::signed_in::{SECRET, call, in_seconds, token, token_until};

fn signed(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).expect("claims are JSON")
}

/// Head, claims and signature of a token.
fn parts(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("a token has three parts")
}

/// What is wrong with each, and the token.
fn forged() -> Vec<(&'static str, String)> {
    let claims = json!({ "sub": "ada", "exp": in_seconds(3_600), "admin": true });
    let good = token("ada");
    let [head, body, signature] = parts(&good);
    let [_, other_body, _] = parts(&token("eve"));
    // {"alg":"none"}, {"alg":"None","typ":"JWT"}
    let unsigned = ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0"];
    vec![
        ("it has expired", token_until("ada", in_seconds(0) - 10)),
        ("the key is another", signed(Algorithm::HS256, b"another secret of more than 32 bytes", &claims)),
        ("the key is empty", signed(Algorithm::HS256, b"", &claims)),
        ("the algorithm is another", signed(Algorithm::HS384, SECRET.as_bytes(), &claims)),
        ("it is signed by nobody", format!("{}.{body}.", unsigned[0])),
        ("nor is this", format!("{}.{body}.", unsigned[1])),
        ("nor is this, though it has a signature", format!("{}.{body}.{signature}", unsigned[0])),
        ("the signature is missing", format!("{head}.{body}.")),
        ("the signature is another's", format!("{head}.{other_body}.{signature}")),
        ("it is cut off", good[..good.len() - 1].to_owned()),
        (
            "it is not valid yet",
            signed(
                Algorithm::HS256,
                SECRET.as_bytes(),
                &json!({ "sub": "ada", "exp": in_seconds(9_999), "nbf": in_seconds(999) }),
            ),
        ),
        ("it never ends", signed(Algorithm::HS256, SECRET.as_bytes(), &json!({ "sub": "ada" }))),
        (
            "it is for nobody",
            signed(Algorithm::HS256, SECRET.as_bytes(), &json!({ "exp": in_seconds(3_600) })),
        ),
        (
            "it is for a guest",
            signed(
                Algorithm::HS256,
                SECRET.as_bytes(),
                &json!({ "sub": "guest:rest", "exp": in_seconds(3_600) }),
            ),
        ),
        ("it is none", "x".repeat(5_000)),
    ]
}

/// Calls a route and fails unless it is refused for who calls; what it told, but for the words.
fn refused(rest: &Rest, route: &Call, doc: &str, headers: &[(&str, &str)], why: &str) -> Value {
    let answer = rest.call(&route.method, &route.of(doc), headers, route.body.map(str::to_owned));
    let missed = route.asks_for_more() && [400, 404].contains(&answer.status);
    assert!(answer.status == 401 || missed, "{route:?} answers {}: {why}", answer.status);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{route:?}");
    let mut told = answer.json();
    told.as_object_mut().expect("an object").remove("detail");
    told
}

fn server(guests: &str) -> TestServer {
    Launch::new().with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_GUESTS", guests).start()
}

#[test]
fn no_route_takes_a_token_that_nobody_has_issued() {
    // A bad token is refused even where none is needed.
    for guests in ["on", "off"] {
        let server = server(guests);
        let rest = Rest::of(&server);
        let made =
            call(&rest, &token("ada"), "POST", "/v1/docs", Some(&json!({ "id": "d" }))).expect(201).json();
        for (why, forged) in forged() {
            let authorization = format!("Bearer {forged}");
            for route in guarded() {
                refused(&rest, &route, "d", &[("authorization", &authorization)], why);
            }
            for (name, value) in [
                ("Authorization", format!("Bearer {forged}")),
                ("Sec-WebSocket-Protocol", format!("quire.v1, bearer.{forged}")),
            ] {
                let mut headers = handshake_headers(server.address());
                headers.retain(|(known, _)| *known != name);
                headers.push((name, value));
                let (head, _) = request(server.address(), "GET /v1/collab/d", &headers);
                assert_eq!(head.status, 401, "{name}: {why}");
            }
        }
        // Nothing of it has had any effect.
        let after = call(&rest, &token("ada"), "GET", "/v1/docs/d", None).expect(200).json();
        assert_eq!(after["metadata"]["version"], made["version"]);
        assert_eq!(after["metadata"]["title"], made["title"]);
        let log = std::fs::read_to_string(server.data().beside("server.log")).expect("there is a log");
        assert!(!log.contains(&token("ada")[..40]) && !log.contains(SECRET), "secrets are in the log");
    }
}

#[test]
fn the_administration_answers_administrators_alone() {
    let server = server("on");
    let rest = Rest::of(&server);
    call(&rest, &token("ada"), "POST", "/v1/docs", Some(&json!({ "id": "d" }))).expect(201);
    let routes: Vec<_> =
        guarded().into_iter().filter(|route| route.of("d").starts_with("/v1/admin")).collect();
    assert!(routes.len() >= 15, "{routes:?}");
    let authorization = format!("Bearer {}", token("ada"));
    for route in routes {
        for (headers, status) in [(&[][..], 401), (&[("authorization", &*authorization)][..], 403)] {
            let answer = rest.call(&route.method, &route.of("d"), headers, route.body.map(str::to_owned));
            assert_eq!(answer.status, status, "{route:?}");
        }
    }
}

#[test]
fn without_a_token_no_route_tells_anything_where_guests_are_not_let_in() {
    let server = server("off");
    let rest = Rest::of(&server);
    call(&rest, &token("ada"), "POST", "/v1/docs", Some(&json!({ "id": "d" }))).expect(201);
    for route in guarded() {
        // Nor whether a document is there.
        let told = ["d", "none"].map(|doc| refused(&rest, &route, doc, &[], "there is no token"));
        assert_eq!(told[0], told[1], "{route:?}");
    }
}
