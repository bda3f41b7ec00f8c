//! Why something was not done: one code, the same on the socket and on REST.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::storage::StoreError;

/// The codes of protocol section 6, and those which only REST answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Storage is down or slow, or a queue is full: not known to be durable, to be sent again.
    Unavailable,
    /// A fault of ours: not known to be durable, to be sent again.
    Internal,
    /// Too fast.
    RateLimited,
    /// Made on a version too far behind, or below the client's own last operation.
    StaleBase,
    /// Made on a version that is not durable yet.
    FutureBase,
    /// Destroys documents, or would make replicas differ (protocol section 1).
    BadOp,
    /// Too many bytes.
    TooLarge,
    /// Not allowed to this user.
    Forbidden,
    /// The role allows no edits, or the document is archived.
    ReadOnly,
    /// Not this protocol.
    BadRequest,
    /// No such document or version (REST only).
    NotFound,
    /// The id is taken (REST only).
    Conflict,
    /// No token, or a bad one (REST and upgrade only).
    Unauthorized,
}

impl ErrorCode {
    /// Every code, for metrics that should show a zero before the first one.
    pub const ALL: [Self; 13] = [
        Self::Unavailable,
        Self::Internal,
        Self::RateLimited,
        Self::StaleBase,
        Self::FutureBase,
        Self::BadOp,
        Self::TooLarge,
        Self::Forbidden,
        Self::ReadOnly,
        Self::BadRequest,
        Self::NotFound,
        Self::Conflict,
        Self::Unauthorized,
    ];

    /// Returns the code as it stands in frames, problems and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::RateLimited => "rate_limited",
            Self::StaleBase => "stale_base",
            Self::FutureBase => "future_base",
            Self::BadOp => "bad_op",
            Self::TooLarge => "too_large",
            Self::Forbidden => "forbidden",
            Self::ReadOnly => "read_only",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// A refusal: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: ErrorCode,
    /// For a person who develops a client: what is wrong, and where.
    pub message: String,
    /// When the same may be sent again, in milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal that sending again does not help.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    /// Storage or a queue cannot take it now; to be sent again after a second.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Unavailable, message: message.into(), retry_after_ms: Some(1_000) }
    }

    /// Too much was asked for; to be sent again after `ms`.
    pub fn rate_limited(message: impl Into<String>, ms: u64) -> Self {
        Self { code: ErrorCode::RateLimited, message: message.into(), retry_after_ms: Some(ms) }
    }
}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::new(ErrorCode::NotFound, error.to_string()),
            StoreError::Conflict { .. } => Self::new(ErrorCode::Conflict, error.to_string()),
            StoreError::Denied => Self::new(ErrorCode::Forbidden, error.to_string()),
            StoreError::Fenced { .. } | StoreError::Unavailable(_) => Self::unavailable(error.to_string()),
            StoreError::Corrupt { .. } => Self::new(ErrorCode::Internal, error.to_string()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}
