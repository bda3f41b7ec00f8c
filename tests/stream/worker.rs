//! A running `quire worker`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{PATIENCE, quire};
use crate::rest::Rest;

/// A running worker, killed when this is dropped.
pub struct Worker {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Worker {
    /// Starts `quire worker` with these variables and no others of quire's, and waits until it is ready.
    pub fn start(variables: &[(&str, String)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = File::create(folder.path().join("log")).expect("it can be written");
        let mut child = quire()
            .args(["worker", "--worker-listen", "127.0.0.1:0"])
            .env("QUIRE_LOG", "info")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary can be started");
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line);
        let messages = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(said.is_ok_and(|bytes| bytes > 0), "it has not begun: {}", messages());
        let address = line.trim().strip_prefix("listening on http://").expect("its address").to_owned();
        Self { child, address, folder }
    }

    pub fn metric(&self, name: &str) -> f64 {
        let text = Rest::at(&self.address).get("/metrics").expect(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {text}"))
    }

    pub fn wait_for(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let value = self.metric(name);
            if wanted(value) {
                return;
            }
            assert!(Instant::now() < deadline, "{name} stays at {value}: {}", self.messages());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: the child has not been waited for, so the pid is still its own.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        let status = self.child.wait().expect("the child is ours");
        assert!(status.success(), "{status}: {}", self.messages());
    }
}

impl Drop for Worker {
    /// As a crash would.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the worker at {} said:\n{}", self.address, self.messages());
        }
    }
}

/// What `quire verify --projections` says with these variables, which must have no complaint. It may run beside servers and
/// workers.
pub fn verify(variables: &[(&str, String)]) -> String {
    let mut verify = quire();
    verify.args(["verify", "--projections"]).envs(variables.iter().map(|(name, value)| (name, value)));
    let done = verify.output().expect("the binary can be started");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

/// Waits until the rows of all documents are those of the ends of their logs, and sound on the way there.
pub fn verify_until_complete(variables: &[(&str, String)]) {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let said = verify(variables);
        if said.contains(" 0 behind") {
            return;
        }
        assert!(Instant::now() < deadline, "projections do not come to the end: {said}");
    }
}
