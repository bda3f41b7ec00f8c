//! People erased: their rows, their private documents, and their id wherever it is a name.
//!
//! First one transaction takes away all that is not a document, and lists the documents that are to go ([`People::begin_erasure`]).
//! Then these go, one by one. What is left is an id that is a name, in logs: it is replaced where nobody has documents in memory. Each step
//! may be done twice, so that whoever comes after a crash goes on. A document counts as theirs as long as its clients have their
//! id, which is why that is replaced after its segments.
//!
//! Whoever comes back meanwhile is somebody new: what is made after the erasure began is not touched.

use async_trait::async_trait;

use super::people::{Erasing, People};
use super::strays::{Age, Strays};
use super::{LoggedOp, SnapshotBodies, StoreError, Tiers};
use crate::ids::{DocumentId, Millis, UserId};

/// Documents and segments looked up at a time.
const PAGE: usize = 256;

/// What an erasure has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// Rows that were the person's own.
    pub rows: u64,
    /// Documents that were purged.
    pub purged: u64,
    /// Documents in whose logs another id stands now, …
    pub renamed: u64,
    /// … and the segments of them that were written anew.
    pub segments: u64,
}

/// Removes documents for good: as a server does that may have them in memory, or in storage alone.
#[async_trait]
pub trait Purge: Send + Sync {
    type Error: From<StoreError> + Send;

    /// Removes one; one that is not there is no error.
    async fn purge(&self, doc: &DocumentId) -> Result<(), Self::Error>;
}

/// Removes the documents that are listed to go with somebody; returns how many.
///
/// # Errors
/// Storage does not oblige: the rest is still listed.
pub async fn purge_doomed<P: Purge>(people: &dyn People, purge: &P, user: &UserId) -> Result<u64, P::Error> {
    let mut purged = 0;
    loop {
        let page = people.doomed(user, PAGE).await?;
        if page.is_empty() {
            return Ok(purged);
        }
        for doc in page {
            purge.purge(&doc).await?;
            people.is_gone(user, &doc).await?;
            purged += 1;
        }
    }
}

/// What people are erased from while no server has documents in memory.
pub struct Eraser<'a> {
    pub tiers: &'a Tiers,
    pub bodies: &'a SnapshotBodies,
    pub people: &'a dyn People,
    pub now: Millis,
    /// Which objects that nothing names are to go: they may name somebody.
    pub strays: Age,
}

#[async_trait]
impl Purge for Eraser<'_> {
    type Error = StoreError;

    async fn purge(&self, doc: &DocumentId) -> Result<(), StoreError> {
        // With its segments.
        match self.tiers.joined().purge_document(doc, self.now).await {
            Ok(history) => self.bodies.purge(doc, history).await,
            Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Eraser<'_> {
    /// Erases somebody, to the end.
    ///
    /// # Errors
    /// Storage does not oblige: what was done stays done, and the next one goes on.
    pub async fn erase(&self, erasing: &Erasing) -> Result<Erased, StoreError> {
        let begun = self.people.begin_erasure(erasing).await?;
        let mut erased = Erased { rows: begun.rows, ..Erased::default() };
        self.finish(&begun.erasing, &mut erased).await?;
        Ok(erased)
    }

    /// Ends all erasures that were begun; returns how many.
    ///
    /// # Errors
    /// As [`Self::erase`].
    pub async fn finish_all(&self) -> Result<usize, StoreError> {
        let begun = self.people.erasures().await?;
        for erasing in &begun {
            self.finish(erasing, &mut Erased::default()).await?;
        }
        Ok(begun.len())
    }

    async fn finish(&self, erasing: &Erasing, erased: &mut Erased) -> Result<(), StoreError> {
        erased.purged += purge_doomed(self.people, self, &erasing.user).await?;
        if erasing.renames() {
            let mut after = None;
            loop {
                let page = self.people.documents_of(&erasing.user, after.as_ref(), PAGE).await?;
                let Some(last) = page.last().map(|last| last.doc.clone()) else { break };
                for document in page {
                    self.rename(&document.doc, erasing, erased).await?;
                }
                after = Some(last);
            }
        }
        self.people.end_erasure(&erasing.user).await
    }

    async fn rename(
        &self,
        doc: &DocumentId,
        erasing: &Erasing,
        erased: &mut Erased,
    ) -> Result<(), StoreError> {
        erased.segments += self.segments(doc, erasing).await?;
        // Also what an earlier attempt has left that was killed.
        Strays { store: &*self.tiers.warm, bodies: self.bodies, segments: &self.tiers.segments }
            .remove(doc, self.strays)
            .await?;
        erased.renamed += u64::from(self.people.rename_in(doc, erasing).await?);
        Ok(())
    }

    /// Writes the segments anew that name somebody; returns how many.
    async fn segments(&self, doc: &DocumentId, erasing: &Erasing) -> Result<u64, StoreError> {
        let named = |op: &LoggedOp| op.user == erasing.user && op.at <= erasing.begun_at;
        let mut count = 0;
        let mut after = 0;
        loop {
            let page = self.tiers.warm.segments(doc, after, PAGE).await?;
            let Some(last) = page.last().map(|meta| meta.last) else { return Ok(count) };
            for meta in page.iter().filter(|meta| meta.first_at <= erasing.begun_at) {
                if self.tiers.have(meta, named).await? {
                    let rename = |op: &mut LoggedOp| {
                        if named(op) {
                            op.user = erasing.pseudonym.clone();
                        }
                    };
                    self.tiers.rewrite(meta, rename).await?;
                    count += 1;
                }
            }
            after = last;
        }
    }
}

#[cfg(test)]
mod tests;
