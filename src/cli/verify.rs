//! `quire verify`: is what the log says what was derived from it?

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::wait;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::Version;
use crate::storage::verify::verify;
use crate::storage::{DatabaseOptions, Opened, SqliteOptions, StorageOptions};

/// Documents looked up at a time.
const PAGE: usize = 1_000;

/// What `quire verify` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire verify                    the folder ./data
  quire verify --data /srv/quire
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire verify --data /srv/quire
  quire verify --projections      what is made of the log alone; the server may be running

Replays the log of every document from its beginning, trash included, and compares it with each snapshot and with what is
known of its clients; then checks the database as a whole. The server that uses the folder has to be stopped. Like the
server, it first brings the schema to this version and tidies up after a crash.

With --projections the content, words and activity that are kept of each document are compared with its log up to the version that
they are of, and nothing else is. How far they are behind is told, and is a complaint only if they have passed over it.

Exit code: 0 if everything agrees; 1 if something differs or cannot be read, each a line that names the document and the
version.")]
pub struct VerifyOptions {
    /// Folder of the embedded database and the snapshots.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    /// Compare projections with the log, beside a server that may be running.
    #[arg(long)]
    projections: bool,
}

/// Looking through a whole table takes as long as it takes.
const STATEMENT_WITHIN: Duration = Duration::from_hours(24);

/// What was looked at, and how much of it was complained of.
#[derive(Default)]
struct Totals {
    documents: usize,
    versions: Version,
    snapshots: usize,
    complaints: usize,
}

/// Verifies all documents.
///
/// # Errors
/// The folder cannot be opened, or there are complaints.
pub fn run(options: &VerifyOptions) -> anyhow::Result<()> {
    if options.projections {
        return wait(super::projections::verify_all(&options.data, options.storage()?));
    }
    let totals = wait(verify_all(options))?;
    let Totals { documents, versions, snapshots, complaints } = totals;
    writeln!(
        std::io::stdout(),
        "{documents} documents verified: {versions} versions replayed, {snapshots} snapshots compared"
    )?;
    anyhow::ensure!(complaints == 0, "not everything is as the log says, complaints: {complaints}");
    Ok(())
}

impl VerifyOptions {
    fn storage(&self) -> anyhow::Result<StorageOptions> {
        let database = match self.database.postgres()? {
            Some(mut postgres) => {
                postgres.statement_within = STATEMENT_WITHIN;
                DatabaseOptions::Postgres(postgres)
            }
            None => SqliteOptions::default().into(),
        };
        Ok(self.objects.storage(database)?)
    }
}

async fn verify_all(options: &VerifyOptions) -> anyhow::Result<Totals> {
    let opened = Opened::existing(&options.data, options.storage()?).await?;
    let mut totals = Totals::default();
    let mut after = None;
    loop {
        let page = opened.store.document_ids(after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { break };
        for doc in page {
            let verified = verify(&*opened.store, &opened.bodies, &doc).await?;
            totals.documents += 1;
            totals.versions += verified.versions;
            totals.snapshots += verified.snapshots;
            totals.tell(&verified.complaints)?;
        }
        after = Some(last);
    }
    totals.tell(&opened.check().await?)?;
    opened.close().await?;
    Ok(totals)
}

impl Totals {
    fn tell(&mut self, complaints: &[String]) -> std::io::Result<()> {
        self.complaints += complaints.len();
        complaints.iter().try_for_each(|complaint| writeln!(std::io::stdout(), "{complaint}"))
    }
}
