//! `quire bench`: what a server takes, measured beside a bare relay in the same run.
//!
//! The load is an open loop: operations are due at fixed times whatever the server does, and latency counts from then.
//! Server and generator run on a core each, and both show how busy they were.

mod dialect;
mod files;
mod measure;
mod process;
mod relay;
mod report;
mod scan;
mod scenarios;
mod schedule;
mod search;
mod solo;
mod store;
mod swarm;
mod target;
mod websocket;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};

use self::process::{pin_to_core, usable_cores};
use self::report::{Outcome, table};
use self::scenarios::{Bench, Scenario, Settings};
use self::target::{Cores, Plan};
use crate::config::{Secret, Switch};
use crate::platform;

/// What `quire bench` is told.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  quire bench                          everything, on two cores; minutes
  quire bench light open               two scenarios
  quire bench hot --only quire         without the relay beside it
  quire bench many --load 2500         10,000 op/s and nothing else
  QUIRE_HUGE_PAGES=on quire bench many both servers with large pages of memory
  quire bench many --url http://127.0.0.1:8080 --pid 4711
  quire bench store --database-url postgres://quire@127.0.0.1/bench

Exit code: 0 if everything could be measured, whatever the figures; 1 if not, with the reason."
)]
pub struct BenchOptions {
    #[command(subcommand)]
    part: Option<Part>,

    /// What to measure, one after the other; all of it by default.
    #[arg(value_enum, value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,

    /// Measure a server that runs already (start it with QUIRE_RATE_LIMITS=off) instead of starting one.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Process of the server at --url, to show its CPU time and memory.
    #[arg(long, requires = "url", value_name = "PID")]
    pid: Option<u32>,

    /// PostgreSQL database for the server to use instead of an embedded one. It is filled with documents that nobody wants,
    /// and taken from any server that uses it: name one for this alone.
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    database_url: Option<Secret>,

    /// Measure only one of the two servers.
    #[arg(long, value_enum, value_name = "SERVER")]
    only: Option<Server>,

    /// Seconds over which each load is measured.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = seconds)]
    measure: f64,

    /// Seconds that each load runs before it is measured.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS", value_parser = seconds)]
    warm_up: f64,

    /// Try this load alone instead of searching for the largest: documents of `many`, people of `hot`.
    #[arg(long, value_name = "N")]
    load: Option<usize>,

    /// Connections of `idle`, on half as many documents.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    connections: usize,

    /// Edits of the document of `build` and `open`.
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    edits: u32,

    /// Bytes of that document in the end.
    #[arg(long, default_value_t = 1_000_000, value_name = "BYTES")]
    document_bytes: usize,

    /// Core of the server; the generator runs on --load-core. Without two cores nothing is pinned.
    #[arg(long, default_value_t = 0, value_name = "CORE")]
    server_core: usize,

    /// Core of the generator.
    #[arg(long, default_value_t = 1, value_name = "CORE")]
    load_core: usize,

    /// Write all figures to a file too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The two servers that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Server {
    Quire,
    Relay,
}

#[derive(Subcommand, Debug)]
enum Part {
    /// Measure the journal alone: operations that it makes durable in a second.
    Store(store::StoreOptions),

    /// Serve as the yardstick: a bare actix-web-actors relay without order, transformation or storage.
    Relay {
        /// Address to listen on; port 0 picks a free one.
        #[arg(long, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
        listen: SocketAddr,

        /// As of the server that it stands beside.
        #[arg(long, env = "QUIRE_HUGE_PAGES", default_value = "off", value_name = "on|off")]
        huge_pages: Switch,
    },
}

/// Runs the scenarios, prints a table after each, and writes the JSON file.
///
/// # Errors
/// A server did not start, stop or lost connections that it should have kept. Bad figures are no error.
pub fn run(options: BenchOptions) -> anyhow::Result<()> {
    let room = files::make_room().context("raising the limit of open files")?;
    match options.part {
        Some(Part::Store(options)) => return store::run(&options),
        Some(Part::Relay { listen, huge_pages }) => {
            platform::allow_huge_pages(huge_pages.is_on());
            return actix_rt::System::new().block_on(relay::serve(listen));
        }
        None => {}
    }
    let cores = cores(&options);
    if let Some(cores) = cores {
        pin_to_core(cores.load).context("moving to the generator's core")?;
    }
    let scenarios = if options.scenarios.is_empty() { Scenario::all() } else { options.scenarios.clone() };
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let measured = run_one(scenario, &options, cores, room)?;
        println!("{}", table(&measured));
        outcomes.extend(measured);
    }
    if let Some(path) = &options.json {
        write_json(path, &outcomes)?;
    }
    Ok(())
}

fn run_one(
    scenario: Scenario,
    options: &BenchOptions,
    cores: Option<Cores>,
    room: usize,
) -> anyhow::Result<Vec<Outcome>> {
    let settings = Settings {
        cores,
        measure: Duration::from_secs_f64(options.measure),
        warm_up: Duration::from_secs_f64(options.warm_up),
        load: options.load,
        connections: options.connections,
        edits: options.edits as usize,
        document_bytes: options.document_bytes,
        room,
    };
    let wanted = |server| options.only.is_none_or(|only| only == server);
    let mut measured = Vec::new();
    if wanted(Server::Quire) {
        let data = tempfile::tempdir().context("making a temporary data folder")?;
        let running = options.url.clone().map(|url| (url, options.pid));
        let (data, database_url) = (data.path().join("data"), options.database_url.clone());
        let plan = Plan::Quire { data, database_url };
        measured.push(scenario.run(&Bench::new(settings.clone(), plan, running))?);
    }
    if wanted(Server::Relay) && scenario.has_yardstick() {
        measured.push(scenario.run(&Bench::new(settings, Plan::Relay, None))?);
    }
    Ok(measured)
}

/// Says which cores to use, or `None` where there are not two.
fn cores(options: &BenchOptions) -> Option<Cores> {
    if usable_cores() < 2 {
        eprintln!("note: server and generator share a core, which spoils every figure");
        return None;
    }
    Some(Cores { server: options.server_core, load: options.load_core })
}

fn write_json(path: &std::path::Path, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(outcomes)?;
    std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 3_600.0 => Ok(value),
        _ => Err("a number of seconds above 0 and up to 3600 is wanted".to_owned()),
    }
}
