//! Opening a large document: from connecting to its content in hand, warm and by a server that has just started.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Bench;
use super::build::build;
use crate::cli::bench::report::Outcome;
use crate::cli::bench::solo::Solo;
use crate::cli::bench::target::Target;
use crate::ot::Document;

/// Openings by a server that has the document in memory.
const WARM: usize = 50;

/// Openings by a server that was stopped in order, and by one that was killed.
const RESTARTS: usize = 5;

/// Builds the document and opens it again and again.
///
/// # Errors
/// The server did not start, stop, or lost content.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let doc = bench.doc(0);
    let mut target = bench.start()?;
    let built = build(bench, &target, &doc)?;
    eprintln!("  {}: built at {:.0} edits/s", target.name, built.rate()?);
    let mut outcome = Outcome::new("open", target.name);
    let warm: Vec<_> = (0..WARM).map(|_| open(&target, &doc)).collect::<Result<_, _>>()?;
    outcome.push("content", warm[0].bytes as f64 / 1_000.0, "KB");
    report(&mut outcome, "warm", &warm);
    if bench.is_running_already() {
        return Ok(outcome);
    }
    for (how, killed) in [("after a restart", false), ("after a kill", true)] {
        let mut opened = Vec::with_capacity(RESTARTS);
        for _ in 0..RESTARTS {
            if killed {
                target.kill()?;
            } else {
                target.stop()?;
            }
            target = bench.start()?;
            opened.push(open(&target, &doc)?);
        }
        report(&mut outcome, how, &opened);
    }
    target.stop()?;
    Ok(outcome)
}

/// One opening.
struct Opened {
    /// From connecting until the last byte of `welcome` was here.
    received: Duration,
    /// The same until its content could be edited.
    in_hand: Duration,
    bytes: usize,
}

#[derive(Deserialize)]
struct Welcome<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

fn open(target: &Target, doc: &str) -> anyhow::Result<Opened> {
    let started = Instant::now();
    let (_solo, welcome) = Solo::join(target, doc)?;
    let received = started.elapsed();
    let content: Welcome = serde_json::from_slice(&welcome).context("reading the welcome")?;
    let document = Document::from_json(content.content.get()).context("reading the content")?;
    let in_hand = started.elapsed();
    anyhow::ensure!(!document.is_empty(), "the document has come back empty");
    Ok(Opened { received, in_hand, bytes: welcome.len() })
}

fn report(outcome: &mut Outcome, how: &str, opened: &[Opened]) {
    let mut column = |what: &str, time: fn(&Opened) -> Duration| {
        let mut times: Vec<f64> = opened.iter().map(|one| time(one).as_secs_f64() * 1_000.0).collect();
        times.sort_by(f64::total_cmp);
        outcome.push(format!("{how}: {what}, median"), times[times.len() / 2], "ms");
        outcome.push(format!("{how}: {what}, worst"), times[times.len() - 1], "ms");
    };
    column("received", |one| one.received);
    column("in hand", |one| one.in_hand);
}
