//! A provider that lies: it says whatever a test has it say.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::browser::{Browser, PUBLIC, Page, parameter};
use crate::harness::{Launch, TestServer};
use crate::rest::Rest;
use crate::signed_in::{call, in_seconds};

const SECRET: &str = "a client's secret of thirty-two bytes";

/// What it does when it is asked for tokens.
#[derive(Clone)]
enum Exchange {
    /// Answers with this ID token, if any.
    Token(Option<String>),
    /// Sends whoever asks elsewhere.
    Redirect,
}

struct Liar {
    issuer: String,
    exchange: Arc<Mutex<Exchange>>,
    /// The forms that came with codes.
    asked: Arc<Mutex<Vec<String>>>,
    /// The keys that it publishes.
    keys: Arc<Mutex<Vec<Value>>>,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn jwk(kid: &str, seed: u8) -> Value {
    let x = BASE64URL_NOPAD.encode(&key(seed).verifying_key().to_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x })
}

fn signed(kid: &str, seed: u8, claims: &Value) -> String {
    // PKCS #8 of an Ed25519 key (RFC 8410 section 7).
    let head =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let pkcs8 = [&head[..], &[seed; 32]].concat();
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, &EncodingKey::from_ed_der(&pkcs8)).expect("claims are JSON")
}

impl Liar {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let exchange = Arc::new(Mutex::new(Exchange::Token(None)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        // The client's secret among the public keys: a confusion that some make by mistake.
        let shared = json!({ "kty": "oct", "kid": "shared", "k": BASE64URL_NOPAD.encode(SECRET.as_bytes()) });
        let keys = Arc::new(Mutex::new(vec![jwk("one", 1), shared]));
        let liar = Self { issuer, exchange, asked, keys };
        let (issuer, exchange, asked, keys) =
            (liar.issuer.clone(), liar.exchange.clone(), liar.asked.clone(), liar.keys.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some((path, body)) = read(&stream) else { continue };
                let answer = match path.as_str() {
                    "/.well-known/openid-configuration" => Some(json!({
                        "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
                        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
                        "response_types_supported": ["code"], "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
                    })),
                    "/jwks" => Some(json!({ "keys": *keys.lock().expect("not poisoned") })),
                    "/token" => {
                        asked.lock().expect("not poisoned").push(body);
                        match exchange.lock().expect("not poisoned").clone() {
                            Exchange::Token(token) => Some(json!({
                                "access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": token,
                            })),
                            Exchange::Redirect => None,
                        }
                    }
                    _ => Some(json!({})),
                };
                write(&stream, answer.as_ref());
            }
        });
        liar
    }

    /// A server that believes in it.
    fn believed(&self) -> TestServer {
        Launch::new()
            .with("QUIRE_PUBLIC_URL", PUBLIC)
            .with("QUIRE_OIDC_LIAR_ISSUER", &self.issuer)
            .with("QUIRE_OIDC_LIAR_CLIENT_ID", "quire")
            .with("QUIRE_OIDC_LIAR_CLIENT_SECRET", SECRET)
            .with("QUIRE_OIDC_LIAR_ADMIN_CLAIM", "groups=ops")
            .start()
    }

    /// What a good ID token says.
    fn claims(&self, nonce: &str) -> Value {
        json!({
            "iss": self.issuer, "aud": "quire", "sub": "mallory", "exp": in_seconds(60), "iat": in_seconds(0),
            "nonce": nonce, "name": "Mallory", "email": "mallory@example.org", "groups": ["users", "ops"],
        })
    }

    fn say(&self, exchange: Exchange) {
        *self.exchange.lock().expect("not poisoned") = exchange;
    }
}

/// Path and body of a request.
fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, String::from_utf8(body).ok()?))
}

/// Answers with JSON, or sends elsewhere.
fn write(mut stream: &TcpStream, answer: Option<&Value>) {
    let text = match answer {
        Some(json) => {
            let body = json.to_string();
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        }
        None => "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_owned(),
    };
    // Whoever has gone hears nothing.
    let _ = stream.write_all(text.as_bytes());
}

/// A sign-in that was begun, and may be ended.
struct Begun {
    browser: Browser,
    nonce: String,
    state: String,
    challenge: String,
}

impl Begun {
    fn at(server: &TestServer) -> Self {
        let mut browser = Browser::of(server);
        let begun = browser.ask("/v1/auth/oidc/liar?to=/d/x");
        assert_eq!(begun.status, 302, "{}", begun.body);
        let of = |name| parameter(&begun.location, name);
        let (nonce, state, challenge) = (of("nonce"), of("state"), of("code_challenge"));
        assert_eq!(of("code_challenge_method"), "S256");
        Self { browser, nonce, state, challenge }
    }

    fn end(&mut self) -> Page {
        self.browser.ask(&format!("/v1/auth/oidc/liar/callback?code=c&state={}", self.state))
    }
}

fn changed(claims: &Value, member: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    match value {
        Value::Null => drop(claims.as_object_mut().expect("an object").remove(member)),
        value => claims[member] = value,
    }
    claims
}

#[test]
fn a_good_token_signs_in_and_its_claim_makes_an_administrator() {
    let liar = Liar::start();
    let server = liar.believed();
    let me = |groups: &Value| {
        let mut begun = Begun::at(&server);
        liar.say(Exchange::Token(Some(signed(
            "one",
            1,
            &changed(&liar.claims(&begun.nonce), "groups", groups.clone()),
        ))));
        let done = begun.end();
        assert_eq!((done.status, &*done.location), (302, "http://127.0.0.1:9/d/x"), "{}", done.body);
        // The code is bound to who has begun (PKCE): what was sent first is the hash of what is sent now.
        let form = liar.asked.lock().expect("not poisoned").pop().expect("it was asked");
        let verifier = parameter(&format!("?{form}"), "code_verifier");
        let hash = <sha2::Sha256 as sha2::Digest>::digest(verifier.as_bytes());
        assert_eq!(BASE64URL_NOPAD.encode(&hash), begun.challenge);
        let signed_in = begun.browser.refresh().json();
        let access = signed_in["access_token"].as_str().expect("a token").to_owned();
        call(&Rest::of(&server), &access, "GET", "/v1/auth/me", None).expect(200).json()
    };
    let first = me(&json!(["users", "ops"]));
    assert_eq!((&first["name"], &first["admin"]), (&json!("Mallory"), &json!(true)));
    let second = me(&json!(["users"]));
    assert_eq!((&second["id"], &second["admin"]), (&first["id"], &json!(false)));
}

#[test]
fn no_token_that_proves_nothing_is_believed() {
    let liar = Liar::start();
    let server = liar.believed();
    let hmac = |kid: &str, claims: &Value| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("claims are JSON")
    };
    type Forge<'a> = Box<dyn Fn(&Value) -> Option<String> + 'a>;
    let says = |member: &'static str, value: Value| -> Forge<'static> {
        Box::new(move |claims| Some(signed("one", 1, &changed(claims, member, value.clone()))))
    };
    let cases: Vec<(&str, Forge<'_>)> = vec![
        ("there is none", Box::new(|_| None)),
        ("it is none", Box::new(|_| Some("x".to_owned()))),
        ("it is for another", says("aud", json!("another"))),
        ("it is for another, too", says("aud", json!(["quire", "another"]))),
        ("it is for nobody", says("aud", Value::Null)),
        ("it was made for another", says("azp", json!("another"))),
        ("its issuer is another", says("iss", json!("https://accounts.google.com"))),
        ("its issuer is nobody", says("iss", Value::Null)),
        ("it has expired", says("exp", json!(in_seconds(0) - 1))),
        ("it never ends", says("exp", Value::Null)),
        ("it is of another sign-in", says("nonce", json!("another"))),
        ("it is of no sign-in", says("nonce", Value::Null)),
        ("it names nobody", says("sub", json!(""))),
        ("it has no name", says("sub", Value::Null)),
        ("its access token is another", says("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))),
        ("another has signed it", Box::new(|claims| Some(signed("one", 2, claims)))),
        ("its key is not published", Box::new(|claims| Some(signed("two", 2, claims)))),
        ("it is signed with the secret", Box::new(|claims| Some(hmac("one", claims)))),
        ("it is signed with the secret as a key", Box::new(|claims| Some(hmac("shared", claims)))),
        (
            "nobody has signed it",
            Box::new(|claims| {
                let head = BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"one"}"#);
                Some(format!("{head}.{}.", BASE64URL_NOPAD.encode(claims.to_string().as_bytes())))
            }),
        ),
        (
            "its signature is of other claims",
            Box::new(|claims| {
                let good = signed("one", 1, claims);
                let other = signed("one", 1, &changed(claims, "sub", json!("ada")));
                let body = other.split('.').nth(1)?.to_owned();
                let parts: Vec<_> = good.split('.').collect();
                Some(format!("{}.{body}.{}", parts[0], parts[2]))
            }),
        ),
    ];
    for (why, forge) in cases {
        let mut begun = Begun::at(&server);
        liar.say(Exchange::Token(forge(&liar.claims(&begun.nonce))));
        let refused = begun.end();
        // What cannot be read at all is as bad as no answer.
        assert!([401, 503].contains(&refused.status), "{why}: {} {}", refused.status, refused.body);
        assert!(refused.set_cookies.is_empty(), "{why}");
        assert_eq!(begun.browser.refresh().status, 401, "{why}");
    }
}

#[test]
fn a_code_is_not_sent_where_the_provider_redirects() {
    let liar = Liar::start();
    let server = liar.believed();
    let mut begun = Begun::at(&server);
    liar.say(Exchange::Redirect);
    begun.end().expect_problem(503, "unavailable");
    assert_eq!(liar.asked.lock().expect("not poisoned").len(), 1);
}

#[test]
fn keys_that_are_new_are_looked_for() {
    let liar = Liar::start();
    let server = liar.believed();
    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    // The old one is known by now.
    drop(Begun::at(&server));
    *liar.keys.lock().expect("not poisoned") = vec![jwk("two", 2)];
    loop {
        let mut begun = Begun::at(&server);
        liar.say(Exchange::Token(Some(signed("two", 2, &liar.claims(&begun.nonce)))));
        match begun.end().status {
            302 => break,
            // Not more often than every other second.
            other => assert!(other == 401 && std::time::Instant::now() < deadline, "{other}"),
        }
        thread::sleep(std::time::Duration::from_millis(500));
    }
}
