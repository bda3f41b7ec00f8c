//! What the server asks of the operating system.

/// Lets threads of this process that are woken wait until the one that runs has nothing to do: on a core that they share,
/// an edit that is handed from thread to thread would otherwise stop the one that hands it on, each time. Inherited by
/// threads that are started later. `SCHED_BATCH` of sched(7); needs no rights.
pub fn hand_on_without_preempting() {
    #[cfg(target_os = "linux")]
    {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the call reads the structure, which outlives it, and changes nothing but the caller's policy.
        if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) } != 0 {
            let error = std::io::Error::last_os_error();
            tracing::debug!(%error, "threads are scheduled as usual");
        }
    }
}

/// Says whether memory that is touched from now on may come in pages of 2 MiB (transparent huge pages). The allocator asks for them and they are
/// given whole: each thread's heap then holds 2 MiB for every few KiB that are used somewhere in them (23 MiB at the start of a
/// server instead of 3), and seldom gives them back. Without them the processor looks up each page of 4 KiB, which a virtual machine
/// whose host backs it with small pages pays for several times.
pub fn allow_huge_pages(are_allowed: bool) {
    // A kernel without the call, or without huge pages, leaves everything as it is.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(!are_allowed);
    #[cfg(not(target_os = "linux"))]
    let _ = are_allowed;
}

/// Returns the time in seconds for which processors have worked for this process; `None` where the system does not tell.
pub fn processor_seconds() -> Option<f64> {
    // SAFETY: zeros are a value of the structure, and the call writes to it alone.
    let (answer, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), usage)
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (answer == 0).then(|| seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

/// Asks this process to stop as an orchestrator would, with SIGTERM: whoever waits for that signal stops in order.
///
/// # Errors
/// The signal could not be sent.
pub fn ask_to_stop() -> std::io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)?)
}
