//! Bodies of the calls about bans and quotas.
#![allow(dead_code, reason = "nothing is ever made of these")]

use utoipa::ToSchema;

use crate::ids::{Millis, UserId, Version};

/// Whom not to serve: either a user or a network.
#[derive(ToSchema)]
pub struct NewBanBody {
    user: Option<UserId>,
    /// One such as `192.0.2.0/24`, or an address.
    network: Option<String>,
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Until it is lifted without one.
    expires_at: Option<Millis>,
}

/// How many documents somebody may own.
#[derive(ToSchema)]
pub struct QuotaBody {
    #[schema(maximum = 4_294_967_295_u64)]
    documents: u64,
}

/// What was kept.
#[derive(ToSchema)]
pub struct SnapshotMade {
    version: Version,
}
