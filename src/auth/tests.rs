//! Tokens of every make, by a clock that the test holds.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey as Ed25519;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::accounts::{Peer, SignInError, SignedIn};
use super::foreign::{ForeignKeys, Source};
use super::mail::{FolderMailer, LogMailer, Mailer};
use super::*;
use crate::actors::error::ErrorCode;
use crate::ids::Millis;
use crate::storage::accounts::{User, UserPatch};
use crate::storage::people::{Erasing, Fate, tombstone_of};
use crate::storage::{Opened, SqliteOptions};

const NOW: Millis = 1_700_000_000_000;
const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;
const SECRET: &str = "a secret of at least 32 bytes, for tests only";
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse";

/// Everything on a database of its own.
struct Bench {
    auth: Arc<Auth>,
    store: SharedAccounts,
    now: Arc<AtomicI64>,
    /// In which `mail` has what was sent.
    folder: TempDir,
    opened: Opened,
}

impl Bench {
    async fn new() -> Self {
        Self::with(None, Expected::default()).await
    }

    async fn with(foreign: Option<Arc<ForeignKeys>>, expected: Expected) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        let opened = Opened::at(&folder.path().join("data"), SqliteOptions::default()).await.unwrap();
        let now = Arc::new(AtomicI64::new(NOW));
        let told = now.clone();
        let settings = Settings {
            secret: Some(SECRET.to_owned()),
            expected,
            foreign,
            mailer: Arc::new(FolderMailer(folder.path().join("mail"))),
            key_period: Duration::from_hours(24),
            registration: true,
            public_url: Some("https://docs.example/".to_owned()),
            oidc: None,
        };
        let clock = Clock::from_fn(move || told.load(Ordering::Relaxed));
        let (auth, _) = Auth::open(settings, Some(opened.accounts.clone()), clock).await.unwrap();
        Self { auth, store: opened.accounts.clone(), now, folder, opened }
    }

    /// Another server of the same database.
    async fn another(&self) -> Arc<Auth> {
        let settings = Settings {
            secret: Some(SECRET.to_owned()),
            expected: Expected::default(),
            foreign: None,
            mailer: Arc::new(LogMailer) as Arc<dyn Mailer>,
            key_period: Duration::from_hours(24),
            registration: false,
            public_url: None,
            oidc: None,
        };
        let told = self.now.clone();
        let clock = Clock::from_fn(move || told.load(Ordering::Relaxed));
        Auth::open(settings, Some(self.store.clone()), clock).await.unwrap().0
    }

    fn accounts(&self) -> &Arc<Accounts> {
        self.auth.accounts.as_ref().unwrap()
    }

    fn keys(&self) -> &KeyRing {
        self.auth.keys.as_ref().unwrap()
    }

    fn wait(&self, ms: Millis) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    fn seconds(&self) -> Millis {
        self.now.load(Ordering::Relaxed) / 1_000
    }

    async fn register(&self) -> User {
        self.accounts().register(&peer(), EMAIL, PASSWORD, None).await.unwrap();
        self.store.user_by_subject("quire", EMAIL).await.unwrap().unwrap()
    }

    async fn sign_in(&self) -> SignedIn {
        self.accounts().sign_in(&peer(), EMAIL, PASSWORD, None).await.unwrap()
    }

    /// The mail that was sent, once there is one.
    async fn mail(&self) -> String {
        loop {
            let mut files = std::fs::read_dir(self.folder.path().join("mail")).unwrap();
            let whole = |file: &std::fs::DirEntry| file.path().extension().is_some_and(|ext| ext == "eml");
            if let Some(file) = files.find_map(|file| file.ok().filter(whole)) {
                let text = std::fs::read_to_string(file.path()).unwrap();
                std::fs::remove_file(file.path()).unwrap();
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[track_caller]
    fn refused(&self, token: &str, why: &str) {
        let refusal = self.auth.tokens.verify(token).expect_err(why);
        assert_eq!(refusal.code, ErrorCode::Unauthorized);
        assert!(refusal.message.contains(why), "{:?}, not {why:?}", refusal.message);
    }
}

fn peer() -> Peer {
    Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: "a browser".to_owned() }
}

fn header_of(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap()
}

/// A key pair of somebody else, and a name for it.
struct Stranger {
    kid: &'static str,
    key: Ed25519,
}

impl Stranger {
    fn new(kid: &'static str, seed: u8) -> Self {
        Self { kid, key: Ed25519::from_bytes(&[seed; 32]) }
    }

    fn x(&self) -> String {
        BASE64URL_NOPAD.encode(&self.key.verifying_key().to_bytes())
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": self.x() })
    }

    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let pkcs8 =
            [&hex::decode("302e020100300506032b657004220420").unwrap()[..], &self.key.to_bytes()].concat();
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &EncodingKey::from_ed_der(&pkcs8)).unwrap()
    }
}

fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims))
}

fn hs256(kid: Option<&str>, secret: &[u8], claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

#[tokio::test]
async fn a_key_signs_for_its_period_and_verifies_until_its_last_token_has_ended() {
    let bench = Bench::new().await;
    bench.register().await;
    let kid = |token: &str| header_of(token)["kid"].as_str().unwrap().to_owned();
    let published = || {
        let keys = bench.auth.jwks()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = bench.sign_in().await.access_token;
    assert_eq!(published(), [kid(&first)]);
    bench.keys().refresh().await.unwrap();
    assert_eq!(published().len(), 1);

    // Some minutes before it is needed, the next one is published, and does not sign.
    bench.wait(DAY - 5 * 60_000);
    bench.keys().refresh().await.unwrap();
    let last = bench.sign_in().await.access_token;
    assert_eq!((published().len(), kid(&last)), (2, kid(&first)));
    bench.wait(5 * 60_000);
    let next = bench.sign_in().await.access_token;
    assert_ne!(kid(&next), kid(&first));
    bench.keys().refresh().await.unwrap();

    bench.wait(54 * 60_000);
    bench.refused(&first, "expired");
    for good in [&last, &next] {
        assert_eq!(bench.auth.tokens.verify(good).unwrap().name.as_deref(), Some("ada"));
    }
    bench.wait(7 * 60_000);
    bench.refused(&last, "key that this server does not know");
    bench.keys().refresh().await.unwrap();
    assert_eq!(published(), [kid(&next)]);
}

#[tokio::test]
async fn another_server_of_the_same_database_knows_the_keys() {
    let bench = Bench::new().await;
    bench.register().await;
    let token = bench.sign_in().await.access_token;
    let other = bench.another().await;
    assert!(other.tokens.verify(&token).is_ok());
    assert_eq!(other.jwks(), bench.auth.jwks());
    // What the one ends, the other hears of.
    let bearer = bench.auth.tokens.verify(&token).unwrap();
    bench.accounts().end_sign_in(&bearer.user, bearer.credential().unwrap()).await.unwrap();
    bench.refused(&token, "revoked");
    assert!(other.tokens.verify(&token).is_ok());
    let before = other.revoked.generation().load(Ordering::Relaxed);
    other.revoked.refresh(&*bench.store, NOW).await.unwrap();
    assert!(other.tokens.verify(&token).is_err());
    assert_ne!(other.revoked.generation().load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn forged_tokens_of_this_server_are_refused() {
    let bench = Bench::new().await;
    let good = json!({
        "iss": "quire", "aud": "quire", "sub": "usr_ada", "sid": "s", "name": "Ada", "exp": bench.seconds() + 60,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let sign = |claims: &Value| bench.keys().sign(claims).unwrap();
    let token = sign(&good);
    assert_eq!(bench.auth.tokens.verify(&token).unwrap().user.as_str(), "usr_ada");
    bench.refused(&sign(&with("exp", json!(bench.seconds()))), "expired");
    bench.refused(&sign(&with("exp", Value::Null)), "cannot be read");
    bench.refused(&sign(&with("nbf", json!(bench.seconds() + 1))), "not valid yet");
    bench.refused(&sign(&with("iss", json!("another"))), "not for this server");
    bench.refused(&sign(&with("aud", json!(["another"]))), "not for this server");
    bench.refused(&sign(&with("sub", json!("ada"))), "sub");
    bench.refused(&sign(&with("sid", Value::Null)), "sid");
    bench.refused(&unsigned(&good), "cannot be read");

    let kid = header_of(&token)["kid"].as_str().unwrap().to_owned();
    // The public key, which everybody has, as if it were a shared secret.
    let public = bench.auth.jwks()["keys"][0]["x"].as_str().unwrap().to_owned();
    for secret in [public.as_bytes(), &BASE64URL_NOPAD.decode(public.as_bytes()).unwrap()] {
        bench.refused(&hs256(Some(&kid), secret, &good), "signature");
    }
    // Another key under the same name, the same one under another, and none.
    let stranger = Stranger::new("x", 7);
    bench.refused(&stranger.sign(Some(&kid), &good), "signature");
    bench.refused(&stranger.sign(Some("x"), &good), "does not know");
    bench.refused(&stranger.sign(None, &good), "does not know");
    // One letter of the claims.
    let parts: Vec<_> = token.split('.').collect();
    let claims = BASE64URL_NOPAD.encode(with("admin", json!(true)).to_string().as_bytes());
    bench.refused(&format!("{}.{claims}.{}", parts[0], parts[2]), "signature");
    // The shared secret is for others' users.
    bench.refused(&hs256(None, SECRET.as_bytes(), &good), "sub");
    for rubbish in ["", ".", "..", "a.b.c", "qk_", "qk_AAAA", &"x".repeat(100_000)] {
        assert!(bench.auth.tokens.verify(rubbish).is_err(), "{rubbish:.20}");
    }
}

#[tokio::test]
async fn keys_of_another_issuer_take_their_own_algorithm_and_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let (stranger, late) = (Stranger::new("one", 1), Stranger::new("two", 2));
    let elliptic = rcgen::KeyPair::generate().unwrap();
    let point = elliptic.public_key_raw();
    let coordinate = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let ec = json!({
        "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
        "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
    });
    // A symmetric key is none that may be published, one for encryption signs nothing, and one that is cut off would fail hard.
    let oct = json!({ "kty": "oct", "kid": "oct", "k": coordinate(b"known to everybody, this one") });
    let mut for_encryption = late.jwk();
    for_encryption["use"] = json!("enc");
    let cut = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "cut", "x": "AAAA" });
    let set = json!({ "keys": [stranger.jwk(), ec, oct, for_encryption, cut, { "kty": "unheard of" }] });
    std::fs::write(&file, set.to_string()).unwrap();
    let keys = Arc::new(ForeignKeys::new(Source::File(file.clone())));
    let expected = Expected {
        issuer: Some("https://id.example".to_owned()),
        audience: Some("docs".to_owned()),
        id: "uid".to_owned(),
        admin: "docs_admin".to_owned(),
        ..Expected::default()
    };
    let bench = Bench::with(Some(keys.clone()), expected).await;
    let good = json!({
        "iss": "https://id.example", "aud": ["wiki", "docs"], "sub": "x", "uid": "ada", "name": "Ada",
        "docs_admin": true, "exp": bench.seconds() + 60,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let bearer = bench.auth.tokens.verify(&stranger.sign(Some("one"), &good)).unwrap();
    assert_eq!((bearer.user.as_str(), bearer.name.as_deref(), bearer.admin), ("ada", Some("Ada"), true));
    assert!(bench.auth.tokens.verify(&stranger.sign(None, &good)).is_ok(), "the only one of its kind");
    let header = Header { kid: Some("ec".to_owned()), ..Header::new(Algorithm::ES256) };
    let signed = encode(&header, &good, &EncodingKey::from_ec_der(&elliptic.serialize_der())).unwrap();
    assert!(bench.auth.tokens.verify(&signed).is_ok());

    for (claims, why) in [
        (with("iss", json!("https://evil.example")), "iss"),
        (with("aud", json!("wiki")), "aud"),
        (with("aud", Value::Null), "aud"),
        (with("uid", json!("usr_ada")), "sub"),
        (with("uid", json!("guest:rest")), "sub"),
        (with("uid", Value::Null), "sub"),
        (with("exp", json!(bench.seconds())), "expired"),
        (with("nbf", json!(bench.seconds() + 9)), "not valid yet"),
        (with("nbf", json!("soon")), "cannot be read"),
    ] {
        bench.refused(&stranger.sign(Some("one"), &claims), why);
        bench.refused(&hs256(None, SECRET.as_bytes(), &claims), why);
    }
    assert!(
        !bench.auth.tokens.verify(&stranger.sign(None, &with("docs_admin", json!("true")))).unwrap().admin
    );
    bench.refused(&stranger.sign(Some("ec"), &good), "does not know");
    bench.refused(&hs256(Some("oct"), b"known to everybody, this one", &good), "signature");
    bench.refused(&hs256(Some("one"), stranger.x().as_bytes(), &good), "signature");
    bench.refused(&unsigned(&good), "cannot be read");
    bench.refused(&late.sign(Some("two"), &good), "does not know");

    // The issuer has a new key, and the old one has gone.
    std::fs::write(&file, json!({ "keys": [late.jwk()] }).to_string()).unwrap();
    keys.refresh().unwrap();
    assert!(bench.auth.tokens.verify(&late.sign(Some("two"), &good)).is_ok());
    bench.refused(&stranger.sign(Some("one"), &good), "does not know");
    // What cannot be read changes nothing.
    for rubbish in ["", "{}", r#"{"keys":[]}"#] {
        std::fs::write(&file, rubbish).unwrap();
        assert!(keys.refresh().is_err(), "{rubbish}");
    }
    assert!(bench.auth.tokens.verify(&late.sign(Some("two"), &good)).is_ok());
}

#[test]
fn keys_do_not_come_over_the_network_in_the_clear() {
    for good in ["https://id.example/keys", "http://127.0.0.1:1/keys", "http://localhost/keys"] {
        assert!(Source::url(good, None).is_ok(), "{good}");
    }
    for bad in ["http://id.example/keys", "ftp://id.example/", "id.example", ""] {
        assert!(Source::url(bad, None).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_ends_the_sign_in_and_its_access_tokens() {
    let bench = Bench::new().await;
    bench.register().await;
    let first = bench.sign_in().await;
    let second = bench.accounts().refresh(&peer(), &first.refresh_token).await.unwrap();
    assert!(bench.auth.tokens.verify(&second.access_token).is_ok());
    for dead in [&first, &second] {
        let refused = bench.accounts().refresh(&peer(), &dead.refresh_token).await;
        assert_eq!(refused.err().map(|why| why.code), Some(ErrorCode::Unauthorized));
    }
    bench.refused(&first.access_token, "revoked");
    bench.refused(&second.access_token, "revoked");
}

#[tokio::test]
async fn a_disabled_user_is_refused_everywhere() {
    let bench = Bench::new().await;
    let user = bench.register().await;
    let signed_in = bench.sign_in().await;
    let elsewhere = hs256(None, SECRET.as_bytes(), &json!({ "sub": "eve", "exp": bench.seconds() + 60 }));
    let eve = bench.auth.tokens.verify(&elsewhere).unwrap();
    assert_eq!(eve.user.as_str(), "eve");
    let eve_row =
        User { id: eve.user, issuer: "token".to_owned(), subject: "eve".to_owned(), ..user.clone() };
    bench.store.see_users(std::slice::from_ref(&eve_row)).await.unwrap();
    let disable = UserPatch { disabled_at: Some(Some(NOW)), ..UserPatch::default() };
    for id in [&user.id, &eve_row.id] {
        bench.store.patch_user(id, &disable, NOW).await.unwrap();
    }
    bench.auth.revoked.refresh(&*bench.store, NOW).await.unwrap();
    bench.refused(&signed_in.access_token, "revoked");
    bench.refused(&elsewhere, "revoked");
    assert!(bench.accounts().refresh(&peer(), &signed_in.refresh_token).await.is_err());
    // As somebody with a wrong password.
    let Err(SignInError::Refused(why)) = bench.accounts().sign_in(&peer(), EMAIL, PASSWORD, None).await
    else {
        panic!("signed in")
    };
    assert_eq!(why.message, "the address or the password is wrong");
}

#[tokio::test]
async fn who_was_erased_is_refused_with_whatever_token_was_made_before() {
    let bench = Bench::new().await;
    let token = |claims: Value| hs256(None, SECRET.as_bytes(), &claims);
    let exp = bench.seconds() + 1_000;
    let old = token(json!({ "sub": "eve", "exp": exp, "iat": bench.seconds() - 5 }));
    let undated = token(json!({ "sub": "eve", "exp": exp }));
    let (other, new) = (
        token(json!({ "sub": "bob", "exp": exp })),
        token(json!({ "sub": "eve", "exp": exp, "iat": bench.seconds() + 1 })),
    );
    for good in [&old, &undated, &new, &other] {
        bench.auth.tokens.verify(good).unwrap();
    }
    let eve = UserId("eve".into());
    let other_server = bench.another().await;
    let erasing = Erasing::new(eve.clone(), Fate::Private, NOW);
    bench.opened.people.begin_erasure(&erasing).await.unwrap();
    // The server that has done it knows it at once, another when it looks.
    bench.auth.revoked.erase(&eve, NOW);
    other_server.tokens.verify(&old).unwrap();
    let before = other_server.revoked.generation().load(Ordering::Relaxed);
    other_server.revoked.refresh(&*bench.store, NOW).await.unwrap();
    assert_ne!(other_server.revoked.generation().load(Ordering::Relaxed), before);
    for auth in [&bench.auth, &other_server] {
        for dead in [&old, &undated] {
            assert!(auth.tokens.verify(dead).unwrap_err().message.contains("revoked"));
        }
        for good in [&new, &other] {
            auth.tokens.verify(good).unwrap();
        }
    }
    // It stays known, whatever was read before that.
    bench.auth.revoked.refresh(&*bench.store, NOW).await.unwrap();
    bench.refused(&old, "revoked");
    let row = bench.store.user(&tombstone_of(&eve)).await.unwrap().unwrap();
    assert!(row.name.is_empty() && row.disabled_at == Some(NOW) && !format!("{row:?}").contains("eve"));
}

#[tokio::test]
async fn whom_a_provider_signs_in_proves_it_by_a_fresh_sign_in() {
    let bench = Bench::new().await;
    let own = bench.register().await;
    let theirs = User {
        id: UserId("usr_1".into()),
        issuer: "https://id.example".to_owned(),
        subject: "1".to_owned(),
        ..own.clone()
    };
    bench.store.create_user(&theirs, None).await.unwrap();
    let sign_in = async || {
        let signed_in = bench.accounts().begin_sign_in(&peer(), theirs.clone()).await.unwrap();
        bench.auth.tokens.verify(&signed_in.access_token).unwrap().credential().unwrap().to_string()
    };
    let prove = async |user: &User, sign_in: &str, password: &str| {
        bench.accounts().prove_anew(&user.id, sign_in, password, "").await.map_err(|why| why.code)
    };
    let first = sign_in().await;
    bench.wait(second::FRESH);
    assert_eq!(prove(&theirs, &first, "").await, Ok(()));
    bench.wait(1);
    assert_eq!(prove(&theirs, &first, "").await, Err(ErrorCode::Forbidden));
    let second = sign_in().await;
    assert_eq!(prove(&theirs, &second, "").await, Ok(()));
    assert_eq!(prove(&theirs, &first, "").await, Err(ErrorCode::Forbidden), "another one's being fresh");
    assert_eq!(prove(&theirs, "none", "").await, Err(ErrorCode::Forbidden));
    bench.accounts().end_sign_in(&theirs.id, &second).await.unwrap();
    assert_eq!(prove(&theirs, &second, "").await, Err(ErrorCode::Forbidden));
    // Who has a password gives it, however fresh the sign-in is.
    let own_sign_in = bench.sign_in().await;
    let id = bench.auth.tokens.verify(&own_sign_in.access_token).unwrap().credential().unwrap().to_string();
    assert_eq!(prove(&own, &id, "").await, Err(ErrorCode::Forbidden));
    assert_eq!(prove(&own, &id, PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn a_code_of_the_second_factor_is_taken_once() {
    let bench = Bench::new().await;
    let user = bench.register().await;
    let wrong = bench.accounts().enrol_totp(&user.id, "wrong horse").await;
    assert_eq!(wrong.err().map(|why| why.code), Some(ErrorCode::Forbidden));
    let enrolment = bench.accounts().enrol_totp(&user.id, PASSWORD).await.unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(enrolment.secret.as_bytes()).unwrap();
    let code = |at: Millis| totp::code(&secret, at / 30_000).unwrap();
    assert!(bench.accounts().confirm_totp(&user.id, "000000x").await.is_err());
    // Not asked for before it was shown to work.
    bench.sign_in().await;
    let now = NOW;
    let recovery = bench.accounts().confirm_totp(&user.id, &code(now)).await.unwrap();

    let sign_in = async |code: Option<&str>| bench.accounts().sign_in(&peer(), EMAIL, PASSWORD, code).await;
    let wanted = async |code: Option<&str>| matches!(sign_in(code).await, Err(SignInError::SecondFactor(_)));
    assert!(wanted(None).await);
    assert!(wanted(Some(&code(now))).await, "the one that has confirmed it");
    bench.wait(60_000);
    let next = code(now + 60_000);
    sign_in(Some(&next)).await.unwrap();
    assert!(wanted(Some(&next)).await, "used");
    sign_in(Some(&recovery[0])).await.unwrap();
    assert!(wanted(Some(&recovery[0])).await, "used");
    // With a wrong password nothing is said of it.
    let wrong = bench.accounts().sign_in(&peer(), EMAIL, "wrong horse", Some(&recovery[1])).await;
    assert!(matches!(wrong, Err(SignInError::Refused(_))));
    sign_in(Some(&recovery[1])).await.unwrap();
    assert!(bench.accounts().remove_totp(&user.id, PASSWORD, "000000").await.is_err());
    bench.accounts().remove_totp(&user.id, PASSWORD, &recovery[2]).await.unwrap();
    bench.sign_in().await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_once_and_within_an_hour() {
    let bench = Bench::new().await;
    bench.register().await;
    let signed_in = bench.sign_in().await;
    let forget = async || {
        bench.accounts().forget_password(&peer(), "ADA@example.org ").unwrap();
        let mail = bench.mail().await;
        assert!(mail.starts_with("To: ada@example.org\r\n"), "{mail}");
        let (_, rest) = mail.split_once("https://docs.example/reset#").expect("a link");
        rest.lines().next().unwrap().trim().to_owned()
    };
    let reset = async |token: &str| bench.accounts().reset_password(&peer(), token, "another horse").await;
    let (old, new) = (forget().await, forget().await);
    assert!(reset(&old).await.is_err(), "there is a newer one");
    let short = bench.accounts().reset_password(&peer(), &new, "short").await;
    assert_eq!(short.err().map(|why| why.code), Some(ErrorCode::BadRequest));
    reset(&new).await.unwrap();
    assert_eq!(reset(&new).await.err().map(|why| why.code), Some(ErrorCode::Unauthorized));
    bench.refused(&signed_in.access_token, "revoked");
    assert!(bench.accounts().sign_in(&peer(), EMAIL, PASSWORD, None).await.is_err());
    bench.accounts().sign_in(&peer(), EMAIL, "another horse", None).await.unwrap();
    let late = forget().await;
    bench.wait(HOUR);
    assert!(reset(&late).await.is_err());
}

#[tokio::test]
async fn too_many_wrong_passwords_keep_everybody_out_for_a_while() {
    let bench = Bench::new().await;
    bench.register().await;
    let attempt = async |email: &str, password: &str| {
        let attempt = bench.accounts().sign_in(&peer(), email, password, None).await;
        match attempt {
            Ok(_) => None,
            Err(SignInError::Refused(why) | SignInError::SecondFactor(why)) => Some(why),
        }
    };
    for email in [EMAIL, "nobody@example.org"] {
        let mut answers = Vec::new();
        for _ in 0..7 {
            answers.push(attempt(email, "wrong horse").await.unwrap());
        }
        let codes: Vec<_> = answers.iter().map(|why| why.code).collect();
        assert_eq!(codes[..6], [ErrorCode::Unauthorized; 6], "{email}");
        assert_eq!(codes[6], ErrorCode::RateLimited, "{email}");
        assert_eq!(answers[6].retry_after_ms, Some(1_000), "{email}");
    }
    assert_eq!(attempt(EMAIL, PASSWORD).await.map(|why| why.code), Some(ErrorCode::RateLimited));
    bench.wait(1_000);
    assert!(attempt(EMAIL, PASSWORD).await.is_none());
    assert_eq!(attempt(EMAIL, "wrong horse").await.map(|why| why.code), Some(ErrorCode::Unauthorized));
}

#[test]
fn keys_come_over_tls_from_who_proves_to_be_the_issuer() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [ca, stranger] = ["ca.pem", "stranger.pem"].map(|name| folder.path().join(name));
    std::fs::write(&ca, signed.cert.pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&stranger, other.cert.pem()).unwrap();
    let set = json!({ "keys": [Stranger::new("one", 1).jwk()] }).to_string();
    let port = serve_once_and_again(signed, set);
    let url = format!("https://localhost:{port}/keys");
    let read = |authority: &std::path::Path| {
        let keys = ForeignKeys::new(Source::url(&url, Some(authority)).unwrap());
        keys.refresh().map(|()| keys.find(Some("one"), Algorithm::EdDSA).is_some())
    };
    assert!(read(&ca).unwrap());
    assert!(read(&stranger).is_err());
}

/// Answers every request over TLS with this body, until the test ends; returns the port.
fn serve_once_and_again(signed: rcgen::CertifiedKey<rcgen::KeyPair>, body: String) -> u16 {
    use std::io::{Read as _, Write as _};

    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            // Whoever does not trust the certificate hangs up.
            if stream.read(&mut [0; 4_096]).is_ok() {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}
