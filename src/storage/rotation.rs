//! Objects and the secrets of webhooks brought under the current key, and those that are plain encrypted.
//!
//! An object is read, written anew and compared, and its row then names the new one. After each document the objects go that no row
//! names: what a rotation was writing, or had replaced, when it was killed. So a key that is not used any more can be taken away, and
//! whatever stops a rotation half way leaves nothing undone that the next one does not do.

use std::collections::BTreeMap;

use super::events::{Renewed, Secrets, Webhooks};
use super::permissions::Asker;
use super::sealing::{KeyId, Vault, key_of};
use super::strays::{Age, Strays};
use super::{
    DocumentPatch, NewSnapshot, SegmentMeta, SnapshotBodies, SnapshotMeta, Store, StoreError, Tiers,
};
use crate::ids::DocumentId;

/// Documents, snapshots and segments looked up at a time.
const PAGE: usize = 256;

/// What a rotation has come to.
#[derive(Debug, Default)]
pub struct Rotated {
    /// How many were written anew …
    pub snapshots: u64,
    pub segments: u64,
    pub secrets: u64,
    /// … and how many there are afterwards, by their keys; those without one are plain.
    pub keys: BTreeMap<Option<KeyId>, u64>,
    /// Objects that no row names, left by what was killed, under whatever key: so many are there, or were if they have been removed.
    pub strays: u64,
    /// What could not be read or written, a line for each object or webhook: those stay as they are.
    pub complaints: Vec<String>,
}

/// What a rotation works on.
pub struct Rotation<'a> {
    pub store: &'a dyn Store,
    pub bodies: &'a SnapshotBodies,
    pub tiers: &'a Tiers,
    pub hooks: &'a dyn Webhooks,
    pub vault: &'a Vault,
    /// Counts only, and writes nothing.
    pub dry: bool,
    /// Which objects that no row names go.
    pub strays: Age,
}

impl Rotation<'_> {
    /// Goes through all webhooks and all documents, trash included. `told` is called for each of the documents.
    ///
    /// # Errors
    /// `Unavailable`: storage is away. What was done until then stays done.
    pub async fn run(&self, mut told: impl FnMut(&Rotated)) -> Result<Rotated, StoreError> {
        let mut rotated = Rotated::default();
        self.secrets(&mut rotated).await?;
        let mut after = None;
        loop {
            let page = self.store.document_ids(after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else { return Ok(rotated) };
            for doc in page {
                self.snapshots(&doc, &mut rotated).await?;
                self.segments(&doc, &mut rotated).await?;
                // Also what this has left an earlier time, when it was killed.
                let strays = self.strays(&doc).await;
                rotated.strays += gone(strays)?;
                told(&rotated);
            }
            after = Some(last);
        }
    }

    async fn secrets(&self, rotated: &mut Rotated) -> Result<(), StoreError> {
        let secrets = Secrets::new(self.vault.clone());
        let mut after = String::new();
        loop {
            let page = self.hooks.sealed_secrets(&after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            for (hook, before) in page {
                self.secret(&secrets, &hook, &before, rotated).await?;
            }
        }
    }

    async fn secret(
        &self,
        secrets: &Secrets,
        hook: &str,
        before: &[u8],
        rotated: &mut Rotated,
    ) -> Result<(), StoreError> {
        let renewed = if self.dry {
            key_of(before).map_or_else(Renewed::Unreadable, Renewed::Current)
        } else {
            secrets.renew(hook, before).await?
        };
        let key = match renewed {
            Renewed::Current(key) => key,
            Renewed::Anew(sealed) => {
                if !self.hooks.reseal(hook, before, &sealed).await? {
                    if self.hooks.hook(hook).await?.is_some() {
                        let again =
                            format!("the secret of webhook {hook} was changed meanwhile: run this again");
                        rotated.complaints.push(again);
                    }
                    return Ok(());
                }
                rotated.secrets += 1;
                self.vault.current()
            }
            Renewed::Unreadable(why) => {
                rotated.complaints.push(format!("the secret of webhook {hook} cannot be read: {why}"));
                return Ok(());
            }
        };
        *rotated.keys.entry(key).or_default() += 1;
        Ok(())
    }

    async fn strays(&self, doc: &DocumentId) -> Result<u64, StoreError> {
        let (store, bodies, segments) = (&*self.tiers.warm, self.bodies, &self.tiers.segments);
        let strays = Strays { store, bodies, segments };
        if self.dry { strays.count(doc).await } else { strays.remove(doc, self.strays).await }
    }

    async fn snapshots(&self, doc: &DocumentId, rotated: &mut Rotated) -> Result<(), StoreError> {
        let mut upto = u64::MAX >> 1;
        loop {
            let page = self.store.snapshots(doc, upto, PAGE).await?;
            for meta in &page {
                let done = self.snapshot(meta, &mut rotated.snapshots).await;
                rotated.note(done)?;
            }
            match page.last() {
                Some(lowest) if lowest.version > 0 => upto = lowest.version - 1,
                _ => return Ok(()),
            }
        }
    }

    async fn segments(&self, doc: &DocumentId, rotated: &mut Rotated) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let page = self.store.segments(doc, after, PAGE).await?;
            let Some(last) = page.last().map(|meta| meta.last) else { return Ok(()) };
            for meta in &page {
                let done = self.segment(meta, &mut rotated.segments).await;
                rotated.note(done)?;
            }
            after = last;
        }
    }

    /// Returns the key that a snapshot is under afterwards.
    async fn snapshot(&self, meta: &SnapshotMeta, count: &mut u64) -> Result<Option<KeyId>, StoreError> {
        let key = self.bodies.key_of(meta).await?;
        if self.dry || key == self.vault.current() {
            return Ok(key);
        }
        let content = self.bodies.read(meta).await?;
        let SnapshotMeta { doc, history, version, at, preview, .. } = meta.clone();
        let new = NewSnapshot { doc, history, version, at, preview, content: content.clone() };
        let anew = self.bodies.write(new).await?;
        if let Err(error) = self.read_back(&anew, &content).await {
            self.bodies.delete(std::slice::from_ref(&anew)).await?;
            return Err(error);
        }
        let before = self.store.document(&meta.doc).await?;
        let skipped = self.store.record_snapshots(std::slice::from_ref(&anew)).await?;
        if !skipped.is_empty() {
            // It went while this was done.
            self.bodies.delete(&skipped).await?;
            return Ok(key);
        }
        // The row shows what its newest snapshot does, unless it has come further since.
        let patch = DocumentPatch { preview: Some(before.preview), ..DocumentPatch::default() };
        self.store.patch_document(&Asker::Server, &meta.doc, &patch).await?;
        self.bodies.delete(std::slice::from_ref(meta)).await?;
        *count += 1;
        Ok(self.vault.current())
    }

    /// Refuses a snapshot that was written and is not read as that.
    async fn read_back(&self, anew: &SnapshotMeta, content: &[u8]) -> Result<(), StoreError> {
        if self.bodies.read(anew).await? == content {
            return Ok(());
        }
        let why = "the snapshot that was written anew is read as another".to_owned();
        Err(StoreError::Corrupt { doc: anew.doc.clone(), version: anew.version, why })
    }

    /// The same of a segment.
    async fn segment(&self, meta: &SegmentMeta, count: &mut u64) -> Result<Option<KeyId>, StoreError> {
        let key = self.tiers.segments.key_of(meta).await?;
        if self.dry || key == self.vault.current() {
            return Ok(key);
        }
        self.tiers.rewrite(meta, |_| {}).await?;
        *count += 1;
        Ok(self.vault.current())
    }
}

/// A document that was purged meanwhile has none.
fn gone(strays: Result<u64, StoreError>) -> Result<u64, StoreError> {
    match strays {
        Err(StoreError::NotFound { .. }) => Ok(0),
        strays => strays,
    }
}

impl Rotated {
    fn note(&mut self, done: Result<Option<KeyId>, StoreError>) -> Result<(), StoreError> {
        match done {
            Ok(key) => *self.keys.entry(key).or_default() += 1,
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => self.complaints.push(error.to_string()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
