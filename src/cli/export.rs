//! `quire export`: a document, out of a running server.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::rest::{Format, ServerOptions};
use crate::ids::{DocumentId, Version};

/// What `quire export` is told.
#[derive(Args, Debug)]
#[command(
    disable_version_flag = true,
    after_help = "\
Examples:
  quire export welcome                                  as a delta, to standard output
  quire export welcome --format markdown -o welcome.md
  quire export welcome --version 120 --format text      as it was at version 120

Exit code: 0 if the document was written; 1 if not, with the reason."
)]
pub struct ExportOptions {
    /// The document's id.
    id: DocumentId,

    #[command(flatten)]
    server: ServerOptions,

    /// The form to write it in; `delta` is the only one that loses nothing.
    #[arg(long, value_enum, default_value = "delta")]
    format: Format,

    /// An old version instead of the newest one.
    #[arg(long, id = "at", value_name = "VERSION")]
    version: Option<Version>,

    /// Write to a file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the document.
///
/// # Errors
/// There is no such document, or the server or the file do not oblige.
pub fn run(options: &ExportOptions) -> anyhow::Result<()> {
    let rest = options.server.rest();
    let content = rest.content(options.id.as_str(), options.format, options.version)?;
    match &options.output {
        Some(path) => std::fs::write(path, content).with_context(|| format!("writing {}", path.display())),
        None => std::io::stdout().write_all(content.as_bytes()).context("writing to standard output"),
    }
}
