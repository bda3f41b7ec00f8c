//! `quire migrate`: brings a database to the schema of this version.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::wait;
use crate::config::DatabaseSettings;
use crate::storage::{DataDir, Migrated, PostgresStore, SqliteStore};

/// What `quire migrate` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire migrate                    the folder ./data, made if it is not there
  quire migrate --data /srv/quire
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire migrate

`quire serve` does the same when it starts; run this before, to know that it works and how long it takes. Migrations only
go forward: keep a copy of the database if you may want to go back to an older quire. Several may migrate one PostgreSQL
database at once: one of them does it, and the others wait.

Exit code: 0 if the schema is this version's now; 1 if not, with the reason (the folder is in use, say).")]
pub struct MigrateOptions {
    /// Folder of the embedded database and the snapshots; no server may be running on it.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,
}

/// Migrates, and tells each step that was missing.
///
/// # Errors
/// The folder is in use, its schema is of a newer quire, or a step failed; the database is then as it was before that
/// step.
pub fn run(options: &MigrateOptions) -> anyhow::Result<()> {
    let (applied, place) = wait(migrate(options))?;
    let mut out = std::io::stdout();
    if applied.is_empty() {
        write!(out, "nothing to do: ")?;
    }
    for step in &applied {
        writeln!(out, "applied {:04} {}", step.number, step.name)?;
    }
    writeln!(out, "{place} has the schema of quire {}", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}

/// Returns what was missing, and the name of what had it missing.
async fn migrate(options: &MigrateOptions) -> anyhow::Result<(Vec<Migrated>, String)> {
    if let Some(postgres) = options.database.postgres()? {
        return Ok((PostgresStore::migrate(&postgres).await?, postgres.place()));
    }
    let folder = DataDir::lock(&options.data)?;
    Ok((SqliteStore::migrate(&folder).await?, options.data.display().to_string()))
}
