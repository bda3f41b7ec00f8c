//! Servers that archive what is a moment old, over either kind of storage.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::command::{Ran, quire};
use crate::gateway::Bucket;
use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::postgres::Postgres;
use crate::replica::Replica;
use crate::rest::Rest;

/// Where everything is.
pub struct Scene {
    postgres: Option<Postgres>,
    bucket: Option<Bucket>,
}

impl Scene {
    /// SQLite, and segments in the data folder.
    pub fn folder() -> Self {
        Self { postgres: None, bucket: None }
    }

    /// PostgreSQL and S3.
    pub fn production() -> Self {
        Self { postgres: Some(Postgres::start()), bucket: Some(Bucket::shared()) }
    }

    /// SQLite and S3.
    pub fn objects_in(bucket: &Bucket) -> Self {
        Self { postgres: None, bucket: Some(bucket.clone()) }
    }

    /// A server that keeps everything in the database.
    pub fn launch(&self, data: DataFolder) -> Launch {
        let launch = match &self.postgres {
            Some(postgres) => postgres.launch(data),
            None => Launch::on(data),
        };
        let settings = self.bucket.iter().flat_map(Bucket::settings);
        let launch = settings.fold(launch, |launch, (flag, value)| {
            launch.with(&format!("QUIRE_{}", flag.replace('-', "_").to_uppercase()), value)
        });
        launch.with("QUIRE_ARCHIVE_AFTER_DAYS", "0")
    }

    /// A server for which everything is old, and ten operations are a segment.
    pub fn archiving(&self, data: DataFolder) -> Launch {
        self.launch(data)
            .with("QUIRE_WARM_WINDOW_MS", "0")
            .with("QUIRE_ARCHIVE_INTERVAL_MS", "20")
            .with("QUIRE_SEGMENT_OPS", "10")
            .with("QUIRE_SETTLE_AFTER_MS", "1")
            .with("QUIRE_SETTLE_OPS", "8")
    }

    /// Runs a command over the same storage, but in this folder.
    pub fn quire(&self, command: &[&str], data: &DataFolder) -> Ran {
        let mut words: Vec<String> = command.iter().map(ToString::to_string).collect();
        words.extend(["--data".into(), data.path().to_str().expect("UTF-8").into()]);
        let url = self.postgres.as_ref().map(|postgres| ("database-url", postgres.url().to_owned()));
        let objects = self.bucket.iter().flat_map(Bucket::settings);
        words.extend(url.into_iter().chain(objects).flat_map(|(flag, value)| [format!("--{flag}"), value]));
        quire(words)
    }
}

/// A metric's value.
pub fn metric(rest: &Rest, name: &str) -> f64 {
    let text = rest.get("/metrics").expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is no metric")).parse().expect("a number")
}

/// Waits until a metric is what it should be.
pub fn wait_for(rest: &Rest, name: &str, holds: impl Fn(f64) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(metric(rest, name)) {
        assert!(Instant::now() < deadline, "{name} stays at {}", metric(rest, name));
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A document with `versions` versions, each of which makes the text a letter longer, and the replicas of its writer: as it was
/// at `version`, and as it is.
pub fn written(server: &TestServer, versions: u64, version: u64) -> (String, [Replica; 2]) {
    let doc = Rest::of(server).create(&json!([{ "insert": "\n" }]));
    let mut writer = TestClient::join(server, &doc);
    let mut then = None;
    for made in 2..=versions {
        writer.insert(0, "x");
        if made == version {
            then = Some(writer.replica.clone());
        }
    }
    (doc, [then.expect("one of the versions"), writer.leave()])
}

/// Ends a server in order.
pub fn stopped(server: TestServer) -> DataFolder {
    server.signal(libc::SIGTERM);
    let (status, data) = server.ended();
    assert!(status.success(), "{status}");
    data
}

/// All files below a folder, which may not be there.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
