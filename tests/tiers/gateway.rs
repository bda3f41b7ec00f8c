//! An S3 gateway.

use std::path::PathBuf;
use std::process::Command;

/// Where objects are in S3.
#[derive(Clone)]
pub struct Bucket {
    endpoint: String,
    prefix: String,
}

impl Bucket {
    /// Of the gateway that all tests may use that do not kill it: a prefix of the test's own.
    pub fn shared() -> Self {
        let endpoint = std::env::var("QUIRE_TEST_S3")
            .expect("QUIRE_TEST_S3 names a gateway: run `scripts/services/s3 with cargo test --features s3`");
        Self::at(endpoint)
    }

    fn at(endpoint: String) -> Self {
        Self { endpoint, prefix: uuid::Uuid::new_v4().to_string() }
    }

    /// The settings that name it, as flags without their dashes.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("object-store-url", format!("s3://quire/{}", self.prefix)),
            ("s3-endpoint", self.endpoint.clone()),
            ("s3-access-key", "quire".into()),
            ("s3-secret-key", "quire-test-secret".into()),
        ]
    }
}

/// A gateway of the test's own, since it is going to be killed.
pub struct Gateway {
    folder: PathBuf,
    pub bucket: Bucket,
}

impl Gateway {
    pub fn start() -> Self {
        let started = services(&["start", &std::process::id().to_string()]);
        let (folder, endpoint) = started.trim_end().split_once('\n').expect("a folder and an address");
        Self { folder: folder.into(), bucket: Bucket::at(endpoint.to_owned()) }
    }

    /// With kill -9.
    pub fn kill(&self) {
        self.call("kill");
    }

    /// At the same address, with what it had.
    pub fn resume(&self) {
        self.call("resume");
    }

    /// The files that its objects are.
    pub fn files(&self, kind: &str) -> Vec<PathBuf> {
        crate::scene::files(&self.folder.join("objects/quire").join(&self.bucket.prefix).join(kind))
    }

    fn call(&self, command: &str) {
        services(&[command, self.folder.to_str().expect("UTF-8")]);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.call("stop");
    }
}

fn services(arguments: &[&str]) -> String {
    let done = Command::new("scripts/services/s3").args(arguments).output().expect("bash is there");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "the gateway, {arguments:?}: {said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}
