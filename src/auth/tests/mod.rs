//! Tokens of every make, by a clock that the test holds.

mod accounts;
mod foreign;
mod keys;
mod revoked;

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
