//! A real server for a test: the binary itself, on a free port, with a data folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that has not said that it is ready by then is not going to. Debug builds on a busy machine are slow.
const START_WITHIN: Duration = Duration::from_mins(1);

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The binary, with nothing of quire's that is set around a test run: that is not for what tests start.
pub fn quire() -> Command {
    unset(env!("CARGO_BIN_EXE_quire"))
}

fn unset(program: &str) -> Command {
    let mut command = Command::new(program);
    let set = std::env::vars_os().map(|(name, _)| name);
    for variable in set.filter(|name| name.as_encoded_bytes().starts_with(b"QUIRE_")) {
        command.env_remove(variable);
    }
    command
}

/// A running server, killed when this is dropped.
pub struct TestServer {
    child: Child,
    /// `127.0.0.1:PORT`
    address: String,
    data: DataFolder,
}

/// The folder of a server's data and its log of messages; it outlives the server, so that another can be started on it.
pub struct DataFolder {
    folder: TempDir,
}

impl DataFolder {
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    /// Made below `parent`: on a file system of its own, say.
    pub fn below(parent: &Path) -> Self {
        Self { folder: TempDir::new_in(parent).expect("a temporary folder") }
    }

    /// What `--data` names. No symbolic links in it.
    pub fn path(&self) -> PathBuf {
        let root = self.folder.path().canonicalize().expect("the folder is there");
        root.join("data")
    }

    /// Beside the data, on the same file system, for what a test itself keeps.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.path().with_file_name(name)
    }
}

/// How a server is started.
pub struct Launch {
    data: DataFolder,
    variables: Vec<(String, String)>,
    /// What the binary is run by, if anything: it ends in becoming the server.
    wrapper: Vec<String>,
    listen: String,
    /// Whether `--data` is given; else a variable names the folder.
    names_data: bool,
}

impl Launch {
    /// On a fresh folder, with rate limits off: tests are faster than people.
    pub fn new() -> Self {
        Self::on(DataFolder::new())
    }

    /// On a folder that a server has used before.
    pub fn on(data: DataFolder) -> Self {
        let (variables, wrapper) = (Vec::new(), Vec::new());
        Self { data, variables, wrapper, listen: "127.0.0.1:0".into(), names_data: true }
            .with("QUIRE_RATE_LIMITS", "off")
    }

    /// At this address instead of a free port.
    pub fn listening_on(mut self, address: &str) -> Self {
        self.listen = address.into();
        self
    }

    /// Leaves it to `QUIRE_DATA` to name the folder.
    pub fn without_data_flag(mut self) -> Self {
        self.names_data = false;
        self
    }

    /// With an environment variable set.
    pub fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_str().expect("UTF-8").into()));
        self
    }

    /// By this command, which is given the server's own as its last arguments and becomes it.
    pub fn run_by(mut self, wrapper: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// The folder that it will run on.
    pub fn data(&self) -> &DataFolder {
        &self.data
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> TestServer {
        self.try_start().unwrap_or_else(|failure| panic!("the server did not start: {failure:?}"))
    }

    /// Starts it and waits until it is ready, or has ended.
    pub fn try_start(self) -> Result<TestServer, FailedStart> {
        let log = self.data.beside("server.log");
        let mut child = self.spawn(&log);
        let stdout = child.stdout.take().expect("it is piped");
        match ready_line(BufReader::new(stdout)) {
            Some(address) => Ok(TestServer { child, address, data: self.data }),
            None => {
                // Ended already, or silent and of no use.
                let _ = child.kill();
                let status = child.wait().expect("the child is ours");
                Err(FailedStart { status, messages: tail(&log), data: self.data })
            }
        }
    }

    fn spawn(&self, log: &Path) -> Child {
        let messages = File::options().create(true).append(true).open(log).expect("the log can be written");
        let words: Vec<_> =
            self.wrapper.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_quire"), "serve"]).collect();
        let mut command = unset(words[0]);
        command.args(&words[1..]).args(["--listen", &self.listen]);
        if self.names_data {
            command.arg("--data").arg(self.data.path());
        }
        command
            .env("QUIRE_LOG", std::env::var("QUIRE_LOG").unwrap_or_else(|_| "warn".into()))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(messages);
        // SAFETY: prctl is safe to call between fork and exec. A server must not outlive a test run that was killed.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        command.spawn().expect("the binary can be started")
    }
}

/// Why a server did not start.
#[derive(Debug)]
pub struct FailedStart {
    pub status: ExitStatus,
    /// The end of what it said.
    pub messages: String,
    /// To try again on.
    pub data: DataFolder,
}

impl std::fmt::Debug for DataFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path().fmt(f)
    }
}

impl TestServer {
    /// A server on a fresh folder.
    pub fn start() -> Self {
        Launch::new().start()
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn data(&self) -> &DataFolder {
        &self.data
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: the child has not been waited for, so the pid is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "the server is there to be signalled");
    }

    /// Ends it as a crash would, and gives back what it has left on disk.
    pub fn kill(self) -> DataFolder {
        self.signal(libc::SIGKILL);
        self.ended().1
    }

    /// Waits until it has ended by itself, or of a signal sent before.
    pub fn ended(mut self) -> (ExitStatus, DataFolder) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                // Its own drop finds nothing left to kill.
                let data = std::mem::replace(&mut self.data, DataFolder::new());
                return (status, data);
            }
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.messages());
            thread::yield_now();
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// The end of what it has said on standard error.
    pub fn messages(&self) -> String {
        tail(&self.data.beside("server.log"))
    }

    /// Memory of its own that it holds, as the kernel counts it, in bytes: heap and stacks, no files.
    pub fn anonymous_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("it has memory");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of KiB");
        kib * 1024
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill, and waiting returns at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server at {} said:\n{}", self.address, self.messages());
        }
    }
}

/// Reads up to the line that says where the server listens; `None` if it ends before, or says nothing in time.
fn ready_line(stdout: impl BufRead + Send + 'static) -> Option<String> {
    let (ready, is_ready) = mpsc::channel();
    // The thread goes on reading, so that the server never finds its standard output full or closed.
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some(address) =
                line.strip_prefix("listening on http").and_then(|url| url.split_once("://"))
            {
                // Nobody waits for a second one.
                let _ = ready.send(address.1.to_owned());
            }
        }
    });
    is_ready.recv_timeout(START_WITHIN).ok()
}

fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
