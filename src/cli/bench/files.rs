//! Room for connections: each is a file, here and in the server.

use rlimit::Resource;

/// File descriptors wanted: 16,000 documents with two connections each, for which a server holds two files each.
const WANTED: u64 = 70_000;

/// Files that are not connections: the server's database, logs, threads' epoll instances.
const OTHERS: u64 = 500;

/// Raises the limit of open files as far as it may be raised, servers started later included, and returns how many
/// connections fit.
///
/// # Errors
/// The limit cannot even be read.
pub fn make_room() -> std::io::Result<usize> {
    let (_, hard) = Resource::NOFILE.get()?;
    // Only root may raise the hard limit; everybody else gets as far as it.
    let limit = match Resource::NOFILE.set(WANTED.max(hard), WANTED.max(hard)) {
        Ok(()) => WANTED.max(hard),
        Err(_) => {
            Resource::NOFILE.set(hard, hard)?;
            hard
        }
    };
    Ok(limit.min(WANTED).saturating_sub(OTHERS) as usize / 2)
}
