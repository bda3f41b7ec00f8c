//! People erased: their rows, their private documents, and their id wherever it is a name.
//!
//! Each step may be done twice, and one that was begun is noted, so that whoever comes after a crash goes on. A document counts
//! as theirs as long as its clients have their id, which is why that is replaced after its segments.

use super::people::{Erasing, Fate, People, PersonsDocument};
use super::{SnapshotBodies, StoreError, Tiers};
use crate::ids::{Millis, UserId};

/// Documents and segments looked up at a time.
const PAGE: usize = 256;

/// What an erasure has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// Rows that were the person's own.
    pub rows: u64,
    /// Documents that were purged.
    pub purged: u64,
    /// Documents in which another id stands now, …
    pub renamed: u64,
    /// … and the segments of them that were written anew.
    pub segments: u64,
}

/// What people are erased from.
pub struct Eraser<'a> {
    pub tiers: &'a Tiers,
    pub bodies: &'a SnapshotBodies,
    pub people: &'a dyn People,
    pub now: Millis,
}

impl Eraser<'_> {
    /// Erases somebody, to the end. No server may be running.
    ///
    /// # Errors
    /// Storage does not oblige: what was done stays done, and the next one goes on.
    pub async fn erase(&self, erasing: &Erasing) -> Result<Erased, StoreError> {
        let erasing = self.people.begin_erasure(erasing).await?;
        self.finish(&erasing).await
    }

    /// Ends all erasures that were begun; returns how many.
    ///
    /// # Errors
    /// As [`Self::erase`].
    pub async fn finish_all(&self) -> Result<usize, StoreError> {
        let begun = self.people.erasures().await?;
        for erasing in &begun {
            self.finish(erasing).await?;
        }
        Ok(begun.len())
    }

    async fn finish(&self, erasing: &Erasing) -> Result<Erased, StoreError> {
        let mut erased = Erased::default();
        let mut after = None;
        loop {
            let page = self.people.documents_of(&erasing.user, after.as_ref(), PAGE).await?;
            let Some(last) = page.last().map(|last| last.doc.clone()) else { break };
            for document in page {
                self.document(erasing, &document, &mut erased).await?;
            }
            after = Some(last);
        }
        erased.rows = self.people.forget_person(&erasing.user).await?;
        if erasing.renames() {
            self.people.rename_elsewhere(&erasing.user, &erasing.pseudonym).await?;
        }
        self.people.end_erasure(&erasing.user).await?;
        Ok(erased)
    }

    async fn document(
        &self,
        erasing: &Erasing,
        document: &PersonsDocument,
        erased: &mut Erased,
    ) -> Result<(), StoreError> {
        let doc = &document.doc;
        if document.owns && (erasing.fate == Fate::Owned || !document.shared) {
            // With its segments.
            let history = self.tiers.joined().purge_document(doc, self.now).await?;
            self.bodies.purge(doc, history).await?;
            erased.purged += 1;
            return Ok(());
        }
        if !erasing.renames() {
            return Ok(());
        }
        let (from, to) = (&erasing.user, &erasing.pseudonym);
        erased.segments += self.segments(document, from, to).await?;
        if self.people.rename_in(doc, from, to).await? > 0 || document.owns {
            erased.renamed += 1;
        }
        Ok(())
    }

    /// Writes the segments anew that name somebody; returns how many.
    async fn segments(
        &self,
        document: &PersonsDocument,
        from: &UserId,
        to: &UserId,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut after = 0;
        loop {
            let page = self.tiers.warm.segments(&document.doc, after, PAGE).await?;
            let Some(last) = page.last().map(|meta| meta.last) else { return Ok(count) };
            for meta in &page {
                if self.tiers.names(meta, from).await? {
                    let rename = |op: &mut super::LoggedOp| {
                        if op.user == *from {
                            op.user = to.clone();
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
