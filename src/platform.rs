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

/// Asks this process to stop as an orchestrator would, with SIGTERM: whoever waits for that signal stops in order.
///
/// # Errors
/// The signal could not be sent.
pub fn ask_to_stop() -> std::io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)?)
}
