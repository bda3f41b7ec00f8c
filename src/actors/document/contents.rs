//! The content as JSON for those who join: made once for many, and what slow readers hold of several versions is bounded.

use bytes::Bytes;

use super::tail::Tail;
use crate::actors::error::Refusal;
use crate::ids::Version;
use crate::ot::Document;

/// Contents that some reader has not taken yet have at most so many bytes together, or there is one alone.
const HELD: usize = 24 << 20;

/// Smaller ones are made faster than they are worth keeping.
const SMALL: usize = 4_096;

/// Contents that were handed out, in the order of their versions: the newest, and those that are still on their way.
#[derive(Default)]
pub struct Contents {
    kept: Vec<(Version, Bytes)>,
}

impl Contents {
    /// Returns a content and its version: that of the head, or one before it when slow readers hold too much, so that they
    /// share it; its readers are sent the operations after it. The reader's own last operation, which made `own`, is in it.
    ///
    /// # Errors
    /// `unavailable` when slow readers hold too much, and all of it is older than `own`.
    pub fn since(&mut self, own: Version, head: &Document, tail: &Tail) -> Result<(Version, Bytes), Refusal> {
        let newest = self.kept.last().filter(|(at, _)| *at >= own);
        if let Some(newest) = newest.filter(|(at, _)| *at == tail.head()) {
            return Ok(newest.clone());
        }
        let on_their_way = self.kept.iter().filter(|(_, json)| !json.is_unique());
        let held: usize = on_their_way.map(|(_, json)| json.len()).sum();
        let size = head.size() as usize;
        if held > 0 && held + size > HELD {
            // However old: what is between is in memory or in the log.
            let busy = || Refusal::unavailable("too many slow readers are getting the document; try again");
            return newest.cloned().ok_or_else(busy);
        }
        self.forget_taken();
        let mut json = Vec::with_capacity(size + 64);
        head.write_json(&mut json);
        let json = Bytes::from(json);
        if json.len() > SMALL {
            self.kept.push((tail.head(), json.clone()));
        }
        Ok((tail.head(), json))
    }

    /// Forgets the contents that all their readers have taken.
    pub fn forget_taken(&mut self) {
        self.kept.retain(|(_, json)| !json.is_unique());
        self.kept.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::actors::document::operation::SequencedOp;
    use crate::actors::error::ErrorCode;
    use crate::ids::{ClientId, UserId};
    use crate::ot::Delta;

    /// A document and its operations.
    #[derive(Default)]
    struct Written {
        head: Document,
        tail: Tail,
        contents: Contents,
    }

    impl Written {
        fn write(&mut self, bytes: usize) {
            let delta = Delta::new().insert("x".repeat(bytes), Default::default());
            self.head.apply(&delta).unwrap();
            let (version, client) = (self.tail.head() + 1, ClientId::generate());
            let op = SequencedOp::new(version, client, version, UserId::guest(client), 0, delta);
            self.tail.push(Arc::new(op));
        }

        fn since(&mut self, own: Version) -> Result<(Version, Bytes), ErrorCode> {
            self.contents.since(own, &self.head, &self.tail).map_err(|refusal| refusal.code)
        }
    }

    #[test]
    fn readers_share_the_content_of_a_version() {
        let mut doc = Written::default();
        doc.write(100_000);
        let (at, first) = doc.since(0).unwrap();
        assert_eq!(at, 1);
        let (at, second) = doc.since(1).unwrap();
        assert_eq!((at, second.as_ptr()), (1, first.as_ptr()));
        doc.write(1_000);
        assert_eq!(doc.since(0).unwrap().0, 2);
        doc.write(1_000);
        assert_eq!(doc.since(0).unwrap().0, 3);
        assert_eq!(doc.contents.kept.len(), 2, "what nobody has to send any more is gone");
        drop((first, second));
        doc.contents.forget_taken();
        assert_eq!(doc.contents.kept.capacity(), 0);
    }

    #[test]
    fn a_small_content_is_not_kept() {
        let mut doc = Written::default();
        doc.write(1_000);
        let (_at, _json) = doc.since(0).unwrap();
        assert!(doc.contents.kept.is_empty());
    }

    #[test]
    fn slow_readers_of_many_versions_hold_a_bounded_amount() {
        let mut doc = Written::default();
        doc.write(HELD / 8);
        let mut slow = Vec::new();
        for _ in 0..20 {
            doc.write(HELD / 50);
            slow.push(doc.since(0).unwrap());
        }
        let held: usize = doc.contents.kept.iter().map(|(_, json)| json.len()).sum();
        assert!(held <= HELD && doc.contents.kept.len() > 1, "{held}");
        let newest = slow.last().unwrap().0;
        assert!(newest < doc.tail.head());
        assert_eq!(doc.since(newest).unwrap().0, newest);
        assert_eq!(doc.since(newest + 1).unwrap_err(), ErrorCode::Unavailable);
        slow.clear();
        assert_eq!(doc.since(newest + 1).unwrap().0, doc.tail.head());
    }
}
