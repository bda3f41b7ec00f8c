//! `quire user export` and `quire user erase`: what is kept of a person, given out or taken away.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::sync::mpsc;

use super::deeds::{Chain, Deed};
use super::{BUSY, end, wait};
use crate::actors::clock::Clock;
use crate::auth::accounts::normal;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::UserId;
use crate::storage::accounts::OWN_ISSUER;
use crate::storage::audit::Outcome;
use crate::storage::erasure::Erased;
use crate::storage::people::{Erasing, Fate};
use crate::storage::portability::Exporter;
use crate::storage::{Asked, DatabaseOptions, Opened, SqliteOptions, StorageOptions};

/// Where people are.
#[derive(Args, Debug)]
struct Place {
    /// Folder of the embedded database, of snapshots and of archived operations.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,
}

/// What `quire user export` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire user export --data /srv/quire u_5d1c… > person.json

Needs the server stopped; of a running one GET /v1/users/ID/export gives the same. Secrets and their hashes are not in it.

Exit code: 0 if it is whole (its end says \"complete\"); 1 if not, with the reason.")]
pub struct ExportOptions {
    /// The user's address or id.
    user: String,

    #[command(flatten)]
    place: Place,
}

/// What `quire user erase` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire user erase --data /srv/quire u_5d1c… --yes
  quire user erase ada@example.org --documents owned --yes

Removes the account, its sign-ins, keys, memberships and rights, and the documents that nobody else may see. What they have
written into other documents stays, under an id that tells nothing: one that tells something is replaced in the whole log, archived
parts included. It may be stopped and run again; a server that starts goes on with it. On PostgreSQL no server may be running: of
one that does POST /v1/users/ID/erase does the same.

What was backed up before has the person still, and so has the audit log until its records are too old.

Exit code: 0 if nothing is left to be done; 1 if something is or there is no such user, with the reason.")]
pub struct EraseOptions {
    /// The user's address or id.
    user: String,

    /// Which of their documents go: those that are shared with nobody, or all that they own.
    #[arg(long, default_value = "private", value_name = "private|owned")]
    documents: Documents,

    #[command(flatten)]
    chain: Chain,

    /// Really do it.
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Documents {
    Private,
    Owned,
}

/// Writes all that is kept of a person to standard output.
///
/// # Errors
/// Storage does not oblige.
pub fn run_export(options: &ExportOptions) -> anyhow::Result<()> {
    wait(export(options))
}

/// Erases a person.
///
/// # Errors
/// Storage does not oblige, or it was not confirmed.
pub fn run_erase(options: &EraseOptions) -> anyhow::Result<()> {
    if !options.yes {
        bail!("this cannot be undone: --yes does it");
    }
    let Erased { rows, purged, renamed, segments } = wait(erase(options))?;
    let mut out = std::io::stdout();
    writeln!(out, "{rows} rows removed, {purged} documents purged")?;
    writeln!(out, "the id was replaced in {renamed} documents and {segments} segments")?;
    Ok(())
}

impl Place {
    fn storage(&self) -> anyhow::Result<StorageOptions> {
        let database = match self.database.postgres()? {
            Some(postgres) => DatabaseOptions::Postgres(postgres),
            None => SqliteOptions::default().into(),
        };
        Ok(self.objects.storage(database)?)
    }

    async fn open(&self) -> anyhow::Result<Opened> {
        Ok(Opened::existing(&self.data, self.storage()?).await?)
    }
}

async fn export(options: &ExportOptions) -> anyhow::Result<()> {
    let opened = options.place.open().await?;
    let user = match find(&opened, &options.user).await {
        Ok(user) => user,
        Err(error) => {
            opened.close().await?;
            return Err(error);
        }
    };
    let (store, bodies, people) = (opened.store.clone(), opened.bodies.clone(), opened.people.clone());
    let (out, mut parts) = mpsc::channel::<Bytes>(1);
    let write = async move { Exporter { store, bodies, people }.write(&user, &out, async || Ok(())).await };
    let print = async {
        let mut stdout = std::io::stdout().lock();
        while let Some(part) = parts.recv().await {
            stdout.write_all(&part)?;
        }
        stdout.flush()
    };
    let (written, printed) = tokio::join!(write, print);
    opened.close().await?;
    printed.context("standard output")?;
    Ok(written?)
}

/// Finds somebody by the address of an account, or by the id; of some there is no row, and they are named in documents all the same.
async fn find(opened: &Opened, named: &str) -> anyhow::Result<UserId> {
    let id = UserId(named.into());
    if let Some(user) = opened.accounts.user_by_subject(OWN_ISSUER, &normal(named)).await? {
        return Ok(user.id);
    }
    let known = opened.accounts.user(&id).await?.is_some()
        || !opened.people.person(&id).await?.is_empty()
        || !opened.people.documents_of(&id, None, 1).await?.is_empty();
    ensure!(known, "there is no user {named}");
    Ok(id)
}

async fn erase(options: &EraseOptions) -> anyhow::Result<Erased> {
    let opened = options.place.open().await?;
    let erased = erase_from(&opened, options).await;
    opened.close().await?;
    erased
}

async fn erase_from(opened: &Opened, options: &EraseOptions) -> anyhow::Result<Erased> {
    let alone = match opened.alone().await? {
        Asked::Alone(alone) => alone,
        Asked::Company => {
            bail!("servers are running on the database: POST /v1/users/ID/erase of one of them does it")
        }
        Asked::Busy => bail!("{BUSY}"),
    };
    let user = find(opened, &options.user).await?;
    let now = Clock::system().now();
    let fate = match options.documents {
        Documents::Private => Fate::Private,
        Documents::Owned => Fate::Owned,
    };
    let subject = format!("user:{user}");
    let erased = opened.eraser(now).erase(&Erasing::new(user, fate, now)).await;
    let details = erased.as_ref().map_or(json!({}), |erased| json!(erased));
    let deed = Deed { action: "user.erase", subject, details };
    let outcome = if erased.is_ok() { Outcome::Done } else { Outcome::Failed };
    let recorded = options.chain.record(&*opened.audit, deed, outcome).await;
    let erased = erased?;
    recorded?;
    end(alone).await?;
    Ok(erased)
}
