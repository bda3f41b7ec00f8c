//! What the server holds in memory of its SQLite database: the shards, and the documents written to of late with the
//! operations of theirs that are in `recent_batches` only.
//!
//! One writer changes it, after its transaction is durable; readers look here first and then into the database. Whatever
//! leaves from here is in the database already, so that order never misses an operation.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::ids::{ClientId, DocumentId, Epoch, SHARDS, Shard, Version};
use crate::storage::{AppendEntry, ClientRow, LoggedOp};

/// Documents without operations to settle, and clients whose rows are settled, that are remembered for the next append in
/// any case, so many of each. Beyond it those go that did not write during the last two cycles of settling.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Recent {
    pub(super) shards: Box<[ShardState]>,
    /// By shard, which is how readers of the whole log ask.
    docs: Box<[HashMap<DocumentId, Tail>]>,
    /// Operations not settled yet, and the bytes of their deltas.
    unsettled: usize,
    unsettled_bytes: usize,
    /// The `id` of the next row of `recent_batches`: it never comes back to a number that was used.
    next_row: i64,
    /// Rows before this one are not there any more.
    first_row: i64,
    cycle: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShardState {
    pub(super) epoch: Epoch,
    pub(super) node: String,
    pub(super) last_pos: u64,
}

/// The end of a document's log.
#[derive(Debug, Default)]
struct Tail {
    head: Version,
    /// The last versions up to `head`, without a gap.
    ops: VecDeque<PlacedOp>,
    clients: HashMap<ClientId, ClientTail>,
    /// The cycle of the last append.
    used: u32,
}

#[derive(Debug)]
struct ClientTail {
    row: ClientRow,
    /// The row in the database is older. The operation that has made it so is not settled yet.
    dirty: bool,
    /// The cycle of the last append, or of the look into the database.
    used: u32,
}

/// An operation and its position in the log of its shard.
#[derive(Clone, Debug)]
pub(super) struct PlacedOp {
    pub(super) pos: u64,
    pub(super) op: LoggedOp,
}

/// What must be looked up before a batch can be checked.
#[derive(Debug, Default)]
pub(super) struct Unknown<'a> {
    pub(super) docs: Vec<&'a DocumentId>,
    pub(super) clients: Vec<(&'a DocumentId, ClientId)>,
    /// `(client, seq)` at or below the client's last one: only the log knows whether they are in it.
    pub(super) seqs: Vec<(&'a DocumentId, ClientId, u64)>,
}

/// A part of what is to be settled: moved to `ops` and `clients` in one transaction.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) ops: Vec<(DocumentId, PlacedOp)>,
    pub(super) clients: Vec<(DocumentId, ClientId, ClientRow)>,
}

impl Recent {
    /// Begins with nothing held, over an empty `recent_batches` whose next row is `next_row`.
    pub(super) fn new(shards: Box<[ShardState]>, next_row: i64) -> Self {
        let first_row = next_row;
        let docs = (0..SHARDS).map(|_| HashMap::new()).collect();
        Self { shards, docs, unsettled: 0, unsettled_bytes: 0, next_row, first_row, cycle: 0 }
    }

    pub(super) fn shard(&self, shard: Shard) -> &ShardState {
        &self.shards[usize::from(shard)]
    }

    fn of(&self, doc: &DocumentId) -> Option<&Tail> {
        self.docs[usize::from(doc.shard())].get(doc)
    }

    fn of_mut(&mut self, doc: &DocumentId) -> Option<&mut Tail> {
        self.docs[usize::from(doc.shard())].get_mut(doc)
    }

    /// The head of a document, if the document is held here.
    pub(super) fn head(&self, doc: &DocumentId) -> Option<Version> {
        self.of(doc).map(|tail| tail.head)
    }

    pub(super) fn client(&self, doc: &DocumentId, client: ClientId) -> Option<&ClientRow> {
        Some(&self.of(doc)?.clients.get(&client)?.row)
    }

    /// Looks for an operation among those not settled.
    pub(super) fn find_op(&self, doc: &DocumentId, client: ClientId, seq: u64) -> Option<Version> {
        let ops = &self.of(doc)?.ops;
        ops.iter()
            .rev()
            .find(|placed| (placed.op.client, placed.op.seq) == (client, seq))
            .map(|placed| placed.op.version)
    }

    /// Returns the first version of a document that is not settled, and those not settled in `after < version <= upto`,
    /// at most `limit`. `None` when all of its log is in the database.
    pub(super) fn tail(
        &self,
        doc: &DocumentId,
        after: Version,
        upto: Version,
        limit: usize,
    ) -> Option<(Version, Vec<LoggedOp>)> {
        let tail = self.of(doc)?;
        let first = tail.ops.front()?.op.version;
        let skip = (after + 1).saturating_sub(first).min(tail.ops.len() as u64) as usize;
        let ops = tail.ops.range(skip..).map(|placed| &placed.op).take_while(|op| op.version <= upto);
        Some((first, ops.take(limit).cloned().collect()))
    }

    /// Returns the last position of a shard's log, and those of its operations after `after` that are not settled, in order
    /// of position, at most `limit`.
    pub(super) fn unsettled_of(
        &self,
        shard: Shard,
        after: u64,
        limit: usize,
    ) -> (u64, Vec<(DocumentId, PlacedOp)>) {
        let mut found = Vec::new();
        for (doc, tail) in &self.docs[usize::from(shard)] {
            let begin = tail.ops.partition_point(|placed| placed.pos <= after);
            found.extend(tail.ops.range(begin..).take(limit).map(|placed| (doc, placed)));
        }
        found.sort_unstable_by_key(|(_, placed)| placed.pos);
        let found = found.into_iter().take(limit).map(|(doc, placed)| (doc.clone(), placed.clone()));
        (self.shard(shard).last_pos, found.collect())
    }

    /// Lists what is not held here of all that a batch names.
    pub(super) fn unknown<'a>(&self, batch: &'a [AppendEntry]) -> Unknown<'a> {
        let mut unknown = Unknown::default();
        for entry in batch {
            let Some(tail) = self.of(&entry.doc) else {
                unknown.docs.push(&entry.doc);
                if entry.create.is_none() {
                    unknown.clients.extend(entry.ops.iter().map(|op| (&entry.doc, op.client)));
                }
                continue;
            };
            for op in &entry.ops {
                match tail.clients.get(&op.client) {
                    None => unknown.clients.push((&entry.doc, op.client)),
                    Some(client) if op.seq <= client.row.last_seq => {
                        unknown.seqs.push((&entry.doc, op.client, op.seq));
                    }
                    Some(_) => {}
                }
            }
        }
        unknown
    }

    /// Takes in a document whose log in the database, and all there is, ends at `head`.
    pub(super) fn learn_document(&mut self, doc: DocumentId, head: Version) {
        let used = self.cycle;
        self.docs[usize::from(doc.shard())].entry(doc).or_insert_with(|| Tail {
            head,
            used,
            ..Tail::default()
        });
    }

    /// Takes in a client's row from the database.
    pub(super) fn learn_client(&mut self, doc: &DocumentId, client: ClientId, row: ClientRow) {
        let used = self.cycle;
        if let Some(tail) = self.of_mut(doc) {
            tail.clients.entry(client).or_insert(ClientTail { row, dirty: false, used });
        }
    }

    /// Takes in a batch that is durable, in the row `next_row`.
    pub(super) fn appended(&mut self, batch: Vec<AppendEntry>) {
        self.next_row += 1;
        for entry in batch {
            let shard = usize::from(entry.doc.shard());
            let tail = self.docs[shard].entry(entry.doc).or_default();
            tail.used = self.cycle;
            for (op, pos) in entry.ops.into_iter().zip(entry.first_pos..) {
                self.unsettled += 1;
                self.unsettled_bytes += op.delta.len();
                self.shards[shard].last_pos = pos;
                tail.push(PlacedOp { pos, op }, self.cycle);
            }
        }
    }

    pub(super) fn unsettled(&self) -> usize {
        self.unsettled
    }

    pub(super) fn unsettled_bytes(&self) -> usize {
        self.unsettled_bytes
    }

    pub(super) fn next_row(&self) -> i64 {
        self.next_row
    }

    pub(super) fn first_row(&self) -> i64 {
        self.first_row
    }

    /// Lists the documents that have something to settle, with their heads.
    pub(super) fn to_settle(&self) -> Vec<(DocumentId, Version)> {
        let unsettled = self.docs.iter().flatten().filter(|(_, tail)| !tail.ops.is_empty());
        unsettled.map(|(doc, tail)| (doc.clone(), tail.head)).collect()
    }

    /// Takes about `rows` operations out of the end of `plan`, whose last document stays in it until it is through. Each
    /// takes its author's row along: a document may have very many clients, and those not named here have no need.
    pub(super) fn slice(&self, plan: &mut Vec<(DocumentId, Version)>, rows: usize) -> Slice {
        let mut slice = Slice::default();
        let mut authors = HashSet::new();
        while let Some((doc, upto)) = plan.last() {
            let Some(tail) = self.of(doc) else {
                plan.pop();
                continue;
            };
            let mut due = tail.ops.iter().take_while(|placed| placed.op.version <= *upto).peekable();
            while slice.ops.len() < rows
                && let Some(placed) = due.next()
            {
                slice.ops.push((doc.clone(), placed.clone()));
                authors.insert(placed.op.client);
            }
            for id in authors.drain() {
                if let Some(client) = tail.clients.get(&id).filter(|client| client.dirty) {
                    slice.clients.push((doc.clone(), id, client.row.clone()));
                }
            }
            if due.peek().is_some() {
                break;
            }
            plan.pop();
            if slice.ops.len() >= rows {
                break;
            }
        }
        slice
    }

    /// Forgets the operations of a slice, which are durable in `ops` now.
    pub(super) fn settled(&mut self, slice: &Slice) {
        for (doc, placed) in &slice.ops {
            let Some(tail) = self.of_mut(doc) else { continue };
            let first = tail.ops.pop_front();
            debug_assert_eq!(
                first.map(|first| first.pos),
                Some(placed.pos),
                "slices are taken from the front"
            );
            self.unsettled -= 1;
            self.unsettled_bytes -= placed.op.delta.len();
        }
        for (doc, id, _) in &slice.clients {
            if let Some(client) = self.of_mut(doc).and_then(|tail| tail.clients.get_mut(id)) {
                client.dirty = false;
            }
        }
    }

    /// How many clients are held here.
    pub(super) fn clients(&self) -> usize {
        self.docs.iter().flat_map(HashMap::values).map(|tail| tail.clients.len()).sum()
    }

    /// Ends a cycle of settling, which has removed all rows before `first_row`: gives back the memory of documents that nobody writes to any more, and of clients that
    /// write no more. What is forgotten is in the database, and no append is under way that has looked it up.
    pub(super) fn end_cycle(&mut self, first_row: i64) {
        self.first_row = first_row;
        self.cycle = self.cycle.wrapping_add(1);
        let (cycle, idle) = (self.cycle, self.unsettled == 0);
        let was_used_lately = |used: u32| !idle && cycle.wrapping_sub(used) <= 2;
        if self.docs.iter().map(HashMap::len).sum::<usize>() > REMEMBERED {
            for docs in &mut self.docs {
                docs.retain(|_, tail| !tail.ops.is_empty() || was_used_lately(tail.used));
                docs.shrink_to_fit();
            }
        }
        if self.clients() > REMEMBERED {
            for tail in self.docs.iter_mut().flat_map(HashMap::values_mut) {
                tail.clients.retain(|_, client| client.dirty || was_used_lately(client.used));
                tail.clients.shrink_to_fit();
            }
        }
    }

    /// Forgets a document that was purged.
    pub(super) fn forget(&mut self, doc: &DocumentId) {
        let Some(tail) = self.docs[usize::from(doc.shard())].remove(doc) else { return };
        self.unsettled -= tail.ops.len();
        self.unsettled_bytes -= tail.ops.iter().map(|placed| placed.op.delta.len()).sum::<usize>();
    }
}

impl Tail {
    fn push(&mut self, placed: PlacedOp, cycle: u32) {
        let op = &placed.op;
        let first = || ClientTail { row: ClientRow::first(op), dirty: true, used: cycle };
        let client = self.clients.entry(op.client).or_insert_with(first);
        client.dirty |= client.row.advance(op);
        client.used = cycle;
        self.head = op.version;
        self.ops.push_back(placed);
    }
}
