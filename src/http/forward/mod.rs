//! Requests and sockets for documents that another server has: passed on to it, and its answer passed back.
//!
//! Whoever asks may ask any server. A request is forwarded once: where it is proved to come from another server ([`proof`]) and the
//! document is not there any more, it is answered by 503, and whoever asks comes again. What a document's server has to know of where a
//! request comes from is in the proof; everything else, tokens above all, it checks as if nobody had been in between.

mod gather;
mod proof;
mod relay;
mod tunnel;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _, web};
use bytes::Bytes;
use rustls::ClientConfig;
use tokio::time::Instant;

use self::proof::{PEER, Target};
use self::relay::{Relay, Sent};
use crate::actors::cluster::{Cluster, Whereabouts};
use crate::actors::error::{ErrorCode, Refusal};
use crate::http::address::Client;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, Millis, Shard};
use crate::metrics::METRICS;

/// When somebody may come again whose document is on its way to another server.
const SHORTLY_MS: u64 = 500;

/// A request that another server has forwarded: it is not forwarded again, and its origin was checked there.
#[derive(Clone, Copy, Debug)]
pub struct FromPeer;

/// A request that this server has forwarded after it had begun with it: the other one records it.
#[derive(Clone, Copy, Debug)]
pub struct Forwarded;

/// Passes requests on to other servers. Shared by all worker threads.
pub struct Forwarder {
    pub cluster: Cluster,
    relay: Relay,
}

impl Forwarder {
    /// Forwards as one of this cluster, to servers whose certificates `trust` is content with.
    pub fn new(cluster: Cluster, trust: ClientConfig) -> Self {
        Self { relay: Relay::new(trust), cluster }
    }

    /// Finds out who has sent a request that says to come from another server: the client that it was forwarded for. `None` for one
    /// that says nothing of the kind.
    ///
    /// # Errors
    /// `forbidden` for one that proves nothing.
    pub fn client_of(&self, request: &ServiceRequest, now: Millis) -> Result<Option<Client>, Problem> {
        let mut values = request.headers().get_all(&PEER);
        let Some(value) = values.next() else { return Ok(None) };
        let target = Target { method: request.method(), uri: request.uri(), headers: request.headers() };
        let value = value.to_str().ok().filter(|_| values.next().is_none());
        let secrets = self.cluster.secrets();
        let proved =
            |value| secrets.believed(Instant::now()).find_map(|secret| target.check(secret, value, now));
        let client = value.and_then(proved);
        let forged =
            || Problem::new(ErrorCode::Forbidden, "this was not forwarded by a server of this cluster");
        let client = client.ok_or_else(forged)?;
        if let Some(peer) = request.peer_addr() {
            self.cluster.meet(peer.ip());
        }
        request.extensions_mut().insert(FromPeer);
        Ok(Some(client))
    }

    /// Has another server answer a request about a shard that this one does not have; `None` where it has it.
    async fn elsewhere(
        &self,
        request: &HttpRequest,
        shard: Shard,
        sent: impl FnOnce() -> Sent,
        now: Millis,
    ) -> Option<HttpResponse> {
        if self.cluster.has(shard) {
            return None;
        }
        let is_forwarded = request.extensions().contains::<FromPeer>();
        let found = if is_forwarded { Whereabouts::Nowhere } else { self.cluster.find(shard).await };
        match found {
            Whereabouts::Here => None,
            Whereabouts::At(peer) => {
                let target =
                    Target { method: request.method(), uri: request.uri(), headers: request.headers() };
                let secrets = self.cluster.secrets();
                let proof = target.prove(secrets.proving(Instant::now()), Client::of(request), now);
                let relayed = self.relay.pass(&self.cluster, peer, request, &proof, sent()).await;
                Some(relayed.unwrap_or_else(|why| refused(&why)))
            }
            Whereabouts::Nowhere => {
                METRICS.cluster.failed.with_label_values(&["nowhere"]).inc();
                Some(refused("the document is on its way to another server"))
            }
        }
    }
}

fn refused(why: &str) -> HttpResponse {
    let refusal = Refusal { retry_after_ms: Some(SHORTLY_MS), ..Refusal::unavailable(why) };
    Problem::from(refusal).error_response()
}

/// Middleware: has documents of other servers answered by those.
pub async fn guard<B: MessageBody + 'static>(
    state: web::Data<HttpState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let doc = document_of(request.match_info().unprocessed());
    let Some((forwarder, doc)) = state.forwarder.as_ref().zip(doc) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    if forwarder.cluster.has(doc.shard()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let (request, payload) = request.into_parts();
    let mut payload = Some(payload);
    let sent = || payload.take().map_or(Sent::Nothing, Sent::Stream);
    let answer = forwarder.elsewhere(&request, doc.shard(), sent, state.sessions.clock.now()).await;
    match (answer, payload) {
        (Some(answer), _) => Ok(ServiceResponse::new(request, answer).map_into_right_body()),
        // It has just come here.
        (None, payload) => {
            let payload = payload.unwrap_or(actix_web::dev::Payload::None);
            let request = ServiceRequest::from_parts(request, payload);
            Ok(next.call(request).await?.map_into_left_body())
        }
    }
}

/// Has a document that is to be made made by the server that will have it: `None` where that is this one. `body` is what was read of the
/// request.
pub async fn make_elsewhere(
    state: &HttpState,
    request: &HttpRequest,
    shard: Shard,
    body: &[u8],
) -> Option<HttpResponse> {
    let forwarder = state.forwarder.as_ref()?;
    let sent = || Sent::Whole(Bytes::copy_from_slice(body));
    let made = forwarder.elsewhere(request, shard, sent, state.sessions.clock.now()).await?;
    request.extensions_mut().insert(Forwarded);
    Some(made)
}

/// Returns the document that a path is about, if it is about one that somebody has to have in memory. A document is moved by any server.
fn document_of(path: &str) -> Option<DocumentId> {
    let parts: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
    match parts.as_slice() {
        ["admin", "docs", _, "move"] => None,
        ["collab", id] | ["docs", id, ..] | ["admin", "docs", id, ..] => id.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_a_document_is_known_by_its_path() {
        for path in [
            "/v1/collab/a",
            "/v1/docs/a",
            "/v1/docs/a/content",
            "/v1/docs/a/comments/7/replies",
            "/v1/admin/docs/a/passivate",
            "/v1/admin/docs/a/sessions/7",
        ] {
            assert_eq!(document_of(path).map(|doc| doc.to_string()).as_deref(), Some("a"), "{path}");
        }
        for path in [
            "/v1/docs",
            "/v1/docs/",
            "/v1/admin/docs",
            "/v1/admin/docs/a/move",
            "/v1/docs/ü",
            "/v2/docs/a",
            "/docs/a",
            "/healthz",
        ] {
            assert_eq!(document_of(path), None, "{path}");
        }
    }
}
