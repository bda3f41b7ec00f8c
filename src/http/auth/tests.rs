use actix_web::http::header::{HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

use super::*;
use crate::actors::clock::Clock;
use crate::auth::mail::LogMailer;
use crate::auth::{Auth, Expected, Settings};
use crate::http::origin::Origins;
use crate::protocol::MAX_INTEGER;

const SECRET: &str = "a secret of at least 32 bytes, for tests only";

fn security(secret: Option<&str>, guests: bool) -> Security {
    let origins = Origins::new([127, 0, 0, 1].into(), &[], &[]).unwrap();
    let settings = Settings {
        secret: secret.map(str::to_owned),
        expected: Expected::default(),
        foreign: None,
        mailer: Arc::new(LogMailer),
        key_period: std::time::Duration::from_hours(24),
        registration: false,
        public_url: None,
        oidc: None,
    };
    let opened = futures_util::FutureExt::now_or_never(Auth::open(settings, None, Clock::system()));
    let (auth, _) = opened.expect("nothing is waited for").unwrap();
    Security {
        documents_per_user: None,
        origins,
        auth,
        guests,
        guests_create: true,
        secure_cookies: false,
        proxies: Default::default(),
        hsts: None,
    }
}

fn token_with(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn token(claims: &Value) -> String {
    token_with(Algorithm::HS256, SECRET, claims)
}

fn in_an_hour() -> u64 {
    get_current_timestamp() + 3_600
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
    pairs.collect()
}

fn with_header(secret: Option<&str>, value: &str) -> Result<Caller, Problem> {
    authenticate(&security(secret, true), &headers(&[(AUTHORIZATION, value)]))
}

#[test]
fn absent_is_a_guest_unless_guests_are_off() {
    assert_eq!(authenticate(&security(None, true), &HeaderMap::new()).unwrap(), Caller::guest());
    let problem = authenticate(&security(Some(SECRET), false), &HeaderMap::new()).unwrap_err();
    assert_eq!(problem.refusal().code, ErrorCode::Unauthorized);
    assert_eq!(Caller::guest().author(), UserId::guest_rest());
}

#[test]
fn a_good_token_names_its_user() {
    let exp = in_an_hour();
    let good = token(&json!({"sub": "ada", "exp": exp, "name": " Ada\n ", "aud": "quire"}));
    let caller = with_header(Some(SECRET), &format!("bearer {good}")).unwrap();
    assert_eq!(caller.author(), UserId("ada".into()));
    assert_eq!(caller.name.as_deref(), Some("Ada"));
    assert_eq!(caller.expires_at, Some(exp as Millis * 1_000));
    let offered = headers(&[(SEC_WEBSOCKET_PROTOCOL, &format!("quire.v1, bearer.{good}"))]);
    assert_eq!(authenticate(&security(Some(SECRET), false), &offered).unwrap(), caller);
}

#[test]
fn the_end_of_a_token_is_a_number_that_every_client_can_hold() {
    for exp in [json!(1e18), json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740.992)] {
        let caller =
            with_header(Some(SECRET), &format!("Bearer {}", token(&json!({"sub": "ada", "exp": exp}))));
        assert_eq!(caller.unwrap().expires_at, Some(MAX_INTEGER as Millis), "{exp}");
    }
}

#[test]
fn a_bad_token_is_refused_even_where_guests_are_let_in() {
    let exp = in_an_hour();
    let bad = [
        token(&json!({"sub": "ada", "exp": get_current_timestamp() - 1})),
        token(&json!({"sub": "ada", "exp": exp, "nbf": exp})),
        token(&json!({"sub": "ada"})),
        token(&json!({"exp": exp})),
        token(&json!({"sub": "", "exp": exp})),
        token(&json!({"sub": "guest:rest", "exp": exp})),
        // One of this server's own users.
        token(&json!({"sub": "usr_0123", "exp": exp})),
        token(&json!({"sub": "a\nb", "exp": exp})),
        token_with(Algorithm::HS384, SECRET, &json!({"sub": "ada", "exp": exp})),
        token_with(Algorithm::HS256, "another secret", &json!({"sub": "ada", "exp": exp})),
        // {"alg":"none"} with an empty signature
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.".to_owned(),
        "rubbish".to_owned(),
        String::new(),
    ];
    for bad in bad {
        let problem = with_header(Some(SECRET), &format!("Bearer {bad}")).expect_err(&bad);
        assert_eq!(problem.refusal().code, ErrorCode::Unauthorized, "{bad}");
    }
}

#[test]
fn without_a_secret_every_token_is_refused() {
    let good = token(&json!({"sub": "ada", "exp": in_an_hour()}));
    for secret in [None, Some("")] {
        assert!(with_header(secret, &format!("Bearer {good}")).is_err());
    }
}

#[test]
fn other_credentials_are_not_taken_for_none() {
    for value in ["Basic YTpi", "Bearer", ""] {
        assert!(with_header(Some(SECRET), value).is_err(), "{value}");
    }
    let one = token(&json!({"sub": "ada", "exp": in_an_hour()}));
    let other = token(&json!({"sub": "eve", "exp": in_an_hour()}));
    let both = headers(&[
        (AUTHORIZATION, &format!("Bearer {one}")),
        (SEC_WEBSOCKET_PROTOCOL, &format!("quire.v1, bearer.{other}")),
    ]);
    assert!(authenticate(&security(Some(SECRET), true), &both).is_err());
}

#[test]
fn a_scope_is_a_limit_whoever_the_user_is() {
    let with = |scopes: &str| Caller { scopes: Some(Scopes::parse(scopes).unwrap()), ..Caller::guest() };
    let passes = |scopes: &str, method: &Method, path: &str| with(scopes).check_scope(method, path).is_ok();
    for (scopes, method, path, expected) in [
        ("read", Method::GET, "/v1/docs", true),
        ("read", Method::HEAD, "/v1/docs", true),
        ("read", Method::POST, "/v1/docs", false),
        ("read", Method::DELETE, "/v1/docs/a", false),
        ("read", Method::GET, "/v1/admin/docs", false),
        ("write", Method::GET, "/v1/docs", true),
        ("write", Method::PATCH, "/v1/docs/a", true),
        ("write", Method::POST, "/v1/admin/drain", false),
        ("admin", Method::POST, "/v1/admin/drain", true),
        ("admin", Method::GET, "/v1/docs", false),
    ] {
        assert_eq!(passes(scopes, &method, path), expected, "{scopes}: {method} {path}");
    }
    assert!(Caller::guest().check_scope(&Method::POST, "/v1/admin/drain").is_ok(), "no scopes are no limit");
    let reads = Caller { user: Some(UserId("ada".into())), ..with("read") };
    assert!(reads.visitor().unwrap().reads_only);
}
