//! Settings of the audit log.

use clap::{Args, value_parser};

use super::Switch;
use crate::actors::audit::AuditPolicy;

/// What is recorded of who has done what.
#[derive(Args, Clone, Debug)]
pub struct AuditSettings {
    /// Whether the audit log also has who has opened and read which document.
    #[arg(long, env = "QUIRE_AUDIT_ACCESS", default_value = "on", value_name = "on|off")]
    pub audit_access: Switch,

    /// Days that records of the audit log are kept; 0 keeps them for ever.
    #[arg(
        long,
        env = "QUIRE_AUDIT_DAYS",
        default_value_t = 365,
        value_name = "DAYS",
        value_parser = value_parser!(u32).range(..=36_500)
    )]
    pub audit_days: u32,

    /// Chain that this server's records are in. Servers of one database may share one, or have one each.
    #[arg(long, env = "QUIRE_AUDIT_CHAIN", default_value = "main", value_name = "NAME", value_parser = chain)]
    pub audit_chain: String,
}

/// Reads the name of a chain.
///
/// # Errors
/// In words, for clap.
pub fn chain(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len());
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = fits && text.chars().all(known);
    is_name.then(|| text.to_owned()).ok_or_else(|| "1 to 64 of A-Z a-z 0-9 . _ - are wanted".to_owned())
}

impl AuditSettings {
    /// Returns what is recorded, and for how long.
    pub fn policy(&self) -> AuditPolicy {
        AuditPolicy {
            chain: self.audit_chain.clone(),
            access: self.audit_access.is_on(),
            days: self.audit_days,
        }
    }
}
