//! The data folder of one server, and the lock that keeps a second one out of it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

/// A data folder that this process alone uses, until this is dropped (or the process dies, however it dies).
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Holds the lock; the operating system releases it with the file.
    _lock: File,
}

impl DataDir {
    /// Makes the folder if it is missing, and locks it.
    ///
    /// # Errors
    /// `Locked` when another process has it, with what is known of that process.
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let failed = |source: io::Error| OpenError::Folder { path: path.to_owned(), source };
        let holders = holders_of_missing(path);
        std::fs::create_dir_all(path).map_err(failed)?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: path.to_owned(), holder: read_holder(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_holder(&mut lock).map_err(failed)?;
        for holder in holders {
            File::open(holder).and_then(|holder| holder.sync_all()).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the entries of the folder durable: a file that was synced is lost all the same when its name is not.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// The lock file names the process that holds it, for the message that another one prints.
fn write_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    write!(lock, "process {}", std::process::id())
}

fn read_holder(lock: &mut File) -> String {
    let mut holder = String::new();
    match lock.take(64).read_to_string(&mut holder) {
        Ok(n) if n > 0 => holder,
        _ => "another process".to_owned(),
    }
}

/// Lists the folders that get a new entry when `path` is made, innermost first, up to the first that exists. An entry that
/// is not synced may be lost in a power cut, and with it all that lies below.
fn holders_of_missing(path: &Path) -> Vec<PathBuf> {
    let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let holder = |folder: &Path| match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    missing.map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/data");
        let first = DataDir::lock(&path).unwrap();

        let refused = DataDir::lock(&path).unwrap_err();
        assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
        let message = refused.to_string();
        assert!(
            message.contains("deep/data") && message.contains(&std::process::id().to_string()),
            "{message}"
        );

        drop(first);
        DataDir::lock(&path).unwrap();
    }

    #[test]
    fn every_folder_that_gets_a_new_entry_is_synced() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path();
        let holders = holders_of_missing(&root.join("a/b/c"));
        assert_eq!(holders, [root.join("a/b"), root.join("a"), root.to_owned()]);
        assert_eq!(holders_of_missing(&root.join("a")), [root]);
        assert_eq!(holders_of_missing(root), [""; 0].map(PathBuf::from));
        assert_eq!(holders_of_missing(Path::new("not-there/data")), ["not-there", "."].map(PathBuf::from));
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_error_that_names_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        std::fs::write(&path, "not a folder").unwrap();
        let error = DataDir::lock(&path).unwrap_err();
        assert!(matches!(&error, OpenError::Folder { path: named, .. } if *named == path), "{error}");
    }
}
