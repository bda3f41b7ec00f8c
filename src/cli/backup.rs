//! `quire backup`: all documents, their logs, and what is beside them, as one file.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::wait;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::storage::backup::{Backup, Counts};
use crate::storage::{DatabaseOptions, Reading, SqliteOptions};

/// What `quire backup` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire backup -o monday.qbak                    the folder ./data
  quire backup --data /srv/quire -o - | ssh elsewhere 'cat > monday.qbak'
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire backup -o monday.qbak

A server may be running: the backup has all that was acknowledged before it began, and of what comes meanwhile some. Of an
embedded database that is in use a copy is made first, in the folder for temporary files (TMPDIR). In the backup are
documents with their operations, named versions, comments, grants and share links; accounts with passwords (hashed), second
factors and service tokens, groups, bans and quotas; and the ids that were purged. Not in it are sign-ins, the keys that
tokens are signed with, webhooks and the audit log.

With encryption keys (QUIRE_ENCRYPTION_KEYS) the backup is encrypted with the first one, and can only be restored with that.

Exit code: 0 if the backup is whole and on the disk; 1 if not, with the reason; a file is then not there.")]
pub struct BackupOptions {
    /// Folder of the embedded database.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    /// File to write; - is standard output.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// Writes the backup, and tells what is in it.
///
/// # Errors
/// Storage or the file do not oblige, or a log cannot be read.
pub fn run(options: &BackupOptions) -> anyhow::Result<()> {
    let counts = wait(backup(options))?;
    eprintln!("{}", told(&counts));
    Ok(())
}

/// Tells what there is, in words.
pub(super) fn told(counts: &Counts) -> String {
    let Counts { documents, operations, purged, rows } = counts;
    format!(
        "{documents} documents, {operations} operations, {purged} purged ids, \
        {rows} rows of accounts, rights, names and comments"
    )
}

async fn backup(options: &BackupOptions) -> anyhow::Result<Counts> {
    let database = match options.database.postgres()? {
        Some(postgres) => DatabaseOptions::Postgres(postgres),
        None => SqliteOptions::default().into(),
    };
    let storage = options.objects.storage(database)?;
    let vault = storage.vault.clone();
    let reading = Reading::from(&options.data, storage).await?;
    let (store, belongings) = (&*reading.store, &*reading.belongings);
    let written = write_to(&Backup { store, belongings, vault: &vault }, &options.output).await;
    reading.close().await?;
    written
}

async fn write_to(backup: &Backup<'_>, output: &Path) -> anyhow::Result<Counts> {
    // Nearly as many as there are operations: those of purged documents have left their places.
    let bar = progress(Some(backup.store.last_positions().await?.iter().sum()));
    let told = |counts: &Counts| tell(&bar, counts);
    if output == Path::new("-") {
        if io::stdout().is_terminal() {
            bail!("a backup is not for a terminal: name a file, or pipe it to a program");
        }
        return Ok(backup.write(BufWriter::new(io::stdout().lock()), told).await?.0);
    }
    // Under its name only when it is whole.
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("writing {}", output.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    let (counts, _) = backup.write(BufWriter::new(file.as_file_mut()), told).await?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(output).with_context(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)?;
    Ok(counts)
}

/// A line on standard error that tells how far it has come, of so many operations if that is known.
pub(super) fn progress(operations: Option<u64>) -> ProgressBar {
    let template = match operations {
        Some(_) => "{bar:32} {percent} %, {msg} ({elapsed}, {eta} to go)",
        None => "{spinner} {msg} ({elapsed})",
    };
    // The template is a constant; were it wrong, the default one would do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    operations.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style)
}

pub(super) fn tell(bar: &ProgressBar, counts: &Counts) {
    bar.set_position(counts.operations);
    bar.set_message(format!("{} documents, {} operations", counts.documents, counts.operations));
}
