//! A PostgreSQL server of a test's own, since it is going to be broken.

use std::path::{Path, PathBuf};

use crate::harness::{self, DataFolder, Launch, TestServer};
use crate::services::Service;

/// The server; it is stopped with this.
pub struct Postgres {
    service: Service,
}

impl Postgres {
    pub fn start() -> Self {
        Self { service: Service::start("postgres") }
    }

    /// A server whose tables have no more room than this, such as `64m`.
    pub fn with_tables_of(size: &str) -> Self {
        Self { service: Service::start_with("postgres", &[("QUIRE_POSTGRES_TABLES", size.as_ref())]) }
    }

    /// Ends all of its processes, as a crash of the machine would but for the disk's cache.
    pub fn kill(&self) {
        self.service.call("kill");
    }

    /// Starts it again after that.
    pub fn resume(&self) {
        self.service.call("resume");
    }

    /// Ends all connections of its clients, whatever they are doing.
    pub fn cut(&self) {
        self.service.call("cut");
    }

    /// Gives it a synchronous standby.
    pub fn add_standby(&self) {
        self.service.call("standby");
    }

    /// Gives it a standby that it does not wait for.
    pub fn add_asynchronous_standby(&self) {
        self.service.call_with("standby", &["async"]);
    }

    /// Lets the standby receive nothing any more.
    pub fn part_from_standby(&self) {
        self.service.call("part");
    }

    /// Lets the standby take the place of the server, which has been killed.
    pub fn fail_over(&self) {
        self.service.call("failover");
    }

    /// The tables' file system, as it is seen from here.
    pub fn tables(&self) -> PathBuf {
        let pids =
            std::fs::read_to_string(self.service.folder.join("data/postmaster.pid")).expect("it is running");
        let pid = pids.lines().next().expect("its first line is the process");
        let below = self.service.folder.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(pid).join("root").join(below).join("tables")
    }

    /// What names it and its database.
    pub fn url(&self) -> &str {
        &self.service.address
    }

    /// A server whose log is here.
    pub fn launch(&self, data: DataFolder) -> Launch {
        Launch::on(data).with("QUIRE_DATABASE_URL", &self.service.address)
    }

    /// Lets `quire verify` look, after the server has stopped in order.
    pub fn verify(&self, server: TestServer) {
        server.signal(libc::SIGTERM);
        let (status, data) = server.ended();
        assert!(status.success(), "{status}");
        self.quire("verify", &data);
    }

    /// Runs one of quire's commands on the log that is here.
    pub fn quire(&self, command: &str, data: &DataFolder) {
        let mut quire = harness::quire();
        quire.arg(command).arg("--data").arg(data.path()).env("QUIRE_DATABASE_URL", &self.service.address);
        let done = quire.output().expect("the binary can be started");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{said}");
    }
}
