//! Bodies of the calls about webhooks.
#![allow(dead_code, reason = "nothing is ever made of these")]

use utoipa::ToSchema;

/// A webhook to be made.
#[derive(ToSchema)]
pub struct NewWebhookBody {
    url: String,
    /// All, if it is absent or empty.
    types: Option<Vec<String>>,
    /// `documents` of the caller, or all of the `server`.
    scope: Option<String>,
    /// Made by the server without one.
    #[schema(min_length = 16, max_length = 128)]
    secret: Option<String>,
    enabled: Option<bool>,
}

/// What to change of a webhook; what is absent stays.
#[derive(ToSchema)]
pub struct WebhookPatchBody {
    url: Option<String>,
    types: Option<Vec<String>>,
    enabled: Option<bool>,
    #[schema(min_length = 16, max_length = 128)]
    secret: Option<String>,
}

/// A delivery that is about to be made.
#[derive(ToSchema)]
pub struct DeliveryBegun {
    delivery: String,
}
