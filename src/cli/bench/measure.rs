//! One step of a scenario: a load for a while, and all clocks read around it.

use std::time::{Duration, Instant};

use super::process::Process;
use super::report::Outcome;
use super::swarm::{Load, Swarm};
use super::target::Target;

/// Propagation beyond this at the 99th percentile means that a load is not sustained.
const P99_BOUND_MS: f64 = 100.0;

/// What one load did to a server, and to the generator.
#[derive(Clone, Debug)]
pub struct Step {
    /// Operations that came back to their authors, a second.
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub samples: u64,
    /// Operations that reached a receiver, a second; several may share a frame.
    pub deliveries: f64,
    pub frames: f64,
    /// CPU of the server, in percent of one core, if its process is known.
    pub server_cpu: Option<f64>,
    /// CPU of the generator: near 100 it measures itself.
    pub generator_cpu: f64,
    /// The generator's own delay at the 99th percentile.
    pub lateness_ms: f64,
    /// Whether everything that was due came back, in time.
    pub sustained: bool,
}

/// Puts a load on a server and measures.
///
/// # Errors
/// The generator's loop broke; that the server did badly is in the result.
pub fn measure(swarm: &mut Swarm, target: &Target, load: Load) -> anyhow::Result<Step> {
    let faults = swarm.faults();
    let mut edges = Vec::with_capacity(2);
    let recorded = swarm.run(load, || edges.push(Clocks::read(target.process)))?;
    let spent = edges[0].until(&edges[1]);
    let per_second = |count: u64| count as f64 / spent.wall.as_secs_f64();
    let p99_ms = recorded.propagation_ms(0.99);
    let complete = recorded.acknowledged == recorded.due && recorded.overrun == 0 && recorded.untimed == 0;
    let step = Step {
        rate: per_second(recorded.acknowledged),
        p50_ms: recorded.propagation_ms(0.5),
        p99_ms,
        max_ms: recorded.propagation_ms(1.0),
        samples: recorded.samples(),
        deliveries: per_second(recorded.deliveries),
        frames: per_second(recorded.frames),
        server_cpu: spent.server_cpu,
        generator_cpu: spent.generator_cpu,
        lateness_ms: recorded.lateness_ms(0.99),
        sustained: complete && p99_ms < P99_BOUND_MS && swarm.faults() == faults,
    };
    step.tell(target.name, &load);
    Ok(step)
}

impl Step {
    fn tell(&self, target: &str, load: &Load) {
        let offered = load.writers as f64 * load.per_second;
        let server = self.server_cpu.map_or(String::new(), |cpu| format!(", server {cpu:.0} %"));
        let verdict = if self.sustained { "" } else { "  not sustained" };
        eprintln!(
            "  {target}: {} writers, {offered:.0} op/s due, {:.0} came back, p50 {:.1} ms, p99 {:.1} ms{server}, \
             generator {:.0} %{verdict}",
            load.writers, self.rate, self.p50_ms, self.p99_ms, self.generator_cpu
        );
    }

    /// Adds the figures of this step.
    pub fn report(&self, outcome: &mut Outcome) {
        outcome.push("operations", self.rate, "op/s");
        outcome.push("deliveries", self.deliveries, "op/s");
        outcome.push("frames received", self.frames, "1/s");
        outcome.push("propagation p50", self.p50_ms, "ms");
        outcome.push("propagation p99", self.p99_ms, "ms");
        outcome.push("propagation max", self.max_ms, "ms");
        outcome.push("samples", self.samples as f64, "1");
        if let Some(cpu) = self.server_cpu {
            outcome.push("server CPU", cpu, "% of a core");
        }
        outcome.push("generator CPU", self.generator_cpu, "% of a core");
        outcome.push("generator's own delay p99", self.lateness_ms, "ms");
    }
}

/// Readings at one moment.
struct Clocks {
    at: Instant,
    server: Option<f64>,
    generator: f64,
}

struct Spent {
    wall: Duration,
    server_cpu: Option<f64>,
    generator_cpu: f64,
}

impl Clocks {
    fn read(server: Option<Process>) -> Self {
        Self {
            at: Instant::now(),
            server: server.and_then(|process| process.cpu_seconds().ok()),
            generator: Process::own().cpu_seconds().unwrap_or_default(),
        }
    }

    fn until(&self, end: &Self) -> Spent {
        let wall = end.at - self.at;
        let percent = |from: f64, to: f64| (to - from) / wall.as_secs_f64() * 100.0;
        Spent {
            wall,
            server_cpu: self.server.zip(end.server).map(|(from, to)| percent(from, to)),
            generator_cpu: percent(self.generator, end.generator),
        }
    }
}
