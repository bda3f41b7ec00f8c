//! The `quire` binary: a command in, an exit code out.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_pages_small();
    match quire::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Asks for pages of 4 KiB only. The allocator asks for huge ones, which are given whole: each thread's heap then holds
/// 2 MiB for every few KiB that are used somewhere in them (23 MiB at the start of a server instead of 3), and never gives
/// them back.
fn keep_pages_small() {
    // A kernel without the call, or without huge pages, leaves everything as it is.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
