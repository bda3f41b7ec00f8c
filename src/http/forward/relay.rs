//! One request to another server, and its answer: streamed both ways, so that neither is ever held as a whole.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::sync::mpsc;

use super::proof::PEER;
use super::tunnel;
use crate::actors::cluster::{Cluster, Peer};
use crate::http::sockets::another_duplicate;
use crate::metrics::METRICS;

/// How long a connection to another server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Connections that are kept to each other server for the next request, and how long: less than the other one keeps them (`--keep-alive`).
const IDLE: usize = 64;
const IDLE_FOR: Duration = Duration::from_secs(3);

/// Pieces of a body that are on their way from a client to another server.
const PIECES: usize = 4;

/// How often it is looked whether a server that does not answer is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Headers of one connection alone (RFC 9110 section 7.6.1), and what was expected of this server.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
];

pub(super) type Sending = UnsyncBoxBody<Bytes, io::Error>;

/// What a request has sent.
pub(super) enum Sent {
    Nothing,
    /// It was read already.
    Whole(Bytes),
    Stream(Payload),
}

/// Connections to other servers.
pub(super) struct Relay {
    client: Client<HttpsConnector<HttpConnector>, Sending>,
}

impl Relay {
    /// Believes of servers that are reached by https whom `trust` says.
    pub fn new(trust: ClientConfig) -> Self {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_connect_timeout(Some(CONNECT_WITHIN));
        let connector = HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE)
            .set_host(false)
            .build(connector.wrap_connector(plain));
        Self { client }
    }

    /// Sends a request as it is.
    pub async fn request(
        &self,
        request: hyper::Request<Sending>,
    ) -> Result<hyper::Response<Incoming>, hyper_util::client::legacy::Error> {
        self.client.request(request).await
    }

    /// Passes a request on and returns the answer; why there is none.
    pub async fn pass(
        &self,
        cluster: &Cluster,
        peer: Peer,
        request: &HttpRequest,
        proof: &str,
        sent: Sent,
    ) -> Result<HttpResponse, String> {
        let upgrades =
            request.headers().contains_key(header::UPGRADE) && request.path().starts_with("/v1/collab/");
        let (forwarded, payload) = forwarded(&peer, request, proof, sent, upgrades)?;
        let kind = if upgrades { "socket" } else { "request" };
        METRICS.cluster.forwarded.with_label_values(&[kind]).inc();
        let mut answering = Box::pin(self.client.request(forwarded));
        let answer = loop {
            tokio::select! {
                answer = &mut answering => break answer,
                () = tokio::time::sleep(LOOK_EVERY) => {
                    if !cluster.is_alive(&peer.node) {
                        METRICS.cluster.failed.with_label_values(&["silent"]).inc();
                        return Err("the server that has the document does not answer".to_owned());
                    }
                }
            }
        };
        let answer = answer.map_err(|error| {
            METRICS.cluster.failed.with_label_values(&["unreachable"]).inc();
            let cause = &error as &dyn std::error::Error;
            tracing::warn!(node = peer.node, error = cause, "a request could not be forwarded");
            "the server that has the document cannot be reached".to_owned()
        })?;
        match payload {
            Some(payload) if answer.status() == hyper::StatusCode::SWITCHING_PROTOCOLS => {
                tunnelled(cluster, peer, payload, another_duplicate(request), answer).await
            }
            _ => Ok(passed_back(answer)),
        }
    }
}

/// Makes the request to the other server; the payload is given back of one that upgrades.
fn forwarded(
    peer: &Peer,
    request: &HttpRequest,
    proof: &str,
    sent: Sent,
    upgrades: bool,
) -> Result<(hyper::Request<Sending>, Option<Payload>), String> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut builder =
        hyper::Request::builder().method(request.method().as_str()).uri(format!("{}{target}", peer.url));
    let named = named_by_connection(request.headers());
    let whole = matches!(sent, Sent::Whole(_));
    for (name, value) in request.headers() {
        let is_length = whole && name == header::CONTENT_LENGTH;
        if !is_hop_by_hop(name, &named) && name != PEER && !is_length {
            builder = builder.header(name.as_str(), value.as_bytes());
        }
    }
    builder = builder.header(PEER.as_str(), proof);
    if upgrades {
        builder = builder.header("connection", "upgrade").header("upgrade", "websocket");
    }
    let announced = request.headers().contains_key(header::CONTENT_LENGTH)
        || request.headers().contains_key(header::TRANSFER_ENCODING);
    let (body, payload) = match sent {
        Sent::Stream(payload) if upgrades => (nothing(), Some(payload)),
        Sent::Stream(payload) if announced => (streamed(payload), None),
        Sent::Whole(bytes) => (Full::new(bytes).map_err(|never| match never {}).boxed_unsync(), None),
        Sent::Stream(_) | Sent::Nothing => (nothing(), None),
    };
    let request = builder.body(body).map_err(|error| format!("the request cannot be forwarded: {error}"))?;
    Ok((request, payload))
}

pub(super) fn nothing() -> Sending {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is read on this thread and sent from another: it waits there while it is not taken.
fn streamed(mut payload: Payload) -> Sending {
    let (pieces, taken) = mpsc::channel(PIECES);
    actix_web::rt::spawn(async move {
        while let Some(piece) = payload.next().await {
            let piece = piece.map(Frame::data).map_err(|error| io::Error::other(error.to_string()));
            if pieces.send(piece).await.is_err() {
                // It was answered before it was read to its end.
                return;
            }
        }
    });
    let frames =
        stream::unfold(taken, |mut taken| async move { taken.recv().await.map(|piece| (piece, taken)) });
    http_body_util::BodyExt::boxed_unsync(StreamBody::new(Box::pin(frames)))
}

/// Passes an answer back.
fn passed_back(answer: hyper::Response<Incoming>) -> HttpResponse {
    let mut response = beginning(&answer);
    let length = answer.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_none() && answer.body().is_end_stream() {
        return response.finish();
    }
    let body = answer.into_body().into_data_stream().map_err(io::Error::other);
    match length {
        Some(length) => response.body(SizedStream::new(length, body)),
        None => response.body(BodyStream::new(body)),
    }
}

/// Answers with another protocol, which the other server speaks.
async fn tunnelled(
    cluster: &Cluster,
    peer: Peer,
    payload: Payload,
    socket: Option<OwnedFd>,
    answer: hyper::Response<Incoming>,
) -> Result<HttpResponse, String> {
    let mut response = beginning(&answer);
    let upgraded = hyper::upgrade::on(answer).await;
    let upgraded = upgraded.map_err(|error| format!("the socket could not be opened: {error}"))?;
    let chunks = tunnel::join(payload, socket, TokioIo::new(upgraded), cluster.clone(), peer.node);
    Ok(response.upgrade("websocket").streaming(chunks))
}

/// Status and headers of an answer, but for those of the connection.
fn beginning(answer: &hyper::Response<Incoming>) -> actix_web::HttpResponseBuilder {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    let headers: HeaderMap = answer
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        })
        .collect();
    let named = named_by_connection(&headers);
    for (name, value) in &headers {
        let is_own = [header::CONTENT_LENGTH, header::DATE].contains(name);
        if !is_own && !is_hop_by_hop(name, &named) {
            response.append_header((name.clone(), value.clone()));
        }
    }
    response
}

fn is_hop_by_hop(name: &HeaderName, named: &[String]) -> bool {
    HOP_BY_HOP.contains(name) || named.iter().any(|one| one == name.as_str())
}

/// The headers that `Connection` names, in lower case.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}
