//! What commands do that somebody answers for, in the audit log: no server is asked, so none records it.

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use crate::actors::clock::Clock;
use crate::config::audit_chain;
use crate::storage::audit::{AuditLog, Entry, Outcome};

/// The chain that a command adds to.
#[derive(Args, Debug)]
pub struct Chain {
    /// Chain of the audit log that it is recorded in.
    #[arg(long, env = "QUIRE_AUDIT_CHAIN", default_value = "main", value_name = "NAME", value_parser = audit_chain)]
    audit_chain: String,
}

/// Something that a command has done, or tried to.
pub struct Deed {
    /// `area.verb`, as those of servers.
    pub action: &'static str,
    /// `kind:id`, or empty.
    pub subject: String,
    /// Neither secrets nor names of people.
    pub details: Value,
}

impl Chain {
    /// Records it.
    ///
    /// # Errors
    /// Storage does not oblige. If it was done, that stays.
    pub async fn record(&self, log: &dyn AuditLog, deed: Deed, outcome: Outcome) -> anyhow::Result<()> {
        let Deed { action, subject, details } = deed;
        let entry = Entry {
            at: Clock::system().now(),
            actor: "command".to_owned(),
            address: None,
            action: action.to_owned(),
            subject,
            outcome,
            details,
        };
        let recorded = log.append_audit(&self.audit_chain, &[entry]).await;
        recorded.context("it was done, and not recorded in the audit log")?;
        Ok(())
    }
}
