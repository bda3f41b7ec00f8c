//! What the kernel knows of a process: CPU time, memory, and the core that it runs on.

use std::fs;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A process whose consumption is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(pub u32);

impl Process {
    /// The generator itself.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Reads the CPU time consumed so far by all threads, in seconds of one core.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu_seconds(self) -> io::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let ticks = cpu_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Reads the resident memory, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident_bytes(self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        resident_kilobytes(&status).map(|kb| kb * 1024).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Fields 14 and 15 of `/proc/PID/stat` (proc(5)): user and system time. Field 2 is the program's name, which may
/// hold spaces and parentheses, so that counting begins after the last of these.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_kilobytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Runs the calling thread, and whatever it starts from now on, on one core.
///
/// # Errors
/// There is no such core, or the process may not use it.
pub fn pin_to_core(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Returns how many cores the calling thread may use.
pub fn usable_cores() -> usize {
    sched_getaffinity(None).map_or(1, |set| set.count() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_does_not_confuse_its_times() {
        let stat = "17 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 100";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("17 (a) S 1"), None);
    }

    #[test]
    fn resident_memory_is_read_in_kilobytes() {
        assert_eq!(resident_kilobytes("Name:\tquire\nVmRSS:\t  1234 kB\n"), Some(1234));
    }

    #[test]
    fn the_own_process_can_be_read() {
        assert!(Process::own().resident_bytes().is_ok_and(|bytes| bytes > 100_000));
        assert!(Process::own().cpu_seconds().is_ok());
    }
}
