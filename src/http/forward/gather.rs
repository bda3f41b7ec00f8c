//! One question to all servers of the cluster, each of which answers for itself.

use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{HttpMessage as _, HttpRequest};
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::proof::{PEER, Target};
use super::relay::nothing;
use super::{Forwarder, FromPeer};
use crate::actors::cluster::Peer;
use crate::http::address::Client;
use crate::ids::Millis;

/// A server that has not answered by then is missing.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Bytes of one answer. Longer ones are not waited for.
const LONGEST: usize = 32 << 20;

/// What the other servers have answered.
#[derive(Default)]
pub struct Gathered {
    pub answers: Vec<Value>,
    /// The names of those that have not.
    pub missing: Vec<String>,
}

impl Forwarder {
    /// Asks all other servers that are there what this one was asked by a GET; nobody, if another server has asked.
    pub async fn gather(&self, request: &HttpRequest, now: Millis) -> Gathered {
        if request.extensions().contains::<FromPeer>() {
            return Gathered::default();
        }
        let asked = self.cluster.others().into_iter().map(|peer| async move {
            let answer = timeout(ANSWERS_WITHIN, self.ask(&peer, request, now)).await;
            let answer = answer.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
            (peer.node, answer)
        });
        let mut gathered = Gathered::default();
        for (node, answer) in join_all(asked).await {
            match answer {
                Ok(answer) => gathered.answers.push(answer),
                Err(why) => {
                    tracing::warn!(node, why, "another server was asked in vain");
                    gathered.missing.push(node);
                }
            }
        }
        gathered
    }

    async fn ask(&self, peer: &Peer, request: &HttpRequest, now: Millis) -> Result<Value, String> {
        let target = Target { method: &Method::GET, uri: request.uri(), headers: request.headers() };
        let secrets = self.cluster.secrets();
        let proof = target.prove(secrets.proving(Instant::now()), Client::of(request), now);
        let path = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let mut asking = hyper::Request::get(format!("{}{path}", peer.url)).header(PEER.as_str(), proof);
        for name in [header::HOST, header::AUTHORIZATION] {
            if let Some(value) = request.headers().get(&name) {
                asking = asking.header(name.as_str(), value.as_bytes());
            }
        }
        let asking = asking.body(nothing()).map_err(|error| error.to_string())?;
        let answer = self.relay.request(asking).await.map_err(|error| error.to_string())?;
        if answer.status() != hyper::StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body: Bytes = body.map_err(|error| error.to_string())?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}
