//! A Kafka broker.

use std::path::PathBuf;
use std::process::Command;

use crate::certificates::Signed;

const SCRIPT: &str = "scripts/services/kafka";

/// The broker that all tests may use that do not kill it, each with a topic of its own.
pub fn shared() -> String {
    std::env::var("QUIRE_TEST_KAFKA").expect(
        "QUIRE_TEST_KAFKA names a broker: run `scripts/services/kafka with cargo test --features kafka`",
    )
}

/// A broker of the test's own, since it is going to be killed or is unlike others.
pub struct Broker {
    folder: PathBuf,
    pub address: String,
    /// The address that wants TLS and a login, if there is one.
    pub secure: Option<String>,
}

impl Broker {
    pub fn start() -> Self {
        Self::started(Command::new(SCRIPT))
    }

    /// With an address that wants TLS and a login besides.
    pub fn start_secure(signed: &Signed, user: &str, password: &str) -> Self {
        let mut command = Command::new(SCRIPT);
        command
            .env("QUIRE_KAFKA_SECURE", "1")
            .env("QUIRE_KAFKA_CERT", &signed.cert)
            .env("QUIRE_KAFKA_KEY", &signed.key)
            .env("QUIRE_KAFKA_USER", user)
            .env("QUIRE_KAFKA_PASSWORD", password);
        Self::started(command)
    }

    fn started(command: Command) -> Self {
        let printed = services(command, &["start", &std::process::id().to_string()]);
        let mut lines = printed.lines().map(str::to_owned);
        let folder = lines.next().expect("a folder").into();
        Self { folder, address: lines.next().expect("an address"), secure: lines.next() }
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
        services(Command::new(SCRIPT), &[command, self.folder.to_str().expect("UTF-8")]);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.call("stop");
    }
}

fn services(mut command: Command, arguments: &[&str]) -> String {
    let done = command.args(arguments).output().expect("bash is there");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "Kafka, {arguments:?}: {said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}
