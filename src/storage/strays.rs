//! Objects that no row names: what was being written, or replaced, when a process was killed. They may be plain, under a key that is to be
//! given up, or name somebody who was erased.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use super::objects::Stored;
use super::{Segments, SnapshotBodies, Store, StoreError};
use crate::ids::{DocumentId, HistoryId};

/// Rows looked up at a time.
const PAGE: usize = 256;

/// How long a server may take from an object to its row, with much to spare: what is older than that has none.
const UNSETTLED: Duration = Duration::from_hours(1);

/// Which objects without a row are strays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// All of them: nobody else writes.
    Any,
    /// Those older than an hour: servers may be about to record what they have just written.
    Old,
}

/// Where they are looked for.
pub struct Strays<'a> {
    pub store: &'a dyn Store,
    pub bodies: &'a SnapshotBodies,
    pub segments: &'a Segments,
}

impl Strays<'_> {
    /// Counts the objects of a document that no row names, however old.
    ///
    /// # Errors
    /// `Unavailable` when storage is.
    pub async fn count(&self, doc: &DocumentId) -> Result<u64, StoreError> {
        let (bodies, segments) = self.of(doc, Age::Any).await?;
        Ok((bodies.len() + segments.len()) as u64)
    }

    /// Removes the objects of a document that no row names; returns how many.
    ///
    /// # Errors
    /// `Unavailable` when storage is: some may be left.
    pub async fn remove(&self, doc: &DocumentId, age: Age) -> Result<u64, StoreError> {
        let (bodies, segments) = self.of(doc, age).await?;
        let count = (bodies.len() + segments.len()) as u64;
        self.bodies.remove(bodies).await?;
        self.segments.remove(segments).await?;
        Ok(count)
    }

    async fn of(&self, doc: &DocumentId, age: Age) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let mut histories: HashSet<HistoryId> = HashSet::from([self.store.document(doc).await?.history]);
        for fork in self.store.forks(doc).await? {
            histories.extend([fork.history, fork.parent]);
        }
        // Objects before rows: what is recorded in between is not taken for a stray.
        let mut bodies = Vec::new();
        for history in &histories {
            bodies.extend(self.bodies.stored(doc, *history).await?);
        }
        let segments = self.segments.stored(doc).await?;
        let is_stray = |stored: &Stored| match age {
            Age::Any => true,
            Age::Old => stored.changed.is_some_and(|at| at + UNSETTLED < SystemTime::now()),
        };
        let mut bodies: HashSet<_> = bodies.into_iter().filter(is_stray).map(|stored| stored.key).collect();
        let mut segments: HashSet<_> =
            segments.into_iter().filter(is_stray).map(|stored| stored.key).collect();
        if !bodies.is_empty() {
            let mut upto = u64::MAX >> 1;
            loop {
                let page = self.store.snapshots(doc, upto, PAGE).await?;
                for meta in &page {
                    bodies.remove(&SnapshotBodies::key_in(meta));
                }
                match page.last() {
                    Some(lowest) if lowest.version > 0 => upto = lowest.version - 1,
                    _ => break,
                }
            }
        }
        let mut after = 0;
        while !segments.is_empty() {
            let page = self.store.segments(doc, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.last;
            for meta in &page {
                segments.remove(&meta.key);
            }
        }
        Ok((bodies.into_iter().collect(), segments.into_iter().collect()))
    }
}
