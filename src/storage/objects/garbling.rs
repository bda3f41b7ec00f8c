//! A store that does not keep what it is given.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::Objects;
use crate::storage::sealing::Vault;

/// In memory, with a bit of every object another one.
#[derive(Debug)]
struct Garbling(InMemory);

impl Objects {
    /// Keeps objects in memory, each with a bit in its middle that is not the one that was written.
    pub(crate) fn garbling() -> Self {
        let store = Arc::new(Garbling(InMemory::new()));
        Self { store, folder: None, pause: None, vault: Vault::plain(), read_only: false }
    }

    /// Counts the objects.
    pub(crate) async fn count(&self) -> usize {
        use futures_util::StreamExt as _;
        self.store.list(None).count().await
    }
}

impl fmt::Display for Garbling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("garbling")
    }
}

#[async_trait]
impl ObjectStore for Garbling {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let mut bytes: Vec<u8> = payload.iter().flatten().copied().collect();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.0.put_opts(location, bytes.into(), opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
