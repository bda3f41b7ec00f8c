//! `quire migrate`: brings a data folder to the schema of this version.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::storage::{DataDir, SqliteStore};

/// What `quire migrate` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire migrate                    the folder ./data, made if it is not there
  quire migrate --data /srv/quire

`quire serve` does the same when it starts; run this before, to know that it works and how long it takes. Migrations only
go forward: keep a copy of the folder if you may want to go back to an older quire.

Exit code: 0 if the schema is this version's now; 1 if not, with the reason (the folder is in use, say).")]
pub struct MigrateOptions {
    /// Folder of the embedded database and the snapshots; no server may be running on it.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,
}

/// Migrates, and tells each step that was missing.
///
/// # Errors
/// The folder is in use, its schema is of a newer quire, or a step failed; the database is then as it was before that
/// step.
pub fn run(options: &MigrateOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = DataDir::lock(&options.data)?;
    let applied = runtime.block_on(SqliteStore::migrate(&folder))?;
    let mut out = std::io::stdout();
    if applied.is_empty() {
        write!(out, "nothing to do: ")?;
    }
    for step in &applied {
        writeln!(out, "applied {:04} {}", step.number, step.name)?;
    }
    writeln!(out, "{} has the schema of quire {}", options.data.display(), env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
