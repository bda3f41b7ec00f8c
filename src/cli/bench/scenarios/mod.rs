//! What is measured, one scenario a file.

mod build;
mod hot;
mod idle;
mod light;
mod many;
mod never_reads;
mod open;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Deserialize;

use super::dialect::Dialect;
use super::report::Outcome;
use super::target::{Cores, Plan, Target};
use crate::cli::rest::{Format, NewDocument, Rest};
use crate::ids::Version;

/// Calls of REST that are under way at a time while documents are made: enough that commits gather.
const CREATORS: usize = 16;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Many documents with 2 writers each at 2 operations a second: the largest rate with p99 propagation < 100 ms.
    Many,
    /// 50 documents with 2 writers each at 1 operation a second: what one person feels.
    Light,
    /// One document, everybody types once a second and sees everything: the largest number of people with p99 < 100 ms.
    Hot,
    /// 10,000 connections on 5,000 documents that do nothing: memory of each.
    Idle,
    /// One client types a document of 1 MB in 20,000 edits, each durable before the next: edits a second.
    Build,
    /// Opening that document: from connecting to content in hand, warm, after a restart and after a kill.
    Open,
    /// One client never reads while 100 others write for a minute: memory of the server, and how soon it is gone.
    NeverReads,
}

/// What all scenarios are told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cores: Option<Cores>,
    /// Time over which a load is measured.
    pub measure: Duration,
    /// Time that a load runs before it is measured.
    pub warm_up: Duration,
    /// The one load to try, instead of searching for the largest.
    pub load: Option<usize>,
    /// Connections of `idle`; on half as many documents.
    pub connections: usize,
    /// Edits of the document of `build` and `open`.
    pub edits: usize,
    /// Its size in the end.
    pub document_bytes: usize,
    /// Connections for which there are files, see `ulimit -n`.
    pub room: usize,
}

/// How servers are started for a scenario, one after the other.
#[derive(Debug)]
pub struct Bench {
    pub settings: Settings,
    plan: Plan,
    /// Instead of starting one.
    running: Option<(String, Option<u32>)>,
    /// Document ids of this run begin with it.
    prefix: String,
}

impl Bench {
    /// Measures servers that are started by `plan`, or the one that is `running` at a URL, with its process id.
    pub fn new(settings: Settings, plan: Plan, running: Option<(String, Option<u32>)>) -> Self {
        let prefix = format!("bench-{:08x}", fastrand::u32(..));
        Self { settings, plan, running, prefix }
    }

    /// Starts the server, or takes the one that runs.
    ///
    /// # Errors
    /// See [`Target::start`] and [`Target::running`].
    pub fn start(&self) -> anyhow::Result<Target> {
        match &self.running {
            Some((url, pid)) => Target::running(url, *pid),
            None => Target::start(&self.plan, self.settings.cores),
        }
    }

    /// Names the `index`-th document of this run.
    pub fn doc(&self, index: usize) -> String {
        format!("{}-{index}", self.prefix)
    }

    /// Tells whether the server was not started here and is not to be stopped.
    pub fn is_running_already(&self) -> bool {
        self.running.is_some()
    }

    /// Reads the version of a document.
    ///
    /// # Errors
    /// The server refused.
    pub fn version_of(&self, target: &Target, id: &str) -> anyhow::Result<Version> {
        #[derive(Deserialize)]
        struct Content {
            version: Version,
        }
        let content = Rest::new(&target.url(), None).content(id, Format::Delta, None)?;
        Ok(serde_json::from_str::<Content>(&content).context("reading the version")?.version)
    }

    /// Makes documents of these ids; the relay needs none.
    ///
    /// # Errors
    /// The server refused one.
    pub fn create(&self, target: &Target, ids: &[String]) -> anyhow::Result<()> {
        if target.dialect == Dialect::Relay {
            return Ok(());
        }
        let rest = Rest::new(&target.url(), None);
        let next = AtomicUsize::new(0);
        let work = || -> anyhow::Result<()> {
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                rest.create(&NewDocument { id: Some(id), ..NewDocument::default() })?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CREATORS.min(ids.len())).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| anyhow::anyhow!("a thread that makes documents panicked"))?
            })
        })
        .context("making documents")
    }
}

impl Scenario {
    /// Returns all of them, in the order in which they are run.
    pub fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// Tells whether the relay can do it too, so that it is run beside quire.
    pub fn has_yardstick(self) -> bool {
        matches!(self, Self::Many | Self::Light | Self::Hot | Self::Idle | Self::Build)
    }

    /// Runs the scenario.
    ///
    /// # Errors
    /// Something broke; that a figure is bad is no error.
    pub fn run(self, bench: &Bench) -> anyhow::Result<Outcome> {
        match self {
            Self::Many => many::run(bench),
            Self::Light => light::run(bench),
            Self::Hot => hot::run(bench),
            Self::Idle => idle::run(bench),
            Self::Build => build::run(bench),
            Self::Open => open::run(bench),
            Self::NeverReads => never_reads::run(bench),
        }
    }
}
