//! What stands for the client in a quire that was built without OpenID Connect: nothing can be made of it.

use super::{Identity, Provider, Ticket};
use crate::actors::error::Refusal;

pub(super) enum Client {}

impl Client {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &Provider, _: String) -> anyhow::Result<Self> {
        anyhow::bail!(
            "this quire was built without OpenID Connect: `cargo build --profile production --features oidc` makes one with it"
        )
    }

    pub fn address(&self, _: &Ticket) -> Result<String, Refusal> {
        match *self {}
    }

    pub fn identity(&self, _: String, _: String, _: String) -> Result<Identity, Refusal> {
        match *self {}
    }
}
