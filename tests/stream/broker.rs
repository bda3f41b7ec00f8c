//! A Kafka broker.

use std::path::PathBuf;
use std::process::Command;

/// The broker that all tests may use that do not kill it, each with a topic of its own.
pub fn shared() -> String {
    std::env::var("QUIRE_TEST_KAFKA").expect(
        "QUIRE_TEST_KAFKA names a broker: run `scripts/services/kafka with cargo test --features kafka`",
    )
}

/// A broker of the test's own, since it is going to be killed.
pub struct Broker {
    folder: PathBuf,
    pub address: String,
}

impl Broker {
    pub fn start() -> Self {
        let started = services(&["start", &std::process::id().to_string()]);
        let (folder, address) = started.trim_end().split_once('\n').expect("a folder and an address");
        Self { folder: folder.into(), address: address.to_owned() }
    }

    /// With kill -9.
    pub fn kill(&self) {
        self.call("kill");
    }

    /// At the same address, with what it had.
    pub fn resume(&self) {
        self.call("resume");
    }

    fn call(&self, command: &str) {
        services(&[command, self.folder.to_str().expect("UTF-8")]);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.call("stop");
    }
}

fn services(arguments: &[&str]) -> String {
    let done = Command::new("scripts/services/kafka").args(arguments).output().expect("bash is there");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "Kafka, {arguments:?}: {said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}
