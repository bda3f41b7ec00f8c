//! One document that everybody types into: how many people it takes.

use std::time::Duration;

use super::Bench;
use crate::cli::bench::measure::{Step, measure};
use crate::cli::bench::report::Outcome;
use crate::cli::bench::search::Search;
use crate::cli::bench::swarm::{Load, Swarm};
use crate::cli::bench::target::Target;

/// Receivers whose operations are timed: each sees all of them.
const SAMPLED: usize = 16;

/// People.
const SEARCH: Search = Search { start: 50, limit: 4_000, growth: 1.5, precision: 0.05 };

/// How long a server may take to get over a load that was too much.
const RECOVERY: Duration = Duration::from_secs(30);

/// Searches for the largest number of people that one document sustains.
///
/// # Errors
/// The server did not start or stop, or refused something.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let target = bench.start()?;
    let mut documents = 0;
    let mut swarm = Swarm::for_target(&target)?;
    let search = SEARCH.narrowed(bench.settings.load, bench.settings.room);
    let found = search.run(|people| {
        if documents == 0 || swarm.faults() > 0 || !swarm.settle(RECOVERY)? {
            swarm = Swarm::for_target(&target)?;
            documents += 1;
            bench.create(&target, &[bench.doc(documents)])?;
        }
        attempt(bench, &target, &mut swarm, &bench.doc(documents), people)
    })?;
    let mut outcome = Outcome::new("hot", target.name);
    if let Some((people, step)) = found {
        outcome.push("people in one document", people as f64, "1");
        step.report(&mut outcome);
    }
    drop(swarm);
    target.stop()?;
    Ok(outcome)
}

/// Tries exactly so many people: those of a larger attempt before would still be delivered to.
fn attempt(
    bench: &Bench,
    target: &Target,
    swarm: &mut Swarm,
    doc: &str,
    people: usize,
) -> anyhow::Result<Option<Step>> {
    swarm.shrink(people);
    swarm.open((swarm.len()..people).map(|_| doc))?;
    let load = Load {
        writers: people,
        per_second: 1.0,
        sample_step: people.div_ceil(SAMPLED),
        warm_up: bench.settings.warm_up,
        measure: bench.settings.measure,
    };
    let step = measure(swarm, target, load)?;
    Ok(step.sustained.then_some(step))
}
