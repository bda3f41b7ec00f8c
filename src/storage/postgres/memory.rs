//! What appends remember of the log, so that the next ones need not ask.
//!
//! It holds for as long as a shard's epoch and `changes` are what they were when it was learned: while they are, nobody
//! else has been at the shard's log. Each append has them looked at under the lock. After anything but a success all is
//! forgotten.

use std::collections::HashMap;

use super::parcel::Parcel;
use crate::ids::{DocumentId, Epoch, SHARDS, Shard, Version};

/// Documents that are remembered for certain: those of the last appends, and as many from before. Some 10 MB at most.
const DOCUMENTS: usize = 32_768;

/// When something was learned of a shard: the owner's epoch, and how often its log had been changed otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) epoch: Epoch,
    pub(super) changes: i64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    stamp: Stamp,
    last_pos: u64,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    stamp: Stamp,
    version: Version,
}

/// The ends of the logs of shards and documents that were appended to of late.
#[derive(Debug)]
pub(super) struct Memory {
    shards: Vec<Option<Place>>,
    recent: HashMap<DocumentId, Head>,
    before: HashMap<DocumentId, Head>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { shards: vec![None; SHARDS], recent: HashMap::new(), before: HashMap::new() }
    }
}

impl Memory {
    /// Returns what is to be compared when the shard is locked, if the log of its owner at `epoch` is known to end before
    /// `first_pos`; without operations, if it is known at all.
    pub(super) fn shard(&self, shard: Shard, epoch: Epoch, first_pos: Option<u64>) -> Option<Stamp> {
        let place = self.shards[usize::from(shard)].filter(|place| place.stamp.epoch == epoch)?;
        let fits = first_pos.is_none_or(|first| place.last_pos + 1 == first);
        fits.then_some(place.stamp)
    }

    /// Tells whether a document is known to be there, and its log to end before `first`. That holds if the stamp of its
    /// shard does.
    pub(super) fn fits(&self, doc: &DocumentId, stamp: Stamp, first: Option<Version>) -> bool {
        let head = self.recent.get(doc).or_else(|| self.before.get(doc));
        head.is_some_and(|head| head.stamp == stamp && first.is_none_or(|first| head.version + 1 == first))
    }

    /// Takes note of what was appended; `changes` is what each of its shards was found at.
    pub(super) fn appended(&mut self, parcel: &Parcel<'_>, changes: &[i64]) {
        for ((shard, epoch, last_pos), changes) in parcel.ends_of_shards().zip(changes) {
            let stamp = Stamp { epoch, changes: *changes };
            let place = &mut self.shards[usize::from(shard)];
            match (last_pos, place.filter(|place| place.stamp == stamp)) {
                (Some(last_pos), _) => *place = Some(Place { stamp, last_pos }),
                // Nothing was added to it, and where it ends was not looked at.
                (None, None) => *place = None,
                (None, Some(_)) => {}
            }
        }
        for (doc, version) in parcel.ends_of_documents() {
            let Some(place) = self.shards[usize::from(doc.shard())] else { continue };
            self.before.remove(doc);
            self.recent.insert(doc.clone(), Head { stamp: place.stamp, version });
        }
        if self.recent.len() >= DOCUMENTS {
            self.before = std::mem::take(&mut self.recent);
        }
    }
}
