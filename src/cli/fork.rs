//! `quire fork`: documents leave their histories.

use std::path::PathBuf;

use clap::Args;

use super::{end, expect_no_server, wait};
use crate::actors::clock::Clock;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::ids::{DocumentId, HistoryId, Millis, Version};
use crate::storage::{
    DatabaseOptions, Fork, NewSnapshot, Opened, SnapshotBodies, SqliteOptions, Store, history,
};

/// Documents looked up at a time.
const PAGE: usize = 1_000;

/// Versions from which on a document gets a snapshot in place of those of its old history.
const SNAPSHOT_FROM: Version = 100;

/// What `quire fork` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  QUIRE_DATABASE_URL=postgres://quire@db.example/quire quire fork
  quire fork --data /srv/quire --doc minutes

For after a failover to an asynchronous standby, or a database that was put back to an earlier state: what was acknowledged last
may be gone, and pages that hold it would go on with versions that are others now. With a history of its own each document parts
from the old one where its log ends: pages that were not ahead of it resume, the others load it anew and hand their users what is
not in it. Not needed after kill -9, a power cut, or a failover to a synchronous standby.

No server may be running, neither on the data folder nor on the PostgreSQL database, and no worker.

Exit code: 0 if all are forked; 1 if not, with the reason; some may be.")]
pub struct ForkOptions {
    /// Folder of the embedded database and the snapshots.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,

    /// Fork this document alone.
    #[arg(long, value_name = "ID")]
    doc: Option<DocumentId>,
}

/// Forks, and tells how many documents.
///
/// # Errors
/// Storage does not oblige, or a document cannot be read.
pub fn run(options: &ForkOptions) -> anyhow::Result<()> {
    let forked = wait(fork(options))?;
    eprintln!("forked {forked} documents");
    Ok(())
}

async fn fork(options: &ForkOptions) -> anyhow::Result<usize> {
    let database = match options.database.postgres()? {
        Some(postgres) => DatabaseOptions::Postgres(postgres),
        None => SqliteOptions::default().into(),
    };
    let storage = options.objects.storage(database)?;
    let opened = Opened::existing(&options.data, storage).await?;
    let forked = fork_in(&opened, options.doc.as_ref()).await;
    opened.close().await?;
    forked
}

async fn fork_in(opened: &Opened, doc: Option<&DocumentId>) -> anyhow::Result<usize> {
    let alone = expect_no_server(opened).await?;
    let (store, bodies) = (&*opened.store, &*opened.bodies);
    // One that cannot be seen, since it has lost its connections, shall not go on.
    store.claim_all(&format!("fork-{}", std::process::id())).await?;
    let at = Clock::system().now();
    let forked = match doc {
        Some(doc) => fork_one(store, bodies, doc, at).await.map(|()| 1),
        None => fork_all(store, bodies, at).await,
    };
    let forked = forked?;
    end(alone).await?;
    Ok(forked)
}

async fn fork_all(store: &dyn Store, bodies: &SnapshotBodies, at: Millis) -> anyhow::Result<usize> {
    let (mut forked, mut after) = (0, None);
    loop {
        let page = store.document_ids(after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { return Ok(forked) };
        for doc in page {
            fork_one(store, bodies, &doc, at).await?;
            forked += 1;
        }
        after = Some(last);
    }
}

async fn fork_one(
    store: &dyn Store,
    bodies: &SnapshotBodies,
    doc: &DocumentId,
    at: Millis,
) -> anyhow::Result<()> {
    let loaded = history::head(store, bodies, doc, |_, _| {}).await?;
    let (history, parent, version) = (HistoryId::generate(), loaded.row.history, loaded.version);
    store.fork_document(doc, &Fork { history, parent, version, at }).await?;
    bodies.purge(doc, parent).await?;
    if version >= SNAPSHOT_FROM {
        let snapshot = NewSnapshot::of(doc.clone(), history, version, loaded.at, &loaded.content);
        store.record_snapshots(&[bodies.write(snapshot).await?]).await?;
    }
    Ok(())
}
