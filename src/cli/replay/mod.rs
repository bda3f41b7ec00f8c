//! `quire replay`: a real editing history, through a real server, over a WebSocket.

mod pace;
mod player;
mod trace;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::value::RawValue;

use self::pace::Pace;
use self::player::Player;
use self::trace::Trace;
use super::local::LocalServer;
use super::rest::{Format, NewDocument, Rest};
use crate::client::{Client, Options};
use crate::config::LogSettings;
use crate::ids::DocumentId;
use crate::ot::{Attributes, Delta};

/// What `quire replay` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire replay sveltecomponent.json.gz                 as fast as it goes, against a server of its own
  quire replay notes.json --one-by-one                 each edit an operation, durable before the next
  quire replay notes.json --pace recorded --speed 10   at ten times the speed of its author
  quire replay notes.json --url http://127.0.0.1:8080  watch it in the editor of a running server

A trace is a file of github.com/josephg/editing-traces: {startContent, endContent, txns}, .json or .json.gz.

Exit code: 0 if the server ends with the trace's own end text; 1 if not, or if anything failed.")]
pub struct ReplayOptions {
    /// The trace to replay.
    trace: PathBuf,

    /// Replay to this server, into a new document; without it, to a server started for this on a temporary folder.
    #[arg(long, env = "QUIRE_URL", value_name = "URL")]
    url: Option<String>,

    /// Token to present, where guests may not write.
    #[arg(long, env = "QUIRE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,

    /// As fast as the server takes it, or with the pauses of the recording.
    #[arg(long, value_enum, default_value = "full")]
    pace: PaceKind,

    /// Go so many times faster than recorded, such as 10 or 10x.
    #[arg(long, default_value = "1", value_name = "FACTOR", value_parser = pace::factor)]
    speed: f64,

    /// Cut recorded pauses to this many seconds: people sleep.
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    max_pause: f64,

    /// Edits that may wait for their acknowledgement; those behind the operation in flight are composed, as editors do.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    window: u64,

    /// Send every transaction as an operation of its own, and wait until it is durable.
    #[arg(long, conflicts_with = "window")]
    one_by_one: bool,
}

/// How fast to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PaceKind {
    Full,
    Recorded,
}

/// Replays the trace and tells how it went.
///
/// # Errors
/// The end text differs, or anything on the way failed.
pub fn run(options: &ReplayOptions) -> anyhow::Result<()> {
    let trace = Trace::read(&options.trace)?;
    let pace = match options.pace {
        PaceKind::Full => Pace::Full,
        PaceKind::Recorded => Pace::recorded(&trace, options.speed, options.max_pause)?,
    };
    actix_rt::System::new().block_on(async {
        match &options.url {
            Some(url) => replay(options, &trace, &pace, url).await,
            None => {
                if std::env::var_os("QUIRE_LOG").is_some() {
                    crate::telemetry::init(std::io::stderr, &LogSettings::of_variables());
                }
                let data = tempfile::tempdir().context("making a temporary data folder")?;
                let server = LocalServer::start(data.path()).await?;
                let replayed = replay(options, &trace, &pace, server.url()).await;
                server.stop().await?;
                replayed
            }
        }
    })
}

async fn replay(options: &ReplayOptions, trace: &Trace, pace: &Pace, url: &str) -> anyhow::Result<()> {
    let rest = Rest::new(url, options.token.clone());
    let id = make_document(&rest, options, trace).await?;
    eprintln!("replaying into {}", rest.page(&id));
    let socket = Options { name: Some("replay".to_owned()), token: options.token.clone() };
    let client = Client::connect(url, &id, socket).await?;
    let window = if options.one_by_one { 1 } else { options.window };
    let mut player = Player::new(client, window)?;
    player.play(trace, pace).await?;
    player.tell();
    check(rest, id, trace).await
}

/// Makes the document with the text that the trace begins with. REST is blocking, and the server may live on this very
/// thread.
async fn make_document(rest: &Rest, options: &ReplayOptions, trace: &Trace) -> anyhow::Result<DocumentId> {
    let name = options.trace.file_name().map(|name| name.to_string_lossy().into_owned());
    let start = Delta::new().insert(trace.start_content.as_str(), Attributes::new());
    let start = (!start.is_empty()).then(|| RawValue::from_string(start.to_json())).transpose()?;
    let rest = rest.clone();
    let made = tokio::task::spawn_blocking(move || {
        rest.create(&NewDocument {
            title: name.as_deref(),
            content: start.as_deref(),
            ..NewDocument::default()
        })
    });
    Ok(made.await??.id)
}

/// Compares the server's text with the recorded one.
async fn check(rest: Rest, id: DocumentId, trace: &Trace) -> anyhow::Result<()> {
    let text = tokio::task::spawn_blocking(move || rest.content(id.as_str(), Format::Text, None)).await??;
    if text == trace.end_content {
        eprintln!("the server's text is the recorded one, {} bytes", text.len());
        return Ok(());
    }
    let same = text.bytes().zip(trace.end_content.bytes()).take_while(|(a, b)| a == b).count();
    bail!(
        "the server's text ({} bytes) is not the recorded one ({} bytes): they differ from byte {same} on",
        text.len(),
        trace.end_content.len()
    )
}

/// Helps `--max-pause` and `--speed` to a duration.
fn seconds(value: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(value).context("a number of seconds must not be negative")
}
