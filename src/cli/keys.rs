//! `quire keys`: what objects and secrets are encrypted with, and brought under the current key; what servers prove themselves with.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use serde_json::json;

use super::backup::progress;
use super::deeds::{Chain, Deed};
use super::wait;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::storage::audit::Outcome;
use crate::storage::cluster::{ClusterStore as _, SECRET_BYTES};
use crate::storage::rotation::{Rotated, Rotation};
use crate::storage::{DatabaseOptions, Opened, PostgresStore, SqliteOptions};

/// What `quire keys` does.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  QUIRE_ENCRYPTION_KEYS_FILE=keys quire keys rotate --data /srv/quire
  quire keys show --config /etc/quire.toml       the file of the servers will do

  quire keys exchange --config /etc/quire.toml   another secret for the servers of one database

How a new key is made: quire keys rotate --help.

Exit code: 0 if everything can be read, and after rotate is under the current key; after exchange if it was done; 1 if not, with the
reasons.")]
pub enum KeysCommand {
    /// Encrypt everything with the current key that is plain or under another one.
    Rotate(KeysOptions),
    /// Count what is under which key.
    Show(KeysOptions),
    /// Have the servers of one database prove themselves to each other with another secret.
    Exchange(ExchangeOptions),
}

/// Whose secret.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  QUIRE_DATABASE_URL=postgres://… quire keys exchange
  quire keys exchange --config /etc/quire.toml

Servers go on meanwhile: they use the new secret after a quarter of a minute, and believe nobody with the old one after a minute. For
when somebody may have read it: in the database, or in a copy of that.

Exit code: 0 if it was exchanged; 1 if not, with the reason.")]
pub struct ExchangeOptions {
    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    chain: Chain,
}

/// What both are told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  echo \"2026-12:$(head -c 32 /dev/urandom | base64)\" | cat - keys > new && mv new keys
  QUIRE_ENCRYPTION_KEYS_FILE=keys quire keys rotate --data /srv/quire
  QUIRE_ENCRYPTION_KEYS_FILE=keys quire keys show --data /srv/quire

What nothing names any more, since something was killed half way, is removed; on PostgreSQL when it is older than an hour.

The first key is the current one. Snapshots, archived operations and the secrets of webhooks that are plain or under another key are
written anew; each is read back before it takes the place of the old one, so that it may be stopped and run again at any time. The embedded database must
not be in use; on PostgreSQL servers may go on, if they have all the keys. Without any key everything is made plain.

Exit code: 0 if everything is under the current key; 1 if not, with the reasons.")]
pub struct KeysOptions {
    /// Folder of the embedded database, of snapshots and of archived operations.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    #[command(flatten)]
    chain: Chain,
}

/// Runs it, and tells how many objects are under which key.
///
/// # Errors
/// Storage does not oblige, or something stays under another key.
pub fn run(command: &KeysCommand) -> anyhow::Result<()> {
    let (options, dry) = match command {
        KeysCommand::Rotate(options) => (options, false),
        KeysCommand::Show(options) => (options, true),
        KeysCommand::Exchange(options) => return wait(exchange(options)),
    };
    let rotated = wait(rotate(options, dry))?;
    let mut out = std::io::stdout();
    if !dry {
        let Rotated { snapshots, segments, secrets, .. } = rotated;
        writeln!(
            out,
            "{snapshots} snapshots, {segments} segments and {secrets} secrets of webhooks written anew"
        )?;
    }
    for (key, count) in &rotated.keys {
        match key {
            Some(key) => writeln!(out, "{count} under key {key}")?,
            None => writeln!(out, "{count} plain")?,
        }
    }
    match (rotated.strays, dry) {
        (0, _) => {}
        (left, true) => {
            writeln!(out, "{left} that nothing names, left by what was killed: rotate removes them")?;
        }
        (removed, false) => writeln!(out, "{removed} that nothing named removed")?,
    }
    for complaint in &rotated.complaints {
        writeln!(out, "{complaint}")?;
    }
    let complaints = rotated.complaints.len();
    ensure!(complaints == 0, "not everything could be read, complaints: {complaints}");
    Ok(())
}

async fn exchange(options: &ExchangeOptions) -> anyhow::Result<()> {
    let postgres = options.database.postgres()?;
    let postgres =
        postgres.context("--database-url is missing: several servers share a PostgreSQL database")?;
    PostgresStore::expect(&postgres).await?;
    let mut fresh = [0; SECRET_BYTES];
    getrandom::fill(&mut fresh)?;
    let store = PostgresStore::open(postgres).await?;
    let exchanged = store.exchange_secret(&fresh).await;
    let deed = Deed { action: "keys.exchange", subject: String::new(), details: json!({}) };
    let recorded = match &exchanged {
        Ok(true) => options.chain.record(&store, deed, Outcome::Done).await,
        _ => Ok(()),
    };
    store.close().await;
    ensure!(
        exchanged?,
        "the secret stays: no server of several has been there yet, or it was exchanged within the last two minutes"
    );
    recorded?;
    writeln!(std::io::stdout(), "exchanged: nobody is believed with the old one after a minute")?;
    Ok(())
}

async fn rotate(options: &KeysOptions, dry: bool) -> anyhow::Result<Rotated> {
    let database = match options.database.postgres()? {
        Some(postgres) => DatabaseOptions::Postgres(postgres),
        None => SqliteOptions::default().into(),
    };
    let storage = options.objects.storage(database)?;
    let vault = storage.vault.clone();
    let opened = Opened::existing(&options.data, storage).await?;
    let strays = opened.strays();
    let bar = progress(None);
    let rotation = Rotation {
        store: &*opened.store,
        bodies: &opened.bodies,
        tiers: &opened.tiers,
        hooks: &*opened.webhooks,
        vault: &vault,
        dry,
        strays,
    };
    let rotated = rotation
        .run(|so_far| {
            bar.tick();
            bar.set_message(format!("{} snapshots, {} segments", so_far.snapshots, so_far.segments));
        })
        .await;
    bar.finish_and_clear();
    let recorded = match &rotated {
        Ok(rotated) if !dry => {
            options.chain.record(&*opened.audit, rotation_of(rotated), Outcome::Done).await
        }
        _ => Ok(()),
    };
    opened.close().await?;
    let rotated = rotated?;
    recorded?;
    Ok(rotated)
}

fn rotation_of(rotated: &Rotated) -> Deed {
    let Rotated { snapshots, segments, secrets, complaints, .. } = rotated;
    let details = json!({
        "snapshots": snapshots, "segments": segments, "secrets": secrets, "complaints": complaints.len(),
    });
    Deed { action: "keys.rotate", subject: String::new(), details }
}
