//! Many documents, two writers each: how many operations a second a core takes.

use std::time::Duration;

use super::Bench;
use crate::cli::bench::measure::{Step, measure};
use crate::cli::bench::report::Outcome;
use crate::cli::bench::search::Search;
use crate::cli::bench::swarm::{Load, Swarm};
use crate::cli::bench::target::Target;

/// Operations a second of one writer.
const PER_SECOND: f64 = 2.0;

/// Receivers whose operations are timed, spread over all documents.
const SAMPLED: usize = 1_000;

/// Documents: 2,000 op/s to begin with, at most 64,000.
const SEARCH: Search = Search { start: 500, limit: 16_000, growth: 1.5, precision: 0.04 };

/// How long a server may take to get over a load that was too much.
const RECOVERY: Duration = Duration::from_secs(30);

/// Searches for the largest number of documents that the server sustains.
///
/// # Errors
/// The server did not start or stop, or not even the smallest load was sustained.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let target = bench.start()?;
    let mut crowd = Crowd { bench, target: &target, swarm: Swarm::for_target(&target)?, created: 0 };
    let search = SEARCH.narrowed(bench.settings.load, bench.settings.room / 2);
    let found = search.run(|docs| crowd.attempt(docs))?;
    let mut outcome = Outcome::new("many", target.name);
    if let Some((docs, step)) = found {
        outcome.push("documents", docs as f64, "1");
        step.report(&mut outcome);
    }
    drop(crowd);
    target.stop()?;
    Ok(outcome)
}

struct Crowd<'a> {
    bench: &'a Bench,
    target: &'a Target,
    swarm: Swarm,
    created: usize,
}

impl Crowd<'_> {
    fn attempt(&mut self, docs: usize) -> anyhow::Result<Option<Step>> {
        if self.swarm.faults() > 0 || !self.swarm.settle(RECOVERY)? {
            // Its connections are of no more use; those of a new one take their place.
            self.swarm = Swarm::for_target(self.target)?;
        }
        let ids: Vec<String> = (0..docs).map(|index| self.bench.doc(index)).collect();
        if let Some(missing) = ids.get(self.created..) {
            self.bench.create(self.target, missing)?;
            self.created = docs;
        }
        let open = self.swarm.len() / 2;
        self.swarm.open(ids.iter().skip(open).flat_map(|id| [id.as_str(); 2]))?;
        let writers = 2 * docs;
        let load = Load {
            writers,
            per_second: PER_SECOND,
            sample_step: writers.div_ceil(SAMPLED),
            warm_up: self.bench.settings.warm_up,
            measure: self.bench.settings.measure,
        };
        let step = measure(&mut self.swarm, self.target, load)?;
        Ok(step.sustained.then_some(step))
    }
}
