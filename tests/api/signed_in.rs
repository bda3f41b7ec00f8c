//! People with a token, and a server that knows it.

use std::time::SystemTime;

use serde_json::{Value, json};
use uuid::Uuid;

use super::harness::{Launch, TestServer};
use super::raw::{RawIncoming, RawSocket, opcode};
use super::rest::{Answer, Rest};

/// What the server and the issuer of the tokens share.
pub const SECRET: &str = "a-secret-of-thirty-two-bytes-long";

/// A server that takes the tokens of [`token`], and guests.
pub fn knows_tokens() -> TestServer {
    Launch::new().with("QUIRE_JWT_SECRET", SECRET).start()
}

/// A token as the server's own issuer would make it: HS256, valid for an hour.
pub fn token(user: &str) -> String {
    token_until(user, in_seconds(3_600))
}

/// The same, of somebody who looks after the server.
pub fn admin_token(user: &str) -> String {
    sign(&json!({ "sub": user, "name": user, "exp": in_seconds(3_600), "admin": true }))
}

/// A token that ends at this time, in Unix seconds.
pub fn token_until(user: &str, exp: u64) -> String {
    sign(&json!({ "sub": user, "name": user, "exp": exp, "iat": in_seconds(0) }))
}

/// A token that says that it was made at this time, in Unix seconds.
pub fn token_of(user: &str, iat: u64) -> String {
    sign(&json!({ "sub": user, "name": user, "exp": in_seconds(3_600), "iat": iat }))
}

fn sign(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("claims are JSON")
}

/// The time so many seconds from now, in Unix seconds.
pub fn in_seconds(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    now.as_secs() + seconds
}

/// The code of this moment, as an application for second factors makes it (RFC 6238), and its step.
pub fn code_of(secret: &str) -> (String, u64) {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("base 32");
    let step = in_seconds(0) / 30;
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&secret).expect("any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0xf);
    let bytes: [u8; 4] = digest[offset..offset + 4].try_into().expect("four");
    (format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000), step)
}

/// A REST call with a token.
pub fn call(rest: &Rest, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let authorization = format!("Bearer {token}");
    rest.call(method, path, &[("authorization", &authorization)], body.map(Value::to_string))
}

/// A session of somebody with a token.
pub struct SignedIn(RawSocket);

impl SignedIn {
    /// Offers the token as a browser has to: as a second subprotocol.
    pub fn join(server: &TestServer, doc: &str, client: Uuid, token: &str) -> Self {
        let mut socket =
            RawSocket::open_offering(server.address(), doc, &format!("quire.v1, bearer.{token}"));
        let hello = json!({ "type": "hello", "client": client });
        socket.send(opcode::TEXT, hello.to_string().as_bytes()).expect("open");
        Self(socket)
    }

    pub fn send(&mut self, frame: Value) {
        self.0.send(opcode::TEXT, frame.to_string().as_bytes()).expect("open");
    }

    /// The next frame.
    pub fn any(&mut self) -> Value {
        match self.0.next() {
            RawIncoming::Frame(frame) => frame,
            RawIncoming::Closed(code) => panic!("closed with {code:?}"),
        }
    }

    /// The next frame of this type.
    pub fn frame(&mut self, kind: &str) -> Value {
        loop {
            match self.0.next() {
                RawIncoming::Frame(frame) if frame["type"] == kind => return frame,
                RawIncoming::Frame(_) => {}
                RawIncoming::Closed(code) => panic!("closed with {code:?}, waiting for {kind}"),
            }
        }
    }

    pub fn closed(&mut self) -> Option<u16> {
        loop {
            if let RawIncoming::Closed(code) = self.0.next() {
                return code;
            }
        }
    }
}
