//! A hundred people on fifty documents: what one of them feels when the server has little to do.

use super::Bench;
use crate::cli::bench::measure::measure;
use crate::cli::bench::report::Outcome;
use crate::cli::bench::swarm::{Load, Swarm};

const DOCUMENTS: usize = 50;

/// Measures the latency of a small load.
///
/// # Errors
/// The server did not start, stop, or refused something.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let target = bench.start()?;
    let ids: Vec<String> = (0..DOCUMENTS).map(|index| bench.doc(index)).collect();
    bench.create(&target, &ids)?;
    let mut swarm = Swarm::for_target(&target)?;
    swarm.open(ids.iter().flat_map(|id| [id.as_str(); 2]))?;
    let load = Load {
        writers: 2 * DOCUMENTS,
        per_second: 1.0,
        sample_step: 1,
        warm_up: bench.settings.warm_up,
        measure: bench.settings.measure,
    };
    let step = measure(&mut swarm, &target, load)?;
    swarm.check()?;
    let mut outcome = Outcome::new("light", target.name);
    step.report(&mut outcome);
    drop(swarm);
    target.stop()?;
    Ok(outcome)
}
