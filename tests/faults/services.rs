//! A real component of a test's own, since it is going to be broken: what `scripts/services` starts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// It is stopped with this.
pub struct Service {
    script: PathBuf,
    pub folder: PathBuf,
    /// As the script prints it: `HOST:PORT` or a URL.
    pub address: String,
    /// Another address, where whoever asks has to speak TLS.
    pub secure: Option<String>,
}

impl Service {
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// With environment variables that the script reads.
    pub fn start_with(name: &str, variables: &[(&str, &OsStr)]) -> Self {
        let script = Path::new("scripts/services").join(name);
        let mut start = Command::new(&script);
        start.args(["start", &std::process::id().to_string()]).envs(variables.iter().copied());
        let printed = output(&mut start);
        let mut lines = printed.lines().map(str::to_owned);
        let folder = lines.next().expect("a folder").into();
        Self { script, folder, address: lines.next().expect("an address"), secure: lines.next() }
    }

    /// `HOST:PORT` of its address.
    pub fn host(&self) -> &str {
        let host = self.address.rsplit(['@', '/']).find(|part| part.contains(':'));
        host.expect("an address has a port")
    }

    /// With kill -9.
    pub fn kill(&self) {
        self.call("kill");
    }

    /// At the same address, with what it had.
    pub fn resume(&self) {
        self.call("resume");
    }

    /// Any command of the script.
    pub fn call(&self, command: &str) {
        self.call_with(command, &[]);
    }

    /// The same, with arguments after the folder.
    pub fn call_with(&self, command: &str, arguments: &[&str]) {
        output(Command::new(&self.script).arg(command).arg(&self.folder).args(arguments));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.call("stop");
    }
}

fn output(script: &mut Command) -> String {
    let done = script.output().expect("bash is there");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script:?}: {said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}
