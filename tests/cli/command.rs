//! One run of the binary.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::harness;

/// What a command has said, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs `quire` with these arguments to its end.
pub fn quire<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    quire_reading("", args)
}

/// The same with a text on standard input.
pub fn quire_reading<A: AsRef<OsStr>>(input: &str, args: impl IntoIterator<Item = A>) -> Ran {
    let mut command = harness::quire();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A command that ends without reading it closes the pipe.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the child is ours");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

impl Ran {
    /// Fails the test unless the command did what it was told; what it wrote to standard output.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Fails the test unless the command failed with one line that has all these words in it; what it wrote before.
    #[track_caller]
    pub fn fails_with(self, words: &[&str]) -> String {
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        let reason = self.reason();
        assert!(words.iter().all(|word| reason.contains(word)), "{words:?} are not all in {reason:?}");
        self.out
    }

    /// The reason that a command which failed has given last.
    #[track_caller]
    pub fn reason(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        let last = self.err.lines().last().unwrap_or_default();
        last.strip_prefix("quire: ").unwrap_or_else(|| panic!("no reason is given: {self:?}"))
    }
}
