//! `quire admin`: the administration of a running server, by its REST interface.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::rest::{Method, Rest, ServerOptions};
use crate::ids::DocumentId;

pub const EXAMPLES: &str = "\
Examples:
  quire admin docs                    documents in memory
  quire admin sessions                who has them open
  quire admin verify minutes          replay a document's log, and compare
  quire admin passivate minutes       send a document away from memory
  quire admin drain                   stop the server in order

Wants the token of an administrator in QUIRE_TOKEN.";

/// What `quire admin` does.
#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// List the documents in memory.
    Docs(ServerOptions),
    /// List the sessions of documents in memory.
    Sessions(ServerOptions),
    /// Show the server process.
    Nodes(ServerOptions),
    /// Send a document away from memory; its sessions are told to reconnect.
    Passivate(OnDocument),
    /// Replay a document's log and compare it with what was derived from it.
    Verify(OnDocument),
    /// Tell a session to reconnect.
    Disconnect(OnSession),
    /// Stop the server in order.
    Drain(ServerOptions),
}

/// A document of a server.
#[derive(Args, Debug)]
pub struct OnDocument {
    /// The document.
    doc: DocumentId,

    #[command(flatten)]
    server: ServerOptions,
}

/// A session of a document.
#[derive(Args, Debug)]
pub struct OnSession {
    /// The document.
    doc: DocumentId,

    /// The session, as `quire admin sessions` shows it.
    session: String,

    #[command(flatten)]
    server: ServerOptions,
}

/// Runs it.
///
/// # Errors
/// The server does not answer, or refuses; a log is not as it should be.
pub fn run(command: &AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::Docs(server) => list(
            &server.rest(),
            "docs",
            &["id", "state", "version", "sessions", "speculative", "snapshot_lag", "bytes", "idle_ms"],
        ),
        AdminCommand::Sessions(server) => {
            list(&server.rest(), "sessions", &["session", "doc", "user", "name", "client", "lag"])
        }
        AdminCommand::Nodes(server) => list(
            &server.rest(),
            "nodes",
            &["name", "version", "uptime_ms", "sessions", "documents", "operations", "journal_queue"],
        ),
        AdminCommand::Passivate(on) => {
            on.server.rest().call(Method::POST, &format!("admin/docs/{}/passivate", on.doc))?;
            Ok(())
        }
        AdminCommand::Verify(on) => verify(&on.server.rest(), &on.doc),
        AdminCommand::Disconnect(on) => {
            let path = format!("admin/docs/{}/sessions/{}", on.doc, on.session);
            on.server.rest().call(Method::DELETE, &path)?;
            Ok(())
        }
        AdminCommand::Drain(server) => {
            server.rest().call(Method::POST, "admin/drain")?;
            Ok(())
        }
    }
}

fn verify(rest: &Rest, doc: &DocumentId) -> anyhow::Result<()> {
    let verified = rest.call(Method::POST, &format!("admin/docs/{doc}/verify"))?;
    let complaints = verified["complaints"].as_array().map_or(&[][..], Vec::as_slice);
    for complaint in complaints {
        writeln!(std::io::stdout(), "{}", text(complaint))?;
    }
    anyhow::ensure!(
        complaints.is_empty(),
        "not everything is as the log says, complaints: {}",
        complaints.len()
    );
    let (versions, snapshots) = (&verified["versions"], &verified["snapshots"]);
    writeln!(std::io::stdout(), "{versions} versions and {snapshots} snapshots verified")?;
    Ok(())
}

/// Prints every page of a list, a line each, with a tab between the columns.
fn list(rest: &Rest, what: &str, columns: &[&str]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", columns.join("\t"))?;
    let mut cursor = String::new();
    loop {
        let page = rest.call(Method::GET, &format!("admin/{what}?limit=200{cursor}"))?;
        for row in page[what].as_array().map_or(&[][..], Vec::as_slice) {
            let cells: Vec<String> = columns.iter().map(|column| text(&row[*column])).collect();
            writeln!(out, "{}", cells.join("\t"))?;
        }
        let Some(next) = page["next"].as_str() else { return Ok(()) };
        // An id has nothing in it that an address would have to escape.
        cursor = format!("&cursor={next}");
    }
}

/// Shows a value in one line that no name can break out of.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        other => other.to_string(),
    }
}
