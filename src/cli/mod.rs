//! The command line: one file a command.

mod accounts;
mod admin;
mod audit;
mod backup;
#[cfg(target_os = "linux")]
mod bench;
mod config;
mod deeds;
mod export;
mod fork;
mod health;
mod import;
mod keys;
mod local;
mod migrate;
mod person;
mod projections;
mod replay;
mod rest;
mod restore;
mod restraints;
mod serve;
mod token;
mod user;
mod verify;
mod webhooks;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use crate::config::{ConfigFile, Layers, lay, providers, with_providers};
use crate::storage::{Alone, Asked, Opened};

/// How long a server that has just ended is waited for, which the database sees for a moment longer, and how often it is looked.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
Examples:
  quire serve            http://127.0.0.1:8080, documents in ./data
  quire import notes.md  a file, as a new document of that server
  quire verify           check the documents in ./data, with the server stopped

Each command has examples of its own: quire serve --help";

/// A live-document server: many people type into one document, and nothing acknowledged is lost.
#[derive(Parser, Debug)]
#[command(name = "quire", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    /// File of settings (TOML); flags and variables are above it. See quire config.
    #[arg(long, env = "QUIRE_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

/// Does a command's work to its end, on this thread. Boxed: a scheduler compiled for each command is nothing anybody needs.
fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let work: LocalBoxFuture<'_, _> = Box::pin(work);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Refuses to go on beside a server of the same database: one of several would take back what a command has taken. None begins as long as
/// the answer is kept.
async fn expect_no_server(opened: &Opened) -> anyhow::Result<Alone> {
    let deadline = Instant::now() + ENDS_WITHIN;
    loop {
        let why = match opened.alone().await? {
            Asked::Alone(alone) => return Ok(alone),
            Asked::Company => "servers are running on the database, or were a minute ago: stop them first",
            Asked::Busy => BUSY,
        };
        anyhow::ensure!(Instant::now() < deadline, "{why}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Why somebody cannot be alone with the database though no server is seen.
const BUSY: &str = "another command is at work on the database that has to be alone with it, or a server begins: try again later";

/// Ends being alone.
///
/// # Errors
/// It has not held.
async fn end(alone: Alone) -> anyhow::Result<()> {
    let lost = "the connection was lost that keeps servers from beginning: if one has begun meanwhile, do it again without";
    alone.end().await.context(lost)
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<crate::config::ServeOptions>),
    /// Keep what is made of the log up with the stream of operations.
    Worker(Box<worker::WorkerCommand>),
    /// Ask whether the server on this machine answers.
    Health(health::HealthOptions),
    /// Check or show the settings of a server.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Bring the data folder to the schema of this version.
    Migrate(migrate::MigrateOptions),
    /// Replay every document's log and compare it with what was derived from it.
    Verify(verify::VerifyOptions),
    /// Make content, words and activity of documents again from their logs.
    #[command(subcommand)]
    Projections(projections::ProjectionsCommand),
    /// Write all documents and their logs to a file; a server may be running.
    Backup(backup::BackupOptions),
    /// Put the documents of a backup into an empty database, or one of them beside others.
    Restore(restore::RestoreOptions),
    /// Check the audit log, or write it to a file.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Encrypt snapshots and archived operations with the current key, or count what is under which.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Give documents new histories, after a failover that may have lost the ends of their logs.
    Fork(fork::ForkOptions),
    /// Make and change accounts; give out what is kept of a person, or erase them.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Make and end keys of scripts.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Send a recorded editing history through a server, and check the text that comes out.
    Replay(replay::ReplayOptions),
    /// Write a document of a running server to a file.
    Export(export::ExportOptions),
    /// Make a document of a running server from a file.
    Import(import::ImportOptions),
    /// Look after a running server: documents in memory, their sessions, and the process itself.
    #[command(subcommand, after_help = admin::EXAMPLES)]
    Admin(admin::AdminCommand),
    /// Measure what a server takes, beside a bare relay in the same run.
    #[cfg(target_os = "linux")]
    Bench(bench::BenchOptions),
}

/// Runs the command that the process was started with.
///
/// # Errors
/// The command failed; the chain of causes reads as a sentence.
pub fn run() -> anyhow::Result<()> {
    // What this says is not final, since the file may be missing from it.
    let first = Cli::command().ignore_errors(true).try_get_matches().ok();
    let file = config_file(first.as_ref());
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let words = std::env::args_os().filter_map(|word| word.into_string().ok());
    let providers = providers(file.as_ref(), variables, words);
    let layers = lay(with_providers(Cli::command(), &providers), file, &|name| std::env::var_os(name));
    if first.is_some_and(|matches| config::is_check(&matches)) {
        return config::check(&layers);
    }
    let matches = layers.command.clone().get_matches();
    let cli = Cli::from_arg_matches(&matches)?;
    if !layers.complaints.is_empty() {
        let lines: Vec<_> = layers.complaints.iter().map(ToString::to_string).collect();
        anyhow::bail!("{}", lines.join("\n"));
    }
    execute(cli.command, &layers, &matches)
}

/// Reads the file that flag or variable name; a variable that is set to nothing is not set.
fn config_file(first: Option<&ArgMatches>) -> Option<ConfigFile> {
    let flag = first.and_then(|matches| matches.try_get_one::<PathBuf>("config").ok().flatten()).cloned();
    let path = flag.or_else(|| std::env::var_os("QUIRE_CONFIG").map(PathBuf::from))?;
    (!path.as_os_str().is_empty()).then(|| ConfigFile::read(&path))
}

fn execute(command: Command, layers: &Layers, matches: &ArgMatches) -> anyhow::Result<()> {
    match command {
        Command::Health(options) => health::run(&options),
        Command::Serve(options) => serve::run(*options),
        Command::Worker(command) => worker::run(*command),
        Command::Config(config::ConfigCommand::Check(_)) => config::check(layers),
        Command::Config(config::ConfigCommand::Show(_)) => config::show(layers, matches),
        Command::Migrate(options) => migrate::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Projections(command) => projections::run(&command),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(options),
        Command::Audit(command) => audit::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Fork(options) => fork::run(&options),
        Command::User(command) => user::run(command),
        Command::Token(command) => token::run(command),
        Command::Replay(options) => replay::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Admin(command) => admin::run(&command),
        #[cfg(target_os = "linux")]
        Command::Bench(options) => bench::run(options),
    }
}
