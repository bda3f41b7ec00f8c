//! `quire projections rebuild`, and `quire verify --projections`: what is made of the log, made again or compared with it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::wait;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::{DocumentId, Version};
use crate::projections::{Limits, Projector, rebuild, verify};
use crate::storage::projections::READER;
use crate::storage::{DatabaseOptions, Reading, SqliteOptions, StorageOptions, Store, StoreError};

/// Documents looked up at a time.
const PAGE: usize = 1_000;

/// The reader that publishes the log to a stream.
const PUBLISHER: &str = crate::actors::publisher::READER;

/// What `quire projections` does.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  quire projections rebuild --data /srv/quire

Exit code: 0 if all were made again; 1 if not, with the reasons.")]
pub enum ProjectionsCommand {
    /// Make them again from the beginning of every log, across all tiers.
    Rebuild(RebuildOptions),
}

/// What `quire projections rebuild` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire projections rebuild --data /srv/quire
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire projections rebuild --doc minutes

Content, words and activity of each document are replaced by what its log leads to, a document at a time. On PostgreSQL servers
and workers may be running, and go on; the embedded database must not be in use.

One that cannot be read, or that people are typing into all the time, is named and stays as it is.

Exit code: 0 if all were made again; 1 if not, with the reasons.")]
pub struct RebuildOptions {
    /// Folder of the embedded database and of archived operations.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    /// Make those of this document alone.
    #[arg(long, value_name = "ID")]
    doc: Option<DocumentId>,
}

/// Runs it.
///
/// # Errors
/// Storage does not oblige, or a log cannot be read.
pub fn run(command: &ProjectionsCommand) -> anyhow::Result<()> {
    let ProjectionsCommand::Rebuild(options) = command;
    wait(rebuild_all(options))
}

async fn rebuild_all(options: &RebuildOptions) -> anyhow::Result<()> {
    let database = match options.database.postgres()? {
        Some(postgres) => DatabaseOptions::Postgres(postgres),
        None => SqliteOptions::default().into(),
    };
    let storage = options.objects.storage(database)?;
    let opened = Reading::in_place(&options.data, storage).await?;
    let limits = Limits { docs: 1, bytes: u64::MAX };
    let projector = Projector { store: opened.store.clone(), rows: opened.projections.clone(), limits };
    let docs = match &options.doc {
        Some(doc) => {
            // One that does not exist is a mistake here.
            opened.store.document(doc).await?;
            vec![doc.clone()]
        }
        None => all_documents(&*opened.store).await?,
    };
    let bar = ProgressBar::new(docs.len() as u64).with_style(
        ProgressStyle::with_template("{bar:32} {pos}/{len} documents, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (mut made, mut versions) = (0, 0);
    for doc in &docs {
        match rebuild(&projector, doc).await {
            Ok(all) => (made, versions) = (made + 1, versions + all),
            Err(error @ (StoreError::Conflict { .. } | StoreError::Corrupt { .. })) => {
                bar.suspend(|| eprintln!("document {doc}: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    opened.close().await?;
    writeln!(std::io::stdout(), "{made} documents made again from {versions} operations")?;
    anyhow::ensure!(made == docs.len(), "{} documents stay as they are", docs.len() - made);
    Ok(())
}

async fn all_documents(store: &dyn Store) -> anyhow::Result<Vec<DocumentId>> {
    let mut docs = Vec::new();
    loop {
        let page = store.document_ids(docs.last(), PAGE).await?;
        if page.is_empty() {
            return Ok(docs);
        }
        docs.extend(page);
    }
}

/// Compares the projections of all documents with their logs, and tells how far they are behind.
///
/// # Errors
/// Storage does not oblige, or there are complaints.
pub async fn verify_all(data: &Path, storage: StorageOptions) -> anyhow::Result<()> {
    let reading = Reading::from(data, storage).await?;
    let store = &*reading.store;
    let (mut documents, mut versions, mut behind, mut complaints) = (0, 0, 0, 0);
    let mut after = None;
    loop {
        let page = store.document_ids(after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { break };
        for doc in page {
            let verified = verify(store, &reading.projections, &doc).await?;
            documents += 1;
            versions += verified.version;
            behind += verified.behind;
            complaints += verified.complaints.len();
            for complaint in &verified.complaints {
                writeln!(std::io::stdout(), "{complaint}")?;
            }
        }
        after = Some(last);
    }
    writeln!(
        std::io::stdout(),
        "projections of {documents} documents verified: {versions} versions compared, {behind} behind"
    )?;
    tell_lag(store, PUBLISHER, "the stream lacks").await?;
    tell_lag(store, READER, "projections have still to pass").await?;
    reading.close().await?;
    anyhow::ensure!(complaints == 0, "not everything is as the log says, complaints: {complaints}");
    Ok(())
}

/// Tells how many positions of the log a reader has not come to, if it has ever begun and there are any.
async fn tell_lag(store: &dyn Store, reader: &str, what: &str) -> anyhow::Result<()> {
    let (marks, ends) = (store.watermarks(reader).await?, store.last_positions().await?);
    let begun = marks.iter().any(|mark| *mark > 0);
    let lag: Version = ends.iter().zip(marks.iter()).map(|(end, mark)| end.saturating_sub(*mark)).sum();
    if begun && lag > 0 {
        writeln!(std::io::stdout(), "{what} {lag} operations")?;
    }
    Ok(())
}
