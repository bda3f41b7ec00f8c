//! Which documents there are in memory.

use actix::prelude::*;

use super::{RegistryActor, SharedAddress, Slot};
use crate::ids::DocumentId;

/// Somebody wants to know which documents are in memory, in order of id, after this one and at most so many.
#[derive(Message)]
#[rtype(result = "Vec<Listed>")]
pub struct ListSlots {
    pub after: Option<DocumentId>,
    pub limit: usize,
}

/// A document that the registry knows.
#[derive(Clone, Debug)]
pub struct Listed {
    pub doc: DocumentId,
    pub whereabouts: Whereabouts,
}

/// See [`Listed`].
#[derive(Clone, Debug)]
pub enum Whereabouts {
    /// It is being read.
    Opening,
    Live(SharedAddress),
    /// Reading it has failed: it is left alone for a while.
    Quarantined,
}

impl Handler<ListSlots> for RegistryActor {
    type Result = MessageResult<ListSlots>;

    fn handle(&mut self, list: ListSlots, _: &mut Self::Context) -> Self::Result {
        let is_next =
            |doc: &&DocumentId| list.after.as_ref().is_none_or(|after| doc.as_str() > after.as_str());
        let mut next: Vec<&DocumentId> = self.slots.keys().filter(is_next).collect();
        // Only the page is put in order, however many there are.
        if next.len() > list.limit {
            next.select_nth_unstable_by(list.limit, |a, b| a.as_str().cmp(b.as_str()));
            next.truncate(list.limit);
        }
        next.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let listed = next.into_iter().filter_map(|doc| {
            let whereabouts = match self.slots.get(doc)? {
                Slot::Opening { .. } => Whereabouts::Opening,
                Slot::Live { address, .. } => Whereabouts::Live(address.clone()),
                Slot::Quarantined { .. } => Whereabouts::Quarantined,
            };
            Some(Listed { doc: doc.clone(), whereabouts })
        });
        MessageResult(listed.collect())
    }
}
