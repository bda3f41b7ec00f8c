//! A batch as the arguments of one statement: columns, since that is how PostgreSQL takes many rows.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use uuid::Uuid;

use super::memory::{Memory, Stamp};
use super::rows::{integer, text_of};
use super::sessions::{Statement, statement};
use crate::ids::{ClientId, DocumentId, Epoch, Shard, Version};
use crate::storage::permissions::role_name;
use crate::storage::{AppendEntry, ClientRow, search};

const APPEND_OPS: &str = include_str!("sql/append_ops.sql");

/// What a batch says of a shard.
struct ShardPart {
    epoch: Epoch,
    /// Positions of its first operation and after its last one, if it has any.
    positions: Option<(u64, u64)>,
}

/// What a batch says of a document.
struct DocumentPart {
    created: bool,
    /// Versions of its first operation and after its last one, if it has any.
    versions: Option<(Version, Version)>,
}

/// The columns of `append_ops`, in its order.
#[derive(Default)]
struct Ops<'a> {
    shards: Vec<i16>,
    docs: Vec<&'a str>,
    versions: Vec<i64>,
    positions: Vec<i64>,
    clients: Vec<Uuid>,
    seqs: Vec<i64>,
    users: Vec<&'a str>,
    ats: Vec<i64>,
    deltas: Vec<&'a [u8]>,
}

/// A batch that contradicts nothing that it says itself; whether it fits what is there, the database tells.
pub(super) struct Parcel<'a> {
    shards: BTreeMap<Shard, ShardPart>,
    docs: HashMap<&'a DocumentId, DocumentPart>,
    ops: Ops<'a>,
    clients: HashMap<(&'a DocumentId, ClientId), ClientRow>,
    created: Option<String>,
    touched: Option<String>,
}

impl<'a> Parcel<'a> {
    /// Packs a batch; `None` if its entries do not follow one another, so that some of them cannot fit.
    pub(super) fn of(batch: &'a [AppendEntry]) -> Option<Self> {
        let mut parcel = Self {
            shards: BTreeMap::new(),
            docs: HashMap::with_capacity(batch.len()),
            ops: Ops::default(),
            clients: HashMap::with_capacity(batch.len()),
            created: created(batch),
            touched: touched(batch),
        };
        let follow = batch.iter().all(|entry| parcel.add(entry));
        follow.then_some(parcel)
    }

    /// Returns false if the entry does not follow those before it.
    fn add(&mut self, entry: &'a AppendEntry) -> bool {
        self.add_shard(entry) && self.add_document(entry) && self.add_ops(entry)
    }

    fn add_shard(&mut self, entry: &AppendEntry) -> bool {
        let part = ShardPart { epoch: entry.epoch, positions: None };
        let part = self.shards.entry(entry.doc.shard()).or_insert(part);
        if entry.ops.is_empty() {
            return part.epoch == entry.epoch;
        }
        let (first, next) = part.positions.unwrap_or((entry.first_pos, entry.first_pos));
        part.positions = Some((first, next + entry.ops.len() as u64));
        part.epoch == entry.epoch && next == entry.first_pos
    }

    fn add_document(&mut self, entry: &'a AppendEntry) -> bool {
        let part = match self.docs.entry(&entry.doc) {
            Entry::Occupied(_) if entry.create.is_some() => return false,
            Entry::Occupied(part) => part.into_mut(),
            Entry::Vacant(place) => {
                let created = entry.create.is_some();
                place.insert(DocumentPart { created, versions: created.then_some((1, 1)) })
            }
        };
        let Some(first) = entry.ops.first() else { return true };
        let (begin, mut next) = part.versions.unwrap_or((first.version, first.version));
        let follow = entry.ops.iter().all(|op| {
            next += 1;
            op.version + 1 == next
        });
        part.versions = Some((begin, next));
        follow
    }

    fn add_ops(&mut self, entry: &'a AppendEntry) -> bool {
        let shard = i16::from(entry.doc.shard());
        for (op, pos) in entry.ops.iter().zip(entry.first_pos..) {
            self.ops.shards.push(shard);
            self.ops.docs.push(entry.doc.as_str());
            self.ops.versions.push(integer(op.version));
            self.ops.positions.push(integer(pos));
            self.ops.clients.push(op.client.0);
            self.ops.seqs.push(integer(op.seq));
            self.ops.users.push(op.user.as_str());
            self.ops.ats.push(op.at);
            self.ops.deltas.push(&op.delta);
            match self.clients.entry((&entry.doc, op.client)) {
                Entry::Occupied(mut row) => {
                    row.get_mut().advance(op);
                }
                Entry::Vacant(place) => {
                    place.insert(ClientRow::first(op));
                }
            }
        }
        true
    }

    /// Makes the statement, which answers with the `changes` of its shards, in order, or with NULL if the batch does not fit.
    /// What is remembered is not asked about.
    pub(super) fn statement(&self, memory: &Memory) -> Statement<'static> {
        let Ops { shards, docs, versions, positions, clients, seqs, users, ats, deltas } = &self.ops;
        let stamps = self.stamps(memory);
        let append = self.bind_shards(statement(APPEND_OPS), &stamps);
        let append = self.bind_documents(append, &stamps, memory);
        let append = append.bind(shards).bind(docs).bind(versions).bind(positions).bind(clients);
        let append = append.bind(seqs).bind(users).bind(ats).bind(deltas);
        self.bind_clients(append).bind(&self.created).bind(&self.touched)
    }

    /// Lists the shards, ascending, with the owner's epoch and the last position that the batch takes, if any.
    pub(super) fn ends_of_shards(&self) -> impl Iterator<Item = (Shard, Epoch, Option<u64>)> {
        self.shards.iter().map(|(shard, part)| (*shard, part.epoch, part.positions.map(|(_, next)| next - 1)))
    }

    /// Lists the documents whose heads are known when the batch has been appended.
    pub(super) fn ends_of_documents(&self) -> impl Iterator<Item = (&'a DocumentId, Version)> {
        self.docs.iter().filter_map(|(doc, part)| part.versions.map(|(_, next)| (*doc, next - 1)))
    }

    /// Returns which shards are remembered in a way that the batch fits.
    fn stamps(&self, memory: &Memory) -> BTreeMap<Shard, Stamp> {
        let remembered = self.shards.iter().filter_map(|(shard, part)| {
            Some((*shard, memory.shard(*shard, part.epoch, part.positions.map(|(first, _)| first))?))
        });
        remembered.collect()
    }

    fn bind_shards(&self, append: Statement<'static>, stamps: &BTreeMap<Shard, Stamp>) -> Statement<'static> {
        let ids: Vec<_> = self.shards.keys().map(|shard| i16::from(*shard)).collect();
        let epochs: Vec<_> = self.shards.values().map(|part| integer(part.epoch)).collect();
        let changes: Vec<_> =
            self.shards.keys().map(|shard| stamps.get(shard).map(|stamp| stamp.changes)).collect();
        let first = |(shard, part): (&Shard, &ShardPart)| {
            part.positions.filter(|_| !stamps.contains_key(shard)).map(|(first, _)| integer(first))
        };
        let firsts: Vec<_> = self.shards.iter().map(first).collect();
        let any = firsts.iter().any(Option::is_some);
        append.bind(ids).bind(epochs).bind(changes).bind(any.then_some(firsts))
    }

    fn bind_documents(
        &self,
        append: Statement<'static>,
        stamps: &BTreeMap<Shard, Stamp>,
        memory: &Memory,
    ) -> Statement<'static> {
        let first = |part: &DocumentPart| part.versions.map(|(first, _)| first);
        let is_unknown = |doc: &DocumentId, part: &DocumentPart| {
            let stamp = stamps.get(&doc.shard());
            !part.created && !stamp.is_some_and(|stamp| memory.fits(doc, *stamp, first(part)))
        };
        let unknown: Vec<_> = self.docs.iter().filter(|(doc, part)| is_unknown(doc, part)).collect();
        append
            .bind(unknown.iter().map(|(doc, _)| doc.as_str()).collect::<Vec<_>>())
            .bind(unknown.iter().map(|(doc, _)| i16::from(doc.shard())).collect::<Vec<_>>())
            .bind(unknown.iter().map(|(_, part)| first(part).map(integer)).collect::<Vec<_>>())
    }

    fn bind_clients(&self, append: Statement<'static>) -> Statement<'static> {
        let keys = || self.clients.keys();
        let rows = || self.clients.values();
        append
            .bind(keys().map(|(doc, _)| i16::from(doc.shard())).collect::<Vec<_>>())
            .bind(keys().map(|(doc, _)| doc.as_str()).collect::<Vec<_>>())
            .bind(keys().map(|(_, client)| client.0).collect::<Vec<_>>())
            .bind(rows().map(|row| row.user.as_str()).collect::<Vec<_>>())
            .bind(rows().map(|row| integer(row.last_seq)).collect::<Vec<_>>())
            .bind(rows().map(|row| integer(row.last_version)).collect::<Vec<_>>())
    }
}

/// The rows of new documents.
fn created(batch: &[AppendEntry]) -> Option<String> {
    json_array(batch.iter().filter_map(|entry| {
        let new = entry.create.as_ref()?;
        let (title, preview) = (text_of(&new.title), text_of(&new.preview));
        Some(json!({
            "id": entry.doc,
            "shard": entry.doc.shard(),
            "history": new.history,
            "title": title,
            "owner": new.owner,
            "created_at": new.created_at,
            "search": search::haystack(&title, &preview),
            "preview": preview,
            "link_role": role_name(new.link),
        }))
    }))
}

/// Documents whose `updated_at` moves, each once, with the time and with the first line if it has changed.
fn touched(batch: &[AppendEntry]) -> Option<String> {
    let mut touched: BTreeMap<&DocumentId, (i64, Option<&str>)> = BTreeMap::new();
    for entry in batch.iter().filter(|entry| entry.touch) {
        let Some(last) = entry.ops.last() else { continue };
        let (at, preview) = touched.entry(&entry.doc).or_insert((last.at, None));
        *at = last.at.max(*at);
        *preview = entry.preview.as_deref().or(*preview);
    }
    json_array(touched.into_iter().map(|(doc, (at, preview))| {
        let preview = preview.map(text_of);
        let folded = preview.as_deref().map(search::folded);
        json!({ "id": doc, "at": at, "preview": preview, "folded": folded })
    }))
}

fn json_array(rows: impl Iterator<Item = serde_json::Value>) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| serde_json::Value::Array(rows).to_string())
}
