//! Where objects are: a folder, S3, or memory. Objects are written once and never changed.

#[cfg(test)]
mod garbling;
mod options;
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "only what is behind a network has one"))]
mod pause;
#[cfg(feature = "s3")]
mod s3;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub use self::options::{ObjectOptions, Places, S3Keys, S3Options};
use self::pause::Pause;
use super::sealing::Vault;
use super::{OpenError, StoreError};

/// A handle; clones share it.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Where they are files.
    folder: Option<PathBuf>,
    /// Where they are behind a network.
    pause: Option<Arc<Pause>>,
    /// What they are encrypted with, by whoever makes them.
    vault: Vault,
    /// Whether nothing is written or removed: they belong to somebody else.
    read_only: bool,
}

/// An object that is there.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub key: String,
    /// When it was written, as far as the store knows.
    pub changed: Option<SystemTime>,
}

impl Objects {
    /// Keeps objects in a local folder, made if there is none. One is durable, name and all, when it is written.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn local(folder: &FsPath) -> Result<Self, OpenError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
        let objects =
            LocalFileSystem::new_with_prefix(folder).map_err(|error| OpenError::Objects(error.into()))?;
        Ok(Self {
            store: Arc::new(objects.with_fsync(true)),
            folder: Some(folder.to_owned()),
            pause: None,
            vault: Vault::plain(),
            read_only: false,
        })
    }

    /// Keeps objects in memory: for tests and simulation.
    pub fn in_memory() -> Self {
        let store = Arc::new(InMemory::new());
        Self { store, folder: None, pause: None, vault: Vault::plain(), read_only: false }
    }

    /// Has what is kept here encrypted with the keys of `vault`.
    pub fn sealed_by(self, vault: Vault) -> Self {
        Self { vault, ..self }
    }

    /// Has nothing written here, and nothing removed.
    pub(super) fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    fn may_change(&self) -> Result<(), StoreError> {
        if self.read_only {
            return Err(StoreError::unavailable(
                "these objects were opened to be read, and stay as they are",
            ));
        }
        Ok(())
    }

    /// Returns what objects are to be encrypted with. Whoever makes them does it, since only they know where one belongs.
    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Makes an object durable.
    ///
    /// # Errors
    /// `Unavailable` when the store is; the object may be there all the same.
    pub(super) async fn put(&self, key: &Path, body: Bytes) -> Result<(), StoreError> {
        self.may_change()?;
        self.asked(self.store.put(key, body.into())).await.map(|_| ()).map_err(StoreError::unavailable)
    }

    /// Reads an object of a known size.
    ///
    /// # Errors
    /// `Missing` or `Size` when it is not the one that was written, `Away` when the store is.
    pub(super) async fn get(&self, key: &Path, size: u64) -> Result<Bytes, Unread> {
        let found = self.asked(self.store.get(key)).await?;
        if found.meta.size != size {
            return Err(Unread::Size { found: found.meta.size, wanted: size });
        }
        Ok(self.asked(found.bytes()).await?)
    }

    /// Reads a part of an object of a known size.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) async fn get_range(&self, key: &Path, range: Range<u64>, size: u64) -> Result<Bytes, Unread> {
        let read = self.asked(self.store.get_range(key, range.clone())).await;
        let whole = read.as_ref().is_ok_and(|bytes| bytes.len() as u64 == range.end - range.start);
        // To ask for what is behind the end is an error like any other.
        if !whole
            && let Ok(found) = self.store.head(key).await
            && found.size != size
        {
            return Err(Unread::Size { found: found.size, wanted: size });
        }
        Ok(read?)
    }

    /// Removes objects; those that are not there are no error.
    ///
    /// # Errors
    /// `Unavailable` when the store is; some of them may be left.
    pub(super) async fn delete(&self, keys: Vec<Path>) -> Result<(), StoreError> {
        self.may_change()?;
        self.delete_all(stream::iter(keys.into_iter().map(Ok)).boxed()).await
    }

    /// Removes all objects below a prefix, also those that nobody knows of. That there are none is no error.
    ///
    /// # Errors
    /// `Unavailable` when the store is; some of them may be left.
    pub(super) async fn delete_below(&self, prefix: &Path) -> Result<(), StoreError> {
        self.may_change()?;
        let Some(folder) = &self.folder else {
            let found = self.store.list(Some(prefix)).map_ok(|object| object.location);
            return self.delete_all(found.boxed()).await;
        };
        // The folder and not what is listed of it: files that a crash has left half written are not listed.
        let folder = folder.join(prefix.as_ref());
        let removed = tokio::task::spawn_blocking(move || remove_folder(&folder)).await;
        removed.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
    }

    /// Lists all objects below a prefix; in a folder also files that a crash has left half written. That there are none is no error.
    ///
    /// # Errors
    /// `Unavailable` when the store is.
    pub(super) async fn list_below(&self, prefix: &Path) -> Result<Vec<Stored>, StoreError> {
        let Some(folder) = self.folder.clone() else {
            let found = self.store.list(Some(prefix)).map_ok(|object| Stored {
                key: object.location.to_string(),
                changed: Some(object.last_modified.into()),
            });
            return found.try_collect().await.map_err(StoreError::unavailable);
        };
        let prefix = prefix.as_ref().to_owned();
        let listed = tokio::task::spawn_blocking(move || list_files(&folder, &prefix)).await;
        listed.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
    }

    /// Removes what [`Self::list_below`] has listed; what is not there any more is no error.
    ///
    /// # Errors
    /// `Unavailable` when the store is; some of them may be left.
    pub(super) async fn remove_listed(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let Some(folder) = self.folder.clone() else {
            return self.delete(keys.iter().map(|key| Path::from(key.as_str())).collect()).await;
        };
        self.may_change()?;
        let removed = tokio::task::spawn_blocking(move || remove_files(&folder, &keys)).await;
        removed.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
    }

    /// Waits for an answer, unless another one has just not come.
    async fn asked<T>(
        &self,
        answer: impl Future<Output = object_store::Result<T>>,
    ) -> object_store::Result<T> {
        let Some(pause) = &self.pause else { return answer.await };
        pause.look()?;
        let answer = answer.await;
        let away = matches!(&answer, Err(error) if !matches!(error, object_store::Error::NotFound { .. }));
        pause.note(away);
        answer
    }

    async fn delete_all(
        &self,
        keys: BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<(), StoreError> {
        let deleted = self.store.delete_stream(keys);
        let deleted = deleted.filter(|one| {
            let wanted = !matches!(one, Err(object_store::Error::NotFound { .. }));
            std::future::ready(wanted)
        });
        deleted.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(StoreError::unavailable)
    }
}

/// Why an object was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("it is missing")]
    Missing,
    #[error("it has {found} bytes instead of {wanted}")]
    Size { found: u64, wanted: u64 },
    /// The same call may succeed later.
    #[error("the object store is away")]
    Away(#[source] object_store::Error),
}

impl From<object_store::Error> for Unread {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Away(error),
        }
    }
}

/// Lists the files below `folder/prefix`, named from `folder` on.
fn list_files(folder: &FsPath, prefix: &str) -> io::Result<Vec<Stored>> {
    let entries = match std::fs::read_dir(folder.join(prefix)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let key = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => found.extend(list_files(folder, &key)?),
            Ok(metadata) => found.push(Stored { key, changed: metadata.modified().ok() }),
            // It went meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Removes files for good, as [`remove_folder`] does.
fn remove_files(folder: &FsPath, keys: &[String]) -> io::Result<()> {
    let mut holders = BTreeSet::new();
    for file in keys.iter().map(|key| folder.join(key)) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => holders.extend(file.parent().map(FsPath::to_owned)),
        }
    }
    for holder in holders {
        match File::open(&holder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => opened?.sync_all()?,
        }
    }
    Ok(())
}

/// Removes a folder for good: it is not back after a power cut.
fn remove_folder(folder: &FsPath) -> io::Result<()> {
    // An object that is just being written may get in between the last file and the folder, and there is one at a time.
    let mut removed = std::fs::remove_dir_all(folder);
    if removed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty) {
        removed = std::fs::remove_dir_all(folder);
    }
    let synced = removed.and_then(|()| match folder.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    });
    match synced {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}
