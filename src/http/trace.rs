//! One span and one id for each request.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use crate::http::address::Client;

/// Names a request in logs of clients, proxies and this server alike.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Middleware: takes or makes the request's id, runs the rest in a span with it, and answers with it.
///
/// The span has the client's address and the path, and never the query, and no header: neither tokens nor what people search for is logged.
pub async fn trace<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = request_id(&request);
    let span = tracing::info_span!(
        "request",
        request_id = id.to_str().unwrap_or_default(),
        client = %Client::of(&request).address,
        method = %request.method(),
        path = request.path(),
        status = field::Empty,
    );
    async move {
        let began = Instant::now();
        let mut response = next.call(request).await?;
        finish(&response, began);
        response.headers_mut().insert(REQUEST_ID, id);
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Logs what came of a request: a fault of ours as an error, since a person has to look; the rest in detail only.
fn finish<B>(response: &ServiceResponse<B>, began: Instant) {
    let status = response.status();
    Span::current().record("status", status.as_u16());
    let ms = began.elapsed().as_millis() as u64;
    match response.response().error() {
        Some(error) if status == 500 => tracing::error!(%error, ms, "request failed"),
        Some(error) if status.is_server_error() => tracing::warn!(%error, ms, "request not served"),
        Some(reason) => tracing::debug!(%reason, ms, "request refused"),
        None => tracing::debug!(ms, "request served"),
    }
}

fn request_id(request: &ServiceRequest) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|id| is_sane(id.as_bytes()));
    given
        .cloned()
        .or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).ok())
        .unwrap_or(HeaderValue::from_static("-"))
}

/// Whether an id from outside may go into logs as it stands.
fn is_sane(id: &[u8]) -> bool {
    let allowed =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'=' | b'+');
    (1..=128).contains(&id.len()) && id.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, web};

    use super::*;

    #[actix_web::test]
    async fn a_sane_id_is_kept_and_others_are_replaced() {
        let app =
            init_service(App::new().wrap(from_fn(trace)).default_service(web::to(|| async { "ok" }))).await;
        let answered = async |id: &str| {
            let request = TestRequest::get().insert_header((REQUEST_ID, id)).to_request();
            call_service(&app, request).await.headers().get(REQUEST_ID).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(answered("abc-1.2").await, "abc-1.2");
        for bad in ["", "a b", "a\"b", &"x".repeat(129)] {
            assert!(answered(bad).await.parse::<Uuid>().is_ok(), "{bad}");
        }
    }
}
