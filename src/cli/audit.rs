//! `quire audit`: is the log of who has done what as it was written, and all of it as lines.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::wait;
use crate::config::{DatabaseSettings, ObjectSettings};
use crate::http::audit::RecordView;
use crate::storage::audit::{AuditLog, Head, verify_chain};
use crate::storage::{DatabaseOptions, Reading, SqliteOptions};

/// Records read at a time.
const PAGE: usize = 1_000;

/// What `quire audit` does.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  quire audit verify --data /srv/quire
  quire audit export --data /srv/quire | gzip > audit.jsonl.gz

A server may be running.

Exit code: 0 if all records fit, or are written; 1 if not, with the reason.")]
pub enum AuditCommand {
    /// Go through every chain and tell the first record of each that does not fit.
    Verify(VerifyOptions),
    /// Write all records to standard output, a line of JSON each.
    Export(Place),
}

/// Where the records are.
#[derive(Args, Debug)]
pub struct Place {
    /// Folder of the embedded database.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    database: DatabaseSettings,

    #[command(flatten)]
    objects: ObjectSettings,
}

/// What `quire audit verify` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire audit verify --data /srv/quire
  quire audit verify --noted main:8813:5fd2…       as the server's log of messages had it some day

A server may be running. A record that was changed, removed, moved or put in by hand does not fit on the one before it. Whoever
can write to the database can make a whole chain anew, and is found out by a record that was noted somewhere else: this prints
the ends of all chains, and the server logs that of its own each hour.

Exit code: 0 if all records fit; 1 if not, with the first of each chain that does not.")]
pub struct VerifyOptions {
    #[command(flatten)]
    place: Place,

    /// A record that was noted before: chain, number and hash. May be given several times.
    #[arg(long, value_name = "CHAIN:N:HASH", value_parser = noted)]
    noted: Vec<Head>,
}

/// Reads a head as `verify` prints it.
fn noted(text: &str) -> Result<Head, String> {
    let read = || {
        let (rest, hash) = text.rsplit_once(':')?;
        let (chain, n) = rest.rsplit_once(':')?;
        let hash = hex::decode(hash).ok()?.try_into().ok()?;
        Some(Head { chain: chain.to_owned(), n: n.parse().ok()?, hash })
    };
    read().ok_or_else(|| "CHAIN:N:HASH is wanted, the hash as 64 hexadecimal digits".to_owned())
}

/// Runs it.
///
/// # Errors
/// Storage does not oblige, or records do not fit.
pub fn run(command: &AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(options) => wait(async {
            let reading = options.place.open().await?;
            let verified = verify(&*reading.audit, &options.noted).await;
            reading.close().await?;
            verified
        }),
        AuditCommand::Export(place) => wait(async {
            let reading = place.open().await?;
            let exported = export(&*reading.audit).await;
            reading.close().await?;
            exported
        }),
    }
}

impl Place {
    async fn open(&self) -> anyhow::Result<Reading> {
        let database = match self.database.postgres()? {
            Some(postgres) => DatabaseOptions::Postgres(postgres),
            None => SqliteOptions::default().into(),
        };
        Ok(Reading::from(&self.data, self.objects.storage(database)?).await?)
    }
}

async fn verify(log: &dyn AuditLog, noted: &[Head]) -> anyhow::Result<()> {
    let mut misfits = 0;
    let mut out = std::io::stdout();
    let heads = log.audit_heads().await?;
    for head in &heads {
        match verify_chain(log, head, noted).await? {
            Ok(end) => writeln!(out, "{}:{}:{}", end.chain, end.n, hex::encode(end.hash))?,
            Err(misfit) => {
                misfits += 1;
                writeln!(out, "{misfit}")?;
            }
        }
    }
    for missing in noted.iter().filter(|noted| heads.iter().all(|head| head.chain != noted.chain)) {
        misfits += 1;
        writeln!(out, "chain {} was noted, and is missing", missing.chain)?;
    }
    match misfits {
        0 => Ok(()),
        1 => bail!("1 chain of the audit log is not as it was written"),
        many => bail!("{many} chains of the audit log are not as they were written"),
    }
}

async fn export(log: &dyn AuditLog) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for head in log.audit_heads().await? {
        let mut after = 0;
        loop {
            let page = log.read_audit(&head.chain, after, PAGE).await?;
            let Some(last) = page.last().map(|record| record.n) else { break };
            for record in &page {
                serde_json::to_writer(&mut out, &RecordView::of(record))?;
                out.write_all(b"\n")?;
            }
            after = last;
        }
    }
    Ok(out.flush()?)
}
