//! `quire restore`: documents out of a backup.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::backup::{progress, tell, told};
use super::{end, expect_no_server, wait};
use crate::actors::clock::Clock;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::{DocumentId, Millis, Version};
use crate::storage::backup::{Counts, Reader, Restore, Target, Until};
use crate::storage::{DatabaseOptions, Opened, SqliteOptions};

/// What `quire restore` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire restore monday.qbak                              everything, into the empty folder ./data
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire restore monday.qbak --keep-history
                                                         from a folder to PostgreSQL, or back
  quire restore monday.qbak --doc minutes --as minutes-monday
  quire restore monday.qbak --doc minutes --as minutes-noon --time 2026-11-23T12:00:00Z
                                                         one document, as it was at a time

No server may be running, neither on the data folder nor on the PostgreSQL database. Documents get new histories, which begin
where the backup ends: pages that were ahead of it load them anew. With --keep-history they do not, for a move: nothing may have
been written after the backup.

With accounts, groups and rights: people sign in anew, with the passwords and second factors that they had. One document
alone brings what belongs to it; under another id not who may do what with it, and of an earlier version no comments.

A backup is read to its end before anything is written: one that is damaged changes nothing. One that is no file is put into
the folder for temporary files (TMPDIR) first. Of one that is encrypted the key is wanted (QUIRE_ENCRYPTION_KEYS).

Exit code: 0 if everything is restored; 1 if not, with the reason. What was restored before the database failed is there:
begin anew with an empty one.")]
pub struct RestoreOptions {
    /// The backup; - is standard input.
    backup: PathBuf,

    /// Folder of the embedded database and the snapshots, made if it is not there.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    /// Restore this document alone, beside those that are there.
    #[arg(long, value_name = "ID")]
    doc: Option<DocumentId>,

    /// Give it this id instead of its own.
    #[arg(long = "as", value_name = "ID", requires = "doc")]
    renamed: Option<DocumentId>,

    /// Restore it as it was at this version.
    #[arg(long, value_name = "VERSION", requires = "doc", conflicts_with = "time")]
    at: Option<Version>,

    /// Restore it as it was at this time (RFC 3339, such as 2026-11-23T12:00:00Z).
    #[arg(long, value_name = "TIME", requires = "doc", value_parser = time)]
    time: Option<Millis>,

    /// Let documents keep their histories.
    #[arg(long, conflicts_with_all = ["renamed", "at", "time"])]
    keep_history: bool,
}

/// Reads a time in ms.
fn time(text: &str) -> Result<Millis, String> {
    humantime::parse_rfc3339(text)
        .map_err(|error| error.to_string())
        .map(|time| time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis))
}

/// Restores, and tells what.
///
/// # Errors
/// The backup cannot be read, or storage does not oblige.
pub fn run(options: RestoreOptions) -> anyhow::Result<()> {
    let counts = wait(restore(options))?;
    eprintln!("restored {}", told(&counts));
    Ok(())
}

async fn restore(options: RestoreOptions) -> anyhow::Result<Counts> {
    let database = match options.database.postgres()? {
        Some(postgres) => DatabaseOptions::Postgres(postgres),
        None => SqliteOptions::default().into(),
    };
    let storage = options.objects.storage(database)?;
    let vault = storage.vault.clone();
    let mut file = open(&options.backup)?;
    let all = Reader::open(BufReader::new(&file), &vault).await?.check()?;
    file.rewind()?;
    let reader = Reader::open(BufReader::new(&file), &vault).await?;
    let opened = Opened::at(&options.data, storage).await?;
    let how = Restore {
        only: options.doc,
        renamed: options.renamed,
        until: options.at.map(Until::Version).or(options.time.map(Until::Time)),
        keep_history: options.keep_history,
        at: Clock::system().now(),
    };
    // Of one document nobody knows before how many it has.
    let operations = how.only.is_none().then_some(all.operations);
    let restored = restore_into(&opened, &how, reader, operations).await;
    opened.close().await?;
    restored
}

async fn restore_into(
    opened: &Opened,
    how: &Restore,
    reader: Reader<impl io::Read>,
    operations: Option<u64>,
) -> anyhow::Result<Counts> {
    let alone = expect_no_server(opened).await?;
    let target = Target { store: &*opened.store, belongings: &*opened.belongings, bodies: &opened.bodies };
    let bar = progress(operations);
    let restored = how.run(target, reader, |counts| tell(&bar, counts)).await?;
    end(alone).await?;
    Ok(restored)
}

/// Opens a backup that can be read twice: what is no file is put into one that has no name.
fn open(backup: &Path) -> anyhow::Result<File> {
    let failed = || format!("reading {}", backup.display());
    if backup == Path::new("-") {
        return spooled(io::stdin().lock()).with_context(failed);
    }
    let file = File::open(backup).with_context(failed)?;
    if file.metadata().with_context(failed)?.is_file() {
        Ok(file)
    } else {
        spooled(file).with_context(failed)
    }
}

fn spooled(mut from: impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut from, &mut file)?;
    file.rewind()?;
    Ok(file)
}
