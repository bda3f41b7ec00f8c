//! Feeds the edits of a trace to a client, and counts.

use std::time::Instant;

use anyhow::bail;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

use super::pace::Pace;
use super::trace::{Converter, Trace};
use crate::client::{Client, ClientError, Event};
use crate::ot::Delta;

/// A client and what became of its edits.
pub struct Player {
    client: Client,
    /// Edits that may be unacknowledged.
    window: u64,
    /// Edits since the last time that everything was acknowledged, or taken into an operation.
    waiting: u64,
    edits: u64,
    operations: u64,
    /// From when an operation was begun until it was durable, in microseconds.
    latency: Histogram<u64>,
    /// When the operation in flight left.
    sent: Instant,
    started: Instant,
}

impl Player {
    /// Plays with at most `window` edits unacknowledged.
    ///
    /// # Errors
    /// None in practice; the histogram's bounds are constants.
    pub fn new(client: Client, window: u64) -> anyhow::Result<Self> {
        let latency = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        let now = Instant::now();
        Ok(Self { client, window, waiting: 0, edits: 0, operations: 0, latency, sent: now, started: now })
    }

    /// Plays the whole trace, into a document that has its start text, and waits until all of it is durable.
    ///
    /// # Errors
    /// The server refused an edit, or cannot be come back to.
    pub async fn play(&mut self, trace: &Trace, pace: &Pace) -> anyhow::Result<()> {
        let bar = progress_bar(trace.txns.len() as u64);
        self.started = Instant::now();
        let mut converter = Converter::new(&trace.start_content);
        for (index, transaction) in trace.txns.iter().enumerate() {
            self.wait_until(pace.due(index, self.started)).await?;
            let edit = converter.edit(transaction);
            if !edit.is_empty() {
                self.edit(edit).await?;
            }
            bar.inc(1);
        }
        while !self.client.replica().is_synchronised() {
            self.step().await?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn edit(&mut self, edit: Delta) -> anyhow::Result<()> {
        while self.waiting >= self.window {
            self.step().await?;
        }
        if self.client.replica().is_synchronised() {
            self.sent = Instant::now();
        }
        self.edits += 1;
        self.waiting += 1;
        match self.client.edit(edit).await {
            Err(ClientError::Disconnected(why)) => self.come_back(&why).await,
            result => Ok(result?),
        }
    }

    /// Takes what comes until it is time for the next edit.
    async fn wait_until(&mut self, due: Option<Instant>) -> anyhow::Result<()> {
        let Some(due) = due else { return Ok(()) };
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => return Ok(()),
                stepped = self.step() => stepped?,
            }
        }
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        match self.client.step().await {
            Ok(Event::Acknowledged { .. }) => {
                self.operations += 1;
                self.latency.saturating_record(self.sent.elapsed().as_micros() as u64);
                // What waited behind it is composed into the operation that leaves now.
                self.sent = Instant::now();
                self.waiting = u64::from(!self.client.replica().is_synchronised());
                Ok(())
            }
            Ok(Event::Lost { message, .. }) => bail!("the server refused an edit: {message}"),
            Ok(_) => Ok(()),
            Err(ClientError::Disconnected(why)) => self.come_back(&why).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn come_back(&mut self, why: &str) -> anyhow::Result<()> {
        eprintln!("{why}; coming back");
        Ok(self.client.reconnect().await?)
    }

    /// Tells the figures on standard error.
    pub fn tell(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let milliseconds = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        eprintln!(
            "{} edits as {} operations in {seconds:.1} s: {:.0} edits/s, {:.0} op/s",
            self.edits,
            self.operations,
            self.edits as f64 / seconds,
            self.operations as f64 / seconds
        );
        eprintln!(
            "durable after p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            milliseconds(0.5),
            milliseconds(0.95),
            milliseconds(0.99),
            milliseconds(1.0)
        );
    }
}

fn progress_bar(length: u64) -> ProgressBar {
    let template = "{bar:40} {pos}/{len} edits, {per_sec}, {eta} to go";
    // The template is a constant; were it wrong, the default one would do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}
