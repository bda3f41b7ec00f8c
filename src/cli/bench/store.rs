//! `quire bench store`: the journal alone, into a database. No sockets, no documents: appends as fast as they are answered.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix::prelude::*;
use anyhow::{Context as _, anyhow};
use clap::{Args, value_parser};
use hdrhistogram::Histogram;
use tokio::sync::oneshot;

use super::process::Process;
use super::report::{Outcome, table};
use crate::actors::document::{Report, Reported};
use crate::actors::journal::{Append, Create, JournalActor};
use crate::config::Secret;
use crate::ids::{ClientId, DocumentId, HistoryId, Millis, UserId, Version};
use crate::metrics::METRICS;
use crate::storage::{DatabaseOptions, LoggedOp, NewDocument, Opened, PostgresOptions, SqliteOptions};

/// What `quire bench store` is told.
#[derive(Args, Debug)]
pub struct StoreOptions {
    /// PostgreSQL database to write into, instead of an embedded one in a temporary folder. It is filled with documents
    /// that nobody wants, and taken from any server that uses it: name one for this alone.
    #[arg(long, value_name = "URL")]
    database_url: Option<Secret>,

    /// Folder of the embedded database, to measure another disk than that of temporary files.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Documents, each with one append on its way at a time.
    #[arg(long, default_value_t = 2_000, value_name = "N", value_parser = value_parser!(u32).range(1..=40_000))]
    documents: u32,

    /// Single-character operations of an append.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000))]
    operations: u32,

    /// Clients of a document, who take turns.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000))]
    clients: u32,

    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = super::seconds)]
    measure: f64,

    /// Seconds of load before.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS", value_parser = super::seconds)]
    warm_up: f64,
}

/// Measures, and prints a table.
///
/// # Errors
/// The database cannot be opened, or has refused something.
pub fn run(options: &StoreOptions) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir().context("making a temporary data folder")?;
    let data = options.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let database = match &options.database_url {
        Some(url) => DatabaseOptions::Postgres(PostgresOptions::new(url.expose())?),
        None => SqliteOptions::default().into(),
    };
    actix_rt::System::new().block_on(async {
        let storage = Opened::at(&data, database).await?;
        let measured = measure(&storage, options).await;
        storage.close().await?;
        println!("{}", table(&[measured?]));
        Ok(())
    })
}

async fn measure(storage: &Opened, options: &StoreOptions) -> anyhow::Result<Outcome> {
    let node = format!("bench-{}", uuid::Uuid::new_v4());
    let epochs = storage.store.claim_all(&node).await?;
    let journal = JournalActor::new(storage.store.clone(), node, epochs).await?;
    let thread = Arbiter::new();
    let journal = JournalActor::start_in_arbiter(&thread.handle(), |_| journal);
    let documents = make_documents(&journal, options).await?;

    let (failed, mut failure) = oneshot::channel();
    let feeder = Feeder {
        journal,
        documents,
        operations: options.operations,
        tally: Tally::new()?,
        failed: Some(failed),
    };
    let feeder = feeder.start();
    wait(options.warm_up, &mut failure).await?;
    let before = Clocks::read(&feeder).await?;
    wait(options.measure, &mut failure).await?;
    let after = Clocks::read(&feeder).await?;
    thread.stop();
    Ok(after.since(&before))
}

/// # Errors
/// An append was refused meanwhile.
async fn wait(seconds: f64, failure: &mut oneshot::Receiver<String>) -> anyhow::Result<()> {
    match tokio::time::timeout(Duration::from_secs_f64(seconds), failure).await {
        Ok(why) => Err(anyhow!("an append was refused: {}", why.unwrap_or_default())),
        Err(_) => Ok(()),
    }
}

async fn make_documents(journal: &Addr<JournalActor>, options: &StoreOptions) -> anyhow::Result<Vec<Typist>> {
    let typists: Vec<_> = (0..options.documents).map(|_| Typist::new(options.clients)).collect();
    let made = typists.iter().map(|typist| {
        let new = NewDocument {
            history: typist.history,
            title: "Measured".to_owned(),
            owner: UserId::guest_rest(),
            created_at: now(),
            preview: String::new(),
            link: Some(crate::protocol::Role::Editor),
        };
        journal.send(Create { doc: typist.doc.clone(), new, first: None })
    });
    for answer in futures_util::future::join_all(made).await {
        answer?.map_err(|refusal| anyhow!("a document was not made: {refusal:?}"))?;
    }
    Ok(typists)
}

/// One document and those who write it.
struct Typist {
    doc: DocumentId,
    history: HistoryId,
    clients: Vec<(ClientId, UserId)>,
    version: Version,
    sent: Instant,
}

impl Typist {
    fn new(clients: u32) -> Self {
        let client = |_| {
            let client = ClientId::generate();
            (client, UserId::guest(client))
        };
        Self {
            doc: DocumentId::generate(),
            history: HistoryId::generate(),
            clients: (0..clients).map(client).collect(),
            version: 0,
            sent: Instant::now(),
        }
    }

    /// Types so many characters, each at the end of what is there.
    fn type_on(&mut self, operations: u32) -> Vec<LoggedOp> {
        let ops = (0..operations).map(|_| {
            let (client, user) = self.clients[self.version as usize % self.clients.len()].clone();
            self.version += 1;
            let delta = match self.version {
                1 => r#"[{"insert":"x"}]"#.to_owned(),
                version => format!(r#"[{{"retain":{}}},{{"insert":"x"}}]"#, version - 1),
            };
            LoggedOp {
                version: self.version,
                client,
                seq: self.version,
                user,
                at: now(),
                delta: delta.into(),
            }
        });
        ops.collect()
    }
}

/// What was committed so far.
struct Tally {
    operations: u64,
    /// How long appends took to be answered since it was last read, in microseconds.
    latency: Histogram<u64>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { operations: 0, latency: Histogram::new_with_max(60_000_000, 3)? })
    }

    fn record(&mut self, took: Duration) {
        self.latency.saturating_record(took.as_micros() as u64);
    }
}

/// Gives each document its next append as soon as the one before is answered.
struct Feeder {
    journal: Addr<JournalActor>,
    documents: Vec<Typist>,
    operations: u32,
    tally: Tally,
    failed: Option<oneshot::Sender<String>>,
}

impl Feeder {
    fn feed(&mut self, index: usize, ctx: &mut Context<Self>) {
        let typist = &mut self.documents[index];
        let ops = typist.type_on(self.operations);
        typist.sent = Instant::now();
        let (doc, reply) = (typist.doc.clone(), ctx.address().recipient());
        // The incarnation comes back with the answer, and tells the documents apart.
        let (history, incarnation) = (typist.history, index as u64);
        let append = Append { doc, history, incarnation, ops, touch: false, preview: None, reply };
        self.journal.do_send(append);
    }
}

impl Actor for Feeder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.documents.len());
        (0..self.documents.len()).for_each(|index| self.feed(index, ctx));
    }
}

impl Handler<Reported> for Feeder {
    type Result = ();

    fn handle(&mut self, reported: Reported, ctx: &mut Self::Context) {
        let index = reported.incarnation as usize;
        match reported.report {
            Report::InDoubt => {}
            Report::Settled { durable, refused: None } => {
                self.tally.operations += durable as u64;
                let took = self.documents[index].sent.elapsed();
                self.tally.record(took);
                self.feed(index, ctx);
            }
            Report::Settled { refused: Some(why), .. } => {
                if let Some(failed) = self.failed.take() {
                    // Whoever measures may have ended.
                    let _ = failed.send(format!("{why:?}"));
                }
            }
        }
    }
}

/// Sent by whoever measures; answered by what was committed, with the latencies since it was asked last.
#[derive(Message)]
#[rtype(result = "Option<Tally>")]
struct Read;

impl Handler<Read> for Feeder {
    type Result = Option<Tally>;

    fn handle(&mut self, _: Read, _: &mut Self::Context) -> Self::Result {
        let fresh = Tally { operations: self.tally.operations, ..Tally::new().ok()? };
        Some(std::mem::replace(&mut self.tally, fresh))
    }
}

/// All that is read at one moment.
struct Clocks {
    at: Instant,
    cpu: f64,
    commits: u64,
    tally: Tally,
}

impl Clocks {
    async fn read(feeder: &Addr<Feeder>) -> anyhow::Result<Self> {
        let tally = feeder.send(Read).await?.context("a histogram cannot be made")?;
        let cpu = Process::own().cpu_seconds()?;
        Ok(Self { at: Instant::now(), cpu, commits: METRICS.batch.get_sample_count(), tally })
    }

    fn since(&self, before: &Self) -> Outcome {
        let seconds = (self.at - before.at).as_secs_f64();
        let operations = (self.tally.operations - before.tally.operations) as f64;
        let commits = (self.commits - before.commits) as f64;
        let latency = |quantile| self.tally.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        let mut outcome = Outcome::new("store", "journal");
        outcome.push("operations", operations / seconds, "op/s");
        outcome.push("commits", commits / seconds, "1/s");
        outcome.push("operations in a commit", operations / commits, "op");
        outcome.push("append p50", latency(0.5), "ms");
        outcome.push("append p99", latency(0.99), "ms");
        outcome.push("CPU of journal and load", 100.0 * (self.cpu - before.cpu) / seconds, "%");
        outcome
    }
}

fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as Millis)
}
