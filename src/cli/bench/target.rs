//! The server under load: a child of the generator on a core of its own, or one that runs already.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::dialect::Dialect;
use super::process::{Process, pin_to_core};
use crate::config::Secret;

/// How long a server may take to say that it listens, and to stop when it is told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// The cores of the server and of the generator, when both are kept apart.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    pub server: usize,
    pub load: usize,
}

/// Which server to put under load.
#[derive(Clone, Debug)]
pub enum Plan {
    /// `quire serve` on a data folder, and on a database if one is named.
    Quire { data: PathBuf, database_url: Option<Secret> },
    /// `quire bench relay`.
    Relay,
}

/// A server that takes load.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    pub dialect: Dialect,
    pub address: SocketAddr,
    /// The process, if it is on this machine and known.
    pub process: Option<Process>,
    child: Option<Child>,
}

impl Target {
    /// Starts a server from this very binary, on the server's core, and waits until it listens.
    ///
    /// # Errors
    /// It ended, or did not say within 30 s that it listens; its own messages are on standard error.
    pub fn start(plan: &Plan, cores: Option<Cores>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        let (name, dialect) = match plan {
            Plan::Quire { data, database_url } => {
                command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
                // What the environment says of a database is meant for another server.
                command.env("QUIRE_DATABASE_URL", database_url.as_ref().map_or("", Secret::expose));
                command.env("QUIRE_RATE_LIMITS", "off");
                if std::env::var_os("QUIRE_LOG").is_none() {
                    command.env("QUIRE_LOG", "warn");
                }
                ("quire", Dialect::Quire)
            }
            Plan::Relay => {
                command.args(["bench", "relay", "--listen", "127.0.0.1:0"]);
                ("relay", Dialect::Relay)
            }
        };
        let mut child = spawn(&mut command, cores).with_context(|| format!("starting {name}"))?;
        let address = ready_address(&mut child).with_context(|| format!("waiting for {name} to listen"));
        let address = match address {
            Ok(address) => address,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let process = Some(Process(child.id()));
        Ok(Self { name, dialect, address, process, child: Some(child) })
    }

    /// Takes a server of quire's protocol that runs already.
    ///
    /// # Errors
    /// The address is not `http://HOST:PORT`.
    pub fn running(url: &str, pid: Option<u32>) -> anyhow::Result<Self> {
        let authority = url.strip_prefix("http://").context("only http:// is spoken by the generator")?;
        let authority = authority.trim_end_matches('/');
        let address = authority
            .to_socket_addrs()
            .with_context(|| format!("resolving {authority}"))?
            .next()
            .with_context(|| format!("{authority} has no address"))?;
        let process = pid.map(Process);
        Ok(Self { name: "quire", dialect: Dialect::Quire, address, process, child: None })
    }

    /// Returns the address for REST.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks the server to stop (SIGTERM) and waits until it has. A server that was not started here goes on, and the
    /// relay, which has nothing to lose, is killed.
    ///
    /// # Errors
    /// It did not stop within 30 s (then it is killed), or ended with another exit code than 0.
    pub fn stop(mut self) -> anyhow::Result<()> {
        if self.dialect == Dialect::Relay {
            return self.kill();
        }
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(pid) = Pid::from_raw(child.id() as i32) {
            kill_process(pid, Signal::TERM).with_context(|| format!("stopping {}", self.name))?;
        }
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if let Some(status) = child.try_wait()? {
                if !status.success() {
                    bail!("{} ended with {status}", self.name);
                }
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill()?;
        child.wait()?;
        bail!("{} did not stop within {PATIENCE:?}", self.name)
    }

    /// Ends the server without a warning (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// The server was not started here.
    pub fn kill(mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("only a server that was started here can be killed")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }
}

impl Drop for Target {
    /// A measurement that failed leaves no server behind.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A child inherits the cores of the thread that starts it, so this thread visits the server's core for that moment.
fn spawn(command: &mut Command, cores: Option<Cores>) -> anyhow::Result<Child> {
    if let Some(cores) = cores {
        pin_to_core(cores.server).context("moving to the server's core")?;
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    if let Some(cores) = cores {
        pin_to_core(cores.load).context("moving to the generator's core")?;
    }
    Ok(child?)
}

/// Reads standard output up to the ready line; a thread goes on reading so that the server never waits on a full pipe.
fn ready_address(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let stdout = child.stdout.take().context("the server's standard output is not a pipe")?;
    let (found, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("listening on http://") {
                // Nobody waits any more once the address has been found or given up.
                let _ = found.send(address.parse::<SocketAddr>());
            }
        }
    });
    match address.recv_timeout(PATIENCE) {
        Ok(address) => Ok(address?),
        Err(_) => bail!("it did not say that it listens"),
    }
}
