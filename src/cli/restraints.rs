//! `quire admin ban`, `lift` and `quota`: holding people back.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::rest::{Method, ServerOptions, escaped};

/// Whom not to serve, and until when.
#[derive(Args, Debug)]
pub struct BanOptions {
    #[command(flatten)]
    who: Who,

    /// Why, for whoever looks at the list later; they who are banned are not told.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,

    /// For how long, such as 12h or 30days; until it is lifted without it.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,

    #[command(flatten)]
    server: ServerOptions,
}

/// One of the two.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Who {
    /// The id of a user.
    #[arg(long)]
    user: Option<String>,

    /// A network such as 192.0.2.0/24, or an address.
    #[arg(long, value_parser = network)]
    network: Option<String>,
}

/// A ban.
#[derive(Args, Debug)]
pub struct LiftOptions {
    /// The ban, as `quire admin bans` shows it.
    ban: String,

    #[command(flatten)]
    server: ServerOptions,
}

/// Whose quota, and what it shall be.
#[derive(Args, Debug)]
pub struct QuotaOptions {
    /// The id of a user.
    user: String,

    /// How many documents the user may own.
    #[arg(long, value_name = "N", conflicts_with = "remove")]
    documents: Option<u32>,

    /// Forget it: what everybody may have holds.
    #[arg(long)]
    remove: bool,

    #[command(flatten)]
    server: ServerOptions,
}

/// Refuses what the server would not read, before it is asked.
fn network(text: &str) -> Result<String, String> {
    let is_one = text.parse::<IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok();
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| "a network such as 192.0.2.0/24, or an address, is wanted".to_owned())
}

/// Bans somebody, and prints the id of the ban.
///
/// # Errors
/// The server does not answer, or refuses.
pub fn ban(options: &BanOptions) -> anyhow::Result<()> {
    let mut body = json!({ "reason": options.reason });
    match (&options.who.user, &options.who.network) {
        (Some(user), _) => body["user"] = json!(user),
        (None, network) => body["network"] = json!(network),
    }
    if let Some(lasts) = options.lasts {
        let end = SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_add(lasts);
        body["expires_at"] = json!(u64::try_from(end.as_millis())?);
    }
    let made = options.server.rest().send(Method::POST, "admin/bans", Some(&body))?;
    writeln!(std::io::stdout(), "{}", made["id"].as_str().unwrap_or_default())?;
    Ok(())
}

/// Lifts a ban.
///
/// # Errors
/// As [`ban`].
pub fn lift(options: &LiftOptions) -> anyhow::Result<()> {
    options.server.rest().call(Method::DELETE, &format!("admin/bans/{}", escaped(&options.ban)))?;
    Ok(())
}

/// Sets or removes a quota if that is asked for, and prints what holds.
///
/// # Errors
/// As [`ban`].
pub fn quota(options: &QuotaOptions) -> anyhow::Result<()> {
    let (rest, path) = (options.server.rest(), format!("admin/quotas/{}", escaped(&options.user)));
    if let Some(documents) = options.documents {
        rest.send(Method::PUT, &path, Some(&json!({ "documents": documents })))?;
    }
    if options.remove {
        rest.call(Method::DELETE, &path)?;
    }
    let quota = rest.call(Method::GET, &path)?;
    let most = match &quota["documents"] {
        Value::Null => "as many documents as they like".to_owned(),
        most => format!("{most} documents"),
    };
    writeln!(std::io::stdout(), "{} owns {} and may own {most}", options.user, quota["owned"])?;
    Ok(())
}
