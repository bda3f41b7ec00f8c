//! How one server proves to another that it forwards a request, and tells where that came from.
//!
//! `X-Quire-Peer: TIME ADDRESS SCHEME MAC`, where the MAC is HMAC-SHA256 by the secret that the servers of a database share, over the time,
//! the client's address, whether it came by TLS, and method, target and host of the request. It is good for half a minute around its
//! time. Nobody else can say where a request comes from, and nothing else of a forwarded request is believed that would not be of any.

use std::net::IpAddr;

use actix_web::http::header::{HOST, HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::http::address::Client;
use crate::ids::Millis;

pub(super) const PEER: HeaderName = HeaderName::from_static("x-quire-peer");

/// How far the clocks of two servers may be apart, with the time that a request is under way, in ms.
const GOOD_FOR: Millis = 30_000;

/// Words before what is proved, so that the secret proves nothing else.
const CONTEXT: &str = "quire forwards a request, 1";

/// What of a request is proved.
pub(super) struct Target<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
}

impl Target<'_> {
    /// Makes the header's value for a request of `client`.
    pub fn prove(&self, secret: &[u8], client: Client, now: Millis) -> String {
        let said = said(client, now);
        let mac = self.mac(secret, &said).finalize().into_bytes();
        format!("{said} {}", hex::encode(mac))
    }

    /// Reads the header's value; `None` for one that proves nothing.
    pub fn check(&self, secret: &[u8], value: &str, now: Millis) -> Option<Client> {
        let (said, mac) = value.rsplit_once(' ')?;
        // In constant time.
        self.mac(secret, said).verify_slice(&hex::decode(mac).ok()?).ok()?;
        let mut words = said.split(' ');
        let at: Millis = words.next()?.parse().ok()?;
        let address: IpAddr = words.next()?.parse().ok()?;
        let secure = match words.next()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let is_now = now.abs_diff(at) <= GOOD_FOR.unsigned_abs();
        (is_now && words.next().is_none()).then_some(Client { address, secure })
    }

    fn mac(&self, secret: &[u8], said: &str) -> Hmac<Sha256> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
            unreachable!("HMAC takes keys of any length")
        };
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let host = self.headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
        for part in
            [CONTEXT.as_bytes(), said.as_bytes(), self.method.as_str().as_bytes(), target.as_bytes(), host]
        {
            mac.update(part);
            mac.update(b"\n");
        }
        mac
    }
}

fn said(client: Client, now: Millis) -> String {
    let scheme = if client.secure { "https" } else { "http" };
    format!("{now} {} {scheme}", client.address)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const SECRET: &[u8] = b"a secret of some servers";
    const NOW: Millis = 1_700_000_000_000;

    fn client() -> Client {
        Client { address: "2001:db8::7".parse().unwrap(), secure: true }
    }

    fn headers(host: &'static str) -> HeaderMap {
        [(HOST, HeaderValue::from_static(host))].into_iter().collect()
    }

    #[test]
    fn what_was_proved_is_believed_for_a_while() {
        let (uri, headers) = (Uri::from_static("/v1/docs/a/content?version=3"), headers("docs.example"));
        let target = Target { method: &Method::GET, uri: &uri, headers: &headers };
        let value = target.prove(SECRET, client(), NOW);
        for late in [-GOOD_FOR, 0, GOOD_FOR] {
            assert_eq!(target.check(SECRET, &value, NOW + late), Some(client()), "{late}");
        }
        for late in [-GOOD_FOR - 1, GOOD_FOR + 1] {
            assert_eq!(target.check(SECRET, &value, NOW + late), None, "{late}");
        }
    }

    #[test]
    fn nothing_else_proves_anything() {
        let (uri, ours) = (Uri::from_static("/v1/docs/a"), headers("docs.example"));
        let target = Target { method: &Method::GET, uri: &uri, headers: &ours };
        let value = target.prove(SECRET, client(), NOW);
        assert_eq!(target.check(b"another secret", &value, NOW), None);
        let (other, theirs) = (Uri::from_static("/v1/docs/b"), headers("other.example"));
        for elsewhere in [
            Target { method: &Method::DELETE, uri: &uri, headers: &ours },
            Target { method: &Method::GET, uri: &other, headers: &ours },
            Target { method: &Method::GET, uri: &uri, headers: &theirs },
        ] {
            assert_eq!(elsewhere.check(SECRET, &value, NOW), None);
        }
        let mac = value.rsplit_once(' ').unwrap().1;
        for forged in [
            String::new(),
            mac.to_owned(),
            value.replace("2001:db8::7", "127.0.0.1"),
            value.replace("https", "http"),
            format!("{value}00"),
            format!("{NOW} 127.0.0.1 https {}", "0".repeat(64)),
        ] {
            assert_eq!(target.check(SECRET, &forged, NOW), None, "{forged}");
        }
    }
}
