//! What Redis remembers of documents, so that reading them costs storage nothing: the newest content, some older ones, and
//! the end of the log.
//!
//! Nothing of it is believed for being there. A value says which document and history it is of and at which version, and is
//! used only where that is what was asked for; what is current is told by the caller, who has it from the live actor or from
//! the document's row. A version of a history never changes, so that a value which fits is right however old it is.
//!
//! | key | what it holds | for |
//! |---|---|---|
//! | `doc:{id}:snapshot` | the newest content that was written, [`content`] | 1 h |
//! | `doc:{id}:operations` | a list of the last 1,000 operations, without a gap, [`operation`] | 1 h |
//! | `doc:{id}:past` | by version, at most 8 contents that were asked for, [`content`] | 1 h |

pub(super) mod content;
mod operation;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use deadpool_redis::redis::Pipeline;
use parking_lot::Mutex;

pub use self::content::Content;
use self::content::{MOST_BYTES, MOST_JSON};
use super::object_store::blocking;
use super::page::Page;
use super::projections::ContentRow;
use super::{LoggedOp, history};
use crate::ids::{DocumentId, HistoryId, Version};
use crate::metrics::METRICS;
use crate::redis::Redis;

/// How long a value is kept, in seconds.
const TTL: u64 = 3_600;

/// Operations of a document that are kept.
pub const OPERATIONS: u64 = 1_000;

/// Older contents of a document that are kept.
const PAST: usize = 8;

/// How far a list may have grown since the caller learned the head: elements are counted from its end.
const MARGIN: u64 = 64;

const APPEND_OPERATIONS: &str = include_str!("append_operations.lua");
const KEEP_NEWER: &str = include_str!("keep_newer.lua");
const KEEP_PAST: &str = include_str!("keep_past.lua");

/// See the module's documentation. Cheap to clone.
#[derive(Clone)]
pub struct Cache {
    redis: Redis,
    /// Documents whose content is being packed: one is enough, however many have missed it.
    packing: Arc<Mutex<HashSet<DocumentId>>>,
}

/// A document's place in its history: what a value must be of to be used.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub doc: &'a DocumentId,
    pub history: HistoryId,
}

/// Which operations: `after < version <= upto`, at most `limit`, and past the first at most `max_bytes` of deltas.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub after: Version,
    pub upto: Version,
    pub limit: usize,
    pub max_bytes: usize,
}

impl Cache {
    /// Keeps values in this Redis.
    pub fn new(redis: Redis) -> Self {
        Self { redis, packing: Arc::default() }
    }

    /// Returns the content at `version`, if it is there, or can be made of what is there. `head` is the document's durable
    /// head, as far as the caller knows.
    pub async fn content(&self, place: Place<'_>, version: Version, head: Version) -> Option<Content> {
        let found =
            if self.redis.is_up() { self.find_content(place, version, head).await } else { Err("skipped") };
        note(found)
    }

    async fn find_content(
        &self,
        place: Place<'_>,
        version: Version,
        head: Version,
    ) -> Result<Content, &'static str> {
        let mut commands = Pipeline::new();
        commands.cmd("GET").arg(key(place.doc, "snapshot"));
        commands.cmd("HGET").arg(key(place.doc, "past")).arg(version);
        type Answer = (Option<Vec<u8>>, Option<Vec<u8>>);
        let (newest, past) = self.redis.ask::<Answer>(commands).await.ok_or("skipped")?;
        if newest.is_none() && past.is_none() {
            return Err("miss");
        }
        let candidates = past.into_iter().chain(newest);
        let mut why = "stale";
        for value in candidates {
            match self.use_content(place, value, version, head).await {
                Ok(content) => return Ok(content),
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    /// Reads a value and applies what is missing up to `version`.
    async fn use_content(
        &self,
        place: Place<'_>,
        value: Vec<u8>,
        version: Version,
        head: Version,
    ) -> Result<Content, &'static str> {
        let head_of = content::head(place, &value).ok_or("corrupt")?;
        if head_of.history != place.history || head_of.version > version {
            return Err("stale");
        }
        if head.saturating_sub(head_of.version) > OPERATIONS {
            return Err("stale");
        }
        let doc = place.doc.clone();
        // What is packed is some four times as large when it is not.
        let read =
            blocking(value.len().saturating_mul(4), move || content::decode(&doc, &value, MOST_JSON)).await;
        let mut read = read.ok().flatten().ok_or("corrupt")?;
        if read.version == version {
            return Ok(read);
        }
        let range = Range { after: read.version, upto: version, limit: usize::MAX, max_bytes: usize::MAX };
        let ops = self.find_ops(place, range, head).await.map_err(|_| "stale")?;
        for op in ops {
            let delta = history::read_delta(place.doc, &op).map_err(|_| "corrupt")?;
            read.content.apply(&delta).map_err(|_| "corrupt")?;
            (read.version, read.at) = (op.version, op.at);
        }
        if read.version == version { Ok(read) } else { Err("stale") }
    }

    /// Returns a page of the log if all of it is there. `head` is the document's durable head, as far as the caller knows.
    pub async fn ops(&self, place: Place<'_>, range: Range, head: Version) -> Option<Vec<LoggedOp>> {
        if head.saturating_sub(range.after) > OPERATIONS {
            return None;
        }
        note(if self.redis.is_up() { self.find_ops(place, range, head).await } else { Err("skipped") })
    }

    async fn find_ops(
        &self,
        place: Place<'_>,
        range: Range,
        head: Version,
    ) -> Result<Vec<LoggedOp>, &'static str> {
        // From the end, since nobody knows where the list begins; it may have grown since the head was learned.
        let from_end = head.saturating_sub(range.after).saturating_add(MARGIN) as i64;
        let last = range.limit.saturating_add(2 * MARGIN as usize).min(i32::MAX as usize) as i64 - from_end;
        let mut commands = Pipeline::new();
        commands.cmd("LRANGE").arg(key(place.doc, "operations")).arg(-from_end).arg(last.min(-1));
        let (values,) = self.redis.ask::<(Vec<Vec<u8>>,)>(commands).await.ok_or("skipped")?;
        if values.is_empty() {
            return Err("miss");
        }
        let wanted = range.limit.min(range.upto.saturating_sub(range.after) as usize);
        let mut page = Page::new(wanted, range.max_bytes);
        let mut next = range.after + 1;
        for value in values {
            let (history, op) = operation::decode(place.doc, &value).ok_or("corrupt")?;
            if history != place.history {
                return Err("stale");
            }
            if op.version == next && !page.is_full() {
                page.push(op);
                next += 1;
            }
        }
        let complete = page.is_full();
        let ops = page.finish(place.doc, range.after).map_err(|_| "stale")?;
        if complete { Ok(ops) } else { Err("stale") }
    }

    /// Appends operations that are durable: contiguous versions. Nobody waits for it, and what is lost on the way makes the
    /// list begin anew.
    pub fn committed(&self, place: Place<'_>, ops: Vec<LoggedOp>) {
        self.write_ops(place, ops, true);
    }

    /// Replaces the list by the end of the log, read from storage.
    pub fn keep_ops(&self, place: Place<'_>, ops: Vec<LoggedOp>) {
        self.write_ops(place, ops, false);
    }

    fn write_ops(&self, place: Place<'_>, mut ops: Vec<LoggedOp>, follows: bool) {
        if !self.redis.is_up() {
            // As when the queue refuses it, but nothing is packed for that.
            return self.redis.offer(0, |_| ());
        }
        // A large one would make the list large: it begins anew after it.
        if let Some(large) = ops.iter().rposition(|op| op.delta.len() > operation::MOST_BYTES) {
            ops.drain(..=large);
        }
        let Some(first) = ops.first() else { return };
        let before = first.version - 1;
        let bytes = ops.iter().map(|op| op.delta.len() + 128).sum();
        let (doc, history) = (place.doc.clone(), place.history);
        self.redis.offer(bytes, move |commands| {
            let place = Place { doc: &doc, history };
            let follows = if follows { operation::prefix(place, before) } else { Vec::new() };
            commands.cmd("EVAL").arg(APPEND_OPERATIONS).arg(1).arg(key(&doc, "operations"));
            commands.arg(follows).arg(OPERATIONS).arg(TTL);
            for op in &ops {
                commands.arg(operation::encode(place, op));
            }
        });
    }

    /// Keeps the newest content, unless it is too large.
    pub async fn keep_newest(&self, place: Place<'_>, content: Content) {
        let key = key(place.doc, "snapshot");
        let Some(value) = self.pack(place, content).await else { return };
        self.redis.offer(value.len(), move |commands| {
            commands.cmd("SET").arg(key).arg(value).arg("EX").arg(TTL);
        });
    }

    /// Keeps the content of a row as the newest, unless it is too large, or what is there is of the same history and not older. Its
    /// body is written as it is.
    pub fn keep_newer(&self, row: ContentRow) {
        if row.body.len() > MOST_BYTES || !self.redis.is_up() {
            return;
        }
        let key = key(&row.doc, "snapshot");
        self.redis.offer(row.body.len(), move |commands| {
            commands.cmd("EVAL").arg(KEEP_NEWER).arg(1).arg(key).arg(&row.body[..]).arg(TTL);
        });
    }

    /// Keeps an older content, unless it is too large.
    pub async fn keep_past(&self, place: Place<'_>, content: Content) {
        let (key, version) = (key(place.doc, "past"), content.version);
        let Some(value) = self.pack(place, content).await else { return };
        self.redis.offer(value.len(), move |commands| {
            commands.cmd("EVAL").arg(KEEP_PAST).arg(1).arg(key).arg(version).arg(value).arg(PAST).arg(TTL);
        });
    }

    /// Packs content, unless Redis is not there or somebody packs the document already.
    async fn pack(&self, place: Place<'_>, content: Content) -> Option<Vec<u8>> {
        if !self.redis.is_up() || !self.packing.lock().insert(place.doc.clone()) {
            return None;
        }
        let _packing = Packing { cache: self, doc: place.doc };
        let (doc, history) = (place.doc.clone(), place.history);
        let size = content.content.size() as usize;
        let packed =
            blocking(size, move || content::encode(Place { doc: &doc, history }, &content, MOST_JSON)).await;
        packed.ok().flatten().filter(|value| value.len() <= MOST_BYTES)
    }

    /// Removes everything of a document that was purged. What Redis does not hear of expires, and is never used: the id is
    /// not given again.
    pub fn forget(&self, doc: &DocumentId) {
        let keys = ["snapshot", "operations", "past", "presence"].map(|what| key(doc, what));
        self.redis.offer(0, move |commands| {
            commands.cmd("DEL").arg(&keys[..]);
        });
    }
}

/// Says that a document is not packed any more when it is dropped, however that comes.
struct Packing<'a> {
    cache: &'a Cache,
    doc: &'a DocumentId,
}

impl Drop for Packing<'_> {
    fn drop(&mut self) {
        self.cache.packing.lock().remove(self.doc);
    }
}

/// Returns the key of what Redis holds of a document.
pub fn key(doc: &DocumentId, what: &str) -> String {
    format!("doc:{doc}:{what}")
}

fn note<T>(found: Result<T, &'static str>) -> Option<T> {
    let outcome = found.as_ref().err().copied().unwrap_or("hit");
    METRICS.cache_reads.with_label_values(&[outcome]).inc();
    found.ok()
}
