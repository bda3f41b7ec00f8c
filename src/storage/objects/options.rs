//! Which object store is to be used, and how.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Objects;
use crate::storage::OpenError;
use crate::storage::sealing::Vault;

/// Where snapshots and segments go.
#[derive(Clone, Debug, Default)]
pub enum ObjectOptions {
    /// Beside the lock, in the data folder.
    #[default]
    DataFolder,
    /// In another folder: a disk of its own, say.
    Folder(PathBuf),
    S3(S3Options),
}

/// An S3, or what speaks like it.
#[derive(Clone, Debug)]
pub struct S3Options {
    pub bucket: String,
    /// What every key begins with; empty for none.
    pub prefix: String,
    /// `http://` or `https://`, host and port of a gateway; without one it is Amazon's.
    pub endpoint: Option<String>,
    pub region: String,
    /// Key and secret; without them what the environment says is used, as by Amazon's own tools.
    pub keys: Option<S3Keys>,
}

/// Who asks, and the secret that proves it, which is not printed.
#[derive(Clone)]
pub struct S3Keys {
    pub id: String,
    pub secret: String,
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The two things that are in an object store.
#[derive(Clone, Debug)]
pub struct Places {
    pub snapshots: Objects,
    pub segments: Objects,
}

impl Places {
    /// Has what is kept in both encrypted with the keys of `vault`.
    pub fn sealed_by(self, vault: &Vault) -> Self {
        let Self { snapshots, segments } = self;
        Self { snapshots: snapshots.sealed_by(vault.clone()), segments: segments.sealed_by(vault.clone()) }
    }
}

impl ObjectOptions {
    /// Reads the address of a store: `s3://BUCKET/PREFIX`, `file:///FOLDER`, or nothing.
    ///
    /// # Errors
    /// In words, for the operator: it is neither.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.is_empty() {
            return Ok(Self::DataFolder);
        }
        if let Some(folder) = url.strip_prefix("file://") {
            let folder = PathBuf::from(folder);
            let whole = folder.is_absolute().then_some(Self::Folder(folder));
            return whole.ok_or_else(|| "a whole path is wanted, as file:///srv/quire".to_owned());
        }
        let place = url.strip_prefix("s3://").ok_or("s3://BUCKET/PREFIX or file:///FOLDER is wanted")?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() || bucket.contains(['@', ':', '?']) {
            return Err("the bucket's name is wanted after s3://, and nothing else there".to_owned());
        }
        let (bucket, prefix) = (bucket.to_owned(), prefix.trim_matches('/').to_owned());
        Ok(Self::S3(S3Options { bucket, prefix, endpoint: None, region: String::new(), keys: None }))
    }

    /// Opens the store. An S3 is not spoken to before it is used.
    ///
    /// # Errors
    /// A folder cannot be made; this quire was built without S3; the settings of S3 make no sense.
    pub fn open(&self, data: &Path) -> Result<Places, OpenError> {
        let folder = match self {
            Self::DataFolder => data,
            Self::Folder(folder) => folder,
            Self::S3(options) => return s3(options).map(|s3| Places { snapshots: s3.clone(), segments: s3 }),
        };
        let place = |name| Objects::local(&folder.join(name));
        Ok(Places { snapshots: place("snapshots")?, segments: place("segments")? })
    }

    /// Opens the place of the segments for reading alone: nothing is made, written or removed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(in crate::storage) fn read_segments(&self, data: &Path) -> Result<Objects, OpenError> {
        let folder = match self {
            Self::DataFolder => data,
            Self::Folder(folder) => folder,
            Self::S3(options) => return s3(options).map(Objects::read_only),
        };
        let folder = folder.join("segments");
        // Where there is no folder there is no segment, and one that a row names is missing.
        let objects = if folder.is_dir() { Objects::local(&folder)? } else { Objects::in_memory() };
        Ok(objects.read_only())
    }

    /// Tells what makes no sense of it, without making anything.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(&self) -> Result<(), OpenError> {
        match self {
            Self::S3(options) => s3(options).map(|_| ()),
            Self::DataFolder | Self::Folder(_) => Ok(()),
        }
    }
}

#[cfg(feature = "s3")]
fn s3(options: &S3Options) -> Result<Objects, OpenError> {
    super::s3::open(options)
}

#[cfg(not(feature = "s3"))]
fn s3(_: &S3Options) -> Result<Objects, OpenError> {
    let why =
        "this quire was built without S3: `cargo build --profile production --features s3` makes one with it";
    Err(OpenError::Objects(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_a_folder_or_nothing() {
        let s3 = |url| match ObjectOptions::parse(url) {
            Ok(ObjectOptions::S3(options)) => (options.bucket, options.prefix),
            other => panic!("{other:?}"),
        };
        assert_eq!(s3("s3://bucket"), ("bucket".into(), String::new()));
        assert_eq!(s3("s3://bucket/a/b/"), ("bucket".into(), "a/b".into()));
        assert!(matches!(ObjectOptions::parse("file:///srv/q"), Ok(ObjectOptions::Folder(_))));
        assert!(matches!(ObjectOptions::parse(""), Ok(ObjectOptions::DataFolder)));
        for url in ["bucket", "s3://", "s3:///x", "file://relative", "https://x/y", "s3://key:secret@bucket"]
        {
            let why = ObjectOptions::parse(url).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
