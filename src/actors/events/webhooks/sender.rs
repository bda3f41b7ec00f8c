//! One request to a receiver: signed, bounded in time, to an address that may be called, and to no other because of its answer.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::oneshot;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;

use super::targets::{Guard, Targets};
use crate::ids::Millis;
use crate::storage::events::Delivery;

use super::super::wire;

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 200;

/// Calls receivers. Clones share their connections.
#[derive(Clone)]
pub struct Sender {
    agent: ureq::Agent,
}

/// What came of a request: the status of the answer, or why there was none.
pub type Answer = Result<u16, String>;

impl Sender {
    /// Calls what `targets` allow, each within `timeout` from looking the name up to the head of the answer.
    ///
    /// # Errors
    /// The system's authorities cannot be taken.
    pub fn new(targets: &Targets, timeout: Duration) -> anyhow::Result<Self> {
        let roots: Vec<_> = rustls_native_certs::load_native_certs()
            .certs
            .iter()
            .map(|cert| Certificate::from_der(cert).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("quire/", env!("CARGO_PKG_VERSION")))
            // A connection is checked when it is made: none is kept for later.
            .max_idle_connections(0)
            .tls_config(tls)
            .build();
        let guard = Guard { targets: targets.clone(), inner: DefaultResolver::default() };
        Ok(Self { agent: ureq::Agent::with_parts(config, DefaultConnector::new(), guard) })
    }

    /// Makes a delivery. It has a thread of its own, which nobody waits for when the server ends.
    pub async fn send(&self, delivery: &Delivery, url: String, secret: &[u8], now: Millis) -> Answer {
        let body = wire::json(&delivery.event);
        let signature = sign(secret, now / 1_000, &body);
        let request = ureq::http::Request::post(url)
            .header("content-type", "application/json")
            .header("quire-event", delivery.event.kind.as_str())
            .header("quire-delivery", &delivery.id)
            .header("quire-signature", signature)
            .body(body);
        let request = request.map_err(|error| reason(&error))?;
        let (answer, answered) = oneshot::channel();
        let agent = self.agent.clone();
        let call = move || {
            let called = agent.run(request).map(|response| response.status().as_u16());
            // Whoever asked may have gone.
            let _ = answer.send(called.map_err(|error| reason(&error)));
        };
        let begun = std::thread::Builder::new().name("webhook".to_owned()).spawn(call);
        begun.map_err(|error| reason(&error))?;
        answered.await.unwrap_or_else(|_| Err("the request has failed".to_owned()))
    }
}

fn reason(error: &dyn std::fmt::Display) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(MAX_REASON).collect()
}

/// Signs a body: `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY`.
fn sign(secret: &[u8], seconds: i64, body: &str) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_time_and_body() {
        // python3: hmac.new(b"whsec_test", b"1700000000.{}", "sha256").hexdigest()
        let expected = "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91";
        assert_eq!(sign(b"whsec_test", 1_700_000_000, "{}"), expected);
        assert_ne!(sign(b"whsec_other", 1_700_000_000, "{}"), expected);
    }
}
