//! One commit's worth of appends, with their places in the shards' logs.

use super::{Queued, ReplyTo};
use crate::actors::document::AppendRefused;
use crate::ids::{Epoch, HistoryId, SHARDS, Shard};
use crate::storage::AppendEntry;

/// What goes into one transaction, and who waits for it.
pub(super) struct Batch {
    pub epochs: Box<[Epoch; SHARDS]>,
    /// The last durable position of each shard.
    durable: Box<[u64; SHARDS]>,
    /// The same after this batch.
    next: Box<[u64; SHARDS]>,
    pub entries: Vec<AppendEntry>,
    pub replies: Vec<ReplyTo>,
    /// Of the entries' documents.
    histories: Vec<HistoryId>,
    answers: Vec<Answer>,
    operations: usize,
    bytes: usize,
}

/// How many operations of one append are durable, and why the rest is not.
pub(super) type Answer = (ReplyTo, usize, Option<AppendRefused>);

/// What has become of a batch: everything in it is answered.
pub(super) struct Outcome {
    pub epochs: Box<[Epoch; SHARDS]>,
    pub positions: Box<[u64; SHARDS]>,
    pub answers: Vec<Answer>,
    /// What is durable, with the histories of the documents. Not what was found to be so after its outcome was unknown: whoever
    /// wants that reads it.
    pub committed: Vec<(AppendEntry, HistoryId)>,
}

impl Batch {
    /// Begins a batch after the given positions.
    pub fn new(epochs: &[Epoch; SHARDS], positions: &[u64; SHARDS]) -> Self {
        Self {
            epochs: Box::new(*epochs),
            durable: Box::new(*positions),
            next: Box::new(*positions),
            entries: Vec::new(),
            replies: Vec::new(),
            histories: Vec::new(),
            answers: Vec::new(),
            operations: 0,
            bytes: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn operations(&self) -> usize {
        self.operations
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an append and gives its operations their positions.
    pub fn push(&mut self, queued: Queued) {
        self.operations += queued.ops.len();
        self.bytes += queued.bytes();
        let entry = AppendEntry {
            doc: queued.doc,
            epoch: 0,
            first_pos: 0,
            create: queued.create,
            ops: queued.ops,
            touch: queued.touch,
            preview: queued.preview,
        };
        self.place(entry, queued.history, queued.reply);
    }

    fn place(&mut self, mut entry: AppendEntry, history: HistoryId, reply: ReplyTo) {
        let shard = usize::from(entry.doc.shard());
        entry.epoch = self.epochs[shard];
        entry.first_pos = self.next[shard] + 1;
        self.next[shard] += entry.ops.len() as u64;
        self.entries.push(entry);
        self.replies.push(reply);
        self.histories.push(history);
    }

    /// Takes out entry `index` and answers it. Afterwards the batch has to be placed again.
    pub fn answer(&mut self, index: usize, durable: usize, refused: Option<AppendRefused>) {
        self.entries.remove(index);
        self.histories.remove(index);
        self.answers.push((self.replies.remove(index), durable, refused));
    }

    /// Gives the remaining entries their places anew, in the same order.
    pub fn place_again(&mut self) {
        *self.next = *self.durable;
        let entries = std::mem::take(&mut self.entries);
        let replies = std::mem::take(&mut self.replies);
        let histories = std::mem::take(&mut self.histories);
        for ((entry, history), reply) in entries.into_iter().zip(histories).zip(replies) {
            self.place(entry, history, reply);
        }
    }

    /// Takes note of where a shard's log turned out to end.
    pub fn ends_at(&mut self, shard: Shard, position: u64) {
        self.durable[usize::from(shard)] = position;
    }

    /// Answers the entries of a shard that another node has.
    pub fn refuse_shard(&mut self, shard: Shard) {
        for index in (0..self.entries.len()).rev() {
            if self.entries[index].doc.shard() == shard {
                self.answer(index, 0, Some(AppendRefused::Fenced));
            }
        }
    }

    /// Everything that remains is durable.
    pub fn all_durable(mut self) -> Outcome {
        *self.durable = *self.next;
        for (entry, reply) in self.entries.iter().zip(self.replies.drain(..)) {
            self.answers.push((reply, entry.ops.len(), None));
        }
        self.finish()
    }

    /// Everything that remains is refused for one reason.
    pub fn all_refused(mut self, why: &AppendRefused) -> Outcome {
        self.entries.clear();
        let replies = std::mem::take(&mut self.replies);
        self.answers.extend(replies.into_iter().map(|reply| (reply, 0, Some(why.clone()))));
        self.finish()
    }

    fn finish(self) -> Outcome {
        let committed = self.entries.into_iter().zip(self.histories).collect();
        Outcome { epochs: self.epochs, positions: self.durable, answers: self.answers, committed }
    }
}
