//! `quire admin webhooks`: who is told of events, and what could not be told, by REST.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::text;
use super::rest::{Method, Rest, ServerOptions};

/// What `quire admin webhooks` does.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  quire admin webhooks add https://hooks.example/quire --types document.created,document.trashed
  quire admin webhooks dead wh_1             what could not be delivered
  quire admin webhooks redeliver wh_1        all of that once more

Wants the token of an administrator in QUIRE_TOKEN.

Exit code: 0 if it was done; 1 if not, with the reason.")]
pub enum WebhooksCommand {
    /// List the webhooks.
    List(ServerOptions),
    /// Add a webhook; prints its id and its secret, which is shown this once.
    Add(NewHook),
    /// Remove a webhook, with what has still to be delivered.
    Remove(OnHook),
    /// Enable a webhook that the server has disabled.
    Enable(OnHook),
    /// Have a webhook told of nothing, to see whether it hears.
    Ping(OnHook),
    /// List the deliveries that were given up.
    Dead(OnHook),
    /// Have deliveries made again: one, or all that were given up.
    Redeliver(OnDelivery),
}

/// A webhook to be made.
#[derive(Args, Debug)]
pub struct NewHook {
    /// Address that is called.
    #[arg(value_name = "ADDRESS")]
    target: String,

    /// Types of events, such as document.created (comma separated) [default: all].
    #[arg(long, value_delimiter = ',', value_name = "TYPE")]
    types: Vec<String>,

    /// Of all documents, and not only of those that belong to whose token this is.
    #[arg(long)]
    server_wide: bool,

    #[command(flatten)]
    server: ServerOptions,
}

/// A webhook of a server.
#[derive(Args, Debug)]
pub struct OnHook {
    /// The webhook, as `list` shows it.
    hook: String,

    #[command(flatten)]
    server: ServerOptions,
}

/// A delivery of a webhook.
#[derive(Args, Debug)]
pub struct OnDelivery {
    /// The webhook, as `list` shows it.
    hook: String,

    /// The delivery, as `dead` shows it [default: all of them].
    delivery: Option<String>,

    #[command(flatten)]
    server: ServerOptions,
}

/// Runs it.
///
/// # Errors
/// The server does not answer, or refuses.
pub fn run(command: &WebhooksCommand) -> anyhow::Result<()> {
    match command {
        WebhooksCommand::List(server) => {
            let columns = ["id", "scope", "owner", "url", "enabled", "disabled_because"];
            list(&server.rest(), "webhooks?", "webhooks", &columns)
        }
        WebhooksCommand::Add(new) => add(new),
        WebhooksCommand::Remove(on) => call(on, Method::DELETE, "", None),
        WebhooksCommand::Enable(on) => call(on, Method::PATCH, "", Some(json!({ "enabled": true }))),
        WebhooksCommand::Ping(on) => call(on, Method::POST, "/ping", None),
        WebhooksCommand::Dead(on) => {
            let place = format!("webhooks/{}/deliveries?state=dead&", on.hook);
            let columns = ["id", "type", "doc", "tries", "status", "error", "done_at"];
            list(&on.server.rest(), &place, "deliveries", &columns)
        }
        WebhooksCommand::Redeliver(on) => redeliver(on),
    }
}

fn add(new: &NewHook) -> anyhow::Result<()> {
    let scope = if new.server_wide { "server" } else { "documents" };
    let mut body = json!({ "url": new.target, "scope": scope });
    if !new.types.is_empty() {
        body["types"] = json!(new.types);
    }
    let made = new.server.rest().send(Method::POST, "webhooks", Some(&body))?;
    writeln!(std::io::stdout(), "{}\t{}", text(&made["id"]), text(&made["secret"]))?;
    Ok(())
}

fn call(on: &OnHook, method: Method, what: &str, body: Option<Value>) -> anyhow::Result<()> {
    on.server.rest().send(method, &format!("webhooks/{}{what}", on.hook), body.as_ref())?;
    Ok(())
}

fn redeliver(on: &OnDelivery) -> anyhow::Result<()> {
    let rest = on.server.rest();
    let again = |delivery: &str| {
        rest.call(Method::POST, &format!("webhooks/{}/deliveries/{delivery}/redeliver", on.hook))
    };
    if let Some(delivery) = &on.delivery {
        again(delivery)?;
        return Ok(());
    }
    let mut deliveries = Vec::new();
    let place = format!("webhooks/{}/deliveries?state=dead&", on.hook);
    each(&rest, &place, "deliveries", |row| {
        deliveries.extend(row["id"].as_str().map(str::to_owned));
        Ok(())
    })?;
    for delivery in &deliveries {
        again(delivery)?;
    }
    writeln!(std::io::stdout(), "{} deliveries are made again", deliveries.len())?;
    Ok(())
}

/// Prints every page of a list, a line each, with a tab between the columns.
fn list(rest: &Rest, place: &str, what: &str, columns: &[&str]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", columns.join("\t"))?;
    each(rest, place, what, |row| {
        let cells: Vec<String> = columns.iter().map(|column| text(&row[*column])).collect();
        writeln!(out, "{}", cells.join("\t"))?;
        Ok(())
    })
}

/// Does something with every entry of every page. `place` ends where parameters may follow.
fn each(
    rest: &Rest,
    place: &str,
    what: &str,
    mut with: impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let page = rest.call(Method::GET, &format!("{place}limit=200{cursor}"))?;
        for row in page[what].as_array().map_or(&[][..], Vec::as_slice) {
            with(row)?;
        }
        let Some(next) = page["next"].as_str() else { return Ok(()) };
        cursor = format!("&cursor={next}");
    }
}
