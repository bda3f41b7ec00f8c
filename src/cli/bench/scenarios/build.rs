//! One client types a large document: each edit is durable before the next one leaves.

use std::time::Instant;

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;

use super::Bench;
use crate::cli::bench::dialect::{Dialect, Typing};
use crate::cli::bench::report::Outcome;
use crate::cli::bench::scan::OpsFrame;
use crate::cli::bench::solo::Solo;
use crate::cli::bench::target::Target;

/// Edits whose rate is shown by itself, at the beginning and at the end.
const STRETCH: usize = 1_000;

/// How fast a document grew.
pub struct Built {
    /// Seconds from the start until each edit was back.
    times: Vec<f64>,
    latency: Histogram<u64>,
}

/// Measures the building of a document.
///
/// # Errors
/// The server did not start, stop, or refused an edit.
pub fn run(bench: &Bench) -> anyhow::Result<Outcome> {
    let target = bench.start()?;
    let built = build(bench, &target, &bench.doc(0))?;
    let mut outcome = Outcome::new("build", target.name);
    built.report(&mut outcome);
    target.stop()?;
    Ok(outcome)
}

/// Makes document `doc` and types it through one connection, at random places.
///
/// # Errors
/// The server refused the document or an edit.
pub fn build(bench: &Bench, target: &Target, doc: &str) -> anyhow::Result<Built> {
    let (edits, bytes) = (bench.settings.edits, bench.settings.document_bytes);
    bench.create(target, &[doc.to_owned()])?;
    let (mut solo, _) = Solo::join(target, doc)?;
    let mut frame = Vec::new();
    let mut built =
        Built { times: Vec::with_capacity(edits), latency: Histogram::new_with_bounds(1, 60_000_000, 3)? };
    let started = Instant::now();
    let mut length = 0;
    for index in 0..edits {
        let text = words(bytes / edits);
        let position = fastrand::u64(0..=length);
        let typing = Typing {
            client: solo.client(),
            seq: index as u64 + 1,
            base: index as u64,
            position,
            text: &text,
        };
        target.dialect.write_op(&mut frame, typing);
        let sent = Instant::now();
        solo.send(&frame)?;
        await_own(&mut solo, index as u64 + 1)?;
        built.latency.saturating_record(sent.elapsed().as_micros() as u64);
        built.times.push(started.elapsed().as_secs_f64());
        length += text.len() as u64;
    }
    if target.dialect == Dialect::Quire {
        let held = bench.version_of(target, doc)?;
        anyhow::ensure!(held == edits as u64, "{edits} edits came back, and the document has version {held}");
    }
    Ok(built)
}

fn await_own(solo: &mut Solo, seq: u64) -> anyhow::Result<()> {
    loop {
        let frame = solo.next()?;
        if frame.starts_with(br#"{"type":"error""#) {
            bail!("refused: {}", String::from_utf8_lossy(&frame));
        }
        if OpsFrame::read(&frame).and_then(|ops| ops.seq_of(solo.client())) == Some(seq) {
            return Ok(());
        }
    }
}

/// Writes so many letters, in words and lines.
fn words(letters: usize) -> String {
    let letter = |_| match fastrand::u8(0..64) {
        0..8 => ' ',
        8 => '\n',
        other => char::from(b'a' + other % 26),
    };
    (0..letters).map(letter).collect()
}

impl Built {
    fn report(&self, outcome: &mut Outcome) {
        let edits = self.times.len();
        let stretch = STRETCH.min(edits);
        let total = self.times.last().copied().unwrap_or_default();
        let before_last = edits.checked_sub(stretch + 1).map_or(0.0, |index| self.times[index]);
        outcome.push("edits", edits as f64, "1");
        outcome.push("edits a second", edits as f64 / total, "1/s");
        if let Some(first) = stretch.checked_sub(1).and_then(|last| self.times.get(last)) {
            outcome.push(format!("the first {stretch}"), stretch as f64 / first, "1/s");
        }
        outcome.push(format!("the last {stretch}"), stretch as f64 / (total - before_last), "1/s");
        outcome.push("edit p50", self.latency.value_at_quantile(0.5) as f64 / 1_000.0, "ms");
        outcome.push("edit p99", self.latency.value_at_quantile(0.99) as f64 / 1_000.0, "ms");
    }

    /// Returns the edits a second over all of it.
    pub fn rate(&self) -> anyhow::Result<f64> {
        let total = self.times.last().context("nothing was built")?;
        Ok(self.times.len() as f64 / total)
    }
}
