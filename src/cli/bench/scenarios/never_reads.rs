//! One client that never reads while a hundred others write: what it costs the server, and how soon it is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use memchr::memmem;

use super::Bench;
use crate::cli::bench::measure::measure;
use crate::cli::bench::process::Process;
use crate::cli::bench::report::Outcome;
use crate::cli::bench::solo::Solo;
use crate::cli::bench::swarm::{Load, Swarm};
use crate::cli::bench::target::Target;

const WRITERS: usize = 100;

/// Operations a second of each writer: enough that the kernel's buffers of the one that does not read are full soon.
const PER_SECOND: f64 = 5.0;

/// How long the others write.
const DURATION: Duration = Duration::from_mins(1);

/// Size of the frame that is announced in the end.
const ANNOUNCED: u64 = 100 << 20;

/// How much of it is sent, if the server lets that happen.
const SENT: usize = 8 << 20;

/// Runs the writers beside the client that never reads, and then announces a huge frame.
///
/// # Errors
/// The server did not start or stop, its process is not known, or it lost another connection than that one.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let target = bench.start()?;
    let process = target.process.context("the memory of a server can be read only with its --pid")?;
    let doc = bench.doc(0);
    bench.create(&target, std::slice::from_ref(&doc))?;
    let mut outcome = Outcome::new("never-reads", target.name);

    let mut swarm = Swarm::for_target(&target)?;
    swarm.open((0..WRITERS).map(|_| doc.as_str()))?;
    let (mut watcher, _) = Solo::join(&target, &doc)?;
    let mut silent = Solo::join_narrow(&target, &doc)?;
    let presence = r#"{"type":"presence","base":0,"state":{"status":"active"}}"#;
    silent.send(presence.as_bytes())?;
    let stopped_reading = Instant::now();

    let over = AtomicBool::new(false);
    let load = Load {
        writers: WRITERS,
        per_second: PER_SECOND,
        sample_step: 10,
        warm_up: bench.settings.warm_up,
        measure: DURATION,
    };
    let (step, gone, memory) = std::thread::scope(|scope| {
        let gone = scope.spawn(|| wait_until_gone(&mut watcher, silent.client(), stopped_reading, &over));
        let memory = scope.spawn(|| watch_memory(process, bench.settings.warm_up, &over));
        let step = measure(&mut swarm, &target, load);
        over.store(true, Ordering::Relaxed);
        (step, gone.join(), memory.join())
    });
    let panicked = |_| anyhow::anyhow!("a watching thread panicked");
    let (step, gone, memory) = (step?, gone.map_err(panicked)??, memory.map_err(panicked)??);
    swarm.check()?;
    outcome.push("presence gone after", gone.as_secs_f64(), "s");
    outcome.push("memory at first", memory.first as f64 / 1024.0, "KB");
    outcome.push("memory at most", memory.most as f64 / 1024.0, "KB");
    outcome.push("memory at last", memory.last as f64 / 1024.0, "KB");
    step.report(&mut outcome);

    let cost = announce(&target, process, &doc)?;
    outcome.push("cost of a frame of 100 MiB announced", cost as f64 / 1024.0, "KB");
    drop(swarm);
    target.stop()?;
    Ok(outcome)
}

/// Reads presence frames until the silent client's state is null.
fn wait_until_gone(
    watcher: &mut Solo,
    silent: &[u8; 36],
    since: Instant,
    over: &AtomicBool,
) -> anyhow::Result<Duration> {
    let mut seen = false;
    while !over.load(Ordering::Relaxed) {
        let frame = watcher.next()?;
        let about = frame.starts_with(br#"{"type":"presence""#) && memmem::find(&frame, silent).is_some();
        if about && memmem::find(&frame, br#""state":null"#).is_some() {
            anyhow::ensure!(seen, "it was gone before it was there");
            return Ok(since.elapsed());
        }
        seen |= about;
    }
    anyhow::bail!("it never left the presence of the others")
}

struct Memory {
    first: u64,
    most: u64,
    last: u64,
}

/// Looks at the server's memory once a second; the first look is after the load has warmed up.
fn watch_memory(process: Process, warm_up: Duration, over: &AtomicBool) -> anyhow::Result<Memory> {
    std::thread::sleep(warm_up);
    let first = process.resident_bytes()?;
    let mut memory = Memory { first, most: first, last: first };
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_secs(1));
        memory.last = process.resident_bytes()?;
        memory.most = memory.most.max(memory.last);
        eprintln!("  memory of the server: {} KB", memory.last / 1024);
    }
    Ok(memory)
}

/// Announces a frame far beyond the limit, sends a part of it, and returns by how much the server's memory rose.
fn announce(target: &Target, process: Process, doc: &str) -> anyhow::Result<u64> {
    let (mut solo, _) = Solo::join(target, doc)?;
    let before = process.resident_bytes()?;
    let sent = solo.announce(ANNOUNCED, SENT);
    let mut most = process.resident_bytes()?;
    if sent.is_ok() {
        // It may still be at it: what it holds is what counts, until it says something or closes.
        let _ = solo.next();
        most = most.max(process.resident_bytes()?);
    }
    Ok(most.saturating_sub(before))
}
