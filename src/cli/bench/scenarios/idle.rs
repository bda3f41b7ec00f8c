//! Connections that do nothing: the memory of each.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Bench;
use crate::cli::bench::process::Process;
use crate::cli::bench::report::Outcome;
use crate::cli::bench::swarm::Swarm;
use crate::cli::bench::target::Target;

/// The server's memory has settled when it moved by less than this …
const STILL_BYTES: u64 = 256 << 10;

/// … in so many looks …
const STILL_LOOKS: usize = 3;

/// … each so long after the one before.
const LOOK: Duration = Duration::from_secs(5);

/// How long the server may take to settle.
const SETTLING: Duration = Duration::from_mins(1);

/// Opens the connections, two a document, and weighs the server before and after.
///
/// The documents are made before, and the server is started again, so that what is weighed is what opening them costs
/// and not what making them left behind.
///
/// # Errors
/// The server did not start or stop, refused a connection, or its process is not known.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let connections = bench.settings.connections.min(bench.settings.room);
    let ids: Vec<String> = (0..connections.div_ceil(2)).map(|index| bench.doc(index)).collect();
    let making = bench.start()?;
    bench.create(&making, &ids)?;
    making.stop()?;

    let target = bench.start()?;
    let process = target.process.context("the memory of a server can be read only with its --pid")?;
    let mut swarm = Swarm::for_target(&target)?;
    swarm.listen(Duration::from_secs(1))?;
    let before = process.resident_bytes()?;
    let opened = Instant::now();
    let twice = ids.iter().flat_map(|id| [id.as_str(); 2]);
    swarm.open(twice.take(connections))?;
    let opening = opened.elapsed();
    eprintln!("  {}: {connections} connections opened in {:.1} s", target.name, opening.as_secs_f64());
    let after = settled(&mut swarm, process, &target)?;
    swarm.check()?;

    let mut outcome = Outcome::new("idle", target.name);
    outcome.push("connections", connections as f64, "1");
    outcome.push("opened", connections as f64 / opening.as_secs_f64(), "1/s");
    outcome.push("memory before", before as f64 / 1024.0, "KB");
    outcome.push("memory after", after as f64 / 1024.0, "KB");
    outcome.push(
        "memory a connection",
        (after.saturating_sub(before)) as f64 / 1024.0 / connections as f64,
        "KB",
    );
    drop(swarm);
    target.stop()?;
    Ok(outcome)
}

/// Answers pings until the server's memory stands still, and returns it.
fn settled(swarm: &mut Swarm, process: Process, target: &Target) -> anyhow::Result<u64> {
    let started = Instant::now();
    let mut still = process.resident_bytes()?;
    let mut looks = 0;
    loop {
        swarm.listen(LOOK)?;
        let now = process.resident_bytes()?;
        eprintln!("  {}: {} KB after {:.0} s", target.name, now / 1024, started.elapsed().as_secs_f64());
        if now.abs_diff(still) < STILL_BYTES {
            looks += 1;
        } else {
            (still, looks) = (now, 0);
        }
        if looks == STILL_LOOKS || started.elapsed() > SETTLING {
            return Ok(now);
        }
    }
}
