//! Who has written which part of a document.

use super::{Documents, Reading, blocking, no_version};
use crate::actors::document::Read;
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{DocumentId, Millis, UserId, Version};
use crate::ot::Attribution;
use crate::storage::{LoggedOp, history};

/// Operations that are walked, unless fewer are asked for: what is older is told to be older.
const OPERATIONS: u64 = 100_000;

/// Bytes of their deltas, at most.
const BYTES: usize = 64 << 20;

/// Runs that are told, at most: each is some 120 bytes of JSON.
const RUNS: usize = 250_000;

/// Operations on a page of the log.
const PAGE: usize = 2_000;

/// Who has written which part of the content of a version.
pub struct Blame {
    pub version: Version,
    /// What was there at this version is not told apart.
    pub since: Version,
    /// Lengths in UTF-16 code units, and the version that has brought each: `since` for all that is not newer.
    pub runs: Vec<(u64, Version)>,
    /// The authors of the versions after `since`, in order.
    authors: Vec<(UserId, Millis)>,
}

impl Blame {
    /// Returns who has made a version, and when; `None` for one that was not walked.
    pub fn author(&self, version: Version) -> Option<&(UserId, Millis)> {
        let index = version.checked_sub(self.since + 1)?;
        self.authors.get(usize::try_from(index).ok()?)
    }
}

impl Documents {
    /// Walks the operations from `since` on (from the beginning, but at most 100,000, if it is absent) up to a version (the
    /// durable head), and tells who has brought what is left of them. Waits its turn with those who read the past.
    pub async fn blame(
        &self,
        doc: &DocumentId,
        version: Option<Version>,
        since: Option<Version>,
    ) -> Result<Blame, Refusal> {
        let head: Reading = self.ask(doc, || Read).await?;
        let version = version.unwrap_or(head.version);
        if version > head.version {
            return Err(no_version(doc, version, head.version));
        }
        let since = since.unwrap_or(0).max(version.saturating_sub(OPERATIONS)).min(version);
        let _turn = self.past.enter().await?;
        let start = match since {
            0 => 0,
            since => history::at(&*self.store, &self.bodies, doc, since).await?.content.length(),
        };
        let mut walk = Walk { runs: Attribution::of(start, since), authors: Vec::new(), bytes: 0 };
        let mut at = since;
        while at < version {
            let page = self.store.read_ops(doc, at, version, PAGE, super::PAGE_BYTES).await?;
            let Some(last) = page.last() else { break };
            at = last.version;
            let doc = doc.clone();
            walk = blocking(move || walk.over(&doc, page)).await??;
            if walk.bytes > BYTES || walk.runs.len() > RUNS {
                let message = format!(
                    "the history from version {since} to {at} is too much at once: ask with a later `since`"
                );
                return Err(Refusal::new(ErrorCode::TooLarge, message));
            }
        }
        Ok(Blame { version: at, since, runs: walk.runs.runs(), authors: walk.authors })
    }
}

struct Walk {
    runs: Attribution<Version>,
    authors: Vec<(UserId, Millis)>,
    bytes: usize,
}

impl Walk {
    fn over(mut self, doc: &DocumentId, page: Vec<LoggedOp>) -> Result<Self, Refusal> {
        for op in page {
            self.runs.apply(&history::read_delta(doc, &op)?, op.version);
            self.bytes += op.delta.len();
            self.authors.push((op.user, op.at));
        }
        Ok(self)
    }
}
