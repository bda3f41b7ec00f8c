//! `quire admin`: the administration of a running server, by its REST interface.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::rest::{Method, Rest, ServerOptions, escaped};
use super::restraints::{self, BanOptions, LiftOptions, QuotaOptions};
use super::webhooks::{self, WebhooksCommand};
use crate::ids::DocumentId;

pub const EXAMPLES: &str = "\
Examples:
  quire admin docs                    documents in memory
  quire admin sessions                who has them open
  quire admin verify minutes          replay a document's log, and compare
  quire admin passivate minutes       send a document away from memory
  quire admin nodes                   this server, and the others of its database
  quire admin move minutes --to node-0b7c…  have another server serve a document
  quire admin unpin minutes           let it go back where it would be without that
  quire admin snapshot minutes        keep what it is now in a snapshot
  quire admin ban --network 192.0.2.0/24 --for 1day
  quire admin bans                    whom the server does not serve
  quire admin quota usr_1 --documents 500
  quire admin drain                   stop the server in order
  quire admin webhooks list           who is told of events

Wants the token of an administrator in QUIRE_TOKEN.

Exit code: 0 if it was done, and of verify if the log is as it should be; 1 if not, with the reason.";

/// What `quire admin` does.
#[derive(Subcommand, Debug)]
pub enum AdminCommand {
    /// List the documents in memory.
    Docs(ServerOptions),
    /// List the sessions of documents in memory.
    Sessions(ServerOptions),
    /// Show the server process, and the others of its database.
    Nodes(ServerOptions),
    /// Send a document away from memory; its sessions are told to reconnect.
    Passivate(OnDocument),
    /// Have another server serve a document, and all others of its shard, for as long as it runs.
    Move(MoveOptions),
    /// Let a document that was moved go back where it would be, with all others of its shard.
    Unpin(OnDocument),
    /// Replay a document's log and compare it with what was derived from it.
    Verify(OnDocument),
    /// Keep what a document is now in a snapshot.
    Snapshot(OnDocument),
    /// Tell a session to reconnect.
    Disconnect(OnSession),
    /// Do not serve a user or a network any more.
    Ban(BanOptions),
    /// List the bans that hold.
    Bans(ServerOptions),
    /// End a ban.
    Lift(LiftOptions),
    /// Show or set how many documents a user may own.
    Quota(QuotaOptions),
    /// List the quotas that were set.
    Quotas(ServerOptions),
    /// Stop the server in order.
    Drain(ServerOptions),
    /// Who is told of events by requests of the server's, and what could not be told.
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
}

/// A document of a server.
#[derive(Args, Debug)]
pub struct OnDocument {
    /// The document.
    doc: DocumentId,

    #[command(flatten)]
    server: ServerOptions,
}

/// A document, and where it is to be.
#[derive(Args, Debug)]
pub struct MoveOptions {
    /// The document.
    doc: DocumentId,

    /// The server, as `quire admin nodes` names it.
    #[arg(long, value_name = "NODE")]
    to: String,

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
            &[
                "id",
                "state",
                "version",
                "sessions",
                "speculative",
                "snapshot_lag",
                "bytes",
                "idle_ms",
                "node",
            ],
        ),
        AdminCommand::Sessions(server) => {
            list(&server.rest(), "sessions", &["session", "doc", "user", "name", "client", "lag", "node"])
        }
        AdminCommand::Nodes(server) => list(
            &server.rest(),
            "nodes",
            &[
                "name",
                "url",
                "alive",
                "draining",
                "shards",
                "version",
                "uptime_ms",
                "sessions",
                "documents",
                "operations",
                "journal_queue",
            ],
        ),
        AdminCommand::Passivate(on) => {
            on.server.rest().call(Method::POST, &format!("admin/docs/{}/passivate", on.doc))?;
            Ok(())
        }
        AdminCommand::Move(options) => {
            let path = format!("admin/docs/{}/move", options.doc);
            options.server.rest().send(Method::POST, &path, Some(&json!({ "node": options.to })))?;
            Ok(())
        }
        AdminCommand::Unpin(on) => {
            let path = format!("admin/docs/{}/move", on.doc);
            let there = on.server.rest().call(Method::DELETE, &path)?;
            writeln!(std::io::stdout(), "{}", text(&there["node"]))?;
            Ok(())
        }
        AdminCommand::Verify(on) => verify(&on.server.rest(), &on.doc),
        AdminCommand::Snapshot(on) => {
            let made = on.server.rest().call(Method::POST, &format!("admin/docs/{}/snapshot", on.doc))?;
            writeln!(std::io::stdout(), "version {} is in a snapshot", made["version"])?;
            Ok(())
        }
        AdminCommand::Ban(options) => restraints::ban(options),
        AdminCommand::Bans(server) => list(
            &server.rest(),
            "bans",
            &["id", "user", "network", "expires_at", "made_by", "made_at", "reason"],
        ),
        AdminCommand::Lift(options) => restraints::lift(options),
        AdminCommand::Quota(options) => restraints::quota(options),
        AdminCommand::Quotas(server) => {
            list(&server.rest(), "quotas", &["user", "documents", "set_by", "set_at"])
        }
        AdminCommand::Disconnect(on) => {
            let path = format!("admin/docs/{}/sessions/{}", on.doc, on.session);
            on.server.rest().call(Method::DELETE, &path)?;
            Ok(())
        }
        AdminCommand::Drain(server) => {
            server.rest().call(Method::POST, "admin/drain")?;
            Ok(())
        }
        AdminCommand::Webhooks(command) => webhooks::run(command),
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
        for node in page["missing"].as_array().map_or(&[][..], Vec::as_slice) {
            eprintln!("{} does not answer: what it has is missing here", text(node));
        }
        let Some(next) = page["next"].as_str() else { return Ok(()) };
        cursor = format!("&cursor={}", escaped(next));
    }
}

/// Shows a value in one line that no name can break out of.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        other => other.to_string(),
    }
}
