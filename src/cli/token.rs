//! `quire token`: keys of scripts.

use std::io::Write as _;

use clap::{Args, Subcommand, value_parser};
use serde_json::{Value, json};

use super::accounts::{Place, find};
use super::deeds::Deed;
use crate::actors::clock::Clock;
use crate::auth::Scopes;
use crate::auth::secrets::{hash, service_token};
use crate::ids::Millis;
use crate::storage::accounts::ServiceToken;

const DAY: Millis = 24 * 3_600_000;

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// Tokens that are listed, at most.
const LISTED: usize = 10_000;

/// What `quire token` does.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  quire token create --owner ada@example.org --name backup --scopes read --days 365
  quire token list
  quire token revoke 0192f0c1e5d87a3cb2f1

A token is printed once, alone on a line of standard output: what is kept of it is a hash. It is presented as any other: Authorization:
Bearer qk_…, and does what its owner may do, within its scopes: read, write (which includes it), admin. On PostgreSQL servers may be
running, and take note of an end within a minute; the embedded database must not be in use.

Exit code: 0 if it was done; 1 if not, with the reason.")]
pub enum TokenCommand {
    /// Make one, and print it.
    Create(CreateOptions),
    /// List them, the newest first.
    List(ListOptions),
    /// End one.
    Revoke(RevokeOptions),
}

/// What `quire token create` is told.
#[derive(Args, Debug)]
pub struct CreateOptions {
    #[command(flatten)]
    place: Place,

    /// User as whom it is used: mail address or id.
    #[arg(long, value_name = "USER")]
    owner: String,

    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    name: String,

    /// What it may be used for: read, write, admin (comma separated).
    #[arg(long, default_value = "read", value_name = "SCOPES", value_parser = Scopes::parse)]
    scopes: Scopes,

    /// Days until it ends; 0 for never.
    #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = value_parser!(u32).range(0..=3650))]
    days: u32,
}

/// What `quire token list` is told.
#[derive(Args, Debug)]
pub struct ListOptions {
    #[command(flatten)]
    place: Place,

    /// Those of this user alone: mail address or id.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

/// What `quire token revoke` is told.
#[derive(Args, Debug)]
pub struct RevokeOptions {
    #[command(flatten)]
    place: Place,

    /// Its id, as list shows it.
    id: String,
}

/// Runs it.
///
/// # Errors
/// Storage does not oblige, or what is asked for cannot be done.
pub fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create(options) => create(&options),
        TokenCommand::List(options) => list(&options),
        TokenCommand::Revoke(RevokeOptions { place, id }) => {
            let at = Clock::system().now();
            place.act(async |accounts| {
                let ended = accounts.end_service_token(&id, at).await?;
                anyhow::ensure!(ended, "there is no token {id}, or it has ended");
                Ok(((), deed("token.revoke", &id, json!({}))))
            })
        }
    }
}

fn create(options: &CreateOptions) -> anyhow::Result<()> {
    let (secret, at) = (service_token(), Clock::system().now());
    let name = options.name.trim();
    let presentable = !name.chars().any(char::is_control) && name.chars().count() <= MAX_NAME_CHARS;
    anyhow::ensure!(presentable, "a name is one line of at most {MAX_NAME_CHARS} characters");
    let id = uuid::Uuid::now_v7().simple().to_string();
    options.place.act(async |accounts| {
        let owner = find(accounts, &options.owner).await?;
        let token = ServiceToken {
            id: id.clone(),
            name: name.to_owned(),
            owner: owner.id,
            scopes: options.scopes.to_string(),
            created_at: at,
            expires_at: (options.days > 0).then(|| at + Millis::from(options.days) * DAY),
            used_at: None,
            ended_at: None,
        };
        accounts.create_service_token(&token, &hash(secret.as_bytes())).await?;
        let details = json!({ "owner": token.owner, "scopes": token.scopes, "days": options.days });
        Ok(((), deed("token.create", &id, details)))
    })?;
    eprintln!("token {id}");
    writeln!(std::io::stdout(), "{secret}")?;
    Ok(())
}

fn deed(action: &'static str, id: &str, details: Value) -> Deed {
    Deed { action, subject: format!("token:{id}"), details }
}

/// `ID  OWNER  SCOPES  NAME  STATE`, with tabs between them.
fn list(options: &ListOptions) -> anyhow::Result<()> {
    let tokens = options.place.with(async |accounts| {
        let owner = match &options.owner {
            Some(named) => Some(find(accounts, named).await?.id),
            None => None,
        };
        Ok(accounts.service_tokens(owner.as_ref(), LISTED).await?)
    })?;
    let (mut out, now) = (std::io::stdout(), Clock::system().now());
    for ServiceToken { id, owner, scopes, name, ended_at, expires_at, .. } in tokens {
        let state = match (ended_at, expires_at) {
            (Some(_), _) => "revoked".to_owned(),
            (None, Some(at)) if at <= now => "ended".to_owned(),
            (None, Some(at)) => format!("{} days left", (at - now) / DAY),
            (None, None) => "no end".to_owned(),
        };
        writeln!(out, "{id}\t{owner}\t{scopes}\t{name}\t{state}")?;
    }
    Ok(())
}
