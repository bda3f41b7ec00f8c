//! The command line: one file a command.

mod backup;
#[cfg(target_os = "linux")]
mod bench;
mod export;
mod fork;
mod import;
mod local;
mod migrate;
mod replay;
mod rest;
mod restore;
mod serve;
mod verify;

use clap::{Parser, Subcommand};

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
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server.
    #[command(after_help = serve::EXAMPLES)]
    Serve(crate::config::ServeOptions),
    /// Bring the data folder to the schema of this version.
    Migrate(migrate::MigrateOptions),
    /// Replay every document's log and compare it with what was derived from it.
    Verify(verify::VerifyOptions),
    /// Write all documents and their logs to a file; a server may be running.
    Backup(backup::BackupOptions),
    /// Put the documents of a backup into an empty database, or one of them beside others.
    Restore(restore::RestoreOptions),
    /// Give documents new histories, after a failover that may have lost the ends of their logs.
    Fork(fork::ForkOptions),
    /// Send a recorded editing history through a server, and check the text that comes out.
    Replay(replay::ReplayOptions),
    /// Write a document of a running server to a file.
    Export(export::ExportOptions),
    /// Make a document of a running server from a file.
    Import(import::ImportOptions),
    /// Measure what a server takes, beside a bare relay in the same run.
    #[cfg(target_os = "linux")]
    Bench(bench::BenchOptions),
}

/// Runs the command that the process was started with.
///
/// # Errors
/// The command failed; the chain of causes reads as a sentence.
pub fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(options) => serve::run(options),
        Command::Migrate(options) => migrate::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(options),
        Command::Fork(options) => fork::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Import(options) => import::run(&options),
        #[cfg(target_os = "linux")]
        Command::Bench(options) => bench::run(options),
    }
}
