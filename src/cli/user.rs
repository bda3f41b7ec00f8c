//! `quire user`: accounts, made and changed where they are kept.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::accounts::{Place, find, password};
use super::deeds::Deed;
use super::person::{EraseOptions, ExportOptions, run_erase, run_export};
use crate::actors::clock::Clock;
use crate::auth::accounts::new_user;
use crate::auth::passwords::{check_choice, hash_now};
use crate::config::Switch;
use crate::storage::StoreError;
use crate::storage::accounts::{Accounts, User, UserPatch};

/// Users listed at a time.
const PAGE: usize = 1_000;

/// What `quire user` does.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  pass show quire/ada | quire user create ada@example.org --name 'Ada Lovelace' --admin
  quire user disable eve@example.org
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire user list

Passwords come on standard input, a line each, and are never arguments. Users are named by address or id. On PostgreSQL servers may be
running, and take note within a minute; the embedded database must not be in use. It is made by quire serve or quire migrate.

Exit code: 0 if it was done; 1 if not, with the reason.")]
pub enum UserCommand {
    /// Make an account, with a password from standard input.
    Create(CreateOptions),
    /// List users.
    List(ListOptions),
    /// Accept nothing of a user any more, and end all sign-ins.
    Disable(NamedOptions),
    /// Accept a user again.
    Enable(NamedOptions),
    /// Give or take rights.
    Change(ChangeOptions),
    /// Set a password anew, from standard input, and end all sign-ins.
    SetPassword(SetPasswordOptions),
    /// Write all that is kept of a person to standard output, as JSON.
    Export(ExportOptions),
    /// Erase a person; the server has to be stopped.
    Erase(EraseOptions),
}

/// What `quire user create` is told.
#[derive(Args, Debug)]
pub struct CreateOptions {
    #[command(flatten)]
    place: Place,

    /// Mail address, to sign in with.
    email: String,

    /// Name that others see [default: what is before the @].
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// May look after the server.
    #[arg(long)]
    admin: bool,
}

/// What `quire user list` is told.
#[derive(Args, Debug)]
pub struct ListOptions {
    #[command(flatten)]
    place: Place,
}

/// Which user it is about.
#[derive(Args, Debug)]
pub struct NamedOptions {
    #[command(flatten)]
    place: Place,

    /// Mail address or id.
    user: String,
}

/// What `quire user change` is told.
#[derive(Args, Debug)]
pub struct ChangeOptions {
    #[command(flatten)]
    named: NamedOptions,

    /// Name that others see.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// Whether this user may look after the server.
    #[arg(long, value_name = "on|off")]
    admin: Option<Switch>,

    /// Whether this user may make documents.
    #[arg(long, value_name = "on|off")]
    may_create: Option<Switch>,
}

/// What `quire user set-password` is told.
#[derive(Args, Debug)]
pub struct SetPasswordOptions {
    #[command(flatten)]
    named: NamedOptions,

    /// Take the second factor away, too.
    #[arg(long)]
    without_second_factor: bool,
}

/// Runs it.
///
/// # Errors
/// Storage does not oblige, or what is asked for cannot be done.
pub fn run(command: UserCommand) -> anyhow::Result<()> {
    let at = Clock::system().now();
    match command {
        UserCommand::Create(options) => create(&options),
        UserCommand::List(options) => options.place.with(async |accounts| list(accounts).await),
        UserCommand::Disable(named) => {
            let patch = UserPatch { disabled_at: Some(Some(at)), ..UserPatch::default() };
            change(&named, patch, "user.disable")
        }
        UserCommand::Enable(named) => {
            let patch = UserPatch { disabled_at: Some(None), ..UserPatch::default() };
            change(&named, patch, "user.enable")
        }
        UserCommand::Change(ChangeOptions { named, name, admin, may_create }) => {
            let (admin, may_create) = (admin.map(Switch::is_on), may_create.map(Switch::is_on));
            let patch = UserPatch { name, admin, may_create, disabled_at: None };
            change(&named, patch, "user.change")
        }
        UserCommand::SetPassword(options) => set_password(&options),
        UserCommand::Export(options) => run_export(&options),
        UserCommand::Erase(options) => run_erase(&options),
    }
}

fn create(options: &CreateOptions) -> anyhow::Result<()> {
    let mut user = new_user(&options.email, options.name.as_deref(), Clock::system().now())?;
    user.admin = options.admin;
    let hash = chosen(&user)?;
    options.place.act(async |accounts| match accounts.create_user(&user, Some(&hash)).await {
        Err(StoreError::Conflict { .. }) => anyhow::bail!("there is an account {}", user.subject),
        made => Ok((made?, deed("user.create", &user, json!({ "admin": user.admin })))),
    })?;
    writeln!(std::io::stdout(), "{}", user.id)?;
    Ok(())
}

fn change(named: &NamedOptions, patch: UserPatch, action: &'static str) -> anyhow::Result<()> {
    let changed = named.place.act(async |accounts| {
        let user = find(accounts, &named.user).await?;
        let changed = accounts.patch_user(&user.id, &patch, Clock::system().now()).await?;
        let UserPatch { name, admin, may_create, .. } = &patch;
        let details = json!({ "name": name.is_some(), "admin": admin, "may_create": may_create });
        let details = if action == "user.change" { details } else { json!({}) };
        Ok((changed, deed(action, &user, details)))
    })?;
    if let Some(user) = changed {
        writeln!(std::io::stdout(), "{}", line(&user))?;
    }
    Ok(())
}

fn set_password(options: &SetPasswordOptions) -> anyhow::Result<()> {
    options.named.place.act(async |accounts| {
        let user = find(accounts, &options.named.user).await?;
        let there = accounts.credentials(&user.id).await?.is_some();
        anyhow::ensure!(there, "{} has no account of this server", user.id);
        let hash = chosen(&user)?;
        accounts.set_password(&user.id, &hash, Clock::system().now(), None).await?;
        if options.without_second_factor {
            accounts.remove_totp(&user.id).await?;
        }
        let details = json!({ "without_second_factor": options.without_second_factor });
        Ok(((), deed("user.set-password", &user, details)))
    })
}

fn deed(action: &'static str, user: &User, details: Value) -> Deed {
    Deed { action, subject: format!("user:{}", user.id), details }
}

/// Reads a password, and hashes it.
fn chosen(user: &User) -> anyhow::Result<String> {
    let password = password()?;
    check_choice(&password, &user.subject).map_err(anyhow::Error::msg)?;
    hash_now(password.as_bytes()).map_err(|error| anyhow::anyhow!("argon2: {error}"))
}

async fn list(accounts: &dyn Accounts) -> anyhow::Result<()> {
    let (mut out, mut after) = (std::io::stdout(), None);
    loop {
        let page = accounts.users(after.as_ref(), PAGE).await?;
        let Some(last) = page.last().map(|user| user.id.clone()) else { return Ok(()) };
        for user in &page {
            writeln!(out, "{}", line(user))?;
        }
        after = Some(last);
    }
}

/// `ID  ISSUER  ADDRESS  NAME  WORDS`, with tabs between them.
fn line(user: &User) -> String {
    let words = [
        (user.admin, "admin"),
        (!user.may_create, "makes-no-documents"),
        (user.disabled_at.is_some(), "disabled"),
    ];
    let words: Vec<_> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    let address = user.email.as_deref().unwrap_or("-");
    format!("{}\t{}\t{address}\t{}\t{}", user.id, user.issuer, user.name, words.join(","))
}
