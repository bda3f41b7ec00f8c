//! Errors as RFC 9457 problems: the only place where a code becomes a status.

use std::fmt;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::service::RepeatError;
use crate::ids::Millis;
use crate::storage::StoreError;

/// An answer that says why something was not done. Nothing was changed.
#[derive(Debug)]
pub struct Problem {
    refusal: Refusal,
    status: StatusCode,
    /// When the document that was asked for was put into the trash.
    deleted_at: Option<Millis>,
    /// Whether a code of the second factor is what is missing.
    second_factor: bool,
    /// A header that belongs to the status: which methods there are, or how to authenticate.
    header: Option<(header::HeaderName, &'static str)>,
}

/// The body. `type` names the code, since clients act on that; `detail` is for the person who develops one.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    /// `urn:quire:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
    /// When to send the same again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// When the document was put into the trash.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Millis>,
    /// Whether a code of the second factor is wanted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    second_factor: bool,
}

impl Problem {
    /// A problem with the status that belongs to its code.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Refusal::new(code, detail).into()
    }

    /// Something in the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, detail)
    }

    /// There is nothing at this address.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, detail)
    }

    /// The document is in the trash: not there, but it can be brought back.
    pub fn in_trash(detail: impl Into<String>, deleted_at: Millis) -> Self {
        Self { deleted_at: Some(deleted_at), ..Self::not_found(detail) }
    }

    /// The request has not arrived in time (RFC 9110 section 15.5.9). Its connection is closed.
    pub fn timeout(detail: impl Into<String>) -> Self {
        let mut problem = Self::bad_request(detail);
        problem.status = StatusCode::REQUEST_TIMEOUT;
        problem
    }

    /// The address is known, but not with this method. `allow` lists those that it has (RFC 9110 section 15.5.6).
    pub fn method_not_allowed(method: &Method, allow: &'static str) -> Self {
        let mut problem = Self::bad_request(format!("{method} is not among {allow}"));
        problem.status = StatusCode::METHOD_NOT_ALLOWED;
        problem.header = Some((header::ALLOW, allow));
        problem
    }

    /// The body is of a kind that is not read here.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..Self::bad_request(detail) }
    }

    /// What was to be changed is not what `If-Match` names any more (RFC 9110 section 13.1.1).
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::PRECONDITION_FAILED, ..Self::new(ErrorCode::Conflict, detail) }
    }

    /// The key of the request stands for another one (draft-ietf-httpapi-idempotency-key-header section 2.7).
    pub fn key_reused() -> Self {
        let detail = "this Idempotency-Key stands for another request: send that one again, or this one under a key of its own";
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, ..Self::new(ErrorCode::Conflict, detail) }
    }

    /// No token, or a bad one (RFC 6750 section 3).
    pub fn unauthorized(detail: impl Into<String>, challenge: &'static str) -> Self {
        let mut problem = Self::new(ErrorCode::Unauthorized, detail);
        problem.header = Some((header::WWW_AUTHENTICATE, challenge));
        problem
    }

    /// The password is right, and a code of the second factor is wanted or wrong.
    pub fn second_factor(detail: impl Into<String>) -> Self {
        Self { second_factor: true, ..Self::unauthorized(detail, "Bearer") }
    }

    /// Returns what was refused.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }
}

/// Returns the status of a code.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::StaleBase | ErrorCode::FutureBase | ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::BadOp => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Forbidden | ErrorCode::ReadOnly => StatusCode::FORBIDDEN,
        ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
    }
}

/// Returns a code in words.
fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unavailable => "Not possible right now",
        ErrorCode::Internal => "A fault of the server",
        ErrorCode::RateLimited => "Too many requests",
        ErrorCode::StaleBase => "Made on a version too far behind",
        ErrorCode::FutureBase => "Made on a version that does not exist yet",
        ErrorCode::BadOp => "Not a valid operation on this document",
        ErrorCode::TooLarge => "Too large",
        ErrorCode::Forbidden => "Not allowed",
        ErrorCode::ReadOnly => "The document cannot be changed",
        ErrorCode::BadRequest => "The request cannot be understood",
        ErrorCode::NotFound => "Not found",
        ErrorCode::Conflict => "In conflict with what there is",
        ErrorCode::Unauthorized => "A valid token is needed",
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { status: status(refusal.code), refusal, deleted_at: None, second_factor: false, header: None }
    }
}

impl From<RepeatError> for Problem {
    fn from(error: RepeatError) -> Self {
        match error {
            RepeatError::Differs => Self::key_reused(),
            RepeatError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Refusal::from(error).into()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let code = self.refusal.code;
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::REQUEST_TIMEOUT {
            response.force_close();
        }
        if let Some(header) = self.header.clone() {
            response.insert_header(header);
        }
        if let Some(ms) = self.refusal.retry_after_ms {
            response.insert_header((header::RETRY_AFTER, ms.div_ceil(1_000).to_string()));
        }
        response.content_type("application/problem+json").json(Body {
            kind: format!("urn:quire:problem:{}", code.as_str()),
            title: title(code),
            status: self.status.as_u16(),
            detail: &self.refusal.message,
            code,
            retry_after_ms: self.refusal.retry_after_ms,
            deleted_at: self.deleted_at,
            second_factor: self.second_factor,
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn a_problem_names_its_code_and_when_to_try_again() {
        let response =
            Problem::from(Refusal { retry_after_ms: Some(1_200), ..Refusal::unavailable("no disk") })
                .error_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "2");
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "application/problem+json");
        let body = to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "type": "urn:quire:problem:unavailable", "title": "Not possible right now", "status": 503,
            "detail": "no disk", "code": "unavailable", "retry_after_ms": 1200,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let response = Problem::method_not_allowed(&Method::PUT, "GET, POST").error_response();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers().get(header::ALLOW).unwrap(), "GET, POST");
    }
}
